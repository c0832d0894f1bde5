/** The typed client of the API, made from its definition. */
import * as Context from "effect/Context"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import type * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import { WalletApi } from "./api/Api.ts"
import { Authorization } from "./api/Authorization.ts"

export interface WalletClientOptions {
  /** Where the service is, like `http://127.0.0.1:3000`. */
  readonly baseUrl: string
  readonly apiKey: Redacted.Redacted
}

/**
 * `client.wallets.credit({ params: { id }, headers: { "idempotency-key": key }, query: {}, payload: { amount: 100n } })`.
 *
 * Problems fail with errors whose tag is the problem's code. Retrying is left to
 * the caller: with the same key it is always safe.
 */
export class WalletClient extends Context.Service<WalletClient, HttpApiClient.ForApi<typeof WalletApi>>()(
  "effect-wallet/http/WalletClient"
) {
  /** Over any `HttpClient`, for example `FetchHttpClient.layer`. */
  static readonly layer = (options: WalletClientOptions): Layer.Layer<WalletClient, never, HttpClient.HttpClient> =>
    Layer.effect(WalletClient, HttpApiClient.make(WalletApi, { baseUrl: options.baseUrl })).pipe(
      Layer.provide(
        HttpApiMiddleware.layerClient(Authorization, ({ next, request }) =>
          next(HttpClientRequest.bearerToken(request, options.apiKey))
        )
      )
    )
}
