/** What the searches that list by position have in common: which way they take, and how a page is read. */
import * as Effect from "effect/Effect"
import type { ListKind, Page } from "../../Page.ts"
import type { InvalidRequest } from "../../../domain/Rejection.ts"
import type { AmountSearch, SearchError } from "../../ReadModel.ts"
import type { ReadError } from "../../StoreError.ts"
import { wordsAreThere } from "../MissingWords.ts"
import { areRare, glancing, type Reader, tooWide } from "./Reader.ts"
import type { Marked, Ways } from "./RowQuery.ts"
import { type Wallets, walletsOfIds, walletsOfOwner } from "./Wallets.ts"
import { asksWords, leadingId, type SearchWord, type SearchWords, wordsOfText } from "./Words.ts"

/** The ways in to the rows of one search. `undefined`: there is none that is bounded. */
export interface PlacedSearch {
  byKey(walletId: string, key: string): Ways
  byWords(words: ReadonlyArray<string>): Ways
  byId(id: SearchWord): Ways | undefined
  byWallet(walletId: string): Ways
  byWallets(wallets: Wallets): Ways | undefined
  byPlace(): Ways
  statement(ways: Ways): { readonly statement: string; readonly parameters: ReadonlyArray<unknown> }
}

interface PlacedQuery extends AmountSearch {
  readonly idempotencyKey?: string | undefined
}

const waysTo = Effect.fnUntraced(function* (
  reader: Reader,
  search: PlacedSearch,
  query: PlacedQuery,
  words: SearchWords
): Effect.fn.Return<Ways, ReadError> {
  const { idempotencyKey, ownerId, walletId, walletIds } = query
  if (walletId !== undefined && idempotencyKey !== undefined) return search.byKey(walletId, idempotencyKey)
  const text = wordsOfText(words, query)
  if (yield* areRare(reader, "events", text)) return search.byWords(text)
  const id = leadingId(words)
  if (id !== undefined && (yield* areRare(reader, "events", [id.word]))) {
    const ways = search.byId(id)
    if (ways !== undefined) return ways
  }
  if (walletId !== undefined) return search.byWallet(walletId)
  const ofWallets = walletIds === undefined ? undefined : search.byWallets(yield* walletsOfIds(reader, walletIds))
  if (ofWallets !== undefined) return ofWallets
  const ofOwner = ownerId === undefined ? undefined : search.byWallets(yield* walletsOfOwner(reader, ownerId))
  return ofOwner ?? search.byPlace()
})

/** One kind of search. */
export interface PlacedKind<S extends PlacedSearch, Place, Row extends object, A> {
  readonly list: ListKind
  readonly decode: (list: ListKind, cursor: string | undefined) => Effect.Effect<Place | undefined, InvalidRequest>
  readonly page: (list: ListKind, rows: ReadonlyArray<Row>, limit: number, valueOf: (row: Row) => A) => Page<A>
  readonly make: (reader: Reader, before: Place | undefined) => S
  /** A way that only this kind has, and that is better than all others. */
  readonly best: (search: S) => Ways | undefined
  /** What would make a search one that can be answered. */
  readonly narrower: string
  readonly valueOf: (row: Row) => A
}

export const searchByPlace = Effect.fnUntraced(function* <S extends PlacedSearch, Place, Row extends object, A>(
  reader: Reader,
  query: PlacedQuery,
  words: SearchWords,
  { best, decode, list, make, narrower, page, valueOf }: PlacedKind<S, Place, Row, A>
): Effect.fn.Return<Page<A>, SearchError> {
  const before = yield* decode(list, query.cursor)
  if (asksWords(words, query) || words.prefixes.length > 0) yield* wordsAreThere(reader, "events")
  const pageBy = Effect.fnUntraced(function* (
    of: Reader,
    waysOf: (search: S) => Effect.Effect<Ways, ReadError>
  ): Effect.fn.Return<Page<A>, SearchError> {
    const search = make(of, before)
    const { parameters, statement } = search.statement(yield* waysOf(search))
    const rows = yield* reader.read<Row & Marked>(statement, parameters)
    if (rows.some(({ beyond }) => beyond)) return yield* tooWide(of, narrower)
    return page(list, rows, query.limit, valueOf)
  })
  const first = pageBy(glancing(reader), (search) => Effect.succeed(search.byPlace()))
  const found = pageBy(reader, (search) => {
    const known = best(search)
    return known === undefined ? waysTo(reader, search, query, words) : Effect.succeed(known)
  })
  return yield* asksWords(words, query) ? Effect.catchTag(first, "QueryTooWide", () => found) : found
})
