/** The log page by page, around events that cannot be read. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { EventStore, PositionedEvent } from "../stores/EventStore.ts"
import type { EventUnreadable, ReadError } from "../stores/StoreError.ts"

export interface LogPage {
  readonly events: ReadonlyArray<PositionedEvent>
  /** Where the next page begins. */
  readonly next: bigint
  /** There was no more when it was read. */
  readonly isLast: boolean
  /** The page is this event alone, which is passed over. */
  readonly unreadable: EventUnreadable | undefined
}

/** At most `limit` events with position > `after`. An event that cannot be read is a page of its own. */
export const readLogPage = Effect.fnUntraced(function* (
  log: Pick<EventStore["Service"], "readAll">,
  after: bigint,
  limit: number
): Effect.fn.Return<LogPage, ReadError | EventUnreadable> {
  for (let size = limit; ; size = size >> 1) {
    const read = yield* Effect.result(log.readAll({ after, limit: size }))
    if (Result.isSuccess(read)) {
      const events = read.success
      return { events, next: events.at(-1)?.position ?? after, isLast: events.length < size, unreadable: undefined }
    }
    const error = read.failure
    if (error._tag !== "EventUnreadable" || (size === 1 && error.position === undefined)) return yield* error
    if (size === 1) return { events: [], next: error.position!, isLast: false, unreadable: error }
  }
})
