/**
 * Requests that no endpoint takes, and defects. Under `/v1` nobody learns without
 * a key which paths there are: authentication comes before everything else.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { IncomingMessage } from "node:http"
import { internalError, problemReply, toResponse } from "./HttpReply.ts"
import { WalletApi } from "./api/Api.ts"
import { consolePaths } from "./ConsolePage.ts"
import { documentationPaths } from "./DocumentationPage.ts"
import { bearerOf, Gate, refusal } from "./Authentication.ts"
import { routeOf, unmatched } from "./RequestTelemetry.ts"

interface KnownPath {
  readonly pattern: RegExp
  readonly methods: Set<string>
}

/** Every path with the methods it takes; `GET` brings `HEAD`, and `OPTIONS` is always there. */
const knownPaths: ReadonlyArray<KnownPath> = (() => {
  const paths = new Map<string, Set<string>>()
  const add = (path: string, method: string) => {
    const methods = paths.get(path) ?? new Set<string>()
    methods.add(method)
    if (method === "GET") methods.add("HEAD")
    paths.set(path, methods.add("OPTIONS"))
  }
  for (const path of [...documentationPaths, ...consolePaths]) add(path, "GET")
  for (const group of Object.values(WalletApi.groups)) {
    for (const endpoint of Object.values(group.endpoints)) add(endpoint.path, endpoint.method)
  }
  return Array.from(paths, ([path, methods]) => ({
    pattern: new RegExp(`^${path.replace(/:\w+/g, "[^/]+")}$`),
    methods
  }))
})()

const pathOf = (url: string): string => url.split(/[?;#]/, 1)[0] ?? ""

const isEncodedWell = (url: string): boolean => {
  try {
    decodeURIComponent(url)
    return true
  } catch {
    return false
  }
}

const notFound = toResponse(problemReply("NotFound", "there is nothing at this path"))
const invalid = (pointer: string, detail: string) =>
  toResponse(problemReply("InvalidRequest", detail, undefined, { errors: [{ pointer, detail }] }))
const badEncoding = invalid("#/path", "the URL's percent-encoding is not UTF-8")

const unrouted = Effect.fnUntraced(function* (gate: Gate["Service"], request: HttpServerRequest.HttpServerRequest) {
  const path = pathOf(request.url)
  const known = knownPaths.find(({ pattern }) => pattern.test(path))
  if (request.method === "OPTIONS" && known !== undefined) {
    return HttpServerResponse.empty({ headers: { allow: [...known.methods].join(", ") } })
  }
  if (/^\/v1(?:\/|$)/.test(path) && request.method !== "OPTIONS") {
    yield* gate.admit(bearerOf(request.headers["authorization"]), request)
  }
  if (!isEncodedWell(request.url)) return badEncoding
  if (known === undefined) return notFound
  const allow = [...known.methods].join(", ")
  return HttpServerResponse.setHeader(
    toResponse(problemReply("MethodNotAllowed", `this path takes ${allow}`)),
    "allow",
    allow
  )
})

const badHead = (detail: string) => invalid("#/header", detail)
const noHost = badHead("a request of HTTP/1.1 names its host, once")
const noVersion = badHead("this server speaks HTTP/1.1")
const noCoding = badHead("a body is sent as it is, in chunks or with its length: no other transfer-encoding is taken")

/** Why a head is refused that Node takes; of a header sent twice it has both, with a comma between. */
const headFault = ({ headers, httpVersion }: IncomingMessage): HttpServerResponse.HttpServerResponse | undefined => {
  const { host } = headers
  const coding = headers["transfer-encoding"]
  if (httpVersion !== "1.1" && httpVersion !== "1.0") return noVersion
  if (host === undefined ? httpVersion === "1.1" : host.includes(",")) return noHost
  return coding === undefined || (coding.toLowerCase() === "chunked" && httpVersion === "1.1") ? undefined : noCoding
}

/**
 * What another server on the way may take for something else. Node would refuse some of it with an
 * empty reply that ends the connection, and the replies that are due behind it.
 */
export const withSoundHead = <E, R>(
  effect: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R> =>
  Effect.withFiber((fiber) => {
    const { source } = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
    const fault = source instanceof IncomingMessage ? headFault(source) : undefined
    return fault === undefined ? effect : Effect.succeed(fault)
  })

const isUnrouted = (error: unknown): boolean =>
  error instanceof HttpServerError.HttpServerError && error.reason._tag === "RouteNotFound"

/** The router would read `/v1/%77allets` as one of ours; a proxy with rules for paths, a log or a metric would not. */
const isEscapedOtherwise = (url: string): boolean => url.includes("%") && routeOf(url) === unmatched

/** Wraps the whole router: what comes out is always a reply of this API. */
export const makeFallback = Effect.map(Gate, (gate) => {
  const answerUnrouted = (request: HttpServerRequest.HttpServerRequest) =>
    Effect.catch(unrouted(gate, request), (reply) => Effect.succeed(refusal(reply)))

  return <E, R>(effect: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
    Effect.withFiber((fiber) => {
      const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
      if (isEscapedOtherwise(request.url)) return answerUnrouted(request)
      return Effect.catchCause(effect, (cause) => {
        // The client has gone, or the server is being stopped: nobody reads a reply.
        if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause)
        if (cause.reasons.some((reason) => reason._tag === "Fail" && isUnrouted(reason.error))) {
          return answerUnrouted(request)
        }
        return Effect.as(
          Effect.logError("request failed", { method: request.method, path: pathOf(request.url) }, cause),
          toResponse(internalError)
        )
      })
    })
})
