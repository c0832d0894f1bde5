import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

/** Sends the bytes, closes this half of the connection or not, and returns all that comes until the server closes. */
const exchange = (port: number, bytes: string, options: { readonly halfClose?: boolean } = {}) =>
  Effect.callback<string>((resume) => {
    let received = ""
    const socket = Net.connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => {
      if (options.halfClose === true) socket.end(bytes)
      else socket.write(bytes)
    })
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString("latin1")
    })
    socket.on("end", () => {
      socket.destroy()
      resume(Effect.succeed(received))
    })
    socket.on("error", (error) => resume(Effect.die(error)))
    return Effect.sync(() => socket.destroy())
  })

const statuses = (answers: string): ReadonlyArray<string> =>
  Array.from(answers.matchAll(/HTTP\/1\.1 (\d{3}) /g), ([, status]) => status!)

/** A credit of 1 as bytes. */
const creditOf1 = Effect.fnUntraced(function* (walletId: string, key: string) {
  const { secrets } = yield* TestServer
  const body = '{"amount":"1"}'
  return (
    `POST /v1/wallets/${walletId}/credit HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${secrets.admin}\r\n` +
    `content-type: application/json\r\nidempotency-key: ${key}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  )
})

const balanceOf = Effect.fnUntraced(function* (walletId: string) {
  const { call } = yield* TestServer
  return (yield* call("GET", `/v1/wallets/${walletId}`)).json.balance
})

const get = "GET /health/live HTTP/1.1\r\nhost: x\r\n"

/** What is no request, or none that is served, with the status that it gets. */
const garbled: ReadonlyArray<readonly [name: string, bytes: string, status: string]> = [
  ["no HTTP at all", "nonsense\r\n\r\n", "400"],
  ["another version", "GET /health/live HTTP/9.9\r\nhost: x\r\n\r\n", "400"],
  ["a head that is too large", `${get}a: ${"x".repeat(50_000)}\r\n\r\n`, "431"],
  ["two lengths", `POST /v1/batch HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na`, "400"],
  ["a tunnel", "CONNECT example.org:443 HTTP/1.1\r\nhost: x\r\n\r\n", "400"],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"],
  // Without a key nobody learns more: authentication comes first.
  ["a chunk that is none", "POST /v1/batch HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "401"]
]

layer(Server.layer(), { excludeTestServices: true })("several requests on one connection", (it) => {
  for (const [name, bytes, status] of garbled) {
    it.effect(`are answered before what is garbled behind them: ${name}`, () =>
      Effect.gen(function* () {
        const { port, wallet } = yield* TestServer
        const walletId = yield* wallet()
        const good = `${yield* creditOf1(walletId, "a")}${yield* creditOf1(walletId, "b")}${yield* creditOf1(walletId, "c")}`
        const answers = yield* exchange(port, good + bytes)
        assert.deepStrictEqual(statuses(answers), ["201", "201", "201", status], answers)
        assert.include(answers, "application/problem+json")
        assert.strictEqual(yield* balanceOf(walletId), "3")
      })
    )
    it.effect(`are answered once, however much more comes that is garbled: ${name}`, () =>
      Effect.gen(function* () {
        const { port, wallet } = yield* TestServer
        const walletId = yield* wallet()
        const answers = yield* exchange(port, (yield* creditOf1(walletId, "a")) + bytes.repeat(3))
        assert.deepStrictEqual(statuses(answers), ["201", status], answers)
      })
    )
  }

  for (const [name, bytes, status] of garbled) {
    it.effect(`are answered before what is garbled, also if the last asked whether to send its body: ${name}`, () =>
      Effect.gen(function* () {
        const { port, secrets, wallet } = yield* TestServer
        const walletId = yield* wallet()
        const asking =
          `POST /v1/wallets/${walletId}/credit HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${secrets.admin}\r\n` +
          "content-type: application/json\r\nidempotency-key: b\r\nexpect: 100-continue\r\n" +
          'content-length: 14\r\n\r\n{"amount":"1"}'
        const answers = yield* exchange(port, (yield* creditOf1(walletId, "a")) + asking + bytes)
        const last = statuses(answers).filter((each) => each !== "100")
        assert.deepStrictEqual(last, ["201", "201", status], answers)
        assert.strictEqual(yield* balanceOf(walletId), "2")
      })
    )
  }

  it.effect("are answered before one whose body turns out to be garbled", () =>
    Effect.gen(function* () {
      const { port, secrets, wallet } = yield* TestServer
      const walletId = yield* wallet()
      const head =
        `POST /v1/wallets/${walletId}/credit HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${secrets.admin}\r\n` +
        "content-type: application/json\r\nidempotency-key: b\r\ntransfer-encoding: chunked\r\n\r\n"
      for (const body of ["zz\r\n", '3\r\n{"a\r\n!!\r\n', '3\r\n{"amount":"1"}\r\n0\r\n\r\n']) {
        const answers = yield* exchange(port, (yield* creditOf1(walletId, "a")) + head + body)
        assert.deepStrictEqual(statuses(answers), ["201", "400"], body)
      }
      assert.strictEqual(yield* balanceOf(walletId), "1")
    })
  )

  it.effect(
    "are answered in order, also what asks for another protocol, names no host or expects what is not served",
    () =>
      Effect.gen(function* () {
        const { port, wallet } = yield* TestServer
        const walletId = yield* wallet()
        const table: ReadonlyArray<readonly [bytes: string, status: string]> = [
          [`${get}connection: upgrade\r\nupgrade: websocket\r\n\r\n`, "200"],
          [`${get}connection: upgrade\r\nupgrade: h2c\r\n\r\n`, "200"],
          ["GET /health/live HTTP/1.1\r\n\r\n", "400"],
          [`${get}expect: nothing\r\nconnection: close\r\n\r\n`, "417"]
        ]
        for (const [bytes, status] of table) {
          const answers = yield* exchange(port, (yield* creditOf1(walletId, "a")) + bytes, { halfClose: true })
          assert.deepStrictEqual(statuses(answers), ["201", status], bytes)
        }
      })
  )

  it.effect("are answered behind one that is refused, whatever that lacks", () =>
    Effect.gen(function* () {
      const { port, secrets, wallet } = yield* TestServer
      const walletId = yield* wallet()
      const post = `POST /v1/wallets/${walletId}/credit HTTP/1.1\r\n`
      const key = `authorization: Bearer ${secrets.admin}\r\n`
      const table: ReadonlyArray<readonly [bytes: string, status: string]> = [
        [
          `${post}${key}content-type: application/json\r\nidempotency-key: x\r\ncontent-length: 14\r\n\r\n{"amount":"1"}`,
          "400"
        ],
        ["GET /health/live HTTP/1.1\r\n\r\n", "400"],
        [`${get}host: y\r\n\r\n`, "400"],
        [`${get}host: x\r\n\r\n`, "400"],
        ["GET /health/live HTTP/2.0\r\nhost: x\r\nconnection: keep-alive\r\n\r\n", "400"],
        [`${get}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, "400"],
        [`${get}expect: nothing\r\n\r\n`, "417"],
        [`${post}host: x\r\ncontent-length: 14\r\n\r\n{"amount":"1"}`, "401"],
        [`${post}host: x\r\n${key}content-type: text/plain\r\nidempotency-key: x\r\ncontent-length: 1\r\n\r\n1`, "415"],
        [`${post}host: x\r\n${key}idempotency-key: x\r\ncontent-length: 140000\r\n\r\n${"1".repeat(140_000)}`, "413"]
      ]
      for (const [at, [bytes, status]] of table.entries()) {
        const [before, after] = [yield* creditOf1(walletId, `before-${at}`), yield* creditOf1(walletId, `after-${at}`)]
        const answers = yield* exchange(port, before + bytes + after, { halfClose: true })
        assert.deepStrictEqual(statuses(answers), ["201", status, "201"], bytes.slice(0, 300))
        assert.strictEqual(yield* balanceOf(walletId), `${2 * at + 2}`)
      }
      const nameless = yield* exchange(port, "GET /health/live HTTP/1.1\r\n\r\n", { halfClose: true })
      assert.match(nameless, /^HTTP\/1\.1 400 [^]*application\/problem\+json[^]*"code":"InvalidRequest"/)
      // Before HTTP/1.1 no host was named, and there were no chunks.
      assert.deepStrictEqual(statuses(yield* exchange(port, "GET /health/live HTTP/1.0\r\n\r\n")), ["200"])
      const chunks = "GET /health/live HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
      assert.deepStrictEqual(statuses(yield* exchange(port, chunks)), ["400"])
    })
  )

  it.effect("are nothing to wait for once the connection was ended, though its client holds it", () =>
    Effect.gen(function* () {
      const { port } = yield* TestServer
      // Whatever it says then is refused by the machine itself.
      yield* Effect.callback<void>((resume) => {
        const socket = Net.connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () =>
          socket.write("CONNECT example.org:443 HTTP/1.1\r\nhost: x\r\n\r\n")
        )
        const talking = setInterval(() => socket.write("x"), 20)
        socket.resume()
        socket.on("error", () => undefined)
        socket.on("close", () => {
          clearInterval(talking)
          resume(Effect.void)
        })
        return Effect.sync(() => socket.destroy())
      })
    })
  )

  it.effect("are answered when the client has closed its half behind them", () =>
    Effect.gen(function* () {
      const { port, wallet } = yield* TestServer
      const walletId = yield* wallet()
      const good = `${yield* creditOf1(walletId, "a")}${yield* creditOf1(walletId, "b")}`
      assert.deepStrictEqual(statuses(yield* exchange(port, good, { halfClose: true })), ["201", "201"])
      assert.strictEqual(yield* balanceOf(walletId), "2")
      assert.deepStrictEqual(statuses(yield* exchange(port, `${get}\r\n`, { halfClose: true })), ["200"])
      assert.deepStrictEqual(statuses(yield* exchange(port, "", { halfClose: true })), [])
    })
  )

  it.effect("are answered before the one that the client broke off", () =>
    Effect.gen(function* () {
      const { port, wallet } = yield* TestServer
      const walletId = yield* wallet()
      const good = yield* creditOf1(walletId, "a")
      const next = yield* creditOf1(walletId, "b")
      // In its head, at the end of its head, and in its body.
      for (const length of [20, next.length - 14, next.length - 1]) {
        const answers = yield* exchange(port, good + next.slice(0, length), { halfClose: true })
        assert.deepStrictEqual(statuses(answers), ["201", "400"], String(length))
      }
      assert.strictEqual(yield* balanceOf(walletId), "1")
    })
  )
})
