/** What the leases tell beside effect/cluster's own port: what is surely held, and who is there. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { PersistenceError } from "effect/cluster/ClusterError"

/** A runner that was heard of within a lease. */
export interface Member {
  /** `host:port` at which the other nodes reach it. */
  readonly address: string
  /** Of this start of its process. */
  readonly incarnation: string
  readonly healthy: boolean
  /** Leases in its name that have not run out. */
  readonly shards: number
}

export class LeaseStatus extends Context.Service<
  LeaseStatus,
  {
    /**
     * Whether the store of the leases has said, in answer to a command sent at `since` or
     * later (monotonic nanoseconds), that this process holds the shard. Synchronous.
     */
    readonly isConfirmed: (shard: string, since: bigint) => boolean
    /** When the last command was sent that was answered, monotonic nanoseconds; `undefined`: none was. */
    readonly answeredAt: () => bigint | undefined
    readonly members: Effect.Effect<ReadonlyArray<Member>, PersistenceError>
  }
>()("effect-wallet/cluster/redis/LeaseStatus") {}
