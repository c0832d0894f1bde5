/**
 * The client of a KurrentDB server or cluster, as long as the scope lasts: every
 * call with a time limit of ours (the client's own deadline does not hold against a
 * peer that is gone) and with its failure translated.
 */
import { KurrentDBClient } from "@kurrent/kurrentdb-client"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { KurrentVersion } from "./StartErrors.ts"
import { classifyKurrentError, type KurrentErrorClass, logDefect, logUnavailable, readFailureOf } from "./Failure.ts"
import type { ReadError, StoreDefect } from "../StoreError.ts"

export interface KurrentConnectionOptions {
  /** `kurrentdb://host:2113?tls=false`, `kurrentdb+discover://user:password@…`. */
  readonly url: Redacted.Redacted
  /** Milliseconds; default 5,000. */
  readonly readTimeoutMillis?: number | undefined
}

export interface KurrentCallFailed {
  readonly _tag: "KurrentCallFailed"
  readonly failure: KurrentErrorClass
  /** The client's error. */
  readonly cause: unknown
}

export interface KurrentConnection {
  readonly readTimeoutMillis: number
  /** As it is now: another one after a change of the cluster's leader. Not to be kept. */
  readonly client: () => KurrentDBClient
  /** Without a time limit. An interruption leaves the call to itself: it may still be carried out. */
  readonly call: <A>(send: (client: KurrentDBClient) => Promise<A>) => Effect.Effect<A, KurrentCallFailed>
  /** Replaces the client, unless somebody has since `client` was taken. */
  readonly renew: (client: KurrentDBClient) => Effect.Effect<void, StoreDefect>
  /** As the server says it; fails when it is older than we need. */
  readonly version: Effect.Effect<string, ReadError | KurrentVersion>
}

/** `appendRecords` with checks of streams that it does not write. */
const neededVersion: readonly [number, number, number] = [26, 0, 3]

/** What of the client is not for everybody, and is needed here: what the server is, and the connection to close. */
interface ClientInside {
  readonly capabilities: Promise<{ readonly serverVersion: string }>
  readonly getChannel: () => Promise<{ readonly close: () => void }>
}

const inside = (client: KurrentDBClient): ClientInside => client as unknown as ClientInside

/** Whether the server can do all that we ask of it, by what it says it is. */
export const isNewEnough = (version: string): boolean => {
  const parts = /^(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number)
  if (parts === undefined) return false
  for (let i = 0; i < neededVersion.length; i++) {
    if (parts[i] !== neededVersion[i]) return parts[i]! > neededVersion[i]!
  }
  return true
}

/** The message of the client's parser quotes the string, and with it the password. */
const open = (url: Redacted.Redacted): Effect.Effect<KurrentDBClient, StoreDefect> =>
  Effect.try({
    try: () => KurrentDBClient.connectionString(Redacted.value(url)),
    catch: () => logDefect("KURRENTDB_URL cannot be read; expected kurrentdb://user:password@host:2113?tls=true")
  })

/** Ends what is under way, then the connection itself, which the client would leave open. */
const close = (client: KurrentDBClient): Effect.Effect<void> =>
  Effect.tryPromise(() => client.dispose().then(() => inside(client).getChannel())).pipe(
    Effect.map((channel) => channel.close()),
    Effect.timeout("1 second"),
    Effect.ignore
  )

/** The time limit of a read, its failure translated. */
export const withinReadLimit =
  (millis: number) =>
  <A>(self: Effect.Effect<A, KurrentCallFailed>): Effect.Effect<A, ReadError> =>
    self.pipe(
      Effect.mapError(({ failure }) => readFailureOf(failure)),
      Effect.timeoutOrElse({
        duration: millis,
        orElse: () => Effect.fail(logUnavailable(`no answer within ${millis} ms`))
      })
    )

export const make = Effect.fnUntraced(function* (
  options: KurrentConnectionOptions
): Effect.fn.Return<KurrentConnection, StoreDefect, Scope.Scope> {
  const readTimeoutMillis = options.readTimeoutMillis ?? 5_000
  let current = yield* open(options.url)
  yield* Effect.addFinalizer(() => close(current))

  const renew: KurrentConnection["renew"] = Effect.fnUntraced(function* (client) {
    if (client !== current) return
    current = yield* open(options.url)
    yield* Effect.forkDetach(close(client))
  })

  const call: KurrentConnection["call"] = (send) =>
    Effect.suspend(() => {
      const client = current
      return Effect.tryPromise({
        try: () => send(client),
        catch: (cause): KurrentCallFailed => ({
          _tag: "KurrentCallFailed",
          failure: classifyKurrentError(cause),
          cause
        })
      }).pipe(
        // The client looks for the leader when it connects, and never again.
        Effect.tapError(({ failure }) => (failure.kind === "notLeader" ? Effect.ignore(renew(client)) : Effect.void))
      )
    })

  const version = withinReadLimit(readTimeoutMillis)(call((client) => inside(client).capabilities)).pipe(
    // The client keeps what it was told, also a failure.
    Effect.tapError(() => Effect.ignore(renew(current))),
    Effect.flatMap(({ serverVersion }) =>
      isNewEnough(serverVersion)
        ? Effect.succeed(serverVersion)
        : Effect.fail(new KurrentVersion({ found: serverVersion, needed: neededVersion.join(".") }))
    )
  )

  return { readTimeoutMillis, client: () => current, call, renew, version }
})
