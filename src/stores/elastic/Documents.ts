/**
 * Documents as JSON: what is shown of each comes back exactly as it was, and beside it stands what
 * it is found by, which Elasticsearch indexes and does not keep (`Mapping.ts`).
 */
import * as Schema from "effect/Schema"
import { codecOf, type JsonObject, listCodec, structCodec, withCodec } from "../../domain/Codec.ts"
import { type Hold, type Transaction, type Transfer, type WalletView, WalletStatus } from "../../domain/Wallet.ts"
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
import type { DocumentKind, SearchDocument } from "../SearchIndex.ts"
import { foldCase, transactionWords, walletWords } from "../SearchWords.ts"
import { amountOrder, amountParts } from "./Amounts.ts"

const Note = { reference: Schema.NullOr(Text), metadata: Metadata }
const Owners = withCodec(Schema.Array(Id), listCodec(codecOf(Id), 2))
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

const transfers = structCodec(
  Schema.Struct({
    asOf: Version,
    position: Position,
    ownerIds: Owners,
    key: Schema.NullOr(Text),
    id: Id,
    from: Id,
    to: Id,
    amount: Amount,
    currency: Currency,
    status: Schema.Literals(["pending", "completed", "reversed"]),
    reason: Schema.NullOr(Text),
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
const wordsWith = (of: Pick<Transaction, "reference" | "metadata">, ids: Iterable<string>): ReadonlyArray<string> => {
  const words = new Set(transactionWords(of))
  for (const id of ids) words.add(foldCase(id))
  return [...words]
}

const fieldsOf = (document: SearchDocument): JsonObject => {
  const asOf = document.version
  switch (document.kind) {
    case "wallet": {
      const { position, wallet } = document
      const { balance } = wallet
      return {
        ...wallets.encode({ ...wallet, asOf, position }),
        words: walletWords(wallet),
        balanceOrder: amountOrder(balance),
        balanceParts: amountParts(balance)
      }
    }
    case "transaction": {
      const { key, ownerId, position, transaction } = document
      const { amount, id, walletId } = transaction
      return {
        ...transactions.encode({ ...transaction, asOf, position, ownerId, key }),
        words: wordsWith(transaction, [id, walletId, ownerId]),
        amountOrder: amountOrder(amount),
        amountParts: amountParts(amount)
      }
    }
    case "transfer": {
      const { key, ownerIds, position, transfer } = document
      const { amount, from, id, to } = transfer
      return {
        ...transfers.encode({ ...transfer, asOf, position, ownerIds, key }),
        words: wordsWith(transfer, [id, from, to, ...ownerIds]),
        amountOrder: amountOrder(amount)
      }
    }
    case "hold": {
      const { currency, hold, ownerId } = document
      const { amount, id, walletId } = hold
      return {
        ...holds.encode({ ...hold, asOf, ownerId, currency }),
        words: wordsWith(hold, [id, walletId, ownerId]),
        amountOrder: amountOrder(amount)
      }
    }
  }
}

/** One line of JSON. */
export const encodeDocument = (document: SearchDocument): string => JSON.stringify(fieldsOf(document))

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
      const { asOf, key, ownerId, position, ...transaction } = readTransaction(source)
      return { kind, version: asOf, position, ownerId, key, transaction: transaction satisfies Transaction }
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
