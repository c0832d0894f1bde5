/**
 * The last event of a wallet in the whole log, on a server where others' events may
 * have followed it by the million: each look begins where the one before ended.
 */
import * as Effect from "effect/Effect"
import type { KurrentCallFailed } from "./Connection.ts"
import { readFailureOf } from "./Failure.ts"
import type { KurrentNames } from "./Names.ts"
import { offsetOf, positionAt } from "./Position.ts"
import type { KurrentReads } from "./Reads.ts"
import type { KurrentRecord } from "./Records.ts"
import type { KurrentSearch } from "./Search.ts"
import type { ReadError } from "../StoreError.ts"

/** Events that the head may have moved by before it is cheaper to look from the end. */
const headPage = 64

export interface KurrentHead {
  /** Position of the last event of a wallet, `0n` when there is none. */
  readonly lastPosition: Effect.Effect<bigint, ReadError>
  /** The furthest offset known from which no event after `position` is missed. */
  readonly offsetBehind: (position: bigint) => bigint
}

/** After `last` there is no wallet's event up to `end`. */
interface Known {
  /** Offset of an event of anybody's. */
  readonly end: bigint
  /** Position of the last event of a wallet. */
  readonly last: bigint
}

export const offsetAt = (record: KurrentRecord | undefined): bigint => record?.position?.commit ?? 0n

export const make = (names: KurrentNames, reads: KurrentReads, searches: KurrentSearch): KurrentHead => {
  let known: Known | undefined

  const know = (end: bigint, last: bigint): bigint => {
    if (known === undefined || end > known.end) known = { end, last }
    return last
  }

  /** From the end of the log back to the last event of a wallet, or to where the installation began. */
  const searchBack = Effect.map(
    reads.log({ from: "end", maxCount: 1, prefixes: [names.wallets, names.installation] }),
    ([record]) => (record?.streamId.startsWith(names.wallets) === true ? positionAt(offsetAt(record)) : 0n)
  )

  const search: Effect.Effect<bigint, KurrentCallFailed> = Effect.gen(function* () {
    const [tail] = yield* reads.log({ from: "end", maxCount: 1 })
    const end = offsetAt(tail)
    // A log that ends before what we have seen of it is another one by now: nothing is known of it.
    if (known !== undefined && end < known.end) known = undefined
    if (known === undefined) return know(end, yield* searchBack)
    if (known.end === end) return known.last
    const { last } = known
    const moved = yield* reads.log({ from: known.end, maxCount: headPage, prefixes: [names.wallets] })
    if (moved.length === headPage) return know(end, yield* searchBack)
    const newest = positionAt(offsetAt(moved.at(-1)))
    return know(end, moved.length === 0 || newest < last ? last : newest)
  })

  return {
    lastPosition: Effect.mapError(searches.run("head", search), (error) =>
      error._tag === "KurrentCallFailed" ? readFailureOf(error.failure) : error
    ),
    offsetBehind: (position) => {
      const offset = offsetOf(position)
      return known !== undefined && position >= known.last && known.end > offset ? known.end : offset
    }
  }
}
