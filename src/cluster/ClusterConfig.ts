/**
 * Configuration of a node among several: type, defaults and environment in one
 * place. With `REDIS_URL` there is a cluster, without it there is none.
 */
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { isNodeUrl } from "../domain/NodeUrl.ts"
import { secretOf } from "../engine/EngineStores.ts"
import { isRedisUrl } from "./redis/LeaseConfig.ts"

/** Where a node can be reached. */
export interface NodeAddress {
  readonly host: string
  readonly port: number
}

export interface ClusterConfig {
  /** `REDIS_URL`, of the primary. */
  readonly redisUrl: Redacted.Redacted
  /** `WALLET_CLUSTER_NAME`; none: the log's id, so that two installations on one Redis never meet. */
  readonly name: Option.Option<string>
  /** `WALLET_CLUSTER_ADDRESS`, default `127.0.0.1:34431`: where the other nodes reach this one. */
  readonly address: NodeAddress
  /** `WALLET_CLUSTER_LISTEN`, default the address: where this node listens to the others. */
  readonly listen: NodeAddress
  /**
   * `WALLET_NODE_URL`, like `https://wallet-1.example`: where clients reach this node alone, told with every answer about
   * its wallets. Absent: nowhere.
   */
  readonly nodeUrl?: string | undefined
  /** `WALLET_LEASE_TIME`, default 6 s: a node that has not refreshed its leases for so long is gone. */
  readonly leaseMillis: number
  /** `WALLET_LEASE_GRACE`, default 60 s: so long owners go on while Redis does not answer. */
  readonly graceMillis: number
  /** `WALLET_CLUSTER_SECRET`, the same on all nodes: by it they know each other, and encrypt. */
  readonly secret?: Redacted.Redacted | undefined
  /** Instead of the secret: by these the nodes know each other, and encrypt. */
  readonly certificates?: NodeCertificates | undefined
  /** `WALLET_CLUSTER_INSECURE`: whoever reaches the port between the nodes may be believed. */
  readonly insecure?: boolean | undefined
}

/** Files, PEM. */
export interface NodeCertificates {
  /** `WALLET_CLUSTER_TLS_CERT`: of this node, for the host of its address, with what is between it and the authority. */
  readonly cert: string
  /** `WALLET_CLUSTER_TLS_KEY` */
  readonly key: string
  /** `WALLET_CLUSTER_TLS_CA`: whoever has a certificate of this authority is a node. */
  readonly ca: string
}

export const defaultNodeAddress: NodeAddress = { host: "127.0.0.1", port: 34_431 }

const defaultLease = Duration.seconds(6)
const defaultGrace = Duration.seconds(60)

const pattern = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})$/

const addressText = Schema.String.check(
  Schema.makeFilter((text) => addressOf(text) !== undefined, { expected: "host:port, the port 1 to 65535" })
)

/** `host:port`, an IPv6 host in brackets; `undefined`: it is not. */
const addressOf = (text: string): NodeAddress | undefined => {
  const [, bracketed, plain, digits] = pattern.exec(text) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  return host !== undefined && port >= 1 && port <= 65_535 ? { host, port } : undefined
}

const address = (name: string): Config.Config<Option.Option<NodeAddress>> =>
  Config.option(Config.schema(addressText, name)).pipe(
    Config.map((text) => Option.flatMap(text, (given) => Option.fromNullishOr(addressOf(given))))
  )

const nodeUrlText = Schema.String.check(
  Schema.makeFilter(isNodeUrl, { expected: "http://host:port or https://host:port, without a slash at its end" })
)

/** The bounds of `LeaseConfig`. */
const millis = (name: string, fallback: Duration.Duration, minimum: number, maximum: number): Config.Config<number> =>
  Config.schema(
    Schema.DurationFromString.pipe(
      Schema.check(
        Schema.makeFilter(
          (duration) => {
            const given = Duration.toMillis(duration)
            return Number.isInteger(given) && given >= minimum && given <= maximum
          },
          { expected: `a time from ${minimum} ms to ${maximum} ms` }
        )
      )
    ),
    name
  ).pipe(Config.withDefault(fallback), Config.map(Duration.toMillis))

/** Characters of a secret: a guess must be hopeless also for who has recorded a connection. */
const minClusterSecret = 32

const secretText = Schema.String.check(
  Schema.makeFilter((text) => /^[\x21-\x7e]+$/.test(text) && text.length >= minClusterSecret && text.length <= 255, {
    expected: `${minClusterSecret} to 255 visible ASCII characters`
  })
)

