/**
 * Whether what a set of indexes was written from is still what the log has. A log that was put back to an earlier copy
 * may have grown beyond the set's checkpoint since: then it is its mark that tells, an event that the log has no more.
 */
import * as Effect from "effect/Effect"
import type { EventStore, PositionedEvent } from "../stores/EventStore.ts"
import type { IndexSet, LogMark } from "../stores/SearchIndex.ts"
import type { ReadError } from "../stores/StoreError.ts"

type Log = Pick<EventStore["Service"], "head" | "read">

export interface SetPlace {
  readonly checkpoint: bigint
  readonly mark: LogMark | undefined
  /** Of the log, read after the others: another process may write meanwhile. */
  readonly head: bigint
  /** Why the set is not of this log's history; `undefined`: it is, as far as it has come. */
  readonly flaw: string | undefined
}

export const markOf = ({ recorded: { id, version, walletId } }: PositionedEvent): LogMark => ({ walletId, version, id })

/** An event that cannot be read is there, and says no more. */
const isThere = (log: Log, { id, version, walletId }: LogMark): Effect.Effect<boolean, ReadError> =>
  log.read(walletId, { after: version - 1, limit: 1 }).pipe(
    Effect.map(([found]) => found?.version === version && found.id === id),
    Effect.catchTag("EventUnreadable", () => Effect.succeed(true))
  )

const putBack = "the log, which was put back to an earlier copy"

/** How far a set is, and whether that is of this log. */
export const placeOf = Effect.fnUntraced(function* (log: Log, set: IndexSet): Effect.fn.Return<SetPlace, ReadError> {
  const checkpoint = yield* set.checkpoint
  const mark = yield* set.mark
  const { position: head } = yield* log.head
  const place = { checkpoint, mark, head }
  if (checkpoint > head)
    return { ...place, flaw: `the search index is ahead of ${putBack}: ${checkpoint} is beyond ${head}` }
  if (mark === undefined || (yield* isThere(log, mark))) return { ...place, flaw: undefined }
  const lost = `event ${mark.version} of wallet ${mark.walletId}`
  return { ...place, flaw: `the search index has what is no more in ${putBack}: ${lost}` }
})
