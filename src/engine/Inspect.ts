/**
 * `inspect`: one wallet across all stores side by side, for whoever is on call. Reads
 * only, a handful of look-ups, safe at any time. The sides are read one after the
 * other: of a wallet that moves they may be a few versions apart.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import { defaultBounds } from "../actors/ActorBounds.ts"
import { Ownership } from "../actors/Ownership.ts"
import type { ActorStatus } from "../actors/WalletActor.ts"
import { WalletRegistry } from "../actors/WalletRegistry.ts"
import { WalletHistory } from "../actors/WalletHistory.ts"
import { WritePipeline } from "../actors/WritePipeline.ts"
import type { WalletEventType } from "../domain/Event.ts"
import { partitionOf } from "../domain/Partition.ts"
import {
  type HoldStatus,
  type OpenHold,
  type PreparedLegs,
  type TransferInFlight,
  type TransferStatus,
  viewOf,
  type Wallet
} from "../domain/Wallet.ts"
import { EventStore } from "../stores/EventStore.ts"
import {
  type Checkpoint,
  type PersistedVersion,
  Persistence,
  type Refusal,
  type WalletView
} from "../stores/Persistence.ts"
import { ReadModel } from "../stores/ReadModel.ts"
import type { EventUnreadable, ReadError } from "../stores/StoreError.ts"
import { findReversal } from "../pipeline/Reversals.ts"
import { searchSide, type SearchSide } from "./InspectSearch.ts"
import { findWallet } from "./verify/Search.ts"

export interface LastEvent {
  readonly version: number
  readonly type: WalletEventType
  /** Milliseconds. */
  readonly time: number
  readonly id: string
  /** The claim under which it was appended. */
  readonly epoch: number
}

/** What the node knows that was asked; nothing where the stores themselves were. */
export interface NodeSide {
  readonly partition: number
  /** Under which this node owns the partition; `null`: it does not. */
  readonly epoch: number | null
  /** `null`: the wallet is not resident here. */
  readonly actor: ActorStatus | null
  /** Between the log and Persistence, all wallets of the node; `null`: an append writes both. */
  readonly pipeline: {
    readonly queuedEvents: number
    readonly lagMillis: number
    readonly failure: string | null
  } | null
  /** Why writing of this wallet has stopped. */
  readonly blocked: string | null
}

/** What a wallet has promised of a transfer of several legs. */
export interface PreparedSummary {
  readonly id: string
  readonly home: string
  /** How many are this wallet's. */
  readonly legs: number
  readonly held: bigint
  readonly createdAt: number
  /** At its home: how it was decided; there it stays until all others know. */
  readonly decision: "completed" | "reversed" | null
}

export interface InspectReport {
  readonly walletId: string
  /** Milliseconds: when the look began. */
  readonly time: number
  readonly logId: string
  /** Position of the last event of all wallets. */
  readonly head: bigint
  /** `null`: the log has no such wallet. */
  readonly lastEvent: LastEvent | null
  /** As of the last event. */
  readonly state: WalletView | null
  /** Newest first, at most `listed`. */
  readonly snapshots: ReadonlyArray<{ readonly version: number; readonly time: number }>
  readonly node: NodeSide | null
  readonly persisted: PersistedVersion | null
  /** The row; `null`: there is none. */
  readonly row: WalletView | null
  /** What the log has beyond Persistence: events, and the age of the first of them. */
  readonly lag: { readonly events: number; readonly millis: number }
  /** Events that Persistence has and the log has not: the log was put back to an earlier copy, or is another one. */
  readonly ahead: number
  /** Persistence has another event at its version than the log. */
  readonly diverged: boolean
  /** As search finds it; `null`: it does not. */
  readonly document: WalletView | null
  /** Of an index of its own; a text: why it could not be looked at. */
  readonly search: SearchSide | string | null
  readonly openHoldCount: number
  /** Soonest to expire first, at most `listed`, with the status that their rows have. */
  readonly openHolds: ReadonlyArray<OpenHold & { readonly row: HoldStatus | null }>
  readonly transfersInFlightCount: number
  /** Oldest first, at most `listed`, as their rows tell them. */
  readonly transfersInFlight: ReadonlyArray<TransferInFlight & { readonly row: TransferStatus | null }>
  readonly legsPreparedCount: number
  /** Of transfers of several legs, the oldest first, at most `listed`, with the status that their rows have. */
  readonly legsPrepared: ReadonlyArray<PreparedSummary & { readonly row: TransferStatus | null }>
  /** `reversal`: the version of the log's event that undoes it, also where its row has not come yet; `null`: there is none. */
  readonly refusals: ReadonlyArray<Refusal & { readonly reversal: number | null }>
  readonly checkpoints: ReadonlyArray<Checkpoint>
}

