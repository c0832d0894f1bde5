/**
 * Search for transfers, as their source tells them: newest first is the order of positions, of
 * each status apart. Their words are those of the event that sent them.
 */
import * as Effect from "effect/Effect"
import type { Transfer, TransferStatus } from "../../../domain/Wallet.ts"
import { decodePosition, type Page, pageByPosition } from "../../Page.ts"
import type { SearchError, TransferSearch } from "../../ReadModel.ts"
import { int8, text, texts } from "../Parameters.ts"
import { transferColumns, transferOfRow, type TransferRow } from "../Rows.ts"
import { addAmountFilters, addFilters, ownerOf } from "./Filters.ts"
import { areRare, type Reader, tooWide } from "./Reader.ts"
import { type Marked, RowQuery } from "./RowQuery.ts"
import { maxMerged, type Wallets, walletsOfOwner } from "./Wallets.ts"
import { leadingId, resolveWords, type SearchWord, type SearchWords, wordConditions, wordsOfText } from "./Words.ts"

const byPosition = ["r.position"]
const statuses: ReadonlyArray<TransferStatus> = ["pending", "completed", "reversed"]
const sides = ["r.wallet_id", "r.to_wallet_id"] as const

/** Of the event that sent the transfer `r`. */
const sent = (column: string): string =>
  `(select s.${column} from events s where s.wallet_id = r.wallet_id and s.version = r.version)`

/** Transfers `r` of events `s` that sent them. */
const ofSent = `events s cross join lateral (
  select * from transfers t where t.wallet_id = s.wallet_id and t.id = s.transfer_id offset 0
) r`

const idColumns = [
  "lower(r.id)",
  ...sides.map((side) => `lower(${side})`),
  ...sides.map((side) => `lower(${ownerOf(side)})`)
]

class Search {
  readonly #rows: RowQuery
  readonly #statuses: ReadonlyArray<TransferStatus>
  /** That all rows are before the place. */
  readonly #before: string

  constructor(reader: Reader, query: TransferSearch, before: bigint | undefined, words: SearchWords) {
    const rows = new RowQuery("transfers", { limit: query.limit, walkedRows: reader.walkedRows })
    this.#rows = rows
    this.#statuses = query.status === undefined ? statuses : [query.status]
    this.#before = before === undefined ? "true" : `r.position < ${rows.values.parameter(int8(before))}`
    addFilters(rows.filter(this.#before), query, { created: "r.created_at", currency: "r.currency" })
    addAmountFilters(rows, query)
      .filterBy(query.status, (p) => `r.status = ${p}`, text)
      .filterBy(query.walletId, (p) => `${p} in (r.wallet_id, r.to_wallet_id)`, text)
      .filterBy(query.ownerId, (p) => `${p} in (${sides.map(ownerOf).join(", ")})`, text)
      .filterBy(
        query.idempotencyKey,
        (p) => `${sent("key")} = ${p}`,
        (key) => text(`c:${key}`)
      )
      .filterAll(wordConditions(words, { words: sent("words"), ids: idColumns }, rows.values))
  }

  statement(ways: ReadonlyArray<string>): { readonly statement: string; readonly parameters: ReadonlyArray<unknown> } {
    const columns = `${transferColumns}, null::timestamptz as received_at`
    return { statement: this.#rows.statement(columns, "t", ways), parameters: this.#rows.values.parameters }
  }

  byWords(words: ReadonlyArray<string>): string {
    const given = this.#rows.values.parameter(texts(words))
    return this.#rows.all(ofSent, `s.words @> ${given} and s.type = 'TransferSent'`)
  }

  /** `undefined`: by its wallets it cannot be done. */
  byId({ isTransfer, wallets, word }: SearchWord): ReadonlyArray<string> | undefined {
    const ofWallets = wallets.count === 0 ? [] : this.byWallets(wallets)
    if (ofWallets === undefined) return undefined
    const id = this.#rows.values.parameter(text(word))
    const itself = isTransfer ? [this.#rows.all("transfers r", `lower(r.id) = ${id}`)] : []
    return [this.byWords([word]), ...itself, ...ofWallets]
  }

  /** `undefined`: they are too many. */
  byWallets(wallets: Wallets): ReadonlyArray<string> | undefined {
    if (wallets.count > maxMerged) return undefined
    const condition = wallets.condition(this.#rows.values)
    const each = { condition, count: wallets.count * sides.length * this.#statuses.length }
    return this.#each((status) =>
      sides.map((side) => this.#rows.ofEach(each, `${side} = w.id and ${status} and ${this.#before}`, byPosition))
    )
  }

  byWallet(walletId: string): ReadonlyArray<string> {
    const id = this.#rows.values.parameter(text(walletId))
    return this.#each((status) =>
      sides.map((side) => this.#rows.along(`${side} = ${id} and ${status} and ${this.#before}`, byPosition))
    )
  }

  /** What the wallet has sent by the key; what it has received, by whosever. */
  byKey(walletId: string, key: string): ReadonlyArray<string> {
    const [wallet, own] = [this.#rows.values.parameter(text(walletId)), this.#rows.values.parameter(text(`c:${key}`))]
    const hash = `hashtextextended(${own}, hashtextextended(${wallet}, 0))`
    return [
      this.#rows.all(ofSent, `hashtextextended(s.key, hashtextextended(s.wallet_id, 0)) = ${hash}`),
      ...this.#each((status) => [
        this.#rows.along(`r.to_wallet_id = ${wallet} and ${status} and ${this.#before}`, byPosition)
      ])
    ]
  }

  byPlace(): ReadonlyArray<string> {
    return this.#each((status) => [this.#rows.along(`${status} and ${this.#before}`, byPosition)])
  }

  #each(waysOf: (status: string) => ReadonlyArray<string>): ReadonlyArray<string> {
    return this.#statuses.flatMap((status) => waysOf(`r.status = '${status}'`))
  }
}

const waysTo = Effect.fnUntraced(function* (
  reader: Reader,
  search: Search,
  query: TransferSearch,
  words: SearchWords
): Effect.fn.Return<ReadonlyArray<string>, SearchError> {
  const { idempotencyKey, ownerId, walletId } = query
  if (walletId !== undefined && idempotencyKey !== undefined) return search.byKey(walletId, idempotencyKey)
  const text = wordsOfText(words, query)
  if (yield* areRare(reader, "events", text)) return [search.byWords(text)]
  const id = leadingId(words)
  if (id !== undefined && (yield* areRare(reader, "events", [id.word]))) {
    const ways = search.byId(id)
    if (ways !== undefined) return ways
  }
  if (walletId !== undefined) return search.byWallet(walletId)
  const ofOwner = ownerId === undefined ? undefined : search.byWallets(yield* walletsOfOwner(reader, ownerId))
  return ofOwner ?? search.byPlace()
})

export const searchTransfers = Effect.fnUntraced(function* (
  reader: Reader,
  query: TransferSearch
): Effect.fn.Return<Page<Transfer>, SearchError> {
  const before = yield* decodePosition(query.cursor)
  const words = yield* resolveWords(reader, query.q, "transfers")
  if (words === undefined) return { data: [], next: null }
  const search = new Search(reader, query, before, words)
  const { parameters, statement } = search.statement(yield* waysTo(reader, search, query, words))
  const rows = yield* reader.read<TransferRow & Marked>(statement, parameters)
  if (rows.some(({ beyond }) => beyond)) return yield* tooWide(reader, narrower)
  return pageByPosition(rows, query.limit, transferOfRow)
})

const narrower = "name a walletId, a reference, a rarer word or an ownerId with fewer wallets"
