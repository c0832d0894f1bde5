/**
 * Port: which partitions this node owns. The actors ask it synchronously before
 * every batch and never know whether one node or a cluster stands behind it.
 *
 * Ownership avoids conflicts; the log's claims prevent them. A stale answer here
 * costs a refused append, never a wrong one.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/**
 * This node does not own the wallet, or no longer: nothing has happened, and the owner
 * may be asked. Between the actors and who asks them; it never reaches a caller.
 */
export class NotOwner extends Schema.TaggedError<NotOwner>()("NotOwner", { walletId: Schema.String }) {
  override get message(): string {
    return `this node does not own wallet ${this.walletId} now`
  }
}

export class Ownership extends Context.Service<
  Ownership,
  {
    /** Fixed per installation. */
    readonly partitions: number
    /** The epoch under which this node owns the partition; `undefined`: it does not. Synchronous, O(1). */
    readonly epochOf: (partition: number) => number | undefined
    /** The log has refused an append under `epoch`: a later claim stands. */
    readonly fenced: (partition: number, epoch: number) => void
    /**
     * Why this node cannot serve wallets that it still takes for its own; `undefined`, or no
     * such function: it can. Then nobody else should be sent here. Synchronous.
     */
    readonly doubt?: () => string | undefined
    /** Why some wallets of other nodes cannot be reached from here; `undefined`, or no such function: all can. Synchronous. */
    readonly trouble?: () => string | undefined
    /** Completes when this node has lost what it cannot get back: the service should stop, loudly. */
    readonly lost: Effect.Effect<string>
  }
>()("effect-wallet/actors/Ownership") {}
