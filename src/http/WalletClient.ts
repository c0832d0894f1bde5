/** The typed client of the API, made from its definition. It needs `fetch` and no Node. */
import * as Context from "effect/Context"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import { WalletApi } from "./api/Api.ts"
import { Authorization } from "./api/Authorization.ts"
import { toOwners } from "./api/OwnerRoutes.ts"

export interface WalletClientOptions {
  /** Where the service is, like `http://127.0.0.1:3000`. */
  readonly baseUrl: string
  readonly apiKey: Redacted.Redacted
  /**
   * Of a service of several nodes that say where they are (`WALLET_NODE_URL`): requests about a wallet go straight to the
   * node that owns it, with the key. Default `false`.
   */
  readonly toOwners?: boolean | undefined
}

/** A group of methods for each group of endpoints, by the names of the definition. */
export interface WalletClientApi extends HttpApiClient.ForApi<typeof WalletApi> {}

/**
 * `client.wallets.credit({ params: { id }, headers: { "idempotency-key": key }, query: {}, payload: { amount: 100n } })`.
 *
 * Problems fail with errors whose tag is the problem's code. Retrying is left to
 * the caller: with the same key it is always safe.
 */
export class WalletClient extends Context.Service<WalletClient, WalletClientApi>()("effect-wallet/http/WalletClient") {
  /** Over any `HttpClient`: one that retries, or is traced. */
  static readonly layer = (options: WalletClientOptions): Layer.Layer<WalletClient, never, HttpClient.HttpClient> =>
    Layer.effect(
      WalletClient,
      HttpApiClient.make(WalletApi, {
        baseUrl: options.baseUrl,
        transformClient: options.toOwners === true ? (client) => toOwners(client, options.baseUrl) : undefined
      })
    ).pipe(
      Layer.provide(
        HttpApiMiddleware.layerClient(Authorization, ({ next, request }) =>
          next(HttpClientRequest.bearerToken(request, options.apiKey))
        )
      )
    )

  /** Over the `fetch` of the platform: browsers, Node, Bun, Deno, workers at the edge. */
  static readonly layerFetch = (options: WalletClientOptions): Layer.Layer<WalletClient> =>
    Layer.provide(WalletClient.layer(options), FetchHttpClient.layer)
}
