/** The service as a remote engine asks it: the typed client of the API, and calls that are made until they are settled. */
import * as Effect from "effect/Effect"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as Scope from "effect/Scope"
import { WalletApi } from "../http/api/Api.ts"
import { Authorization } from "../http/api/Authorization.ts"
import { toOwners } from "../http/api/OwnerRoutes.ts"
import { CorrelationId, makeCalls } from "./RemoteCalls.ts"
import type { RemoteSettings } from "./RemoteOptions.ts"

/** Only whole responses are asked for: what they mean is read by status and code. */
export const whole = { responseMode: "response-only" } as const

export interface RemoteClient extends HttpApiClient.ForApi<typeof WalletApi, never, Scope.Scope> {}

export interface RemoteService {
  readonly client: RemoteClient
  readonly ask: ReturnType<typeof makeCalls>
  readonly settings: RemoteSettings
}

/** What the service takes for an id of a request. */
const correlationForm = /^[\x21-\x7e]{1,128}$/

const correlated = HttpClient.mapRequestEffect((request: HttpClientRequest.HttpClientRequest) =>
  Effect.map(CorrelationId, (id) =>
    id !== undefined && correlationForm.test(id) ? HttpClientRequest.setHeader(request, "x-request-id", id) : request
  )
)

export const makeService = Effect.fnUntraced(function* (
  settings: RemoteSettings
): Effect.fn.Return<RemoteService, never, HttpClient.HttpClient> {
  const scoped = HttpClient.withScope(yield* HttpClient.HttpClient)
  const httpClient = correlated(settings.toOwners ? toOwners(scoped, settings.url) : scoped)
  const client = yield* HttpApiClient.makeWith(WalletApi, { httpClient, baseUrl: settings.url }).pipe(
    Effect.provide(
      HttpApiMiddleware.layerClient(Authorization, ({ next, request }) =>
        next(HttpClientRequest.bearerToken(request, settings.apiKey))
      )
    )
  )
  return { client, ask: makeCalls(settings), settings }
})
