import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { type LoadOptions, runLoad } from "../../src/load/Load.ts"
import { loadLines } from "../../src/load/LoadReport.ts"
import { accepted, LoadTarget } from "../../src/load/LoadTarget.ts"
import { loadOptions, noMix, phase } from "./LoadOptionsOf.ts"

/** A service in virtual time: each command takes as long as `delayOf` says, milliseconds, from when it arrives. */
const serviceOf = (delayOf: (index: number, now: number) => number) => {
  let index = 0
  const service = { most: 0, current: 0 }
  const answer = Effect.gen(function* () {
    service.most = Math.max(service.most, ++service.current)
    const now = yield* Clock.currentTimeMillis
    yield* Effect.sleep(delayOf(index++, now))
    return accepted("indexed", "made")
  }).pipe(Effect.ensuring(Effect.sync(() => service.current--)))
  const target = LoadTarget.of({
    send: (_, { _tag }, key) =>
      key.startsWith("open-") || _tag === "Create" ? Effect.succeed(accepted("indexed", "made")) : answer,
    sendBatch: (_, commands) => Effect.map(answer, (reply) => Array.from({ length: commands.length }, () => reply)),
    wallet: () => Effect.die("not asked for"),
    events: () => Effect.die("not asked for"),
    usage: Effect.undefined
  })
  return { service, target }
}

const open = (given: Partial<LoadOptions>): LoadOptions =>
  loadOptions({
    loop: { _tag: "Open", arrivals: "constant", connections: 256 },
    mix: { ...noMix, credit: 1 },
    checkMillis: 0,
    ...given
  })

/** In virtual time, a second at a time, so that whoever waits less sees its own instants. */
const runFor = Effect.fnUntraced(function* (options: LoadOptions, target: LoadTarget["Service"], seconds: number) {
  const running = yield* Effect.forkChild(Effect.provideService(runLoad(options), LoadTarget, target))
  for (let second = 0; second < seconds; second++) yield* TestClock.adjust("1 second")
  return yield* Fiber.join(running)
})

describe("the open loop", () => {
  it.effect("finds the percentiles of a service whose latencies are known: 50 ms, and 500 ms of one in fifty", () =>
    Effect.gen(function* () {
      const { target } = serviceOf((index) => (index % 50 === 49 ? 500 : 50))
      const report = yield* runFor(open({ phases: [phase("load", 20_000, 200)] }), target, 25)
      assert.strictEqual(report.offered, 4_000)
      assert.strictEqual(report.accepted, 4_000)
      const { max, p50, p90, p99 } = report.latency.all
      for (const [found, known] of [
        [p50, 50],
        [p90, 50],
        [p99, 500],
        [max, 500]
      ] as const)
        // prettier-ignore
        assert.approximately(found, known, known * 0.02 + 1)
      assert.isBelow(report.sendDelay.max, 1)
    })
  )

  it.effect("shows a stop of 14 s in max and percentiles, misses nothing, and counts what was late", () =>
    Effect.gen(function* () {
      // What arrives while the service stands is answered when it goes on.
      const stopped = (now: number) => (now >= 10_000 && now < 24_000 ? 24_000 - now : 0)
      const { service, target } = serviceOf((_, now) => stopped(now) + 2)
      const loop = { _tag: "Open", arrivals: "constant", connections: 16 } as const
      const report = yield* runFor(open({ loop, phases: [phase("load", 60_000, 100)] }), target, 70)
      assert.strictEqual(service.most, 16)
      assert.strictEqual(report.offered, 6_000)
      assert.strictEqual(report.accepted, 6_000)
      assert.strictEqual(report.missed, 0)
      const { max, p50, p90, p99 } = report.latency.all
      assert.isAtLeast(max, 13_990)
      // Of 1,400 that were due meanwhile each has waited for the rest of the stop, though 16 alone were sent into it.
      assert.isAbove(p90, 7_500)
      assert.isAbove(p99, 13_000)
      assert.isBelow(p50, 10)
      assert.approximately(report.late, 1_384, 30)
      assert.isBelow(report.serviceTime.p99, 10)
    })
  )

  it.effect("while the closed loop sends nothing into a stop, and says so", () =>
    Effect.gen(function* () {
      const stopped = (now: number) => (now >= 10_000 && now < 24_000 ? 24_000 - now : 0)
      const { target } = serviceOf((_, now) => stopped(now) + 2)
      const options = open({ loop: { _tag: "Closed", callers: 4 }, phases: [phase("load", 60_000, 0)] })
      const report = yield* runFor(options, target, 62)
      assert.isBelow(report.latency.all.p99, 10)
      assert.strictEqual(report.latency.all.count - report.accepted, 0)
      assert.match(loadLines(report)[0] ?? "", /^closed loop: who waits/)
    })
  )

  it.effect("waits for late answers within a bound, and names what never came and what was never sent", () =>
    Effect.gen(function* () {
      const { target } = serviceOf((_, now) => (now < 9_000 ? 1_500 : 1e9))
      const loop = { _tag: "Open", arrivals: "constant", connections: 20 } as const
      const options = open({ loop, phases: [phase("load", 10_000, 10)], drainMillis: 5_000 })
      const report = yield* runFor(options, target, 20)
      const { accepted, failed, missed, offered, refused, rejected, sent, unknown } = report
      assert.strictEqual(offered, 100)
      assert.strictEqual(sent + missed, offered)
      assert.strictEqual(sent, accepted + rejected + refused + failed + unknown)
      assert.deepStrictEqual(report.codes.unknown, { NoAnswer: unknown })
      assert.isAtLeast(unknown, 10)
      // What never came counts for as long as it was waited for.
      assert.isAtLeast(report.latency.all.max, 5_000)
      assert.strictEqual(report.latency.all.count, sent)
    })
  )

  it.effect("counts as missed what found no connection until the end", () =>
    Effect.gen(function* () {
      const { target } = serviceOf(() => 1e9)
      const loop = { _tag: "Open", arrivals: "constant", connections: 3 } as const
      const options = open({ loop, phases: [phase("load", 2_000, 100)], drainMillis: 1_000 })
      const report = yield* runFor(options, target, 5)
      assert.deepStrictEqual([report.offered, report.sent, report.unknown, report.missed], [200, 3, 3, 197])
    })
  )

  it.effect("sends each phase at its rate, and tells of each", () =>
    Effect.gen(function* () {
      const { target } = serviceOf((_, now) => (now < 20_000 ? 5 : 50))
      const phases = [
        phase("warm-up", 5_000, 20, false),
        { ...phase("ramp", 10_000, 0), to: 100 },
        phase("soak", 5_000, 100),
        phase("spike", 2_000, 500)
      ]
      const report = yield* runFor(open({ phases }), target, 30)
      assert.deepStrictEqual(
        report.phases.map(({ name, offered }) => [name, offered]),
        [["ramp", 500], ["soak", 500], ["spike", 1_000]] // prettier-ignore
      )
      assert.strictEqual(report.seconds, 17)
      assert.isBelow(report.phases[1]?.latency.p99 ?? 99, 7)
      assert.isAbove(report.phases[2]?.latency.p50 ?? 0, 49)
    })
  )

  it.effect("sends a batch as one arrival, and counts each of its operations", () =>
    Effect.gen(function* () {
      const { service, target } = serviceOf(() => 100)
      const options = open({ batch: 20, phases: [phase("load", 10_000, 1_000)] })
      const report = yield* runFor(options, target, 15)
      assert.strictEqual(report.accepted, 10_000)
      assert.isAtMost(service.most, 6)
      assert.approximately(report.latency.all.p50, 100, 1)
    })
  )
})
