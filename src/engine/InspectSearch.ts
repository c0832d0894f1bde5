/** The side of `inspect` that is a search index of its own: its place, the wallet's documents, what it has refused of it. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { lettersUpTo } from "../search/Letters.ts"
import type { EventStore } from "../stores/EventStore.ts"
import type { DeadLetter, Persistence, WalletView } from "../stores/Persistence.ts"
import { SearchIndex } from "../stores/SearchIndex.ts"
import type { EventUnreadable, ReadError } from "../stores/StoreError.ts"
import { compareDocuments } from "./verify/Documents.ts"

/** The last versions of the wallet whose documents are compared. */
const recentVersions = 1_000

/** Flaws and dead letters that are shown. */
const listed = 50

/** Dead letters that are looked through for those of one wallet. */
const lettersRead = 10_000

export interface SearchSide {
  /** All events of all wallets up to here are in the index. */
  readonly checkpoint: bigint
  /** As of one of the last `recentVersions`; `null`: there is none. */
  readonly wallet: WalletView | null
  /** Documents as of those versions that are as the log and the rows have them. */
  readonly documents: number
  /** Those that are not, or are not yet; at most `listed`. */
  readonly flaws: ReadonlyArray<{
    readonly kind: string
    readonly id: string
    readonly expected: string
    readonly found: string
  }>
  readonly deadLetters: ReadonlyArray<DeadLetter>
}

interface Stores {
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
}

const look = Effect.fnUntraced(function* (
  stores: Stores,
  index: SearchIndex["Service"],
  walletId: string,
  version: number
): Effect.fn.Return<SearchSide, ReadError | EventUnreadable> {
  const set = index.current
  const since = Math.max(0, version + 1 - recentVersions)
  const checkpoint = yield* set.checkpoint
  const found = yield* set.documentsOf([walletId], { from: since, to: Number.MAX_SAFE_INTEGER })
  const document = found.find((one) => one.kind === "wallet")
  const sized = [{ id: walletId, events: version + 1 }]
  const { documents, flaws } = yield* compareDocuments({ ...stores, set }, sized, Effect.void, since)
  const letters = yield* lettersUpTo(stores.persistence, lettersRead)
  return {
    checkpoint,
    wallet: document === undefined ? null : document.wallet,
    documents: documents.get(walletId) ?? 0,
    flaws: flaws.slice(0, listed).map((flaw) => ({
      kind: flaw.kind,
      id: flaw.id,
      expected: flaw.expected,
      found: flaw.found
    })),
    deadLetters: letters.filter((letter) => letter.walletId === walletId).slice(0, listed)
  }
})

/** `undefined`: search has no index of its own. A text: why it could not be looked at. */
export const searchSide = (
  stores: Stores,
  walletId: string,
  version: number
): Effect.Effect<SearchSide | string | undefined, ReadError | EventUnreadable> =>
  Effect.flatMap(
    Effect.serviceOption(SearchIndex),
    Option.match({
      onNone: () => Effect.undefined,
      onSome: (index) =>
        Effect.catchIf(
          look(stores, index, walletId, version),
          (error) => error._tag !== "EventUnreadable" && error.store === "readModel",
          (error) => Effect.succeed(error.message)
        )
    })
  )
