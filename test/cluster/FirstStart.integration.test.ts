/** Three real nodes that start at once over a new database, and what becomes of the connections between them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { remoteEngine } from "../../src/remote/RemoteEngine.ts"
import { haproxyFolder, startBalancer } from "../support/haproxy.ts"
import { postgresPresent } from "../support/postgres.ts"
import { redisPresent } from "../support/redis.ts"
import { defaultClient } from "../faults/FaultClient.ts"
import { type ClusterRig, makeRig, untilShared } from "./ClusterRig.ts"

interface Answer {
  readonly status: number
  // A test says by what it reads which document it expects.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any
  /** Whose wallet it is about. */
  readonly node: string | null
}

const send = (node: { readonly url: string }, method: string, path: string, key?: string, body?: unknown) =>
  Effect.tryPromise(async (signal): Promise<Answer> => {
    const headers = {
      authorization: `Bearer ${defaultClient.apiKey}`,
      ...(key === undefined ? {} : { "content-type": "application/json", "idempotency-key": key })
    }
    const init = { method, headers, signal, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
    const answer = await fetch(node.url + path, init)
    return { status: answer.status, json: await answer.json(), node: answer.headers.get("x-wallet-node") }
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

const metricsOf = ({ url }: { readonly url: string }) =>
  Effect.tryPromise((signal) => fetch(`${url}/metrics`, { signal }).then((answer) => answer.text()))

/** A page that was made after this was asked for: one is kept for a second, and no two are the same. */
const freshMetricsOf = Effect.fnUntraced(function* (node: { readonly url: string }) {
  const kept = yield* metricsOf(node)
  return yield* Effect.repeat(metricsOf(node), { until: (page) => page !== kept, schedule: Schedule.spaced(50) })
})

/** Commands that the nodes have sent to one another so far. */
const sentOn = ({ nodes }: ClusterRig) =>
  Effect.map(Effect.forEach(nodes, freshMetricsOf, { concurrency: "unbounded" }), (texts) =>
    texts.reduce((total, text) => total + Number(/^wallet_cluster_commands_total ([0-9]+)/m.exec(text)?.[1] ?? 0), 0)
  )

/** In a whole round; a wallet that moves on a busy machine is learned of anew. */
const untilNothingIsSentOn = Effect.fnUntraced(function* <A, E>(
  rig: ClusterRig,
  creditAll: (round: string) => Effect.Effect<A, E>
) {
  for (let [round, before] = [0, -1]; ; round++) {
    const after = yield* sentOn(rig)
    if (after === before) return
    before = after
    yield* creditAll(`straight-${round}`)
  }
})

/** A client that learns where the owners are sends nothing the long way any more, and is served when one of them dies. */
const goesToOwners = Effect.fnUntraced(function* (rig: ClusterRig, ids: ReadonlyArray<string>) {
  const [first, , third] = rig.nodes
  const engine = yield* remoteEngine({
    url: first!.url,
    apiKey: defaultClient.apiKey,
    toOwners: true,
    timeout: "2 minutes"
  })
  const creditAll = (round: string) =>
    Effect.forEach(ids, (id) => engine.credit({ walletId: id, amount: 1n, idempotencyKey: `${round}-${id}` }), {
      concurrency: "unbounded"
    })
  yield* creditAll("learned")
  yield* untilNothingIsSentOn(rig, creditAll)
  assert.isAbove(yield* sentOn(rig), 0, "but for what was learned from")
  yield* third!.end("SIGKILL")
  const answers = yield* creditAll("without")
  assert.isTrue(answers.every(({ replayed }) => !replayed))
  yield* third!.start
  yield* untilShared(rig.nodes)
})

/** The balancer of the compose file sends to the owner whom the last answer has named, and to others where it is away. */
const throughBalancer = Effect.fnUntraced(function* (rig: ClusterRig, ids: ReadonlyArray<string>) {
  const balancer = { url: yield* startBalancer(rig.nodes.map(({ url }) => url)) }
  const creditAll = (round: string) =>
    Effect.forEach(
      ids,
      (id) =>
        until(
          send(balancer, "POST", `/v1/wallets/${id}/credit`, `balanced-${round}-${id}`, { amount: "1" }),
          ({ status }) => status === 201
        ),
      { concurrency: "unbounded" }
    )
  const told = yield* creditAll("learned")
  assert.isTrue(
    told.every(({ node }) => node === null),
    "the nodes' names stay inside"
  )
  yield* untilNothingIsSentOn(rig, creditAll)
  const [, , third] = rig.nodes
  yield* third!.end("SIGKILL")
  yield* creditAll("without")
  yield* third!.start
  yield* untilShared(rig.nodes)
})

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
      // Each answer names the owner, whoever answers; who goes there is not sent on to another.
      const places = yield* Effect.forEach(ids, (id) =>
        Effect.map(send(first!, "GET", `/v1/wallets/${id}`), ({ node }) => node)
      )
      assert.deepStrictEqual(new Set(places), new Set(rig.nodes.map(({ url }) => url)))
      for (const [n, id] of ids.entries()) {
        const there = { url: places[n]! }
        const credited = yield* send(there, "POST", `/v1/wallets/${id}/credit`, `there-${id}`, { amount: "1" })
        const missing = yield* send(first!, "GET", `/v1/wallets/${id}/holds/none`)
        const body = { from: id, to: ids[(n + 1) % ids.length], amount: "1" }
        const sent = yield* send(first!, "POST", "/v1/transfers", `sent-${id}`, body)
        const told = [credited, missing, sent].map(({ node, status }) => [status, node])
        assert.deepStrictEqual(told, [
          [201, there.url],
          [404, there.url],
          [201, there.url]
        ])
      }
      yield* goesToOwners(rig, ids)
      if (haproxyFolder !== undefined) yield* throughBalancer(rig, ids)
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