/** Open holds and transfers of a wallet that are shown, … */
const listed = 50
/** … and snapshots. */
const snapshotsListed = 5

interface Stores {
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly readModel: ReadModel["Service"]
}

type InspectError = ReadError | EventUnreadable

const lastEventOf = Effect.fnUntraced(function* (
  { log }: Stores,
  wallet: Wallet
): Effect.fn.Return<LastEvent | null, InspectError> {
  const [recorded] = yield* log.read(wallet.id, { after: wallet.version - 1, limit: 1 })
  if (recorded === undefined) return null
  const { event, id, metadata, time, version } = recorded
  return { version, type: event._tag, time, id, epoch: metadata.epoch }
})

const snapshotsOf = Effect.fnUntraced(function* ({ log }: Stores, walletId: string) {
  const found: Array<{ readonly version: number; readonly time: number }> = []
  let bound: number | undefined
  while (found.length < snapshotsListed) {
    const snapshot = yield* log.loadSnapshot(walletId, bound === undefined ? {} : { version: bound })
    if (snapshot === undefined) break
    found.push({ version: snapshot.version, time: snapshot.time })
    if (snapshot.version === 0) break
    bound = snapshot.version - 1
  }
  return found
})

/** The node's own side; `null` outside of a service. */
const nodeSide = Effect.fnUntraced(function* (walletId: string) {
  const registry = yield* Effect.serviceOption(WalletRegistry)
  const owners = yield* Effect.serviceOption(Ownership)
  const pipelines = yield* Effect.serviceOption(WritePipeline)
  if (registry._tag === "None" || owners._tag === "None" || pipelines._tag === "None") return null
  const ownership = owners.value
  const pipeline = pipelines.value
  const partition = partitionOf(walletId, ownership.partitions)
  const { blocked, failure, lagMillis, queuedEvents } = pipeline.load()
  const side: NodeSide = {
    partition,
    epoch: ownership.epochOf(partition) ?? null,
    actor: registry.value.inspect(walletId) ?? null,
    pipeline: pipeline.separate ? { queuedEvents, lagMillis, failure: failure ?? null } : null,
    blocked: blocked.find((one) => one.walletId === walletId)?.reason ?? null
  }
  return side
})

const lagOf = Effect.fnUntraced(function* (
  { log }: Stores,
  walletId: string,
  persisted: number,
  last: number,
  now: number
): Effect.fn.Return<InspectReport["lag"], InspectError> {
  if (last <= persisted) return { events: 0, millis: 0 }
  const [first] = yield* log.read(walletId, { after: persisted, limit: 1 })
  return { events: last - persisted, millis: Math.max(0, now - (first?.time ?? now)) }
})

/** Of a wallet whose creation was refused there is no last event. */
const isDiverged = Effect.fnUntraced(function* (
  { log }: Stores,
  walletId: string,
  persisted: PersistedVersion | null
): Effect.fn.Return<boolean, InspectError> {
  if (persisted === null || persisted.eventId === "") return false
  const [recorded] = yield* log.read(walletId, { after: persisted.version - 1, limit: 1 })
  return recorded !== undefined && recorded.id !== persisted.eventId
})

/** The rows know of a reversal when it is persisted; the log, as soon as it is there. */
const refusalsOf = Effect.fnUntraced(function* ({ log, persistence }: Stores, walletId: string) {
  const refusals = yield* persistence.refusals(walletId)
  let looked = 0
  return yield* Effect.forEach(refusals, (refusal) => {
    if (refusal.reversedVersion !== null || looked >= listed) {
      return Effect.succeed({ ...refusal, reversal: refusal.reversedVersion })
    }
    looked++
    return Effect.map(findReversal(log, walletId, refusal.version), (found) => ({
      ...refusal,
      reversal: found?.version ?? null
    }))
  })
})

