/** One wallet in every store, over HTTP: what differs, and what is mended. */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { ActorsJson, VerificationJson, WalletStoresJson } from "../../src/http/api/InspectionSchemas.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import type { MemoryState } from "../../src/stores/memory/MemoryDatabase.ts"
import { newState, storesOver } from "../support/LogLife.ts"
import * as Server from "./TestServer.ts"

const strictly = { onExcessProperty: "error" } as const
const storesOf = Schema.decodeUnknownEffect(WalletStoresJson, strictly)
const verificationOf = Schema.decodeUnknownEffect(VerificationJson, strictly)

layer(Server.layer(), { excludeTestServices: true })("one wallet in every store", (it) => {
  it.effect("is the same in all of them, and its actor is there", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* Server.TestServer
      const id = yield* wallet()
      yield* call("POST", `/v1/wallets/${id}/credit`, { key: "c", body: { amount: "100", await: undefined } })
      yield* call("POST", `/v1/wallets/${id}/holds`, { key: "h", body: { amount: "30" } })
      const { json, status } = yield* call("GET", `/v1/wallets/${id}/stores`)
      assert.strictEqual(status, 200)
      const found = yield* storesOf(json)
      assert.deepStrictEqual(found.differences, [])
      for (const side of [found.log.wallet, found.persistence.wallet, found.readModel.wallet]) {
        assert.deepStrictEqual([side?.version, side?.balance, side?.held], [2, 100n, 30n])
      }
      assert.strictEqual(found.node?.actor?.version, 2)
      assert.strictEqual(found.openHoldCount, 1)
      const verified = yield* call("POST", `/v1/wallets/${id}/verify`)
      const { differenceCount, events, repaired } = yield* verificationOf(verified.json)
      assert.deepStrictEqual([differenceCount, events, repaired], [0, 3, false])
    })
  )

  it.effect("is for admins alone, of a wallet that is there, asked in form", () =>
    Effect.gen(function* () {
      const { call, secrets, wallet } = yield* Server.TestServer
      const id = yield* wallet()
      for (const secret of [secrets.read, secrets.write]) {
        assert.strictEqual((yield* call("GET", `/v1/wallets/${id}/stores`, { secret })).status, 403)
        assert.strictEqual((yield* call("POST", `/v1/wallets/${id}/verify`, { secret })).status, 403)
      }
      assert.strictEqual((yield* call("GET", `/v1/wallets/${id}/stores`, { secret: null })).status, 401)
      for (const [method, path, body, code] of [
        ["GET", "nobody/stores", undefined, "WalletNotFound"],
        ["POST", "nobody/verify", {}, "WalletNotFound"],
        ["GET", "no%20id/stores", undefined, "InvalidRequest"],
        ["POST", `${id}/verify`, { repair: "yes" }, "InvalidRequest"],
        ["POST", `${id}/verify`, { fix: true }, "InvalidRequest"],
        ["GET", `${id}/stores?deep=1`, undefined, "InvalidRequest"]
      ] as const) {
        assert.strictEqual((yield* call(method, `/v1/wallets/${path}`, { body })).json.code, code, path)
      }
    })
  )

  it.effect("is verified one at a time on a node, whoever asks at once", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* Server.TestServer
      const id = yield* wallet()
      for (let index = 0; index < 5; index++) {
        yield* call("POST", `/v1/wallets/${id}/credit`, { key: `c${index}`, body: { amount: "1" } })
      }
      const answers = yield* Effect.forEach(Array.from({ length: 8 }), () => call("POST", `/v1/wallets/${id}/verify`), {
        concurrency: 8
      })
      const statuses = new Set(answers.map(({ status }) => status))
      assert.isTrue(statuses.has(200))
      statuses.delete(200)
      statuses.delete(429)
      assert.deepStrictEqual([...statuses], [])
      for (const { headers, status } of answers) if (status === 429) assert.isNotNull(headers.get("retry-after"))
    })
  )
})

