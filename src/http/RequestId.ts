/**
 * The id of a request: what its sender calls it, or else a name of the server's. It is on every
 * answer, in every problem and on the log lines of the request, so that all of them can be
 * found by what a caller quotes.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { randomBytes } from "node:crypto"
import { correlationOf } from "./RequestTelemetry.ts"
import { walletNodeHeader } from "./api/OwnerRoutes.ts"

/** The header, of requests and of answers. */
export const requestIdHeader = "x-request-id"

/** Headers of answers that browsers show to pages of other origins. */
export const exposedHeaders = [
  "allow",
  "etag",
  "idempotency-replayed",
  "retry-after",
  "www-authenticate",
  requestIdHeader,
  walletNodeHeader
]

/** Names that no other server and no other start makes: a random beginning, and a count. */
export const requestIds = (): (() => string) => {
  const start = randomBytes(9).toString("base64url")
  let made = 0
  return () => `${start}-${(++made).toString(36)}`
}

const given = Symbol("effect-wallet/http/RequestId")

/** Where the server notes the name that it gave. */
interface Noted {
  [given]?: string
}

/** `undefined`: the request is not one of this server's. */
export const requestIdOf = (request: HttpServerRequest.HttpServerRequest): string | undefined =>
  (request.source as Noted)[given] ?? correlationOf(request.headers)

/** A document of JSON that is an object with a member, with one member more. */
export const withRequestId = (problem: string, id: string): string =>
  `${problem.slice(0, -1)},"requestId":${JSON.stringify(id)}}`

const problemType = "application/problem+json"

const identified = (response: HttpServerResponse.HttpServerResponse, id: string) => {
  const { body, status } = response
  const named = HttpServerResponse.setHeader(response, requestIdHeader, id)
  if (status < 400 || body._tag !== "Uint8Array" || body.contentType !== problemType || body.text === undefined)
    return named
  return HttpServerResponse.setBody(named, HttpBody.text(withRequestId(body.text, id), problemType))
}

/** Wraps the whole router. */
export const makeRequestId = Effect.sync(() => {
  const next = requestIds()
  return <E, R>(
    effect: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
  ): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R> =>
    Effect.withFiber((fiber) => {
      const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
      let id = correlationOf(request.headers)
      if (id === undefined) (request.source as Noted)[given] = id = next()
      const name = id
      return Effect.map(effect, (response) => identified(response, name))
    })
})
