/**
 * One connection to Redis that fails at once: nothing waits in a queue for a server
 * that is away, nothing is sent twice, and the connection is tried again for ever.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Redis } from "ioredis"
import type { RedisLeaseSettings } from "./LeaseConfig.ts"
import { leaseCommands, leaseErrors } from "../ClusterMetrics.ts"
import type { RedisScript } from "./LeaseScripts.ts"

/**
 * A command failed. `away`: Redis did not answer or cannot serve now, and the command may
 * be run yet; else it answered that it never will.
 */
export class RedisCommandFailed extends Schema.TaggedError<RedisCommandFailed>()("RedisCommandFailed", {
  command: Schema.String,
  reason: Schema.String,
  away: Schema.Boolean
}) {
  override get message(): string {
    return `Redis, ${this.command}: ${this.reason}`
  }
}

export interface RedisConnection {
  /** Runs a script by its hash; sends its text when Redis has forgotten it. */
  readonly run: (
    script: RedisScript,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<string | number>
  ) => Effect.Effect<unknown, RedisCommandFailed>
}

/** Between two tries to connect, milliseconds: from the first to the last. A refresh must not miss the recovery. */
const firstRetryMillis = 25
const lastRetryMillis = 500

/** How long a close may take before the socket is destroyed, milliseconds. */
const closeMillis = 100

/** Replies of a server that starts, stops being the primary, or is out of room: it may serve again. */
const transientReply = /^(?:LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|OOM|MISCONF|NOREPLICAS)\b/

const isReply = (error: unknown): error is Error => error instanceof Error && error.name === "ReplyError"

const isForgotten = (error: unknown): boolean => isReply(error) && error.message.startsWith("NOSCRIPT")

const failureOf = (command: string, error: unknown): RedisCommandFailed =>
  new RedisCommandFailed({
    command,
    reason: error instanceof Error ? error.message : String(error),
    away: !isReply(error) || transientReply.test(error.message)
  })

const connect = (settings: RedisLeaseSettings): Redis =>
  new Redis(Redacted.value(settings.url), {
    connectionName: encodeURIComponent(`effect-wallet:${settings.clusterName}`),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: settings.commandTimeoutMillis,
    // A host that vanished without a word: the command fails, and the socket with it.
    socketTimeout: settings.commandTimeoutMillis,
    connectTimeout: settings.commandTimeoutMillis,
    disconnectTimeout: closeMillis,
    retryStrategy: (times) => Math.min(firstRetryMillis * 2 ** Math.min(times - 1, 10), lastRetryMillis),
    // The primary has become a replica: its name may lead to the new one by now.
    reconnectOnError: (error) => error.message.startsWith("READONLY")
  })

const close = (redis: Redis) =>
  Effect.andThen(
    // Fails when there is no connection.
    Effect.ignore(Effect.tryPromise(() => redis.quit())),
    Effect.sync(() => redis.disconnect())
  )

/** Logs the beginning and the end of an outage, once each. */
class Outage {
  #since: bigint | undefined
  /** What the connection itself said last: commands that were never sent only say so. */
  reason: string | undefined

  begin(now: bigint, failure: RedisCommandFailed): Effect.Effect<void> {
    if (this.#since !== undefined) return Effect.void
    this.#since = now
    const reason = this.reason === undefined ? "" : ` (${this.reason})`
    return Effect.logWarning(`leases: ${failure.message}${reason}; what is held is kept for the grace`)
  }

  end(now: bigint): Effect.Effect<void> {
    if (this.#since === undefined) return Effect.void
    const millis = (now - this.#since) / 1_000_000n
    this.#since = undefined
    this.reason = undefined
    return Effect.logInfo(`leases: Redis answers again, after ${millis} ms`)
  }
}

/** The first try to connect is over, either way. */
const tried = (redis: Redis): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const end = () => resume(Effect.void)
    redis.once("ready", end)
    redis.once("error", end)
  })

/** Waits for the first try to connect, not for its success: the server may come later. */
export const makeRedisConnection = Effect.fnUntraced(function* (settings: RedisLeaseSettings) {
  const clock = yield* Clock.Clock
  const outage = new Outage()
  const redis = yield* Effect.acquireRelease(
    Effect.sync(() => connect(settings)),
    close
  )
  redis.on("error", (error: Error) => {
    outage.reason = error.message
  })
  yield* Effect.timeoutOption(tried(redis), settings.commandTimeoutMillis)

  const send = (script: RedisScript, keys: ReadonlyArray<string>, args: ReadonlyArray<string | number>) =>
    Effect.tryPromise({
      try: () => redis.evalsha(script.sha, keys.length, ...keys, ...args),
      catch: (error) => error
    }).pipe(
      Effect.catchIf(isForgotten, () =>
        Effect.tryPromise({
          try: () => redis.eval(script.lua, keys.length, ...keys, ...args),
          catch: (error) => error
        })
      ),
      Effect.mapError((error) => failureOf(script.name, error))
    )

  const connection: RedisConnection = {
    run: Effect.fnUntraced(
      function* (script, keys, args) {
        const attributes = { command: script.name }
        const errors = Metric.withAttributes(leaseErrors, attributes)
        yield* Metric.update(Metric.withAttributes(leaseCommands, attributes), 1)
        // There before the first failure, which is then an increase.
        yield* Metric.update(errors, 0)
        const answer = yield* Effect.tapError(send(script, keys, args), (failure) =>
          Effect.andThen(Metric.update(errors, 1), outage.begin(clock.monotonicTimeNanosUnsafe(), failure))
        )
        yield* outage.end(clock.monotonicTimeNanosUnsafe())
        return answer
      },
      // One every second: its spans would drown the others.
      Effect.withTracerEnabled(false)
    )
  }
  return connection
})
