/** What `verify` says of a user's rules. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { verifyDocument, verifyLines } from "../../../src/cli/tools/VerifyDocument.ts"
import { verify } from "../../../src/engine/verify/Verify.ts"
import * as MemoryStores from "../../../src/stores/memory/MemoryStores.ts"
import { Persistence, type RuleTrial } from "../../../src/stores/Persistence.ts"
import { type ReadError, StoreDefect } from "../../../src/stores/StoreError.ts"

/** A report of empty stores, with such a trial. */
const reportOf = (tryRules?: Effect.Effect<RuleTrial, ReadError>) => {
  const trying = Layer.effect(
    Persistence,
    Effect.map(Persistence, (persistence) =>
      Persistence.of(tryRules === undefined ? persistence : { ...persistence, tryRules })
    )
  )
  return verify().pipe(Effect.provide(trying.pipe(Layer.provideMerge(MemoryStores.layer()))))
}

const fault = { table: "events", rule: "trigger no_big", tried: "TransferReversed of 1", reason: "no" }
const warning =
  "the trigger no_big on events refuses TransferReversed of 1: no. A rule has to let the engine's own facts pass " +
  '(docs/OPERATIONS.md, "Rules of your own")'

describe("warnings of a user's rules", () => {
  it.effect("are none where no store has rules, and none where all let the engine's facts pass", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* reportOf()).warnings, [])
      const passed = yield* reportOf(Effect.succeed({ faults: [], untried: undefined }))
      assert.deepStrictEqual(passed.warnings, [])
    })
  )

  it.effect("name the rule, and stand beside a clean bill", () =>
    Effect.gen(function* () {
      const report = yield* reportOf(Effect.succeed({ faults: [fault], untried: undefined }))
      assert.deepStrictEqual([report.warnings, report.differenceCount], [[warning], 0])
      const document = verifyDocument(report)
      assert.deepStrictEqual(document.warnings, [warning])
      assert.deepStrictEqual(verifyLines(document).slice(-2), [`warning: ${warning}`, "no differences"])
    })
  )

  it.effect("tell why nothing was tried, and are no failure", () =>
    Effect.gen(function* () {
      const untried = yield* reportOf(Effect.succeed({ faults: [], untried: "no right" }))
      assert.deepStrictEqual(untried.warnings, ["rules of your own on the tables were not tried: no right"])
      const failed = yield* reportOf(Effect.fail(new StoreDefect({ store: "persistence", reason: "broken" })))
      assert.lengthOf(failed.warnings, 1)
      assert.include(failed.warnings[0], "broken")
    })
  )
})
