/** `ClusterStatus` of a node among several. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { ClusterStatus, ownPart } from "../engine/ClusterStatus.ts"
import { OutgoingCalls } from "./ClusterCalls.ts"
import { LeaseStatus } from "./redis/LeaseStatus.ts"

/** The answer of Redis is waited for so long, ms: it is one command of a few hundred microseconds. */
const answerMillis = 2_000

/** A refresh is due every third of a lease; half a lease without an answer is an outage. */
const outageShare = 2n

export const layer = (options: { readonly leaseMillis: number }) =>
  Layer.effect(
    ClusterStatus,
    Effect.gen(function* () {
      const leases = yield* LeaseStatus
      const clock = yield* Clock.Clock
      const part = yield* ownPart((yield* OutgoingCalls).waiting)
      const lease = BigInt(options.leaseMillis) * 1_000_000n
      return ClusterStatus.of({
        view: Effect.gen(function* () {
          const members = yield* Effect.result(Effect.timeout(leases.members, answerMillis))
          const answeredAt = leases.answeredAt()
          const isAnswering =
            answeredAt !== undefined && clock.monotonicTimeNanosUnsafe() - answeredAt < lease / outageShare
          const { partitions, ...node } = part()
          const nodes = Result.isSuccess(members)
            ? members.success.map(({ address, healthy, incarnation, shards }) => ({
                address,
                incarnation,
                healthy,
                partitions: shards
              }))
            : null
          return {
            partitions,
            leases: isAnswering ? ("answering" as const) : ("grace" as const),
            nodes,
            unowned: nodes === null ? null : partitions - nodes.reduce((total, one) => total + one.partitions, 0),
            node
          }
        })
      })
    })
  )
