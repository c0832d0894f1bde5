/** Whether an event that has no rows may be on its way: the log, as far as no checkpoint says that it is persisted. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { RecordedEvent } from "../../src/domain/Event.ts"
import { mayBeLate } from "../../src/pipeline/LateEvents.ts"
import { event, record } from "../domain/Examples.ts"

/** A log of so many events, at positions 10, 20, …; and what was read of it. */
const logOf = (count: number) => {
  const reads: Array<bigint> = []
  const events = Array.from({ length: count }, (_, n) => ({
    position: BigInt(n + 1) * 10n,
    recorded: { ...record(n, event("WalletCredited")), id: `event-${n}` }
  }))
  return {
    reads,
    log: {
      head: Effect.succeed({ position: BigInt(count) * 10n, lastEventId: undefined, logId: "log" }),
      readAll: ({ after, limit }: { readonly after: bigint; readonly limit: number }) =>
        Effect.sync(() => {
          reads.push(after)
          return events.slice(Number(after / 10n), Number(after / 10n) + limit)
        })
    }
  }
}

const checkpointsAt = (...positions: ReadonlyArray<bigint>) => ({
  checkpoints: Effect.succeed(positions.map((position, index) => ({ owner: `node-${index}`, position })))
})

const isEvent =
  (number: number) =>
  ({ id }: RecordedEvent): boolean =>
    id === `event-${number}`

describe("an event without rows", () => {
  it.effect("is late where it is above the lowest checkpoint, and of nothing below it or nowhere", () =>
    Effect.gen(function* () {
      const { log } = logOf(2_500)
      const persistence = checkpointsAt(25_000n, 5_000n, 24_000n)
      const late = yield* Effect.forEach([499, 500, 1_499, 1_500, 2_499, 2_500], (number) =>
        mayBeLate({ log, persistence }, isEvent(number))
      )
      assert.deepStrictEqual(late, [false, true, true, true, true, false])
    })
  )

  it.effect("costs no read of the log where all checkpoints are at its head", () =>
    Effect.gen(function* () {
      const { log, reads } = logOf(100)
      assert.isFalse(yield* mayBeLate({ log, persistence: checkpointsAt(1_000n, 1_000n) }, isEvent(5)))
      assert.deepStrictEqual(reads, [])
    })
  )

  it.effect("may be late where more is late than is looked through", () =>
    Effect.gen(function* () {
      const { log, reads } = logOf(30_000)
      assert.isTrue(yield* mayBeLate({ log, persistence: checkpointsAt(0n) }, isEvent(29_999)))
      assert.strictEqual(reads.length, 20)
      // What fits is looked through to its end.
      assert.isFalse(yield* mayBeLate({ log, persistence: checkpointsAt(100_000n) }, isEvent(5)))
    })
  )
})
