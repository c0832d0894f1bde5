/**
 * One append to KurrentDB: records of any streams in one transaction, under checks
 * of any streams. Sent once; what comes of a lost answer is the caller's matter.
 */
import type { AppendConsistencyViolationError, AppendRecordsResult } from "@kurrent/kurrentdb-client"
import * as Effect from "effect/Effect"
import { appendRecords } from "./Call.ts"
import type { KurrentConnection } from "./Connection.ts"
import { appendFailureOf } from "./Failure.ts"
import type { StreamState, WireCheck, WireRecord } from "./Wire.ts"
import type { AppendUnknown, ReadError } from "../StoreError.ts"

/**
 * - `Violated`: streams whose checks do not hold, as they are. Nothing was written.
 * - `TooLarge`: beyond a limit of the server. Nothing was written.
 * - `AnswerTooLarge`: too many checks, it seems, do not hold. To be asked again in
 *   parts; only their answers tell what has become of it.
 */
export type Sent =
  | { readonly _tag: "Written"; readonly result: AppendRecordsResult }
  | { readonly _tag: "Violated"; readonly actual: ReadonlyMap<string, StreamState> }
  | { readonly _tag: "TooLarge" | "AnswerTooLarge"; readonly reason: string }

/** A negative revision is how the server names a stream that was deleted. */
export const isDeleted = (state: StreamState | undefined): boolean => typeof state === "bigint" && state < 0n

export const check = (stream: string, state: StreamState): WireCheck => ({ stream, state })

const actualStates = ({ violations }: AppendConsistencyViolationError): ReadonlyMap<string, StreamState> =>
  new Map(violations.map(({ actualState, streamName }) => [streamName, actualState]))

/** Without a time limit. Each stream at most once among the checks, also by names that differ in case alone. */
export const send = (
  connection: KurrentConnection,
  records: ReadonlyArray<WireRecord>,
  checks: ReadonlyArray<WireCheck>
): Effect.Effect<Sent, ReadError | AppendUnknown> =>
  connection
    .call((client) => appendRecords(client, records, checks))
    .pipe(
      Effect.map((result): Sent => ({ _tag: "Written", result })),
      Effect.catch(({ cause, failure }): Effect.Effect<Sent, ReadError | AppendUnknown> => {
        switch (failure.kind) {
          case "violated":
            // The row of the table has looked at the client's name of the error.
            return Effect.succeed({ _tag: "Violated", actual: actualStates(cause as AppendConsistencyViolationError) })
          case "tooLarge":
            return Effect.succeed({ _tag: "TooLarge", reason: failure.reason })
          case "answerTooLarge":
            return Effect.succeed({ _tag: "AnswerTooLarge", reason: failure.reason })
          default:
            return Effect.fail(appendFailureOf(failure))
        }
      })
    )
