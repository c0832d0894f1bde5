/** Rates that nodes count together on a real Redis: through its absence, and by two real services. */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { randomUUID } from "node:crypto"
import { makeRedisRates } from "../../../src/cluster/redis/RedisRates.ts"
import type { Rates } from "../../../src/engine/ClusterStatus.ts"
import { defaultClient } from "../../faults/FaultClient.ts"
import { postgresPresent } from "../../support/postgres.ts"
import { ownRedis, redisPresent, sharedRedis, watchRedis } from "../../support/redis.ts"
import { type ClusterNode, makeRig, startNodes } from "../ClusterRig.ts"

/** So long that no test sees its end. */
const window = Duration.hours(1)
const limit = 200

const ratesAt = (url: string, clusterName: string) => makeRedisRates({ url: Redacted.make(url), clusterName, window })

/** How many of so many requests at once are let in. */
const letIn = (rates: Rates, requests: number, key = "key") =>
  Effect.map(
    Effect.forEach(
      Array.from({ length: requests }),
      () => Effect.match(rates.consume({ key, tokens: 1, limit }), { onFailure: () => 0, onSuccess: () => 1 }),
      { concurrency: "unbounded" }
    ),
    (answers) => answers.reduce<number>((sum, one) => sum + one, 0)
  )

const untilCounts = (rates: Rates) => Effect.repeat(letIn(rates, 1, randomUUID()), { until: (one) => one === 1 })

