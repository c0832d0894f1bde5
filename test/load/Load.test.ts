import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { layerEngine } from "../../src/load/EngineTarget.ts"
import { type LoadOptions, runLoad } from "../../src/load/Load.ts"
import { type LoadCommand, loadKinds, parseMix } from "../../src/load/LoadCommand.ts"
import { type LoadReport, loadLines } from "../../src/load/LoadReport.ts"
import { accepted, LoadTarget, notAccepted } from "../../src/load/LoadTarget.ts"
import { judgeFailure } from "../../src/load/Outcome.ts"
import { clockOfLooks } from "../support/clocks.ts"
import { loadOptions, noMix, phase } from "./LoadOptionsOf.ts"

/** So many operations, not so much time: each looks at the clock. */
const run = (given: LoadOptions) => Effect.provideService(runLoad(given), Clock.Clock, clockOfLooks())

const engine = layerEngine({ await: "persisted" }).pipe(Layer.provideMerge(WalletEngine.layerMemory))

/** Every operation that was sent is in one outcome. */
const addsUp = (report: LoadReport) => {
  const { accepted, failed, missed, offered, refused, rejected, sent, unknown } = report
  assert.strictEqual(sent, accepted + rejected + refused + failed + unknown)
  assert.strictEqual(offered, sent + missed)
  assert.strictEqual(report.latency.all.count, sent)
}

/** A service of nothing, that answers at once as `answer` says, and notes what it is sent. */
const stub = (answer: (command: LoadCommand, key: string) => ReturnType<typeof accepted>) => {
  const sent: Array<string> = []
  const send = (command: LoadCommand, key: string) =>
    Effect.andThen(
      Effect.yieldNow,
      Effect.sync(() => {
        const { _tag, ...fields } = command
        sent.push(`${key} ${_tag} ${Object.values(fields).join(" ")}`)
        return answer(command, key)
      })
    )
  const target = LoadTarget.of({
    send: (_, command, key) => send(command, key),
    sendBatch: (_, commands) => Effect.forEach(commands, ({ command, key }) => send(command, key)),
    wallet: () => Effect.die("not asked for"),
    events: () => Effect.die("not asked for"),
    usage: Effect.undefined
  })
  return { sent, target }
}

