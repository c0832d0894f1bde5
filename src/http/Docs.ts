/**
 * `/openapi.json` and `/docs`. The page carries all it needs; the policy sent with
 * it makes sure that a browser loads nothing from elsewhere.
 */
import * as HttpApiSwagger from "effect/http-api/HttpApiSwagger"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { WalletApi } from "./api/Api.ts"

const policy = [
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

const document = HttpRouter.use((router) =>
  router.add("GET", "/openapi.json", Effect.succeed(HttpServerResponse.jsonUnsafe(OpenApi.fromApi(WalletApi))))
)

const page = HttpApiSwagger.layer(WalletApi, { path: "/docs" }).pipe(
  Layer.provide(
    HttpRouter.middleware((httpEffect) =>
      Effect.map(httpEffect, (response) => HttpServerResponse.setHeader(response, "content-security-policy", policy))
    ).layer
  )
)

export const docs = Layer.mergeAll(document, page)
