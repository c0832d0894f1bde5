/** Search for wallets: newest first is the order of positions. */
import * as Effect from "effect/Effect"
import { noMetadata } from "../../../domain/Limits.ts"
import { decodePosition, type Page, pageByPosition } from "../../Page.ts"
import type { WalletView } from "../../Persistence.ts"
import type { SearchError, WalletSearch } from "../../ReadModel.ts"
import { asksNothing, queryWords, transactionWords } from "../../SearchWords.ts"
import { int8, text, texts } from "../Parameters.ts"
import { walletColumns, walletOf, type WalletRow } from "../Rows.ts"
import { addFilters, numeric } from "./Filters.ts"
import { areRare, type Reader, tooWide } from "./Reader.ts"
import { type Marked, RowQuery } from "./RowQuery.ts"
import { maxLeading, wordConditions } from "./Words.ts"

const order = ["r.position"]

const wayTo = (rows: RowQuery, { currency, ownerId, status }: WalletSearch, before: string): string => {
  if (ownerId !== undefined) {
    return rows.along(`lower(r.owner_id) = lower(${rows.values.parameter(text(ownerId))}) and ${before}`, order)
  }
  // As the partial index has it.
  if (status !== undefined && status !== "active") return rows.along(`r.status = '${status}' and ${before}`, order)
  if (currency === undefined) return rows.along(before, order)
  return rows.along(`r.currency = ${rows.values.parameter(text(currency))} and ${before}`, order)
}

const nothing: Page<never> = { data: [], next: null }

export const searchWallets = Effect.fnUntraced(function* (
  reader: Reader,
  query: WalletSearch
): Effect.fn.Return<Page<WalletView>, SearchError> {
  const before = yield* decodePosition(query.cursor)
  const asked = query.q === undefined ? undefined : queryWords(query.q)
  if (asked !== undefined && asksNothing(asked)) return nothing
  const { prefixes = [], words = [] } = asked ?? {}
  const exact = transactionWords({ reference: null, metadata: query.metadata ?? noMetadata })
  const leading = [...new Set([...words, ...exact])].slice(0, maxLeading)
  const rare = yield* areRare(reader, "wallets", leading)
  const rows = new RowQuery("wallets", { limit: query.limit, walkedRows: reader.walkedRows })
  const place = before === undefined ? "true" : `r.position < ${rows.values.parameter(int8(before))}`
  addFilters(rows, query, { created: "r.created_at", currency: "r.currency" })
    .filterBy(query.ownerId, (p) => `r.owner_id = ${p}`, text)
    .filterBy(query.status, (p) => `r.status = ${p}`, text)
    .filterBy(query.minBalance, (p) => `r.balance >= ${p}::numeric`, numeric)
    .filterBy(query.maxBalance, (p) => `r.balance <= ${p}::numeric`, numeric)
    .filterAll(
      wordConditions(
        { words: words.map((word) => ({ word, mayBeId: false })), prefixes },
        { words: "r.words", ids: [] },
        rows.values
      )
    )
  const way = rare
    ? rows.all("wallets r", `r.words @> ${rows.values.parameter(texts(leading))} and ${place}`)
    : wayTo(rows, query, place)
  const found = yield* reader.read<WalletRow & Marked>(
    rows.statement(walletColumns, "w", [way]),
    rows.values.parameters
  )
  if (found.some(({ beyond }) => beyond)) return yield* tooWide(reader, "name an ownerId or a rarer word")
  return pageByPosition(found, query.limit, walletOf)
})
