import { assert, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import * as Result from "effect/Result"
import { hash } from "node:crypto"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { ApiKeys, minSecretLength, missInterval, refreshInterval, staleLimit } from "../../src/http/ApiKeys.ts"
import { ApiKeyStore } from "../../src/stores/ApiKeyStore.ts"
import * as MemoryStores from "../../src/stores/memory/MemoryStores.ts"
import { StoreUnavailable } from "../../src/stores/StoreError.ts"
import { clockStopped } from "../support/clocks.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

layer(Server.layer(), { excludeTestServices: true })("keys over HTTP", (it) => {
  it.effect("lets nobody in under /v1 without a valid key, whatever is asked", () =>
    Effect.gen(function* () {
      const { call, secrets } = yield* TestServer
      const requests = [
        ["GET", "/v1/wallets"],
        ["POST", "/v1/wallets"],
        ["GET", "/v1/nowhere"],
        ["PUT", "/v1/wallets"],
        ["GET", "/v1/wallets/%zz"],
        ["GET", "/v1/wallets?limit=x"],
        ["GET", "/v1"]
      ] as const
      for (const [method, path] of requests) {
        for (const authorization of [
          "",
          "Bearer",
          "Bearer ",
          "Bearer nope",
          `Basic ${secrets.admin}`,
          secrets.admin,
          `Bearer ${secrets.admin}x`,
          `Bearer ${secrets.admin.slice(0, -1)}`,
          `Bearer ${secrets.admin}, Bearer x`
        ]) {
          // prettier-ignore
          const reply = yield* call(method, path, { secret: null, headers: { authorization }, key: "" })
          assert.strictEqual(reply.json.code, "Unauthorized", `${method} ${path} ${authorization}`)
          assert.strictEqual(reply.status, 401)
          assert.strictEqual(reply.headers.get("www-authenticate"), "Bearer")
        }
      }
      const lower = yield* call("GET", "/v1/wallets", { headers: { authorization: `bearer ${secrets.read}` } })
      assert.strictEqual(lower.status, 200)
    })
  )

  it.effect("needs no key outside /v1", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      for (const path of ["/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs"]) {
        assert.strictEqual((yield* call("GET", path, { secret: null })).status, 200, path)
        if (!path.startsWith("/health/")) continue
        const [plain, more] = [yield* call("GET", path), yield* call("GET", `${path}?x=1&_=%20`)]
        assert.deepStrictEqual([more.status, more.text], [plain.status, plain.text], path)
      }
      assert.strictEqual((yield* call("GET", "/nowhere", { secret: null })).json.code, "NotFound")
    })
  )

  it.effect("gives each scope exactly its calls", () =>
    Effect.gen(function* () {
      const { call, secrets, wallet } = yield* TestServer
      const id = yield* wallet()
      const w = `/v1/wallets/${id}`
      // The last column: who may.
      const table = [
        ["GET", w, undefined, "read"],
        ["GET", "/v1/wallets", undefined, "read"],
        ["GET", `${w}/transactions`, undefined, "read"],
        ["GET", `${w}/events`, undefined, "read"],
        ["GET", `${w}/holds`, undefined, "read"],
        ["GET", "/v1/transactions", undefined, "read"],
        ["GET", "/v1/transactions/nope", undefined, "read"],
        ["GET", "/v1/holds", undefined, "read"],
        ["GET", "/v1/stats", undefined, "read"],
        ["GET", "/v1/transfers", undefined, "read"],
        ["GET", "/v1/transfers?metadata[a]=b", undefined, "read"],
        ["GET", "/v1/transfers/nope", undefined, "read"],
        ["GET", "/v1/feed?after=999999", undefined, "read"],
        ["POST", "/v1/transfers", { from: id, to: "nope", amount: "1" }, "write"],
        ["POST", `${w}/credit`, { amount: "9" }, "write"],
        ["POST", `${w}/debit`, { amount: "1" }, "write"],
        ["POST", `${w}/holds`, { amount: "1" }, "write"],
        ["POST", `${w}/holds/nope/capture`, {}, "write"],
        ["POST", `${w}/holds/nope/release`, undefined, "write"],
        ["POST", "/v1/batch", { commands: [] }, "write"],
        ["POST", "/v1/wallets", { ownerId: "o", currency: "EUR" }, "write"],
        ["POST", "/v1/wallets", { ownerId: "o", currency: "EUR", overdraftLimit: "1" }, "admin"],
        ["POST", "/v1/wallets", { ownerId: "o", currency: "EUR", overdraftLimit: "0" }, "admin"],
        ["PATCH", w, { metadata: {} }, "write"],
        ["PATCH", w, { metadata: {}, overdraftLimit: "5" }, "admin"],
        ["POST", `${w}/freeze`, {}, "admin"],
        ["POST", `${w}/unfreeze`, {}, "admin"],
        ["POST", `${w}/close`, {}, "admin"],
        ["GET", "/v1/keys", undefined, "admin"],
        ["POST", "/v1/keys", { name: "x", scopes: ["wallets:read"] }, "admin"],
        ["DELETE", "/v1/keys/nope", undefined, "admin"]
      ] as const
      let n = 0
      for (const [method, path, body, needed] of table) {
        for (const scope of ["read", "write", "admin"] as const) {
          const reply = yield* call(method, path, { secret: secrets[scope], key: `k${n++}`, body })
          const may = scope === "admin" || scope === needed
          assert.strictEqual(reply.status === 403, !may, `${scope}: ${method} ${path} → ${reply.status}`)
          if (!may) assert.strictEqual(reply.json.code, "Forbidden")
        }
      }
      // The form comes before the limit's scope, and that before the key's presence.
      const limit = { ownerId: "o", currency: "EUR", overdraftLimit: "1" }
      const formed = yield* call("POST", "/v1/wallets", { secret: secrets.write, body: { ...limit, ownerId: "" } })
      assert.strictEqual(formed.json.code, "InvalidRequest")
      const unkeyed = yield* call("POST", "/v1/wallets", { secret: secrets.write, body: limit })
      assert.strictEqual(unkeyed.json.code, "Forbidden")
    })
  )

  it.effect("makes, lists and revokes keys, at once on this node", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const made = yield* call("POST", "/v1/keys", { body: { name: "reporting", scopes: ["wallets:read"] } })
      assert.strictEqual(made.status, 201)
      const { secret, ...shown } = made.json
      assert.match(secret, /^ew_[A-Za-z0-9_-]{43}$/)
      assert.deepInclude(shown, { name: "reporting", scopes: ["wallets:read"] })
      const list = yield* call("GET", "/v1/keys?limit=1")
      assert.deepStrictEqual(list.json.data, [shown])
      assert.notInclude((yield* call("GET", "/v1/keys")).text, secret)
      assert.strictEqual((yield* call("GET", "/v1/wallets", { secret })).status, 200)
      const gone = yield* call("DELETE", `/v1/keys/${shown.id}`)
      assert.deepStrictEqual([gone.status, gone.text], [204, ""])
      assert.strictEqual((yield* call("GET", "/v1/wallets", { secret })).status, 401)
      assert.strictEqual((yield* call("DELETE", `/v1/keys/${shown.id}`)).json.code, "NotFound")
    })
  )

  it.effect("keeps the last admin key, also when all are revoked at once", () =>
    Effect.gen(function* () {
      const { call, secrets } = yield* TestServer
      yield* call("POST", "/v1/keys", { body: { name: "second", scopes: ["wallets:read", "admin"] } })
      const all = (yield* call("GET", "/v1/keys?limit=200")).json.data as ReadonlyArray<{
        id: string
        scopes: string[]
      }>
      const admins = all.filter(({ scopes }) => scopes.includes("admin"))
      assert.isAbove(admins.length, 1)
      // With the first one's own key the last: who has been revoked can ask for nothing more.
      const [own] = admins.slice(-1)
      const others = admins.filter(({ id }) => id !== own!.id)
      const replies = yield* Effect.forEach(others, ({ id }) => call("DELETE", `/v1/keys/${id}`))
      assert.deepStrictEqual(
        replies.map(({ status }) => status),
        others.map(() => 204)
      )
      const refused = yield* call("DELETE", `/v1/keys/${own!.id}`)
      assert.strictEqual(refused.status, 409)
      assert.strictEqual(refused.json.code, "LastAdminKey")
      assert.match(refused.json.detail, /make another one first/)
      for (const { id, scopes } of all) {
        if (!scopes.includes("admin")) assert.strictEqual((yield* call("DELETE", `/v1/keys/${id}`)).status, 204)
      }
      assert.strictEqual((yield* call("GET", "/v1/keys", { secret: secrets.admin })).json.data.length, 1)
    })
  )
})

