import { assert, describe, it } from "@effect/vitest"
import { ConnectionError, SqlError, UnknownError } from "effect/sql/SqlError"
import { classifyError, type ErrorKind, type ErrorOutcome } from "../../../src/stores/sql/Failure.ts"

/** As the driver reports what a server says. */
const answered = (code: string, fields: { readonly constraint?: string; readonly severity?: string } = {}) =>
  new SqlError({
    reason: new UnknownError({
      cause: Object.assign(new Error("said"), {
        code,
        severityUnlocalized: fields.severity ?? "ERROR",
        constraint: fields.constraint
      }),
      operation: "query"
    })
  })

const lost = (operation: string) =>
  new SqlError({
    reason: new ConnectionError({ cause: Object.assign(new Error("gone"), { code: "ECONNRESET" }), operation })
  })

const rows: ReadonlyArray<readonly [what: string, error: SqlError, kind: ErrorKind, outcome: ErrorOutcome]> = [
  ["connection exception", answered("08006"), "transient", "unknown"],
  ["transaction resolution unknown", answered("08007"), "transient", "unknown"],
  ["serialization failure", answered("40001"), "transient", "notExecuted"],
  ["statement completion unknown", answered("40003"), "transient", "unknown"],
  ["deadlock", answered("40P01"), "transient", "notExecuted"],
  ["disk full", answered("53100"), "transient", "notExecuted"],
  ["too many connections", answered("53300", { severity: "FATAL" }), "transient", "unknown"],
  ["lock not available", answered("55P03"), "transient", "notExecuted"],
  ["prerequisite state", answered("55000"), "defect", "notExecuted"],
  ["statement timeout", answered("57014"), "transient", "notExecuted"],
  ["server told to end", answered("57P01", { severity: "FATAL" }), "transient", "unknown"],
  ["I/O error", answered("58030"), "transient", "notExecuted"],
  ["read-only transaction", answered("25006"), "transient", "notExecuted"],
  ["aborted transaction", answered("25P02"), "defect", "notExecuted"],
  ["raised exception", answered("P0001"), "refusal", "notExecuted"],
  ["no data found", answered("P0002"), "defect", "notExecuted"],
  ["a listed code", answered("WA001"), "refusal", "notExecuted"],
  ["an unlisted code", answered("WA002"), "defect", "notExecuted"],
  ["a check of the user's", answered("23514", { constraint: "no_weekends" }), "refusal", "notExecuted"],
  ["a check of ours", answered("23514", { constraint: "ew_wallets_held" }), "defect", "notExecuted"],
  ["a unique key of the user's", answered("23505", { constraint: "one_per_day" }), "refusal", "notExecuted"],
  ["a unique key of ours", answered("23505", { constraint: "ew_events_pkey" }), "defect", "notExecuted"],
  ["not null, named", answered("23502", { constraint: "events_position_not_null" }), "defect", "notExecuted"],
  ["not null, unnamed", answered("23502"), "defect", "notExecuted"],
  ["undefined table", answered("42P01"), "defect", "notExecuted"],
  ["internal error", answered("XX000"), "defect", "notExecuted"],
  ["data corrupted, panic", answered("XX001", { severity: "PANIC" }), "defect", "unknown"],
  ["connection lost", lost("query"), "transient", "unknown"],
  ["connection refused", lost("connect"), "transient", "notExecuted"],
  ["no SQLSTATE, no connection", new SqlError({ reason: new UnknownError({ cause: "?" }) }), "defect", "unknown"]
]

describe("classifySqlError", () => {
  it.each(rows)("%s", (_, error, kind, outcome) => {
    const found = classifyError(error, { refusalCodes: ["WA001"] })
    assert.deepStrictEqual({ kind: found.kind, outcome: found.outcome }, { kind, outcome })
  })

  it("takes no error code of the operating system for a SQLSTATE", () => {
    const epipe = new SqlError({
      reason: new ConnectionError({
        cause: Object.assign(new Error("write EPIPE"), { code: "EPIPE" }),
        operation: "query"
      })
    })
    assert.deepStrictEqual(classifyError(epipe), {
      kind: "transient",
      outcome: "unknown",
      sqlState: undefined,
      constraint: undefined,
      reason: "write EPIPE"
    })
  })

  it("names the SQLSTATE in its reason, and the constraint", () => {
    const found = classifyError(answered("23514", { constraint: "no_weekends" }))
    assert.strictEqual(found.reason, "said (SQLSTATE 23514)")
    assert.strictEqual(found.constraint, "no_weekends")
  })
})
