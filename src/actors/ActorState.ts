/** What a resident wallet's actor is doing, for whoever is on call. */
import type { WalletActor } from "./WalletActor.ts"

export interface ActorState {
  /** As of the last commit; `-1`: it has not loaded yet, or there is no such wallet. */
  readonly version: number
  /** Up to here Persistence has decided, as far as the actor was told; `null`: an append writes it. */
  readonly persistedVersion: number | null
  /** Messages and bytes that wait in the mailbox. */
  readonly waiting: number
  readonly waitingBytes: number
  /** Commands in hand. */
  readonly running: number
  /** They may be in the log already. */
  readonly submitted: boolean
  /** They wait for Persistence: the first would build on what may still be undone. */
  readonly parked: boolean
  /** Something of the state may still be undone: PostgreSQL has not accepted it, or has refused it and it is not reversed yet. */
  readonly undecided: boolean
  readonly snapshotVersion: number
  /** Milliseconds. */
  readonly lastUsedAt: number
}

export const stateOf = (actor: WalletActor): ActorState => ({
  version: actor.loaded ? (actor.wallet?.version ?? -1) : -1,
  persistedVersion: Number.isFinite(actor.persistedVersion) ? actor.persistedVersion : null,
  waiting: actor.mailbox.size,
  waitingBytes: actor.mailbox.bytes,
  running: actor.running.length,
  submitted: actor.submitted,
  parked: actor.isParked,
  undecided: actor.unpersisted !== undefined,
  snapshotVersion: actor.snapshotVersion,
  lastUsedAt: actor.lastUsedAt
})
