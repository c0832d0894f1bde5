/**
 * Those who wait until search shows what they have done, as rounds: all who wait are one. A round
 * reads the log's head once, waits until the index is there, and has it refreshed once.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Metric from "effect/Metric"
import * as SearchMetrics from "./SearchMetrics.ts"

export interface RoundSteps {
  /** The log's head. */
  readonly head: Effect.Effect<bigint>
  /** Completes when all events up to the position have been written. */
  readonly reached: (position: bigint) => Effect.Effect<void>
  /** Whether events of the wallet, of those that it has passed, are not written for all that. */
  readonly isBehind: (walletId: string) => boolean
  readonly refresh: Effect.Effect<void>
  /** Of each of the wallets of which the index has refused anything, the latest version that that was as of. */
  readonly refused: (walletIds: ReadonlyArray<string>) => Effect.Effect<ReadonlyMap<string, number>>
  /** Between two rounds, ms. */
  readonly pauseMillis: number
}

interface Waiter {
  readonly walletIds: ReadonlyArray<string>
  readonly since: number
  readonly shown: Deferred.Deferred<boolean>
}

export class SearchRounds {
  readonly #steps: RoundSteps
  #waiters = new Set<Waiter>()
  /** Open: somebody waits. */
  readonly #asked = Latch.makeUnsafe(false)

  constructor(steps: RoundSteps) {
    this.#steps = steps
  }

  /**
   * Completes with a round that began after this; `false`: the index has refused what these wallets have had as of the
   * version `since` or a later one. Whoever gives up is not waited for.
   */
  shows(walletIds: ReadonlyArray<string>, since: number): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const waiter: Waiter = { walletIds, since, shown: Deferred.makeUnsafe() }
      this.#waiters.add(waiter)
      this.#asked.openUnsafe()
      const leave = Effect.sync(() => {
        this.#waiters.delete(waiter)
      })
      return Effect.ensuring(Deferred.await(waiter.shown), leave)
    })
  }

  /** Round after round, for ever. */
  get run(): Effect.Effect<never> {
    return Effect.forever(
      Effect.andThen(this.#asked.await, Effect.andThen(this.#safeRound, Effect.sleep(this.#steps.pauseMillis)))
    )
  }

  /** What a store throws ends a round, and not those to come. */
  get #safeRound(): Effect.Effect<void> {
    return Effect.catchDefect(this.#round, (defect) =>
      Effect.andThen(this.#asked.open, Effect.logError("those who wait for search could not be told", defect))
    )
  }

  readonly #round = Effect.gen({ self: this }, function* () {
    const { head, isBehind, reached, refresh, refused } = this.#steps
    this.#asked.closeUnsafe()
    const waiters = [...this.#waiters]
    if (waiters.length === 0) return
    yield* reached(yield* head)
    const ready = waiters.filter(({ walletIds }) => !walletIds.some(isBehind))
    if (ready.length < waiters.length) this.#asked.openUnsafe()
    if (ready.length === 0) return
    yield* refresh
    yield* Metric.update(SearchMetrics.refreshes, 1)
    const versions = yield* refused([...new Set(ready.flatMap(({ walletIds }) => walletIds))])
    for (const { shown, since, walletIds } of ready) {
      const isRefused = walletIds.some((walletId) => (versions.get(walletId) ?? -1) >= since)
      Deferred.doneUnsafe(shown, Effect.succeed(!isRefused))
    }
  })
}
