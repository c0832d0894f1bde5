/**
 * Which wallets are in memory: the bytes that they take are bounded, the least recently used go first;
 * the idle are passivated; those of a lost partition leave as soon as nothing of theirs is
 * on its way. A wallet that leaves may leave a snapshot behind.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { ResidentList } from "./ResidentList.ts"
import type { ActorContext, WalletActor } from "./WalletActor.ts"
import { isIsolated, snapshot } from "./WalletActor.ts"

/** Wallets above the budget that one sweep passivates: each takes some 10 µs. */
const evictionsPerSweep = 1_000

/** … and that make room for one that is new or has grown: more than one, so that what is above the budget comes down. */
const evictionsPerArrival = 2

/** Nothing of its own is decided and not in the log yet. */
const isFree = (actor: WalletActor, isAtWork: boolean): boolean =>
  isAtWork ? actor.inLine && actor.borrowed === undefined : actor.mailbox.isParked

/** How long a wallet stays for callers that wait for Persistence, ms; then they are told what is true by then. */
const lingerMillis = 1_000

export class Residency {
  private readonly context: ActorContext
  private readonly residents = new ResidentList()
  /** That all of them take, by the last count of each. */
  private counted = 0
  private readonly atWork = new Set<WalletActor>()
  /** Wallets of lost partitions that are still in memory. */
  private readonly draining = new DrainingWallets()
  private isStopping = false
  /** Opens during a stop, when no wallet is at work. */
  private readonly rested = Latch.makeUnsafe()

  constructor(context: ActorContext) {
    this.context = context
  }

  get size(): number {
    return this.residents.size
  }

  /** Memory that they take, about. */
  get bytes(): number {
    return this.counted
  }

  /** With commands in hand or in their mailbox. */
  get busy(): ReadonlySet<WalletActor> {
    return this.atWork
  }

  get(walletId: string): WalletActor | undefined {
    return this.residents.get(walletId)
  }

  isAtWork(walletId: string): boolean {
    const actor = this.residents.get(walletId)
    return actor !== undefined && this.atWork.has(actor)
  }

  /** A new wallet, at work from the start. */
  enter(actor: WalletActor, now: number): void {
    actor.lastUsedAt = now
    this.residents.add(actor)
    this.atWork.add(actor)
    this.count(actor)
    this.evict(evictionsPerArrival, actor)
  }

  /** The wallet takes more or less memory than before. Others may have to make room for it. */
  resized(actor: WalletActor): void {
    if (actor.stopped) return
    this.count(actor)
    this.evict(evictionsPerArrival, actor)
  }

  /** The wallet is used, by a caller. */
  touch(actor: WalletActor, now: number): void {
    this.residents.touch(actor, now)
  }

  /** The wallet is about to be given work. */
  work(actor: WalletActor): void {
    this.atWork.add(actor)
  }

  /** `undefined`: it is not in memory, or busy, or has to leave, or is no wallet of this node's. */
  borrow(walletId: string): WalletActor | undefined {
    const actor = this.residents.get(walletId)
    if (actor === undefined || this.isStopping || !isFree(actor, this.atWork.has(actor))) return undefined
    if (!actor.loaded || actor.wallet === undefined || this.draining.has(actor)) return undefined
    const { bounds, clock, ownership } = this.context
    if (ownership.epochOf(actor.partition) === undefined) return undefined
    // What a rule refuses at it must not cost those who travel with the borrower.
    if (isIsolated(actor, clock.currentTimeMillisUnsafe(), bounds)) return undefined
    this.atWork.add(actor)
    actor.borrowed = Latch.makeUnsafe()
    return actor
  }

  giveBack(actor: WalletActor): void {
    const { borrowed, mailbox } = actor
    actor.borrowed = undefined
    // Its fiber has seen that something has come, and waits to look at it.
    if (actor.stopped || !mailbox.isParked) borrowed?.openUnsafe()
    else this.rest(actor)
  }

  /** The wallet has nothing to do now. It leaves if it has to, or was never one. */
  rest(actor: WalletActor): void {
    this.atWork.delete(actor)
    const isLost = this.draining.has(actor)
    const isEmpty = !actor.loaded || actor.wallet === undefined
    // Whoever is told now may ask again at once.
    if (isLost || isEmpty || this.isStopping) actor.replyToLast()
    // Those who wait for Persistence are told through it.
    if (actor.pending === undefined && actor.mailbox.size === 0) {
      if (isLost) this.passivate(actor)
      else if (isEmpty) this.dismiss(actor)
    }
    this.openIfRested()
  }

  /** Its fiber has come to its end: nothing may find it any more. */
  remove(actor: WalletActor): void {
    this.forget(actor)
    this.atWork.delete(actor)
    actor.stopped = true
  }

  /** … and everybody who waited there has been told. */
  removed(actor: WalletActor): void {
    this.draining.ended(actor)
    this.openIfRested()
  }

