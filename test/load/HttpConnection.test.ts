import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import { HttpConnection } from "../../src/load/HttpConnection.ts"

/** A server that answers every request with the next of these texts, piece by piece, and closes on `undefined`. */
const serve = (answers: ReadonlyArray<ReadonlyArray<string> | undefined>) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: URL; readonly server: Net.Server; readonly made: () => number }>((resume) => {
      let next = 0
      let made = 0
      const server = Net.createServer((socket) => {
        made++
        socket.on("error", () => undefined)
        socket.on("data", () => {
          const answer = answers[next++]
          if (answer === undefined) return socket.destroy()
          const write = (index: number): void => {
            const part = answer[index]
            if (part !== undefined) socket.write(part, () => setImmediate(write, index + 1))
          }
          write(0)
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as Net.AddressInfo
        resume(Effect.succeed({ url: new URL(`http://127.0.0.1:${port}`), server, made: () => made }))
      })
    }),
    ({ server }) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )

const connect = (url: URL) =>
  Effect.acquireRelease(
    Effect.sync(() => new HttpConnection(url)),
    (connection) => Effect.sync(() => connection.close())
  )

const get = (connection: HttpConnection) => connection.request("GET / HTTP/1.1\r\nhost: x\r\n", "")

describe("HttpConnection", () => {
  it.effect("reads answers by their length and in chunks, however they are cut, and keeps the connection", () =>
    Effect.gen(function* () {
      const { made, url } = yield* serve([
        ["HTTP/1.1 200 OK\r\ncontent-le", "ngth: 5\r\nretry-after: 3\r\n\r\nhe", "llo"],
        [
          "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r",
          "\nabc\r\n",
          "a;x=y\r\n01234",
          "56789\r\n0\r\n",
          "\r\n"
        ],
        ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\né", "\r\n0\r\nx-sum: 1\r\n\r\n"].map((text) =>
          text.replace("1\r\né", "2\r\né")
        ),
        ["HTTP/1.1 204 No Content\r\n\r\n"]
      ])
      const connection = yield* connect(url)
      const first = yield* get(connection)
      assert.deepStrictEqual([first.status, first.body], [200, "hello"])
      assert.match(first.head, /retry-after: 3/)
      assert.strictEqual((yield* get(connection)).body, "abc0123456789")
      assert.strictEqual((yield* get(connection)).body, "é")
      assert.strictEqual((yield* get(connection)).status, 204)
      assert.strictEqual(made(), 1)
    })
  )

  it.effect("makes a new connection behind an answer that ends the old one", () =>
    Effect.gen(function* () {
      const bye = ["HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"]
      const { made, url } = yield* serve([bye, bye])
      const connection = yield* connect(url)
      yield* get(connection)
      yield* get(connection)
      assert.strictEqual(made(), 2)
    })
  )

  it.effect("tells a connection that broke over a request from one that was never made", () =>
    Effect.gen(function* () {
      const { server, url } = yield* serve([undefined])
      const connection = yield* connect(url)
      const broken = yield* Effect.flip(get(connection))
      assert.isTrue(broken.connected)
      yield* Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
      const refused = yield* Effect.flip(get(connection))
      assert.isFalse(refused.connected)
    })
  )

  it.effect("gives up what is neither", () =>
    Effect.gen(function* () {
      const { url } = yield* serve([["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"]])
      const failure = yield* Effect.flip(get(yield* connect(url)))
      assert.match(failure.reason, /unreadable answer/)
    })
  )
})
