/**
 * Search for transactions: newest first is the order of positions, and of versions within a
 * wallet. Ways in, the first that there is: the key, the transfer, words that are rare, an id
 * among the words, the wallet, the owner's wallets if they are not too many, a rare type, and
 * else back from the newest.
 */
import * as Effect from "effect/Effect"
import type { Transaction } from "../../../domain/Wallet.ts"
import { decodeTransactionPlace, type Page, pageOfAllTransactions, type TransactionPlace } from "../../Page.ts"
import type { SearchError, TransactionSearch } from "../../ReadModel.ts"
import { int8, lower, text, texts, time } from "../Parameters.ts"
import {
  eventTransactionColumns,
  eventTypesOf,
  legTransactionColumns,
  ofType,
  transactionColumns,
  transactionOfRow
} from "../Rows.ts"
import { eventById, legById } from "./EventById.ts"
import { addAmountFilters, addFilters, ownerOf } from "./Filters.ts"
import type { Reader } from "./Reader.ts"
import { type PlacedSearch, searchByPlace } from "./PlacedSearch.ts"
import { RowQuery, type Walk, type Ways } from "./RowQuery.ts"
import { maxMerged, maxWallets, type Wallets } from "./Wallets.ts"
import { looksUp, resolveWords, type SearchWord, type SearchWords, wordConditions } from "./Words.ts"

/** The types whose events can be of a hold. */
const typesOfHold = ["HoldCaptured", "HoldCapturedTo", "TransferReversed", "OperationReversed"] as const
const common: ReadonlySet<string> = new Set(["WalletCredited", "WalletDebited"])
/** As the partial indexes have it. */
const isRare = "r.amount is not null and r.type not in ('WalletCredited', 'WalletDebited')"

/** Events that are transactions, and what transfers of several legs have made: looked at beside them, in the same ways. */
const events = { table: "events", columns: eventTransactionColumns("r") }
const legs = { table: "leg_transactions", columns: legTransactionColumns("r") }

class Search implements PlacedSearch {
  readonly #query: TransactionSearch
  readonly #reader: Reader
  readonly #rows: RowQuery
  /** Placeholder of the position that all rows are before. */
  readonly #before: string | undefined

  readonly #beforeLeg: number

