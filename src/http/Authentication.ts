/**
 * The server's part of `Authorization`: finds the key, asks for the endpoint's
 * scope and, where configured, counts the request against the key's rate.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Hash from "effect/Hash"
import type * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { isId } from "../domain/Limits.ts"
import { type Rates, SharedRates } from "../engine/ClusterStatus.ts"
import { Reader, WalletEngine } from "../engine/WalletEngine.ts"
import type { ApiKey } from "../stores/ApiKeyStore.ts"
import { type HttpReply, failureReply, internalError, problemReply, toResponse } from "./HttpReply.ts"
import { ApiKeys } from "./ApiKeys.ts"
import { AuditLog } from "./AuditLog.ts"
import { AnyKey, Authorization, CurrentKey, ForRestrictedKeys, hasScope, RequiredScope } from "./api/Authorization.ts"
import { HttpConfig } from "./HttpConfig.ts"
import { mayMutate, mustSee } from "./Visibility.ts"

type Request = HttpServerRequest.HttpServerRequest

const unauthorized = problemReply("Unauthorized", "a valid key is required: `Authorization: Bearer <api key>`")

const outOfScope = (scope: string) =>
  problemReply("Forbidden", `this needs a key with the scope ${scope}`, undefined, { reason: "scope" })

const notForRestricted = problemReply("Forbidden", "this is not for keys with a restriction", undefined, {
  reason: "restriction"
})

/** The response to a request that is not let in. */
export const refusal = (reply: HttpReply): HttpServerResponse.HttpServerResponse =>
  reply.status === 401
    ? HttpServerResponse.setHeader(toResponse(reply), "www-authenticate", "Bearer")
    : toResponse(reply)

/** Counts requests of a key, or commands, one when not said; fails with the reply when they were too many. */
type RateLimit = (key: ApiKey, commands?: number) => Effect.Effect<void, HttpReply>

/** Addresses are counted by so many numbers, whoever has how many of them. */
const addressCounters = 65_536

/** Of an IPv6 address the first 64 bits: whoever has one address has all of these. */
const networkOf = (address: string): string => {
  if (!address.includes(":") || address.includes(".")) return address
  const [head = [], tail = []] = address.split("::").map((part) => part.split(":"))
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => "0"), ...tail].slice(0, 4).join(":")
}

/** By what the requests of an address without a valid key are counted. */
const counterOf = (address: string): string => `address ${(Hash.string(networkOf(address)) >>> 0) % addressCounters}`

/** Of this node alone. */
const ownRates = Effect.map(RateLimiter.make.pipe(Effect.provide(RateLimiter.layerStoreMemory)), (limiter): Rates => ({
  consume: (request) => Effect.asVoid(limiter.consume({ ...request, window: Duration.seconds(1) }))
}))

/** Fixed windows of one second, counted on this node, or by all nodes of a cluster. */
const makeRateLimits = Effect.fnUntraced(function* (perSecond: number) {
  const rates = (yield* SharedRates) ?? (yield* ownRates)
  const consume = (key: string, tokens: number, detail: string) =>
    rates.consume({ key, tokens, limit: perSecond }).pipe(
      Effect.catch(({ reason }) =>
        reason._tag === "RateLimitExceeded"
          ? Effect.fail(problemReply("RateLimited", detail, Duration.toMillis(reason.retryAfter)))
          : // The counter is at fault, not the caller.
            Effect.logWarning("a rate cannot be counted", reason)
      )
    )
  const tooMany = `this key may send ${perSecond} requests or commands a second`
  const tooLarge = `${tooMany}: a batch has at most so many`
  const ofKey: RateLimit = (key, commands = 1) =>
    consume(key.id, commands, commands < Math.max(perSecond, 2) ? tooMany : tooLarge)
  const ofStranger = (address: string) =>
    consume(counterOf(address), 1, `without a valid key ${perSecond} requests a second are answered`)
  return { ofKey, ofStranger }
})

