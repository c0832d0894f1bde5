/**
 * What a word is, for every read model alike.
 *
 * Text is compared in lower case and in Unicode's composed form (NFC), so that
 * `Café` is found however its accent was typed. Everything but letters, marks,
 * digits, `_` and `-` separates. A compound with `_` or `-` is indexed whole and
 * by its parts: `INV-2026_7` is found by `inv-2026_7`, `inv`, `2026` and `7`. The
 * words of a query are taken as typed: `inv-2026` asks for that compound, and is
 * found neither in `inv 2026` nor in `inv-2026_7`.
 *
 * Wallets are searched by the words of id, ownerId and metadata values.
 * Transactions are searched by the words of reference and metadata values; their
 * own id, their wallet's id and its ownerId match as wholes only.
 */
import type { Metadata } from "../domain/Limits.ts"
import { noMetadata } from "../domain/Limits.ts"
import type { Transaction } from "../domain/Wallet.ts"
import type { WalletView } from "./Persistence.ts"

const compoundPattern = /[\p{L}\p{M}\p{N}_-]+/gu
const partPattern = /[^_-]+/g
const letterOrDigit = /[\p{L}\p{N}]/u

/** Ids and words are compared in this form. */
export const foldCase = (text: string): string => text.normalize("NFC").toLowerCase().normalize("NFC")

const addWords = (words: Set<string>, text: string): void => {
  for (const [compound] of foldCase(text).matchAll(compoundPattern)) {
    if (!letterOrDigit.test(compound)) continue
    words.add(compound)
    if (!compound.includes("-") && !compound.includes("_")) continue
    for (const [part] of compound.matchAll(partPattern)) words.add(part)
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

/** Each word once, of reference and metadata values only; most transactions have none. */
export const transactionWords = (transaction: Pick<Transaction, "reference" | "metadata">): ReadonlyArray<string> => {
  if (transaction.reference === null && transaction.metadata === noMetadata) return noWords
  const words = new Set<string>()
  if (transaction.reference !== null) addWords(words, transaction.reference)
  addMetadata(words, transaction.metadata)
  return words.size === 0 ? noWords : [...words]
}

/**
 * The words that a query asks for, each once, all of which must be there. A query
 * without any (`"…"`) asks for nothing and finds nothing.
 */
export const queryWords = (q: string): ReadonlyArray<string> => {
  const words = new Set<string>()
  for (const [compound] of foldCase(q).matchAll(compoundPattern)) {
    if (letterOrDigit.test(compound)) words.add(compound)
  }
  return [...words]
}
