/** Health and metrics on a port of their own. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Net from "node:net"
import type { AddressInfo } from "node:net"
import { freePort } from "../../bench/servers/ServerProcess.ts"
import * as Server from "./TestServer.ts"

const connected = (port: number) =>
  Effect.callback<Net.Socket>((resume) => {
    const socket = Net.connect({ port, host: "127.0.0.1" }, () => resume(Effect.succeed(socket)))
  })

it.live("health and metrics are served on their own port, also when the API takes no more connections", () =>
  Effect.gen(function* () {
    const metricsPort = yield* freePort
    yield* Effect.gen(function* () {
      const { call, port } = yield* Server.TestServer
      assert.strictEqual((yield* call("GET", "/health/live")).status, 200)
      assert.strictEqual((yield* call("GET", "/metrics")).json.code, "NotFound")
      const [status = ""] = (yield* Server.sendRaw(port)("GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n", /ok/)).split(
        "\r\n"
      )
      assert.strictEqual(status, "HTTP/1.1 200 OK")
      const held = yield* Effect.all([connected(port), connected(port), connected(port), connected(port)])
      // However many of the first four were taken: one more is not.
      assert.strictEqual(yield* Server.sendRaw(port)("GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n", /ok/), "")
      const rows = [
        ["GET", "/health/live", 200],
        ["GET", "/health/live?x=1", 200],
        ["GET", "/health/ready", 200],
        ["GET", "/metrics", 200],
        ["GET", "/v1/wallets", 404],
        ["GET", "/docs", 404],
        ["POST", "/metrics", 405]
      ] as const
      for (const [method, path, wanted] of rows) {
        const reply = yield* Effect.promise(async () => {
          const response = await fetch(`http://127.0.0.1:${metricsPort}${path}`, { method })
          return { status: response.status, id: response.headers.get("x-request-id"), text: await response.text() }
        })
        assert.strictEqual(reply.status, wanted, path)
        assert.match(reply.id ?? "", /^[\w-]{14,}$/)
        if (wanted >= 400) assert.include(reply.text, `"requestId":"${reply.id}"`)
      }
      for (const socket of held) socket.destroy()
    }).pipe(Effect.provide(Server.layer({ metricsPort, connections: 4 })))
  })
)

it.live("the port of the metrics, in use, is named by its variable", () =>
  Effect.gen(function* () {
    const taken = yield* Effect.acquireRelease(
      Effect.callback<Net.Server>((resume) => {
        const server = Net.createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => server.close())
    )
    const { port } = taken.address() as AddressInfo
    const error = yield* Effect.flip(Layer.build(Server.layer({ metricsPort: port })))
    assert.strictEqual(
      error.message,
      `port ${port} on 127.0.0.1 is in use: stop the other program or set WALLET_METRICS_PORT`
    )
  }).pipe(Effect.scoped)
)
