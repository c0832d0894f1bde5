/**
 * Pages of lists and their cursors, for every adapter alike. A cursor says where the page before
 * ended, as a number that never changes once written and never repeats, so that pages stay
 * stable while rows are added, also rows of the same millisecond. It names its list: in another one the number
 * would be a place, too, and the page one that nobody has asked for.
 */
import * as Effect from "effect/Effect"
import { isId } from "../domain/Limits.ts"
import { InvalidRequest } from "../domain/Rejection.ts"

/** One page of a list; `next` is the opaque cursor of the page after it, `null` at the end. */
export interface Page<A> {
  readonly data: ReadonlyArray<A>
  readonly next: string | null
}

export interface PageRequest {
  /** 1–200. */
  readonly limit: number
  readonly cursor?: string | undefined
}

/** The lists that there are. A wallet's own are all one kind, whichever wallet's. */
export type ListKind =
  | "wallets"
  | "transactions"
  | "transfers"
  | "holds"
  | "transactionsOfWallet"
  | "holdsOfWallet"
  | "keys"
  | "audit"
  | "webhooks"
  | "deliveries"

/** `list`: what {@link decodeCursor} is to be told. Keys are strings, so that nothing is lost on the way. */
export const encodeCursor = (list: string, ...keys: ReadonlyArray<string>): string =>
  Buffer.from(JSON.stringify([list, ...keys]), "utf8").toString("base64url")

/** `undefined` when the cursor is not one of that list with `length` keys. */
export const decodeCursor = (list: string, cursor: string, length: number): ReadonlyArray<string> | undefined => {
  if (cursor.length > 1024 || !/^[A-Za-z0-9_-]+$/.test(cursor)) return undefined
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"))
    if (!Array.isArray(parts) || parts.length !== length + 1 || parts[0] !== list) return undefined
    const keys = parts.slice(1)
    return keys.every((key) => typeof key === "string") ? keys : undefined
  } catch {
    return undefined
  }
}

const invalid = Effect.fail(new InvalidRequest({ detail: "cursor: not one that a list of this kind has answered" }))

const wholeNumber = /^(?:0|[1-9][0-9]{0,14})$/
const bigPosition = /^(?:0|[1-9][0-9]{0,17})$/

/** The end of a page of a wallet's holds: the version of the event that made the last of them. */
export const decodeVersion = (
  list: ListKind,
  cursor: string | undefined
): Effect.Effect<number | undefined, InvalidRequest> => {
  if (cursor === undefined) return Effect.undefined
  const [version] = decodeCursor(list, cursor, 1) ?? []
  return version !== undefined && wholeNumber.test(version) ? Effect.succeed(Number(version)) : invalid
}

/** The end of a page over all wallets: the position of the event that made the last row. */
export const decodePosition = (
  list: ListKind,
  cursor: string | undefined
): Effect.Effect<bigint | undefined, InvalidRequest> => {
  if (cursor === undefined) return Effect.undefined
  const [position] = decodeCursor(list, cursor, 1) ?? []
  return position !== undefined && bigPosition.test(position) ? Effect.succeed(BigInt(position)) : invalid
}

/**
 * The end of a page of transactions: the version or the position of the event that made the last
 * of them, and where it makes several its leg; `0`: all of its event were there.
 */
export interface TransactionPlace {
  readonly at: bigint
  readonly leg: number
}

const smallNumber = /^(?:0|[1-9][0-9]{0,3})$/

/** The place of a list of transactions. */
export const decodeTransactionPlace = (
  list: ListKind,
  cursor: string | undefined
): Effect.Effect<TransactionPlace | undefined, InvalidRequest> => {
  if (cursor === undefined) return Effect.undefined
  const [at, leg = "0"] = decodeCursor(list, cursor, 1) ?? decodeCursor(list, cursor, 2) ?? []
  return at !== undefined && bigPosition.test(at) && smallNumber.test(leg)
    ? Effect.succeed({ at: BigInt(at), leg: Number(leg) })
    : invalid
}

/** Whether it comes after that place in a list, newest first. */
export const isBefore = (place: TransactionPlace | undefined, at: bigint | number, leg: number): boolean =>
  place === undefined || BigInt(at) < place.at || (BigInt(at) === place.at && leg < place.leg)

/** What lists of holds over all wallets go by; it never changes. */
export interface HoldPlace {
  /** Milliseconds. */
  readonly createdAt: number
  readonly walletId: string
  readonly id: string
}

/** The end of a page of holds over all wallets. */
export const decodeCreation = (cursor: string | undefined): Effect.Effect<HoldPlace | undefined, InvalidRequest> => {
  if (cursor === undefined) return Effect.undefined
  const [createdAt = "", walletId = "", id = ""] = decodeCursor("holds", cursor, 3) ?? []
  return wholeNumber.test(createdAt) && isId(walletId) && isId(id)
    ? Effect.succeed({ createdAt: Number(createdAt), walletId, id })
    : invalid
}

const pageOf =
  <A>(keysOf: (last: A) => ReadonlyArray<bigint | number | string>) =>
  <R extends A, B>(list: ListKind, rows: ReadonlyArray<R>, limit: number, valueOf: (row: R) => B): Page<B> => {
    const last = rows[limit - 1]
    const isMore = rows.length > limit && last !== undefined
    const next = isMore ? encodeCursor(list, ...keysOf(last).map(String)) : null
    return { data: rows.slice(0, limit).map(valueOf), next }
  }

/** A page of rows of one wallet. One more than it takes tells that there is a next page. */
export const pageByVersion = pageOf<{ readonly version: bigint | number }>(({ version }) => [version])

const placeOf = (at: bigint | number, leg: number): ReadonlyArray<bigint | number> => (leg === 0 ? [at] : [at, leg])

/** The same of transactions of one wallet. */
export const pageOfTransactions = pageOf<{ readonly version: bigint | number; readonly leg: number }>(
  ({ leg, version }) => placeOf(version, leg)
)

/** The same of transactions over all wallets. */
export const pageOfAllTransactions = pageOf<{ readonly position: bigint; readonly leg: number }>(({ leg, position }) =>
  placeOf(position, leg)
)

/** The same of rows over all wallets. */
export const pageByPosition = pageOf<{ readonly position: bigint }>(({ position }) => [position])

/** The same of what is numbered in the order of its making. */
export const pageByNumber = pageOf<{ readonly number: bigint }>(({ number }) => [number])

/** The same of holds over all wallets. */
export const pageByCreation = pageOf<HoldPlace>(({ createdAt, id, walletId }) => [createdAt, walletId, id])
