/**
 * The cursors of the lists, for every adapter alike: where the page before ended,
 * as a number that never changes once written and never repeats, so that pages stay
 * stable while rows are added, also rows of the same millisecond.
 */
import * as Effect from "effect/Effect"
import { InvalidRequest } from "../domain/Rejection.ts"
import { decodeCursor, encodeCursor, type Page } from "./Page.ts"

const invalid = Effect.fail(new InvalidRequest({ detail: "cursor: not one that a list of this kind has answered" }))

const wholeNumber = /^(?:0|[1-9][0-9]{0,14})$/
const bigPosition = /^(?:0|[1-9][0-9]{0,17})$/

/** The end of a page of a wallet's transactions or holds: the version of the event that made the last of them. */
export const decodeVersion = (cursor: string | undefined): Effect.Effect<number | undefined, InvalidRequest> => {
  if (cursor === undefined) return Effect.undefined
  const [version] = decodeCursor(cursor, 1) ?? []
  return version !== undefined && wholeNumber.test(version) ? Effect.succeed(Number(version)) : invalid
}

export const encodeVersion = (version: number): string => encodeCursor(String(version))

/** The end of a page over all wallets: the position of the event that made the last row. */
export const decodePosition = (cursor: string | undefined): Effect.Effect<bigint | undefined, InvalidRequest> => {
  if (cursor === undefined) return Effect.undefined
  const [position] = decodeCursor(cursor, 1) ?? []
  return position !== undefined && bigPosition.test(position) ? Effect.succeed(BigInt(position)) : invalid
}

export const encodePosition = (position: bigint): string => encodeCursor(String(position))

/** A page from one row more than asked for: its presence tells whether there is a next page. */
export const pageOf = <A>(rows: ReadonlyArray<A>, limit: number, cursorOf: (last: A) => string): Page<A> => {
  const last = rows[limit - 1]
  return rows.length > limit && last !== undefined
    ? { data: rows.slice(0, limit), next: cursorOf(last) }
    : { data: rows, next: null }
}
