/**
 * With what `verify`, `replay` and `inspect` end: 1, they have done their work and the
 * answer is bad; 2, they were called wrongly; 3, they could not do it.
 */

/** What a wallet, the log or its rows are to blame for. */
const answers: ReadonlySet<string> = new Set([
  "ReplayRefused",
  "ReplayDiverged",
  "LogMismatch",
  "LogPutBack",
  "StoreAheadOfLog",
  "WalletUnknown"
])

const usage: ReadonlySet<string> = new Set([
  "FlagsWrong",
  "ConfigurationWrong",
  "StoreNotSupported",
  "ConfirmationNeeded"
])

/** By the failure's tag; `code`: the tag of the service's own failure. */
export const exitCodeOf = ({ _tag = "", code = "" }: { readonly _tag?: string; readonly code?: string }): number => {
  if (usage.has(_tag) || code === "InvalidRequest") return 2
  return answers.has(_tag) || answers.has(code) ? 1 : 3
}
