/** The endpoint over HTTP: who is let in, and how much of it one can have. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import { layerHttp, mcpPath } from "../../src/mcp/McpDoor.ts"
import { WalletService } from "../../src/mcp/WalletService.ts"

const nobody = Layer.succeed(WalletService, { ask: () => Effect.die(new Error("no tool is called")) })

const initialize = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "agent", version: "1" } }
}

it.effect("has so many sessions at most, and one more for each that is ended", () =>
  Effect.gen(function* () {
    const app = layerHttp({ version: "1.0.0", allowedOrigins: [], maxSessions: 2 }).pipe(Layer.provide(nobody))
    const { handler } = yield* Effect.acquireRelease(
      Effect.sync(() => HttpRouter.toWebHandler(app, { disableLogger: true })),
      ({ dispose }) => Effect.promise(dispose)
    )
    const send = (method: string, headers: Readonly<Record<string, string>>, body?: unknown) =>
      Effect.promise(() =>
        handler(
          new Request(`http://127.0.0.1${mcpPath}`, {
            method,
            headers: {
              authorization: "Bearer a-key",
              accept: "application/json, text/event-stream",
              "content-type": "application/json",
              ...headers
            },
            ...(body === undefined ? {} : { body: JSON.stringify(body) })
          })
        )
      )
    const begin = send("POST", {}, initialize)
    const first = yield* begin
    yield* begin
    assert.strictEqual((yield* begin).status, 503)
    const session = { "mcp-session-id": first.headers.get("mcp-session-id") ?? "" }
    assert.notStrictEqual(session["mcp-session-id"], "")
    const ping = { jsonrpc: "2.0", id: 2, method: "ping" }
    assert.strictEqual((yield* send("POST", session, ping)).status, 200)
    assert.strictEqual((yield* send("DELETE", session)).status, 204)
    // Ended twice it counts once.
    assert.strictEqual((yield* send("DELETE", session)).status, 404)
    assert.strictEqual((yield* begin).status, 200)
    assert.strictEqual((yield* begin).status, 503)
    const large = { ...ping, params: { text: "x".repeat(600 * 1024) } }
    assert.isAtLeast((yield* send("POST", session, large)).status, 400)
    assert.strictEqual((yield* send("POST", { authorization: "Bearer " }, ping)).status, 401)
  }).pipe(Effect.scoped)
)
