import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"
import type { ActorBounds } from "../../src/actors/ActorBounds.ts"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { makeSweeper } from "../../src/actors/Sweeper.ts"
import { StoreUnavailable } from "../../src/stores/StoreError.ts"
import { StoreOutages } from "../../src/stores/StoreOutages.ts"

/** Numbered items that are due until they are handled. */
const workload = (count: number, bounds: Partial<ActorBounds> = {}) => {
  const due = new Set(Array.from({ length: count }, (_, index) => index))
  const asked: Array<number> = []
  const looks: Array<number> = []
  const logged: Array<string> = []
  const work = {
    due,
    asked,
    looks,
    logged,
    away: false,
    handle: (_item: number): Effect.Effect<boolean, Error> => Effect.succeed(true),
    sweep: Effect.void
  }
  const { sweep } = makeSweeper<number, Error>(
    { ...defaultBounds, sweepBatch: 3, sweepConcurrency: 2, ...bounds },
    {
      name: "work",
      intervalMillis: 1_000,
      find: (limit) =>
        Effect.suspend(() => {
          looks.push(limit)
          return work.away ? Effect.fail(new Error("away")) : Effect.succeed([...due].slice(0, limit))
        }),
      idOf: String,
      handle: (item) => {
        asked.push(item)
        return Effect.tap(
          Effect.suspend(() => work.handle(item)),
          (done) => Effect.sync(() => done && due.delete(item))
        )
      }
    }
  )
  const capture = Logger.layer([
    Logger.make((options) => void logged.push(`${String(options.message)} ${Cause.pretty(options.cause)}`))
  ])
  work.sweep = Effect.provide(sweep, capture)
  return work
}