  constructor(reader: Reader, query: TransactionSearch, before: TransactionPlace | undefined, words: SearchWords) {
    this.#query = query
    this.#reader = reader
    const { limit } = query
    const rows = new RowQuery(events, { limit, walkedRows: reader.walkedRows, keys: ["position", "leg"] })
    this.#rows = rows
    this.#before = before === undefined ? undefined : rows.values.parameter(int8(before.at))
    this.#beforeLeg = before?.leg ?? 0
    addFilters(rows.filter(ofType(query.type, "r")), query, { created: "r.time", currency: "r.currency" })
    addAmountFilters(rows, query)
      .filterBy(query.walletId, (p) => `r.wallet_id = ${p}`, text)
      .filterBy(query.walletIds, (p) => `r.wallet_id = any (${p})`, texts)
      .filterBy(query.ownerId, (p) => `${ownerOf("r.wallet_id")} = ${p}`, text)
      .filterBy(query.effectiveFrom, (p) => `coalesce(r.effective_at, r.time) >= ${p}`, time)
      .filterBy(query.effectiveTo, (p) => `coalesce(r.effective_at, r.time) <= ${p}`, time)
      .filterBy(query.transferId, (p) => `r.transfer_id = ${p}`, text)
      .filterBy(query.refundOf, (p) => `r.refund_of = ${p}`, text)
      .filterBy(query.holdId, (p) => `r.hold_id = ${p}`, text)
      .filterBy(
        query.idempotencyKey,
        (p) => `r.key = ${p}`,
        (key) => text(`c:${key}`)
      )
      .filterAll(
        wordConditions(
          words,
          { words: "r.words", ids: ["r.id::text", "lower(r.wallet_id)", `lower(${ownerOf("r.wallet_id")})`] },
          rows.values
        )
      )
    if (query.ownerId !== undefined || looksUp(words)) rows.lookUp()
    if (this.#before !== undefined) rows.filter(`(r.position, r.leg) < (${this.#before}, ${this.#beforeLeg})`)
  }

  statement(ways: Ways): { readonly statement: string; readonly parameters: ReadonlyArray<unknown> } {
    return { statement: this.#rows.statement(transactionColumns, "e", ways), parameters: this.#rows.values.parameters }
  }

  byKey(walletId: string, key: string): Ways {
    const [wallet, own] = [this.#rows.values.parameter(text(walletId)), this.#rows.values.parameter(text(`c:${key}`))]
    const hash = `hashtextextended(${own}, hashtextextended(${wallet}, 0))`
    return [this.#rows.all("events r", `hashtextextended(r.key, hashtextextended(r.wallet_id, 0)) = ${hash}`)]
  }

  /** Its destination's rows have an index; its source's are where the transfer's row says. */
  byTransfer(transferId: string): Ways {
    const id = this.#rows.values.parameter(text(transferId))
    const ofTransfer = `lower(t.id) = ${lower(id)} and t.id = ${id}`
    const ofSource = (condition: string): string =>
      `transfers t cross join lateral (select * from events e where e.wallet_id = t.wallet_id and ${condition}) r`
    const reversed = `e.type = 'TransferReversed' and e.amount is not null and e.version > t.version
      and e.transfer_id = t.id order by e.version limit 1`
    return [
      this.#rows.all("events r", `r.transfer_id = ${id} and r.type in ('TransferReceived', 'OperationReversed')`),
      this.#rows.all(ofSource("e.version = t.version offset 0"), ofTransfer),
      this.#rows.all(ofSource(reversed), `${ofTransfer} and t.status = 'reversed'`),
      this.#allLegs("leg_transactions r", `r.transfer_id = ${id}`)
    ]
  }

  byOriginal(transactionId: string): Ways {
    return [this.#rows.all("events r", `r.refund_of = ${this.#rows.values.parameter(text(transactionId))}`)]
  }

  byWords(words: ReadonlyArray<string>): Ways {
    const condition = `r.words @> ${this.#rows.values.parameter(texts(words))}`
    return [this.#rows.all("events r", condition), this.#allLegs("leg_transactions r", condition)]
  }

  /** `undefined`: by its wallets it cannot be done. */
  byId({ event, wallets, word }: SearchWord): Ways | undefined {
    const ofWallets = wallets.count === 0 ? [] : this.byWallets(wallets)
    if (ofWallets === undefined) return undefined
    const ofEvent = event && eventById(word, event, this.#rows.values)
    const ofLeg = event && legById(word, event, this.#rows.values)
    return [
      ...this.byWords([word]),
      ...(ofEvent === undefined ? [] : [this.#rows.all(ofEvent.from, ofEvent.condition)]),
      ...(ofLeg === undefined ? [] : [this.#allLegs(ofLeg.from, ofLeg.condition)]),
      ...ofWallets
    ]
  }

  /** `undefined`: they are too many. */
  byWallets(wallets: Wallets): Ways | undefined {
    const { condition: conditionOf, count, events } = wallets
    const condition = conditionOf(this.#rows.values)
    if (count <= maxWallets && events <= this.#reader.walkedRows) {
      const each = (table: string) =>
        `wallets w cross join lateral (select * from ${table} e where e.wallet_id = w.id offset 0) r`
      return [this.#rows.all(each("events"), condition), this.#allLegs(each("leg_transactions"), condition)]
    }
    if (count > maxMerged) return undefined
    return [
      ...this.#rows.ofEach({ condition, count }, this.#ofWallet("w.id")),
      ...this.#rows.ofEach({ condition, count }, this.#legsOfWallet("w.id"))
    ]
  }

  byWallet(walletId: string): Ways {
    const id = this.#rows.values.parameter(text(walletId))
    return [...this.#rows.alongEach(this.#ofWallet(id)), ...this.#rows.alongEach(this.#legsOfWallet(id))]
  }

  byPlace(): Ways {
    const along: Walk = { by: ["r.position"], below: this.#before }
    const types = this.#rareTypes
    const ofLegs = this.#rows.along({
      in: legs,
      by: ["r.position", "r.leg"],
      below: this.#before === undefined ? undefined : `${this.#before}, ${this.#beforeLeg}`
    })
    if (types === undefined) return [this.#rows.along(along), ofLegs]
    const ofTypes = types.map((one): Walk => ({ ...along, equal: [["r.type", `'${one}'`]], where: isRare }))
    return [...this.#rows.alongEach(ofTypes), ofLegs]
  }

  #allLegs(from: string, condition: string): string {
    return this.#rows.all(from, condition, undefined, legs)
  }

  #legsOfWallet(walletId: string): ReadonlyArray<Walk> {
    const { below, from } = this.#versions(walletId)
    // The last event of the page before may have further legs.
    const behind = below === undefined ? undefined : `${below} + 1, 0`
    return [{ in: legs, equal: [["r.wallet_id", walletId]], by: ["r.version", "r.leg"], below: behind, from }]
  }

  #ofWallet(walletId: string): ReadonlyArray<Walk> {
    const wallet = ["r.wallet_id", walletId] as const
    const along = { by: ["r.version"], ...this.#versions(walletId) }
    const types = this.#rareTypes
    if (types === undefined) return [{ ...along, equal: [wallet] }]
    return types.map((one) => ({ ...along, equal: [wallet, ["r.type", `'${one}'`]], where: isRare }))
  }

  /** `undefined`: others are asked for, too. */
  get #rareTypes(): ReadonlyArray<string> | undefined {
    const { holdId, type } = this.#query
    const types = type !== undefined ? eventTypesOf[type] : holdId !== undefined ? typesOfHold : undefined
    return types === undefined || types.some((one) => common.has(one)) ? undefined : types
  }

  /** Where in its stream a wallet's rows are: versions go up with positions and times. */
  #versions(walletId: string): Pick<Walk, "below" | "from"> {
    const { from, to } = this.#query
    const values = this.#rows.values
    const afterTime = (at: number): string => `version_after_time(${walletId}, ${values.parameter(time(at))})`
    const below = [
      ...(this.#before === undefined ? [] : [`version_from_position(${walletId}, ${this.#before})`]),
      ...(to === undefined ? [] : [afterTime(to)])
    ]
    return {
      below: below.length === 0 ? undefined : `least(${below.join(", ")})`,
      from: from === undefined ? undefined : afterTime(from - 1)
    }
  }
}

const narrower = "name a walletId, a transferId, a reference, a rarer word or an ownerId with fewer transactions"

export const searchTransactions = Effect.fnUntraced(function* (
  reader: Reader,
  query: TransactionSearch
): Effect.fn.Return<Page<Transaction>, SearchError> {
  const words = yield* resolveWords(reader, query.q, "transactions")
  if (words === undefined) return { data: [], next: null }
  return yield* searchByPlace(reader, query, words, {
    list: "transactions",
    make: (of, before) => new Search(of, query, before, words),
    decode: decodeTransactionPlace,
    page: pageOfAllTransactions,
    best: (search) => {
      if (query.refundOf !== undefined) return search.byOriginal(query.refundOf)
      return query.transferId === undefined ? undefined : search.byTransfer(query.transferId)
    },
    narrower,
    valueOf: transactionOfRow
  })
})