layer(Server.layer(), { excludeTestServices: true })("the actors of a node", (it) => {
  it.effect("are counted, with what they append and who is the busiest; for admins alone", () =>
    Effect.gen(function* () {
      const { call, secrets, wallet } = yield* Server.TestServer
      const [calm, busy] = [yield* wallet(), yield* wallet()]
      for (let index = 0; index < 20; index++) {
        yield* call("POST", `/v1/wallets/${busy}/credit`, { key: `c${index}`, body: { amount: "1" } })
      }
      const { json } = yield* Effect.repeat(call("GET", "/v1/actors"), {
        until: (reply) => reply.json.appends.events === 22
      })
      const found = yield* Schema.decodeUnknownEffect(ActorsJson, strictly)(json)
      assert.deepStrictEqual([found.partitions, found.owned, found.resident.wallets], [1_024, 1_024, 2])
      assert.isAbove(found.resident.bytes, 0)
      assert.deepStrictEqual(found.hottest, {
        error: 0,
        wallets: [
          { walletId: busy, events: 21 },
          { walletId: calm, events: 1 }
        ]
      })
      assert.deepStrictEqual([found.appends.count, found.appends.wallets], [22, 22])
      assert.deepStrictEqual(found.appends.sizes, [{ atMostWallets: 1, count: 22 }])
      for (const secret of [secrets.read, secrets.write]) {
        assert.strictEqual((yield* call("GET", "/v1/actors", { secret })).status, 403)
      }
    })
  )
})

/** Over stores that the test can damage. */
const withState = Effect.fnUntraced(function* <A, E>(
  test: (state: MemoryState) => Effect.Effect<A, E, Server.TestServer>
) {
  const state = yield* newState()
  const engine = Layer.orDie(
    WalletEngine.layer({ bounds: defaultBounds, partitions: 16 }).pipe(Layer.provide(storesOver(state)))
  )
  return yield* Effect.provide(test(state), Server.layerWith(engine))
})

describe("a wallet whose rows were altered", () => {
  it.live("is shown as different, and mended when that is asked for, once or twice, and on record", () =>
    withState((state) =>
      Effect.gen(function* () {
        const { call, wallet } = yield* Server.TestServer
        const id = yield* wallet()
        yield* call("POST", `/v1/wallets/${id}/credit`, { key: "c", body: { amount: "100" } })
        const right = state.wallets.get(id)!
        state.wallets.set(id, { ...right, wallet: { ...right.wallet, balance: 90n } })
        const seen = yield* storesOf((yield* call("GET", `/v1/wallets/${id}/stores`)).json)
        assert.deepStrictEqual(
          seen.differences.map(({ expected, found, lags, store }) => [store, expected, found, lags]),
          [
            ["persistence", "balance: 100", "balance: 90", false],
            ["readModel", "balance: 100", "balance: 90", false]
          ]
        )
        const compared = yield* verificationOf((yield* call("POST", `/v1/wallets/${id}/verify`)).json)
        assert.isAbove(compared.differenceCount, 0)
        assert.isFalse(compared.repaired)
        assert.strictEqual(state.wallets.get(id)?.wallet.balance, 90n, "nothing is changed unasked")
        for (const repaired of [true, false]) {
          const mended = yield* call("POST", `/v1/wallets/${id}/verify`, { body: { repair: true } })
          const report = yield* verificationOf(mended.json)
          assert.deepStrictEqual([report.differenceCount, report.repaired], [0, repaired])
        }
        assert.strictEqual(state.wallets.get(id)?.wallet.balance, 100n)
        assert.deepStrictEqual((yield* storesOf((yield* call("GET", `/v1/wallets/${id}/stores`)).json)).differences, [])
        yield* Effect.repeat(call("GET", "/v1/audit?action=wallet.repair"), {
          until: ({ json }) => json.data.length === 1 && json.data[0].target === id
        })
      })
    )
  )
})
