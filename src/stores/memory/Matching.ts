/** Whether a row is what a search asks for: what all lists have in common. */
import type { Metadata } from "../../domain/Limits.ts"
import type { Transfer } from "../../domain/Wallet.ts"
import type { AmountSearch, SearchFilter, TransferSearch } from "../ReadModel.ts"
import { foldCase, matchesWords, queryWords, type QueryWords, transactionWords } from "../SearchWords.ts"

/** A filter with the words of its `q`, found once. */
interface Asked<F extends SearchFilter = SearchFilter> {
  readonly filter: F
  /** `undefined`: none asked for, everything matches. */
  readonly words: QueryWords | undefined
}

export const askedOf = <F extends SearchFilter>(filter: F): Asked<F> => ({
  filter,
  words: filter.q === undefined ? undefined : queryWords(filter.q)
})

interface Row {
  readonly metadata: Metadata
  readonly createdAt: number
}

/** What of a row others than itself say, and how it is found by words. */
interface Facts<R extends Row> {
  readonly ownerIds: ReadonlyArray<string>
  readonly currency: string | undefined
  /** Its own, or that of the wallet it is of. */
  readonly walletId: string
  readonly words: (row: R) => ReadonlyArray<string>
  /** Found as wholes, as its owners are. */
  readonly ids: ReadonlyArray<string>
}

/** `value` is within bounds, both included. */
export const isWithin = <A extends bigint | number>(value: A, min: A | undefined, max: A | undefined): boolean =>
  (min === undefined || value >= min) && (max === undefined || value <= max)

/** Whatever it is, unless some are given. */
export const isOneOf = (given: ReadonlyArray<string> | undefined, value: string | undefined): boolean =>
  given === undefined || (value !== undefined && given.includes(value))

const hasPairs = (pairs: Metadata, metadata: Metadata): boolean =>
  Object.entries(pairs).every(([key, value]) => Object.hasOwn(metadata, key) && metadata[key] === value)

export const matches = <R extends Row>({ filter, words }: Asked, row: R, facts: Facts<R>): boolean =>
  (filter.ownerId === undefined || facts.ownerIds.includes(filter.ownerId)) &&
  (filter.currency === undefined || facts.currency === filter.currency) &&
  isOneOf(filter.currencies, facts.currency) &&
  isOneOf(filter.walletIds, facts.walletId) &&
  isWithin(row.createdAt, filter.from, filter.to) &&
  (filter.metadata === undefined || hasPairs(filter.metadata, row.metadata)) &&
  (words === undefined ||
    matchesWords(words, [...facts.words(row), ...[...facts.ids, ...facts.ownerIds].map(foldCase)]))

/** `walletIds`: those that it moves money of. */
export const matchesAmount = (
  filter: AmountSearch,
  row: { readonly amount: bigint; readonly reference: string | null },
  walletIds: ReadonlyArray<string>
): boolean =>
  (filter.walletId === undefined || walletIds.includes(filter.walletId)) &&
  isWithin(row.amount, filter.minAmount, filter.maxAmount) &&
  (filter.reference === undefined || row.reference === filter.reference)

/** Of several legs one of them is as it is asked for, or the transfer itself; words are of all together. */
export const matchesTransfer = (
  { filter, words }: Asked<TransferSearch>,
  transfer: Transfer,
  facts: Pick<Facts<Transfer>, "ownerIds" | "ids"> & { readonly walletIds: ReadonlyArray<string> }
): boolean => {
  const { legs } = transfer
  const texts = [transfer, ...legs]
  const { maxAmount, metadata = {}, minAmount } = filter
  return (
    (filter.ownerId === undefined || facts.ownerIds.includes(filter.ownerId)) &&
    (filter.walletId === undefined || facts.walletIds.includes(filter.walletId)) &&
    (filter.walletIds === undefined || facts.walletIds.some((id) => filter.walletIds!.includes(id))) &&
    (filter.currencies === undefined || legs.some(({ currency }) => filter.currencies!.includes(currency))) &&
    (filter.refundOf === undefined || transfer.refundOf === filter.refundOf) &&
    (filter.currency === undefined || legs.some(({ currency }) => currency === filter.currency)) &&
    (filter.reference === undefined || texts.some(({ reference }) => reference === filter.reference)) &&
    isWithin(transfer.createdAt, filter.from, filter.to) &&
    legs.some(({ amount }) => isWithin(amount, minAmount, maxAmount)) &&
    Object.entries(metadata).every(([key, value]) => texts.some((one) => hasPairs({ [key]: value }, one.metadata))) &&
    (words === undefined ||
      matchesWords(words, [...texts.flatMap(transactionWords), ...[...facts.ids, ...facts.ownerIds].map(foldCase)]))
  )
}

/** `asked`: the caller's, without its namespace. */
export const hasKey = (asked: string | undefined, key: string): boolean => asked === undefined || key === `c:${asked}`
