/** The log page by page, as the wallets that are in it. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { EventStore } from "../stores/EventStore.ts"
import type { EventUnreadable, ReadError } from "../stores/StoreError.ts"

/** Events per read of the log. */
const pageEvents = 1_000

/** A page of the log, with where to go on. */
export interface Page {
  /** The last version of each wallet in it, and the time of that event. */
  readonly heads: ReadonlyMap<string, { readonly version: number; readonly time: number }>
  readonly next: bigint
  /** There was no more when it was read. */
  readonly isLast: boolean
}

/**
 * Reads around events that cannot be read: such an event stops its own wallet only. It is
 * the head of its wallet in a page of its own, so that the wallet is found to be behind.
 */
export const readPage = Effect.fnUntraced(function* (
  log: EventStore["Service"],
  after: bigint
): Effect.fn.Return<Page, ReadError | EventUnreadable> {
  for (let limit = pageEvents; ; limit >>= 1) {
    const page = yield* Effect.result(log.readAll({ after, limit }))
    if (Result.isSuccess(page)) {
      const heads = new Map<string, { readonly version: number; readonly time: number }>()
      for (const { recorded } of page.success) heads.set(recorded.walletId, recorded)
      return { heads, next: page.success.at(-1)?.position ?? after, isLast: page.success.length < limit }
    }
    const error = page.failure
    if (error._tag !== "EventUnreadable" || (limit === 1 && error.position === undefined)) return yield* error
    if (limit > 1) continue
    const { position, version, walletId } = error
    return { heads: new Map([[walletId, { version, time: 0 }]]), next: position!, isLast: false }
  }
})
