/**
 * What is said of a malformed request, all of it at once: the server's part of `RequestValidation`.
 *
 * The definition stops at the first part of a request that is malformed; then the others are looked
 * at here, once more, and its body too.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import { HttpApiSchemaError } from "effect/http-api/HttpApiError"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { InvalidRequest } from "../domain/Rejection.ts"
import { DecodedFirst, RequestValidation } from "./api/EndpointParts.ts"
import { failureReply, internalError, problemReply, toResponse } from "./HttpReply.ts"
import { type BodyError, bodyReader, maxBatchBytes, maxBatchSigns } from "./RequestBody.ts"
import { invalidRequest, places, together, wrongParameter } from "./ValueErrors.ts"

type Endpoint = HttpApiEndpoint.Top
type Request = HttpServerRequest.HttpServerRequest

const notFound = toResponse(problemReply("NotFound", "there is nothing at this path"))

/** The router gives an empty segment to a parameter: `/v1/wallets/` is no wallet but no path either. */
const hasEmptySegment = (url: string): boolean => /^[^?;#]*\/(?:$|[/?;#])/.test(url)

const slots = ["Params", "Headers", "Query"] as const

const strict = { onExcessProperty: "error", errors: "all" } as const
/** Other headers are let be. */
const lenient = { errors: "all" } as const

const inQuery = (detail: string) => new InvalidRequest({ detail, errors: [{ pointer: "#/query", detail }] })

/** As the router reads it; throws where the percent-encoding is not UTF-8. */
const decoded = (text: string): string => decodeURIComponent(text.replaceAll("+", " "))

/**
 * The router's own parser is lenient: it takes broken percent-encoding as it is, cannot show a parameter
 * named `__proto__`, and makes a list of two that have one name. `undefined`: nothing wrong.
 */
const queryFault = (url: string): InvalidRequest | undefined => {
  const start = url.indexOf("?")
  if (start === -1) return undefined
  const query = url.slice(start + 1)
  if (!query.includes("%") && !query.includes("__proto__") && !query.includes("metadata[")) return undefined
  const pairs = new Set<string>()
  try {
    decoded(query)
    for (const parameter of query.split("&")) {
      const name = decoded(parameter.split("=", 1)[0]!)
      if (name === "__proto__") return inQuery("__proto__ is not a parameter")
      if (!name.startsWith("metadata[")) continue
      if (pairs.has(name)) return wrongParameter(name, "this key stands twice")
      pairs.add(name)
    }
    return undefined
  } catch {
    return inQuery("the query's percent-encoding is not UTF-8")
  }
}

const notTaken = "this call takes no If-Match"

const takesCondition = ({ headers }: Endpoint): boolean =>
  headers !== undefined &&
  SchemaAST.isObjects(headers.ast) &&
  headers.ast.propertySignatures.some(({ name }) => name === "if-match")

/** A condition is never ignored: who sends one does not want the call without it. */
const conditionFault = ({ headers }: Request, endpoint: Endpoint): InvalidRequest | undefined => {
  if (headers["if-match"] === undefined) return undefined
  return takesCondition(endpoint)
    ? undefined
    : new InvalidRequest({
        detail: `header if-match: ${notTaken}`,
        errors: [{ pointer: "#/header/if-match", detail: notTaken }]
      })
}

/** What of an endpoint's request is looked at, made when it is first malformed. */
interface Look {
  readonly slots: Readonly<Record<(typeof slots)[number], ((value: unknown) => InvalidRequest | undefined) | undefined>>
  readonly body: ((request: Request) => Effect.Effect<unknown, BodyError>) | undefined
}

const slotLook = (schema: Schema.Top | undefined, slot: (typeof slots)[number]) => {
  if (schema === undefined) return undefined
  const decode = Schema.decodeUnknownResult(
    schema as unknown as Schema.ConstraintDecoder<unknown>,
    slot === "Headers" ? lenient : strict
  )
  return (value: unknown) => {
    const decoded = decode(value)
    return Result.isFailure(decoded) ? invalidRequest(decoded.failure.issue, places[slot]) : undefined
  }
}

/** All its fields are optional. */
const takesNothing = (schema: Schema.ConstraintDecoder<unknown>): boolean =>
  Result.isSuccess(Schema.decodeUnknownResult(schema)({}))

const bodyLook = (endpoint: Endpoint): Look["body"] => {
  const first = Context.getOrUndefined(endpoint.annotations, DecodedFirst)
  if (first !== undefined) {
    return bodyReader(first, { mayBeEmpty: takesNothing(first), maxBytes: maxBatchBytes, maxSigns: maxBatchSigns })
  }
  for (const { schemas } of endpoint.payload.values()) {
    const schema = schemas[0] as unknown as Schema.ConstraintDecoder<unknown>
    return bodyReader(schema, { mayBeEmpty: takesNothing(schema) })
  }
  return undefined
}

const looks = new WeakMap<Endpoint, Look>()

const lookOf = (endpoint: Endpoint): Look => {
  const known = looks.get(endpoint)
  if (known !== undefined) return known
  const { headers, params, query } = endpoint
  const look: Look = {
    slots: {
      Params: slotLook(params, "Params"),
      Headers: slotLook(headers, "Headers"),
      Query: slotLook(query && Schema.toCodecArrayFromSingle(query), "Query")
    },
    body: bodyLook(endpoint)
  }
  looks.set(endpoint, look)
  return look
}

/** All that is wrong with a request in which `found` is. A body that cannot be read at all says nothing. */
const allFaults = (
  request: Request,
  endpoint: Endpoint,
  found: InvalidRequest | undefined
): Effect.Effect<InvalidRequest | undefined> =>
  Effect.withFiber((fiber) => {
    const look = lookOf(endpoint)
    const { params } = Context.getUnsafe(fiber.context, HttpRouter.RouteContext)
    const values = {
      Params: params,
      Headers: request.headers,
      Query: Context.getUnsafe(fiber.context, HttpServerRequest.ParsedSearchParams)
    }
    const faults = [found, ...slots.map((slot) => look.slots[slot]?.(values[slot]))].filter(
      (fault) => fault !== undefined
    )
    const all = () => (faults.length === 0 ? undefined : together(faults))
    if (look.body === undefined) return Effect.succeed(all())
    return Effect.match(look.body(request), {
      onFailure: (error) => {
        if (error instanceof InvalidRequest) faults.push(error)
        return all()
      },
      onSuccess: all
    })
  })

const refused = (fault: InvalidRequest) => toResponse(failureReply(fault) ?? internalError)

export const requestValidationLayer = Layer.succeed(RequestValidation, (httpEffect, { endpoint }) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const fault = queryFault(request.url) ?? conditionFault(request, endpoint)
    if (fault !== undefined) {
      return Effect.map(allFaults(request, endpoint, fault), (all) => refused(all ?? fault))
    }
    return Effect.catch(httpEffect, (error: unknown) => {
      if (!HttpApiSchemaError.is(error) || !(slots as ReadonlyArray<string>).includes(error.kind)) {
        return Effect.die(error)
      }
      if (error.kind === "Params" && hasEmptySegment(request.url)) return Effect.succeed(notFound)
      const place = places[error.kind as (typeof slots)[number]]
      return Effect.map(allFaults(request, endpoint, undefined), (all) =>
        refused(all ?? invalidRequest(error.cause.issue, place))
      )
    })
  })
)