/** One second for as long as the test lasts. */
const oneSecond = Server.layerWith(WalletEngine.layerMemory, { requestsPerSecond: 3 }, clockStopped(1_800_000_000_000))

layer(oneSecond, { excludeTestServices: true })("a rate limit", (it) => {
  it.effect("refuses a key's requests above it and leaves other keys alone", () =>
    Effect.gen(function* () {
      const { call, secrets } = yield* TestServer
      const replies = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, i) => i),
        () => call("GET", "/v1/wallets", { secret: secrets.read }),
        { concurrency: "unbounded" }
      )
      const limited = replies.filter((reply) => reply.status === 429)
      assert.strictEqual(limited.length, 17)
      assert.strictEqual(limited[0]?.json.code, "RateLimited")
      assert.strictEqual(limited[0]?.headers.get("retry-after"), "1")
      assert.strictEqual((yield* call("GET", "/v1/wallets")).status, 200)
    })
  )
})

/** As above, with a server for each test. */
const aSecond = () =>
  Server.layerWith(WalletEngine.layerMemory, { requestsPerSecond: 10 }, clockStopped(1_800_000_000_000))

it.live("a rate limit counts the commands of a batch, each of them", () =>
  Effect.gen(function* () {
    const { call, secrets } = yield* TestServer
    const batch = (commands: number) =>
      call("POST", "/v1/batch", {
        secret: secrets.write,
        body: { commands: Array.from({ length: commands }, () => ({ type: "none" })) }
      })
    assert.strictEqual((yield* batch(4)).status, 200)
    assert.strictEqual((yield* batch(0)).status, 200)
    assert.strictEqual((yield* batch(1)).status, 200)
    const refused = yield* batch(5)
    assert.strictEqual(refused.json.code, "RateLimited")
    assert.strictEqual(refused.headers.get("retry-after"), "1")
    // The request itself has counted.
    assert.strictEqual((yield* batch(3)).status, 200)
    assert.strictEqual((yield* batch(1)).status, 429)
    const tooLarge = yield* call("POST", "/v1/batch", { body: { commands: Array.from({ length: 11 }, () => ({})) } })
    assert.strictEqual(tooLarge.status, 429)
    assert.match(tooLarge.json.detail, /a batch has at most so many/)
  }).pipe(Effect.provide(aSecond()))
)

