/**
 * `effect-wallet/cluster`: the engine as one node among several, and the leases of
 * effect/cluster on Redis, of use to any app on it.
 */
export * from "./cluster/ClusterConfig.ts"
export * as ClusterEngine from "./cluster/ClusterEngine.ts"
export { CannotListenToNodes } from "./cluster/ClusterTransport.ts"
export { ClusterTlsInvalid } from "./cluster/PeerSecurity.ts"
export { LeaseStatus, type Member } from "./cluster/redis/LeaseStatus.ts"
export { type RedisLeaseOptions, RedisLeaseConfigInvalid, shardingTimes } from "./cluster/redis/LeaseConfig.ts"
export * as RedisRunnerStorage from "./cluster/redis/RedisRunnerStorage.ts"
