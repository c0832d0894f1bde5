/** The rows of the transactional view in memory, as commits change them. */
import * as Effect from "effect/Effect"
import type { Commit } from "../../domain/Commit.ts"
import type { RecordedEvent } from "../../domain/Event.ts"
import { balanceChange, holdChanges, transactionsOf, transferChanges } from "../../domain/EventKinds.ts"
import { holdProgressed } from "../../domain/Hold.ts"
import { heldBefore } from "../../domain/HoldEvents.ts"
import { changesProfile, profileAfter } from "../../domain/Profile.ts"
import { refundsMade, refundsReturned } from "../../domain/RefundRules.ts"
import { transferChanged } from "../../domain/Transfer.ts"
import { type Transaction, viewOf } from "../../domain/Wallet.ts"
import type { AskedCommand, EventStore, PastCommand, ScannedEvent } from "../EventStore.ts"
import type { AskedRefunded, Refunded, Refusal, SeenKey } from "../Persistence.ts"
import {
  type DerivedWallet,
  type RowReplacement,
  completeTo,
  type DerivedRows,
  lastId,
  type WalletRange,
  type RowScan
} from "../WalletRows.ts"
import { copyOf } from "./Copies.ts"
import type { MemoryState, PositionedTransaction, PositionedTransfer, VersionedHold } from "./MemoryDatabase.ts"

/** The place of a wallet's event in the order over all wallets. */
export type PositionOf = (version: number) => bigint

const entry = <K, V>(map: Map<K, V>, key: K, make: () => V): V => {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}

const byPlace = (a: PositionedTransaction, b: PositionedTransaction): number =>
  a.position < b.position ? -1 : a.position > b.position ? 1 : a.leg - b.leg

const legChange = ({ amount, type }: Transaction): bigint => (type === "transfer_out" ? -amount : amount)

/** The version up to which the wallet is persisted; `-1`: there is nothing of it. */
export const persistedVersion = (state: MemoryState, walletId: string): number =>
  (state.persisted.get(walletId)?.length ?? 0) - 1

const applyTransactions = (state: MemoryState, commit: Commit, positionOf: PositionOf): void => {
  const ofWallet = entry(state.transactionsByWallet, commit.walletId, (): Array<Transaction> => [])
  let inOrder = true
  for (const recorded of commit.events) {
    const made = transactionsOf(recorded, commit.wallet)
    // Where events are the log they stay when all else is erased.
    if (made.length === 0 || recorded.version <= (ofWallet.at(-1)?.version ?? -1)) continue
    ofWallet.push(...made)
    const position = positionOf(recorded.version)
    const last = state.transactions.at(-1)
    if (last !== undefined && last.position > position) inOrder = false
    for (const [leg, transaction] of made.entries()) {
      const change = made.length === 1 ? balanceChange(recorded.event) : legChange(transaction)
      state.transactions.push({ position, key: recorded.metadata.key, leg, change, transaction })
    }
  }
  if (!inOrder) state.transactions.sort(byPlace)
}

const applyHolds = (state: MemoryState, commit: Commit): void => {
  for (const change of holdChanges(commit)) {
    const holds = entry(state.holds, commit.walletId, () => new Map<string, VersionedHold>())
    if (change._tag === "Placed") {
      holds.set(change.hold.id, { version: change.version, hold: change.hold })
      continue
    }
    const placed = holds.get(change.holdId)
    if (placed === undefined) continue
    holds.set(change.holdId, { version: placed.version, hold: holdProgressed(placed.hold, change) })
  }
}

/** The events are all of a stream from some version on. */
const keyOf = (events: ReadonlyArray<RecordedEvent>, version: number): string =>
  events[version - events[0]!.version]!.metadata.key

const applyTransfers = (state: MemoryState, commit: Commit, positionOf: PositionOf): void => {
  for (const change of transferChanges(commit)) {
    const transfers = entry(state.transfers, commit.walletId, () => new Map<string, PositionedTransfer>())
    if (change._tag === "Sent") {
      const { transfer, version } = change
      transfers.set(transfer.id, { position: positionOf(version), key: keyOf(commit.events, version), transfer })
      continue
    }
    const sent = transfers.get(change.transferId)
    if (sent === undefined) continue
    transfers.set(change.transferId, { ...sent, transfer: transferChanged(sent.transfer, change) })
  }
}

