/** All that Persistence shows of a wallet, in one value: for cases that compare it before and after. */
import * as Effect from "effect/Effect"
import type { Commit } from "../../domain/Commit.ts"
import { transactionOf } from "../../domain/Projection.ts"
import type { RecordedEvent } from "../../domain/Event.ts"
import type { Wallet } from "../../domain/Wallet.ts"
import { Persistence, type PersistOutcome, type WalletView } from "../../stores/Persistence.ts"

export const written: PersistOutcome = { _tag: "Written" }
/** Some of it was there before. */
export const writtenBefore: PersistOutcome = { _tag: "Written", before: true }

export const viewOf = ({ holds: _holds, transfers: _transfers, ...view }: Wallet): WalletView => view

/** Of one wallet alone. */
export const keysFound = Effect.fnUntraced(function* (walletId: string, keys: ReadonlyArray<string>) {
  const persistence = yield* Persistence
  const [found] = yield* persistence.findKeys([{ walletId, keys }])
  return found!
})

/** `keys`: those to look for. */
export const rowsOf = Effect.fnUntraced(function* (walletId: string, keys: ReadonlyArray<string> = []) {
  const persistence = yield* Persistence
  const seen = yield* keysFound(walletId, keys)
  const versions = yield* persistence.persistedVersions([walletId])
  return {
    wallet: yield* persistence.wallet(walletId),
    transactions: yield* persistence.scanTransactions(walletId, { after: -1, limit: 10_000 }),
    holds: yield* persistence.scanHolds(walletId, { after: "", limit: 10_000 }),
    transfers: yield* persistence.scanTransfers(walletId, { after: "", limit: 10_000 }),
    refusals: yield* persistence.refusals(walletId),
    persisted: versions.get(walletId),
    seen: { ...seen, seen: [...seen.seen].sort((a, b) => a.version - b.version) }
  }
})

export const transactionsOf = (wallet: Wallet, events: ReadonlyArray<RecordedEvent>) =>
  events.flatMap((event) => transactionOf(event, wallet) ?? [])

/** One commit of all events of these, which follow one another. */
export const merged = (...commits: ReadonlyArray<Commit>): Commit => ({
  ...commits[commits.length - 1]!,
  expectedVersion: commits[0]!.expectedVersion,
  events: commits.flatMap(({ events }) => events)
})
