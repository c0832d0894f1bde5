import { assert, it, layer } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Net from "node:net"
import { type MovementInput, WalletEngine } from "../../src/engine/WalletEngine.ts"
import { defaultHttpConfig, httpConfig } from "../../src/http/HttpConfig.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

class Gate extends Context.Service<
  Gate,
  {
    readonly entered: Deferred.Deferred<void>
    readonly open: Deferred.Deferred<void>
    /** Keys of the credits that have come. */
    readonly came: Array<string>
  }
>()("test/Gate") {
  static readonly layer = Layer.effect(
    Gate,
    Effect.all({ entered: Deferred.make<void>(), open: Deferred.make<void>(), came: Effect.sync(() => []) })
  )
}

/** Credits wait at the gate. */
const gated = Layer.effect(
  WalletEngine,
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const gate = yield* Gate
    return {
      ...engine,
      credit: ((input: MovementInput) =>
        Deferred.succeed(gate.entered, undefined).pipe(
          Effect.tap(() => Effect.sync(() => gate.came.push(input.idempotencyKey))),
          Effect.andThen(Deferred.await(gate.open)),
          Effect.andThen(engine.credit(input))
        )) as WalletEngine["Service"]["credit"]
    }
  })
).pipe(Layer.provide(WalletEngine.layerMemory))

const start = Effect.fnUntraced(function* (shutdownTimeout: number) {
  const scope = yield* Scope.make()
  const gate = yield* Layer.buildWithScope(Gate.layer, scope)
  const server = Server.layerWith(Layer.provide(gated, Layer.succeedContext(gate)), { shutdownTimeout })
  const context = yield* Layer.buildWithScope(server, scope)
  const { call, port, secrets } = Context.get(context, TestServer)
  yield* call("POST", "/v1/wallets", { key: "w", body: { id: "w", ownerId: "o", currency: "EUR" } })
  return { call, port, secrets, gate: Context.get(gate, Gate), stop: Scope.close(scope, Exit.void) }
})

const isRefused = (port: number) =>
  Effect.callback<boolean>((resume) => {
    const socket = Net.connect({ port, host: "127.0.0.1" })
    socket.on("connect", () => {
      socket.destroy()
      resume(Effect.succeed(false))
    })
    socket.on("error", () => resume(Effect.succeed(true)))
  })

/** Yields to the event loop until it holds; the test's own limit bounds it. */
const until = (condition: Effect.Effect<boolean>) =>
  Effect.repeat(
    Effect.tap(condition, () => Effect.promise(() => new Promise(setImmediate))),
    { until: (held) => held }
  )