/** Every event leaves its key and its id, also a refused one. */
const applyEvents = (state: MemoryState, walletId: string, events: ReadonlyArray<RecordedEvent>): void => {
  const keys = entry(state.keys, walletId, () => new Map<string, SeenKey>())
  const persisted = entry(state.persisted, walletId, (): Array<string> => [])
  for (const { id, metadata, version } of events) {
    keys.set(metadata.key, { key: metadata.key, fingerprint: metadata.fingerprint, version })
    persisted[version] = id
  }
}

const applyReversals = (state: MemoryState, { events, walletId }: Commit): void => {
  const refusals = state.refusals.get(walletId)
  if (refusals === undefined) return
  for (const { event, version } of events) {
    if (event._tag !== "OperationReversed") continue
    const index = refusals.findIndex((refusal) => refusal.version === event.reversedVersion)
    if (index !== -1) refusals[index] = { ...refusals[index]!, reversedVersion: version }
  }
}

const applyRefunds = (state: MemoryState, { events, walletId }: Commit): void => {
  for (const recorded of events) {
    const returned = refundsReturned(recorded)
    const made = refundsMade(recorded)
    if (returned === undefined && made.length === 0) continue
    const kept = (state.refunds.get(walletId) ?? []).filter(
      ({ transferId }) => returned === undefined || transferId !== returned
    )
    state.refunds.set(walletId, [...kept, ...made])
  }
}

/** What is refunded of an original, by the rows that there are. */
export const refunded = (state: MemoryState, { leg, of, walletId }: AskedRefunded): Refunded => ({
  refunded: (state.refunds.get(walletId) ?? []).reduce(
    (sum, made) => (made.of === of && made.leg === leg ? sum + made.amount : sum),
    0n
  ),
  version: persistedVersion(state, walletId)
})

/** Whether the wallet's creation was refused: then it has no rows but refusals and keys. */
const isRefused = (state: MemoryState, walletId: string): boolean => state.refusals.get(walletId)?.[0]?.version === 0

/** Writes the rows of a commit that continues what is persisted. */
export const applyCommit = (state: MemoryState, commit: Commit, positionOf: PositionOf): void => {
  const { events, expectedVersion, wallet, walletId } = commit
  applyEvents(state, walletId, events)
  applyReversals(state, commit)
  if (isRefused(state, walletId)) return
  const position = state.wallets.get(walletId)?.position ?? positionOf(expectedVersion + 1)
  state.wallets.set(walletId, { position, wallet: viewOf(wallet) })
  applyTransactions(state, commit, positionOf)
  applyHolds(state, commit)
  applyTransfers(state, commit, positionOf)
  applyRefunds(state, commit)
}

/** Puts refusals in the place of a commit's events, which continue what is persisted. */
export const applyRefusal = (state: MemoryState, { events, walletId }: Commit, reason: string): void => {
  applyEvents(state, walletId, events)
  const refusals = entry(state.refusals, walletId, (): Array<Refusal> => [])
  for (const { id, version } of events) {
    refusals.push({ walletId, version, eventId: id, reason, reversedVersion: null })
  }
  const row = state.wallets.get(walletId)
  if (row === undefined) return
  const version = events[events.length - 1]!.version
  state.wallets.set(walletId, { ...row, wallet: { ...row.wallet, version } })
}

const derivedMaps = ["persisted", "wallets", "holds", "transfers", "refunds", "keySegments", "refusals"] as const
const mapsByWallet = [...derivedMaps, "transactionsByWallet", "keys"] as const

/** Removes all rows of a wallet. */
export const eraseRows = (state: MemoryState, walletId: string): void => {
  for (const name of mapsByWallet) state[name].delete(walletId)
  const kept = state.transactions.filter(({ transaction }) => transaction.walletId !== walletId)
  state.transactions.splice(0, state.transactions.length, ...kept)
}

