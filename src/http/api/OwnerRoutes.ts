/**
 * Requests about a wallet, straight to the node that owns it: answers name that node (`X-Wallet-Node`), the next
 * request about the wallet is sent there, and the hop between nodes is saved. What is known is a hint: a node that is
 * not the owner any more asks the owner, and names it. Where its connection fails the request goes where all others go,
 * and it is not asked for a while.
 *
 * The API key goes with the requests, to nodes that the service itself names, and from https never to http.
 */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import { isNodeUrl } from "../../domain/NodeUrl.ts"

/** Wallets whose owners are kept in mind, the latest; some 100 bytes each. */
const defaultWallets = 10_000

/** Of answers: where clients reach the node that owns the wallet. */
export const walletNodeHeader = "x-wallet-node"

const ofPath = /^\/v1\/wallets\/([A-Za-z0-9_-]{1,64})(?:[/?]|$)/

/** The wallet that a path is below, with its query or without; `undefined`: none. */
export const walletOfPath = (path: string): string | undefined => ofPath.exec(path)?.[1]

/** As our own client writes a body; any other goes the long way. */
const ofTransfer = /^\{"(?:legs":\[\{")?from":"([A-Za-z0-9_-]{1,64})"/

/** What a request is about, by its path below the service's address; `undefined`: no single wallet. */
const walletOf = (path: string, request: HttpClientRequest.HttpClientRequest): string | undefined => {
  const wallet = walletOfPath(path)
  if (wallet !== undefined || !path.startsWith("/v1/transfers") || request.method !== "POST") return wallet
  const { body } = request
  if (body._tag !== "Uint8Array") return undefined
  return ofTransfer.exec(body.text ?? new TextDecoder().decode(body.body))?.[1]
}

/** So many answers that name a node are passed over when its connection has failed: it may be named while it is gone. */
const answersPassedOver = 64

interface Node {
  readonly url: string
  isGone: boolean
}

/** Where the nodes are that own wallets, as answers have told. All is O(1). */
export class OwnerRoutes {
  private readonly mayBePlain: boolean
  private readonly maxWallets: number
  /** The latest used last. */
  private readonly owners = new Map<string, Node>()
  private readonly nodes = new Map<string, Node>()
  /** Nodes whose connection has failed, with how many answers may still name them in vain. */
  private readonly shunned = new Map<string, number>()

  /** `base`: where the service is. */
  constructor(base: string, maxWallets = defaultWallets) {
    this.mayBePlain = URL.canParse(base) && new URL(base).protocol === "http:"
    this.maxWallets = maxWallets
  }

  /** `undefined`: not known. */
  of(walletId: string): string | undefined {
    const node = this.owners.get(walletId)
    if (node === undefined || node.isGone) return undefined
    return node.url
  }

  /** `named`: by the header of an answer about the wallet. One that fails says nothing of who is there. */
  answered(walletId: string, status: number, named: string | undefined): void {
    this.owners.delete(walletId)
    if (named === undefined || status >= 500) return
    const node = this.nodes.get(named) ?? this.learned(named)
    if (node === undefined) return
    this.owners.set(walletId, node)
    if (this.owners.size > this.maxWallets) for (const oldest of this.owners.keys()) return this.forget(oldest)
  }

  /** Whether its owner is still there is not known. */
  forget(walletId: string): void {
    this.owners.delete(walletId)
  }

  /** The node's connection has failed. */
  fail(url: string): void {
    const node = this.nodes.get(url)
    if (node === undefined) return
    node.isGone = true
    this.nodes.delete(url)
    this.shunned.set(url, answersPassedOver)
  }

  private learned(url: string): Node | undefined {
    const passedOver = this.shunned.get(url)
    if (passedOver !== undefined) {
      if (passedOver > 1) this.shunned.set(url, passedOver - 1)
      else this.shunned.delete(url)
      return undefined
    }
    // Never from https to http.
    if (!isNodeUrl(url) || !(url.startsWith("https:") || this.mayBePlain)) return undefined
    const node = { url, isGone: false }
    this.nodes.set(url, node)
    return node
  }
}

/** `client`, whose requests go to the owners of their wallets; `baseUrl` is the service's address in them. */
export const toOwners = <E, R>(client: HttpClient.HttpClient.With<E, R>, baseUrl: string) => {
  const base = baseUrl.replace(/\/+$/, "")
  const routes = new OwnerRoutes(base)
  const send = (request: HttpClientRequest.HttpClientRequest) => {
    const path = request.url.startsWith(`${base}/`) ? request.url.slice(base.length) : ""
    const walletId = walletOf(path, request)
    if (walletId === undefined) return client.execute(request)
    const node = routes.of(walletId)
    const asked = client.execute(node === undefined ? request : HttpClientRequest.setUrl(request, node + path))
    const answered = Effect.tap(asked, ({ headers, status }) =>
      Effect.sync(() => routes.answered(walletId, status, headers[walletNodeHeader]))
    )
    if (node === undefined) return answered
    // Whatever is about one wallet is a read or has a key, so that it may be sent twice.
    return Effect.onInterrupt(answered, () => Effect.sync(() => routes.forget(walletId))).pipe(
      Effect.catch(() => {
        routes.fail(node)
        return client.execute(request)
      })
    )
  }
  return HttpClient.makeWith<E, R, E, R>(Effect.flatMap(send), Effect.succeed)
}
