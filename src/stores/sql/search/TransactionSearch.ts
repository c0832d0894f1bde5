/**
 * Search for transactions: newest first is the order of positions, and of versions within a
 * wallet. Ways in, the first that there is: the key, the transfer, words that are rare, an id
 * among the words, the wallet, the owner's wallets if they are not too many, a rare type, and
 * else back from the newest.
 */
import * as Effect from "effect/Effect"
import type { Transaction } from "../../../domain/Wallet.ts"
import { decodePosition, type Page, pageByPosition } from "../../Page.ts"
import type { SearchError, TransactionSearch } from "../../ReadModel.ts"
import { int8, text, texts, time } from "../Parameters.ts"
import { eventTypesOf, ofType, transactionColumns, transactionOfRow, type TransactionRow } from "../Rows.ts"
import { eventById } from "./EventById.ts"
import { addAmountFilters, addFilters, ownerOf } from "./Filters.ts"
import { areRare, type Reader, tooWide } from "./Reader.ts"
import { type Marked, RowQuery } from "./RowQuery.ts"
import { maxMerged, type Wallets, walletsOfOwner } from "./Wallets.ts"
import { leadingId, resolveWords, type SearchWord, type SearchWords, wordConditions, wordsOfText } from "./Words.ts"

const byPosition = ["r.position"]
const byVersion = ["r.version"]

/** The types whose events can be of a hold. */
const typesOfHold = ["HoldCaptured", "OperationReversed"] as const
const common: ReadonlySet<string> = new Set(["WalletCredited", "WalletDebited"])

class Search {
  readonly #query: TransactionSearch
  readonly #reader: Reader
  readonly #rows: RowQuery
  /** Placeholder of the position that all rows are before. */
  readonly #before: string | undefined

