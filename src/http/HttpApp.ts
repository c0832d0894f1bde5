/**
 * The API as routes: handlers, `/openapi.json` and `/docs`, fallback and, where
 * configured, CORS.
 */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiSwagger from "effect/http-api/HttpApiSwagger"
import * as OpenApi from "effect/http-api/OpenApi"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { WalletApi } from "./api/Api.ts"
import { authorizationLayer, Gate } from "./Authentication.ts"
import { makeFallback, withHost } from "./Fallback.ts"
import { makeFastMovement } from "./FastMovement.ts"
import { batchHandlers } from "./handlers/BatchHandlers.ts"
import { feedHandlers } from "./handlers/FeedHandlers.ts"
import { holdHandlers } from "./handlers/HoldHandlers.ts"
import { clusterHandlers, healthHandlers, keyHandlers } from "./handlers/OperationsHandlers.ts"
import { transferHandlers } from "./handlers/TransferHandlers.ts"
import { transactionHandlers, walletHandlers } from "./handlers/WalletHandlers.ts"
import { HttpConfig } from "./HttpConfig.ts"
import { makeHttpMetrics } from "./HttpMetrics.ts"
import { requestValidationLayer } from "./RequestValidation.ts"

/** The page carries all it needs; this makes sure that a browser loads nothing from elsewhere. */
const docsPolicy = [
  "default-src 'none'",
  "script-src 'unsafe-inline'",
  "style-src 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join("; ")

const openApiRoute = HttpRouter.use((router) =>
  router.add("GET", "/openapi.json", Effect.succeed(HttpServerResponse.jsonUnsafe(OpenApi.fromApi(WalletApi))))
)

const docsRoute = HttpApiSwagger.layer(WalletApi, { path: "/docs" }).pipe(
  Layer.provide(
    HttpRouter.middleware((httpEffect) =>
      Effect.map(httpEffect, (response) =>
        HttpServerResponse.setHeader(response, "content-security-policy", docsPolicy)
      )
    ).layer
  )
)

/** Seconds for which a browser keeps the reply to its preflight. */
const corsMaxAge = 600

const cors = (origins: ReadonlyArray<string>) =>
  HttpMiddleware.cors({
    allowedOrigins: origins.includes("*") ? [] : origins,
    allowedMethods: ["GET", "HEAD", "POST", "PATCH", "DELETE"],
    allowedHeaders: ["authorization", "content-type", "idempotency-key", "last-event-id"],
    exposedHeaders: ["idempotency-replayed", "retry-after"],
    maxAge: corsMaxAge
  })

/** The first is the outermost: all replies are counted, and CORS sees also that of the fallback. */
const edges = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const { corsOrigins } = yield* HttpConfig
    yield* router.addGlobalMiddleware(yield* makeHttpMetrics)
    yield* router.addGlobalMiddleware(withHost)
    if (corsOrigins.length > 0) yield* router.addGlobalMiddleware(cors(corsOrigins))
    yield* router.addGlobalMiddleware(yield* makeFallback)
    yield* router.addGlobalMiddleware(yield* makeFastMovement)
  })
)

const handlers = Layer.mergeAll(
  walletHandlers,
  holdHandlers,
  transferHandlers,
  transactionHandlers,
  batchHandlers,
  feedHandlers,
  keyHandlers,
  clusterHandlers,
  healthHandlers
).pipe(Layer.provide([authorizationLayer, requestValidationLayer]))

/** Longer parameters are refused by their form, not by the router. */
const maxParamLength = 1_000_000

/** Paths are taken as they are written: no other case, no doubled or trailing slash. */
export const routerConfig = {
  caseSensitive: true,
  ignoreTrailingSlash: false,
  ignoreDuplicateSlashes: false,
  maxParamLength
}

/** All routes of the service; needs the engine, the keys and the configuration. */
export const httpApp = Layer.mergeAll(HttpApiBuilder.layer(WalletApi), openApiRoute, docsRoute, edges).pipe(
  Layer.provide(handlers),
  Layer.provide(Gate.layer)
)
