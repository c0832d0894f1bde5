/** A clock that steps, or stands beside the store's, is not believed, until it and the store's agree again. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as TestClock from "effect/testing/TestClock"
import * as EngineMetrics from "../../src/actors/EngineMetrics.ts"
import { SoundClock } from "../../src/actors/SoundClock.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import { StoreUnavailable } from "../../src/stores/StoreError.ts"
import { type MachineClock, machineClock } from "../support/clocks.ts"

const bounds = { clockSkewMillis: 5_000, clockLookMillis: 5_000 }
const hour = 3_600_000
const start = 1_800_000_000_000
const away = new StoreUnavailable({ store: "persistence", reason: "scripted", retryAfter: 1 })

interface Rig {
  readonly machine: MachineClock
  readonly sound: SoundClock["Service"]
  /** The true time, ms. */
  readonly truth: () => number
  readonly store: { away: boolean; ahead: number; looks: number }
  readonly logged: Array<string>
}

/** A machine whose clock is `ahead`, beside a store that has the true time. */
const rig = (
  run: (rig: Rig) => Effect.Effect<void>,
  { ahead = 0, isAway = false }: { readonly ahead?: number; readonly isAway?: boolean } = {}
) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(start)
    const clock = yield* Clock.Clock
    const machine = machineClock(clock, ahead)
    const store = { away: isAway, ahead: 0, looks: 0 }
    const now = Effect.suspend(() => {
      store.looks++
      return store.away ? Effect.fail(away) : Effect.succeed(clock.currentTimeMillisUnsafe() + store.ahead)
    })
    const logged: Array<string> = []
    const logger = Logger.layer([
      Logger.make(({ logLevel, message }) => void logged.push(`${logLevel} ${String(message)}`))
    ])
    const layer = SoundClock.layer(bounds).pipe(
      Layer.provide(Layer.mock(Persistence, { now })),
      Layer.provide(Layer.succeed(Clock.Clock, machine)),
      Layer.provide(logger)
    )
    yield* Effect.scoped(
      Effect.gen(function* () {
        const sound = yield* SoundClock
        yield* run({ machine, sound, truth: () => clock.currentTimeMillisUnsafe(), store, logged })
      }).pipe(Effect.provide(layer))
    )
  }).pipe(Effect.provide(Layer.succeed(Metric.MetricRegistry, new Map())))

const counted = Effect.map(Metric.value(EngineMetrics.clockUnsound), ({ count }) => count)

