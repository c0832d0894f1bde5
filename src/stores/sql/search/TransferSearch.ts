/**
 * Search for transfers, as their source tells them: newest first is the order of positions, of
 * each status apart. Their words are those of the event that sent them.
 */
import * as Effect from "effect/Effect"
import type { Transfer, TransferStatus } from "../../../domain/Wallet.ts"
import { decodePosition, type Page, pageByPosition } from "../../Page.ts"
import type { SearchError, TransferSearch } from "../../ReadModel.ts"
import { int8, text, texts, time } from "../Parameters.ts"
import { transactionIdColumns, transferColumns, transferOfRow } from "../Rows.ts"
import { numeric, ownerOf } from "./Filters.ts"
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

/** Columns of the table, which those of the view begin with. */
const columns = `${transferColumns.replaceAll("t.", "r.")}, r.version`
const ofAll = { table: "transfers", columns }
const ofLegs = { table: "leg_transfers", columns }

/** All wallets of a transfer of several legs but its source; a column of theirs. */
const members = (column: string): string =>
  `array(select ${column} from transfer_wallets m where m.source_id = r.wallet_id and m.transfer_id = r.id)`

/** … one of which is among these. */
const isMember = (walletIds: string): string =>
  `exists (select from transfer_wallets m
    where m.source_id = r.wallet_id and m.transfer_id = r.id and m.wallet_id = any (${walletIds}))`

/** A condition on the transfer itself, or on one of several legs `l`. */
const ofAnyLeg = (itself: string, leg: string): string =>
  `(${itself} or (r.legs is not null and exists (select from json_array_elements(r.legs) l where ${leg})))`

/** As `TransferOwners.ts` has it: of a destination that was there before, or has received it. */
const owners = [
  ownerOf("r.wallet_id"),
  `(select o.owner_id from wallets o
    where o.id = r.to_wallet_id and (r.status = 'completed' or o.position < r.position))`
]

const idColumns = ["lower(r.id)", ...sides.map((side) => `lower(${side})`), ...owners.map((owner) => `lower(${owner})`)]

const idLists = [members("lower(m.wallet_id)"), members(`lower(${ownerOf("m.wallet_id")})`)]

/** Of several legs one of them is as it was asked for, or the transfer itself. */
const addLegFilters = (rows: RowQuery, query: TransferSearch): RowQuery => {
  const { currencies, currency, maxAmount, metadata = {}, minAmount, reference } = query
  const { values } = rows
  const bounds = [
    ...(minAmount === undefined ? [] : [`>= ${values.parameter(numeric(minAmount))}::numeric`]),
    ...(maxAmount === undefined ? [] : [`<= ${values.parameter(numeric(maxAmount))}::numeric`])
  ]
  if (bounds.length > 0) {
    const within = (amount: string): string => bounds.map((bound) => `${amount} ${bound}`).join(" and ")
    rows.filter(ofAnyLeg(`(${within("r.amount")})`, within("(l.value ->> 'amount')::numeric")))
  }
  for (const [key, value] of Object.entries(metadata)) {
    const [name, is] = [values.parameter(text(key)), values.parameter(text(value))]
    rows.filter(ofAnyLeg(`r.metadata ->> ${name} = ${is}`, `l.value -> 'metadata' ->> ${name} = ${is}`))
  }
  return rows
    .filterBy(currency, (p) => ofAnyLeg(`r.currency = ${p}`, `l.value ->> 'currency' = ${p}`), text)
    .filterBy(currencies, (p) => ofAnyLeg(`r.currency = any (${p})`, `l.value ->> 'currency' = any (${p})`), texts)
    .filterBy(reference, (p) => ofAnyLeg(`r.reference = ${p}`, `l.value ->> 'reference' = ${p}`), text)
}

class Search implements PlacedSearch {
  readonly #rows: RowQuery
  readonly #statuses: ReadonlyArray<TransferStatus>
  /** Placeholder of the position that all rows are before. */
  readonly #before: string | undefined

