/**
 * The one order over all wallets' streams on KurrentDB, page by page. The server
 * leaves out what is not a wallet's; a page has fewer events than asked for only at
 * the end of the log.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { EventStore, PositionedEvent } from "../EventStore.ts"
import type { KurrentCallFailed, KurrentConnection } from "./Connection.ts"
import { classifyKurrentError, logDefect, logUnavailable, readFailureOf } from "./Failure.ts"
import { type KurrentHead, offsetAt } from "./Head.ts"
import type { KurrentNames } from "./Names.ts"
import { atOffset, offsetOf, positionAt } from "./Position.ts"
import type { KurrentReads } from "./Reads.ts"
import { positionedOf } from "./Records.ts"
import type { KurrentSearch } from "./Search.ts"
import type { ReadError } from "../StoreError.ts"

/** Long ways to the next event that are remembered, at most. */
const maxSkips = 64

/** Milliseconds that make a way long. */
const longMillis = 1_000

/** gRPC's code for an offset that is not an event's. */
const invalidArgument = 3

/** Whether the server can read from the offset; a subscription says so at once. */
const isOffset = (connection: KurrentConnection, offset: bigint): Effect.Effect<boolean, ReadError> =>
  Effect.callback<boolean, ReadError>((resume) => {
    const subscription = connection.client().subscribeToAll({ fromPosition: atOffset(offset), requiresLeader: true })
    const is = () => resume(Effect.succeed(true))
    subscription.on("data", is).on("caughtUp", is)
    subscription.on("end", () => resume(Effect.fail(logUnavailable("a subscription has ended"))))
    subscription.on("error", (error: Error & { readonly code?: unknown }) =>
      resume(
        error.code === invalidArgument ? Effect.succeed(false) : Effect.fail(readFailureOf(classifyKurrentError(error)))
      )
    )
    return Effect.sync(() => void subscription.unsubscribe().catch(() => undefined))
  }).pipe(
    Effect.timeoutOrElse({
      duration: connection.readTimeoutMillis,
      orElse: () => Effect.fail(logUnavailable(`no answer within ${connection.readTimeoutMillis} ms`))
    })
  )

/**
 * Whether the server can read from there; from a number that is not near an event's
 * position it cannot.
 */
export const isPlace = (connection: KurrentConnection, position: bigint): Effect.Effect<boolean, ReadError> =>
  position === 0n ? Effect.succeed(true) : isOffset(connection, offsetOf(position))

export const make = (
  connection: KurrentConnection,
  names: KurrentNames,
  reads: KurrentReads,
  searches: KurrentSearch,
  head: KurrentHead
): EventStore["Service"]["readAll"] => {
  /** `after` → offset of the next event, where that was far away. */
  const skips = new Map<bigint, bigint>()

  const startOf = (after: bigint): bigint => skips.get(after) ?? head.offsetBehind(after)

  const searchPage = Effect.fnUntraced(function* (after: bigint, limit: number) {
    // One more: the first may be the event at `after` itself.
    const page = reads.log({ from: startOf(after), maxCount: limit + 1, prefixes: [names.wallets] })
    const [took, records] = yield* Effect.timed(page)
    const next = records.find((record) => positionAt(offsetAt(record)) > after)
    if (next !== undefined && Duration.toMillis(took) > longMillis) {
      for (const old of [...skips.keys()].slice(0, Math.max(0, skips.size - maxSkips + 1))) skips.delete(old)
      skips.set(after, offsetAt(next))
    }
    return records
  })

  const pageFailure = Effect.fnUntraced(function* (
    after: bigint,
    error: KurrentCallFailed | ReadError
  ): Effect.fn.Return<never, ReadError> {
    if (error._tag !== "KurrentCallFailed") {
      // Behind the last event there may be millions of others': then the head is what will be known first.
      yield* Effect.ignore(head.lastPosition)
      return yield* Effect.fail(error)
    }
    const failure = readFailureOf(error.failure)
    // The server refuses a number that is no offset with words that could also mean an outage.
    if (failure._tag === "StoreUnavailable" && !(yield* isPlace(connection, after))) {
      return yield* logDefect(`${after} is not a position of this log`)
    }
    return yield* Effect.fail(failure)
  })

  return Effect.fnUntraced(function* ({ after, limit }) {
    if (limit <= 0) return []
    const records = yield* Effect.catch(searches.run(`${after} ${limit}`, searchPage(after, limit)), (error) =>
      pageFailure(after, error)
    )
    const events: Array<PositionedEvent> = []
    for (const record of records) {
      if (events.length === limit) break
      const event = yield* Effect.fromResult(positionedOf(names, record, after))
      if (event !== undefined) events.push(event)
    }
    return events
  })
}
