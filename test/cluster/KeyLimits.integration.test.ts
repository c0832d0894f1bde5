/** The limit of a key on two real nodes, over HTTP, PostgreSQL and Redis, through the death of the wallet's owner. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { postgresPresent } from "../support/postgres.ts"
import { redisPresent } from "../support/redis.ts"
import { defaultClient } from "../faults/FaultClient.ts"
import { type ClusterNode, clusterOf, makeRig, startNodes, untilShared } from "./ClusterRig.ts"
import { partitionOf } from "../../src/domain/Partition.ts"

interface Answer {
  readonly status: number
  // A test says by what it reads which document it expects.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any
}

const send = (node: ClusterNode, path: string, body: unknown, key: string, secret: string = defaultClient.apiKey) =>
  Effect.promise(async (signal): Promise<Answer> => {
    const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json", "idempotency-key": key }
    const answer = await fetch(node.url + path, { method: "POST", headers, signal, body: JSON.stringify(body) })
    return { status: answer.status, json: await answer.json() }
  })

const made = ({ json, status }: Answer): Answer["json"] => {
  assert.strictEqual(status, 201, JSON.stringify(json))
  return json
}

/** Again with the same key, until it is known what became of it. */
const settled = (answer: Effect.Effect<Answer>) =>
  Effect.repeat(answer, { until: ({ status }) => status !== 503 && status !== 202 && status !== 429 })

const perDay = 500

describe.skipIf(!postgresPresent || !redisPresent)("the limit of a key on two real nodes", () => {
  it.live(
    "is not passed by one unit by 64 spenders at once, nor after the owner of the wallet was killed",
    () =>
      Effect.gen(function* () {
        const rig = yield* makeRig({ stores: "postgres", nodes: 2 })
        yield* startNodes(rig)
        const [first, second] = [rig.nodes[0]!, rig.nodes[1]!]
        made(yield* send(first, "/v1/wallets", { id: "shared", ownerId: "o", currency: "EUR" }, "w"))
        made(yield* send(first, "/v1/wallets/shared/credit", { amount: "100000" }, "c"))
        const restriction = { walletIds: ["shared"], types: ["debit"], limits: { perDay: String(perDay) } }
        const scopes = ["wallets:write"]
        const { secret } = made(yield* send(first, "/v1/keys", { name: "spender", scopes, restriction }, "k"))
        const debit = (node: ClusterNode, amount: number, key: string) =>
          settled(send(node, "/v1/wallets/shared/debit", { amount: String(amount) }, key, secret))
        const spend = (spender: number) =>
          Effect.forEach(Array.from({ length: 8 }), (_, turn) =>
            debit(spender % 2 === 0 ? first : second, 1 + (spender % 3), `${spender}-${turn}`)
          )
        const answers = (yield* Effect.forEach(
          Array.from({ length: 64 }, (_, spender) => spender),
          spend,
          { concurrency: "unbounded" }
        )).flat()
        const spent = answers.reduce(
          (sum, { json, status }) => (status === 201 ? sum + Number(json.transaction.amount) : sum),
          0
        )
        for (const { json, status } of answers) if (status !== 201) assert.strictEqual(json.code, "KeyLimitExceeded")
        // They want twice as much: what is left is less than the largest of them, and can be spent to the last unit.
        assert.isAtMost(spent, perDay)
        assert.isAbove(spent, perDay - 3)
        if (spent < perDay) made(yield* debit(second, perDay - spent, "rest"))
        const views = yield* Effect.forEach(rig.nodes, clusterOf)
        const owner = views.findIndex((view) =>
          view?.node.owned.some(({ partition }) => partition === partitionOf("shared", rig.partitions))
        )
        const other = rig.nodes[1 - owner]!
        yield* rig.nodes[owner]!.end("SIGKILL")
        yield* untilShared([other])
        const over = yield* debit(other, 1, "over")
        assert.deepInclude(over.json, { code: "KeyLimitExceeded", limit: "perDay", remaining: "0" })
        const replayed = answers.findIndex(({ status }) => status === 201)
        const key = `${Math.floor(replayed / 8)}-${replayed % 8}`
        const again = yield* debit(other, 1 + (Math.floor(replayed / 8) % 3), key)
        assert.deepStrictEqual(again.json.transaction, answers[replayed]!.json.transaction)
      }),
    180_000
  )
})