describe("Load", () => {
  it.live("sends the whole mix to the engine, and finds every accepted command in the wallets", () =>
    Effect.gen(function* () {
      const report = yield* run(loadOptions())
      addsUp(report)
      assert.strictEqual(report.accepted, report.sent)
      assert.deepStrictEqual(Object.keys(report.latency).sort(), ["all", ...loadKinds].sort())
      assert.strictEqual(report.loop, "closed")
      const { check } = report
      assert.isTrue(check.ok, JSON.stringify(check))
      if (check.ok === null) return
      assert.isAbove(check.commands.found, 100)
      assert.strictEqual(check.commands.found, check.commands.accepted)
      assert.isAbove(check.keys.same, 20)
      assert.strictEqual(check.keys.same, check.keys.sent)
      assert.strictEqual(check.money.inTransit, "0")
    }).pipe(Effect.provide(engine))
  )

  it.live("sends operations in batches, over wallets with a past, and checks those as well", () =>
    Effect.gen(function* () {
      const mix = { ...noMix, credit: 2, debit: 1, transfer: 1 }
      const report = yield* run(loadOptions({ mix, batch: 25, history: 230 }))
      addsUp(report)
      assert.strictEqual(report.accepted, report.sent)
      assert.strictEqual(report.sent % 25, 0)
      assert.isTrue(report.check.ok, JSON.stringify(report.check))
      if (report.check.ok !== null) assert.isAtLeast(report.check.commands.found, 3 * 230 + report.sent)
    }).pipe(Effect.provide(engine))
  )

  it.live("counts what is not accepted apart, by code, and does not go on with what failed", () =>
    Effect.gen(function* () {
      const failures = ["InsufficientFunds", "MailboxFull", "InternalError", "OutcomeUnknown"]
      let next = 0
      const { sent, target } = stub((command) => {
        if (command._tag !== "Hold") return accepted("indexed", "made")
        const code = failures[next++ % failures.length]!
        return notAccepted(code, judgeFailure(code))
      })
      const mix = { ...noMix, credit: 1, hold: 1 }
      const report = yield* Effect.provideService(run(loadOptions({ mix, checkMillis: 0 })), LoadTarget, target)
      addsUp(report)
      assert.deepStrictEqual(Object.keys(report.codes.rejected), ["InsufficientFunds"])
      assert.deepStrictEqual(Object.keys(report.codes.refused), ["MailboxFull"])
      assert.deepStrictEqual(Object.keys(report.codes.failed), ["InternalError"])
      assert.deepStrictEqual(Object.keys(report.codes.unknown), ["OutcomeUnknown"])
      assert.strictEqual(report.latency.hold?.count, next)
      assert.isFalse(sent.some((text) => text.includes("Capture")))
      assert.deepStrictEqual(report.latencyByDurability.indexed?.count, report.accepted)
      assert.deepStrictEqual(report.check, { ok: null })
      assert.match(loadLines(report).join("\n"), /rejected [\d,]+ \([\d,]+ InsufficientFunds\)/)
    })
  )

  it.live("sends what its seed says: the same commands again, and others by another seed", () =>
    Effect.gen(function* () {
      const sentBy = Effect.fnUntraced(function* (seed: string, callers: number) {
        const { sent, target } = stub(() => accepted("indexed", "made"))
        const options = loadOptions({ seed, loop: { _tag: "Closed", callers }, checkMillis: 0 })
        yield* Effect.provideService(run(options), LoadTarget, target)
        return sent.filter((text) => !/^(?:create|open)-|^ Read/.test(text)).sort()
      })
      const one = yield* sentBy("a", 4)
      assert.isAbove(one.length, 100)
      assert.deepStrictEqual(yield* sentBy("a", 4), one)
      assert.notDeepEqual(yield* sentBy("b", 4), one)
      // Who sends decides nothing: with other callers it is the same, up to where the time was over.
      const other = new Set(yield* sentBy("a", 2))
      const number = (text: string) => Number(/^t1-(\d+)/.exec(text)?.[1])
      const common = one.filter((text) => number(text) < 100)
      assert.isAbove(common.length, 90)
      for (const text of common) assert.isTrue(other.has(text), text)
    })
  )

  it.live("does not count the warm-up, and checks it all the same", () =>
    Effect.gen(function* () {
      const phases = [phase("warm-up", 300, 0, false), phase("load", 300, 0)]
      const mix = { ...noMix, credit: 1 }
      const report = yield* run(loadOptions({ phases, mix }))
      assert.deepStrictEqual(
        report.phases.map(({ name }) => name),
        ["load"]
      )
      assert.strictEqual(report.seconds, 0.3)
      assert.isTrue(report.check.ok)
      if (report.check.ok !== null) assert.isAbove(report.check.commands.found, report.accepted)
    }).pipe(Effect.provide(engine))
  )

  it.live("does not begin when its wallets cannot be made, and not twice under one name", () =>
    Effect.gen(function* () {
      const { target } = stub(() => notAccepted("Unauthorized", judgeFailure("Unauthorized")))
      const failure = yield* Effect.flip(Effect.provideService(run(loadOptions()), LoadTarget, target))
      assert.strictEqual(failure.code, "Unauthorized")
      yield* Effect.gen(function* () {
        yield* run(loadOptions())
        const again = yield* Effect.flip(run(loadOptions()))
        assert.strictEqual(again.code, "RunNameTaken")
        // Wallets of earlier runs are in nobody's way.
        assert.isTrue((yield* run(loadOptions({ run: "t2" }))).check.ok)
      }).pipe(Effect.provide(engine))
    })
  )

  it("reads a mix, and nothing that is none", () => {
    assert.deepStrictEqual(parseMix("credit=80, debit=20"), { ...noMix, credit: 80, debit: 20 })
    for (const text of ["", "credit", "credit=", "credit=-1", "credit=1=2", "gift=1", "credit=0"]) {
      assert.isUndefined(parseMix(text), text)
    }
  })
})