describe("a sweep", () => {
  it.effect("goes on while there may be more", () =>
    Effect.gen(function* () {
      const work = workload(10)
      yield* work.sweep
      assert.strictEqual(work.due.size, 0)
      assert.deepStrictEqual(work.looks, [3, 3, 3, 3])
      assert.deepStrictEqual(work.logged, [])
    })
  )

  it.effect("leaves out what fails for a while, and looks further", () =>
    Effect.gen(function* () {
      const work = workload(8)
      work.handle = (item) => (item < 4 ? Effect.fail(new Error(`no ${item}`)) : Effect.succeed(true))
      yield* work.sweep
      assert.deepStrictEqual([...work.due], [0, 1, 2, 3])
      assert.strictEqual(work.asked.length, 8)
      assert.strictEqual(work.logged.length, 1)
      assert.match(work.logged[0]!, /work: 0 cannot be handled[^]*no 0/)
      yield* work.sweep
      assert.strictEqual(work.asked.length, 8, "not asked again so soon")
      yield* TestClock.adjust(defaultBounds.sweepDeferMillis)
      yield* work.sweep
      assert.strictEqual(work.asked.length, 12)
      assert.strictEqual(work.logged.length, 1, "an outage is told once")
      work.handle = () => Effect.succeed(true)
      yield* TestClock.adjust(defaultBounds.sweepDeferMillis)
      yield* work.sweep
      assert.strictEqual(work.due.size, 0)
      assert.deepStrictEqual(work.logged.slice(1), ["work: goes on "])
    })
  )

  it.effect("takes a 'not now' for no failure, and survives a defect", () =>
    Effect.gen(function* () {
      const work = workload(3)
      work.handle = (item) => (item === 0 ? Effect.die(new Error("defect")) : Effect.succeed(item === 1))
      yield* work.sweep
      assert.deepStrictEqual([...work.due], [0, 2])
      assert.strictEqual(work.logged.length, 1)
      work.handle = () => Effect.succeed(true)
      yield* TestClock.adjust("1 minute")
      yield* work.sweep
      assert.strictEqual(work.due.size, 0)
    })
  )

  it.effect("gives up on one that does not answer, for the sake of the others", () =>
    Effect.gen(function* () {
      const work = workload(6, { sweepConcurrency: 1 })
      work.handle = (item) => (item === 0 ? Effect.never : Effect.succeed(true))
      const sweeping = yield* Effect.forkChild(work.sweep)
      yield* TestClock.adjust(defaultBounds.sweepHandleMillis)
      yield* Fiber.join(sweeping)
      assert.deepStrictEqual([...work.due], [0])
    })
  )

  it.effect("remembers only so many: the rest comes back with every look", () =>
    Effect.gen(function* () {
      const work = workload(9, { sweepDeferred: 4 })
      work.handle = () => Effect.succeed(false)
      yield* work.sweep
      assert.isTrue(Math.max(...work.looks) <= 3 + 4)
      assert.strictEqual(work.due.size, 9)
    })
  )

  it.effect("never fails when it cannot look, and tells it once", () =>
    Effect.gen(function* () {
      const work = workload(1)
      work.away = true
      yield* work.sweep
      yield* work.sweep
      assert.strictEqual(work.logged.length, 1)
      assert.match(work.logged[0]!, /work: what is due cannot be found[^]*away/)
      work.away = false
      yield* work.sweep
      assert.strictEqual(work.due.size, 0)
      assert.deepStrictEqual(work.logged.slice(1), ["work: goes on "])
    })
  )

  it.effect("that another node goes on with leaves no outage behind: the next one is told again", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
      yield* Effect.gen(function* () {
        const outages = yield* StoreOutages
        const away = new StoreUnavailable({ store: "persistence", reason: "away", retryAfter: 1 })
        const sweeper = (name: string) =>
          makeSweeper<number, StoreUnavailable>(defaultBounds, {
            name,
            outages,
            intervalMillis: 1_000,
            find: () => Effect.fail(away),
            idOf: String,
            handle: () => Effect.succeed(true)
          })
        const outage = outages.of("persistence")
        const running = yield* Effect.forkChild(sweeper("holds").run)
        yield* TestClock.adjust(1)
        yield* outage.failed("keys", "away")
        yield* Fiber.interrupt(running)
        assert.isTrue(outage.isOn, "of the others it still is one")
        yield* outage.answered("keys")
        assert.isFalse(outage.isOn)
        const alone = yield* Effect.forkChild(sweeper("transfers").run)
        yield* TestClock.adjust(1)
        yield* Fiber.interrupt(alone)
        assert.isFalse(outage.isOn)
        yield* outage.failed("keys", "away again")
        yield* outage.answered("keys")
      }).pipe(Effect.provide(Layer.mergeAll(StoreOutages.layer({ persistence: "it" }), Logger.layer([logger]))))
      assert.deepStrictEqual(lines, [
        "Warn it: away; told again when it is back",
        "Info it is back, after 1 ms and 2 failed tries",
        "Warn it: away; told again when it is back",
        "Warn it: away again; told again when it is back",
        "Info it is back, after 0 ms and 1 failed try"
      ])
    })
  )

  it.effect("that waits in vain while a store is away says nothing of its own, and says it when none is", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
      yield* Effect.gen(function* () {
        const outages = yield* StoreOutages
        const { sweep } = makeSweeper<number, StoreUnavailable>(defaultBounds, {
          name: "holds",
          outages,
          intervalMillis: 1_000,
          find: () => Effect.succeed([1]),
          idOf: String,
          handle: () => Effect.never
        })
        const swept = Effect.gen(function* () {
          const sweeping = yield* Effect.forkChild(sweep)
          yield* TestClock.adjust(defaultBounds.sweepHandleMillis)
          yield* Fiber.join(sweeping)
          yield* TestClock.adjust(defaultBounds.sweepDeferMillis)
        })
        yield* outages.of("log").failed("appends", "away")
        yield* swept
        assert.deepStrictEqual(lines, ["Warn the log store: away; told again when it is back"])
        yield* outages.of("log").answered("appends")
        yield* swept
        assert.strictEqual(lines[2], "Warn holds: 1 cannot be handled; tried again until it works")
      }).pipe(Effect.provide(Layer.mergeAll(StoreOutages.layer({}), Logger.layer([logger]))))
    })
  )
})
