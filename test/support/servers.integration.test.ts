import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Redis } from "ioredis"
import { requestOf } from "../../bench/servers/ElasticsearchServer.ts"
import { startRedis } from "../../bench/servers/RedisServer.ts"
import { ownElasticsearch, ownElasticsearchPresent, sharedElasticsearch } from "./elasticsearch.ts"
import { redisPresent, sharedRedis } from "./redis.ts"

/** A client that fails at once where there is no server, and soon where one does not answer: no sooner than a busy machine may take. */
const connect = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const redis = new Redis(url, { maxRetriesPerRequest: 0, retryStrategy: () => null, commandTimeout: 2_000 })
      // Each failed command says so itself.
      redis.on("error", () => undefined)
      return redis
    }),
    (redis) => Effect.sync(() => redis.disconnect())
  )

const ping = (redis: Redis) => Effect.tryPromise(() => redis.ping())

describe.skipIf(!redisPresent)("the throw-away Redis", () => {
  it.effect("is shared by the run", () =>
    Effect.gen(function* () {
      const redis = yield* connect(yield* sharedRedis)
      assert.strictEqual(yield* ping(redis), "PONG")
    })
  )

  it.live("can be frozen, thawed, killed and started empty on the same port", () =>
    Effect.gen(function* () {
      const server = yield* startRedis
      const first = yield* connect(server.url)
      yield* Effect.tryPromise(() => first.set("key", "value"))
      yield* server.freeze
      assert.isTrue(yield* Effect.isFailure(ping(first)))
      yield* server.thaw
      assert.strictEqual(yield* ping(first), "PONG")
      yield* server.kill
      assert.isTrue(yield* Effect.isFailure(ping(yield* connect(server.url))))
      yield* server.start
      const second = yield* connect(server.url)
      assert.isNull(yield* Effect.tryPromise(() => second.get("key")))
    })
  )
})

describe.skipIf(!ownElasticsearchPresent)("the throw-away Elasticsearch", () => {
  it.live("is shared by the run", () =>
    Effect.gen(function* () {
      const { body, status } = yield* requestOf(yield* sharedElasticsearch, "")("GET", "/")
      assert.strictEqual(status, 200)
      assert.match((body as { readonly version: { readonly number: string } }).version.number, /^9\./)
    })
  )

  it.live("keeps what it has through a kill, and can be started with nothing", () =>
    Effect.gen(function* () {
      const server = yield* ownElasticsearch()
      assert.strictEqual((yield* server.request("PUT", "/things")).status, 200)
      yield* server.kill
      assert.strictEqual((yield* server.request("GET", "/things")).status, 0)
      yield* server.start
      assert.strictEqual((yield* server.request("GET", "/things")).status, 200)
      yield* server.stop
      yield* server.loseData
      yield* server.start
      assert.strictEqual((yield* server.request("GET", "/things")).status, 404)
    })
  )

  it.live("asks who it is, when it is secured", () =>
    Effect.gen(function* () {
      const server = yield* ownElasticsearch({ secured: true })
      assert.strictEqual((yield* server.request("PUT", "/things")).status, 200)
      assert.strictEqual((yield* requestOf(server.url, "wrong")("GET", "/things")).status, 401)
      const key = yield* server.request("POST", "/_security/api_key", { name: "test" })
      assert.strictEqual(key.status, 200)
    })
  )
})