describe("a clock", () => {
  it.effect("that is a little beside the store's and steps a little further is not believed", () =>
    rig(
      ({ machine, sound, truth }) =>
        Effect.gen(function* () {
          assert.strictEqual(sound.now(), truth() - 3_500)
          machine.ahead = -6_900
          yield* TestClock.adjust(1)
          assert.isAtLeast(sound.now(), truth() - 5_000)
          assert.isDefined(sound.doubt())
        }),
      { ahead: -3_500 }
    )
  )

  it.effect("is read as it is while it goes as the monotonic one and the store's do", () =>
    rig(({ logged, machine, sound, truth }) =>
      Effect.gen(function* () {
        for (const millis of [0, 1, 999, 60_000, 25 * hour]) {
          yield* TestClock.adjust(millis)
          assert.deepStrictEqual([sound.now(), sound.doubt()], [truth(), undefined])
        }
        machine.ahead = 4_000
        assert.deepStrictEqual([sound.now(), sound.doubt()], [truth() + 4_000, undefined])
        assert.deepStrictEqual(logged, [])
        assert.strictEqual(yield* counted, 0)
      })
    )
  )

  for (const [what, step] of [
    ["ahead", 25 * hour],
    ["back", -25 * hour],
    ["just too far", 5_001]
  ] as const) {
    it.effect(`that steps ${what} is noticed by the next reading, and time goes on without it`, () =>
      rig(({ logged, machine, sound, truth }) =>
        Effect.gen(function* () {
          yield* TestClock.adjust("1 minute")
          machine.ahead = step
          assert.closeTo(sound.now(), truth(), 1)
          assert.include(sound.doubt() ?? "", "stepped")
          yield* TestClock.adjust("1 hour")
          assert.closeTo(sound.now(), truth(), 1)
          assert.include(sound.doubt() ?? "", step > 0 ? "ahead of the store's clock" : "behind the store's clock")
          assert.lengthOf(logged, 1)
          assert.include(logged[0], "Warn this node's clock is not sound")
          assert.strictEqual(yield* counted, 1)
          machine.ahead = 0
          yield* TestClock.adjust("5 seconds")
          assert.deepStrictEqual([sound.now(), sound.doubt()], [truth(), undefined])
          assert.lengthOf(logged, 2)
        })
      )
    )
  }

  it.effect("that steps while the store is away goes on by the monotonic one", () =>
    rig(({ machine, sound, store, truth }) =>
      Effect.gen(function* () {
        store.away = true
        machine.ahead = hour
        yield* TestClock.adjust("10 minutes")
        assert.closeTo(sound.now(), truth(), 1)
        assert.isDefined(sound.doubt())
        // The step alone undone is not enough: the store has to say so.
        machine.ahead = 0
        yield* TestClock.adjust("10 seconds")
        assert.isDefined(sound.doubt())
        store.away = false
        yield* TestClock.adjust("5 seconds")
        assert.isUndefined(sound.doubt())
      })
    )
  )

  it.effect("that stands beside the store's at the start is not believed", () =>
    rig(
      ({ logged, sound, truth }) =>
        Effect.gen(function* () {
          assert.closeTo(sound.now(), truth(), 1)
          assert.strictEqual(sound.doubt(), `it is ${hour} ms ahead of the store's clock`)
          assert.lengthOf(logged, 1)
          yield* TestClock.adjust("1 day")
          assert.closeTo(sound.now(), truth(), 1)
          assert.lengthOf(logged, 1, "once is enough")
        }),
      { ahead: hour }
    )
  )

  it.effect("that cannot be compared at the start is in doubt until it can", () =>
    rig(
      ({ sound, store, truth }) =>
        Effect.gen(function* () {
          assert.isDefined(sound.doubt())
          assert.closeTo(sound.now(), truth(), 1)
          store.away = false
          yield* TestClock.adjust("5 seconds")
          assert.deepStrictEqual([sound.now(), sound.doubt()], [truth(), undefined])
        }),
      { isAway: true }
    )
  )

  it.effect("that runs away slowly is noticed by the comparison", () =>
    rig(({ machine, sound, truth }) =>
      Effect.gen(function* () {
        for (let minute = 0; minute < 200; minute++) {
          machine.ahead += 40
          yield* TestClock.adjust("1 minute")
          assert.isAtMost(Math.abs(sound.now() - truth()), 5_000)
        }
        assert.include(sound.doubt() ?? "", "ahead of the store's clock")
      })
    )
  )

  it.effect("of a machine that slept is taken after one look at the store's", () =>
    rig(({ logged, machine, sound, store, truth }) =>
      Effect.gen(function* () {
        yield* TestClock.adjust("1 minute")
        // The wall clock and the store's have gone on, the monotonic one has stood still.
        machine.ahead = 8 * hour
        store.ahead = 8 * hour
        store.looks = 0
        assert.closeTo(sound.now(), truth(), 1)
        assert.include(sound.doubt() ?? "", "stepped")
        yield* TestClock.adjust(0)
        assert.deepStrictEqual([sound.now(), sound.doubt()], [truth() + 8 * hour, undefined])
        assert.strictEqual(store.looks, 1)
        assert.deepStrictEqual(logged, [
          `Info this node's clock: it has stepped by ${8 * hour} ms; the store's clock agrees, and it is taken`
        ])
      })
    )
  )

  it.effect("beside a store whose clock is wrong is in doubt: nobody knows which of them it is", () =>
    rig(({ sound, store }) =>
      Effect.gen(function* () {
        store.ahead = hour
        yield* TestClock.adjust("5 seconds")
        assert.include(sound.doubt() ?? "", "behind the store's clock")
      })
    )
  )
})
