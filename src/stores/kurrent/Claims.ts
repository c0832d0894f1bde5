/**
 * Claims on KurrentDB: a stream per partition, an event per claim, so that the
 * revision of the last one plus one is the epoch that stands.
 */
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import type { Claim, EventStore } from "../EventStore.ts"
import type { KurrentConnection } from "./Connection.ts"
import { logDefect, logUnavailable } from "./Failure.ts"
import { type KurrentNames, partitionClaimed } from "./Names.ts"
import type { KurrentReads } from "./Reads.ts"
import { jsonRecord } from "./Records.ts"
import { check, isDeleted, send } from "./Send.ts"
import type { StreamState } from "./Wire.ts"
import type { ReadError } from "../StoreError.ts"

/** How often other claims may come in between before the caller is told to try later. */
const maxTries = 32

/**
 * Claims of one append. The server names every check that does not hold, in headers
 * of 64 kB: 300 of the longest names.
 */
const claimsAtOnce = 128

/** Appends of one request that are on their way together. */
const concurrency = 4

const chunksOf = (partitions: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<number>> =>
  Array.from({ length: Math.ceil(partitions.length / claimsAtOnce) }, (_, index) =>
    partitions.slice(index * claimsAtOnce, (index + 1) * claimsAtOnce)
  )

/** The revision of a partition's last claim, plus one. */
export const epochOf =
  (names: KurrentNames, reads: KurrentReads): EventStore["Service"]["epochOf"] =>
  (partition) =>
    Effect.map(reads.stream(names.claims(partition), { from: "end", maxCount: 1 }), (records) =>
      records?.[0] === undefined ? 0 : Number(records[0].revision) + 1
    )

/** Without a time limit. An unknown outcome is `StoreUnavailable`: claiming again is claiming once more. */
export const make = (connection: KurrentConnection, names: KurrentNames): EventStore["Service"]["claim"] => {
  /**
   * What this adapter has last heard of the claims' streams. A wrong guess costs one
   * refusal, which tells the state of all: cheaper than reading a thousand streams.
   */
  const heard = new Map<string, StreamState>()

  const claimChunk = Effect.fnUntraced(function* (
    partitions: ReadonlyArray<number>,
    owner: string,
    time: number
  ): Effect.fn.Return<ReadonlyArray<readonly [stream: string, epoch: number]>, ReadError> {
    const records = partitions.map((partition) =>
      jsonRecord(names.claims(partition), randomUUID(), partitionClaimed, { partition, owner, time })
    )
    for (let tries = 0; tries < maxTries; tries++) {
      const checks = records.map(({ stream }) => check(stream, heard.get(stream) ?? "no_stream"))
      const sent = yield* Effect.mapError(send(connection, records, checks), (error) =>
        error._tag === "AppendUnknown" ? logUnavailable(error.reason) : error
      )
      switch (sent._tag) {
        case "Written":
          for (const { revision, streamName } of sent.result.responses) heard.set(streamName, revision)
          // By this answer, not by what was heard: another claim may have come in between.
          return sent.result.responses.map(({ revision, streamName }) => [streamName, Number(revision) + 1] as const)
        case "Violated": {
          const deleted = [...sent.actual].find(([, state]) => isDeleted(state))
          if (deleted !== undefined) return yield* logDefect(`the stream ${deleted[0]} was deleted`)
          for (const [stream, state] of sent.actual) heard.set(stream, state)
          break
        }
        default:
          return yield* logDefect(`${partitions.length} claims at once: ${sent.reason}`)
      }
    }
    return yield* logUnavailable(`partitions were claimed ${maxTries} times during one claim`)
  })

  return Effect.fnUntraced(function* ({ owner, partitions, time }) {
    const chunks = chunksOf([...new Set(partitions)])
    const claimed = yield* Effect.forEach(chunks, (chunk) => claimChunk(chunk, owner, time), { concurrency })
    const epochs = new Map(claimed.flat())
    return partitions.map((partition): Claim => ({ partition, epoch: epochs.get(names.claims(partition))! }))
  })
}
