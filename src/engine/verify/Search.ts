/**
 * Whether the read model finds a wallet by its id, and its newest transaction by
 * the transaction's id, each with the content that the log gives it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Transaction } from "../../domain/Wallet.ts"
import type { Page } from "../../stores/Page.ts"
import type { WalletView } from "../../stores/Persistence.ts"
import type { SearchError } from "../../stores/ReadModel.ts"
import { type EventUnreadable, type ReadError, StoreDefect } from "../../stores/StoreError.ts"
import { expectedRow, foldEvent, foldVersion, startFold } from "./Fold.ts"
import { compareRecords, type Difference } from "./Report.ts"
import type { VerifyStores } from "./Walk.ts"

/** An id may be a common word: this many pages of 200 are searched for it. */
const maxPages = 5
const pageSize = 200
const pollMillis = 100

type Found<A> =
  | { readonly _tag: "Found"; readonly value: A }
  | { readonly _tag: "Absent" }
  | { readonly _tag: "Beyond" }

const findIn = Effect.fnUntraced(function* <A extends { readonly id: string }>(
  id: string,
  search: (cursor: string | undefined) => Effect.Effect<Page<A>, SearchError>
): Effect.fn.Return<Found<A>, ReadError> {
  let cursor: string | undefined = undefined
  for (let page = 0; page < maxPages; page++) {
    const found: Page<A> | undefined = yield* search(cursor).pipe(
      Effect.catchTag("InvalidRequest", (error) =>
        Effect.fail(new StoreDefect({ store: "readModel", reason: `a search was refused: ${error.detail}` }))
      ),
      Effect.catchTag("QueryTooWide", () => Effect.undefined)
    )
    if (found === undefined) return { _tag: "Beyond" }
    const { data, next }: Page<A> = found
    const value = data.find((one) => one.id === id)
    if (value !== undefined) return { _tag: "Found", value }
    if (next === null) return { _tag: "Absent" }
    cursor = next
  }
  return { _tag: "Beyond" }
})

/** An id without a letter or digit is no word: then the owner's wallets are looked through. */
export const findWallet = (
  stores: Pick<VerifyStores, "readModel">,
  { currency, id, ownerId }: Pick<WalletView, "currency" | "id" | "ownerId">
) =>
  findIn(id, (cursor) =>
    stores.readModel.searchWallets({
      ownerId,
      currency,
      q: /[A-Za-z0-9]/.test(id) ? id : undefined,
      limit: pageSize,
      cursor
    })
  )

/** What is shown at `version`, for a wallet that has moved since it was folded. */
const viewAt = Effect.fnUntraced(function* (
  stores: VerifyStores,
  walletId: string,
  version: number
): Effect.fn.Return<WalletView | undefined, ReadError | EventUnreadable> {
  const refused = new Set((yield* stores.persistence.refusals(walletId)).map((refusal) => refusal.version))
  const fold = startFold(walletId)
  while (foldVersion(fold) < version) {
    const after = foldVersion(fold)
    const events = yield* stores.log.read(walletId, { after, limit: Math.min(500, version - after) })
    const goesOn = events.every((recorded) => foldEvent(fold, recorded, refused.has(recorded.version)).goesOn)
    if (events.length === 0 || !goesOn) return undefined
  }
  return expectedRow(fold)
})

/** Searches until it shows at least the version expected, or the lag allowed has passed. */
const settledWallet = Effect.fnUntraced(function* (stores: VerifyStores, wallet: WalletView, lagMillis: number) {
  const deadline = (yield* Clock.currentTimeMillis) + lagMillis
  let found = yield* findWallet(stores, wallet)
  const lags = (): boolean =>
    found._tag === "Absent" || (found._tag === "Found" && found.value.version < wallet.version)
  while (lags() && (yield* Clock.currentTimeMillis) < deadline) {
    yield* Effect.sleep(pollMillis)
    found = yield* findWallet(stores, wallet)
  }
  return found
})

const inSearch = (
  walletId: string,
  what: string,
  sides: { readonly expected: string; readonly found: string }
): Difference => ({ walletId, store: "readModel", what, ...sides })

export interface SearchFindings {
  readonly searched: number
  readonly notSearched: number
  readonly differences: ReadonlyArray<Difference>
}

/** `newest`: the newest transaction that was compared with its row. */
export const verifySearch = Effect.fnUntraced(function* (
  stores: VerifyStores,
  wallet: WalletView,
  newest: Transaction | undefined,
  lagMillis: number
): Effect.fn.Return<SearchFindings, ReadError | EventUnreadable> {
  // An index of its own is compared document by document (`Indexed.ts`).
  if (stores.index !== undefined) return { searched: 0, notSearched: 0, differences: [] }
  const differences: Array<Difference> = []
  const found = yield* settledWallet(stores, wallet, lagMillis)
  if (found._tag === "Beyond") return { searched: 1, notSearched: 1, differences }
  const document = found._tag === "Found" ? found.value : undefined
  const moved = document !== undefined && document.version > wallet.version
  const expected = moved ? yield* viewAt(stores, wallet.id, document.version) : wallet
  const sides =
    expected === undefined
      ? { expected: "a version of the log", found: `version ${document?.version}` }
      : compareRecords(expected, document)
  if (sides !== undefined) differences.push(inSearch(wallet.id, "wallet by its id", sides))
  if (newest !== undefined) {
    const byId = yield* findIn(newest.id, (cursor) =>
      stores.readModel.searchTransactions({ q: newest.id, limit: pageSize, cursor })
    )
    const apart = compareRecords(newest, byId._tag === "Found" ? byId.value : undefined)
    if (apart !== undefined)
      differences.push(inSearch(wallet.id, `transaction of event ${newest.version} by its id`, apart))
  }
  return { searched: 1, notSearched: 0, differences }
})
