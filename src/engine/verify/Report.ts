/**
 * What `verify` reports: differences between the log and what is derived from it,
 * and the totals of law 6.
 */
import type { CurrencyTotals } from "./Conservation.ts"

/** Overdue holds and transfers are counted up to this. */
export const dueBound = 1_000

export interface Difference {
  /** `null`: of no one wallet. */
  readonly walletId: string | null
  /** Where the fault shows. */
  readonly store: "log" | "persistence" | "readModel"
  /** What was compared. */
  readonly what: string
  readonly expected: string
  readonly found: string
}

export const logDifference = (walletId: string, what: string, expected: string, found: string): Difference => ({
  walletId,
  store: "log",
  what,
  expected,
  found
})

/** A row of a wallet that the log does not know; nothing that a repair may remove. */
export const orphanRow = (walletId: string, found: string): Difference => ({
  walletId,
  store: "persistence",
  what: "wallet row",
  expected: "nothing: the log has no such wallet",
  found
})

export interface VerifyReport {
  readonly logId: string
  /** The head of the log at the start: law 6 holds, or not, there. */
  readonly position: bigint
  /** `null`: all wallets, and the money of all of them; else this one alone. */
  readonly walletId: string | null
  readonly wallets: number
  readonly events: number
  readonly transactions: number
  readonly holds: number
  readonly transfers: number
  readonly keys: number
  /** Events that a user's rule has refused: their places are taken. */
  readonly refusals: number
  /** Of these, young ones whose OperationReversed is not in the log yet. */
  readonly openRefusals: number
  /** Wallets whose rows are behind the log, by events too young to call it a difference. */
  readonly lagging: number
  /** Wallets that were looked for in search, with their newest transaction: a sample, and all that differ. */
  readonly searched: number
  /** Wallets whose id is too common a word for the search to find in bounded pages. */
  readonly notSearched: number
  /** Documents of a search index of its own that are there and right. */
  readonly documents: number
  /** Documents that the search index has refused, as they are on record. */
  readonly deadLetters: number
  /** Active holds whose time was over for longer than the lag allowed; at most `dueBound` are counted. */
  readonly overdueHolds: number
  /** Transfers in flight for longer than the lag allowed; at most `dueBound` are counted. */
  readonly overdueTransfers: number
  /** Wallets whose rows were replaced, and are right now. */
  readonly repaired: number
  readonly conservation: ReadonlyArray<CurrencyTotals>
  /** All differences, also those beyond the bound of `differences`. */
  readonly differenceCount: number
  readonly differences: ReadonlyArray<Difference>
  /** What will go wrong, and has not yet: no difference. */
  readonly warnings: ReadonlyArray<string>
  readonly durationMillis: number
}

/** What was compared so far; grows while `verify` walks. */
export interface VerifyCounts {
  wallets: number
  events: number
  transactions: number
  holds: number
  transfers: number
  keys: number
  refusals: number
  openRefusals: number
  lagging: number
  searched: number
  notSearched: number
  documents: number
}

export const zeroCounts = (): VerifyCounts => ({
  wallets: 0,
  events: 0,
  transactions: 0,
  holds: 0,
  transfers: 0,
  keys: 0,
  refusals: 0,
  openRefusals: 0,
  lagging: 0,
  searched: 0,
  notSearched: 0,
  documents: 0
})

/** Adds `more` to `counts`. */
export const addCounts = (counts: VerifyCounts, more: VerifyCounts): void => {
  for (const name of Object.keys(counts) as Array<keyof VerifyCounts>) counts[name] += more[name]
}

const plain = (value: unknown): string => {
  if (value === undefined) return "nothing"
  if (typeof value === "bigint") return String(value)
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, one]) => `${key}: ${plain(one)}`).join(", ")}}`
}

/**
 * The fields in which two records of the same type differ, as text of both sides;
 * `undefined` when they are equal. Metadata compares by content, in any order.
 */
export const compareRecords = <A extends object>(
  expected: A,
  found: A | undefined
): { readonly expected: string; readonly found: string } | undefined => {
  if (found === undefined) return { expected: plain(expected), found: "nothing" }
  const names = Object.keys(expected) as Array<keyof A & string>
  const differing = names.filter(
    (name) => expected[name] !== found[name] && plain(expected[name]) !== plain(found[name])
  )
  if (differing.length === 0) return undefined
  const side = (record: A): string => differing.map((name) => `${name}: ${plain(record[name])}`).join(", ")
  return { expected: side(expected), found: side(found) }
}
