/**
 * One wallet's actor as what it holds: a mailbox and the state, nothing shared. Its fiber
 * drains the mailbox (`Supervision`), decides the batch and appends its events in one commit
 * (`CommandBatch`), then moves the state and replies (`CommittedBatch`). While the append
 * is in flight the mailbox fills: that is the group commit.
 *
 * Those steps are plain generators, run by delegation inside the one effect of the actor's
 * fiber: a batch costs one suspension, not one per step.
 */
import type * as Clock from "effect/Clock"
import type * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { type KeySpent, spentBytes } from "../domain/KeyLimit.ts"
import { walletTag } from "../domain/WalletTag.ts"
import { type Metadata, noMetadata } from "../domain/Limits.ts"
import type { TransferInFlight, Wallet } from "../domain/Wallet.ts"
import { factsSize, type PolicySet, type WalletFacts } from "../domain/PolicySet.ts"
import type { Persistence } from "../stores/Persistence.ts"
import type { ActorBounds } from "./ActorBounds.ts"
import { actorFixedBytes, metadataSize, openSize } from "./ActorSize.ts"
import type { DecidedAhead } from "./DecideAhead.ts"
import type { EventIds } from "./EventIds.ts"
import type { KeyQueries } from "./KeyQueries.ts"
import type { KeySegments } from "./KeySegments.ts"
import type { KeyWindow } from "./KeyWindow.ts"
import type { LogWriter } from "./LogWriter.ts"
import type { Envelope, Inquiry } from "./Mailbox.ts"
import { Mailbox } from "./Mailbox.ts"
import type { Ownership } from "./Ownership.ts"
import type { PendingCount, PendingReplies } from "./PendingReplies.ts"
import type { Snapshots } from "./Snapshots.ts"
import type { UnloadedWallets } from "./UnloadedWallets.ts"
import type { UnpersistedEvents } from "./PersistenceProgress.ts"
import type { WalletHistory } from "./WalletHistory.ts"
import type { WritePipeline } from "./WritePipeline.ts"

/** A transfer that its source, or its home, has to bring to its end. */
export type OpenTransfer = Pick<TransferInFlight, "id" | "createdAt">

/** What all actors of a node share. */
export interface ActorContext {
  readonly bounds: ActorBounds
  readonly ownership: Ownership["Service"]
  readonly writer: LogWriter["Service"]
  readonly pipeline: WritePipeline["Service"]
  readonly history: WalletHistory["Service"]
  readonly persistence: Persistence["Service"]
  readonly keyQueries: KeyQueries["Service"]
  readonly segments: KeySegments["Service"]
  readonly snapshots: Snapshots["Service"]
  readonly ids: EventIds["Service"]
  readonly clock: Clock.Clock
  /** `undefined`: there are none. */
  readonly policies: PolicySet | undefined
  readonly unloaded: UnloadedWallets["Service"]
  /** The wallet has loaded or grown: what it takes counts. Synchronous, O(1). */
  readonly resized: (actor: WalletActor) => void
  /**
   * A wallet with nothing decided, to be appended to by another one; from now on it has. `undefined`: it is not in
   * memory, or busy, or not this node's. Synchronous, O(1).
   */
  readonly borrow: (walletId: string) => WalletActor | undefined
  /** It goes on with what has come for it meanwhile. Synchronous. */
  readonly giveBack: (actor: WalletActor) => void
  /** Limits how many wallets load at once. */
  readonly loading: <A, E>(load: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** The wallet was loaded, and these of its transfers have been sent, for good, and not ended. Synchronous. */
  readonly transfersFound: (walletId: string, transfers: ReadonlyArray<OpenTransfer>) => void
  /** The wallet has callers that wait for Persistence. Synchronous. */
  readonly awaiting: (actor: WalletActor) => void
  /** How many there are at all wallets. */
  readonly waiting: PendingCount
}

const nothing: ReadonlyArray<never> = []

export class WalletActor {
  readonly walletId: string
  readonly partition: number
  /** What the ids of its events end with. */
  readonly tag: string
  readonly mailbox = new Mailbox()
  /** As of the last commit; meaningless until `loaded`. */
  wallet: Wallet | undefined = undefined
  /** What the policies know as of then; `undefined`: there are none, or it is not `loaded`. */
  facts: WalletFacts | undefined = undefined
  /** What keys with a limit of the day have spent as of then; `undefined`: nobody has had to know. */
  spent: KeySpent | undefined = undefined
  loaded = false
  keys: KeyWindow | undefined = undefined
  /** Version of the last event that changed status, overdraft limit or metadata. */
  profileVersion = -1
  /** The last version of which a snapshot was made, or at least asked for. */
  snapshotVersion = -1
  /** Until then its commands go to the log one by one, ms. */
  isolatedUntil = 0
  /** Whether it was told that the clock is behind this wallet: once is enough for the log. */
  clockReported = false
  stopped = false
  /** It has decided nothing yet, and waits until it may (`LogWriter`): its mailbox fills meanwhile. */
  inLine = false
  /** Another wallet has it in its append: until the log has decided its mailbox waits. Closed while that is so. */
  borrowed: Latch.Latch | undefined = undefined
  /** The commands in hand: taken from the mailbox and without a reply. */
  running: ReadonlyArray<Envelope> = nothing
  /** How many messages its last turn has taken. */
  lastTurn = 0
  /** What was decided for the next append while one is in flight. */
  ahead: DecidedAhead | undefined = undefined
  /** The reads in hand. */
  inquiries: ReadonlyArray<Inquiry> = nothing
  /** Whether the commands in hand may have reached the log. */
  submitted = false
  /** Replies to the callers of the last append; `undefined`: done. */
  unreplied: (() => void) | undefined = undefined
  /** Up to here Persistence has accepted or refused the events; all of them, where an append writes it. */
  persistedVersion = Number.POSITIVE_INFINITY
  /** What is between the log and Persistence; `undefined`: nothing. */
  unpersisted: UnpersistedEvents | undefined = undefined
  /** Callers that wait for Persistence, or for a reversal; `undefined`: there are none. */
  pending: PendingReplies | undefined = undefined
  /** Versions that it was told to be refused while it was not loaded. */
  refusedMeanwhile: Set<number> | undefined = undefined
  /** Closed while the first command in hand waits for Persistence: it would build on what may still be undone. */
  private parked: Latch.Latch | undefined = undefined
  /** Neighbours in the registry's list of residents, by last use. */
  newer: WalletActor | undefined = undefined
  older: WalletActor | undefined = undefined
  lastUsedAt = 0
  /** Memory that it was last found to take, bytes: what it counts for in the budget of the residents. */
  countedBytes = 0
  private sizedMetadata: Metadata = noMetadata
  private sizedMetadataBytes = 0

