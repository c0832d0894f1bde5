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
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { WalletApi } from "./api/Api.ts"
import { authorizationLayer, Gate } from "./Authentication.ts"
import { makeFallback, withSoundHead } from "./Fallback.ts"
import { makeFastMovement } from "./FastMovement.ts"
import { batchHandlers } from "./handlers/BatchHandlers.ts"
import { feedHandlers } from "./handlers/FeedHandlers.ts"
import { holdHandlers } from "./handlers/HoldHandlers.ts"
import { clusterHandlers, healthHandlers, keyHandlers } from "./handlers/OperationsHandlers.ts"
import { transferHandlers } from "./handlers/TransferHandlers.ts"
import { statsHandlers, transactionHandlers } from "./handlers/TransactionHandlers.ts"
import { webhookHandlers } from "./handlers/WebhookHandlers.ts"
import { walletHandlers } from "./handlers/WalletHandlers.ts"
import { HttpConfig } from "./HttpConfig.ts"
import { makeHttpMetrics } from "./HttpMetrics.ts"
import { exposedHeaders, makeRequestId, requestIdHeader } from "./RequestId.ts"
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

/** Pages that are being sent, of the documentation: each may be megabytes of the system's buffers. Others wait. */
const maxPages = 16

/** Bytes of a page that are written at once: the system would take megabytes in one go, from whoever asks. */
const pieceBytes = 64 * 1024

/**
 * The same bytes for all who ask, piece by piece as they are taken: a text would be made into bytes
 * for each, and kept until its client has read them.
 */
const asPieces = (
  { body, headers }: HttpServerResponse.HttpServerResponse,
  places: Semaphore.Semaphore
): HttpServerResponse.HttpServerResponse => {
  if (body._tag !== "Uint8Array") return HttpServerResponse.empty({ status: 500 })
  const { body: bytes, contentType } = body
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, index) =>
    bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes)
  )
  const place = Effect.acquireRelease(places.take(1), () => places.release(1))
  const stream = Stream.unwrap(Effect.as(place, Stream.fromIterable(pieces, { chunkSize: 1 })))
  return HttpServerResponse.stream(stream, { contentType, contentLength: bytes.length, headers })
}

const documents = Layer.unwrap(
  Effect.map(Semaphore.make(maxPages), (places) => {
    const openApi = HttpRouter.use((router) => {
      const document = HttpServerResponse.jsonUnsafe(OpenApi.fromApi(WalletApi))
      return router.add("GET", "/openapi.json", Effect.succeed(asPieces(document, places)))
    })
    const docs = HttpApiSwagger.layer(WalletApi, { path: "/docs" }).pipe(
      Layer.provide(
        HttpRouter.middleware((httpEffect) => {
          let page: HttpServerResponse.HttpServerResponse | undefined
          const make = Effect.map(httpEffect, (response) => {
            const guarded = HttpServerResponse.setHeader(response, "content-security-policy", docsPolicy)
            return (page = asPieces(guarded, places))
          })
          return Effect.suspend(() => (page === undefined ? make : Effect.succeed(page)))
        }).layer
      )
    )
    return Layer.mergeAll(openApi, docs)
  })
)

/** Seconds for which a browser keeps the reply to its preflight. */
const corsMaxAge = 600

const cors = (origins: ReadonlyArray<string>) =>
  HttpMiddleware.cors({
    allowedOrigins: origins.includes("*") ? [] : origins,
    allowedMethods: ["GET", "HEAD", "POST", "PATCH", "DELETE"],
    allowedHeaders: [
      "authorization",
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
    yield* router.addGlobalMiddleware(withSoundHead)
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
  statsHandlers,
  batchHandlers,
  feedHandlers,
  webhookHandlers,
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
export const httpApp = Layer.mergeAll(HttpApiBuilder.layer(WalletApi), documents, edges).pipe(
  Layer.provide(handlers),
  Layer.provide(Gate.layer)
)
