/**
 * The port through which the actors see the way from the log to a Persistence that is
 * another store: bounded, in order per wallet, written in batches by one writer that never
 * gives up. What is behind it is in `src/pipeline`, and told in its README; where an append
 * writes Persistence itself it is `none`.
 *
 * It holds nothing that the log does not have. What is lost with the process is found
 * again by the checkpoint that every write records with its rows: the position below which
 * all appends of this node are persisted.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Commit } from "../domain/Commit.ts"
import type { StoreUnavailable } from "../stores/StoreError.ts"
import type { ActorError, Envelope } from "./Mailbox.ts"

/** The actors, as the pipeline sees them: told what has become of a wallet's events. Called synchronously; must not throw. */
export interface PersistenceListener {
  /** Persistence has decided on every event of the wallet up to `version`. */
  readonly persisted: (walletId: string, version: number) => void
  /** A user's rule has refused that event for good; comes before `persisted`. Its reversal will be offered. */
  readonly refused: (walletId: string, version: number, reason: string) => void
  /** That event was refused, and is reversed already, perhaps by a later owner; comes before `persisted`. */
  readonly reversed: (walletId: string, version: number, reason: string) => void
  /** Puts a reversal before all other commands of its wallet; `undefined`: it will be replied to. */
  readonly offerUrgent: (reversal: Envelope) => ActorError | undefined
}

/** Events of one wallet, versions `from` to `to`, both included, that were above all high watermarks of others. */
export interface UnofferedEvents {
  readonly from: number
  readonly to: number
  /** The highest of these watermarks. */
  readonly above: bigint
}

export interface PipelineLoad {
  /** Events that are in the log and not yet in Persistence, as far as this node knows. */
  readonly queuedEvents: number
  readonly queuedWallets: number
  /** Age of the oldest of them, ms. */
  readonly lagMillis: number
  /** Wallets whose writing has stopped at a defect, with what it was. */
  readonly blocked: ReadonlyArray<{ readonly walletId: string; readonly reason: string }>
  /** Why the last write failed; `undefined`: it did not. */
  readonly failure: string | undefined
  /** Compensations have stopped: there were too many. */
  readonly compensationsStopped: boolean
}

export class WritePipeline extends Context.Service<
  WritePipeline,
  {
    /** `false`: an append writes Persistence itself, there is nothing to do here. */
    readonly separate: boolean
    /** Why no new command can be taken now. Synchronous, O(1). */
    readonly refusal: () => StoreUnavailable | undefined
    /**
     * An append is about to be sent; what is called with its outcome says which commits
     * are in the log, in the order of their positions. It may be called part by part, the
     * last time with `isOver`; until then the checkpoint stays below the append.
     */
    readonly appending: () => (
      appended: ReadonlyArray<{ readonly commit: Commit; readonly position: bigint }>,
      isOver: boolean
    ) => void
    readonly listen: (listener: PersistenceListener) => void
    /** Sees to it that an event that Persistence has refused is reversed. Synchronous; repeated calls are one. */
    readonly compensate: (walletId: string, version: number, reason: string) => void
    /**
     * Brings the wallet's rows up to the log; `false`: its writing has stopped. `unoffered`: events of an
     * earlier process that nobody can have given to Persistence.
     */
    readonly catchUp: (walletId: string, unoffered?: UnofferedEvents) => Effect.Effect<boolean>
    /** The same, without waiting for it. Synchronous. */
    readonly startCatchUp: (walletId: string) => void
    /** Whether the wallet's rows are written from the log for now, not from the queue. Synchronous, O(1). */
    readonly isCatchingUp: (walletId: string) => boolean
    readonly load: () => PipelineLoad
    /** Waits until all that is queued has been written. */
    readonly flush: Effect.Effect<void>
  }
>()("effect-wallet/actors/WritePipeline") {}

const nothing: PipelineLoad = {
  queuedEvents: 0,
  queuedWallets: 0,
  lagMillis: 0,
  blocked: [],
  failure: undefined,
  compensationsStopped: false
}

/** For a log that writes Persistence itself. */
export const none = WritePipeline.of({
  separate: false,
  refusal: () => undefined,
  appending: () => () => undefined,
  listen: () => undefined,
  compensate: () => undefined,
  catchUp: () => Effect.succeed(true),
  startCatchUp: () => undefined,
  isCatchingUp: () => false,
  load: () => nothing,
  flush: Effect.void
})
