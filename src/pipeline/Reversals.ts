/** The reversals that the log has. */
import * as Effect from "effect/Effect"
import type { OperationReversed } from "../domain/Event.ts"
import type { EventStore } from "../stores/EventStore.ts"
import type { EventUnreadable, ReadError } from "../stores/StoreError.ts"

/** Events per read of one stream. */
const pageEvents = 500

/** The event that undoes the one of that version; `undefined`: there is none up to the stream's end. */
export const findReversal = Effect.fnUntraced(function* (
  log: EventStore["Service"],
  walletId: string,
  version: number
): Effect.fn.Return<
  { readonly version: number; readonly event: OperationReversed } | undefined,
  ReadError | EventUnreadable
> {
  let after = version
  while (true) {
    const page = yield* log.read(walletId, { after, limit: pageEvents })
    for (const { event, version: at } of page) {
      if (event._tag === "OperationReversed" && event.reversedVersion === version) return { version: at, event }
    }
    if (page.length < pageEvents) return undefined
    after = page[page.length - 1]!.version
  }
})
