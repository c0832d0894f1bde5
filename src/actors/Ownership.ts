/**
 * Port: which partitions this node owns. The actors ask it synchronously before
 * every batch and never know whether one node or a cluster stands behind it.
 *
 * Ownership avoids conflicts; the log's claims prevent them. A stale answer here
 * costs a refused append, never a wrong one.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

export class Ownership extends Context.Service<
  Ownership,
  {
    /** Fixed per installation. */
    readonly partitions: number
    /** The epoch under which this node owns the partition; `undefined`: it does not. Synchronous, O(1). */
    readonly epochOf: (partition: number) => number | undefined
    /** The log has refused an append under `epoch`: a later claim stands. */
    readonly fenced: (partition: number, epoch: number) => void
    /** Completes when this node has lost what it cannot get back: the service should stop, loudly. */
    readonly lost: Effect.Effect<string>
  }
>()("effect-wallet/actors/Ownership") {}
