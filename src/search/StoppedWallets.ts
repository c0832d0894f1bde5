/**
 * Wallets that stood still behind a log of its own and were set aside (`BehindEvents`): when the row of one
 * has come on, the log is read again from where its events begin, and what can be shown is written.
 */
import * as Effect from "effect/Effect"
import type { EventStore } from "../stores/EventStore.ts"
import type { Persistence } from "../stores/Persistence.ts"
import type { SearchDocument } from "../stores/SearchIndex.ts"
import type { EventUnreadable, StoreDefect, StoreUnavailable } from "../stores/StoreError.ts"
import { type BehindEvents, behindOf, type StoppedWallet } from "./BehindEvents.ts"
import { documentsOf } from "./Documents.ts"
import { readLogPage } from "./LogPage.ts"

/** Wallets that are asked for together. */
const chunk = 1_000

/** Milliseconds between two looks. */
const lookMillis = 1_000

/** Of the time, the log may be read again for one part in so many. */
const restFactor = 9

export interface StoppedWalletsContext {
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly behind: BehindEvents
  readonly pageEvents: number
  readonly now: () => number
  /** The log has been read up to here, and what is behind was kept. */
  readonly readTo: () => bigint
  readonly write: (documents: ReadonlyArray<SearchDocument>) => Effect.Effect<void, StoreDefect | EventUnreadable>
  readonly patiently: <A, E>(
    call: Effect.Effect<A, E | StoreUnavailable>
  ) => Effect.Effect<A, Exclude<E, StoreUnavailable>>
}

/** Those whose rows have come to what was seen of them, or will never be. */
const movedWallets = Effect.fnUntraced(function* ({ behind, patiently, persistence }: StoppedWalletsContext) {
  const stopped = [...behind.stopped.values()]
  const moved = new Map<string, StoppedWallet>()
  for (let begin = 0; begin < stopped.length; begin += chunk) {
    const asked = new Map(stopped.slice(begin, begin + chunk).map((wallet) => [wallet.walletId, wallet]))
    const { refused, wallets } = yield* patiently(
      persistence.indexRows({ wallets: [...asked.keys()], holds: [], transfers: [] })
    )
    for (const { view } of wallets) {
      const wallet = asked.get(view.id)!
      if (view.version >= wallet.version) moved.set(view.id, wallet)
    }
    for (const { version, walletId } of refused) if (version === 0) moved.set(walletId, asked.get(walletId)!)
  }
  return moved
})

/** Reads the log from where these begin to where it has been read. */
const show = Effect.fnUntraced(function* (context: StoppedWalletsContext, wallets: ReadonlyMap<string, StoppedWallet>) {
  const { behind, log, pageEvents, patiently, persistence, readTo, write } = context
  const rest = new Map<string, StoppedWallet>()
  let after = [...wallets.values()].reduce((lowest, one) => (one.after < lowest ? one.after : lowest), readTo())
  while (after < readTo()) {
    const page = yield* patiently(readLogPage(log, after, pageEvents))
    if (page.next === after) break
    const events = page.events.filter(({ position, recorded }) => {
      const wallet = wallets.get(recorded.walletId)
      return wallet !== undefined && position > wallet.after
    })
    const found = yield* patiently(documentsOf({ log, persistence }, events))
    yield* write(found.documents)
    for (const late of behindOf(page.events, after, found.behind)) {
      const { time, version, walletId } = late.event.recorded
      const { after: begin, time: first } = rest.get(walletId) ?? { after: late.after, time }
      rest.set(walletId, { walletId, after: begin, time: first, version })
    }
    after = page.next
  }
  // At once: whatever is read from now on is kept with the others.
  for (const walletId of wallets.keys()) behind.shown(walletId, rest.get(walletId))
})

/** For ever. */
export const bringBack = Effect.fnUntraced(function* (context: StoppedWalletsContext) {
  for (;;) {
    yield* Effect.sleep(lookMillis)
    const moved = yield* movedWallets(context)
    if (moved.size === 0) continue
    const startedAt = context.now()
    yield* show(context, moved)
    yield* Effect.sleep(Math.max(0, restFactor * (context.now() - startedAt)))
  }
})
