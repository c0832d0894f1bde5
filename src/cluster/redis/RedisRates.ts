/** Effect's `RateLimiter` over Redis by ioredis, for the rates that all nodes of a cluster count together. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as EffectRedis from "effect/persistence/Redis"
import * as Redacted from "effect/Redacted"
import { Redis } from "ioredis"
import { SharedRates } from "../../engine/ClusterStatus.ts"
import { EventStore } from "../../stores/EventStore.ts"
import type { ClusterConfig } from "../ClusterConfig.ts"
import { makeRateShares } from "./RateShares.ts"

/** A count that takes longer has failed, milliseconds: a request waits for it. */
const answerMillis = 100

/** A start waits so long for its first connection, milliseconds, and goes on without. */
const connectMillis = 1_000

/** Between two tries to connect, milliseconds. */
const retryMillis = 500

const connect = (url: Redacted.Redacted): Redis => {
  const redis = new Redis(Redacted.value(url), {
    connectionName: "effect-wallet:rates",
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: answerMillis,
    retryStrategy: () => retryMillis,
    // The primary has become a replica: its name may lead to the new one by now.
    reconnectOnError: (error) => error.message.startsWith("READONLY")
  })
  // Each count that fails says why.
  redis.on("error", () => undefined)
  return redis
}

/** The first try to connect is over, either way. */
const tried = (redis: Redis): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const end = () => resume(Effect.void)
    redis.once("ready", end)
    redis.once("error", end)
  })

const notUsed = Effect.fail(new EffectRedis.RedisError({ cause: new Error("rates neither subscribe nor reserve") }))

/** What effect's limiter asks of Redis. */
const layerRedis = (url: Redacted.Redacted) =>
  Layer.effect(
    EffectRedis.Redis,
    Effect.gen(function* () {
      const redis = yield* Effect.acquireRelease(
        Effect.sync(() => connect(url)),
        (redis) => Effect.sync(() => redis.disconnect())
      )
      yield* Effect.timeoutOption(tried(redis), connectMillis)
      const send = <A = unknown>(command: string, ...args: ReadonlyArray<string>) =>
        Effect.tryPromise({
          // The limiter's script says what it answers.
          try: () => redis.call(command, ...args) as Promise<A>,
          catch: (cause) => new EffectRedis.RedisError({ cause })
        })
      return yield* EffectRedis.make({ send, subscribe: () => notUsed, connect: notUsed })
    })
  )

export interface RedisRatesOptions {
  readonly url: Redacted.Redacted
  /** Clusters of other names on the same Redis count for themselves. */
  readonly clusterName: string
  /** Default one second. */
  readonly window?: Duration.Duration | undefined
}

export const makeRedisRates = Effect.fnUntraced(function* (options: RedisRatesOptions) {
  const counters = RateLimiter.layerStoreRedis({ prefix: `wallet:{${options.clusterName}}:rates:` })
  const context = yield* Layer.build(counters.pipe(Layer.provide(layerRedis(options.url))))
  return yield* makeRateShares({
    shared: yield* Effect.provideContext(RateLimiter.make, context),
    own: yield* RateLimiter.make.pipe(Effect.provide(RateLimiter.layerStoreMemory)),
    window: options.window ?? Duration.seconds(1)
  })
})

export const layer = ({ name, redisUrl }: ClusterConfig) =>
  Layer.effect(
    SharedRates,
    Effect.gen(function* () {
      const { logId } = yield* (yield* EventStore).head
      return yield* makeRedisRates({ url: redisUrl, clusterName: Option.getOrElse(name, () => logId) })
    })
  )
