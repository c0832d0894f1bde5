/** The resident wallets by id, and in the order of their last use. All operations are O(1) but the walks. */
import type { WalletActor } from "./WalletActor.ts"

/** How many of the least recently used are looked at to find an idle one. */
const candidates = 64

export class ResidentList {
  private readonly byId = new Map<string, WalletActor>()
  private oldest: WalletActor | undefined
  private newest: WalletActor | undefined

  get size(): number {
    return this.byId.size
  }

  get(walletId: string): WalletActor | undefined {
    return this.byId.get(walletId)
  }

  add(actor: WalletActor): void {
    this.byId.set(actor.walletId, actor)
    this.link(actor)
  }

  /** By identity: a successor with the same id stays. */
  remove(actor: WalletActor): void {
    if (this.byId.get(actor.walletId) !== actor) return
    this.byId.delete(actor.walletId)
    this.unlink(actor)
  }

  touch(actor: WalletActor, now: number): void {
    actor.lastUsedAt = now
    if (actor === this.newest) return
    this.unlink(actor)
    this.link(actor)
  }

  /** The least recently used actor that waits for work; `undefined`: the oldest are all at work. */
  oldestIdle(except?: WalletActor): WalletActor | undefined {
    let actor = this.oldest
    for (let i = 0; i < candidates && actor !== undefined; i++) {
      if (actor !== except && isIdle(actor)) return actor
      actor = actor.newer
    }
    return undefined
  }

  /** The idle actors last used before `time`, oldest first. */
  idleSince(time: number): Array<WalletActor> {
    const idle: Array<WalletActor> = []
    for (let actor = this.oldest; actor !== undefined && actor.lastUsedAt < time; actor = actor.newer) {
      if (isIdle(actor)) idle.push(actor)
    }
    return idle
  }

  /** A walk over all. */
  ofPartitions(partitions: ReadonlySet<number>): Array<WalletActor> {
    const found: Array<WalletActor> = []
    for (const actor of this.byId.values()) if (partitions.has(actor.partition)) found.push(actor)
    return found
  }

  private link(actor: WalletActor): void {
    actor.older = this.newest
    actor.newer = undefined
    if (this.newest === undefined) this.oldest = actor
    else this.newest.newer = actor
    this.newest = actor
  }

  private unlink(actor: WalletActor): void {
    if (actor.older === undefined) this.oldest = actor.newer
    else actor.older.newer = actor.newer
    if (actor.newer === undefined) this.newest = actor.older
    else actor.newer.older = actor.older
    actor.older = undefined
    actor.newer = undefined
  }
}

const isIdle = (actor: WalletActor): boolean =>
  actor.mailbox.isParked && actor.mailbox.size === 0 && actor.borrowed === undefined && !actor.owesAnswers
