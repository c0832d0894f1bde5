/** A connection that the server has ended is gone in the end, whatever its client does. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import type { AddressInfo, Socket } from "node:net"
import * as Net from "node:net"
import { dueAnswers } from "../../src/http/DueAnswers.ts"

const reply = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

interface Limits {
  /** From the beginning. */
  readonly atOnce: Http.ServerOptions
  /** From the first request on: it is in time, whenever it comes. */
  readonly later: Http.ServerOptions
}

/** A server that ends what is no request, has no other limits than these, and answers with its request's path. */
const listening = ({ atOnce, later }: Limits) =>
  Effect.acquireRelease(
    Effect.callback<Http.Server>((resume) => {
      const server = Http.createServer({ ...atOnce, connectionsCheckingInterval: 5 }, (request, response) => {
        Object.assign(server, later)
        if (request.url === "/unread") return void response.writeHead(413).end()
        response.end(request.url)
      })
      Object.assign(server, { httpAllowHalfOpen: true })
      const due = dueAnswers(server)
      const cutting = setInterval(due.cut, 10)
      server.once("close", () => clearInterval(cutting))
      server.on("clientError", (_error, socket) => due.end(socket, reply))
      server.on("connect", (_request, socket) => {
        socket.resume()
        due.end(socket, reply)
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

/** Sends the bytes, never ends its half, and answers what came once the server has let go of the connection. */
const held = (server: Http.Server, bytes: string) =>
  Effect.callback<string>((resume) => {
    let received = ""
    server.once("connection", (socket: Socket) =>
      socket.once("close", () => {
        client.destroy()
        resume(Effect.succeed(received))
      })
    )
    const client = Net.connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true })
    client.write(bytes)
    client.on("data", (chunk: Buffer) => (received += chunk.toString("latin1")))
    client.on("error", () => undefined)
    return Effect.sync(() => client.destroy())
  })

const none = { headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: 0 }
const short = { headersTimeout: 30, requestTimeout: 60, keepAliveTimeout: 0 }
const never: Limits = { atOnce: none, later: none }
const soon: Limits = { atOnce: short, later: short }
const soonThen: Limits = { atOnce: none, later: short }
const good = "GET /good HTTP/1.1\r\nhost: x\r\n\r\n"
const broken = "POST /unread HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\na"

const cases: ReadonlyArray<readonly [name: string, limits: Limits, bytes: string, statuses: string]> = [
  ["says nothing at all", soon, "", "400"],
  ["does not end its head", soon, "GET / HT", "400"],
  ["does not end its head, behind a request", soonThen, `${good}GET / HT`, "200 400"],
  ["is no HTTP", never, "nonsense\r\n\r\n", "400"],
  ["is no HTTP, behind a request", never, `${good}nonsense\r\n\r\n`, "200 400"],
  ["asks for a tunnel", never, "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n", "400"],
  [
    "asks for a tunnel, behind a request, and talks on",
    never,
    `${good}CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\nhello`,
    "200 400"
  ],
  ["does not end a body that was refused", soonThen, broken, "413"]
]

describe("a client that never ends its half of a connection", () => {
  for (const [name, limits, bytes, statuses] of cases) {
    it.live(`and ${name} is let go of`, () =>
      Effect.gen(function* () {
        const received = yield* held(yield* listening(limits), bytes)
        assert.strictEqual(
          Array.from(received.matchAll(/HTTP\/1\.1 (\d+)/g), ([, status]) => status).join(" "),
          statuses
        )
      })
    )
  }
})
