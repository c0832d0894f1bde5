/** A remote engine over a network that loses answers, holds them back and breaks off: commands happen once, and are told. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpClient from "effect/http/HttpClient"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { freePort } from "../../bench/servers/ServerProcess.ts"
import { AccessDenied, OutcomeUnknown } from "../../src/actors/EngineError.ts"
import { type EngineService, WalletEngine } from "../../src/engine/WalletEngine.ts"
import type { RemoteOptions } from "../../src/remote/RemoteOptions.ts"
import { StoreUnavailable } from "../../src/stores/StoreError.ts"
import * as Server from "../http/TestServer.ts"
import { startHttpProxy } from "../support/httpProxy.ts"
import { startTcpProxy } from "../support/tcpProxy.ts"

/** An engine for as long as the scope lasts. */
const remote = (options: RemoteOptions) =>
  Effect.orDie(Effect.map(Layer.build(WalletEngine.layerRemote(options)), Context.get(WalletEngine)))

/** Attempts as often as it takes: none of the tests below goes on for ever. */
const patient = Schedule.spaced("20 millis")

const setUp = Effect.gen(function* () {
  const { port, secrets, wallet } = yield* Server.TestServer
  const proxy = yield* startTcpProxy(port)
  const url = `http://127.0.0.1:${proxy.port}`
  const options: RemoteOptions = {
    url,
    apiKey: secrets.admin,
    retry: patient,
    timeout: "5 minutes",
    attemptTimeout: "2 minutes"
  }
  return { proxy, options, walletId: yield* wallet(), engine: yield* remote(options) }
})

const balanceOf = (engine: EngineService, walletId: string) =>
  Effect.map(engine.getWallet({ walletId }), ({ balance, version }) => [balance, version])

