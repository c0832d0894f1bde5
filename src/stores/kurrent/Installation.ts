/**
 * The identity of the log: one event, written by the first start of an installation
 * and never again.
 */
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import { isJsonObject } from "../../domain/Codec.ts"
import type { KurrentConnection } from "./Connection.ts"
import { logDefect, logUnavailable } from "./Failure.ts"
import { installationCreated, type KurrentNames } from "./Names.ts"
import type { KurrentReads } from "./Reads.ts"
import { jsonRecord } from "./Records.ts"
import { KurrentLogAbsent } from "./StartErrors.ts"
import { check, send } from "./Send.ts"
import type { ReadError } from "../StoreError.ts"

/** The log's id, of an installation that is there. Writes nothing. */
export const find = Effect.fnUntraced(function* (
  names: KurrentNames,
  reads: KurrentReads
): Effect.fn.Return<string, ReadError | KurrentLogAbsent> {
  const [found] = (yield* reads.stream(names.installation, { from: 0n, maxCount: 1 })) ?? []
  if (found === undefined) return yield* new KurrentLogAbsent({ streams: names.wallets })
  const logId = isJsonObject(found.data) ? found.data.logId : undefined
  return typeof logId === "string" ? logId : yield* logDefect(`the stream ${names.installation} does not name its log`)
})

/**
 * The log's id. Of an installation that is there already the event is sent once
 * more, which changes nothing and shows that this node can append.
 */
export const identify = Effect.fnUntraced(function* (
  connection: KurrentConnection,
  names: KurrentNames,
  reads: KurrentReads
): Effect.fn.Return<string, ReadError> {
  const stream = names.installation
  const [found] = (yield* reads.stream(stream, { from: 0n, maxCount: 1 })) ?? []
  const logId = found === undefined ? randomUUID() : isJsonObject(found.data) ? found.data.logId : undefined
  if (typeof logId !== "string") return yield* logDefect(`the stream ${stream} does not name its log`)
  const record = jsonRecord(stream, found?.id ?? randomUUID(), installationCreated, { logId })
  const sent = yield* send(connection, [record], [check(stream, "no_stream")]).pipe(
    Effect.mapError((error) => (error._tag === "AppendUnknown" ? logUnavailable(error.reason) : error)),
    Effect.timeoutOrElse({
      duration: connection.readTimeoutMillis,
      orElse: () => Effect.fail(logUnavailable(`no answer within ${connection.readTimeoutMillis} ms`))
    })
  )
  switch (sent._tag) {
    case "Written":
      return logId
    case "Violated":
      // Another node has founded it in this moment, or it was found and is not at its beginning.
      return yield* found === undefined
        ? logUnavailable(`${stream} was just written`)
        : logDefect(`${stream} was changed`)
    case "TooLarge":
    case "AnswerTooLarge":
      return yield* logDefect(sent.reason)
  }
})
