/**
 * `effect-wallet/cluster`: the leases of effect/cluster on Redis, of use to any app on it.
 */
export { type RedisLeaseOptions, RedisLeaseConfigInvalid, shardingTimes } from "./cluster/RedisLeaseConfig.ts"
export * as RedisRunnerStorage from "./cluster/RedisRunnerStorage.ts"
