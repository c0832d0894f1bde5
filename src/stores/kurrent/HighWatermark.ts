/**
 * The high watermark on KurrentDB: one stream, of which the last event counts. It says who has
 * raised it to what, and the highest that anybody else ever had.
 */
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import { isJsonObject } from "../../domain/Codec.ts"
import type { EventStore } from "../EventStore.ts"
import type { ReadError } from "../StoreError.ts"
import type { KurrentConnection } from "./Connection.ts"
import { logDefect, logUnavailable } from "./Failure.ts"
import { highWatermarkRaised, type KurrentNames } from "./Names.ts"
import type { KurrentReads } from "./Reads.ts"
import { jsonRecord, type KurrentRecord } from "./Records.ts"
import { check, send } from "./Send.ts"

/** How often others may raise theirs in between. */
const maxTries = 16

interface Raised {
  readonly owner: string
  readonly position: bigint
  readonly others: bigint | undefined
}

const digits = /^[0-9]{1,20}$/

/** `undefined`: not one of ours. */
const raisedOf = ({ data }: KurrentRecord): Raised | undefined => {
  if (!isJsonObject(data)) return undefined
  const { others, owner, position } = data
  if (typeof owner !== "string" || typeof position !== "string" || !digits.test(position)) return undefined
  if (others === null) return { owner, position: BigInt(position), others: undefined }
  return typeof others === "string" && digits.test(others)
    ? { owner, position: BigInt(position), others: BigInt(others) }
    : undefined
}

/** The highest of anybody but `owner`, as the last event tells it. */
const othersOf = (last: Raised | undefined, owner: string): bigint | undefined => {
  if (last === undefined || last.owner === owner) return last?.others
  return last.others === undefined || last.position > last.others ? last.position : last.others
}

export const make = (
  connection: KurrentConnection,
  names: KurrentNames,
  reads: KurrentReads
): EventStore["Service"]["raiseHighWatermark"] => {
  const stream = names.highWatermark

  return Effect.fnUntraced(function* ({ owner, position }): Effect.fn.Return<bigint | undefined, ReadError> {
    for (let tries = 0; tries < maxTries; tries++) {
      const [record] = (yield* reads.stream(stream, { from: "end", maxCount: 1 })) ?? []
      const last = record === undefined ? undefined : raisedOf(record)
      if (record !== undefined && last === undefined) {
        return yield* logDefect(`the last event of the stream ${stream} is not one of ours`)
      }
      const others = othersOf(last, owner)
      if (position === undefined || (last?.owner === owner && last.position >= position)) return others
      const data = { owner, position: String(position), others: others === undefined ? null : String(others) }
      const raised = jsonRecord(stream, randomUUID(), highWatermarkRaised, data)
      const sent = yield* Effect.mapError(
        send(connection, [raised], [check(stream, record?.revision ?? "no_stream")]),
        (error) => (error._tag === "AppendUnknown" ? logUnavailable(error.reason) : error)
      )
      if (sent._tag === "Written") return others
      if (sent._tag !== "Violated") return yield* logDefect(`the high watermark: ${sent.reason}`)
    }
    return yield* logUnavailable(`the high watermark was raised ${maxTries} times by others during one try`)
  })
}
