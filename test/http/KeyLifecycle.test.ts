/** Keys that expire and secrets that roll, here and on another node; and what is on record of it all. */
import { assert, it, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { ApiKeys, refreshInterval } from "../../src/http/ApiKeys.ts"
import { AuditLog, coalesceMillis, maxWaiting, writeInterval } from "../../src/http/AuditLog.ts"
import { HttpConfig } from "../../src/http/HttpConfig.ts"
import { ApiKeyStore } from "../../src/stores/ApiKeyStore.ts"
import { type AuditEntry, AuditStore } from "../../src/stores/AuditStore.ts"
import * as MemoryStores from "../../src/stores/memory/MemoryStores.ts"
import { StoreUnavailable } from "../../src/stores/StoreError.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

const stores = MemoryStores.layer()
const quiet = Logger.layer([])
const withKeys = <A, E>(effect: Effect.Effect<A, E, ApiKeys | ApiKeyStore>) =>
  effect.pipe(Effect.provide(ApiKeys.layer.pipe(Layer.provideMerge(Layer.fresh(stores)), Layer.provide(quiet))))

/** Another node on the same store, as long as the scope. */
const anotherNode = Effect.flatMap(ApiKeyStore, (store) =>
  Effect.map(
    Layer.build(Layer.fresh(ApiKeys.layer).pipe(Layer.provide([Layer.succeed(ApiKeyStore, store), quiet]))),
    (services) => Context.get(services, ApiKeys)
  )
)

const isIn = (keys: ApiKeys["Service"], secret: Redacted.Redacted) =>
  Effect.map(keys.authenticate(Redacted.value(secret)), (key) => key !== undefined)

it.effect("a key that expires opens nothing from that millisecond on, on every node", () =>
  withKeys(
    Effect.gen(function* () {
      const here = yield* ApiKeys
      const there = yield* anotherNode
      yield* TestClock.adjust(1_000)
      const { key, secret } = yield* here.create("short", ["wallets:read"], { expiresAt: 11_000 })
      assert.strictEqual(key.expiresAt, 11_000)
      yield* TestClock.adjust(9_999)
      for (const node of [here, there]) assert.isTrue(yield* isIn(node, secret))
      yield* TestClock.adjust(1)
      for (const node of [here, there]) {
        assert.isFalse(yield* isIn(node, secret))
        assert.isUndefined(node.known(Redacted.value(secret)))
      }
    }).pipe(Effect.scoped)
  )
)

it.effect("a roll leaves the secret before for its grace, two at most, and reaches every node", () =>
  withKeys(
    Effect.gen(function* () {
      const here = yield* ApiKeys
      const there = yield* anotherNode
      const restriction = { ownerId: "o", limits: { perDay: 5n } }
      const first = yield* here.create("rolled", ["wallets:read"], { restriction })
      const roll = (graceMillis: number) =>
        Effect.map(here.roll(first.key.id, graceMillis), (rolled) => {
          assert.deepStrictEqual(rolled?.key, first.key)
          return rolled!.secret
        })
      const second = yield* roll(10_000)
      yield* TestClock.adjust(refreshInterval)
      for (const node of [here, there]) {
        assert.isTrue(yield* isIn(node, first.secret))
        assert.isTrue(yield* isIn(node, second))
      }
      const third = yield* roll(5_000)
      assert.isFalse(yield* isIn(here, first.secret))
      yield* TestClock.adjust(refreshInterval)
      assert.isFalse(yield* isIn(there, first.secret))
      assert.isTrue(yield* isIn(there, second))
      yield* TestClock.adjust(5_000 - refreshInterval)
      for (const node of [here, there]) {
        assert.isFalse(yield* isIn(node, second))
        assert.isTrue(yield* isIn(node, third))
      }
      const fourth = yield* roll(0)
      assert.isFalse(yield* isIn(here, third))
      assert.isTrue(yield* isIn(here, fourth))
      yield* here.revoke(first.key.id)
      assert.isFalse(yield* isIn(here, fourth))
      assert.isUndefined(yield* here.roll(first.key.id, 0))
      assert.strictEqual((yield* Effect.flip(here.roll("configured", 0)))._tag, "KeyConfigured")
    }).pipe(Effect.scoped)
  )
)

it.effect("the last admin key that does not expire stays", () =>
  withKeys(
    Effect.gen(function* () {
      const keys = yield* ApiKeys
      const lasting = yield* keys.create("lasting", ["admin"])
      const passing = yield* keys.create("passing", ["admin"], { expiresAt: 1_000_000 })
      assert.strictEqual((yield* Effect.flip(keys.revoke(lasting.key.id)))._tag, "LastAdminKey")
      assert.isTrue(yield* keys.revoke(passing.key.id))
    })
  )
)

layer(Server.layer(), { excludeTestServices: true })("the audit list", (it) => {
  /** Until the list has what it is to have: it is written by and by. */
  const entries = Effect.fnUntraced(function* (query: string, isThere: (found: ReadonlyArray<AuditEntry>) => boolean) {
    const { call } = yield* TestServer
    return yield* Effect.map(
      call("GET", `/v1/audit?${query}`),
      ({ json }) => json.data as ReadonlyArray<AuditEntry>
    ).pipe(Effect.repeat({ until: isThere }))
  })

  it.effect("has every act of an admin's, once, and not what was tried or done before", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const me = (yield* call("GET", "/v1/keys/self")).json.id
      const id = yield* wallet({ overdraftLimit: "5" })
      const post = (path: string, body: unknown, key?: string) =>
        call("POST", path, { body, ...(key === undefined ? {} : { key }) })
      for (const key of ["audit-freeze", "audit-freeze"]) {
        yield* post(`/v1/wallets/${id}/freeze`, { reason: "fraud?" }, key)
      }
      yield* post(`/v1/wallets/${id}/unfreeze?dryRun=true`, {})
      yield* post(`/v1/wallets/${id}/unfreeze`, {}, "audit-unfreeze")
      yield* call("PATCH", `/v1/wallets/${id}`, { key: "audit-limit", body: { overdraftLimit: "0" } })
      yield* post(`/v1/wallets/${id}/debit`, { amount: "3", force: true }, "audit-force")
      const item = { type: "debit", walletId: id, idempotencyKey: "audit-batch", amount: "2", force: true }
      yield* post("/v1/batch", { commands: [item] })
      yield* post(`/v1/wallets/${id}/credit`, { amount: "5" }, "audit-credit")
      yield* post(`/v1/wallets/${id}/close`, {}, "audit-close")
      const key = (yield* post("/v1/keys", { name: "made", scopes: ["wallets:read"] })).json.id
      yield* post(`/v1/keys/${key}/roll`, {})
      yield* call("DELETE", `/v1/keys/${key}`)
      const found = yield* entries(`keyId=${me}`, (all) => all.some(({ action }) => action === "key.revoke"))
      assert.deepStrictEqual(
        found.map(({ action, detail, outcome, target }) => [action, target, detail, outcome]).reverse(),
        [
          ["wallet.overdraftLimit", id, "overdraftLimit 5", "done"],
          ["wallet.freeze", id, "fraud?", "done"],
          ["wallet.unfreeze", id, null, "done"],
          ["wallet.overdraftLimit", id, "overdraftLimit 0", "done"],
          ["wallet.forceDebit", id, "amount 3", "done"],
          ["wallet.forceDebit", id, "amount 2", "done"],
          ["wallet.close", id, null, "done"],
          ["key.create", key, "made", "done"],
          ["key.roll", key, "the secret before is good for 0 s", "done"],
          ["key.revoke", key, null, "done"]
        ]
      )
      const page = yield* call("GET", `/v1/audit?keyId=${me}&action=wallet.forceDebit&limit=1`)
      assert.lengthOf(page.json.data, 1)
      assert.include(page.json.data[0].detail, "2")
      const next = yield* call("GET", `/v1/audit?keyId=${me}&action=wallet.forceDebit&limit=1&cursor=${page.json.next}`)
      assert.include(next.json.data[0].detail, "3")
      assert.deepStrictEqual((yield* call("GET", "/v1/audit?to=1970-01-02T00:00:00Z")).json.data, [])
    })
  )

  it.effect("is the admin's alone", () =>
    Effect.gen(function* () {
      const { call, secrets } = yield* TestServer
      for (const secret of [secrets.read, secrets.write]) {
        assert.strictEqual((yield* call("GET", "/v1/audit", { secret })).status, 403)
      }
      assert.strictEqual((yield* call("GET", "/v1/audit", { secret: null })).status, 401)
    })
  )
})

