/**
 * The service behind the tools, asked over its HTTP API with the key of whoever calls: what that key may not do, the
 * service refuses, and nothing here can do it instead.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpMethod from "effect/http/HttpMethod"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"

/** Whose key a call is made with. */
export class Caller extends Context.Service<Caller, { readonly apiKey: Redacted.Redacted }>()(
  "effect-wallet/mcp/WalletService/Caller"
) {}

const JsonObject = Schema.Record(Schema.String, Schema.Json)

/** What the service answers, as it is; with `replayed` where the key was known and nothing new has happened. */
export const Answer = JsonObject

/** The service's problem (RFC 9457), as it is: `code`, `detail`, `retryable` and what belongs to the code. */
export const Refusal = JsonObject

type Answer = typeof Answer.Type
type Refusal = typeof Refusal.Type

export interface ServiceRequest {
  readonly method: HttpMethod.HttpMethod
  /** Begins with `/v1/`; made of values whose form was checked. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: Readonly<Record<string, unknown>>
  readonly idempotencyKey?: string
}

/** A command is given up after this, and asked for again by its key; longer than the service lets a caller wait. */
const answerTimeout = "15 seconds"

/** What may pass by itself is asked for again: after 200 ms, doubling, three times. */
const whileRetryable = {
  times: 3,
  schedule: Schedule.jittered(Schedule.exponential("200 millis")),
  while: (refusal: Refusal) => refusal["retryable"] === true
}

const unreachable = (idempotencyKey: string | undefined): Refusal => ({
  code: "ServiceUnreachable",
  detail:
    "the service has not answered" +
    (idempotencyKey === undefined
      ? ""
      : "; whether it has happened is not known: ask again with the same idempotencyKey, never with another"),
  retryable: true
})

const unreadable = (status: number): Refusal => ({
  code: "AnswerUnreadable",
  detail: `the answer has status ${status} and is no JSON object: is this address a wallet service?`,
  retryable: status >= 500
})

const decodeObject = Schema.decodeResult(Schema.fromJsonString(JsonObject))

const requestOf = (baseUrl: string, { body, idempotencyKey, method, path, query = {} }: ServiceRequest) => {
  const given = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined))
  const request = HttpClientRequest.make(method)(`${baseUrl}${path}`, { urlParams: given })
  const keyed =
    idempotencyKey === undefined ? request : HttpClientRequest.setHeader(request, "idempotency-key", idempotencyKey)
  return body === undefined ? keyed : HttpClientRequest.bodyText(keyed, JSON.stringify(body), "application/json")
}

export class WalletService extends Context.Service<
  WalletService,
  { readonly ask: (request: ServiceRequest) => Effect.Effect<Answer, Refusal, Caller> }
>()("effect-wallet/mcp/WalletService") {
  /** `baseUrl`: like `http://127.0.0.1:3000`. */
  static readonly layer = (baseUrl: string): Layer.Layer<WalletService, never, HttpClient.HttpClient> =>
    Layer.effect(
      WalletService,
      Effect.map(HttpClient.HttpClient, (client) => {
        const askOnce = Effect.fnUntraced(function* (
          request: ServiceRequest
        ): Effect.fn.Return<Answer, Refusal, Caller> {
          const { apiKey } = yield* Caller
          const { idempotencyKey } = request
          const sent = HttpClientRequest.bearerToken(requestOf(baseUrl, request), apiKey)
          const { headers, status, text } = yield* client.execute(sent).pipe(
            Effect.flatMap(({ headers, status, text }) => Effect.map(text, (text) => ({ headers, status, text }))),
            Effect.timeout(answerTimeout),
            Effect.mapError(() => unreachable(idempotencyKey))
          )
          const body = decodeObject(text)
          if (Result.isFailure(body)) return yield* Effect.fail(unreadable(status))
          if (status < 200 || status > 299) return yield* Effect.fail(body.success)
          return headers["idempotency-replayed"] === "true" ? { ...body.success, replayed: true } : body.success
        })
        return { ask: (request) => Effect.retry(askOnce(request), whileRetryable) }
      })
    )
}