it.live("a stop refuses new connections, finishes what is in flight and closes idle connections", () =>
  Effect.gen(function* () {
    const { call, gate, port, secrets, stop } = yield* start(5_000)
    // A connection that never says a word must not hold the server up.
    const silent = Net.connect({ port, host: "127.0.0.1" })
    const body = '{"amount":"1"}'
    const request =
      `POST /v1/wallets/w/credit HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${secrets.admin}\r\n` +
      `content-type: application/json\r\nidempotency-key: k\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    // Keep-alive: the connection ends because the server ends it.
    const inFlight = yield* Effect.forkChild(Server.sendRaw(port)(request))
    yield* Deferred.await(gate.entered)
    const stopping = yield* Effect.forkChild(stop)
    yield* until(isRefused(port))
    yield* Deferred.succeed(gate.open, undefined)
    assert.match(yield* Fiber.join(inFlight), /^HTTP\/1\.1 201 /)
    yield* Fiber.join(stopping)
    silent.destroy()
    void call
  })
)

it.live("a stop answers one request more on a busy connection, and does nothing of what comes behind it", () =>
  Effect.gen(function* () {
    const { gate, port, secrets, stop } = yield* start(5_000)
    const credit = (key: string) =>
      `POST /v1/wallets/w/credit HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${secrets.admin}\r\n` +
      `content-type: application/json\r\nidempotency-key: ${key}\r\ncontent-length: 14\r\n\r\n{"amount":"1"}`
    let received = ""
    const closed = yield* Deferred.make<void>()
    const socket = Net.connect({ port, host: "127.0.0.1" }, () => socket.write(credit("a") + credit("b")))
    socket.on("data", (chunk: Buffer) => (received += chunk.toString("latin1")))
    socket.on("close", () => Deferred.doneUnsafe(closed, Effect.void))
    yield* until(Effect.sync(() => gate.came.length === 2))
    const stopping = yield* Effect.forkChild(stop)
    yield* until(isRefused(port))
    socket.write(credit("c") + credit("d") + credit("e"))
    yield* until(Effect.sync(() => gate.came.length >= 3))
    yield* Deferred.succeed(gate.open, undefined)
    yield* Deferred.await(closed)
    yield* Fiber.join(stopping)
    assert.deepStrictEqual(received.match(/(?<=HTTP\/1\.1 )\d+|(?<=connection: )\S+/gi), [
      "201",
      "keep-alive",
      "201",
      "keep-alive",
      "201",
      "close"
    ])
    assert.deepStrictEqual(gate.came, ["a", "b", "c"])
  })
)

it.live("a stop cuts what is still in flight when its time is over", () =>
  Effect.gen(function* () {
    const { gate, port, secrets, stop } = yield* start(50)
    const request =
      `POST /v1/wallets/w/credit HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${secrets.admin}\r\n` +
      `content-type: application/json\r\nidempotency-key: k\r\ncontent-length: 14\r\n\r\n{"amount":"1"}`
    const inFlight = yield* Effect.forkChild(Server.sendRaw(port)(request))
    yield* Deferred.await(gate.entered)
    yield* stop
    assert.strictEqual(yield* Fiber.join(inFlight), "")
  })
)

it.live("a port in use is named in one line", () =>
  Effect.gen(function* () {
    const { port, stop } = yield* start(1_000)
    const second = yield* Effect.result(Effect.scoped(Layer.build(Server.layer({ port }))))
    yield* stop
    assert.isTrue(Result.isFailure(second))
    if (Result.isSuccess(second)) return
    assert.strictEqual(
      second.failure.message,
      `port ${port} on 127.0.0.1 is in use: stop the other program or set PORT`
    )
  })
)

const corsOrigins = ["https://app.example.com", "http://localhost:5173"]

layer(Server.layer({ corsOrigins }), { excludeTestServices: true })("CORS, where origins are configured", (it) => {
  it.effect("answers preflights without a key and marks replies and problems for these origins only", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const origin = "https://app.example.com"
      const preflight = yield* call("OPTIONS", "/v1/wallets", {
        secret: null,
        headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization" }
      })
      assert.strictEqual(preflight.status, 204)
      assert.strictEqual(preflight.headers.get("access-control-allow-origin"), origin)
      assert.include(preflight.headers.get("access-control-allow-headers") ?? "", "idempotency-key")
      const allowed = (path: string, origin: string) =>
        Effect.map(call("GET", path, { headers: { origin } }), (reply) =>
          reply.headers.get("access-control-allow-origin")
        )
      assert.strictEqual(yield* allowed("/v1/wallets", origin), origin)
      assert.strictEqual(yield* allowed("/v1/wallets/nope", origin), origin)
      assert.strictEqual(yield* allowed("/v1/nowhere", origin), origin)
      assert.isNull(yield* allowed("/v1/wallets", "https://evil.example.com"))
    })
  )
})

const read = (env: Record<string, string>) => Effect.result(httpConfig.parse(ConfigProvider.fromEnv({ env })))

it.effect("the configuration has defaults and names a wrong value", () =>
  Effect.gen(function* () {
    assert.deepStrictEqual(Result.getOrThrow(yield* read({})), defaultHttpConfig)
    const given = yield* read({
      PORT: "8080",
      HOST: "0.0.0.0",
      CORS_ORIGINS: corsOrigins.join(","),
      RATE_LIMIT_PER_SECOND: "100",
      WALLET_MAX_WAIT: "2 seconds"
    })
    assert.deepInclude(Result.getOrThrow(given), { port: 8080, host: "0.0.0.0", corsOrigins, requestsPerSecond: 100 })
    assert.deepInclude(Result.getOrThrow(given), { maxWaitMillis: 2_000 })
    for (const [name, value] of [
      ["PORT", "x"],
      ["PORT", "65536"],
      ["PORT", "1.5"],
      ["CORS_ORIGINS", "app.example.com"],
      ["CORS_ORIGINS", "https://a/b"],
      ["RATE_LIMIT_PER_SECOND", "0"],
      ["RATE_LIMIT_PER_SECOND", "many"],
      ["WALLET_MAX_WAIT", "soon"],
      ["WALLET_MAX_WAIT", "50 millis"],
      ["WALLET_MAX_WAIT", "1 minute"]
    ] as const) {
      // prettier-ignore
      const wrong = yield* read({ [name]: value })
      assert.isTrue(Result.isFailure(wrong), `${name}=${value}`)
      if (Result.isFailure(wrong)) assert.include(String(wrong.failure), name)
    }
  })
)