it.live("a rate limit counts requests without a valid key by their address, and lets the others be", () =>
  Effect.gen(function* () {
    const { call, secrets } = yield* TestServer
    const strangers = [
      ["GET", "/v1/wallets", null],
      ["GET", "/v1/wallets", "wrong"],
      ["GET", "/v1/nowhere", null],
      ["POST", "/v1/wallets/w/credit", "another"]
    ] as const
    const statuses: Array<number> = []
    for (let n = 0; n < 3; n++) {
      for (const [method, path, secret] of strangers) {
        statuses.push(
          (yield* call(method, path, { secret, key: "k", body: method === "POST" ? {} : undefined })).status
        )
      }
    }
    assert.deepStrictEqual(statuses, [...Array.from({ length: 10 }, () => 401), 429, 429])
    assert.strictEqual((yield* call("GET", "/v1/wallets", { secret: secrets.read })).status, 200)
    assert.strictEqual((yield* call("GET", "/health/live", { secret: null })).status, 200)
  }).pipe(Effect.provide(aSecond()))
)

const aStore = MemoryStores.layer()
const keysOver = (store: Layer.Layer<ApiKeyStore>) =>
  ApiKeys.layer.pipe(Layer.provideMerge(store), Layer.provide(Logger.layer([])))

it.layer(keysOver(aStore))("the table of keys", (it) => {
  it.effect("learns of another node's keys and revocations", () =>
    Effect.gen(function* () {
      const here = yield* ApiKeys
      const store = yield* ApiKeyStore
      const there = yield* Layer.build(Layer.fresh(ApiKeys.layer)).pipe(
        Effect.map((context) => context.mapUnsafe.get(ApiKeys.key) as ApiKeys["Service"]),
        Effect.provideService(ApiKeyStore, store)
      )
      yield* TestClock.adjust(missInterval)
      const { key, secret } = yield* there.create("elsewhere", ["admin"])
      const found = yield* here.authenticate(Redacted.value(secret))
      assert.deepStrictEqual(found, key)
      yield* there.remove(key.id)
      assert.isUndefined(yield* there.authenticate(Redacted.value(secret)))
      yield* TestClock.adjust(refreshInterval * 2)
      assert.isUndefined(yield* here.authenticate(Redacted.value(secret)))
    })
  )

  it.effect("makes the first admin key once, and replaces a configured one", () =>
    Effect.gen(function* () {
      const keys = yield* ApiKeys
      for (const key of (yield* keys.list({ limit: 200 })).data) yield* keys.remove(key.id)
      const kept: Array<string> = []
      const keep = (secret: Redacted.Redacted) => Effect.sync(() => void kept.push(Redacted.value(secret)))
      const first = yield* keys.makeFirst(keep)
      assert.match(Redacted.value(first?.secret ?? Redacted.make("")), /^ew_[A-Za-z0-9_-]{43}$/)
      assert.isUndefined(yield* keys.makeFirst(keep))
      assert.deepStrictEqual(kept, [Redacted.value(first!.secret)])
      const [one, two] = ["a-configured-secret-1", "a-configured-secret-2"]
      yield* keys.setConfigured(Redacted.make(one))
      yield* keys.setConfigured(Redacted.make(one))
      assert.deepStrictEqual((yield* keys.authenticate(one))?.scopes, ["admin"])
      yield* keys.setConfigured(Redacted.make(two))
      assert.isUndefined(yield* keys.authenticate(one))
      assert.isDefined(yield* keys.authenticate(two))
      assert.strictEqual((yield* keys.list({ limit: 200 })).data.length, 2)
      for (const weak of ["", "x".repeat(minSecretLength - 1), `${"x".repeat(20)} y`, "é".repeat(20)]) {
        const refused = yield* Effect.flip(keys.setConfigured(Redacted.make(weak)))
        assert.strictEqual(refused._tag, "WeakSecret")
      }
    })
  )
})

