/**
 * Documents as JSON: what is shown of each comes back exactly as it was, and beside it stands what
 * it is found by, which Elasticsearch indexes and does not keep (`Mapping.ts`).
 */
import * as Schema from "effect/Schema"
import { codecOf, listCodec, structCodec, withCodec } from "../../domain/Codec.ts"
import { maxLegs, walletsOf } from "../../domain/Legs.ts"
import {
  Freeze,
  type Hold,
  type Transaction,
  type Transfer,
  type WalletView,
  WalletStatus
} from "../../domain/Wallet.ts"
import {
  Amount,
  AmountOrZero,
  Balance,
  Currency,
  Held,
  Id,
  Metadata,
  Text,
  Time,
  Version
} from "../../domain/WireValues.ts"
import type { DocumentKind, DocumentOf, SearchDocument } from "../SearchIndex.ts"
import { foldCase, transactionWords, walletWords } from "../SearchWords.ts"
import { amountOrder, amountParts } from "./Amounts.ts"

const Note = { reference: Schema.NullOr(Text), metadata: Metadata }
const Owners = withCodec(Schema.Array(Id), listCodec(codecOf(Id), 2 * maxLegs))
export const TransactionType = Schema.Literals([
  "credit",
  "debit",
  "capture",
  "transfer_in",
  "transfer_out",
  "reversal"
])
/** As text: a reader's JSON has no whole numbers above 2^53. */
const Position = AmountOrZero

const wallets = structCodec(
  Schema.Struct({
    asOf: Version,
    position: Position,
    id: Id,
    ownerId: Id,
    currency: Currency,
    balance: Balance,
    held: Held,
    overdraftLimit: AmountOrZero,
    status: WalletStatus,
    freeze: Schema.NullOr(Freeze),
    version: Version,
    metadata: Metadata,
    createdAt: Time,
    updatedAt: Time
  })
)

const transactions = structCodec(
  Schema.Struct({
    asOf: Version,
    position: Position,
    ownerId: Id,
    key: Schema.NullOr(Text),
    leg: Version,
    id: Text,
    walletId: Id,
    type: TransactionType,
    amount: Amount,
    balanceAfter: Balance,
    currency: Currency,
    ...Note,
    holdId: Schema.NullOr(Id),
    transferId: Schema.NullOr(Id),
    version: Version,
    createdAt: Time,
    effectiveAt: Time
  })
)

const transferLeg = Schema.Struct({
  from: Id,
  to: Id,
  amount: Amount,
  currency: Currency,
  ...Note,
  sentTransactionId: Schema.NullOr(Text),
  receivedTransactionId: Schema.NullOr(Text)
})

const Legs = withCodec(Schema.Array(transferLeg), listCodec(codecOf(transferLeg), maxLegs))

const transfers = structCodec(
  Schema.Struct({
    asOf: Version,
    position: Position,
    ownerIds: Owners,
    key: Schema.NullOr(Text),
    id: Id,
    from: Schema.NullOr(Id),
    to: Schema.NullOr(Id),
    amount: Schema.NullOr(Amount),
    currency: Schema.NullOr(Currency),
    legs: Legs,
    status: Schema.Literals(["pending", "completed", "reversed"]),
    reason: Schema.NullOr(Text),
    leg: Schema.NullOr(Version),
    ...Note,
    createdAt: Time,
    effectiveAt: Time,
    updatedAt: Time
  })
)

const holds = structCodec(
  Schema.Struct({
    asOf: Version,
    ownerId: Id,
    currency: Currency,
    id: Id,
    walletId: Id,
    amount: Amount,
    captured: AmountOrZero,
    remaining: AmountOrZero,
    status: Schema.Literals(["active", "captured", "released", "expired"]),
    expiresAt: Schema.NullOr(Time),
    ...Note,
    createdAt: Time
  })
)

/** Of reference and metadata values, and ids as wholes. */
const wordsWith = (words: Array<string>, ids: ReadonlyArray<string>): ReadonlyArray<string> => {
  for (const id of ids) {
    const word = foldCase(id)
    if (!words.includes(word)) words.push(word)
  }
  return words
}