  constructor(reader: Reader, query: TransferSearch, before: bigint | undefined, words: SearchWords) {
    const rows = new RowQuery(ofAll, { limit: query.limit, walkedRows: reader.walkedRows })
    this.#rows = rows
    this.#statuses = query.status === undefined ? statuses : [query.status]
    this.#before = before === undefined ? undefined : rows.values.parameter(int8(before))
    if (this.#before !== undefined) rows.filter(`r.position < ${this.#before}`)
    addLegFilters(rows, query)
      .filterBy(query.status, (p) => `r.status = ${p}`, text)
      .filterBy(query.refundOf, (p) => `r.refund_of = ${p}`, text)
      .filterBy(query.from, (p) => `r.created_at >= ${p}`, time)
      .filterBy(query.to, (p) => `r.created_at <= ${p}`, time)
      .filterBy(
        query.walletId,
        (p) => `(${p} in (r.wallet_id, r.to_wallet_id) or ${p} = any (${members("m.wallet_id")}))`,
        text
      )
      .filterBy(
        query.walletIds,
        (p) => `(r.wallet_id = any (${p}) or r.to_wallet_id = any (${p}) or ${isMember(p)})`,
        texts
      )
      .filterBy(
        query.ownerId,
        (p) => `(${p} in (${owners.join(", ")}) or ${p} = any (${members(ownerOf("m.wallet_id"))}))`,
        text
      )
      .filterBy(
        query.idempotencyKey,
        (p) => `${sent("key")} = ${p}`,
        (key) => text(`c:${key}`)
      )
      .filterAll(wordConditions(words, { words: sent("words"), ids: idColumns, idLists }, rows.values))
    const { idempotencyKey, ownerId, q } = query
    if (ownerId !== undefined || idempotencyKey !== undefined || q !== undefined) rows.lookUp()
  }

  statement(ways: Ways): { readonly statement: string; readonly parameters: ReadonlyArray<unknown> } {
    const shown = `${transferColumns}, null::timestamptz as received_at, ${transactionIdColumns}`
    return { statement: this.#rows.statement(shown, "t", ways), parameters: this.#rows.values.parameters }
  }

  byOriginal(transferId: string): Ways {
    return [this.#rows.all("transfers r", `r.refund_of = ${this.#rows.values.parameter(text(transferId))}`)]
  }

  byWords(words: ReadonlyArray<string>): Ways {
    const given = this.#rows.values.parameter(texts(words))
    return [this.#rows.all(ofSent, `s.words @> ${given} and s.type in ('TransferSent', 'LegsBegun')`)]
  }

  /** `undefined`: by its wallets it cannot be done. */
  byId({ isTransfer, wallets, word }: SearchWord): Ways | undefined {
    const ofWallets = wallets.count === 0 ? [] : this.byWallets(wallets)
    if (ofWallets === undefined) return undefined
    const id = this.#rows.values.parameter(text(word))
    const itself = isTransfer ? [this.#rows.all("transfers r", `lower(r.id) = ${id}`)] : []
    return [...this.byWords([word]), ...itself, ...ofWallets]
  }

  /** `undefined`: they are too many. */
  byWallets({ condition: conditionOf, count }: Wallets): Ways | undefined {
    if (count > maxMerged) return undefined
    const condition = conditionOf(this.#rows.values)
    return this.#rows.ofEach({ condition, count }, this.#walksOf("w.id"))
  }

  byWallet(walletId: string): Ways {
    const id = this.#rows.values.parameter(text(walletId))
    return this.#rows.alongEach(this.#walksOf(id))
  }

  /** What the wallet has sent by the key; what it has received, by whosever. */
  byKey(walletId: string, key: string): Ways {
    const [wallet, own] = [this.#rows.values.parameter(text(walletId)), this.#rows.values.parameter(text(`c:${key}`))]
    const hash = `hashtextextended(${own}, hashtextextended(${wallet}, 0))`
    return [
      this.#rows.all(ofSent, `hashtextextended(s.key, hashtextextended(s.wallet_id, 0)) = ${hash}`),
      ...this.#rows.alongEach([...this.#walks([["r.to_wallet_id", wallet]]), ...this.#walksOfLegs(wallet)])
    ]
  }

  byPlace(): Ways {
    return this.#rows.alongEach(this.#walks([undefined]))
  }

  #walksOf(walletId: string): ReadonlyArray<Walk> {
    return [...this.#walks(sides.map((side) => [side, walletId])), ...this.#walksOfLegs(walletId)]
  }

  /** Of several legs, as another wallet than the source has them. */
  #walksOfLegs(walletId: string): ReadonlyArray<Walk> {
    return this.#walks([["r.member_id", walletId]]).map((walk) => ({ ...walk, in: ofLegs }))
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
    list: "transfers",
    make: (of, before) => new Search(of, query, before, words),
    decode: decodePosition,
    page: pageByPosition,
    best: (search) => (query.refundOf === undefined ? undefined : search.byOriginal(query.refundOf)),
    narrower,
    valueOf: transferOfRow
  })
})
