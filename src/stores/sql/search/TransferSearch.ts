/**
 * Search for transfers, as their source tells them: newest first is the order of positions, of
 * each status apart. Their words are those of the event that sent them.
 */
import * as Effect from "effect/Effect"
import type { Transfer, TransferStatus } from "../../../domain/Wallet.ts"
import type { Page } from "../../Page.ts"
import type { SearchError, TransferSearch } from "../../ReadModel.ts"
import { int8, text, texts } from "../Parameters.ts"
import { transferColumns, transferOfRow } from "../Rows.ts"
import { addAmountFilters, addFilters, ownerOf } from "./Filters.ts"
import type { Reader } from "./Reader.ts"
import { type PlacedSearch, searchByPlace } from "./PlacedSearch.ts"
import { RowQuery, type Walk, type Ways } from "./RowQuery.ts"
import { maxMerged, type Wallets } from "./Wallets.ts"
import { resolveWords, type SearchWord, type SearchWords, wordConditions } from "./Words.ts"

const statuses: ReadonlyArray<TransferStatus> = ["pending", "completed", "reversed"]
const sides = ["r.wallet_id", "r.to_wallet_id"] as const

/** Of the event that sent the transfer `r`. */
const sent = (column: string): string =>
  `(select s.${column} from events s where s.wallet_id = r.wallet_id and s.version = r.version)`

/** Transfers `r` of events `s` that sent them. */
const ofSent = `events s cross join lateral (
  select * from transfers t where t.wallet_id = s.wallet_id and t.id = s.transfer_id offset 0
) r`

/** As `TransferOwners.ts` has it: of a destination that was there before, or has received it. */
const owners = [
  ownerOf("r.wallet_id"),
  `(select o.owner_id from wallets o
    where o.id = r.to_wallet_id and (r.status = 'completed' or o.position < r.position))`
]

const idColumns = ["lower(r.id)", ...sides.map((side) => `lower(${side})`), ...owners.map((owner) => `lower(${owner})`)]

class Search implements PlacedSearch {
  readonly #rows: RowQuery
  readonly #statuses: ReadonlyArray<TransferStatus>
  /** Placeholder of the position that all rows are before. */
  readonly #before: string | undefined

  constructor(reader: Reader, query: TransferSearch, before: bigint | undefined, words: SearchWords) {
    const rows = new RowQuery("transfers", { limit: query.limit, walkedRows: reader.walkedRows })
    this.#rows = rows
    this.#statuses = query.status === undefined ? statuses : [query.status]
    this.#before = before === undefined ? undefined : rows.values.parameter(int8(before))
    if (this.#before !== undefined) rows.filter(`r.position < ${this.#before}`)
    addFilters(rows, query, { created: "r.created_at", currency: "r.currency" })
    addAmountFilters(rows, query)
      .filterBy(query.status, (p) => `r.status = ${p}`, text)
      .filterBy(query.walletId, (p) => `${p} in (r.wallet_id, r.to_wallet_id)`, text)
      .filterBy(query.ownerId, (p) => `${p} in (${owners.join(", ")})`, text)
      .filterBy(
        query.idempotencyKey,
        (p) => `${sent("key")} = ${p}`,
        (key) => text(`c:${key}`)
      )
      .filterAll(wordConditions(words, { words: sent("words"), ids: idColumns }, rows.values))
    const { idempotencyKey, ownerId, q } = query
    if (ownerId !== undefined || idempotencyKey !== undefined || q !== undefined) rows.lookUp()
  }

  statement(ways: Ways): { readonly statement: string; readonly parameters: ReadonlyArray<unknown> } {
    const columns = `${transferColumns}, null::timestamptz as received_at`
    return { statement: this.#rows.statement(columns, "t", ways), parameters: this.#rows.values.parameters }
  }

  byWords(words: ReadonlyArray<string>): string {
    const given = this.#rows.values.parameter(texts(words))
    return this.#rows.all(ofSent, `s.words @> ${given} and s.type = 'TransferSent'`)
  }

  /** `undefined`: by its wallets it cannot be done. */
  byId({ isTransfer, wallets, word }: SearchWord): Ways | undefined {
    const ofWallets = wallets.count === 0 ? [] : this.byWallets(wallets)
    if (ofWallets === undefined) return undefined
    const id = this.#rows.values.parameter(text(word))
    const itself = isTransfer ? [this.#rows.all("transfers r", `lower(r.id) = ${id}`)] : []
    return [this.byWords([word]), ...itself, ...ofWallets]
  }

  /** `undefined`: they are too many. */
  byWallets({ condition: conditionOf, count }: Wallets): Ways | undefined {
    if (count > maxMerged) return undefined
    const condition = conditionOf(this.#rows.values)
    return this.#rows.ofEach({ condition, count }, this.#walks(sides.map((side) => [side, "w.id"])))
  }

  byWallet(walletId: string): Ways {
    const id = this.#rows.values.parameter(text(walletId))
    return this.#rows.alongEach(this.#walks(sides.map((side) => [side, id])))
  }

  /** What the wallet has sent by the key; what it has received, by whosever. */
  byKey(walletId: string, key: string): Ways {
    const [wallet, own] = [this.#rows.values.parameter(text(walletId)), this.#rows.values.parameter(text(`c:${key}`))]
    const hash = `hashtextextended(${own}, hashtextextended(${wallet}, 0))`
    return [
      this.#rows.all(ofSent, `hashtextextended(s.key, hashtextextended(s.wallet_id, 0)) = ${hash}`),
      ...this.#rows.alongEach(this.#walks([["r.to_wallet_id", wallet]]))
    ]
  }

  byPlace(): Ways {
    return this.#rows.alongEach(this.#walks([undefined]))
  }

  /** Of each status apart, as the indexes have them. */
  #walks(sides: ReadonlyArray<readonly [column: string, walletId: string] | undefined>): ReadonlyArray<Walk> {
    return this.#statuses.flatMap((status) =>
      sides.map((side): Walk => ({
        equal: [...(side === undefined ? [] : [side]), ["r.status", `'${status}'`]],
        by: ["r.position"],
        below: this.#before
      }))
    )
  }
}

const narrower = "name a walletId, a reference, a rarer word or an ownerId with fewer wallets"

export const searchTransfers = Effect.fnUntraced(function* (
  reader: Reader,
  query: TransferSearch
): Effect.fn.Return<Page<Transfer>, SearchError> {
  const words = yield* resolveWords(reader, query.q, "transfers")
  if (words === undefined) return { data: [], next: null }
  return yield* searchByPlace(reader, query, words, {
    make: (of, before) => new Search(of, query, before, words),
    best: () => undefined,
    narrower,
    valueOf: transferOfRow
  })
})
