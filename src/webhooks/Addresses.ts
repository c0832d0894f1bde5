/**
 * Which addresses a webhook may be sent to: public ones. Who makes an endpoint may be somebody else than who runs the
 * service, and must not reach what stands beside it: other services, the provider's metadata, this one itself.
 *
 * The address that counts is the one that the connection is made to: the look-up of a connection is this one, so that a
 * name which answers otherwise the second time gains nothing by it.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import ipaddr from "ipaddr.js"
import * as Dns from "node:dns"
import * as Net from "node:net"

/** The URL leads to an address that no webhook is sent to. */
export class WebhookRefused extends Schema.TaggedError<WebhookRefused>()("WebhookRefused", {
  detail: Schema.String
}) {
  override get message(): string {
    return this.detail
  }
}

/** Of IPv6 all addresses that anybody was ever given are in here. */
const globalUnicast: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse("2000::"), 3]

/** An IPv4 address in the clothes of an IPv6 one is what it is underneath. */
export const isPublicAddress = (address: string): boolean => {
  if (Net.isIP(address) === 0) return false
  const parsed = ipaddr.process(address)
  if (parsed.range() !== "unicast") return false
  return parsed.kind() === "ipv4" || (parsed as ipaddr.IPv6).match(globalUnicast)
}

/** Of a URL, without the brackets of IPv6. */
const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, "$1")

/** Told without the address: who is refused learns nothing of what a name means in here. */
const refusal = (host: string): string => `${host} is no public address`

/** Where the host is an address itself, nothing is looked up for it. */
export const refusedLiteral = (url: URL): string | undefined => {
  const host = hostOf(url)
  return Net.isIP(host) === 0 || isPublicAddress(host) ? undefined : refusal(host)
}

/** In the place of `dns.lookup`, for connections: a name one of whose addresses is not public has none. */
export const publicLookup: Net.LookupFunction = (hostname, options, callback) => {
  Dns.lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, "", 0)
    if (addresses.length === 0 || !addresses.every(({ address }) => isPublicAddress(address))) {
      return callback(new WebhookRefused({ detail: refusal(hostname) }), "", 0)
    }
    if (options.all === true) return callback(null, addresses)
    const [{ address, family } = { address: "", family: 0 }] = addresses
    callback(null, address, family)
  })
}

/** How long an answer to whoever makes an endpoint waits for a name, ms. */
const lookUpMillis = 2_000

/** Before an endpoint is made. A name that cannot be looked up now is let be: each connection looks for itself. */
export const checkAddress = (url: URL): Effect.Effect<void, WebhookRefused> =>
  Effect.suspend(() => {
    const refused = refusedLiteral(url)
    if (refused !== undefined) return Effect.fail(new WebhookRefused({ detail: refused }))
    const lookUp = Effect.callback<void, WebhookRefused>((resume) => {
      publicLookup(hostOf(url), { all: true }, (error) =>
        resume(error instanceof WebhookRefused ? Effect.fail(error) : Effect.void)
      )
    })
    return Effect.timeoutOrElse(lookUp, { duration: lookUpMillis, orElse: () => Effect.void })
  })
