/** A wallet in every store, compared and mended over HTTP: by a real service on real stores, and by any node of a cluster. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { SqlClient } from "effect/sql/SqlClient"
import { requestOf } from "../../bench/servers/ElasticsearchServer.ts"
import { startService } from "../cli/WalletProcess.ts"
import { makeRig, startNodes, untilShared } from "../cluster/ClusterRig.ts"
import { defaultClient } from "../faults/FaultClient.ts"
import { elasticsearchPresent, freshIndexPrefix, sharedElasticsearch } from "../support/elasticsearch.ts"
import { postgresPresent, TestPostgres } from "../support/postgres.ts"
import { redisPresent } from "../support/redis.ts"

/** For what hangs. */
const limit = 600_000

const { apiKey } = defaultClient

const caller = (url: string) => (method: string, path: string, body?: unknown) =>
  Effect.promise(async () => {
    const response = await fetch(`${url}/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${apiKey}`,
        "content-type": "application/json",
        "idempotency-key": `key-of-${path.replaceAll(/\W/g, "-")}`
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    // A test says by what it reads which document it expects.
    // oxlint-disable-next-line typescript/no-explicit-any
    return { status: response.status, json: (await response.json()) as any }
  })

type Call = ReturnType<typeof caller>

/** On a busy machine an answer may be "later": the same again. */
const until = (question: ReturnType<Call>, isSo: (json: Awaited<Effect.Success<ReturnType<Call>>>) => boolean) =>
  Effect.repeat(question, { schedule: Schedule.spaced("100 millis"), until: isSo })

const made = Effect.fnUntraced(function* (call: Call, id: string) {
  const isThere = ({ json }: { readonly json: { readonly durability?: { readonly indexed: boolean } } }) =>
    json.durability?.indexed === true
  yield* until(call("POST", "/wallets?await=indexed", { id, ownerId: "o", currency: "EUR" }), isThere)
  yield* until(call("POST", `/wallets/${id}/credit?await=indexed`, { amount: "100" }), isThere)
})

const change = (database: Redacted.Redacted, run: (sql: SqlClient) => Effect.Effect<unknown, unknown>) =>
  Effect.orDie(Effect.provide(Effect.flatMap(SqlClient, run), PgClient.layer({ url: database, maxConnections: 1 })))

const damageRow = (database: Redacted.Redacted, id: string) =>
  change(database, (sql) => sql`update wallet.wallets set balance = balance - 10 where id = ${id}`)

/** What differs now by each of the two ways of looking, in which stores. */
const seen = Effect.fnUntraced(function* (call: Call, id: string) {
  const stores = yield* until(call("GET", `/wallets/${id}/stores`), ({ status }) => status === 200)
  const verified = yield* until(call("POST", `/wallets/${id}/verify`), ({ status }) => status === 200)
  const storesOf = (found: ReadonlyArray<{ readonly store: string }>) => [...new Set(found.map(({ store }) => store))]
  return { side: storesOf(stores.json.differences), compared: storesOf(verified.json.differences), stores: stores.json }
})

const mended = Effect.fnUntraced(function* (call: Call, id: string) {
  for (const repaired of [true, false]) {
    const { json } = yield* until(
      call("POST", `/wallets/${id}/verify`, { repair: true }),
      ({ status }) => status === 200
    )
    assert.deepStrictEqual([json.differenceCount, json.repaired], [0, repaired])
  }
})

describe.skipIf(!postgresPresent)("a wallet whose row was altered in PostgreSQL", () => {
  it.live(
    "is shown and mended over HTTP",
    () =>
      Effect.gen(function* () {
        const { url: database } = yield* TestPostgres
        const service = yield* startService({ DATABASE_URL: Redacted.value(database), WALLET_API_KEY: apiKey })
        const call = caller(service.url)
        yield* made(call, "a")
        const whole = yield* seen(call, "a")
        assert.deepStrictEqual([whole.side, whole.compared, whole.stores.readModel.index], [[], [], null])
        yield* damageRow(database, "a")
        const broken = yield* seen(call, "a")
        assert.deepStrictEqual(
          [broken.side, broken.compared],
          [
            ["persistence", "readModel"],
            ["persistence", "readModel"]
          ],
          "search is those very rows"
        )
        yield* mended(call, "a")
        assert.deepStrictEqual((yield* seen(call, "a")).side, [])
      }).pipe(Effect.provide(TestPostgres.layer), Effect.scoped),
    limit
  )
})

describe.skipIf(!postgresPresent || !elasticsearchPresent)(
  "a wallet that search has lost and PostgreSQL has wrong",
  () => {
    it.live(
      "is shown as such in each, and mended in both",
      () =>
        Effect.gen(function* () {
          const { url: database } = yield* TestPostgres
          const elasticsearch = yield* sharedElasticsearch
          const prefix = freshIndexPrefix()
          const service = yield* startService({
            DATABASE_URL: Redacted.value(database),
            WALLET_API_KEY: apiKey,
            ELASTICSEARCH_URL: elasticsearch,
            WALLET_SEARCH_PREFIX: prefix
          })
          const call = caller(service.url)
          yield* made(call, "a")
          const whole = yield* seen(call, "a")
          assert.deepStrictEqual([whole.side, whole.compared], [[], []])
          assert.isNotNull(whole.stores.readModel.index)
          const request = requestOf(elasticsearch, "")
          const gone = yield* request("DELETE", `/${prefix}-wallets/_doc/a?refresh=true`)
          assert.strictEqual(gone.status, 200, JSON.stringify(gone.body))
          yield* damageRow(database, "a")
          const broken = yield* seen(call, "a")
          assert.deepStrictEqual(broken.side, ["persistence", "readModel"])
          assert.deepStrictEqual(broken.compared, ["persistence", "readModel"])
          assert.isNull(broken.stores.readModel.wallet)
          yield* mended(call, "a")
          assert.deepStrictEqual((yield* seen(call, "a")).side, [])
          const { json } = yield* call("GET", "/wallets?q=a")
          assert.deepStrictEqual(
            json.data.map(({ balance, id }: { readonly balance: string; readonly id: string }) => [id, balance]),
            [["a", "100"]]
          )
        }).pipe(Effect.provide(TestPostgres.layer), Effect.scoped),
      limit
    )
  }
)

describe.skipIf(!postgresPresent || !redisPresent)("a wallet of a cluster", () => {
  it.live(
    "has its actor at one node; any node compares and mends it",
    () =>
      Effect.gen(function* () {
        const rig = yield* makeRig({ stores: "postgres", nodes: 2 })
        yield* startNodes(rig)
        yield* untilShared(rig.nodes)
        const calls = rig.nodes.map(({ url }) => caller(url))
        const [first] = calls
        yield* made(first!, "a")
        const views = yield* Effect.forEach(calls, (call) => seen(call, "a"))
        assert.deepStrictEqual(
          views.map(({ compared, side }) => [side, compared]),
          [
            [[], []],
            [[], []]
          ]
        )
        const actors = views.map(({ stores }) => stores.node.actor?.version ?? null)
        assert.sameMembers(actors, [1, null], "the owner's alone")
        const other = calls[actors.indexOf(null)]!
        yield* damageRow(Redacted.make(rig.direct["DATABASE_URL"]!), "a")
        for (const call of calls) {
          assert.deepStrictEqual((yield* seen(call, "a")).compared, ["persistence", "readModel"])
        }
        yield* mended(other, "a")
        for (const call of calls) assert.deepStrictEqual((yield* seen(call, "a")).side, [])
      }).pipe(Effect.scoped),
    limit
  )
})
