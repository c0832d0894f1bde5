/** What the leases tell beside effect/cluster's own port: which shards are confirmed to be this node's, and which nodes there are. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { PersistenceError } from "effect/cluster/ClusterError"
import { Runner } from "effect/cluster/Runner"

/** A runner whose registration was refreshed within a lease. */
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

/** What this process holds, as far as Redis has said, and when it said so last. */
export class HeldLeases {
  readonly #shards = new Map<string, Set<string>>()
  /** By the node's monotonic clock, nanoseconds: when the last command was sent that Redis answered. */
  #answeredAt: bigint | undefined

  /** The shards of the runner at `address`; a process has one as a rule. */
  of(address: string): Set<string> {
    let shards = this.#shards.get(address)
    if (shards === undefined) this.#shards.set(address, (shards = new Set()))
    return shards
  }

  get size(): number {
    let size = 0
    for (const shards of this.#shards.values()) size += shards.size
    return size
  }

  answered(sentAt: bigint): void {
    if (this.#answeredAt === undefined || sentAt > this.#answeredAt) this.#answeredAt = sentAt
  }

  get lastAnswerAt(): bigint | undefined {
    return this.#answeredAt
  }

  isConfirmed(shard: string, since: bigint): boolean {
    if (this.#answeredAt === undefined || this.#answeredAt < since) return false
    for (const shards of this.#shards.values()) if (shards.has(shard)) return true
    return false
  }

  isWithinGrace(now: bigint, graceMillis: number): boolean {
    return this.#answeredAt !== undefined && now - this.#answeredAt <= BigInt(graceMillis) * 1_000_000n
  }
}

export const membersOf = (answer: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<Member>, PersistenceError> =>
  Effect.try({
    try: () => {
      const members: Array<Member> = []
      for (let i = 0; i + 3 < answer.length; i += 4) {
        const { address } = Runner.decodeSync(String(answer[i]))
        const owner = String(answer[i + 2])
        members.push({
          address: `${address.host}:${address.port}`,
          // The owner is the incarnation and the address as it is kept, which has no space.
          incarnation: owner.slice(0, owner.lastIndexOf(" ")),
          healthy: answer[i + 1] === 1,
          shards: Number(answer[i + 3])
        })
      }
      return members
    },
    catch: (cause) => new PersistenceError({ cause })
  })
