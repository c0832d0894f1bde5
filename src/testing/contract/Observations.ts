/** What cases look at: outcomes without positions, all pages of a list, all rows of a wallet in one value. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import type { Commit } from "../../domain/Commit.ts"
import type { RecordedEvent } from "../../domain/Event.ts"
import { transactionOf } from "../../domain/EventKinds.ts"
import type { Wallet } from "../../domain/Wallet.ts"
import type { AppendOutcome } from "../../stores/EventStore.ts"
import type { Page } from "../../stores/Page.ts"
import { Persistence, type PersistOutcome } from "../../stores/Persistence.ts"

type Outcome = { readonly _tag: "Appended" } | Exclude<AppendOutcome, { readonly _tag: "Appended" }>

export const appended: Outcome = { _tag: "Appended" }
export const conflict: Outcome = { _tag: "Conflict" }
export const keySeen: Outcome = { _tag: "KeySeen" }

/** Without the positions, which no case can know beforehand. */
export const bare = (outcomes: ReadonlyArray<AppendOutcome>): ReadonlyArray<Outcome> =>
  outcomes.map((outcome) => (outcome._tag === "Appended" ? appended : outcome))

export const written: PersistOutcome = { _tag: "Written" }
/** Some of it was there before. */
export const writtenBefore: PersistOutcome = { _tag: "Written", before: true }

export { viewOf } from "../../domain/Wallet.ts"

/** All pages of a list; bounded, so that a cursor that goes in a circle fails. */
export const allPages = Effect.fnUntraced(function* <A, E, R>(
  list: (cursor: string | undefined) => Effect.Effect<Page<A>, E, R>
) {
  const pages: Array<ReadonlyArray<A>> = []
  let cursor: string | undefined
  do {
    const page: Page<A> = yield* list(cursor)
    pages.push(page.data)
    cursor = page.next ?? undefined
    assert.ok(pages.length < 100, "a list without an end")
  } while (cursor !== undefined)
  return pages
})

/** Of one wallet alone. */
export const keysFound = Effect.fnUntraced(function* (walletId: string, keys: ReadonlyArray<string>) {
  const persistence = yield* Persistence
  const [found] = yield* persistence.findKeys([{ walletId, keys }])
  return found!
})

/** All that Persistence shows of a wallet, to be compared before and after. `keys`: those to look for. */
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
