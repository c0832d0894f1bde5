/** What `wallet mcp` does: finds the key, serves the tools, ends with its input or by a signal. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { createServer } from "node:http"
import { layerHttp, layerStdio, mcpPath } from "../mcp/McpDoor.ts"
import { WalletService } from "../mcp/WalletService.ts"
import { loggingLayer } from "./Logging.ts"
import type { McpFlags } from "./McpCommand.ts"
import { printNote } from "./Output.ts"
import { PackageVersion } from "./PackageVersion.ts"
import { Shutdown } from "./ServeCommand.ts"
import { loadServiceConfig, type ServiceConfig } from "./ServiceConfig.ts"

/** An agent is never given a key that was made for somebody else. */
class McpKeyAbsent extends Schema.TaggedError<McpKeyAbsent>()("McpKeyAbsent", {}) {
  override get message(): string {
    return "WALLET_MCP_KEY is not set: make a key for the agent, with few rights (`wallet keys create`), and set it to that"
  }
}

/** A page is named by its origin, whole and without a path. */
class OriginWrong extends Schema.TaggedError<OriginWrong>()("OriginWrong", { origin: Schema.String }) {
  override get message(): string {
    return `--allow-origin: ${JSON.stringify(this.origin)} is not an origin like https://agent.example`
  }
}

const isOrigin = (text: string): boolean => URL.canParse(text) && new URL(text).origin === text

/** Of requests without an end, or with ones that take for ever; milliseconds. */
const serverTimeouts = { headersTimeout: 10_000, requestTimeout: 60_000, keepAliveTimeout: 65_000 }

/** Connections beyond it are closed at once. */
const maxConnections = 1_000

const overHttp = Effect.fnUntraced(function* ({ allowedOrigins, host }: McpFlags, port: number, version: string) {
  const wrong = allowedOrigins.find((origin) => !isOrigin(origin))
  if (wrong !== undefined) return yield* new OriginWrong({ origin: wrong })
  const server = createServer(serverTimeouts)
  server.maxConnections = maxConnections
  const told = Layer.effectDiscard(
    Effect.flatMap(HttpServer.HttpServer, ({ address }) =>
      printNote(`tools at ${HttpServer.formatAddress(address)}${mcpPath}`)
    )
  )
  const routes = HttpRouter.serve(layerHttp({ version, allowedOrigins }), {
    disableListenLog: true,
    disableLogger: true
  })
  return Layer.merge(routes, told).pipe(Layer.provide(NodeHttpServer.layer(() => server, { host, port })))
})

const overStdio = Effect.fnUntraced(function* ({ mcpKey }: ServiceConfig, version: string) {
  if (Option.isNone(mcpKey)) return yield* new McpKeyAbsent()
  return layerStdio({ version, apiKey: mcpKey.value })
})

export const mcp = Effect.fnUntraced(function* (given: McpFlags) {
  yield* (yield* Shutdown).expected
  const config = yield* loadServiceConfig
  const version = yield* PackageVersion
  const service = WalletService.layer(given.url.href.replace(/\/$/, "")).pipe(Layer.provide(FetchHttpClient.layer))
  const provided = Layer.merge(service, loggingLayer(config))
  const door = Option.isSome(given.listen)
    ? Layer.provide(yield* overHttp(given, given.listen.value, version), provided)
    : Layer.provide(yield* overStdio(config, version), provided)
  return yield* Layer.launch(door)
})