/** An audit log on a store that answers or does not. */
const auditing = Effect.gen(function* () {
  const written: Array<AuditEntry> = []
  const state = { away: false }
  const store = AuditStore.of({
    add: (entries) =>
      Effect.suspend(() =>
        state.away
          ? Effect.fail(new StoreUnavailable({ store: "persistence", reason: "away", retryAfter: 1 }))
          : Effect.sync(() => void written.push(...entries))
      ),
    list: () => Effect.succeed({ data: written, next: null }),
    prune: () => Effect.succeed(0)
  })
  const services = yield* Layer.build(
    AuditLog.layer.pipe(Layer.provide([Layer.succeed(AuditStore, store), HttpConfig.layer(), quiet]))
  )
  return { log: yield* Effect.provide(AuditLog, services), state, written }
})

const key = { id: "k", name: "shop" }

it.effect("what a key is refused is one entry a minute for each operation, however often it asks", () =>
  Effect.gen(function* () {
    const { log, written } = yield* auditing
    for (let turn = 0; turn < 1_000; turn++) yield* log.refused({ key, action: "wallets.freeze" })
    yield* log.refused({ key, action: "keys.create" })
    yield* TestClock.adjust(coalesceMillis - writeInterval)
    assert.lengthOf(written, 0)
    yield* TestClock.adjust(2 * writeInterval)
    assert.deepStrictEqual(
      written.map(({ action, count, outcome }) => [action, count, outcome]),
      [
        ["wallets.freeze", 1_000, "refused"],
        ["keys.create", 1, "refused"]
      ]
    )
    // Whoever has many keys and tries everything is bounded, too.
    for (let turn = 0; turn < 10_000; turn++) {
      yield* log.refused({ key: { id: `k-${turn % 50}`, name: "many" }, action: `operation.${turn}` })
    }
    yield* TestClock.adjust(coalesceMillis + writeInterval)
    assert.isBelow(written.length, 2_100)
    assert.strictEqual(
      written.reduce((sum, { count }) => sum + count, 0),
      11_001
    )
  }).pipe(Effect.scoped)
)

it.effect("what admins do waits for a store that is away, within its bound, and fails nobody", () =>
  Effect.gen(function* () {
    const { log, state, written } = yield* auditing
    state.away = true
    for (let turn = 0; turn < maxWaiting + 7; turn++) yield* log.done({ key, action: "key.create", target: `${turn}` })
    yield* TestClock.adjust(10 * writeInterval)
    assert.lengthOf(written, 0)
    state.away = false
    yield* TestClock.adjust(writeInterval)
    assert.lengthOf(written, maxWaiting)
    assert.deepStrictEqual([written[0]!.target, written.at(-1)!.target], ["0", `${maxWaiting - 1}`])
  }).pipe(Effect.scoped)
)

it.effect("a stop writes what is in line, and what is still counted", () =>
  Effect.gen(function* () {
    const written = yield* Effect.scoped(
      Effect.gen(function* () {
        const { log, written } = yield* auditing
        yield* log.done({ key, action: "key.create" })
        yield* log.refused({ key, action: "keys.create" })
        return written
      })
    )
    assert.deepStrictEqual(
      written.map(({ outcome }) => outcome),
      ["done", "refused"]
    )
  })
)
