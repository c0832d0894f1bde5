/**
 * Options of the leases on Redis, their defaults and their bounds, and the times
 * that effect/cluster must be given so that its refreshes fit them.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { ShardingConfig } from "effect/cluster/ShardingConfig"
import { randomUUID } from "node:crypto"

export interface RedisLeaseOptions {
  /** `redis://…` or `rediss://…`, of the primary: replicas may not know of the last hand-over. */
  readonly url: Redacted.Redacted
  /** 1–64 characters. Clusters of other names on the same Redis are not seen. */
  readonly clusterName: string
  /** A runner that has not refreshed for so long is gone, and its shards are free. Milliseconds, 300–600,000; default 6,000. */
  readonly leaseMillis?: number | undefined
  /**
   * While Redis does not answer, what was held counts as held for so long.
   * Milliseconds, 0–3,600,000; default 60,000.
   */
  readonly graceMillis?: number | undefined
  /** A command without an answer has failed after this. Milliseconds, 10 to below a third of the lease; default 1,000. */
  readonly commandTimeoutMillis?: number | undefined
  /** Names this start of this process, 1–128 characters; default: a fresh UUID. */
  readonly incarnation?: string | undefined
}

export interface RedisLeaseSettings {
  readonly url: Redacted.Redacted
  readonly clusterName: string
  readonly leaseMillis: number
  readonly graceMillis: number
  readonly commandTimeoutMillis: number
  readonly incarnation: string
}

/** An option of the leases cannot be used. Nothing was started. */
export class RedisLeaseConfigInvalid extends Schema.TaggedError<RedisLeaseConfigInvalid>()("RedisLeaseConfigInvalid", {
  option: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `leases on Redis: ${this.option} ${this.reason}`
  }
}

/**
 * Fail-over within ten seconds: a dead runner's lease runs out after at most 6 s,
 * the others notice within 1 s, take its shards within 1 s, claim and load them.
 */
const defaultLeaseMillis = 6_000
const defaultGraceMillis = 60_000

/** Far above what one script takes, and two tries fit between two refreshes. */
const defaultCommandTimeoutMillis = 1_000

const isText = (text: string, length: number): boolean =>
  text.length > 0 && text.length <= length && text.isWellFormed()

const isWithin = (value: number, minimum: number, maximum: number): boolean =>
  Number.isInteger(value) && value >= minimum && value <= maximum

export const isRedisUrl = (url: string): boolean => URL.canParse(url) && /^rediss?:$/.test(new URL(url).protocol)

/** The first option that cannot be used, with the reason. */
const faultOf = (
  settings: RedisLeaseSettings,
  url: string
): ConstructorParameters<typeof RedisLeaseConfigInvalid>[0] | undefined => {
  if (!isRedisUrl(url)) {
    return { option: "url", reason: "must be redis://host:port or rediss://host:port" }
  }
  if (!isText(settings.clusterName, 64)) return { option: "clusterName", reason: "must have 1 to 64 characters" }
  if (!isText(settings.incarnation, 128)) return { option: "incarnation", reason: "must have 1 to 128 characters" }
  if (!isWithin(settings.leaseMillis, 300, 600_000)) {
    return { option: "leaseMillis", reason: "must be 300 to 600000 milliseconds" }
  }
  if (!isWithin(settings.graceMillis, 0, 3_600_000)) {
    return { option: "graceMillis", reason: "must be 0 to 3600000 milliseconds" }
  }
  // effect/cluster gives up on a refresh after a third of the lease and then stops every entity of the node.
  if (!isWithin(settings.commandTimeoutMillis, 10, Math.ceil(settings.leaseMillis / 3) - 1)) {
    return { option: "commandTimeoutMillis", reason: "must be 10 milliseconds to below a third of leaseMillis" }
  }
  return undefined
}

/** Fills in the defaults and checks all; `url` is the URL in clear. */
export const settingsOf = Effect.fnUntraced(function* (options: RedisLeaseOptions, url: string) {
  const leaseMillis = options.leaseMillis ?? defaultLeaseMillis
  const settings: RedisLeaseSettings = {
    url: options.url,
    clusterName: options.clusterName,
    leaseMillis,
    graceMillis: options.graceMillis ?? defaultGraceMillis,
    commandTimeoutMillis:
      options.commandTimeoutMillis ?? Math.min(defaultCommandTimeoutMillis, Math.floor(leaseMillis / 6)),
    incarnation: options.incarnation ?? randomUUID()
  }
  const fault = faultOf(settings, url)
  if (fault !== undefined) return yield* new RedisLeaseConfigInvalid(fault)
  return settings
})

/** Between two polls of the runners and of the shards to acquire: what a fail-over costs beside the lease. */
const pollMillis = 1_000

/**
 * What effect/cluster has to be told: a refresh every third of the lease, so that two may
 * be lost. The leases' clock in Redis counts on one every half of a lease or sooner.
 */
export const shardingTimes = (options: { readonly leaseMillis?: number | undefined }) => {
  const leaseMillis = options.leaseMillis ?? defaultLeaseMillis
  const poll = Math.min(pollMillis, Math.floor(leaseMillis / 3))
  return {
    shardLockExpiration: leaseMillis,
    shardLockRefreshInterval: Math.floor(leaseMillis / 3),
    refreshAssignmentsInterval: poll,
    // Without stored messages it is the pause after a failed acquire or release of shards, nothing else.
    entityMessagePollInterval: poll
  } satisfies Partial<ShardingConfig["Service"]>
}
