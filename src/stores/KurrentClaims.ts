/**
 * Claims on KurrentDB: a stream per partition, an event per claim, so that the
 * revision of the last one plus one is the epoch that stands.
 */
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import type { Claim, EventStore } from "./EventStore.ts"
import type { KurrentConnection } from "./KurrentConnection.ts"
import { logDefect, logUnavailable } from "./KurrentFailure.ts"
import { type KurrentNames, partitionClaimed } from "./KurrentNames.ts"
import { jsonRecord } from "./KurrentRecords.ts"
import { check, isDeleted, send } from "./KurrentSend.ts"
import type { StreamState } from "./KurrentWire.ts"
import type { ReadError } from "./StoreError.ts"

/** How often other claims may come in between before the caller is told to try later. */
const maxTries = 32

/** Without a time limit. An unknown outcome is `StoreUnavailable`: claiming again is claiming once more. */
export const make = (connection: KurrentConnection, names: KurrentNames): EventStore["Service"]["claim"] => {
  /**
   * What this adapter has last heard of the claims' streams. A wrong guess costs one
   * refusal, which tells the state of all: cheaper than reading a thousand streams.
   */
  const heard = new Map<string, StreamState>()

  return Effect.fnUntraced(function* ({ owner, partitions, time }): Effect.fn.Return<ReadonlyArray<Claim>, ReadError> {
    const distinct = [...new Set(partitions)]
    if (distinct.length === 0) return []
    const records = distinct.map((partition) =>
      jsonRecord(names.claims(partition), randomUUID(), partitionClaimed, { partition, owner, time })
    )
    for (let tries = 0; tries < maxTries; tries++) {
      const checks = distinct.map((partition) => {
        const stream = names.claims(partition)
        return check(stream, heard.get(stream) ?? "no_stream")
      })
      const sent = yield* Effect.mapError(send(connection, records, checks), (error) =>
        error._tag === "AppendUnknown" ? logUnavailable(error.reason) : error
      )
      switch (sent._tag) {
        case "Written": {
          for (const { revision, streamName } of sent.result.responses) heard.set(streamName, revision)
          return partitions.map((partition) => ({
            partition,
            epoch: Number(heard.get(names.claims(partition))) + 1
          }))
        }
        case "Violated": {
          const deleted = [...sent.actual].find(([, state]) => isDeleted(state))
          if (deleted !== undefined) return yield* logDefect(`the stream ${deleted[0]} was deleted`)
          for (const [stream, state] of sent.actual) heard.set(stream, state)
          break
        }
        case "TooLarge":
          return yield* logDefect(`${distinct.length} claims at once: ${sent.reason}`)
      }
    }
    return yield* logUnavailable(`partitions were claimed ${maxTries} times during one claim`)
  })
}
