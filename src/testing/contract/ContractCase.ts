/**
 * What every adapter of a port must do, as cases that any test runner can run:
 *
 * ```ts
 * for (const { name, run } of appendContract) it.effect(name, () => Effect.provide(run, yourLayer))
 * ```
 *
 * A case passes when its effect succeeds; it fails with an `AssertionError` as its
 * defect. Cases make up their own ids, so they can share one store, also one with
 * other data in it, and run at the same time.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import assert from "node:assert/strict"
import { EventStore } from "../../stores/EventStore.ts"
import { Persistence } from "../../stores/Persistence.ts"

export interface ContractCase<R> {
  /** A behaviour: `"refuses …"`, `"answers …"`. */
  readonly name: string
  readonly run: Effect.Effect<void, unknown, R>
}

export const contractCase = <R>(name: string, run: Effect.Effect<void, unknown, R>): ContractCase<R> => ({ name, run })

/**
 * A log with a Persistence behind it, as one: every append is written at once. So the
 * suites for adapters that are written with the log serve those that are not. A log that
 * writes Persistence itself is left as it is.
 */
export const writtenThrough: Layer.Layer<EventStore, never, EventStore | Persistence> = Layer.effect(
  EventStore,
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    if (log.writesPersistence) return log
    return EventStore.of({
      ...log,
      append: Effect.fnUntraced(function* (commits) {
        const outcomes = yield* log.append(commits)
        const appended = commits.filter((_, index) => outcomes[index]!._tag === "Appended")
        const written = yield* Effect.orDie(persistence.write(appended))
        for (const outcome of written) assert.equal(outcome._tag, "Written")
        return outcomes
      })
    })
  })
)