  constructor(reader: Reader, query: TransactionSearch, before: bigint | undefined, words: SearchWords) {
    this.#query = query
    this.#reader = reader
    const rows = new RowQuery("events", { limit: query.limit, walkedRows: reader.walkedRows })
    this.#rows = rows
    this.#before = before === undefined ? undefined : rows.values.parameter(int8(before))
    addFilters(rows.filter(ofType(query.type, "r")), query, { created: "r.time", currency: "r.currency" })
    addAmountFilters(rows, query)
      .filterBy(query.walletId, (p) => `r.wallet_id = ${p}`, text)
      .filterBy(query.ownerId, (p) => `${ownerOf("r.wallet_id")} = ${p}`, text)
      .filterBy(query.transferId, (p) => `r.transfer_id = ${p}`, text)
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
    if (this.#before !== undefined) rows.filter(`r.position < ${this.#before}`)
  }

  statement(ways: ReadonlyArray<string>): { readonly statement: string; readonly parameters: ReadonlyArray<unknown> } {
    return { statement: this.#rows.statement(transactionColumns, "e", ways), parameters: this.#rows.values.parameters }
  }

  byKey(walletId: string, key: string): ReadonlyArray<string> {
    const [wallet, own] = [this.#rows.values.parameter(text(walletId)), this.#rows.values.parameter(text(`c:${key}`))]
    const hash = `hashtextextended(${own}, hashtextextended(${wallet}, 0))`
    return [this.#rows.all("events r", `hashtextextended(r.key, hashtextextended(r.wallet_id, 0)) = ${hash}`)]
  }

  /** Its destination's rows have an index; its source's are where the transfer's row says. */
  byTransfer(transferId: string): ReadonlyArray<string> {
    const id = this.#rows.values.parameter(text(transferId))
    const ofTransfer = `lower(t.id) = lower(${id}) and t.id = ${id}`
    const ofSource = (condition: string): string =>
      `transfers t cross join lateral (select * from events e where e.wallet_id = t.wallet_id and ${condition}) r`
    const reversed = `e.type = 'TransferReversed' and e.amount is not null and e.version > t.version
      and e.transfer_id = t.id order by e.version limit 1`
    return [
      this.#rows.all("events r", `r.transfer_id = ${id} and r.type in ('TransferReceived', 'OperationReversed')`),
      this.#rows.all(ofSource("e.version = t.version offset 0"), ofTransfer),
      this.#rows.all(ofSource(reversed), `${ofTransfer} and t.status = 'reversed'`)
    ]
  }

  byWords(words: ReadonlyArray<string>): string {
    return this.#rows.all("events r", `r.words @> ${this.#rows.values.parameter(texts(words))}`)
  }

  /** `undefined`: by its wallets it cannot be done. */
  byId({ event, wallets, word }: SearchWord): ReadonlyArray<string> | undefined {
    const ofWallets = wallets.count === 0 ? [] : this.byWallets(wallets)
    if (ofWallets === undefined) return undefined
    const ofEvent = event && eventById(word, event, this.#rows.values)
    return [
      this.byWords([word]),
      ...(ofEvent === undefined ? [] : [this.#rows.all(ofEvent.from, ofEvent.condition)]),
      ...ofWallets
    ]
  }

  /** `undefined`: they are too many. */
  byWallets(wallets: Wallets): ReadonlyArray<string> | undefined {
    const { condition: conditionOf, count, events } = wallets
    const condition = conditionOf(this.#rows.values)
    if (count <= this.#reader.walkedRows && events <= this.#reader.walkedRows) {
      const each = "(select * from events e where e.wallet_id = w.id offset 0)"
      return [this.#rows.all(`wallets w cross join lateral ${each} r`, condition)]
    }
    if (count > maxMerged) return undefined
    return this.#types.map((ofType) =>
      this.#rows.ofEach(
        { condition, count },
        `r.wallet_id = w.id and ${this.#versions("w.id")} and ${ofType}`,
        byVersion
      )
    )
  }

  byWallet(walletId: string): ReadonlyArray<string> {
    const id = this.#rows.values.parameter(text(walletId))
    return this.#types.map((ofType) =>
      this.#rows.along(`r.wallet_id = ${id} and ${this.#versions(id)} and ${ofType}`, byVersion)
    )
  }

  byPlace(): ReadonlyArray<string> {
    const before = this.#before === undefined ? "true" : `r.position < ${this.#before}`
    return this.#types.map((ofType) => this.#rows.along(`${before} and ${ofType}`, byPosition))
  }

  /** Of rare types each has its part of an index. */
  get #types(): ReadonlyArray<string> {
    const { holdId, type } = this.#query
    const types = type !== undefined ? eventTypesOf[type] : holdId !== undefined ? typesOfHold : undefined
    if (types === undefined || types.some((one) => common.has(one))) return ["true"]
    return types.map((one) => `r.amount is not null and r.type = '${one}'`)
  }

  /** Where in its stream a wallet's rows are: versions go up with positions and times. */
  #versions(walletId: string): string {
    const { from, to } = this.#query
    const values = this.#rows.values
    const afterTime = (at: number): string => `version_after_time(${walletId}, ${values.parameter(time(at))})`
    return [
      "true",
      ...(this.#before === undefined ? [] : [`r.version < version_from_position(${walletId}, ${this.#before})`]),
      ...(to === undefined ? [] : [`r.version < ${afterTime(to)}`]),
      ...(from === undefined ? [] : [`r.version >= ${afterTime(from - 1)}`])
    ].join(" and ")
  }
}

const waysTo = Effect.fnUntraced(function* (
  reader: Reader,
  search: Search,
  query: TransactionSearch,
  words: SearchWords
): Effect.fn.Return<ReadonlyArray<string>, SearchError> {
  const { idempotencyKey, ownerId, transferId, walletId } = query
  if (walletId !== undefined && idempotencyKey !== undefined) return search.byKey(walletId, idempotencyKey)
  if (transferId !== undefined) return search.byTransfer(transferId)
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

export const searchTransactions = Effect.fnUntraced(function* (
  reader: Reader,
  query: TransactionSearch
): Effect.fn.Return<Page<Transaction>, SearchError> {
  const before = yield* decodePosition(query.cursor)
  const words = yield* resolveWords(reader, query.q, "transactions")
  if (words === undefined) return { data: [], next: null }
  const search = new Search(reader, query, before, words)
  const { parameters, statement } = search.statement(yield* waysTo(reader, search, query, words))
  const rows = yield* reader.read<TransactionRow & Marked>(statement, parameters)
  if (rows.some(({ beyond }) => beyond)) return yield* tooWide(reader, narrower)
  return pageByPosition(rows, query.limit, transactionOfRow)
})

const narrower = "name a walletId, a transferId, a reference, a rarer word or an ownerId with fewer transactions"
