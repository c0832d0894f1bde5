/**
 * What metrics, traces, logs and events are told of a request: its route, one of a
 * fixed, small set of names whatever clients ask for, and the correlation id that ties
 * it to whoever sent it.
 */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import { WalletApi } from "./api/Api.ts"
import { consolePaths } from "./ConsolePage.ts"
import { documentationPaths } from "./DocumentationPage.ts"

/** Paths beside those of the definition. */
const otherPaths = [...documentationPaths, ...consolePaths, "/v1/verify", "/v1/replay", "/v1/wallets/:walletId/inspect"]

/** Of every path that is none of ours. */
export const unmatched = "unmatched"

interface Node {
  readonly literals: Map<string, Node>
  parameter: Node | undefined
  route: string | undefined
}

const emptyNode = (): Node => ({ literals: new Map(), parameter: undefined, route: undefined })

/** As OpenAPI writes it: `/v1/wallets/{id}`. */
const routeName = (path: string): string => path.replace(/:(\w+)/g, "{$1}")

/** Made from the definition. */
const root = emptyNode()

const add = (path: string): void => {
  let node = root
  for (const segment of path.slice(1).split("/")) {
    if (segment.startsWith(":")) {
      node = node.parameter ??= emptyNode()
    } else {
      let next = node.literals.get(segment)
      if (next === undefined) node.literals.set(segment, (next = emptyNode()))
      node = next
    }
  }
  node.route = routeName(path)
}

/** Of the definition. */
export const definedRoutes: ReadonlyArray<{ readonly method: string; readonly route: string }> = Object.values(
  WalletApi.groups
).flatMap((group) => Object.values(group.endpoints).map(({ method, path }) => ({ method, route: routeName(path) })))

for (const path of otherPaths) add(path)
for (const group of Object.values(WalletApi.groups)) {
  for (const endpoint of Object.values(group.endpoints)) add(endpoint.path)
}

const endOfPath = (url: string): number => {
  for (let i = 0; i < url.length; i++) {
    const char = url.charCodeAt(i)
    // ? ; #
    if (char === 63 || char === 59 || char === 35) return i
  }
  return url.length
}

/** A look-up is a few map reads, because it runs for every request; never longer than the longest path of the definition. */
export const routeOf = (url: string): string => {
  const end = endOfPath(url)
  let node: Node = root
  let from = 1
  while (from <= end) {
    let to = url.indexOf("/", from)
    if (to === -1 || to > end) to = end
    const next = node.literals.get(url.slice(from, to)) ?? (to > from ? node.parameter : undefined)
    if (next === undefined) return unmatched
    node = next
    from = to + 1
  }
  return node.route ?? unmatched
}

/** Visible ASCII, so that it is safe in logs and headers; anything else is ignored. */
const requestIdForm = /^[\x21-\x7e]{1,128}$/

const traceparentForm = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/

/** As Effect has them, and as Node has them. */
interface AnyHeaders {
  readonly [name: string]: string | ReadonlyArray<string> | undefined
}

/**
 * `X-Request-Id`, else the trace id of `traceparent`; `undefined`: the sender names none.
 * Recorded with the events; never interpreted.
 */
export const correlationOf = (headers: AnyHeaders): string | undefined => {
  const id = headers["x-request-id"]
  if (typeof id === "string" && requestIdForm.test(id)) return id
  const traceparent = headers["traceparent"]
  return typeof traceparent === "string" ? traceparentForm.exec(traceparent)?.[1] : undefined
}

/** The request that a fiber serves, for log lines. */
export const requestOf = (fiber: Fiber.Fiber<unknown, unknown>): HttpServerRequest.HttpServerRequest | undefined =>
  Context.getOrUndefined(fiber.context, HttpServerRequest.HttpServerRequest)
