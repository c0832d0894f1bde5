/**
 * The report of `verify` as a document: what `--json` prints and what the service
 * answers, amounts and positions as decimal texts.
 */
import * as Schema from "effect/Schema"
import { inTransit, isConserved } from "../engine/Conservation.ts"
import type { VerifyProgress } from "../engine/Verify.ts"
import type { VerifyReport } from "../engine/VerifyReport.ts"

const Difference = Schema.Struct({
  walletId: Schema.NullOr(Schema.String),
  store: Schema.Literals(["log", "persistence", "readModel"]),
  what: Schema.String,
  expected: Schema.String,
  found: Schema.String
})

const Conservation = Schema.Struct({
  currency: Schema.String,
  conserved: Schema.Boolean,
  balances: Schema.String,
  inTransit: Schema.String,
  credits: Schema.String,
  debits: Schema.String,
  captures: Schema.String
})

export const VerifyDocument = Schema.Struct({
  logId: Schema.String,
  position: Schema.String,
  wallets: Schema.Number,
  events: Schema.Number,
  transactions: Schema.Number,
  holds: Schema.Number,
  keys: Schema.Number,
  notSearched: Schema.Number,
  conservation: Schema.Array(Conservation),
  differenceCount: Schema.Number,
  differences: Schema.Array(Difference),
  durationMillis: Schema.Number
})

export type VerifyDocument = typeof VerifyDocument.Type

const ProgressDocument = Schema.Struct({
  position: Schema.String,
  head: Schema.String,
  wallets: Schema.Number,
  differenceCount: Schema.Number
})

export type ProgressDocument = typeof ProgressDocument.Type

/** One line of the service's answer: progress while it walks, then the report or why there is none. */
export const VerifyLine = Schema.Union([
  Schema.Struct({ progress: ProgressDocument }),
  Schema.Struct({ report: VerifyDocument }),
  Schema.Struct({ error: Schema.Struct({ code: Schema.String, message: Schema.String }) })
])

export type VerifyLine = typeof VerifyLine.Type

export const progressDocument = (progress: VerifyProgress): ProgressDocument => ({
  position: String(progress.position),
  head: String(progress.head),
  wallets: progress.wallets,
  differenceCount: progress.differenceCount
})

export const verifyDocument = (report: VerifyReport): VerifyDocument => ({
  logId: report.logId,
  position: String(report.position),
  wallets: report.wallets,
  events: report.events,
  transactions: report.transactions,
  holds: report.holds,
  keys: report.keys,
  notSearched: report.notSearched,
  conservation: report.conservation.map((totals) => ({
    currency: totals.currency,
    conserved: isConserved(totals),
    balances: String(totals.balances),
    inTransit: String(inTransit(totals)),
    credits: String(totals.credits),
    debits: String(totals.debits),
    captures: String(totals.captures)
  })),
  differenceCount: report.differenceCount,
  differences: report.differences,
  durationMillis: report.durationMillis
})

const count = (number: number, one: string, many = `${one}s`): string =>
  `${number.toLocaleString("en")} ${number === 1 ? one : many}`

/** For people: what was compared, the totals, the differences, the verdict. */
export const verifyLines = (report: VerifyDocument): ReadonlyArray<string> => {
  const { differenceCount, differences } = report
  const hidden = differenceCount - differences.length
  return [
    `compared ${count(report.wallets, "wallet")}: ${count(report.events, "event")}, ` +
      `${count(report.transactions, "transaction")}, ${count(report.holds, "hold")}, ${count(report.keys, "key")} ` +
      `in ${(report.durationMillis / 1000).toFixed(1)} s`,
    ...report.conservation.map(
      (one) =>
        `${one.currency}: balances ${one.balances} + in transit ${one.inTransit} ${one.conserved ? "=" : "is not"} ` +
        `credits ${one.credits} - debits ${one.debits} - captures ${one.captures} (position ${report.position})`
    ),
    ...(report.notSearched > 0
      ? [`${count(report.notSearched, "wallet")} not looked for in search: the id is too common a word`]
      : []),
    ...differences.map(
      (one) =>
        `${one.walletId === null ? "" : `wallet ${one.walletId}, `}${one.store}, ${one.what}: ` +
        `expected ${one.expected}; found ${one.found}`
    ),
    ...(hidden > 0 ? [`and ${count(hidden, "more difference")}`] : []),
    differenceCount === 0 ? "no differences" : count(differenceCount, "difference")
  ]
}
