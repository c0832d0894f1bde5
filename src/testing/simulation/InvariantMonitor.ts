/**
 * Watches the stores while a run goes on, and knows the laws that are about moments: an
 * event is appended under the claim that stands, a claim is never given twice, a checkpoint
 * never runs ahead of what is persisted.
 */
import type { Claim } from "../../stores/EventStore.ts"
import type { MemoryState } from "../../stores/memory/MemoryDatabase.ts"
import { partitionOf } from "../../domain/Partition.ts"
import type { History, Supersession } from "./History.ts"
import { partitions } from "./FaultPlan.ts"

/** Who a foreign writer says that it is. */
export const foreigner = "foreign"

/** The checkpoint of a recovery that is under way is nobody's own. */
const recovery = "recovery"

export class InvariantMonitor {
  private readonly state: MemoryState
  private readonly history: History
  /** Partition → epoch of the last claim. */
  private readonly epochs = new Map<number, number>()
  /** Epoch of a partition → who claimed it. */
  private readonly owners = new Map<string, string>()
  /** Owner → its replacement. */
  private readonly superseded = new Map<string, Supersession>()
  /** Wallet → how many of its events have been looked at. */
  private readonly seenPersisted = new Map<string, number>()
  /** Wallet → versions of events that have ever had rows. */
  private readonly everPersisted = new Map<string, Set<number>>()
  private currentOwner: string | undefined = undefined

  constructor(state: MemoryState, history: History) {
    this.state = state
    this.history = history
  }

  claimed(owner: string, claims: ReadonlyArray<Claim>): void {
    for (const { epoch, partition } of claims) {
      const before = this.epochs.get(partition) ?? 0
      if (epoch !== before + 1)
        this.history.violated(`claim ${epoch} of partition ${partition} follows claim ${before}`)
      this.epochs.set(partition, epoch)
      this.owners.set(`${partition} ${epoch}`, owner)
    }
    if (this.currentOwner !== undefined && this.currentOwner !== owner) {
      this.superseded.set(this.currentOwner, { from: this.state.log.length, told: new Map(this.history.told) })
    }
    this.currentOwner = owner
  }

  /** How the owner was replaced; `undefined`: its claim stands. */
  supersession(owner: string | undefined): Supersession | undefined {
    return owner === undefined ? undefined : this.superseded.get(owner)
  }

  /** Looks at what has been appended since the last look. */
  appended(now: number): void {
    const { history, state } = this
    for (let index = history.landedAt.length; index < state.log.length; index++) {
      const { recorded } = state.log[index]!
      history.landedAt.push(now)
      const partition = partitionOf(recorded.walletId, partitions)
      const epoch = this.epochs.get(partition)
      if (recorded.metadata.epoch !== epoch) {
        history.violated(
          `event ${recorded.version} of ${recorded.walletId} was appended under claim ${recorded.metadata.epoch}, ` +
            `while claim ${epoch} stands`
        )
      }
    }
  }

  /** Looks at which events have got their rows since the last look: all of these may be told as persisted. */
  persisted(): void {
    const { refusals, persisted } = this.state
    for (const [walletId, ids] of persisted) {
      const seen = this.seenPersisted.get(walletId) ?? 0
      if (ids.length === seen) continue
      const refused = new Set(refusals.get(walletId)?.map(({ version }) => version))
      const ever = this.everPersisted.get(walletId) ?? new Set<number>()
      for (let version = seen; version < ids.length; version++) if (!refused.has(version)) ever.add(version)
      this.everPersisted.set(walletId, ever)
      this.seenPersisted.set(walletId, ids.length)
    }
  }

  /** Persistence was erased or put back to an earlier copy. */
  rowsLost(): void {
    this.seenPersisted.clear()
    this.persisted()
  }

  /** Whether that event has ever had its rows. */
  wasPersisted(walletId: string, version: number): boolean {
    return this.everPersisted.get(walletId)?.has(version) === true
  }

  /** Whether each owner's events up to its checkpoint are persisted. */
  checkpointsMoved(): void {
    const { history, state } = this
    for (const [owner, position] of state.checkpoints) {
      if (owner === recovery) continue
      for (let index = 0; index < state.log.length && index < Number(position); index++) {
        const { metadata, version, walletId } = state.log[index]!.recorded
        const partition = partitionOf(walletId, partitions)
        if (metadata.actor === foreigner || this.owners.get(`${partition} ${metadata.epoch}`) !== owner) continue
        if ((state.persisted.get(walletId)?.length ?? 0) > version) continue
        history.violated(
          `the checkpoint of ${owner.slice(-6)} is at ${position}, but its event ${version} of ${walletId} at position ` +
            `${index + 1} is not persisted`
        )
        return
      }
    }
  }
}
