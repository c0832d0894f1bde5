/**
 * The server's part of `Authorization`: finds the key, asks for the endpoint's
 * scope and, where configured, counts the request against the key's rate.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { Reader } from "../engine/WalletEngine.ts"
import type { ApiKey } from "../stores/ApiKeyStore.ts"
import { type HttpReply, failureReply, internalError, problemReply, toResponse } from "./HttpReply.ts"
import { ApiKeys } from "./ApiKeys.ts"
import { Authorization, CurrentKey, hasScope, RequiredScope } from "./api/Authorization.ts"
import { HttpConfig } from "./HttpConfig.ts"

const unauthorized = problemReply("Unauthorized", "a valid key is required: `Authorization: Bearer <api key>`")

const outOfScope = (scope: string) => problemReply("Forbidden", `this needs a key with the scope ${scope}`)

/** The response to a request that is not let in. */
export const refusal = (reply: HttpReply): HttpServerResponse.HttpServerResponse =>
  reply.status === 401
    ? HttpServerResponse.setHeader(toResponse(reply), "www-authenticate", "Bearer")
    : toResponse(reply)

/** Counts one request of a key; fails with the reply when it was one too many. */
type RateLimit = (key: ApiKey) => Effect.Effect<void, HttpReply>

/** Fixed windows of one second per key, counted on this node. */
const makeRateLimit = Effect.fnUntraced(function* (perSecond: number) {
  const limiter = yield* RateLimiter.make.pipe(Effect.provide(RateLimiter.layerStoreMemory))
  const rateLimit: RateLimit = (key) =>
    limiter.consume({ key: key.id, limit: perSecond, window: Duration.seconds(1) }).pipe(
      Effect.asVoid,
      Effect.catch(({ reason }) =>
        reason._tag === "RateLimitExceeded"
          ? Effect.fail(
              problemReply(
                "RateLimited",
                `this key may send ${perSecond} requests a second`,
                Duration.toMillis(reason.retryAfter)
              )
            )
          : // The counter is at fault, not the caller.
            Effect.logWarning("the rate of a key cannot be counted", reason)
      )
    )
  return rateLimit
})

const make = Effect.gen(function* () {
  const keys = yield* ApiKeys
  const { requestsPerSecond } = yield* HttpConfig
  const rateLimit = requestsPerSecond === undefined ? undefined : yield* makeRateLimit(requestsPerSecond)

  const admit = Effect.fnUntraced(function* (secret: string): Effect.fn.Return<ApiKey, HttpReply> {
    if (secret === "") return yield* Effect.fail(unauthorized)
    const found = yield* Effect.result(keys.authenticate(secret))
    if (Result.isFailure(found)) return yield* Effect.fail(failureReply(found.failure) ?? internalError)
    if (found.success === undefined) return yield* Effect.fail(unauthorized)
    if (rateLimit !== undefined) yield* rateLimit(found.success)
    return found.success
  })
  return { admit, rateLimit }
})

/** Lets requests in by their secret, for endpoints and for paths that are none. */
export class Gate extends Context.Service<
  Gate,
  {
    /** Who it is that sends a request; counts it against the rate of the key. */
    readonly admit: (secret: string) => Effect.Effect<ApiKey, HttpReply>
    /** What `admit` counts by, for a request whose key is known without it; `undefined`: no rate is configured. */
    readonly rateLimit: RateLimit | undefined
  }
>()("effect-wallet/http/Authentication/Gate") {
  static readonly layer = Layer.effect(Gate, make)
}

/** The secret of an `Authorization` header, `""` when it has none. */
export const bearerOf = (header: string | undefined): string => {
  const match = /^bearer +(\S+) *$/i.exec(header ?? "")
  return match?.[1] ?? ""
}

export const authorizationLayer = Layer.effect(
  Authorization,
  Effect.map(Gate, (gate) => ({
    apiKey: (httpEffect, { credential, endpoint }) => {
      const scope = Context.getOrUndefined(endpoint.annotations, RequiredScope) ?? "admin"
      return Effect.matchEffect(gate.admit(Redacted.value(credential)), {
        onFailure: (reply) => Effect.succeed(refusal(reply)),
        onSuccess: (key) =>
          hasScope(key, scope)
            ? Effect.provideService(
                scope === "wallets:read" ? Effect.provideService(httpEffect, Reader, key.id) : httpEffect,
                CurrentKey,
                key
              )
            : Effect.succeed(refusal(outOfScope(scope)))
      })
    }
  }))
)
