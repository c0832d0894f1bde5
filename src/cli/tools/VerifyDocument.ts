/**
 * The report of `verify` as a document: what `--json` prints and what the service
 * replies, amounts and positions as decimal texts.
 */
import * as Schema from "effect/Schema"
import { WalletId } from "../Flags.ts"
import { counted } from "../Output.ts"
import { inTransit, isConserved } from "../../engine/verify/Conservation.ts"
import type { VerifyProgress } from "../../engine/verify/Options.ts"
import { dueBound, type VerifyReport } from "../../engine/verify/Report.ts"

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
  captures: Schema.String,
  refundsIn: Schema.String,
  refundsOut: Schema.String
})

export const VerifyDocument = Schema.Struct({
  logId: Schema.String,
  position: Schema.String,
  walletId: Schema.NullOr(Schema.String),
  wallets: Schema.Number,
  events: Schema.Number,
  transactions: Schema.Number,
  holds: Schema.Number,
  transfers: Schema.Number,
  keys: Schema.Number,
  refusals: Schema.Number,
  openRefusals: Schema.Number,
  lagging: Schema.Number,
  searched: Schema.Number,
  notSearched: Schema.Number,
  documents: Schema.Number,
  deadLetters: Schema.Number,
  overdueHolds: Schema.Number,
  overdueTransfers: Schema.Number,
  repaired: Schema.Number,
  conservation: Schema.Array(Conservation),
  differenceCount: Schema.Number,
  differences: Schema.Array(Difference),
  warnings: Schema.Array(Schema.String),
  durationMillis: Schema.Number
})

export type VerifyDocument = typeof VerifyDocument.Type

export const ProgressDocument = Schema.Struct({
  position: Schema.String,
  head: Schema.String,
  wallets: Schema.Number,
  differenceCount: Schema.Number
})

export type ProgressDocument = typeof ProgressDocument.Type

/** What the service may be asked for. */
export const VerifyRequest = Schema.Struct({
  walletId: Schema.optionalKey(WalletId),
  repair: Schema.optionalKey(Schema.Boolean)
})

export const progressDocument = (progress: VerifyProgress): ProgressDocument => ({
  position: String(progress.position),
  head: String(progress.head),
  wallets: progress.wallets,
  differenceCount: progress.differenceCount
})

export const verifyDocument = (report: VerifyReport): VerifyDocument => ({
  ...report,
  position: String(report.position),
  conservation: report.conservation.map((totals) => ({
    currency: totals.currency,
    conserved: isConserved(totals),
    balances: String(totals.balances),
    inTransit: String(inTransit(totals)),
    credits: String(totals.credits),
    debits: String(totals.debits),
    captures: String(totals.captures),
    refundsIn: String(totals.refundsIn),
    refundsOut: String(totals.refundsOut)
  }))
})

/** What is as it may be, and worth a word all the same. */
const remarks = (report: VerifyDocument): ReadonlyArray<string> => {
  const {
    deadLetters,
    documents,
    lagging,
    notSearched,
    openRefusals,
    overdueHolds,
    overdueTransfers,
    refusals,
    repaired
  } = report
  const upToBound = (number: number, one: string) =>
    number < dueBound ? counted(number, one) : `${number.toLocaleString("en")} ${one}s or more`
  return [
    ...(refusals > 0 ? [`${counted(refusals, "event")} refused by a rule of the database and reversed`] : []),
    ...(openRefusals > 0 ? [`${counted(openRefusals, "refused event")} on the way to be reversed`] : []),
    ...(lagging > 0 ? [`${counted(lagging, "wallet")} a moment behind the log`] : []),
    ...(overdueHolds > 0 ? [`${upToBound(overdueHolds, "hold")} to be expired; a running service does it`] : []),
    ...(overdueTransfers > 0
      ? [`${upToBound(overdueTransfers, "transfer")} to be ended; a running service does it`]
      : []),
    ...(notSearched > 0
      ? [`${counted(notSearched, "wallet")} not looked for in search: the id is too common a word`]
      : []),
    ...(documents > 0 ? [`${counted(documents, "document")} in search as the log and PostgreSQL have them`] : []),
    ...(deadLetters > 0
      ? [`${counted(deadLetters, "dead letter")}: documents that search has refused; wallet replay --dead-letters`]
      : []),
    ...(repaired > 0 ? [`${counted(repaired, "wallet")} repaired`] : [])
  ]
}

/** For people: what was compared, the totals, the differences, the verdict. */
export const verifyLines = (report: VerifyDocument): ReadonlyArray<string> => {
  const { differenceCount, differences } = report
  const hidden = differenceCount - differences.length
  return [
    `compared ${counted(report.wallets, "wallet")}: ${counted(report.events, "event")}, ` +
      `${counted(report.transactions, "transaction")}, ${counted(report.holds, "hold")}, ` +
      `${counted(report.transfers, "transfer")}, ${counted(report.keys, "key")} ` +
      `in ${(report.durationMillis / 1000).toFixed(1)} s`,
    ...report.conservation.map(
      (one) =>
        `${one.currency}: balances ${one.balances} + in transit ${one.inTransit} ${one.conserved ? "=" : "is not"} ` +
        `credits ${one.credits} - debits ${one.debits} - captures ${one.captures} ` +
        `+ refunds in ${one.refundsIn} - refunds out ${one.refundsOut} (position ${report.position})`
    ),
    ...remarks(report),
    ...differences.map(
      (one) =>
        `${one.walletId === null ? "" : `wallet ${one.walletId}, `}${one.store}, ${one.what}: ` +
        `expected ${one.expected}; found ${one.found}`
    ),
    ...(hidden > 0 ? [`and ${counted(hidden, "more difference")}`] : []),
    ...report.warnings.map((warning) => `warning: ${warning}`),
    differenceCount === 0 ? "no differences" : counted(differenceCount, "difference")
  ]
}
