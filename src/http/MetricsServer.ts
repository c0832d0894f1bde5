/**
 * Health and metrics on a port of their own, for probes and scrapers: what clients of the API
 * do, and how many there are, does not stand in their way.
 */
import * as Effect from "effect/Effect"
import type * as EffectHttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { WalletEngine } from "../engine/WalletEngine.ts"
import { Webhooks } from "../webhooks/Webhooks.ts"
import { livePage, makeMetricsPage, readyPage } from "./HealthPages.ts"
import { problemReply, toResponse } from "./HttpReply.ts"
import { makeRequestId } from "./RequestId.ts"

const notFound = toResponse(problemReply("NotFound", "here are /health/live, /health/ready and /metrics"))

const notAllowed = HttpServerResponse.setHeader(
  toResponse(problemReply("MethodNotAllowed", "this port takes GET, HEAD")),
  "allow",
  "GET, HEAD"
)

/** While the scope lasts. */
export const serveMetrics = Effect.fnUntraced(function* (server: EffectHttpServer.HttpServer["Service"]) {
  const ready = readyPage(yield* WalletEngine, yield* Webhooks)
  const metrics = yield* makeMetricsPage
  const identified = yield* makeRequestId
  const pages = new Map([
    ["/health/live", Effect.succeed(livePage)],
    ["/health/ready", ready],
    ["/metrics", metrics]
  ])
  const answer = Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ method, url }) => {
    const page = pages.get(url.split("?", 1)[0]!)
    if (page === undefined) return Effect.succeed(notFound)
    return method === "GET" || method === "HEAD" ? page : Effect.succeed(notAllowed)
  })
  yield* server.serve(identified(answer))
})
