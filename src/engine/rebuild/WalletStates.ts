/**
 * Folds the log's events of all wallets into commits. The states of the wallets met
 * last are kept; one that is not starts from its nearest snapshot.
 */
import * as Effect from "effect/Effect"
import type { RecordedEvent } from "../../domain/Event.ts"
import { fold } from "../../domain/Evolve.ts"
import type { Wallet } from "../../domain/Wallet.ts"
import type { PositionedEvent } from "../../stores/EventStore.ts"
import { type EventUnreadable, type ReadError, StoreDefect } from "../../stores/StoreError.ts"
import { commitOf, type ReplayCommit, type ReplayStores, stateAt } from "./RebuildWriter.ts"

/** States that are not in memory are loaded so many at a time. */
const concurrentLoads = 16

/** A page's events by wallet, each in order; wallets in the order of first sight. */
export const eventsByWallet = (page: ReadonlyArray<PositionedEvent>): Map<string, Array<RecordedEvent>> => {
  const streams = new Map<string, Array<RecordedEvent>>()
  for (const { recorded } of page) {
    const events = streams.get(recorded.walletId)
    if (events === undefined) streams.set(recorded.walletId, [recorded])
    else events.push(recorded)
  }
  return streams
}

export class ReplayStates {
  /** In the order of their last use. */
  private readonly states = new Map<string, Wallet>()
  private readonly bound: number

  /** `bound`: wallets, about 1 kB each. */
  constructor(bound: number) {
    this.bound = bound
  }

  get size(): number {
    return this.states.size
  }

  private take(walletId: string): Wallet | undefined {
    const state = this.states.get(walletId)
    if (state !== undefined) this.states.delete(walletId)
    return state
  }

  keep(state: Wallet): void {
    this.states.delete(state.id)
    this.states.set(state.id, state)
    if (this.states.size <= this.bound) return
    for (const oldest of this.states.keys()) {
      this.states.delete(oldest)
      return
    }
  }

  /** The wallets' commits, in the same order. What a state has been taken past already is left out. */
  commits(
    stores: ReplayStores,
    streams: ReadonlyMap<string, ReadonlyArray<RecordedEvent>>
  ): Effect.Effect<ReadonlyArray<ReplayCommit>, ReadError | EventUnreadable> {
    return Effect.suspend(() => {
      const befores = new Map<string, Wallet>()
      const missing: Array<RecordedEvent> = []
      for (const [walletId, [first]] of streams) {
        const state = this.take(walletId)
        if (state !== undefined && state.version >= first!.version - 1) befores.set(walletId, state)
        else if (first!.version > 0) missing.push(first!)
      }
      const load = ({ version, walletId }: RecordedEvent) =>
        Effect.map(stateAt(stores, walletId, version - 1), (state) => {
          if (state !== undefined) befores.set(walletId, state)
        })
      const fill =
        missing.length === 0
          ? Effect.void
          : Effect.forEach(missing, load, { concurrency: concurrentLoads, discard: true })
      return Effect.flatMap(fill, () => this.foldAll(streams, befores))
    })
  }

  private foldAll(
    streams: ReadonlyMap<string, ReadonlyArray<RecordedEvent>>,
    befores: ReadonlyMap<string, Wallet>
  ): Effect.Effect<ReadonlyArray<ReplayCommit>, StoreDefect> {
    const commits: Array<ReplayCommit> = []
    for (const [walletId, stream] of streams) {
      const before = befores.get(walletId)
      const next = (before?.version ?? -1) + 1
      const events = stream[0]!.version === next ? stream : stream.filter(({ version }) => version >= next)
      if (events.length === 0) {
        this.keep(before!)
        continue
      }
      const gap = events.find(({ version }, index) => version !== next + index)
      if (gap !== undefined) {
        const reason = `event ${gap.version} of wallet ${walletId} does not follow the one before it`
        return Effect.fail(new StoreDefect({ store: "log", reason }))
      }
      const state = fold(before, events)!
      this.keep(state)
      commits.push(commitOf(before, state, events))
    }
    return Effect.succeed(commits)
  }
}
