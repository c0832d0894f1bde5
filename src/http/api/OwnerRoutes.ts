/**
 * Requests about a wallet, straight to the node that owns it: answers name that node (`X-Wallet-Node`), the next
 * request about the wallet is sent there, and the hop between nodes is saved. What is known is a hint: a node that is
 * not the owner any more asks the owner, and names it. One that fails is forgotten, and its request goes where all
 * others go.
 *
 * The API key goes with the requests, to nodes that the service itself names, and from https never to http.
 */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"

/** Wallets whose owners are kept in mind, the latest; some 150 bytes each. */
const defaultWallets = 10_000

/** Of answers: where clients reach the node that owns the wallet. */
export const walletNodeHeader = "x-wallet-node"

const ofPath = /^\/v1\/wallets\/([A-Za-z0-9_-]{1,64})(?:[/?]|$)/

/** The first in a body's text: the source, or that of the first leg. */
const ofTransfer = /"from":"([A-Za-z0-9_-]{1,64})"/

/** What a request is about, by its path below the service's address; `undefined`: no single wallet. */
const walletOf = (path: string, request: HttpClientRequest.HttpClientRequest): string | undefined => {
  const wallet = ofPath.exec(path)?.[1]
  if (wallet !== undefined || !path.startsWith("/v1/transfers") || request.method !== "POST") return wallet
  const { body } = request
  if (body._tag !== "Uint8Array") return undefined
  return ofTransfer.exec(body.text ?? new TextDecoder().decode(body.body))?.[1]
}

/** Where the nodes are that own wallets, as answers have told. */
export class OwnerRoutes {
  private readonly base: string
  private readonly maxWallets: number
  private readonly nodes = new Map<string, string>()

  /** `base`: where the service is, without a slash at its end. */
  constructor(base: string, maxWallets = defaultWallets) {
    this.base = base
    this.maxWallets = maxWallets
  }

  /** `undefined`: not known. */
  of(walletId: string): string | undefined {
    return this.nodes.get(walletId)
  }

  /** What `asked` has answered, `undefined`: the service; `named`: by the header of its answer. */
  answered(walletId: string, asked: string | undefined, status: number, named: string | undefined): void {
    if (asked !== undefined && status === 503) return this.forget(asked)
    if (named === this.nodes.get(walletId)) return
    this.nodes.delete(walletId)
    if (named === undefined || !this.isSound(named)) return
    this.nodes.set(walletId, named)
    if (this.nodes.size > this.maxWallets) for (const oldest of this.nodes.keys()) return void this.nodes.delete(oldest)
  }

  /** It has not answered, or says that it cannot. */
  forget(node: string): void {
    for (const [walletId, known] of this.nodes) if (known === node) this.nodes.delete(walletId)
  }

  private isSound(node: string): boolean {
    if (!URL.canParse(node)) return false
    const { hash, password, protocol, search, username } = new URL(node)
    if (username + password + search + hash !== "" || node.endsWith("/")) return false
    return protocol === "https:" || (protocol === "http:" && !this.base.startsWith("https:"))
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
      Effect.sync(() => routes.answered(walletId, node, status, headers[walletNodeHeader]))
    )
    if (node === undefined) return answered
    const forget = Effect.sync(() => routes.forget(node))
    // Whatever is about one wallet is a read or has a key, so that it may be sent twice.
    return Effect.onInterrupt(answered, () => forget).pipe(
      Effect.catch(() => Effect.andThen(forget, client.execute(request)))
    )
  }
  return HttpClient.makeWith<E, R, E, R>(Effect.flatMap(send), Effect.succeed)
}
