/** The server's part of `RequestForm`: what the definition does not allow is an `InvalidRequest` of ours. */
import * as Effect from "effect/Effect"
import { HttpApiSchemaError } from "effect/http-api/HttpApiError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import { problemReply, toResponse } from "./HttpReply.ts"
import { RequestForm } from "./api/Authorization.ts"
import { issueText } from "./IssueText.ts"

const invalid = (detail: string) => toResponse(problemReply("InvalidRequest", detail))

const notFound = toResponse(problemReply("NotFound", "there is nothing at this path"))

/** The router gives an empty segment to a parameter: `/v1/wallets/` is no wallet but no path either. */
const hasEmptySegment = (url: string): boolean => /^[^?;#]*\/(?:$|[/?;#])/.test(url)

const slots = { Params: "path", Headers: "header", Query: "query" } as const

/**
 * The router's own parser is lenient: it takes broken percent-encoding as it is
 * and cannot show a parameter named `__proto__`. `undefined`: nothing wrong.
 */
export const queryFault = (url: string): string | undefined => {
  const start = url.indexOf("?")
  if (start === -1) return undefined
  const query = url.slice(start + 1)
  if (!query.includes("%") && !query.includes("__proto__")) return undefined
  try {
    return decodeURIComponent(query.replaceAll("+", " ")).includes("__proto__=")
      ? "__proto__ is not a parameter"
      : undefined
  } catch {
    return "the query's percent-encoding is not UTF-8"
  }
}

export const requestFormLayer = Layer.succeed(RequestForm, (httpEffect) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const fault = queryFault(request.url)
    if (fault !== undefined) return Effect.succeed(invalid(fault))
    return Effect.catch(httpEffect, (error: unknown) => {
      if (!HttpApiSchemaError.is(error) || !Object.hasOwn(slots, error.kind)) return Effect.die(error)
      if (error.kind === "Params" && hasEmptySegment(request.url)) return Effect.succeed(notFound)
      const slot = slots[error.kind as keyof typeof slots]
      return Effect.succeed(invalid(`${slot} ${issueText(error.cause.issue)}`))
    })
  })
)
