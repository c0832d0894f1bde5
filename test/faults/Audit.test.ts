/** The auditor of the faults accuses nobody of what may be, and misses nothing that may not. */
import { assert, describe, it } from "vitest"
import { type Entry, judge, type LogContent } from "./Audit.ts"
import { learn, sending, type SentCommand } from "./ClientView.ts"

const transferId = "t1"

const command = (kind: "debit" | "transfer", more: Partial<SentCommand> = {}): SentCommand => ({
  key: "k",
  kind,
  walletId: "a",
  path: "/v1/wallets/a/debit",
  body: {},
  view: { _tag: "Open" },
  unanswered: 0,
  overlapped: false,
  ...more
})

const logWith = (entry: Entry | undefined, received = 0): LogContent => ({
  events: 0,
  byKey: new Map(entry === undefined ? [] : [["a c:k", entry]]),
  transfers: new Map([[transferId, { sent: 1, received, refused: 0, settled: 0, reversed: 0 }]]),
  duplicates: [],
  negative: []
})

const entry = (reversed: boolean): Entry => ({ commandIds: new Set(["c"]), version: 1, reversed })

const answer = (sent: SentCommand, status: number, body: Readonly<Record<string, unknown>>) => {
  sending(sent)
  learn(sent, status, body)
}

const judged = (sent: SentCommand, found: Entry | undefined, received = 0) =>
  judge(sent, found, logWith(found, received))

const accepted = (persisted: boolean) => ({
  transfer: { id: transferId, status: persisted ? "completed" : "pending" },
  durability: { committed: true, persisted }
})

describe("the auditor", () => {
  it("lets a rejected command be done by a later try that had no answer", () => {
    const sent = command("debit")
    answer(sent, 422, { code: "InsufficientFunds" })
    sending(sent)
    assert.isUndefined(judged(sent, entry(false)))
  })

  it("finds a rejected command in the log that nobody has sent again", () => {
    const sent = command("debit")
    answer(sent, 422, { code: "InsufficientFunds" })
    assert.deepStrictEqual(judged(sent, entry(false)), ["untrue", "rejected with InsufficientFunds, and in the log"])
  })

  it("lets a forbidden transfer be accepted and reversed", () => {
    const sent = command("transfer", { forbidden: true })
    answer(sent, 202, accepted(false))
    assert.isUndefined(judged(sent, entry(true)))
  })

  it("finds one that was told persisted and is reversed, one that no rule is against, and one without an end", () => {
    const persisted = command("transfer", { forbidden: true })
    answer(persisted, 201, accepted(true))
    assert.deepStrictEqual(judged(persisted, entry(true), 1), ["untrue", "reversed, and it was told persisted"])
    const allowed = command("transfer")
    answer(allowed, 202, accepted(false))
    assert.deepStrictEqual(judged(allowed, entry(true)), ["untrue", "reversed, and no rule is against it"])
    assert.deepStrictEqual(judged(allowed, entry(false)), ["untrue", `transfer ${transferId} has no end`])
  })
})