const make = Effect.gen(function* () {
  const keys = yield* ApiKeys
  const { requestsPerSecond } = yield* HttpConfig
  const limits = requestsPerSecond === undefined ? undefined : yield* makeRateLimits(requestsPerSecond)

  const admit = Effect.fnUntraced(function* (secret: string, request: Request): Effect.fn.Return<ApiKey, HttpReply> {
    const found = yield* Effect.result(secret === "" ? Effect.undefined : keys.authenticate(secret))
    if (Result.isFailure(found)) return yield* Effect.fail(failureReply(found.failure) ?? internalError)
    if (found.success === undefined) {
      yield* limits?.ofStranger(Option.getOrElse(request.remoteAddress, () => "")) ?? Effect.void
      return yield* Effect.fail(unauthorized)
    }
    if (limits !== undefined) yield* limits.ofKey(found.success)
    return found.success
  })
  return { admit, rateLimit: limits?.ofKey }
})

/** Lets requests in by their secret, for endpoints and for paths that are none. */
export class Gate extends Context.Service<
  Gate,
  {
    /** Who it is that sends a request; counts it against the rate of the key, or of the address when no key is valid. */
    readonly admit: (secret: string, request: Request) => Effect.Effect<ApiKey, HttpReply>
    /**
     * What `admit` counts keys by, for a request whose key is known without it, and for the commands of a
     * batch; `undefined`: no rate is configured.
     */
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

/** What keys with a restriction are asked beyond their scopes. Its failure is the reply. */
const withinRestriction = Effect.fnUntraced(function* (
  engine: WalletEngine["Service"],
  key: ApiKey,
  endpoint: HttpApiEndpoint.Top
) {
  const rules = Context.getOrUndefined(endpoint.annotations, ForRestrictedKeys)
  if (rules === undefined) return yield* Effect.fail(notForRestricted)
  const { type } = rules
  const refused = type === undefined || type === "each" ? undefined : mayMutate(key, type)
  if (refused !== undefined) return yield* Effect.fail(failureReply(refused) ?? internalError)
  // Of all that is about one wallet that one stands in the path; what is no id is refused by its form.
  if (!endpoint.path.startsWith(walletPaths)) return
  const { id } = yield* HttpRouter.params
  if (id === undefined || !isId(id)) return
  yield* Effect.mapError(mustSee(engine, key, id), (failure) => failureReply(failure) ?? internalError)
})

const walletPaths = "/v1/wallets/:id"

export const authorizationLayer = Layer.effect(
  Authorization,
  Effect.gen(function* () {
    const gate = yield* Gate
    const engine = yield* WalletEngine
    const audit = yield* AuditLog
    return {
      apiKey: (httpEffect, { credential, endpoint, group }) => {
        const scope = Context.getOrUndefined(endpoint.annotations, RequiredScope) ?? "admin"
        const isAnybodys = Context.getOrUndefined(endpoint.annotations, AnyKey) === true
        const action = `${group.identifier}.${endpoint.identifier}`
        return Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
          Effect.matchEffect(gate.admit(Redacted.value(credential), request), {
            onFailure: (reply) => Effect.succeed(refusal(reply)),
            onSuccess: (key) => {
              const served = Effect.provideService(
                scope === "wallets:read" ? Effect.provideService(httpEffect, Reader, key.id) : httpEffect,
                CurrentKey,
                key
              )
              const answered = !(isAnybodys || hasScope(key, scope))
                ? Effect.succeed(refusal(outOfScope(scope)))
                : key.restriction === undefined
                  ? served
                  : Effect.matchEffect(withinRestriction(engine, key, endpoint), {
                      onFailure: (reply) => Effect.succeed(refusal(reply)),
                      onSuccess: () => served
                    })
              return Effect.tap(answered, ({ status }) =>
                status === 403 ? audit.refused({ key, action }) : Effect.void
              )
            }
          })
        )
      }
    }
  })
)
