/** Requests to the owners of partitions: effect/cluster's client of the partition's entity, with an end to every wait. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schema from "effect/Schema"
import { Sharding } from "effect/cluster/Sharding"
import { Ownership } from "../actors/Ownership.ts"
import * as ClusterMetrics from "./ClusterMetrics.ts"
import { makePartitions, PartitionEntity } from "./PartitionEntity.ts"

/**
 * A request without an answer for so long is given up. By itself it would be tried again
 * for ever; a node that hangs would hold it, while the partition has long moved on. An
 * owner answers within a few tens of milliseconds, a look for what is pending within a second.
 */
const requestMillis = 4_000

/** No answer. `delivered: false`: surely nobody has the request. */
export class OwnerUnavailable extends Schema.TaggedError<OwnerUnavailable>()("OwnerUnavailable", {
  reason: Schema.String,
  delivered: Schema.Boolean
}) {}

interface Service {
  /** Calls, as a text of `CallCodec`, to whoever owns the partition; `null`: unreadable to it, nothing has happened. */
  readonly ask: (partition: number, text: string) => Effect.Effect<string | null, OwnerUnavailable>
  /** What was pending of an earlier batch, by its token; `null`: unknown to whom was asked. */
  readonly collect: (partition: number, token: string) => Effect.Effect<string | null, OwnerUnavailable>
  /** A read, as a text of `CallCodec`. */
  readonly current: (partition: number, text: string) => Effect.Effect<string, OwnerUnavailable>
  /** The epoch under which the partition is owned; `null`: not by whom was asked. */
  readonly owned: (partition: number) => Effect.Effect<number | null, OwnerUnavailable>
  /** Whether the partition's lease is this node's; its claim may be on the way. Synchronous. */
  readonly isLocal: (partition: number) => boolean
}

interface Refusal {
  readonly _tag: string
  readonly message: string
}

const bounded = <A>(kind: string, request: Effect.Effect<A, Refusal>): Effect.Effect<A, OwnerUnavailable> =>
  Effect.andThen(Metric.update(Metric.withAttributes(ClusterMetrics.messages, { kind }), 1), request).pipe(
    Effect.mapError(
      (error) =>
        new OwnerUnavailable({
          reason: error.message === "" ? error._tag : error.message,
          // Both are said instead of a delivery.
          delivered: error._tag !== "EntityNotAssignedToRunner" && error._tag !== "MailboxFull"
        })
    ),
    // An answer that cannot be decoded, or a defect on the other side.
    Effect.catchDefect((defect) => Effect.fail(new OwnerUnavailable({ reason: String(defect), delivered: true }))),
    Effect.timeoutOrElse({
      duration: requestMillis,
      orElse: () =>
        Effect.fail(new OwnerUnavailable({ reason: `no answer within ${requestMillis} ms`, delivered: true }))
    })
  )

export class OwnerClient extends Context.Service<OwnerClient, Service>()("effect-wallet/cluster/OwnerClient") {
  static readonly layer = Layer.effect(
    OwnerClient,
    Effect.gen(function* () {
      const sharding = yield* Sharding
      const partitions = makePartitions((yield* Ownership).partitions, sharding)
      const client = yield* PartitionEntity.client
      const of = (partition: number) => client(partitions.entityOf(partition))
      return OwnerClient.of({
        ask: (partition, text) => bounded("ask", of(partition).Ask(text)),
        collect: (partition, token) => bounded("collect", of(partition).Collect(token)),
        current: (partition, text) => bounded("current", of(partition).Current(text)),
        owned: (partition) => bounded("owned", of(partition).Owned(partition)),
        isLocal: (partition) => sharding.hasShardId(partitions.shardOf(partition))
      })
    })
  )
}