describe.skipIf(!redisPresent)("a rate of several nodes", () => {
  it.live("is one rate, to the last token, asked for by shares", () =>
    Effect.gen(function* () {
      const { url } = yield* ownRedis
      const nodes = yield* Effect.all([ratesAt(url, "one"), ratesAt(url, "one"), ratesAt(url, "one")])
      yield* Effect.forEach(nodes, untilCounts)
      const commands = yield* watchRedis(url)
      const given = yield* Effect.forEach(nodes, (rates) => letIn(rates, limit), { concurrency: "unbounded" })
      assert.strictEqual(
        given.reduce((sum, one) => sum + one, 0),
        limit
      )
      const asked = commands.filter((command) => /^evalsha/i.test(command)).length
      assert.isAtMost(asked, 40, "for 600 requests")
      // Refused without a question, and another key is another rate.
      const [first] = nodes
      assert.strictEqual(yield* letIn(first, limit), 0)
      assert.isAtMost(commands.filter((command) => /^evalsha/i.test(command)).length, asked + 1)
      assert.strictEqual(yield* letIn(first, 10, "another"), 10)
    }).pipe(Effect.scoped)
  )

  it.live("is another rate for a cluster of another name, and counts requests that take more than a share", () =>
    Effect.gen(function* () {
      const url = yield* sharedRedis
      const [one, other] = yield* Effect.all([ratesAt(url, randomUUID()), ratesAt(url, randomUUID())])
      yield* Effect.forEach([one, other], untilCounts)
      const take = (rates: Rates, tokens: number) =>
        Effect.match(rates.consume({ key: "k", tokens, limit }), {
          onFailure: ({ reason }) => reason._tag,
          onSuccess: () => "given"
        })
      assert.strictEqual(yield* take(one, 150), "given")
      assert.strictEqual(yield* take(one, 100), "RateLimitExceeded")
      assert.strictEqual(yield* take(one, 50), "given")
      assert.strictEqual(yield* take(one, 1), "RateLimitExceeded")
      assert.strictEqual(yield* take(other, 200), "given")
    }).pipe(Effect.scoped)
  )

  it.live(
    "is each node's own while Redis is killed or stands still, which is said once, and one again after that",
    () => {
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
      const said = (what: string) => lines.filter((line) => line.includes(what)).length
      return Effect.gen(function* () {
        const redis = yield* ownRedis
        const nodes = yield* Effect.all([ratesAt(redis.url, "one"), ratesAt(redis.url, "one")])
        yield* Effect.forEach(nodes, untilCounts)
        const [first, second] = nodes
        lines.length = 0
        for (const [away, back] of [
          [redis.kill, redis.start],
          [redis.freeze, redis.thaw]
        ] as const) {
          yield* away
          const key = randomUUID()
          assert.strictEqual(yield* letIn(first, 2 * limit, key), limit)
          assert.strictEqual(yield* letIn(second, 2 * limit, key), limit)
          yield* back
          const [were, again] = [said("counts again"), 2]
          yield* Effect.repeat(Effect.forEach(nodes, untilCounts), {
            until: () => said("counts again") >= were + again
          })
          const together = yield* Effect.forEach(nodes, (rates) => letIn(rates, limit, "together" + key))
          assert.deepStrictEqual(together, [limit, 0])
        }
        assert.strictEqual(said("each node counts for itself"), 4)
        assert.strictEqual(said("counts again"), 4)
      }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
    }
  )
})

describe.skipIf(!postgresPresent || !redisPresent)("the rate of a key at two real services", () => {
  it.live("is one rate, whichever of them is asked", () =>
    Effect.gen(function* () {
      const perSecond = 40
      const rig = yield* makeRig({
        stores: "postgres",
        nodes: 2,
        environment: { RATE_LIMIT_PER_SECOND: String(perSecond) }
      })
      yield* startNodes(rig)
      const ask = (node: ClusterNode, secret: string, path: string, body?: unknown) =>
        Effect.promise(async (signal) => {
          const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json" }
          const sent = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }
          const answer = await fetch(node.url + path, { ...sent, headers, signal })
          return { status: answer.status, text: await answer.text() }
        })
      const made = yield* Effect.repeat(
        ask(rig.nodes[0]!, defaultClient.apiKey, "/v1/keys", { name: "reader", scopes: ["wallets:read"] }),
        { until: ({ status }) => status === 201 }
      )
      const { secret } = JSON.parse(made.text) as { readonly secret: string }
      // A node that has just read the keys does not know one that another node has made since.
      yield* Effect.repeat(ask(rig.nodes[1]!, secret, "/v1/wallets"), { until: ({ status }) => status !== 401 })
      const ownCounts = () => rig.nodes.flatMap(({ said }) => said.match(/each node counts for itself/g) ?? []).length
      const isCountedTogether = () =>
        rig.nodes.every(
          ({ said }) => said.lastIndexOf("Redis counts again") >= said.lastIndexOf("each node counts for itself")
        )
      const round = Effect.gen(function* () {
        const statuses: Array<number> = []
        const [before, together] = [ownCounts(), isCountedTogether()]
        const began = performance.now()
        yield* Effect.forEach(
          Array.from({ length: 16 }, (_, index) => rig.nodes[index % 2]!),
          (node) =>
            Effect.repeat(
              Effect.map(ask(node, secret, "/v1/wallets"), ({ status }) => void statuses.push(status)),
              { until: () => performance.now() - began > 5_000 }
            ),
          { concurrency: "unbounded" }
        )
        const seconds = (performance.now() - began) / 1_000
        const isTogether = together && ownCounts() === before
        if (!isTogether) console.log("Redis did not count all of a round in time: another round")
        return { seconds, statuses, together: isTogether }
      })
      // On a busy machine Redis may take longer for a count than a request waits for it: then each node counts for itself.
      const { seconds, statuses } = yield* Effect.repeat(round, { until: ({ together }) => together })
      const given = statuses.filter((status) => status === 200).length
      assert.sameMembers([...new Set(statuses)], [200, 429])
      assert.isAtLeast(given, perSecond)
      // Each counting for itself they give nearly twice as much. A window of a second begins with its first request.
      assert.isAtMost(given, perSecond * (Math.floor(seconds) + 2))
      console.log(`${given} of ${statuses.length} in ${seconds.toFixed(1)} s by two nodes, at ${perSecond} a second`)
    }).pipe(Effect.scoped)
  )
})
