import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { maxTime, noMetadata } from "../../../src/domain/Limits.ts"
import type { Hold, Transaction, Transfer, TransferLeg, WalletView } from "../../../src/domain/Wallet.ts"
import { amountOrder, sumOfParts } from "../../../src/stores/elastic/Amounts.ts"
import { decodeDocument, encodeDocument } from "../../../src/stores/elastic/Documents.ts"
import type { DocumentOf, SearchDocument } from "../../../src/stores/SearchIndex.ts"
import { foldCase, transactionWords, walletWords } from "../../../src/stores/SearchWords.ts"

const magnitude = (digits: number) => fc.integer({ min: 1, max: digits }).map((power) => 10n ** BigInt(power))
const below = (digits: number, sign: bigint) =>
  magnitude(digits).chain((bound) => fc.bigInt({ min: sign * (bound - 1n), max: bound - 1n }))

const amount = below(30, 0n).map((value) => (value === 0n ? 1n : value))
const amountOrZero = below(30, 0n)
const balance = below(36, -1n)
const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/)
const currency = fc.stringMatching(/^[A-Z][A-Z0-9]{2,15}$/)
const time = fc.integer({ min: 0, max: maxTime })
const version = fc.oneof(fc.nat(1_000), fc.maxSafeNat())
const leg = fc.nat(100)

/** Line ends, quotes, control characters, halves of pairs that are whole, what JSON has to escape and what not. */
const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 20 }).filter((value) => value.isWellFormed()),
  fc.constantFrom("", '"', "\\", "\n", "\u2028\u2029", "\ufeff", "🐎 Café İ", "INV-2026_7, inv-8")
)
const inMetadata = text.filter((value) => !value.includes("\u0000"))
/** Without a backslash: V8 14.6, once it has read `{"a":0,"\\":0}`, reads `{"a":0,"\n":0}` as that. */
const keys = fc.oneof(
  inMetadata.filter((key) => !key.includes("\\")),
  fc.constantFrom("__proto__", "toString")
)
const metadata = fc.oneof(
  fc.constant(noMetadata),
  fc.dictionary(keys, inMetadata, {
    maxKeys: 4,
    noNullPrototype: true
  })
)
const maybe = <A>(values: fc.Arbitrary<A>) => fc.option(values, { nil: null })
const note = { reference: maybe(text), metadata }
const placed = { version, position: amountOrZero }

const wallet: fc.Arbitrary<WalletView> = fc.record({
  id,
  ownerId: id,
  currency,
  balance,
  held: below(36, 0n),
  overdraftLimit: amountOrZero,
  status: fc.constantFrom("active", "frozen", "closed"),
  freeze: maybe(
    fc.record({
      direction: fc.constantFrom("debits" as const, "credits" as const, "all" as const),
      reason: maybe(text),
      until: maybe(time)
    })
  ),
  version,
  metadata,
  createdAt: time,
  updatedAt: time
})

const transaction: fc.Arbitrary<Transaction> = fc.record({
  ...note,
  id: text,
  walletId: id,
  type: fc.constantFrom(
    "credit",
    "debit",
    "capture",
    "transfer_in",
    "transfer_out",
    "reversal",
    "refund_in",
    "refund_out"
  ),
  amount,
  balanceAfter: balance,
  currency,
  holdId: maybe(id),
  transferId: maybe(id),
  refundOf: maybe(id),
  version,
  createdAt: time,
  effectiveAt: time
})

const transferLeg: fc.Arbitrary<TransferLeg> = fc.record({
  ...note,
  from: id,
  to: id,
  amount,
  currency,
  refund: maybe(fc.record({ of: id, leg })),
  sentTransactionId: maybe(text),
  receivedTransactionId: maybe(text)
})

const transfer: fc.Arbitrary<Transfer> = fc.record({
  ...note,
  id,
  from: maybe(id),
  to: maybe(id),
  amount: maybe(amount),
  currency: maybe(currency),
  legs: fc.array(transferLeg, { minLength: 1, maxLength: 3 }),
  status: fc.constantFrom("pending", "completed", "reversed"),
  reason: maybe(text),
  leg: maybe(leg),
  refundOf: maybe(id),
  createdAt: time,
  effectiveAt: time,
  updatedAt: time
})

const hold: fc.Arbitrary<Hold> = fc.record({
  ...note,
  id,
  walletId: id,
  amount,
  captured: amountOrZero,
  remaining: amountOrZero,
  status: fc.constantFrom("active", "captured", "released", "expired"),
  expiresAt: maybe(time),
  createdAt: time
})

