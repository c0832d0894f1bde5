/** What a client is told whose request is not taken, or whose connection is ended, because too much waits. */
import type * as Http from "node:http"
import { problemBody, type ProblemCode } from "./api/Problem.ts"
import type { Lane } from "./Lane.ts"
import { requestIdHeader, withRequestId } from "./RequestId.ts"

export interface Refusal {
  readonly status: number
  readonly reason: string
  readonly retryAfter: number
  readonly body: string
}

const refusalBy = (lane: Lane, detail: string): Refusal => {
  const [status, reason, code]: [number, string, ProblemCode] = lane.standsStill
    ? [503, "Service Unavailable", "StoreUnavailable"]
    : [429, "Too Many Requests", "RateLimited"]
  return { status, reason, retryAfter: lane.retryAfterSeconds, body: problemBody(code, detail) }
}

export const tooMany = (lane: Lane): Refusal =>
  refusalBy(
    lane,
    lane.standsStill
      ? "a store does not answer now; nothing was done"
      : "more requests wait than this node answers in time; nothing was done"
  )

export const tooManyOfKey = (lane: Lane): Refusal =>
  refusalBy(lane, "as many searches of this key wait as one key may have; nothing was done")

export const tooFast = (lane: Lane): Refusal =>
  refusalBy(lane, "this connection sends faster than this node answers; what had no answer yet was not done")

/** `headers`: what else it has. */
export const answerRefusal = (
  { body: problem, retryAfter, status }: Refusal,
  id: string,
  headers: ReadonlyArray<readonly [string, string]>,
  request: Http.IncomingMessage,
  response: Http.ServerResponse
): void => {
  const body = withRequestId(problem, id)
  for (const [name, value] of headers) response.setHeader(name, value)
  response.writeHead(status, {
    "content-type": "application/problem+json",
    "retry-after": String(retryAfter),
    [requestIdHeader]: id,
    "content-length": Buffer.byteLength(body)
  })
  response.end(request.method === "HEAD" ? undefined : body)
}

/** A reply that ends the connection, where no response of the server's stands for it. */
export const refusalText = ({ body: problem, reason, retryAfter, status }: Refusal, id: string): string => {
  const body = withRequestId(problem, id)
  return (
    `HTTP/1.1 ${status} ${reason}\r\ncontent-type: application/problem+json\r\nretry-after: ${retryAfter}\r\n` +
    `${requestIdHeader}: ${id}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  )
}
