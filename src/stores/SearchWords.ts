/**
 * What a word is, for every read model alike.
 *
 * Text is compared in lower case and in Unicode's composed form (NFC), so that
 * `Café` is found however its accent was typed. Everything but letters, marks,
 * digits, `_` and `-` separates. A compound with `_` or `-` is indexed whole and
 * by its parts: `INV-2026_7` is found by `inv-2026_7`, `inv`, `2026` and `7`. The
 * words of a query are taken as typed: `inv-2026` asks for that compound, and is
 * found neither in `inv 2026` nor in `inv-2026_7`. A word that a `*` follows at once asks
 * for all that begin with it: `inv-20*` is found in `inv-2026_7`. Any other `*` separates.
 *
 * Wallets are searched by the words of id, ownerId and metadata values.
 * Transactions, transfers and holds are searched by the words of reference and metadata
 * values; their own id, their wallets' ids and their owners' ids match as wholes only, or
 * by how they begin.
 */
import type { Metadata } from "../domain/Limits.ts"
import { noMetadata } from "../domain/Limits.ts"
import type { Transaction } from "../domain/Wallet.ts"
import type { WalletView } from "./Persistence.ts"

const compoundPattern = /[\p{L}\p{M}\p{N}_-]+/gu
const partPattern = /[^_-]+/g
const letterOrDigit = /[\p{L}\p{N}]/u

/** All others are the same in every form, but for their case. */
const beyondAscii = /[^ -~]/

/** Ids and words are compared in this form. */
export const foldCase = (text: string): string =>
  beyondAscii.test(text) ? text.normalize("NFC").toLowerCase().normalize("NFC") : text.toLowerCase()

const addWords = (words: Set<string>, text: string): void => {
  // Not `matchAll`: twice as dear, and every event of the log goes through here for a search index.
  for (const compound of foldCase(text).match(compoundPattern) ?? []) {
    if (!letterOrDigit.test(compound)) continue
    words.add(compound)
    if (!compound.includes("-") && !compound.includes("_")) continue
    for (const part of compound.match(partPattern) ?? []) words.add(part)
  }
}

const addMetadata = (words: Set<string>, metadata: Metadata): void => {
  if (metadata === noMetadata) return
  for (const value of Object.values(metadata)) addWords(words, value)
}

const noWords: ReadonlyArray<string> = Object.freeze([])

/** Each word once. */
export const walletWords = (wallet: Pick<WalletView, "id" | "ownerId" | "metadata">): ReadonlyArray<string> => {
  const words = new Set<string>()
  addWords(words, wallet.id)
  addWords(words, wallet.ownerId)
  addMetadata(words, wallet.metadata)
  return [...words]
}

/** Each word once, of reference and metadata values only, also of a transfer or a hold; most have none. */
export const transactionWords = (transaction: Pick<Transaction, "reference" | "metadata">): ReadonlyArray<string> => {
  if (transaction.reference === null && transaction.metadata === noMetadata) return noWords
  const words = new Set<string>()
  if (transaction.reference !== null) addWords(words, transaction.reference)
  addMetadata(words, transaction.metadata)
  return words.size === 0 ? noWords : [...words]
}

/** What a query asks for, each once, all of which must be there. */
export interface QueryWords {
  readonly words: ReadonlyArray<string>
  /** Beginnings of words. */
  readonly prefixes: ReadonlyArray<string>
}

/** A query without any (`"…"`, `"*"`) asks for nothing and finds nothing. */
export const queryWords = (q: string): QueryWords => {
  const text = foldCase(q)
  const words = new Set<string>()
  const prefixes = new Set<string>()
  for (const { 0: compound, index } of text.matchAll(compoundPattern)) {
    if (!letterOrDigit.test(compound)) continue
    const asked = text[index + compound.length] === "*" ? prefixes : words
    asked.add(compound)
  }
  return { words: [...words], prefixes: [...prefixes] }
}

/** Whether a query has words of which there are only the beginnings: how many they stand for nobody knows before. */
export const hasPrefix = (q: string | undefined): boolean => q !== undefined && queryWords(q).prefixes.length > 0

export const asksNothing = ({ prefixes, words }: QueryWords): boolean => words.length === 0 && prefixes.length === 0

/** `found`: the words that it is found by, ids and words alike. */
export const matchesWords = (asked: QueryWords, found: ReadonlyArray<string>): boolean =>
  !asksNothing(asked) &&
  asked.words.every((word) => found.includes(word)) &&
  asked.prefixes.every((prefix) => found.some((word) => word.startsWith(prefix)))
