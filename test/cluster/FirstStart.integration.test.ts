/** Three real nodes that start at once over a new database, and what becomes of the connections between them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { postgresPresent } from "../support/postgres.ts"
import { redisPresent } from "../support/redis.ts"
import { defaultClient } from "../faults/FaultClient.ts"
import { type ClusterNode, makeRig, untilShared } from "./ClusterRig.ts"

interface Answer {
  readonly status: number
  // A test says by what it reads which document it expects.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any
}

const send = (node: ClusterNode, method: string, path: string, key?: string, body?: unknown) =>
  Effect.tryPromise(async (signal): Promise<Answer> => {
    const headers = {
      authorization: `Bearer ${defaultClient.apiKey}`,
      ...(key === undefined ? {} : { "content-type": "application/json", "idempotency-key": key })
    }
    const init = { method, headers, signal, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
    const answer = await fetch(node.url + path, init)
    return { status: answer.status, json: await answer.json() }
  })

const until = <E>(answer: Effect.Effect<Answer, E>, holds: (answer: Answer) => boolean) =>
  Effect.repeat(answer, { until: holds, schedule: Schedule.spaced(50) })

interface Check {
  readonly name: string
  readonly status: string
  readonly detail: string | null
}

const ownershipOf = ({ json }: Answer): Check =>
  (json.checks as ReadonlyArray<Check>).find(({ name }) => name === "ownership")!

describe.skipIf(!postgresPresent || !redisPresent)("three nodes that start at once", () => {
  it.live("are let in by the configured key, and reach each other again after every trouble between them", () =>
    Effect.gen(function* () {
      const rig = yield* makeRig({ stores: "postgres", nodes: 3 })
      yield* Effect.forEach(rig.nodes, ({ start }) => start, { concurrency: "unbounded" })
      yield* untilShared(rig.nodes)
      const [first, second] = rig.nodes
      for (const node of rig.nodes) {
        const { json } = yield* send(node, "GET", "/v1/keys")
        assert.deepStrictEqual(
          json.data.map((key: { readonly id: string }) => key.id),
          ["configured"]
        )
      }
      // Of 24 wallets each node owns some.
      const ids = Array.from({ length: 24 }, (_, n) => `w${n}`)
      for (const id of ids) {
        const made = yield* send(first!, "POST", "/v1/wallets", `create-${id}`, { id, ownerId: "o", currency: "EUR" })
        assert.strictEqual(made.status, 201)
      }
      for (let round = 0; round < 2; round++) {
        for (const { proxies } of rig.nodes) {
          yield* proxies.peers.set({ _tag: "Garble", what: round === 0 ? "requests" : "answers" })
        }
        const credit = (id: string) =>
          until(
            send(first!, "POST", `/v1/wallets/${id}/credit`, `credit-${round}-${id}`, { amount: "1" }),
            ({ status }) => status === 201
          )
        yield* Effect.forEach(ids, credit, { concurrency: "unbounded" })
        yield* Effect.forEach(rig.nodes, ({ proxies }) => proxies.peers.set({ _tag: "Pass" }))
      }
      for (const id of ids) {
        assert.strictEqual((yield* send(first!, "GET", `/v1/wallets/${id}`)).json.balance, "2", "once each")
      }
      // One cannot be asked: the others are ready, and say so.
      yield* second!.proxies.peers.set({ _tag: "Hold" })
      const ready = send(first!, "GET", "/health/ready")
      const troubled = yield* until(ready, (answer) => /cannot be asked/.test(ownershipOf(answer).detail ?? ""))
      assert.deepStrictEqual([troubled.status, ownershipOf(troubled).status], [200, "degraded"])
      yield* second!.proxies.peers.set({ _tag: "Pass" })
      yield* until(ready, (answer) => ownershipOf(answer).status === "ok")
    }).pipe(Effect.scoped)
  )
})
