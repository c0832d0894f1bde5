/** The API as routes: handlers, documents, fallback and, where configured, CORS. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import { WalletApi } from "./api/Api.ts"
import { authorizationLayer, Gate } from "./Authentication.ts"
import { batchHandlers } from "./handlers/BatchHandlers.ts"
import { clusterHandlers } from "./handlers/ClusterHandlers.ts"
import { docs } from "./Docs.ts"
import { feedHandlers } from "./handlers/FeedHandlers.ts"
import { makeFastMovement } from "./FastMovement.ts"
import { makeFallback } from "./Fallback.ts"
import { healthHandlers } from "./handlers/HealthHandlers.ts"
import { holdHandlers } from "./handlers/HoldHandlers.ts"
import { HttpConfig } from "./HttpConfig.ts"
import { makeHttpMetrics } from "./HttpMetrics.ts"
import { keyHandlers } from "./handlers/OperationsHandlers.ts"
import { requestFormLayer } from "./RequestValidation.ts"
import { transactionHandlers } from "./handlers/TransactionHandlers.ts"
import { transferHandlers } from "./handlers/TransferHandlers.ts"
import { walletHandlers } from "./handlers/WalletHandlers.ts"

/** Seconds for which a browser keeps the answer to its preflight. */
const corsMaxAge = 600

const cors = (origins: ReadonlyArray<string>) =>
  HttpMiddleware.cors({
    allowedOrigins: origins.includes("*") ? [] : origins,
    allowedMethods: ["GET", "HEAD", "POST", "PATCH", "DELETE"],
    allowedHeaders: ["authorization", "content-type", "idempotency-key", "last-event-id"],
    exposedHeaders: ["idempotency-replayed", "retry-after"],
    maxAge: corsMaxAge
  })

/** The first is the outermost: all answers are counted, and CORS sees also that of the fallback. */
const edges = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const { corsOrigins, requestsPerSecond } = yield* HttpConfig
    yield* router.addGlobalMiddleware(yield* makeHttpMetrics)
    if (corsOrigins.length > 0) yield* router.addGlobalMiddleware(cors(corsOrigins))
    yield* router.addGlobalMiddleware(yield* makeFallback)
    if (requestsPerSecond === undefined) yield* router.addGlobalMiddleware(yield* makeFastMovement)
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
).pipe(Layer.provide([authorizationLayer, requestFormLayer]))

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
export const httpApp = Layer.mergeAll(HttpApiBuilder.layer(WalletApi), docs, edges).pipe(
  Layer.provide(handlers),
  Layer.provide(Gate.layer)
)
