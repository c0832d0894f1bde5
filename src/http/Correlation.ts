/**
 * What ties the events and log lines of a request to whoever sent it: `X-Request-Id`,
 * else the trace id of `traceparent`. Recorded with the events; never interpreted.
 */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import * as HttpServerRequest from "effect/http/HttpServerRequest"

/** Visible ASCII, so that it is safe in logs and headers; anything else is ignored. */
const requestIdForm = /^[\x21-\x7e]{1,128}$/

const traceparentForm = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/

/** As Effect has them, and as Node has. */
interface AnyHeaders {
  readonly [name: string]: string | ReadonlyArray<string> | undefined
}

/** `undefined`: the sender names none. */
export const correlationOf = (headers: AnyHeaders): string | undefined => {
  const id = headers["x-request-id"]
  if (typeof id === "string" && requestIdForm.test(id)) return id
  const traceparent = headers["traceparent"]
  return typeof traceparent === "string" ? traceparentForm.exec(traceparent)?.[1] : undefined
}

/** The request that a fiber serves, for log lines. */
export const requestOf = (fiber: Fiber.Fiber<unknown, unknown>): HttpServerRequest.HttpServerRequest | undefined =>
  Context.getOrUndefined(fiber.context, HttpServerRequest.HttpServerRequest)
