/** What a request is to the admission, told by its first line alone. */
import type * as Http from "node:http"

/**
 * Each has a lane of its own. Search may have a store of its own: while that is away, reads of the others go on, and so do
 * writes but those that wait until search finds what they have done, `indexed`.
 */
export type Kind = "read" | "search" | "write" | "indexed"

/** In the order in which they are served. */
export const kinds: ReadonlyArray<Kind> = ["write", "read", "search", "indexed"]

/** What these wait for nobody else does. */
export const waitsForSearch = (kind: Kind | undefined): boolean => kind === "search" || kind === "indexed"

const searches = /^\/v1\/(?:wallets|transactions|holds|stats)(?:$|\?)/

/** A list of transfers that asks for more than Persistence has an answer to. */
const transferSearch = /^\/v1\/transfers\?(?:.*&)?(?!walletId=|status=|limit=|cursor=|&|$)/

const untilIndexed = /[?&]await=indexed(?:&|$)/

/** However its letters are written. */
const waitsUntilIndexed = (url: string): boolean =>
  untilIndexed.test(url) ||
  (url.includes("%") && new URLSearchParams(url.slice(url.indexOf("?") + 1)).get("await") === "indexed")

export const isSearch = (url: string): boolean => searches.test(url) || transferSearch.test(url)

export const kindOf = ({ method, url = "" }: Pick<Http.IncomingMessage, "method" | "url">): Kind => {
  if (method !== "GET" && method !== "HEAD" && method !== "OPTIONS") {
    return waitsUntilIndexed(url) ? "indexed" : "write"
  }
  return isSearch(url) ? "search" : "read"
}

export const isAlwaysAnswered = (url: string): boolean => url.startsWith("/health/") || url.startsWith("/metrics")

const feed = /^\/v1\/feed(?:$|\?)/

const webhookTest = /^\/v1\/webhooks\/[^/?]*\/test(?:$|\?)/

/** Feeds, and webhooks that are tried: how long they take says nothing of this service. */
export const waitsElsewhere = (kind: Kind, url: string): boolean =>
  (kind === "read" && feed.test(url)) || (kind === "write" && webhookTest.test(url))
