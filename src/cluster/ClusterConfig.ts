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
  /** `WALLET_LEASE_TIME`, default 6 s: a node that has not refreshed its leases for so long is gone. */
  readonly leaseMillis: number
  /** `WALLET_LEASE_GRACE`, default 60 s: so long owners go on while Redis does not answer. */
  readonly graceMillis: number
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

/** `None`: this node is alone. */
export const clusterConfig: Config.Config<Option.Option<ClusterConfig>> = Config.all({
  redisUrl: Config.option(secretOf("REDIS_URL", isRedisUrl, "redis://host:6379 or rediss://host:6379")),
  name: Config.option(Config.NonEmptyString("WALLET_CLUSTER_NAME")),
  address: address("WALLET_CLUSTER_ADDRESS"),
  listen: address("WALLET_CLUSTER_LISTEN"),
  leaseMillis: millis("WALLET_LEASE_TIME", defaultLease, 300, 600_000),
  graceMillis: millis("WALLET_LEASE_GRACE", defaultGrace, 0, 3_600_000)
}).pipe(
  Config.map(({ address, listen, redisUrl, ...rest }) =>
    Option.map(redisUrl, (url) => {
      const reached = Option.getOrElse(address, () => defaultNodeAddress)
      return { ...rest, redisUrl: url, address: reached, listen: Option.getOrElse(listen, () => reached) }
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
