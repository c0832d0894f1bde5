import { assert, describe, it } from "@effect/vitest"
import { judgeFailure, judgeStatus } from "../../src/load/Outcome.ts"

describe("Outcome", () => {
  for (const [status, code, outcome, tookPlace] of [
    [201, undefined, "accepted", "yes"],
    [202, undefined, "accepted", "yes"],
    [422, "InsufficientFunds", "rejected", "no"],
    [404, undefined, "rejected", "no"],
    [422, "TransferReversed", "rejected", "maybe"],
    [422, "OperationReversed", "rejected", "maybe"],
    [429, "MailboxFull", "refused", "no"],
    [503, "StoreUnavailable", "refused", "no"],
    [503, "OutcomeUnknown", "unknown", "maybe"],
    [409, "IdempotencyInProgress", "unknown", "maybe"],
    // Of a gateway before the service, which may have handed it on.
    [503, undefined, "refused", "maybe"],
    [429, undefined, "refused", "maybe"],
    [502, undefined, "failed", "maybe"],
    [500, "InternalError", "failed", "maybe"],
    [301, undefined, "failed", "maybe"]
  ] as const) {
    it(`takes ${status} ${code ?? "without a problem"} for ${outcome}, done: ${tookPlace}`, () => {
      assert.deepStrictEqual(judgeStatus(status, code), { outcome, tookPlace })
    })
  }

  it("takes a connection that was never made for a failure, and one that broke for an outcome that is not known", () => {
    assert.deepStrictEqual(judgeFailure("ConnectionRefused"), { outcome: "failed", tookPlace: "no" })
    assert.deepStrictEqual(judgeFailure("ConnectionBroken"), { outcome: "unknown", tookPlace: "maybe" })
    assert.deepStrictEqual(judgeFailure("NoAnswer"), { outcome: "unknown", tookPlace: "maybe" })
  })
})