it.effect("known keys are served while the store is away, up to a bound, and nobody is turned away as unknown", () =>
  Effect.gen(function* () {
    const inner = yield* Layer.build(MemoryStores.layer())
    const real = inner.mapUnsafe.get(ApiKeyStore.key) as ApiKeyStore["Service"]
    let away = false
    const down = new StoreUnavailable({ store: "keys", reason: "test", retryAfter: 1 })
    const store = Layer.succeed(ApiKeyStore, {
      ...real,
      all: Effect.suspend(() => (away ? Effect.fail(down) : real.all))
    })
    yield* Effect.gen(function* () {
      const keys = yield* ApiKeys
      const { secret } = yield* keys.create("k", ["admin"])
      yield* TestClock.adjust(refreshInterval)
      away = true
      yield* TestClock.adjust(staleLimit / 2)
      assert.isDefined(yield* keys.authenticate(Redacted.value(secret)))
      const stranger = yield* Effect.result(keys.authenticate("stranger"))
      assert.isTrue(Result.isFailure(stranger) && stranger.failure._tag === "StoreUnavailable")
      yield* TestClock.adjust(staleLimit)
      const stale = yield* Effect.result(keys.authenticate(Redacted.value(secret)))
      assert.isTrue(Result.isFailure(stale) && stale.failure._tag === "StoreUnavailable")
      away = false
      yield* TestClock.adjust(refreshInterval)
      assert.isDefined(yield* keys.authenticate(Redacted.value(secret)))
    }).pipe(Effect.provide(keysOver(store)))
  })
)

it.effect("a first key that cannot be kept is not made", () =>
  Effect.gen(function* () {
    const keys = yield* ApiKeys
    let secret = ""
    const lost = (given: Redacted.Redacted) => {
      secret = Redacted.value(given)
      return Effect.fail("disk full" as const)
    }
    assert.strictEqual(yield* Effect.flip(keys.makeFirst(lost)), "disk full")
    yield* TestClock.adjust(missInterval)
    assert.isUndefined(yield* keys.authenticate(secret))
    assert.isDefined(yield* keys.makeFirst(() => Effect.void), "there is none yet")
  }).pipe(Effect.provide(keysOver(aStore)))
)

/** How long a reading waits for a silent store, ms. */
const readTimeout = 5_000

/** A store whose readings can be held: without an answer they fail after `readTimeout`. */
const silentStore = Effect.gen(function* () {
  const inner = yield* Layer.build(Layer.fresh(MemoryStores.layer()))
  const real = inner.mapUnsafe.get(ApiKeyStore.key) as ApiKeyStore["Service"]
  const down = new StoreUnavailable({ store: "keys", reason: "no answer", retryAfter: 1 })
  const state = { silent: false, readings: 0, under: 0, most: 0 }
  const all = Effect.gen(function* () {
    state.readings++
    state.most = Math.max(state.most, ++state.under)
    const keys = yield* real.all
    if (state.silent) yield* Effect.andThen(Effect.sleep(readTimeout), Effect.fail(down))
    return keys
  }).pipe(Effect.ensuring(Effect.sync(() => void state.under--)))
  return { state, real, layer: keysOver(Layer.succeed(ApiKeyStore, { ...real, all })) }
})

