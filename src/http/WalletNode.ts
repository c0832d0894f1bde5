/**
 * `X-Wallet-Node`: where clients reach the node that owns the wallet which an answer is about, so that they can ask that
 * one next time. Of a path with a wallet it is that wallet, of a new one itself, of a transfer its first source.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { WalletNodes } from "../engine/ClusterStatus.ts"
import { walletNodeHeader, walletOfPath } from "./api/OwnerRoutes.ts"

const about = Symbol("effect-wallet/http/WalletNode")

interface Noted {
  [about]?: string
}

/** For requests whose body names the wallet that counts. */
export const noteWallet = (request: HttpServerRequest.HttpServerRequest, walletId: string | null | undefined): void => {
  if (typeof walletId === "string") (request.source as Noted)[about] = walletId
}

const walletOf = (request: HttpServerRequest.HttpServerRequest): string | undefined =>
  (request.source as Noted)[about] ?? walletOfPath(request.url)

/** Wraps the router; `undefined`: no node says where it is. */
export const makeWalletNode = Effect.map(WalletNodes, (nodes) => {
  if (nodes === undefined) return undefined
  return <E, R>(
    effect: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
  ): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R> =>
    Effect.withFiber((fiber) => {
      const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
      return Effect.map(effect, (response) => {
        // Whoever has no key, or one that may not do this, is not told where the nodes are.
        const walletId = response.status === 401 || response.status === 403 ? undefined : walletOf(request)
        const url = walletId === undefined ? undefined : nodes.urlOf(walletId)
        return url === undefined ? response : HttpServerResponse.setHeader(response, walletNodeHeader, url)
      })
    })
})