  constructor(walletId: string, partition: number) {
    this.walletId = walletId
    this.partition = partition
    this.tag = walletTag(walletId)
  }

  /** Memory that it takes now, bytes; an estimate. O(1) but after a change of the metadata. */
  get bytes(): number {
    const { facts, keys, spent, wallet } = this
    let bytes = actorFixedBytes + (keys?.bytes ?? 0) + (facts === undefined ? 0 : factsSize(facts))
    if (spent !== undefined) bytes += spentBytes(spent)
    if (wallet === undefined) return bytes
    bytes += openSize(wallet)
    if (wallet.metadata !== this.sizedMetadata) {
      this.sizedMetadata = wallet.metadata
      this.sizedMetadataBytes = metadataSize(wallet.metadata)
    }
    return bytes + this.sizedMetadataBytes
  }

  /** Takes the engine's own commands in hand, before all others: what is in hand may wait for just these. */
  takeUrgent(): void {
    if (!this.mailbox.hasUrgent) return
    const urgent = this.mailbox.takeUrgent()
    for (const envelope of urgent) envelope.stage = "running"
    this.running = [...urgent, ...this.running]
  }

  /**
   * Replies are put off until the next append is on its way, but no further than to its
   * end: that may be the reversal of just what they tell of.
   */
  replyToLast(): void {
    const replyNow = this.unreplied
    this.unreplied = undefined
    replyNow?.()
  }

  /** Whether callers are still to be told of what is in the log. */
  get owesAnswers(): boolean {
    return this.unreplied !== undefined || this.pending !== undefined
  }

  /** Whether the commands in hand wait for Persistence. None of them has had an effect. */
  get isParked(): boolean {
    return this.parked !== undefined
  }

  /** Completes with {@link unpark}. */
  park(): Effect.Effect<void> {
    this.parked = Latch.makeUnsafe()
    return this.parked.await
  }

  unpark(): void {
    const { parked } = this
    this.parked = undefined
    parked?.openUnsafe()
  }
}

/** Whether its commands go to the log one by one. A clock that was set back must not make it longer. */
export const isIsolated = ({ isolatedUntil }: WalletActor, now: number, { isolationMillis }: ActorBounds): boolean =>
  now < isolatedUntil && isolatedUntil - now <= isolationMillis

/**
 * How many messages a turn takes: half of what waits and of what the turn before had in hand, whose callers come again.
 * Else all callers of a busy wallet would be in one append, and while the log works at it the node had nothing to do,
 * and then the log. In two halves it decides and replies for the one while the log has the other.
 */
export const turnSize = ({ lastTurn, mailbox }: WalletActor, { aheadCommands, batchCommands }: ActorBounds): number =>
  Math.min(batchCommands, Math.max(aheadCommands, Math.ceil((mailbox.size + lastTurn) / 2)))

/** Asks for a snapshot of the committed state. */
export const snapshot = (actor: WalletActor, context: ActorContext): void => {
  const wallet = actor.wallet!
  const keys = actor.keys!.state(context.bounds.keysInSnapshot)
  const { facts, profileVersion, spent } = actor
  if (context.snapshots.offer({ wallet, profileVersion, keys, facts, spent })) actor.snapshotVersion = wallet.version
}

/** What a resident wallet's actor is doing, for whoever is on call. */
export interface ActorStatus {
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
  /** Its events are on their way in another wallet's append: what comes waits for that. */
  readonly borrowed: boolean
  /** Something of the state may still be undone: PostgreSQL has not accepted it, or has refused it and it is not reversed yet. */
  readonly undecided: boolean
  readonly snapshotVersion: number
  /** Milliseconds. */
  readonly lastUsedAt: number
}

export const statusOf = (actor: WalletActor): ActorStatus => ({
  version: actor.loaded ? (actor.wallet?.version ?? -1) : -1,
  persistedVersion: Number.isFinite(actor.persistedVersion) ? actor.persistedVersion : null,
  waiting: actor.mailbox.size,
  waitingBytes: actor.mailbox.bytes,
  running: actor.running.length,
  submitted: actor.submitted,
  parked: actor.isParked,
  borrowed: actor.borrowed !== undefined,
  undecided: actor.unpersisted !== undefined,
  snapshotVersion: actor.snapshotVersion,
  lastUsedAt: actor.lastUsedAt
})
