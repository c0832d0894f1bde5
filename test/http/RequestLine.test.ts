/** What one connection may have the server do at once. */
import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Net from "node:net"
import { type MovementInput, WalletEngine } from "../../src/engine/WalletEngine.ts"
import { maxServedAtOnce } from "../../src/http/RequestLine.ts"
import * as Server from "./TestServer.ts"

/** Yields to the event loop until it holds; the test's own limit bounds it. */
const until = (condition: () => boolean) =>
  Effect.repeat(
    Effect.promise(() => new Promise(setImmediate)),
    { until: () => condition() }
  )

/** A server whose credits wait until they are let go, and that notes which have come. */
const gated = Effect.gen(function* () {
  const scope = yield* Scope.make()
  const open = yield* Deferred.make<void>()
  const came: Array<string> = []
  let feeds = 0
  let interrupted = 0
  const engine = Layer.effect(
    WalletEngine,
    Effect.map(WalletEngine, (engine) => ({
      ...engine,
      credit: ((input: MovementInput) =>
        Effect.sync(() => void came.push(input.idempotencyKey)).pipe(
          Effect.andThen(Deferred.await(open)),
          Effect.onInterrupt(() => Effect.sync(() => void interrupted++)),
          Effect.andThen(engine.credit(input))
        )) as WalletEngine["Service"]["credit"],
      // One that never has anything to tell.
      openFeed: () =>
        Effect.as(
          Effect.acquireRelease(
            Effect.sync(() => void feeds++),
            () => Effect.sync(() => void feeds--)
          ),
          Stream.never
        )
    }))
  ).pipe(Layer.provide(WalletEngine.layerMemory))
  const context = yield* Layer.buildWithScope(Server.layerWith(engine), scope)
  const server = Context.get(context, Server.TestServer)
  const walletId = yield* server.wallet()
  const credit = (key: string) =>
    `POST /v1/wallets/${walletId}/credit HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${server.secrets.admin}\r\n` +
    `content-type: application/json\r\nidempotency-key: ${key}\r\ncontent-length: 14\r\n\r\n{"amount":"1"}`
  return {
    ...server,
    came,
    credit,
    feeds: () => feeds,
    interrupted: () => interrupted,
    open,
    walletId,
    stop: Scope.close(scope, Exit.void)
  }
})

const numbered = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, at) => `k${at}`)

it.live("of many requests on one connection a few are served at once, the rest in their order behind them", () =>
  Effect.gen(function* () {
    const { call, came, credit, open, port, stop, walletId } = yield* gated
    const keys = numbered(500)
    let received = ""
    const socket = Net.connect({ port, host: "127.0.0.1" }, () => socket.write(keys.map(credit).join("")))
    socket.on("data", (chunk: Buffer) => (received += chunk.toString("latin1")))
    yield* until(() => came.length === maxServedAtOnce)
    // Another connection is served while they stand in line.
    assert.strictEqual((yield* call("GET", `/v1/wallets/${walletId}`)).json.balance, "0")
    assert.strictEqual(came.length, maxServedAtOnce)
    yield* Deferred.succeed(open, undefined)
    yield* until(() => received.split("HTTP/1.1 201 ").length === keys.length + 1)
    assert.deepStrictEqual(came, keys)
    const versions = Array.from(received.matchAll(/"version":(\d+),"createdAt":[^{]*\},"wallet"/g), ([, version]) =>
      Number(version)
    )
    assert.deepStrictEqual(
      versions,
      keys.map((_, at) => at + 1)
    )
    socket.destroy()
    yield* stop
  })
)

it.live("a connection in whose line requests wait is not read from, and is again when they have begun", () =>
  Effect.gen(function* () {
    const { came, credit, open, port, stop } = yield* gated
    const keys = numbered(100_000)
    const bytes = keys.map(credit).join("")
    let answers = 0
    const socket = Net.connect({ port, host: "127.0.0.1" }, () => socket.write(bytes))
    socket.on("data", (chunk: Buffer) => (answers += chunk.toString("latin1").split("HTTP/1.1 201 ").length - 1))
    yield* until(() => came.length === maxServedAtOnce)
    // What the system's buffers do not hold stays with the client: it waits for the server, however often it looks.
    let before = -1
    yield* until(() => {
      const left = (socket as unknown as { _handle: { writeQueueSize: number } })._handle.writeQueueSize
      const isStill = left === before
      before = left
      return isStill
    })
    assert.isAbove(before, 0)
    assert.strictEqual(came.length, maxServedAtOnce)
    yield* Deferred.succeed(open, undefined)
    yield* until(() => came.length > 5_000)
    socket.destroy()
    yield* stop
    assert.isAbove(answers, 0)
  })
)

it.live("what stands in line when its client goes is not done, and what was begun behind the first learns of it", () =>
  Effect.gen(function* () {
    const { call, came, credit, feeds, interrupted, open, port, secrets, stop, walletId } = yield* gated
    const follow = `GET /v1/feed HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${secrets.read}\r\n\r\n`
    const followers = Net.connect({ port, host: "127.0.0.1" }, () => followers.write(follow.repeat(5)))
    followers.resume()
    yield* until(() => feeds() > 0)
    followers.resetAndDestroy()
    yield* until(() => feeds() === 0)
    // One in line: behind more the connection is not read from, and its end not seen.
    const keys = numbered(maxServedAtOnce + 1)
    const socket = Net.connect({ port, host: "127.0.0.1" }, () => socket.write(keys.map(credit).join("")))
    yield* until(() => came.length === maxServedAtOnce)
    socket.resetAndDestroy()
    yield* until(() => interrupted() === maxServedAtOnce)
    yield* Deferred.succeed(open, undefined)
    yield* call("GET", `/v1/wallets/${walletId}`)
    assert.deepStrictEqual(came, keys.slice(0, maxServedAtOnce))
    yield* stop
  })
)

it.live(
  "while connections come, few requests are begun: a new one's health check is behind them, not behind their work",
  () =>
    Effect.gen(function* () {
      const { came, credit, open, port, stop } = yield* gated
      const crowd = 200
      const text = numbered(32).map(credit).join("")
      const sockets = Array.from({ length: crowd }, () => {
        const socket = Net.connect({ port, host: "127.0.0.1" }, () => socket.write(text))
        return socket.on("error", () => undefined)
      })
      let answer = ""
      const probe = Net.connect({ port, host: "127.0.0.1" }, () =>
        probe.write("GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
      )
      let begun = 0
      probe.once("data", (chunk: Buffer) => {
        answer = chunk.toString("latin1")
        begun = came.length
      })
      yield* until(() => answer !== "")
      assert.match(answer, /^HTTP\/1\.1 200 /)
      // Node takes one connection in a turn of the event loop: two requests in each, and not sixty-four.
      assert.isBelow(begun, 4 * crowd)
      for (const socket of [...sockets, probe]) socket.destroy()
      yield* Deferred.succeed(open, undefined)
      yield* stop
    })
)