  /** Partitions that are no longer this node's: their wallets leave. Completes when all are told to. */
  readonly lose = Effect.fnUntraced({ self: this }, function* (this: Residency, partitions: ReadonlySet<number>) {
    const lost = this.residents.ofPartitions(partitions)
    const now = this.context.clock.currentTimeMillisUnsafe()
    for (const actor of lost) this.draining.begin(actor, now)
    for (let i = 0; i < lost.length; i++) {
      lost[i]!.unpark()
      this.leaveIfDone(lost[i]!, now)
      if (i % evictionsPerSweep === evictionsPerSweep - 1) yield* Effect.yieldNow
    }
  })

  isLeaving(partition: number): boolean {
    return this.draining.hasSome(partition)
  }

  /** Completes when all wallets of lost partitions have left. */
  get left(): Effect.Effect<void> {
    return this.draining.over
  }

  /** Persistence has told something of the wallet: that may have been all that it stayed for. */
  leaveIfDone(actor: WalletActor, now: number): void {
    if (this.draining.isDone(actor, now, this.atWork.has(actor))) this.passivate(actor)
  }

  sweep(now: number): void {
    for (const actor of this.draining.all()) this.leaveIfDone(actor, now)
    for (const actor of this.residents.idleSince(now - this.context.bounds.idleMillis)) this.passivate(actor)
    this.evict(evictionsPerSweep)
  }

  /** Completes when no wallet is at work; no new work may come any more. */
  get stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isStopping = true
      this.openIfRested()
      return this.rested.await
    })
  }

  /** At the end: all that are idle. */
  passivateIdle(): void {
    for (const actor of this.residents.idleSince(Number.POSITIVE_INFINITY)) this.passivate(actor)
  }

  private openIfRested(): void {
    if (this.isStopping && this.atWork.size === 0) this.rested.openUnsafe()
  }

  private count(actor: WalletActor): void {
    const { bytes } = actor
    this.counted += bytes - actor.countedBytes
    actor.countedBytes = bytes
  }

  private forget(actor: WalletActor): void {
    this.residents.remove(actor)
    this.counted -= actor.countedBytes
    actor.countedBytes = 0
  }

  /** Makes room while they take too much, at most `limit` wallets at a time. One may stay, however large. */
  private evict(limit: number, except?: WalletActor): void {
    const { residentBytes } = this.context.bounds
    for (let n = 0; n < limit && this.counted > residentBytes && this.residents.size > 1; n++) {
      const victim = this.residents.oldestIdle(except)
      if (victim === undefined) return
      this.passivate(victim)
    }
  }

  private passivate(actor: WalletActor): void {
    const { bounds, pipeline, segments } = this.context
    const { loaded, wallet } = actor
    if (loaded && wallet !== undefined && wallet.version - actor.snapshotVersion >= bounds.snapshotMinimumEvents) {
      snapshot(actor, this.context)
    }
    if (loaded && pipeline.separate) segments.storeAll(actor.walletId, actor.keys!)
    this.dismiss(actor)
  }

  /** Out of memory; its fiber ends. */
  private dismiss(actor: WalletActor): void {
    this.forget(actor)
    actor.stopped = true
    actor.mailbox.signal()
  }
}

/**
 * Wallets that have to leave memory because their partition is lost, until they have:
 * each first ends what it has on its way to the log, and stays a moment longer for
 * callers that wait for Persistence.
 */
class DrainingWallets {
  /** When each one's partition was lost, ms. */
  private readonly leaving = new Map<WalletActor, number>()
  /** How many there are of each partition. */
  private readonly counts = new Map<number, number>()
  /** Closed while there are any. */
  private readonly none = Latch.makeUnsafe(true)

  begin(actor: WalletActor, now: number): void {
    if (this.leaving.has(actor)) return
    this.leaving.set(actor, now)
    this.none.closeUnsafe()
    this.counts.set(actor.partition, (this.counts.get(actor.partition) ?? 0) + 1)
  }

  has(actor: WalletActor): boolean {
    return this.leaving.has(actor)
  }

  hasSome(partition: number): boolean {
    return this.counts.has(partition)
  }

  all(): Iterable<WalletActor> {
    return this.leaving.keys()
  }

  /** Whether it has to leave and nobody is to be told anything here any more. `busy`: it is at work. */
  isDone(actor: WalletActor, now: number, busy: boolean): boolean {
    const since = this.leaving.get(actor)
    if (since === undefined || busy || !actor.mailbox.isParked) return false
    return !actor.owesAnswers || now - since >= lingerMillis
  }

  ended(actor: WalletActor): void {
    if (!this.leaving.delete(actor)) return
    const left = this.counts.get(actor.partition)! - 1
    if (left > 0) this.counts.set(actor.partition, left)
    else this.counts.delete(actor.partition)
    if (this.leaving.size === 0) this.none.openUnsafe()
  }

  /** Completes when none is left. */
  readonly over: Effect.Effect<void> = this.none.await
}
