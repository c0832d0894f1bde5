/**
 * Search for holds: newest first by creation, wallet and id. No column has their words: rows that are
 * all else that was asked for are looked through for them here.
 */
import * as Effect from "effect/Effect"
import type { Hold } from "../../../domain/Wallet.ts"
import { decodeCreation, type HoldPlace, type Page, pageByCreation } from "../../Page.ts"
import type { HoldSearch, SearchError } from "../../ReadModel.ts"
import {
  asksNothing,
  foldCase,
  matchesWords,
  queryWords,
  type QueryWords,
  transactionWords
} from "../../SearchWords.ts"
import type { QueryTooWide, ReadError } from "../../StoreError.ts"
import { text, texts, time } from "../Parameters.ts"
import { holdColumns, holdOfRow, type HoldRow } from "../Rows.ts"
import { addAmountFilters, addFilters, ownerOf } from "./Filters.ts"
import { type Reader, tooWide } from "./Reader.ts"
import { backwards, type Marked, RowQuery, type Walk } from "./RowQuery.ts"
import { maxMerged, type Wallets, walletsOfIds, walletsOfOwner } from "./Wallets.ts"

/** A mark stands before all of its millisecond: of one wallet, rows behind it may come first there. */
const byCreation = ["r.created_at", "r.beyond", "r.wallet_id", "r.id"]
/** As the index has it. */
const created = ["r.created_at", "r.wallet_id", "r.id"]

/** Holds that are fetched at a time, to look through them for words. */
const chunk = 1_000
/** … and how often, for one page. */
const maxChunks = 5

type FoundRow = HoldRow & Marked & { readonly owner_id: string | null }

class Search {
  readonly #rows: RowQuery
  readonly #query: HoldSearch
  readonly #reader: Reader
  readonly #before: HoldPlace | undefined

  constructor(reader: Reader, query: HoldSearch, before: HoldPlace | undefined) {
    const rows = new RowQuery("holds", { limit: query.limit, walkedRows: reader.walkedRows })
    this.#rows = rows
    this.#query = query
    this.#reader = reader
    this.#before = before
    if (before !== undefined) rows.filter(this.#behind(before))
    addFilters(rows, query, {
      created: "r.created_at",
      currency: "(select o.currency from wallets o where o.id = r.wallet_id)"
    })
    if ((query.ownerId ?? query.currency ?? query.currencies) !== undefined) rows.lookUp()
    addAmountFilters(rows, query)
      .filterBy(query.status, (p) => `r.status = ${p}`, text)
      .filterBy(query.walletId, (p) => `r.wallet_id = ${p}`, text)
      .filterBy(query.walletIds, (p) => `r.wallet_id = any (${p})`, texts)
      .filterBy(query.ownerId, (p) => `${ownerOf("r.wallet_id")} = ${p}`, text)
      .filterBy(query.expiresBefore, (p) => `r.expires_at < ${p}`, time)
  }

  read(way: string): Effect.Effect<ReadonlyArray<FoundRow>, ReadError> {
    return this.#reader.read<FoundRow>(
      `select ${holdColumns}, ${ownerOf("r.wallet_id")} as owner_id, beyond from (${way}) r
      order by ${backwards(byCreation)} limit ${this.#query.limit + 1}`,
      this.#rows.values.parameters
    )
  }

  get way(): Effect.Effect<string, ReadError> {
    const { expiresBefore, ownerId, status, walletId, walletIds } = this.#query
    if (walletId !== undefined) return Effect.succeed(this.#ofWallet(this.#rows.values.parameter(text(walletId))))
    const due = status === "active" && expiresBefore !== undefined ? this.#due(expiresBefore) : Effect.undefined
    const wallets =
      walletIds !== undefined
        ? walletsOfIds(this.#reader, walletIds)
        : ownerId === undefined
          ? undefined
          : walletsOfOwner(this.#reader, ownerId)
    const ofWallets = wallets === undefined ? Effect.undefined : this.#ofWallets(wallets)
    return Effect.gen({ self: this }, function* () {
      return (yield* due) ?? (yield* ofWallets) ?? this.#ofAll()
    })
  }

  /** Those that are due before a time, when they are few. */
  #due(before: number): Effect.Effect<string | undefined, ReadError> {
    const { rareRows, read } = this.#reader
    const isDue = (p: string): string => `r.status = 'active' and r.expires_at is not null and r.expires_at < ${p}`
    const statement = `select count(*)::int as found from (select from holds r where ${isDue("$1")} limit ${rareRows + 1}) due`
    return Effect.map(read<{ readonly found: number }>(statement, [time(before)]), ([row]) =>
      row !== undefined && row.found <= rareRows
        ? this.#rows.all("holds r", isDue(this.#rows.values.parameter(time(before))), [
            "r.created_at + interval '0'",
            "r.wallet_id",
            "r.id"
          ])
        : undefined
    )
  }