const outcomeOf = (effect: Effect.Effect<string | undefined, StoreUnavailable>): Effect.Effect<string> =>
  Effect.match(effect, { onFailure: ({ _tag }) => _tag, onSuccess: (name) => name ?? "none" })

it.effect("a thousand unknown keys wait for one reading of a silent store, and known ones for none", () =>
  Effect.gen(function* () {
    const { layer, state } = yield* silentStore
    yield* Effect.gen(function* () {
      const keys = yield* ApiKeys
      const { secret } = yield* keys.create("k", ["admin"])
      const nameOf = (given: string) => outcomeOf(Effect.map(keys.authenticate(given), (key) => key?.name))
      yield* TestClock.adjust(refreshInterval)
      yield* TestClock.adjust(missInterval)
      state.silent = true
      state.readings = 0
      const strangers = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 1_000 }, (_, n) => `stranger ${n}`),
          nameOf,
          { concurrency: "unbounded" }
        )
      )
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* nameOf(Redacted.value(secret)), "k")
      yield* TestClock.adjust(readTimeout)
      assert.deepStrictEqual(new Set(yield* Fiber.join(strangers)), new Set(["StoreUnavailable"]))
      assert.deepStrictEqual([state.readings, state.most], [1, 1])
      // The clock stands still: who comes now is told without a wait.
      assert.strictEqual(yield* nameOf("one more"), "StoreUnavailable")
      assert.strictEqual(state.readings, 1)
      // Beyond the bound the known one is told as much, and as soon.
      yield* TestClock.adjust(staleLimit)
      assert.strictEqual(yield* nameOf(Redacted.value(secret)), "StoreUnavailable")
      assert.strictEqual(state.most, 1)
      state.silent = false
      yield* TestClock.adjust(readTimeout + refreshInterval)
      assert.strictEqual(yield* nameOf(Redacted.value(secret)), "k")
      assert.strictEqual(yield* nameOf("stranger"), "none")
    }).pipe(Effect.provide(layer))
  })
)

it.effect("a reading that began before a key was made elsewhere, or revoked here, decides about neither", () =>
  Effect.gen(function* () {
    const { real, state } = yield* silentStore
    // An answer that comes, but late: what it tells is from before.
    const slow = Effect.tap(real.all, () => (state.silent ? Effect.sleep(1_000) : Effect.void))
    yield* Effect.gen(function* () {
      const keys = yield* ApiKeys
      const { key, secret } = yield* keys.create("revoked", ["admin"])
      yield* TestClock.adjust(missInterval)
      state.silent = true
      const first = yield* Effect.forkChild(keys.authenticate("stranger"))
      yield* TestClock.adjust(500)
      yield* keys.remove(key.id)
      yield* real.insert({ ...key, id: "elsewhere", hash: hash("sha256", "made elsewhere", "hex") })
      const second = yield* Effect.forkChild(keys.authenticate("made elsewhere"))
      yield* TestClock.adjust(500)
      assert.isUndefined(yield* Fiber.join(first))
      assert.isUndefined(keys.known(Redacted.value(secret)), "revoked here while it was read")
      yield* TestClock.adjust(1_000)
      assert.strictEqual((yield* Fiber.join(second))?.id, "elsewhere")
    }).pipe(Effect.provide(keysOver(Layer.succeed(ApiKeyStore, { ...real, all: slow }))))
  })
)

it.effect("one who waits for a reading and leaves takes nothing from the others", () =>
  Effect.gen(function* () {
    const { layer, state } = yield* silentStore
    yield* Effect.gen(function* () {
      const keys = yield* ApiKeys
      yield* keys.create("k", ["admin"])
      yield* TestClock.adjust(refreshInterval)
      yield* TestClock.adjust(missInterval)
      state.silent = true
      const leaving = yield* Effect.forkChild(keys.authenticate("leaving"))
      yield* TestClock.adjust(1)
      const staying = yield* Effect.forkChild(Effect.result(keys.authenticate("staying")))
      yield* TestClock.adjust(1)
      yield* Fiber.interrupt(leaving)
      yield* TestClock.adjust(readTimeout)
      assert.isTrue(Result.isFailure(yield* Fiber.join(staying)))
      assert.strictEqual(state.most, 1)
    }).pipe(Effect.provide(layer))
  })
)
