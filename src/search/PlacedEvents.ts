/** Events by wallet and version, with their positions. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { EventStore, PositionedEvent } from "../stores/EventStore.ts"
import type { EventUnreadable, ReadError } from "../stores/StoreError.ts"
import { readLogPage } from "./LogPage.ts"

export interface EventPlace {
  readonly walletId: string
  readonly version: number
}

type Log = EventStore["Service"]

type PlacedStream = Stream.Stream<ReadonlyArray<PositionedEvent>, ReadError | EventUnreadable>

/** Events per read of the whole log. */
const pageEvents = 2_000

const nameOf = ({ version, walletId }: EventPlace): string => `${walletId} ${version}`

const byScan = (scan: NonNullable<Log["scan"]>, wanted: ReadonlyArray<EventPlace>): PlacedStream =>
  Stream.fromIterable(wanted).pipe(
    Stream.mapEffect(
      ({ version, walletId }) =>
        Effect.map(scan({ after: { walletId, version: version - 1 }, to: walletId, limit: 1 }), ({ events }) =>
          events.filter(({ recorded }) => recorded.walletId === walletId && recorded.version === version)
        ),
      { concurrency: 8 }
    )
  )

const byWalk = (log: Log, wanted: ReadonlyArray<EventPlace>): PlacedStream =>
  Stream.suspend(() => {
    const open = new Set(wanted.map(nameOf))
    const next = (after: bigint | undefined) =>
      after === undefined || open.size === 0
        ? Effect.undefined
        : Effect.map(readLogPage(log, after, pageEvents), ({ events, isLast, next }) => {
            const found = events.filter(({ recorded }) => open.delete(nameOf(recorded)))
            return [found, isLast ? undefined : next] as const
          })
    return Stream.unfold<bigint | undefined, ReadonlyArray<PositionedEvent>, ReadError | EventUnreadable, never>(
      0n,
      next
    )
  })

/**
 * In any order; those that the log has not are left out. Where wallets lie side by side in the log, a look-up each;
 * elsewhere the log tells positions in its own order alone: one walk over it, until all are found.
 */
export const placedEvents = (log: Log, wanted: ReadonlyArray<EventPlace>): PlacedStream =>
  Stream.filter(log.scan === undefined ? byWalk(log, wanted) : byScan(log.scan, wanted), (events) => events.length > 0)