  #ofWallets(wallets: Effect.Effect<Wallets, ReadError>): Effect.Effect<string | undefined, ReadError> {
    return Effect.map(wallets, ({ condition, count }) => {
      if (count > maxMerged) return undefined
      const bound = Math.max(1, Math.floor(this.#reader.walkedRows / Math.max(1, count)))
      const each = this.#ofWallet("w.id", bound)
      return `select r.* from wallets w cross join lateral (${each}) r where ${condition(this.#rows.values)}`
    })
  }

  #ofWallet(id: string, bound?: number): string {
    const { from, status, to } = this.#query
    const last = Math.min(to ?? Infinity, this.#before?.createdAt ?? Infinity)
    const after = (at: number): string => `version_after_time(${id}, ${this.#rows.values.parameter(time(at))})`
    const walk: Walk = {
      equal: [["r.wallet_id", id]],
      by: ["r.version"],
      below: last === Infinity ? undefined : after(last),
      from: from === undefined ? undefined : after(from - 1),
      // As the partial index has it.
      where: status === "active" ? "r.status = 'active'" : "true"
    }
    // Of one wallet that is the order of creation, but within a millisecond.
    return this.#rows.along(walk, { sorted: byCreation, ...(bound === undefined ? {} : { bound }) })
  }

  /** Back from the newest; what of the order is asked for is an end of the walk. */
  #ofAll(): string {
    const { to } = this.#query
    const until = to === undefined ? "true" : `r.created_at <= ${this.#rows.values.parameter(time(to))}`
    const where = this.#before === undefined ? until : this.#behind(this.#before)
    const { from } = this.#query
    const since = from === undefined ? undefined : this.#rows.values.parameter(time(from))
    return this.#rows.along({ by: created, from: since, where }, { sorted: byCreation })
  }

  #behind({ createdAt, id, walletId }: HoldPlace): string {
    const { values } = this.#rows
    const place = [time(createdAt), text(walletId), text(id)].map((value) => values.parameter(value))
    return `(r.created_at, r.wallet_id, r.id) < (${place.join(", ")})`
  }
}

const narrower = "name a walletId, a time or an ownerId with fewer wallets"

const pageOfRows = Effect.fnUntraced(function* (
  reader: Reader,
  query: HoldSearch,
  before: HoldPlace | undefined
): Effect.fn.Return<ReadonlyArray<FoundRow>, ReadError | QueryTooWide> {
  const search = new Search(reader, query, before)
  const rows = yield* search.read(yield* search.way)
  return rows.some(({ beyond }) => beyond) ? yield* tooWide(reader, narrower) : rows
})

const hasWords = (asked: QueryWords, row: FoundRow): boolean => {
  const ids = [row.id, row.wallet_id, ...(row.owner_id === null ? [] : [row.owner_id])]
  return matchesWords(asked, [...transactionWords(holdOfRow(row)), ...ids.map(foldCase)])
}

/** One more than a page takes, if there are so many. */
const searchWords = Effect.fnUntraced(function* (
  reader: Reader,
  query: HoldSearch,
  first: HoldPlace | undefined,
  asked: QueryWords
): Effect.fn.Return<ReadonlyArray<FoundRow>, ReadError | QueryTooWide> {
  const found: Array<FoundRow> = []
  let before = first
  for (let chunks = 0; chunks < maxChunks; chunks++) {
    const rows = yield* pageOfRows(reader, { ...query, limit: chunk }, before)
    found.push(...rows.slice(0, chunk).filter((row) => hasWords(asked, row)))
    if (rows.length <= chunk || found.length > query.limit) return found
    before = placeOf(rows[chunk - 1]!)
  }
  return yield* tooWide({ ...reader, walkedRows: chunk * maxChunks }, narrower)
})

const placeOf = (row: HoldRow): HoldPlace => ({
  createdAt: row.created_at.getTime(),
  walletId: row.wallet_id,
  id: row.id
})

export const searchHolds = Effect.fnUntraced(function* (
  reader: Reader,
  query: HoldSearch
): Effect.fn.Return<Page<Hold>, SearchError> {
  const before = yield* decodeCreation(query.cursor)
  const asked = query.q === undefined ? undefined : queryWords(query.q)
  if (asked !== undefined && asksNothing(asked)) return { data: [], next: null }
  const rows = yield* asked === undefined
    ? pageOfRows(reader, query, before)
    : searchWords(reader, query, before, asked)
  return pageByCreation("holds", rows.map(holdOfRow), query.limit, (hold) => hold)
})
