/**
 * The API as routes: handlers, `/openapi.json`, `/docs` and `/console`, fallback and, where
 * configured, CORS.
 */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import { WalletApi } from "./api/Api.ts"
import { AuditLog } from "./AuditLog.ts"
import { authorizationLayer, Gate } from "./Authentication.ts"
import { consolePage } from "./ConsolePage.ts"
import { documentation } from "./DocumentationPage.ts"
import { makeFallback, withSoundHead } from "./Fallback.ts"
import { makeFastCommand } from "./FastCommand.ts"
import { batchHandlers } from "./handlers/BatchHandlers.ts"
import { feedHandlers } from "./handlers/FeedHandlers.ts"
import { holdHandlers } from "./handlers/HoldHandlers.ts"
import { auditHandlers, keyHandlers } from "./handlers/KeyHandlers.ts"
import { inspectionHandlers } from "./handlers/InspectionHandlers.ts"
import { clusterHandlers, healthHandlers } from "./handlers/OperationsHandlers.ts"
import { transferHandlers } from "./handlers/TransferHandlers.ts"
import { statsHandlers, transactionHandlers } from "./handlers/TransactionHandlers.ts"
import { webhookHandlers } from "./handlers/WebhookHandlers.ts"
import { walletHandlers } from "./handlers/WalletHandlers.ts"
import { HttpConfig } from "./HttpConfig.ts"
import { makeHttpMetrics } from "./HttpMetrics.ts"
import { exposedHeaders, makeRequestId, requestIdHeader } from "./RequestId.ts"
import { requestValidationLayer } from "./RequestValidation.ts"
import { DocumentPlaces } from "./StaticDocument.ts"
import { makeWalletNode } from "./WalletNode.ts"

/** Seconds for which a browser keeps the reply to its preflight. */
const corsMaxAge = 600

const cors = (origins: ReadonlyArray<string>) =>
  HttpMiddleware.cors({
    allowedOrigins: origins.includes("*") ? [] : origins,
    allowedMethods: ["GET", "HEAD", "POST", "PATCH", "DELETE"],
    allowedHeaders: [
      "authorization",
      // With `traceparent` what Effect's client sends of a trace, and so the typed one from a browser.
      "b3",
      "content-type",
      "idempotency-key",
      "if-match",
      "last-event-id",
      requestIdHeader,
      "traceparent",
      "tracestate"
    ],
    exposedHeaders,
    maxAge: corsMaxAge
  })

/** The first is the outermost: all replies are counted, and CORS sees also that of the fallback. */
const edges = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const { corsOrigins } = yield* HttpConfig
    yield* router.addGlobalMiddleware(yield* makeHttpMetrics)
    yield* router.addGlobalMiddleware(yield* makeRequestId)
    const walletNode = yield* makeWalletNode
    if (walletNode !== undefined) yield* router.addGlobalMiddleware(walletNode)
    yield* router.addGlobalMiddleware(withSoundHead)
    if (corsOrigins.length > 0) yield* router.addGlobalMiddleware(cors(corsOrigins))
    yield* router.addGlobalMiddleware(yield* makeFallback)
    yield* router.addGlobalMiddleware(yield* makeFastCommand)
  })
)

const handlers = Layer.mergeAll(
  walletHandlers,
  holdHandlers,
  transferHandlers,
  transactionHandlers,
  statsHandlers,
  batchHandlers,
  feedHandlers,
  webhookHandlers,
  keyHandlers,
  auditHandlers,
  inspectionHandlers,
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
export const httpApp = Layer.mergeAll(HttpApiBuilder.layer(WalletApi), documentation, consolePage, edges).pipe(
  Layer.provide(handlers),
  Layer.provide(DocumentPlaces.layer),
  Layer.provide(Gate.layer),
  Layer.provide(AuditLog.layer)
)
