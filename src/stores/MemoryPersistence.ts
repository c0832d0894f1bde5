/**
 * The transactional view in memory. `applyCommit` is called by the in-memory log
 * within its append, so what is committed is persisted.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Commit } from "../domain/Commit.ts"
import { holdChanges, transactionOf } from "../domain/Projection.ts"
import type { InvalidRequest } from "../domain/Rejection.ts"
import type { Hold, Transaction, Wallet } from "../domain/Wallet.ts"
import { decodeVersion, encodeVersion, pageOf } from "./ListCursor.ts"
import { MemoryDatabase, type MemoryState, type VersionedHold } from "./MemoryDatabase.ts"
import type { Page } from "./Page.ts"
import {
  type HoldQuery,
  type KeyLookup,
  Persistence,
  type SeenKey,
  type TransactionQuery,
  type WalletView
} from "./Persistence.ts"

const viewOf = ({ holds: _holds, transfers: _transfers, ...view }: Wallet): WalletView => view

const entry = <K, V>(map: Map<K, V>, key: K, make: () => V): V => {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}

const applyTransactions = (state: MemoryState, commit: Commit, before: bigint): void => {
  const ofWallet = entry(state.transactionsByWallet, commit.walletId, (): Array<Transaction> => [])
  let position = before
  for (const recorded of commit.events) {
    position += 1n
    const transaction = transactionOf(recorded, commit.wallet)
    if (transaction === undefined) continue
    ofWallet.push(transaction)
    state.transactions.push({ position, transaction })
  }
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
    const { captured, remaining, status } = change
    holds.set(change.holdId, { version: placed.version, hold: { ...placed.hold, captured, remaining, status } })
  }
}

const applyKeys = (state: MemoryState, commit: Commit): void => {
  const keys = entry(state.keys, commit.walletId, () => new Map<string, SeenKey>())
  for (const { metadata, version } of commit.events) {
    keys.set(metadata.key, { key: metadata.key, fingerprint: metadata.fingerprint, version })
  }
}

/** Writes the rows of events that have just been appended; `before`: position of the event before the first. */
export const applyCommit = (state: MemoryState, commit: Commit, before: bigint): void => {
  applyTransactions(state, commit, before)
  applyHolds(state, commit)
  applyKeys(state, commit)
  const position = state.wallets.get(commit.walletId)?.position ?? before + 1n
  state.wallets.set(commit.walletId, { position, wallet: viewOf(commit.wallet) })
}

const listTransactions = Effect.fnUntraced(function* (
  state: MemoryState,
  query: TransactionQuery
): Effect.fn.Return<Page<Transaction>, InvalidRequest> {
  const before = yield* decodeVersion(query.cursor)
  const found = (state.transactionsByWallet.get(query.walletId) ?? [])
    .filter(
      ({ createdAt, type, version }) =>
        (before === undefined || version < before) &&
        (query.from === undefined || createdAt >= query.from) &&
        (query.to === undefined || createdAt <= query.to) &&
        (query.type === undefined || type === query.type)
    )
    .reverse()
  return pageOf(found.slice(0, query.limit + 1), query.limit, (last) => encodeVersion(last.version))
})

const listHolds = Effect.fnUntraced(function* (
  state: MemoryState,
  query: HoldQuery
): Effect.fn.Return<Page<Hold>, InvalidRequest> {
  const before = yield* decodeVersion(query.cursor)
  const found = [...(state.holds.get(query.walletId)?.values() ?? [])]
    .filter(
      ({ hold, version }) =>
        (before === undefined || version < before) && (query.status === undefined || hold.status === query.status)
    )
    .reverse()
  const page = pageOf(found.slice(0, query.limit + 1), query.limit, (last) => encodeVersion(last.version))
  return { data: page.data.map(({ hold }) => hold), next: page.next }
})

const findKeys = (state: MemoryState, walletId: string, keys: ReadonlyArray<string>): KeyLookup => {
  const ofWallet = state.keys.get(walletId)
  return {
    persistedVersion: state.wallets.get(walletId)?.wallet.version ?? -1,
    seen: [...new Set(keys)].flatMap((key) => ofWallet?.get(key) ?? [])
  }
}

const byId = (a: { readonly id: string }, b: { readonly id: string }): number => (a.id < b.id ? -1 : 1)

export const make = (state: MemoryState): Persistence["Service"] => ({
  wallet: (walletId) => Effect.sync(() => state.wallets.get(walletId)?.wallet),
  transactions: (query) => listTransactions(state, query),
  holds: (query) => listHolds(state, query),
  hold: (walletId, holdId) => Effect.sync(() => state.holds.get(walletId)?.get(holdId)?.hold),
  findKeys: (walletId, keys) => Effect.sync(() => findKeys(state, walletId, keys)),
  scanWallets: ({ after, limit }) =>
    Effect.sync(() =>
      [...state.wallets.values()]
        .map(({ wallet }) => wallet)
        .filter(({ id }) => id > after)
        .sort(byId)
        .slice(0, limit)
    ),
  scanTransactions: (walletId, { after, limit }) =>
    Effect.sync(() =>
      (state.transactionsByWallet.get(walletId) ?? []).filter(({ version }) => version > after).slice(0, limit)
    ),
  scanHolds: (walletId, { after, limit }) =>
    Effect.sync(() =>
      [...(state.holds.get(walletId)?.values() ?? [])]
        .map(({ hold }) => hold)
        .filter(({ id }) => id > after)
        .sort(byId)
        .slice(0, limit)
    )
})

export const layer: Layer.Layer<Persistence, never, MemoryDatabase> = Layer.effect(
  Persistence,
  Effect.map(MemoryDatabase, make)
)
