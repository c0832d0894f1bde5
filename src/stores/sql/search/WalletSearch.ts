/** Search for wallets: newest first is the order of positions. */
import * as Effect from "effect/Effect"
import { noMetadata } from "../../../domain/Limits.ts"
import { decodePosition, type Page, pageByPosition } from "../../Page.ts"
import type { WalletView } from "../../Persistence.ts"
import type { SearchError, WalletSearch } from "../../ReadModel.ts"
import { asksNothing, queryWords, type QueryWords, transactionWords } from "../../SearchWords.ts"
import { wordsAreThere } from "../MissingWords.ts"
import { int8, lower, text, texts } from "../Parameters.ts"
import { walletColumns, walletOf, type WalletRow } from "../Rows.ts"
import { addFilters, numeric } from "./Filters.ts"
import { areRare, glancing, type Reader, tooWide } from "./Reader.ts"
import { type Marked, RowQuery, type Walk } from "./RowQuery.ts"
import { maxLeading, wordConditions } from "./Words.ts"

const walkTo = (rows: RowQuery, { currency, ownerId, status }: WalletSearch, below: string | undefined): Walk => {
  const along = { by: ["r.position"], below }
  const value = (given: string): string => rows.values.parameter(text(given))
  if (ownerId !== undefined) return { ...along, equal: [["lower(r.owner_id)", lower(value(ownerId)), "lower_owner"]] }
  // As the partial index has it.
  const partial = "r.status <> 'active'"
  if (status !== undefined && status !== "active") {
    return { ...along, equal: [["r.status", value(status)]], where: partial }
  }
  return currency === undefined ? along : { ...along, equal: [["r.currency", value(currency)]] }
}

const noWords: QueryWords = { words: [], prefixes: [] }

/** `leading`: the words to go by; none: by the other filters. */
const pageBy = Effect.fnUntraced(function* (
  reader: Reader,
  query: WalletSearch,
  { prefixes, words }: QueryWords,
  leading: ReadonlyArray<string>
): Effect.fn.Return<Page<WalletView>, SearchError> {
  const before = yield* decodePosition("wallets", query.cursor)
  const rows = new RowQuery("wallets", { limit: query.limit, walkedRows: reader.walkedRows })
  const below = before === undefined ? undefined : rows.values.parameter(int8(before))
  if (below !== undefined) rows.filter(`r.position < ${below}`)
  const asked = { words: words.map((word) => ({ word, mayBeId: false })), prefixes }
  addFilters(rows, query, { created: "r.created_at", currency: "r.currency" })
    .filterBy(query.walletIds, (p) => `r.id = any (${p})`, texts)
    .filterBy(query.ownerId, (p) => `r.owner_id = ${p}`, text)
    .filterBy(query.status, (p) => `r.status = ${p}`, text)
    .filterBy(query.minBalance, (p) => `r.balance >= ${p}::numeric`, numeric)
    .filterBy(query.maxBalance, (p) => `r.balance <= ${p}::numeric`, numeric)
    .filterAll(wordConditions(asked, { words: "r.words", ids: [] }, rows.values))
  const way =
    leading.length > 0
      ? rows.all("wallets r", `r.words @> ${rows.values.parameter(texts(leading))}`)
      : query.walletIds !== undefined
        ? rows.all("wallets r", `r.id = any (${rows.values.parameter(texts(query.walletIds))})`)
        : rows.along(walkTo(rows, query, below))
  const statement = rows.statement(walletColumns, "w", [way])
  const found = yield* reader.read<WalletRow & Marked>(statement, rows.values.parameters)
  if (found.some(({ beyond }) => beyond)) return yield* tooWide(reader, "name an ownerId or a rarer word")
  return pageByPosition("wallets", found, query.limit, walletOf)
})

export const searchWallets = Effect.fnUntraced(function* (
  reader: Reader,
  query: WalletSearch
): Effect.fn.Return<Page<WalletView>, SearchError> {
  const asked = query.q === undefined ? noWords : queryWords(query.q)
  if (query.q !== undefined && asksNothing(asked)) return { data: [], next: null }
  const exact = transactionWords({ reference: null, metadata: query.metadata ?? noMetadata })
  const leading = [...new Set([...asked.words, ...exact])].slice(0, maxLeading)
  if (leading.length > 0 || asked.prefixes.length > 0) yield* wordsAreThere(reader, "wallets")
  const first = pageBy(glancing(reader), query, asked, [])
  const found = Effect.flatMap(areRare(reader, "wallets", leading), (rare) =>
    pageBy(reader, query, asked, rare ? leading : [])
  )
  return yield* leading.length > 0 ? Effect.catchTag(first, "QueryTooWide", () => found) : found
})
