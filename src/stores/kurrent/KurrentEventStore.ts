/**
 * The log on KurrentDB. What stands in its streams is a public contract
 * (`docs/LOG.md`); Persistence is another store, and the write pipeline stands
 * between them.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { RecordedEvent } from "../../domain/Event.ts"
import { type AppendError, EventStore } from "../EventStore.ts"
import * as KurrentAppend from "./Append.ts"
import * as KurrentClaims from "./Claims.ts"
import * as KurrentConnection from "./Connection.ts"
import { logDefect, logUnavailable } from "./Failure.ts"
import * as KurrentFollow from "./Follow.ts"
import * as KurrentHead from "./Head.ts"
import * as KurrentHighWatermark from "./HighWatermark.ts"
import * as KurrentInstallation from "./Installation.ts"
import * as KurrentLog from "./Log.ts"
import * as KurrentNames from "./Names.ts"
import * as KurrentReads from "./Reads.ts"
import { recordedOf } from "./Records.ts"
import * as KurrentSearch from "./Search.ts"
import * as KurrentSnapshots from "./Snapshots.ts"
import type { KurrentStartError } from "./StartErrors.ts"
import { AppendUnknown, type EventUnreadable, type ReadError } from "../StoreError.ts"
import { Outage } from "../StoreOutages.ts"

export interface KurrentEventStoreOptions extends KurrentConnection.KurrentConnectionOptions {
  /**
   * Begins the names of all streams, so that installations can share a server:
   * a lower-case letter, then letters, digits and `_`, 32 at most. Default `wallet`.
   * Another prefix is another log.
   */
  readonly prefix?: string | undefined
  /** A log that is not there is made. Default `true`; `false`: for tools that only look, and write nothing at start. */
  readonly found?: boolean | undefined
  /** Milliseconds after which the outcome of an append is unknown; default 10,000. */
  readonly appendTimeoutMillis?: number | undefined
  /** Milliseconds that a server which starts is waited for; default 60,000. */
  readonly startTimeoutMillis?: number | undefined
}

/** A server that starts or looks for a leader is asked again: after 100 ms, doubling, at most 1 s. */
const startPause = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("1 second")])

/** Connects, waits for a leader, looks at the version and finds the installation, or founds it. */
const start = Effect.fnUntraced(function* (
  connection: KurrentConnection.KurrentConnection,
  names: KurrentNames.KurrentNames,
  reads: KurrentReads.KurrentReads,
  head: KurrentHead.KurrentHead,
  { found, limitMillis, place }: { readonly found: boolean; readonly limitMillis: number; readonly place: string }
) {
  const clock = yield* Clock.Clock
  const outage = new Outage(place, clock)
  const startedAt = clock.currentTimeMillisUnsafe()
  const attempt = Effect.gen(function* () {
    const version = yield* connection.version
    const logId = yield* found
      ? KurrentInstallation.identify(connection, names, reads)
      : KurrentInstallation.find(names, reads)
    // The first call of each kind takes up to half a second: not the first caller's.
    yield* KurrentLog.isPlace(connection, yield* head.lastPosition)
    return { version, logId }
  })
  const { logId, version } = yield* attempt.pipe(
    Effect.tapErrorTag("StoreUnavailable", ({ reason }) =>
      outage.failed("start", reason, `waiting for it, at most ${limitMillis} ms`)
    ),
    Effect.retry({
      schedule: startPause,
      while: (error) => error._tag === "StoreUnavailable" && clock.currentTimeMillisUnsafe() - startedAt < limitMillis
    }),
    Effect.catchTag("StoreUnavailable", ({ reason }) =>
      Effect.fail(
        logUnavailable(
          `${place} does not serve: ${reason}; check host, port and tls in the URL, and that the server runs (KURRENTDB_URL)`
        )
      )
    )
  )
  yield* outage.answered("start")
  yield* Effect.logInfo(`KurrentDB ${version}, log ${logId} in the streams ${names.wallets}*`)
  return logId
})

/** A wallet's events, without a hole at either side. */
const readWallet = (
  names: KurrentNames.KurrentNames,
  reads: KurrentReads.KurrentReads
): EventStore["Service"]["read"] =>
  Effect.fnUntraced(function* (
    walletId,
    { after, limit }
  ): Effect.fn.Return<ReadonlyArray<RecordedEvent>, ReadError | EventUnreadable> {
    if (limit <= 0) return []
    const records = yield* reads.stream(names.wallet(walletId), { from: BigInt(after + 1), maxCount: limit })
    if (records === undefined) {
      if (!(yield* KurrentReads.wasDeleted(reads, names, walletId))) return []
      return yield* logDefect(`the stream of wallet ${walletId} was deleted`)
    }
    const hole = records.findIndex(({ revision }, index) => revision !== BigInt(after + 1 + index))
    if (hole >= 0) {
      return yield* logDefect(`the stream of wallet ${walletId} was truncated: version ${after + 1 + hole} is missing`)
    }
    return yield* Effect.fromResult(Result.all(records.map((record) => recordedOf(names, record))))
  })

export const make = Effect.fnUntraced(function* (
  options: KurrentEventStoreOptions
): Effect.fn.Return<EventStore["Service"], KurrentStartError, Scope.Scope> {
  const prefix = options.prefix ?? "wallet"
  if (!KurrentNames.isPrefix(prefix)) return yield* logDefect(`${JSON.stringify(prefix)} is no prefix for streams`)
  const names = KurrentNames.make(prefix)
  const connection = yield* KurrentConnection.make(options)
  const reads = KurrentReads.make(connection)
  const searches = yield* KurrentSearch.make(connection.readTimeoutMillis)
  const head = KurrentHead.make(names, reads, searches)
  const logId = yield* start(connection, names, reads, head, {
    found: options.found ?? true,
    limitMillis: options.startTimeoutMillis ?? 60_000,
    place: KurrentNames.describeKurrent(options.url)
  })
  const readAll = KurrentLog.make(connection, names, reads, searches, head)
  const append = KurrentAppend.make(connection, names, reads)
  const claim = KurrentClaims.make(connection, names)
  const raiseHighWatermark = KurrentHighWatermark.make(connection, names, reads)
  const appendMillis = options.appendTimeoutMillis ?? 10_000
  const noAnswer = `no answer within ${appendMillis} ms`

  return EventStore.of({
    writesPersistence: false,
    append: (commits) =>
      Effect.timeoutOrElse(append(commits), {
        duration: appendMillis,
        orElse: (): Effect.Effect<never, AppendError> => Effect.fail(new AppendUnknown({ reason: noAnswer }))
      }),
    read: readWallet(names, reads),
    readAll,
    follow: KurrentFollow.make(connection, names, readAll, head),
    head: Effect.map(head.lastPosition, (position) => ({ logId, position })),
    ...KurrentSnapshots.make(connection, names, reads),
    claim: (request) =>
      Effect.timeoutOrElse(claim(request), {
        duration: appendMillis,
        orElse: () => Effect.fail(logUnavailable(noAnswer))
      }),
    epochOf: KurrentClaims.epochOf(names, reads),
    raiseHighWatermark: (request) =>
      Effect.timeoutOrElse(raiseHighWatermark(request), {
        duration: appendMillis,
        orElse: () => Effect.fail(logUnavailable(noAnswer))
      })
  })
})

/** The log of the installation `prefix` on this server; founded there by the first start. */
export const layer = (options: KurrentEventStoreOptions): Layer.Layer<EventStore, KurrentStartError> =>
  Layer.effect(EventStore, make(options))
