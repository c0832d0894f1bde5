/**
 * A log with a Persistence behind it, as one: every append is written at once. So
 * the suites for adapters that are written with the log serve those that are not.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import assert from "node:assert/strict"
import { EventStore } from "../../stores/EventStore.ts"
import { Persistence } from "../../stores/Persistence.ts"

/** A log that writes Persistence itself is left as it is. */
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