const file = (name: string): Config.Config<string | undefined> =>
  Config.option(Config.NonEmptyString(name)).pipe(Config.map(Option.getOrUndefined))

const certificates = Config.all({
  cert: file("WALLET_CLUSTER_TLS_CERT"),
  key: file("WALLET_CLUSTER_TLS_KEY"),
  ca: file("WALLET_CLUSTER_TLS_CA")
})

/** `None`: this node is alone. */
export const clusterConfig: Config.Config<Option.Option<ClusterConfig>> = Config.all({
  redisUrl: Config.option(secretOf("REDIS_URL", isRedisUrl, "redis://host:6379 or rediss://host:6379")),
  name: Config.option(Config.NonEmptyString("WALLET_CLUSTER_NAME")),
  address: address("WALLET_CLUSTER_ADDRESS"),
  listen: address("WALLET_CLUSTER_LISTEN"),
  nodeUrl: Config.option(Config.schema(nodeUrlText, "WALLET_NODE_URL")),
  leaseMillis: millis("WALLET_LEASE_TIME", defaultLease, 300, 600_000),
  graceMillis: millis("WALLET_LEASE_GRACE", defaultGrace, 0, 3_600_000),
  secret: Config.option(Config.schema(Schema.RedactedFromValue(secretText), "WALLET_CLUSTER_SECRET")),
  certificates,
  insecure: Config.Boolean("WALLET_CLUSTER_INSECURE").pipe(Config.withDefault(false))
}).pipe(
  Config.map(({ address, certificates, listen, nodeUrl, redisUrl, secret, ...rest }) =>
    Option.map(redisUrl, (url): ClusterConfig => {
      const reached = Option.getOrElse(address, () => defaultNodeAddress)
      const { ca = "", cert = "", key = "" } = certificates
      return {
        ...rest,
        redisUrl: url,
        address: reached,
        listen: Option.getOrElse(listen, () => reached),
        nodeUrl: Option.getOrUndefined(nodeUrl),
        secret: Option.getOrUndefined(secret),
        certificates: ca + cert + key === "" ? undefined : { ca, cert, key }
      }
    })
  )
)

/** Several processes cannot share the embedded database. */
export class ClusterNeedsServer extends Schema.TaggedError<ClusterNeedsServer>()("ClusterNeedsServer", {}) {
  override get message(): string {
    return "REDIS_URL is set, but the embedded database cannot be shared by several nodes: set DATABASE_URL, or unset REDIS_URL"
  }
}

/** Fails where the database belongs to one process. */
export const refuseEmbedded = (databaseUrl: Option.Option<unknown>): Effect.Effect<void, ClusterNeedsServer> =>
  Option.isSome(databaseUrl) ? Effect.void : Effect.fail(new ClusterNeedsServer())

/** How the nodes are to know each other is not said, or is said twice. */
export class PeerSecurityWrong extends Schema.TaggedError<PeerSecurityWrong>()("PeerSecurityWrong", {
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

/** Of this machine alone. */
const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host)

const securityFault = ({ certificates, insecure, listen, secret }: ClusterConfig): string | undefined => {
  if (certificates !== undefined) {
    const { ca, cert, key } = certificates
    if (ca === "" || cert === "" || key === "") {
      return "WALLET_CLUSTER_TLS_CERT, WALLET_CLUSTER_TLS_KEY and WALLET_CLUSTER_TLS_CA belong together: set all three, or none"
    }
    return secret === undefined
      ? undefined
      : "WALLET_CLUSTER_SECRET and WALLET_CLUSTER_TLS_CERT are two ways for the nodes to know each other: set one of them"
  }
  if (secret !== undefined || insecure === true || isLoopback(listen.host)) return undefined
  return (
    `other machines reach the port for nodes, ${listen.host}:${listen.port}, and whoever does can move money: set ` +
    "WALLET_CLUSTER_SECRET on all nodes, the same (`openssl rand -hex 32`), or the three of WALLET_CLUSTER_TLS_CERT, " +
    "or WALLET_CLUSTER_INSECURE=true where the network itself lets nobody else in"
  )
}

/** Fails where strangers would be believed. */
export const refuseStrangers = (config: ClusterConfig): Effect.Effect<void, PeerSecurityWrong> =>
  Effect.suspend(() => {
    const reason = securityFault(config)
    return reason === undefined ? Effect.void : Effect.fail(new PeerSecurityWrong({ reason }))
  })