/** How a pair of metadata is found. */
export const pairOf = ([key, value]: readonly [string, string]): string => JSON.stringify([key, value])

const walletText = ({ position, version: asOf, wallet }: DocumentOf<"wallet">): string => {
  const { balance } = wallet
  return (
    `{${wallets.members({ ...wallet, asOf, position })},"words":${JSON.stringify(walletWords(wallet))},` +
    `"balanceOrder":"${amountOrder(balance)}","balanceParts":${amountParts(balance)}}`
  )
}

const transactionText = (document: DocumentOf<"transaction">): string => {
  const { key, leg, ownerId, position, transaction, version: asOf } = document
  const { amount, id, walletId } = transaction
  const words = wordsWith([...transactionWords(transaction)], [id, walletId, ownerId])
  return (
    `{${transactions.members({ ...transaction, asOf, position, ownerId, key, leg })},` +
    `"words":${JSON.stringify(words)},"amountOrder":"${amountOrder(amount)}","amountParts":${amountParts(amount)}}`
  )
}

const transferText = ({ key, ownerIds, position, transfer, version: asOf }: DocumentOf<"transfer">): string => {
  const { id, legs } = transfer
  const walletIds = walletsOf(legs)
  const notes = [transfer, ...legs]
  const foundBy = {
    words: wordsWith([...new Set(notes.flatMap(transactionWords))], [id, ...walletIds, ...ownerIds]),
    walletIds,
    currencies: [...new Set(legs.map(({ currency }) => currency))],
    references: [...new Set(notes.flatMap(({ reference }) => reference ?? []))],
    pairs: [...new Set(notes.flatMap(({ metadata }) => Object.entries(metadata).map(pairOf)))],
    amountOrder: legs.map(({ amount }) => amountOrder(amount))
  }
  return `{${transfers.members({ ...transfer, asOf, position, ownerIds, key })},${JSON.stringify(foundBy).slice(1)}`
}

const holdText = ({ currency, hold, ownerId, version: asOf }: DocumentOf<"hold">): string => {
  const { amount, id, walletId } = hold
  const words = wordsWith([...transactionWords(hold)], [id, walletId, ownerId])
  return (
    `{${holds.members({ ...hold, asOf, ownerId, currency })},` +
    `"words":${JSON.stringify(words)},"amountOrder":"${amountOrder(amount)}"}`
  )
}

/** One line of JSON: what is shown of the document, then what it is found by. */
export const encodeDocument = (document: SearchDocument): string => {
  switch (document.kind) {
    case "wallet":
      return walletText(document)
    case "transaction":
      return transactionText(document)
    case "transfer":
      return transferText(document)
    case "hold":
      return holdText(document)
  }
}

const read =
  <A>(kind: DocumentKind, codec: { decode(value: unknown): A | undefined; explain(value: unknown): string }) =>
  (source: unknown): A => {
    const fields = codec.decode(source)
    if (fields === undefined) throw new Error(`a document of a ${kind} cannot be read: ${codec.explain(source)}`)
    return fields
  }

const readWallet = read("wallet", wallets)
const readTransaction = read("transaction", transactions)
const readTransfer = read("transfer", transfers)
const readHold = read("hold", holds)

/** A document from its source; throws an Error that says why it is not one that `encodeDocument` has made. */
export const decodeDocument = (kind: DocumentKind, source: unknown): SearchDocument => {
  switch (kind) {
    case "wallet": {
      const { asOf, position, ...wallet } = readWallet(source)
      return { kind, version: asOf, position, wallet: wallet satisfies WalletView }
    }
    case "transaction": {
      const { asOf, key, leg, ownerId, position, ...transaction } = readTransaction(source)
      return { kind, version: asOf, position, ownerId, key, leg, transaction: transaction satisfies Transaction }
    }
    case "transfer": {
      const { asOf, key, ownerIds, position, ...transfer } = readTransfer(source)
      return { kind, version: asOf, position, ownerIds, key, transfer: transfer satisfies Transfer }
    }
    case "hold": {
      const { asOf, currency, ownerId, ...hold } = readHold(source)
      return { kind, version: asOf, ownerId, currency, hold: hold satisfies Hold }
    }
  }
}