const documents: fc.Arbitrary<SearchDocument> = fc.oneof(
  fc.record({ kind: fc.constant("wallet"), ...placed, wallet }),
  fc.record({ kind: fc.constant("transaction"), ...placed, ownerId: id, key: maybe(text), leg, transaction }),
  fc.record({
    kind: fc.constant("transfer"),
    ...placed,
    ownerIds: fc.array(id, { maxLength: 3 }),
    key: maybe(text),
    transfer
  }),
  fc.record({ kind: fc.constant("hold"), version, ownerId: id, currency, hold })
)

/** As any program would write it: amounts as texts. */
const plain = (fields: object): object =>
  JSON.parse(JSON.stringify(fields, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value)))

/** What is shown of it. */
const shownOf = (document: SearchDocument): object => {
  const asOf = document.version
  switch (document.kind) {
    case "wallet":
      return { ...document.wallet, asOf, position: document.position }
    case "transaction": {
      const { key, leg, ownerId, position, transaction } = document
      return { ...transaction, asOf, position, ownerId, key, leg }
    }
    case "transfer": {
      const { key, ownerIds, position, transfer } = document
      // What a leg gives back is left out where there is nothing.
      const legs = transfer.legs.map(({ refund, ...leg }) => (refund === null ? leg : { ...leg, refund }))
      return { ...transfer, legs, asOf, position, ownerIds, key }
    }
    case "hold":
      return { ...document.hold, asOf, ownerId: document.ownerId, currency: document.currency }
  }
}

const once = (values: Iterable<string>): ReadonlyArray<string> => [...new Set(values)].sort()

const wordsOf = (notes: ReadonlyArray<Pick<Transaction, "reference" | "metadata">>, ids: ReadonlyArray<string>) =>
  once([...notes.flatMap(transactionWords), ...ids.map(foldCase)])

const ofTransfer = ({ ownerIds, transfer }: DocumentOf<"transfer">): object => {
  const { id, legs } = transfer
  const notes = [transfer, ...legs]
  const walletIds = once(legs.flatMap(({ from, to }) => [from, to]))
  return {
    words: wordsOf(notes, [id, ...walletIds, ...ownerIds]),
    walletIds,
    currencies: once(legs.map(({ currency }) => currency)),
    references: once(notes.flatMap(({ reference }) => reference ?? [])),
    pairs: once(notes.flatMap(({ metadata }) => Object.entries(metadata).map((pair) => JSON.stringify(pair)))),
    amountOrder: legs.map(({ amount }) => amountOrder(amount)).sort()
  }
}

/** What it is found by; lists in order, for none of these has one of its own. */
const foundBy = (document: SearchDocument): object => {
  switch (document.kind) {
    case "wallet": {
      const { balance } = document.wallet
      return { words: once(walletWords(document.wallet)), balanceOrder: amountOrder(balance), balanceParts: balance }
    }
    case "transaction": {
      const { amount, id, walletId } = document.transaction
      const words = wordsOf([document.transaction], [id, walletId, document.ownerId])
      return { words, amountOrder: amountOrder(amount), amountParts: amount }
    }
    case "transfer":
      return ofTransfer(document)
    case "hold": {
      const { amount, id, walletId } = document.hold
      return { words: wordsOf([document.hold], [id, walletId, document.ownerId]), amountOrder: amountOrder(amount) }
    }
  }
}

const summed = (parts: Readonly<Record<string, number>>): bigint =>
  sumOfParts(Array.from({ length: 6 }, (_, index) => parts[`p${index}`] ?? 0))

const comparable = (name: string, value: unknown): unknown => {
  if (Array.isArray(value)) return [...value].sort()
  return name === "balanceParts" || name === "amountParts" ? summed(value as Record<string, number>) : value
}

it("a document's text is one line of JSON that says what the document says, and is read back as that document", () => {
  const law = fc.property(documents, (document) => {
    const line = encodeDocument(document)
    assert.notInclude(line, "\n")
    const names = Object.keys(foundBy(document))
    const written = Object.entries(JSON.parse(line) as object)
    const shown = Object.fromEntries(written.filter(([name]) => !names.includes(name)))
    assert.deepStrictEqual(shown, plain(shownOf(document)))
    assert.deepStrictEqual(decodeDocument(document.kind, shown), document)
    const found = written.filter(([name]) => names.includes(name))
    assert.deepStrictEqual(Object.fromEntries(found.map(([name, value]) => [name, comparable(name, value)])), {
      ...foundBy(document)
    })
  })
  fc.assert(law, { numRuns: 1_000 })
})