/** Removes what is derived of a wallet; an event's own row, too, unless it is the log's. */
export const eraseWallet = (state: MemoryState, walletId: string): void => {
  if (state.separate) eraseRows(state, walletId)
  else for (const name of derivedMaps) state[name].delete(walletId)
}

export const eraseAll = (state: MemoryState): void => {
  for (const name of state.separate ? mapsByWallet : derivedMaps) state[name].clear()
  state.checkpoints.clear()
  if (!state.separate) return
  state.transactions.length = 0
  state.persistedLog = undefined
}

/** The positions of a wallet's rows by version. */
export const positionsOf = (state: MemoryState, walletId: string): ReadonlyMap<number, bigint> => {
  const positions = new Map<number, bigint>()
  const wallet = state.wallets.get(walletId)
  if (wallet !== undefined) positions.set(0, wallet.position)
  for (const { position, transaction } of state.transactions) {
    if (transaction.walletId === walletId) positions.set(transaction.version, position)
  }
  return positions
}

/** The same rows, so that changes to those of erased wallets do not show in `state`. */
export const shadowOf = (state: MemoryState): MemoryState => ({
  ...state,
  persisted: new Map(state.persisted),
  wallets: new Map(state.wallets),
  transactions: [...state.transactions],
  transactionsByWallet: new Map(state.transactionsByWallet),
  holds: new Map(state.holds),
  transfers: new Map(state.transfers),
  refunds: new Map(state.refunds),
  keys: new Map(state.keys),
  keySegments: new Map(state.keySegments),
  refusals: new Map(state.refusals)
})

/** Replaces the rows of a wallet by those that `from` has. */
export const takeWallet = (state: MemoryState, from: MemoryState, walletId: string): void => {
  eraseRows(state, walletId)
  for (const name of mapsByWallet) {
    const rows = from[name].get(walletId)
    // Each map is copied from its own namesake.
    if (rows !== undefined) (state[name] as Map<string, unknown>).set(walletId, rows)
  }
  state.transactions.push(...from.transactions.filter(({ transaction }) => transaction.walletId === walletId))
  state.transactions.sort(byPlace)
}

const positionsInLog = (state: MemoryState, walletId: string): ReadonlyArray<bigint> =>
  state.log.flatMap(({ position, recorded }) => (recorded.walletId === walletId ? [position] : []))

/** Here keys and transactions are apart from the events: they come from those again. */
const replaceOne = (state: MemoryState, { holds, transfers, wallet }: DerivedWallet): void => {
  const walletId = wallet.id
  const events = state.streams.get(walletId)!
  const positions = positionsInLog(state, walletId)
  eraseRows(state, walletId)
  applyCommit(
    state,
    { walletId, partition: 0, epoch: 0, expectedVersion: -1, events, wallet },
    (version) => positions[version]!
  )
  if (holds.length > 0) state.holds.set(walletId, new Map(holds.map((one) => [one.hold.id, one])))
  if (transfers.length === 0) return
  const sent = transfers.map((one) => ({ ...one, key: keyOf(events, one.version) }))
  state.transfers.set(walletId, new Map(sent.map((one) => [one.transfer.id, one])))
}

const isBehind = (state: MemoryState, { wallet }: DerivedWallet): boolean =>
  (state.streams.get(wallet.id)?.length ?? 0) - 1 !== wallet.version

export const rowReplacement = (state: MemoryState): RowReplacement => ({
  heads: (after, limit) =>
    Effect.sync(() =>
      Array.from(state.streams.keys())
        .filter((walletId) => walletId > after)
        .sort()
        .slice(0, limit)
        .map((walletId) => ({
          walletId,
          last: state.streams.get(walletId)!.length - 1,
          persisted: persistedVersion(state, walletId)
        }))
    ),
  replace: (wallets) =>
    Effect.sync(() => {
      const moved = wallets.filter((one) => isBehind(state, one))
      for (const one of wallets) if (!moved.includes(one)) replaceOne(state, one)
      return new Set(moved.map(({ wallet }) => wallet.id))
    })
})

type Scan = NonNullable<EventStore["Service"]["scan"]>

const idsIn = (ids: Iterable<string>, { after, to }: WalletRange): Array<string> =>
  [...ids].filter((id) => id > after && id <= (to ?? lastId)).sort()