const holdsOf = ({ persistence }: Stores, wallet: Wallet | undefined) => {
  const open = wallet === undefined ? [] : [...HashMap.values(wallet.holds)]
  const never = Number.POSITIVE_INFINITY
  const soonest = open.sort((a, b) => (a.expiresAt ?? never) - (b.expiresAt ?? never) || a.createdAt - b.createdAt)
  return Effect.forEach(soonest.slice(0, listed), (hold) =>
    Effect.map(persistence.hold(wallet!.id, hold.id), (row) => ({ ...hold, row: row?.status ?? null }))
  )
}

const transfersOf = ({ persistence }: Stores, wallet: Wallet | undefined) => {
  const inFlight = wallet === undefined ? [] : [...HashMap.values(wallet.transfers)]
  const oldest = inFlight.sort((a, b) => a.createdAt - b.createdAt)
  return Effect.forEach(oldest.slice(0, listed), (transfer) =>
    Effect.map(persistence.transfer(transfer.id), (row) => ({ ...transfer, row: row?.status ?? null }))
  )
}

const summaryOf = ({ createdAt, decision, held, home, id, legs }: PreparedLegs): PreparedSummary => ({
  id,
  home,
  legs: legs.length,
  held,
  createdAt,
  decision: decision === null ? null : decision.reason === null ? "completed" : "reversed"
})

const legsOf = ({ persistence }: Stores, wallet: Wallet | undefined) => {
  const prepared = wallet === undefined ? [] : [...HashMap.values(wallet.prepared)]
  const oldest = prepared.sort((a, b) => a.createdAt - b.createdAt)
  return Effect.forEach(oldest.slice(0, listed), (legs) =>
    Effect.map(persistence.transfer(legs.id), (row) => ({ ...summaryOf(legs), row: row?.status ?? null }))
  )
}

/** As search finds it, or as its own index has it. */
const documentOf = Effect.fnUntraced(function* (
  stores: Stores,
  wallet: Wallet | undefined,
  search: SearchSide | string | undefined
): Effect.fn.Return<WalletView | null, InspectError> {
  if (search !== undefined) return typeof search === "string" ? null : search.wallet
  const found = wallet === undefined ? undefined : yield* findWallet(stores, wallet)
  return found?._tag === "Found" ? found.value : null
})

/** Looks at the wallet in every store, and at its actor where the context is a service's. */
export const inspect = Effect.fn("Inspect.inspect")(function* (
  walletId: string
): Effect.fn.Return<InspectReport, InspectError, EventStore | Persistence | ReadModel> {
  const stores = { log: yield* EventStore, persistence: yield* Persistence, readModel: yield* ReadModel }
  const { log, persistence } = stores
  const time = yield* Clock.currentTimeMillis
  const node = yield* nodeSide(walletId)
  const history = yield* Effect.provide(WalletHistory, WalletHistory.layer(defaultBounds))
  const { position: head, logId } = yield* log.head
  // Before the log: what it has not, of a wallet that moves, is not there at all.
  const row = yield* persistence.wallet(walletId)
  const persisted = (yield* persistence.persistedVersions([walletId])).get(walletId) ?? null
  const { keys, wallet } = yield* history.load(walletId)
  keys.release()
  const search = yield* searchSide(stores, walletId, wallet?.version ?? -1)
  return {
    walletId,
    time,
    logId,
    head,
    lastEvent: wallet === undefined ? null : yield* lastEventOf(stores, wallet),
    state: wallet === undefined ? null : viewOf(wallet),
    snapshots: yield* snapshotsOf(stores, walletId),
    node,
    persisted,
    row: row ?? null,
    lag: yield* lagOf(stores, walletId, persisted?.version ?? -1, wallet?.version ?? -1, time),
    ahead: Math.max(0, (persisted?.version ?? -1) - (wallet?.version ?? -1)),
    diverged: yield* isDiverged(stores, walletId, persisted),
    document: yield* documentOf(stores, wallet, search),
    search: search ?? null,
    openHoldCount: wallet === undefined ? 0 : HashMap.size(wallet.holds),
    openHolds: yield* holdsOf(stores, wallet),
    transfersInFlightCount: wallet === undefined ? 0 : HashMap.size(wallet.transfers),
    legsPreparedCount: wallet === undefined ? 0 : HashMap.size(wallet.prepared),
    legsPrepared: yield* legsOf(stores, wallet),
    transfersInFlight: yield* transfersOf(stores, wallet),
    refusals: yield* refusalsOf(stores, walletId),
    checkpoints: yield* persistence.checkpoints
  }
})
