/** What a client may hold of the server. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import * as Net from "node:net"
import { readerPatience, slowReaders } from "../../src/http/Connections.ts"

const large = Buffer.alloc(64 * 1024 * 1024, "x")

/** A server that answers more than the system's buffers hold. */
const listening = Effect.acquireRelease(
  Effect.callback<Http.Server>((resume) => {
    const server = Http.createServer(
      (request, response) => void response.end(request.url === "/large" ? large : "small")
    )
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) =>
    Effect.callback<void>((resume) => {
      server.close(() => resume(Effect.void))
      server.closeAllConnections()
    })
)

/** Both ends of a connection on which `path` has been asked for and nothing is read. */
const asking = (server: Http.Server, path: string) =>
  Effect.callback<{ readonly client: Net.Socket; readonly socket: Net.Socket }>((resume) => {
    const client = Net.connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" })
    client.pause()
    client.on("error", () => undefined)
    server.once("request", ({ socket }: Http.IncomingMessage) =>
      setImmediate(() => resume(Effect.succeed({ client, socket })))
    )
    client.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
  })

/** Reads so many bytes of what is there for it. */
const read = (client: Net.Socket, bytes: number) =>
  Effect.callback<void>((resume) => {
    let count = 0
    const onData = (chunk: Buffer) => {
      count += chunk.length
      if (count < bytes) return
      client.off("data", onData)
      client.pause()
      resume(Effect.void)
    }
    client.on("data", onData)
    client.resume()
  })

describe("a reader", () => {
  it.live("that takes nothing of its answer is cut in the end, one that has nothing to take is not", () =>
    Effect.gen(function* () {
      const server = yield* listening
      const cutSlow = slowReaders(server)
      const slow = yield* asking(server, "/large")
      const idle = yield* asking(server, "/small")
      assert.strictEqual(cutSlow(0), 0)
      assert.strictEqual(cutSlow(readerPatience - 1), 0)
      assert.strictEqual(cutSlow(readerPatience), 1)
      assert.isTrue(slow.socket.destroyed)
      assert.isFalse(idle.socket.destroyed)
      assert.strictEqual(cutSlow(10 * readerPatience), 0)
    }).pipe(Effect.scoped)
  )

  it.live("that takes its answer slowly is let be, until it stops", () =>
    Effect.gen(function* () {
      const server = yield* listening
      const cutSlow = slowReaders(server)
      const { client, socket } = yield* asking(server, "/large")
      for (let look = 0; look < 5; look++) {
        assert.strictEqual(cutSlow(look * readerPatience), 0, `look ${look}`)
        // Far more than the buffers on the way may have held back.
        yield* read(client, 8 * 1024 * 1024)
      }
      assert.strictEqual(cutSlow(5 * readerPatience), 0)
      assert.strictEqual(cutSlow(6 * readerPatience), 1)
      assert.isTrue(socket.destroyed)
    }).pipe(Effect.scoped)
  )
})