/** Whether an id may come now; those of the place's own wallet do, too. */
const behind =
  (after: Parameters<Scan>[0]["after"]) =>
  ({ recorded: { version, walletId } }: ScannedEvent): boolean =>
    walletId > after.walletId || (walletId === after.walletId && version > after.version)

const inOrder = (a: ScannedEvent, b: ScannedEvent): number => {
  if (a.recorded.walletId !== b.recorded.walletId) return a.recorded.walletId < b.recorded.walletId ? -1 : 1
  return a.recorded.version - b.recorded.version
}

const currencyOf = (state: MemoryState, walletId: string): string => {
  const created = state.streams.get(walletId)?.[0]?.event
  return created?._tag === "WalletCreated" ? created.currency : ""
}

/** All events at each call: for small logs. */
export const scan =
  (state: MemoryState): Scan =>
  ({ after, limit, to }) =>
    Effect.sync(() => ({
      events: state.log
        .filter(({ recorded }) => recorded.walletId >= after.walletId && recorded.walletId <= (to ?? lastId))
        .map((one): ScannedEvent => ({ ...one, currency: currencyOf(state, one.recorded.walletId) }))
        .filter(behind(after))
        .sort(inOrder)
        .slice(0, limit)
        .map(copyOf),
      flaws: []
    }))

const derivedRows = (state: MemoryState, walletId: string, giant: string | undefined): DerivedRows => {
  const row = state.wallets.get(walletId)
  return {
    walletId,
    wallet: row && { view: row.wallet, position: row.position },
    holds: Array.from(state.holds.get(walletId)?.values() ?? [], ({ hold }) => hold),
    transfers: Array.from(state.transfers.get(walletId)?.values() ?? [], ({ transfer }) => transfer),
    refusals: state.refusals.get(walletId)?.length ?? 0,
    whole: walletId !== giant
  }
}

/** The wallet of the first row beyond the bound; each wallet has `sizeOf` rows. */
const cutOf = (ids: ReadonlyArray<string>, maxRows: number, sizeOf: (id: string) => number): string | undefined => {
  let rows = 0
  return ids.find((id) => (rows += sizeOf(id)) > maxRows)
}

/** `visible`: the rows as the effect sees them. */
export const rowScan = (visible: Effect.Effect<MemoryState>): RowScan => ({
  walletBehind: (after, count) =>
    Effect.map(visible, ({ wallets }) => idsIn(wallets.keys(), { after, to: undefined })[count - 1]),
  rows: (range, maxRows) =>
    Effect.map(visible, (state) => {
      const all = new Set([
        ...state.wallets.keys(),
        ...state.holds.keys(),
        ...state.transfers.keys(),
        ...state.refusals.keys()
      ])
      const ids = idsIn(all, range)
      const { giant, to } = completeTo(range, [
        cutOf(ids, maxRows, () => 1),
        cutOf(ids, maxRows, (id) => state.holds.get(id)?.size ?? 0),
        cutOf(ids, maxRows, (id) => state.transfers.get(id)?.size ?? 0),
        cutOf(ids, maxRows, (id) => state.refusals.get(id)?.length ?? 0)
      ])
      const complete = ids.filter((id) => id <= (to ?? lastId))
      return { wallets: copyOf(complete.map((id) => derivedRows(state, id, giant))), to, flaws: [] }
    })
})

/** What a command did that took place earlier. Walks over the stream where the profile is asked for. */
export const pastCommand = (state: MemoryState, { profile, version, walletId }: AskedCommand): PastCommand => {
  const stream = state.streams.get(walletId) ?? []
  const last = stream[version]
  const events = stream
    .slice(Math.max(0, version - 1), version + 1)
    .filter(({ metadata }) => metadata.commandId === last?.metadata.commandId)
  const holdId = heldBefore(events)
  return {
    events,
    profile: profile
      ? profileAfter(stream.slice(0, version + 1).filter(({ event }) => changesProfile(event)))
      : undefined,
    hold: holdId === undefined ? undefined : state.holds.get(walletId)?.get(holdId)?.hold
  }
}
