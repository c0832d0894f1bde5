/**
 * Reads of KurrentDB, drained to their end: the client's reader has no deadline, and
 * one that is left early goes on behind our back. All from the leader: a follower
 * may be behind.
 */
import { BACKWARDS, END, FORWARDS, type KurrentDBClient, START, streamNameFilter } from "@kurrent/kurrentdb-client"
import * as Effect from "effect/Effect"
import { isJsonObject } from "../../domain/Codec.ts"
import { type KurrentCallFailed, type KurrentConnection, withinReadLimit } from "./Connection.ts"
import { logDefect } from "./Failure.ts"
import type { KurrentNames } from "./Names.ts"
import { atOffset } from "./Position.ts"
import type { KurrentRecord } from "./Records.ts"
import type { ReadError } from "../StoreError.ts"

export interface StreamRead {
  /** Revision to begin at; `end`: at the last one, backwards. */
  readonly from: bigint | "end"
  readonly maxCount: number
}

export interface LogRead {
  /** Offset to begin at (`0n`: the start); `end`: backwards from the last event. */
  readonly from: bigint | "end"
  readonly maxCount: number
  /** Only streams whose names begin with one of these. */
  readonly prefixes?: ReadonlyArray<string> | undefined
}

export interface KurrentReads {
  /** `undefined`: there is no such stream. Within the time limit of a read. */
  readonly stream: (
    name: string,
    read: StreamRead
  ) => Effect.Effect<ReadonlyArray<KurrentRecord> | undefined, ReadError>
  /**
   * Events of all streams. Fewer than `maxCount` only when there are no more: the
   * server goes on over events that do not fit, however many. So no time limit here.
   */
  readonly log: (read: LogRead) => Effect.Effect<ReadonlyArray<KurrentRecord>, KurrentCallFailed>
}

/** All of a read, event by event, without a promise that hangs on the one before. */
const recordsOf = (
  events: AsyncIterator<{ readonly event?: KurrentRecord | undefined }>
): Promise<Array<KurrentRecord>> =>
  new Promise((resolve, reject) => {
    const records: Array<KurrentRecord> = []
    const step = () =>
      void events.next().then(({ done, value }) => {
        if (done === true) return resolve(records)
        // A link whose event is gone has none; our streams hold no links.
        if (value.event !== undefined) records.push(value.event)
        step()
      }, reject)
    step()
  })

const readStream = (client: KurrentDBClient, name: string, { from, maxCount }: StreamRead) =>
  recordsOf(
    client.readStream(name, {
      direction: from === "end" ? BACKWARDS : FORWARDS,
      fromRevision: from === "end" ? END : from,
      maxCount,
      requiresLeader: true
    })
  )

export const make = (connection: KurrentConnection): KurrentReads => {
  const limited = withinReadLimit(connection.readTimeoutMillis)
  return {
    stream: (name, read) =>
      limited(
        Effect.catchIf(
          connection.call((client) => readStream(client, name, read)),
          ({ cause }) => (cause as { readonly type?: unknown }).type === "stream-not-found",
          () => Effect.undefined
        )
      ).pipe(
        Effect.mapError((error) =>
          error._tag === "StoreDefect" ? logDefect(`the stream ${name} cannot be read: ${error.reason}`) : error
        )
      ),
    log: ({ from, maxCount, prefixes }) =>
      connection.call((client) =>
        recordsOf(
          client.readAll({
            direction: from === "end" ? BACKWARDS : FORWARDS,
            fromPosition: from === "end" ? END : from === 0n ? START : atOffset(from),
            maxCount,
            requiresLeader: true,
            ...(prefixes && { filter: streamNameFilter({ prefixes: [...prefixes] }) })
          })
        )
      )
  }
}

/**
 * Whether a wallet's stream is not there because it was deleted: to a reader it then
 * looks as if it had never been, and a new wallet under its name would begin in the
 * middle. The server keeps a deletion as "truncate before" in the stream's metadata.
 */
export const wasDeleted = (reads: KurrentReads, names: KurrentNames, walletId: string) =>
  Effect.map(reads.stream(`$$${names.wallet(walletId)}`, { from: "end", maxCount: 1 }), (records) => {
    const metadata = records?.[0]?.data
    return isJsonObject(metadata) && Number(metadata.$tb ?? 0) > 0
  })
