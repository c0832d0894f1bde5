/**
 * What is in the log and not yet in Persistence, whoever has appended it: between the lowest checkpoint
 * that any owner has left, alive or dead, and the log's head. So an id that Persistence does not know
 * is found to be late, or of nothing.
 */
import * as Effect from "effect/Effect"
import type { RecordedEvent } from "../domain/Event.ts"
import type { EventStore } from "../stores/EventStore.ts"
import type { Persistence } from "../stores/Persistence.ts"
import type { EventUnreadable, ReadError } from "../stores/StoreError.ts"

/** Events per read of the log. */
const pageEvents = 1_000

/** So many pages are looked through, then the answer is that it may be among the rest: about a second of a busy log. */
const lookedThroughPages = 20

interface LateStores {
  readonly log: Pick<EventStore["Service"], "head" | "readAll">
  readonly persistence: Pick<Persistence["Service"], "checkpoints">
}

/**
 * Whether an event that is in the log by now, and that no checkpoint says is persisted, may be one
 * of these. `false` is certain: what is appended later was not there when this was asked.
 */
export const mayBeLate = Effect.fnUntraced(function* (
  { log, persistence }: LateStores,
  isOne: (recorded: RecordedEvent) => boolean
): Effect.fn.Return<boolean, ReadError | EventUnreadable> {
  const { position: head } = yield* log.head
  let after = head
  for (const { position } of yield* persistence.checkpoints) if (position < after) after = position
  for (let page = 0; after < head; page++) {
    if (page === lookedThroughPages) return true
    const events = yield* log.readAll({ after, limit: pageEvents })
    if (events.some(({ recorded }) => isOne(recorded))) return true
    if (events.length < pageEvents) break
    after = events.at(-1)!.position
  }
  return false
})