layer(Server.layer(), { excludeTestServices: true })("a remote engine", (it) => {
  it.effect("tells a command whose answer was lost, which has happened once", () =>
    Effect.gen(function* () {
      const { engine, proxy, walletId } = yield* setUp
      yield* proxy.set({ _tag: "SwallowAnswers" })
      const credit = { walletId, amount: 5n, idempotencyKey: "lost" }
      const asked = yield* Effect.forkScoped(engine.credit(credit), { startImmediately: true })
      yield* proxy.swallowed
      yield* proxy.set({ _tag: "Pass" })
      yield* proxy.drop
      const answer = yield* Fiber.join(asked)
      assert.deepStrictEqual([answer.wallet.balance, answer.wallet.version, answer.replayed], [5n, 1, true])
      assert.deepStrictEqual((yield* engine.credit(credit)).transaction, answer.transaction)
      assert.deepStrictEqual(yield* balanceOf(engine, walletId), [5n, 1])
    }).pipe(Effect.scoped)
  )

  for (const mode of [
    { _tag: "CutAnswers", afterBytes: 150 },
    { _tag: "Garble", what: "answers" }
  ] as const) {
    it.effect(`asks again where an answer ends in the middle or is no HTTP: ${mode._tag}`, () =>
      Effect.gen(function* () {
        const { engine, proxy, walletId } = yield* setUp
        yield* proxy.set(mode)
        const asked = yield* Effect.forkScoped(
          engine.debit({ walletId, amount: 5n, force: true, idempotencyKey: "cut" }),
          {
            startImmediately: true
          }
        )
        if (mode._tag === "CutAnswers") {
          // Done, whether or not it is known yet.
          const direct = yield* Server.TestServer
          yield* Effect.repeat(direct.call("GET", `/v1/wallets/${walletId}`), {
            until: ({ json }) => json.version === 1
          })
          yield* proxy.set({ _tag: "Pass" })
        }
        assert.deepStrictEqual((yield* Fiber.join(asked)).wallet.balance, -5n)
        assert.deepStrictEqual(yield* balanceOf(engine, walletId), [-5n, 1])
      }).pipe(Effect.scoped)
    )
  }

  it.effect("tells that it is not known when the time is up, and the outcome to whoever asks again with the key", () =>
    Effect.gen(function* () {
      const { engine, options, proxy, walletId } = yield* setUp
      const hasty = yield* remote({ ...options, timeout: "400 millis" })
      yield* proxy.set({ _tag: "Hold" })
      const credit = { walletId, amount: 7n, idempotencyKey: "late" }
      const pending = yield* Effect.flip(hasty.credit(credit))
      const reason = "no answer within 400 ms"
      assert.deepStrictEqual({ ...pending }, { ...new OutcomeUnknown({ walletId, retryAfter: 1_000, reason }) })
      const away = yield* Effect.flip(hasty.getWallet({ walletId }))
      assert.deepStrictEqual({ ...away }, { ...new StoreUnavailable({ store: "service", retryAfter: 1_000, reason }) })
      // A trial changes nothing: there is nothing about it that could be unknown.
      const tried = yield* Effect.flip(hasty.credit({ walletId, amount: 7n, dryRun: true }))
      assert.strictEqual(tried._tag, "StoreUnavailable")
      const health = yield* (yield* remote({ ...options, attemptTimeout: "200 millis" })).health
      assert.deepStrictEqual([health.ready, health.checks[0]?.name], [false, "service"])
      yield* proxy.set({ _tag: "Pass" })
      yield* proxy.drop
      const answer = yield* engine.credit(credit)
      assert.deepStrictEqual([answer.wallet.balance, answer.wallet.version], [7n, 1])
    }).pipe(Effect.scoped)
  )

  it.effect("tells that a service is away after as many attempts as it may make, and that nothing has happened", () =>
    Effect.gen(function* () {
      const { options, walletId } = yield* setUp
      const url = `http://127.0.0.1:${yield* freePort}`
      const engine = yield* remote({ ...options, url, retry: Schedule.recurs(3) })
      const expected = new StoreUnavailable({
        store: "service",
        reason: "no connection to the service",
        retryAfter: 1_000
      })
      const credit = yield* Effect.flip(engine.credit({ walletId, amount: 1n, idempotencyKey: "away" }))
      assert.deepStrictEqual({ ...credit }, { ...expected })
      const read = yield* Effect.flip(engine.events({ walletId, after: -1, limit: 1 }))
      assert.deepStrictEqual({ ...read }, { ...expected })
      const feed = yield* Effect.flip(Stream.runDrain(engine.feed(0n)))
      assert.deepStrictEqual({ ...feed }, { ...expected })
      assert.isFalse((yield* engine.health).ready)
    }).pipe(Effect.scoped)
  )

  it.effect("tells a key that is none of the service's, and one that may not do this", () =>
    Effect.gen(function* () {
      const { options, walletId } = yield* setUp
      const { secrets } = yield* Server.TestServer
      const stranger = yield* remote({ ...options, apiKey: Redacted.make("none-of-ours") })
      for (const ask of [
        stranger.credit({ walletId, amount: 1n, idempotencyKey: "k" }),
        stranger.getWallet({ walletId }),
        Stream.runDrain(stranger.feed(0n)),
        stranger.cluster
      ]) {
        const denied = yield* Effect.flip(ask as Effect.Effect<unknown, Error>)
        assert.instanceOf(denied, AccessDenied)
        assert.strictEqual(denied.reason, "key")
      }
      const reader = yield* remote({ ...options, apiKey: secrets.read })
      const denied = yield* Effect.flip(reader.credit({ walletId, amount: 1n, idempotencyKey: "k" }))
      assert.deepInclude(denied, { _tag: "AccessDenied", reason: "scope" })
      const writer = yield* remote({ ...options, apiKey: secrets.write })
      const forced = yield* Effect.flip(writer.debit({ walletId, amount: 1n, force: true, idempotencyKey: "k" }))
      assert.deepInclude(forced, { _tag: "AccessDenied", reason: "scope" })
      // To name no limit is no admin's.
      yield* writer.createWallet({ ownerId: "o", currency: "EUR", overdraftLimit: 0n, idempotencyKey: "k" })
    }).pipe(Effect.scoped)
  )

  it.effect("goes on with its feed behind the last event, however often the connection breaks", () =>
    Effect.gen(function* () {
      const { engine, proxy, walletId } = yield* setUp
      const after = yield* engine.feedHead
      const seen: Array<number> = []
      const feed = yield* Effect.forkScoped(
        Stream.runForEach(Stream.take(engine.feed(after, { walletIds: [walletId] }), 6), ({ recorded }) =>
          Effect.sync(() => void seen.push(recorded.version))
        ),
        { startImmediately: true }
      )
      for (let round = 1; round <= 6; round++) {
        yield* engine.credit({ walletId, amount: 1n, idempotencyKey: `round-${round}` })
        yield* Effect.repeat(Effect.yieldNow, { until: () => seen.length === round })
        yield* proxy.drop
      }
      yield* Fiber.join(feed)
      assert.deepStrictEqual(seen, [1, 2, 3, 4, 5, 6])
    }).pipe(Effect.scoped)
  )

  it.effect("takes an HTTP client of the app's own: Node's, and one that takes statuses for errors", () =>
    Effect.gen(function* () {
      const { options, walletId } = yield* setUp
      const strict = Layer.effect(HttpClient.HttpClient, Effect.map(HttpClient.HttpClient, HttpClient.filterStatusOk))
      for (const httpClient of [
        NodeHttpClient.layerNodeHttp,
        NodeHttpClient.layerUndici,
        Layer.provide(strict, FetchHttpClient.layer)
      ]) {
        const engine = yield* remote({ ...options, httpClient })
        yield* engine.credit({ walletId, amount: 5n, idempotencyKey: "k" })
        const failure = yield* Effect.flip(engine.debit({ walletId, amount: 6n, idempotencyKey: "k2" }))
        assert.deepInclude(failure, { _tag: "InsufficientFunds", available: 5n, required: 6n })
        const [event] = yield* Stream.runCollect(Stream.take(engine.feed(0n, { walletIds: [walletId] }), 1))
        assert.strictEqual(event?.recorded.version, 0)
      }
      const away = { ...options, url: `http://127.0.0.1:${yield* freePort}`, retry: Schedule.recurs(1) }
      for (const httpClient of [NodeHttpClient.layerNodeHttp, NodeHttpClient.layerUndici]) {
        const engine = yield* remote({ ...away, httpClient })
        const failure = yield* Effect.flip(engine.credit({ walletId, amount: 5n, idempotencyKey: "k3" }))
        assert.deepInclude(failure, { _tag: "StoreUnavailable", reason: "no connection to the service" })
      }
    }).pipe(Effect.scoped)
  )

  it.effect("has a proxy between: its own pages are no answers, and half an answer is none", () =>
    Effect.gen(function* () {
      const { options, walletId } = yield* setUp
      const { url } = yield* Server.TestServer
      const proxy = yield* startHttpProxy(url)
      const engine = yield* remote({ ...options, url: proxy.url, retry: Schedule.recurs(2) })
      yield* proxy.set({ _tag: "BadGateway" })
      const credit = { walletId, amount: 5n, idempotencyKey: "proxied" }
      assert.strictEqual((yield* Effect.flip(engine.credit(credit)))._tag, "OutcomeUnknown")
      assert.strictEqual((yield* Effect.flip(engine.getWallet({ walletId })))._tag, "StoreUnavailable")
      yield* proxy.set({ _tag: "HalfBodies" })
      assert.strictEqual((yield* Effect.flip(engine.credit(credit)))._tag, "OutcomeUnknown")
      yield* proxy.set({ _tag: "Pass" })
      assert.deepStrictEqual((yield* engine.credit(credit)).wallet.balance, 5n)
    }).pipe(Effect.scoped)
  )
})
