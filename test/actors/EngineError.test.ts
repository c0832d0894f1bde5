import * as Problem from "../../src/http/api/Problem.ts"
import { assert, describe, it } from "vitest"
import { isRetryable, MailboxFull, VersionMismatch } from "../../src/actors/EngineError.ts"

/** No failure of the engine: a problem of the API's contract alone. */
const ofTheApiAlone = new Set(["IdempotencyInProgress"])

describe("isRetryable", () => {
  it("says of every failure what the API says of its problem", () => {
    const codes = (Object.keys(Problem.problemStatus) as Array<Problem.ProblemCode>).filter(
      (code) => !ofTheApiAlone.has(code)
    )
    assert.deepStrictEqual(
      codes.filter((_tag) => isRetryable({ _tag })),
      codes.filter(Problem.isRetryable)
    )
    assert.isTrue(isRetryable(new MailboxFull({ walletId: "a", retryAfter: 1 })))
    assert.isFalse(isRetryable(new VersionMismatch({ walletId: "a", version: 1 })))
  })

  it("narrows to those of which it is true", () => {
    const failure: MailboxFull | VersionMismatch = new MailboxFull({ walletId: "a", retryAfter: 7 })
    const failures: ReadonlyArray<MailboxFull | VersionMismatch> = [failure]
    assert.deepStrictEqual(
      failures.filter(isRetryable).map(({ retryAfter }) => retryAfter),
      [7]
    )
  })
})
