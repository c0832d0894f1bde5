/**
 * What is said of a malformed request: the server's part of `RequestValidation`, and the
 * one line that says where a value is wrong.
 */
import * as Effect from "effect/Effect"
import { HttpApiSchemaError } from "effect/http-api/HttpApiError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as SchemaIssue from "effect/SchemaIssue"
import { RequestValidation } from "./api/EndpointParts.ts"
import { problemReply, toResponse } from "./HttpReply.ts"

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** Longer texts are cut: the path may hold names that the caller made up. */
const maxLength = 300

const segmentText = (segment: PropertyKey | { readonly key: PropertyKey }): string => {
  const key = typeof segment === "object" ? segment.key : segment
  return typeof key === "number" ? `[${key}]` : `.${String(key)}`
}

/** Where and what was expected; never the value itself, which may be large, deep or secret. */
export const issueText = (issue: SchemaIssue.Issue): string => {
  const first = format(issue).issues[0]
  if (first === undefined) return "malformed"
  const path = (first.path ?? []).map(segmentText).join("").replace(/^\./, "")
  const text = path === "" ? first.message : `${path}: ${first.message}`
  const short = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text
  return short.toWellFormed().replaceAll("\u0000", "\ufffd")
}

const invalid = (detail: string) => toResponse(problemReply("InvalidRequest", detail))

const notFound = toResponse(problemReply("NotFound", "there is nothing at this path"))

/** The router gives an empty segment to a parameter: `/v1/wallets/` is no wallet but no path either. */
const hasEmptySegment = (url: string): boolean => /^[^?;#]*\/(?:$|[/?;#])/.test(url)

const slots = { Params: "path", Headers: "header", Query: "query" } as const

/**
 * The router's own parser is lenient: it takes broken percent-encoding as it is
 * and cannot show a parameter named `__proto__`. `undefined`: nothing wrong.
 */
const queryFault = (url: string): string | undefined => {
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

export const requestValidationLayer = Layer.succeed(RequestValidation, (httpEffect) =>
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
