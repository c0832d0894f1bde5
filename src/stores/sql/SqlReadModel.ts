/**
 * Search as queries over the tables of the transactional view: no second copy, so nothing lags and
 * nothing drifts.
 *
 * Newest first is the order of positions. Every statement is planned for the values asked for:
 * which index is the way to go depends on how rare they are.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { placeOfEvent } from "../../domain/EventId.ts"
import type { InvalidRequest } from "../../domain/Rejection.ts"
import type { Transaction } from "../../domain/Wallet.ts"
import { decodePosition, type Page, pageByPosition } from "../Page.ts"
import type { WalletView } from "../Persistence.ts"
import { type TransactionSearch, ReadModel, type WalletSearch } from "../ReadModel.ts"
import { queryWords } from "../SearchWords.ts"
import type { ReadError } from "../StoreError.ts"
import { reading } from "./Failure.ts"
import { Conditions, int8, text, texts, time, uuid } from "./Parameters.ts"
import { ReadConnections } from "./ReadConnections.ts"
import {
  ofType,
  transactionColumns,
  transactionOfRow,
  type TransactionRow,
  walletColumns,
  walletOf,
  type WalletRow
} from "./Rows.ts"

type EventPlace = NonNullable<ReturnType<typeof placeOfEvent>>

/** A word of the query, and the ids that it may be besides. */
export interface SearchWord {
  readonly word: string
  /** Where the event is whose id it may be. */
  readonly event: EventPlace | undefined
  /** Wallets whose id or ownerId it is. */
  readonly walletIds: ReadonlyArray<string>
}

const mayBeId = ({ event, walletIds }: SearchWord): boolean => event !== undefined || walletIds.length > 0

/** The words of which the text index is asked: all that are only text, else the first. */
export const leadingWords = (words: ReadonlyArray<SearchWord>): ReadonlyArray<string> => {
  const plain = words.filter((word) => !mayBeId(word))
  return (plain.length > 0 ? plain : words.slice(0, 1)).map(({ word }) => word)
}

export interface TransactionStatement {
  readonly statement: string
  readonly parameters: ReadonlyArray<unknown>
}

class Search {
  readonly #values = new Conditions()
  readonly #limit: number
  /** Placeholder of the position that all rows are before. */
  readonly #before: string | undefined
  /** The wallets of the owner asked for. */
  readonly #ownerWallets: string | undefined
  /** Conditions on every row but for its words. */
  readonly #always: string

  constructor(query: TransactionSearch, before: bigint | undefined) {
    this.#limit = query.limit + 1
    this.#before = before === undefined ? undefined : this.#values.parameter(int8(before))
    const owner = query.ownerId === undefined ? undefined : this.#values.parameter(text(query.ownerId))
    this.#ownerWallets =
      owner && `select id from wallets where lower(owner_id) = lower(${owner}) and owner_id = ${owner}`
    this.#always = [
      ...(this.#before === undefined ? [] : [`e.position < ${this.#before}`]),
      ...(this.#ownerWallets === undefined ? [] : [`e.wallet_id in (${this.#ownerWallets})`]),
      ofType(query.type)
    ].join(" and ")
  }

  statement(words: ReadonlyArray<SearchWord>, rare: boolean): TransactionStatement {
    const plain = words.filter((word) => !mayBeId(word))
    const ids = words.filter(mayBeId)
    const [first, ...others] = ids
    const branches =
      plain.length > 0 || first === undefined
        ? [this.#byWords(leadingWords(plain), ids, rare)]
        : [
            this.#byWords([first.word], others, rare),
            ...(first.event === undefined ? [] : [this.#byId(first.word, first.event, others)]),
            ...(first.walletIds.length > 0 ? [this.#byWallets(first.walletIds, others)] : [])
          ]
    return {
      // A transaction may be found in several ways.
      statement: `select distinct on (position) * from (${branches.map((rows) => `(${rows})`).join(" union all ")}) found
        order by position desc limit ${this.#limit}`,
      parameters: this.#values.parameters
    }
  }

  #where(...conditions: ReadonlyArray<string>): string {
    return [this.#always, ...conditions].join(" and ")
  }

  /** Each of these words is there, in one way or another. */
  #anyWay(words: ReadonlyArray<SearchWord>): ReadonlyArray<string> {
    return words.map(({ event, walletIds, word }) => {
      const ways = [`e.words @> ${this.#values.parameter(texts([word]))}`]
      if (event !== undefined) ways.push(`e.id = ${this.#values.parameter(uuid(word))}`)
      if (walletIds.length > 0) ways.push(`e.wallet_id = any(${this.#values.parameter(texts(walletIds))})`)
      return `(${ways.join(" or ")})`
    })
  }

  #byWords(words: ReadonlyArray<string>, others: ReadonlyArray<SearchWord>, rare: boolean): string {
    const conditions = [
      ...(words.length === 0 ? [] : [`e.words @> ${this.#values.parameter(texts(words))}`]),
      ...this.#anyWay(others)
    ]
    // Sorting by an expression keeps the planner from walking along the order instead.
    if (rare) return this.#rows(this.#where(...conditions), "e.position + 0 desc")
    if (this.#ownerWallets !== undefined) return this.#newestOf(this.#ownerWallets, conditions)
    return this.#rows(this.#where(...conditions), "e.position desc")
  }

  /** The id says whose it is and when it was: the wallet's stream is looked into at that time. */
  #byId(id: string, { tag, time: at }: EventPlace, others: ReadonlyArray<SearchWord>): string {
    const value = this.#values
    const wallets = `select id from wallets where tag = ${value.parameter(text(tag))}`
    const [from, to] = [value.parameter(time(at - 1)), value.parameter(time(at))]
    const where = this.#where(
      "e.wallet_id = w.id",
      `e.version >= version_after_time(w.id, ${from})`,
      `e.version < version_after_time(w.id, ${to})`,
      `e.id = ${value.parameter(uuid(id))}`,
      ...this.#anyWay(others)
    )
    return `select e.* from (${wallets}) w cross join lateral (${this.#rows(where, "e.version desc")}) e`
  }

  #byWallets(walletIds: ReadonlyArray<string>, others: ReadonlyArray<SearchWord>): string {
    return this.#newestOf(`select unnest(${this.#values.parameter(texts(walletIds))}) as id`, this.#anyWay(others))
  }

  #rows(where: string, order: string): string {
    return `select ${transactionColumns} from events e where ${where} order by ${order} limit ${this.#limit}`
  }

  /** A few of each wallet, merged. A wallet's versions go up with the positions. */
  #newestOf(wallets: string, conditions: ReadonlyArray<string>): string {
    const place = this.#before === undefined ? [] : [`e.version < version_from_position(w.id, ${this.#before})`]
    const rows = this.#rows(this.#where("e.wallet_id = w.id", ...place, ...conditions), "e.version desc")
    return `select e.* from (${wallets}) w cross join lateral (${rows}) e`
  }
}

/** `rare`: so few rows have the leading words that all of them can be fetched and sorted. */
export const transactionSearch = (
  query: TransactionSearch,
  before: bigint | undefined,
  words: ReadonlyArray<SearchWord>,
  rare: boolean
): TransactionStatement => new Search(query, before).statement(words, rare)

export interface SqlReadModelOptions {
  /** Milliseconds; default 5,000. */
  readonly readTimeoutMillis?: number | undefined
  /**
   * Rows; default 2,000. Up to so many with the words asked for are fetched by the
   * index of the words and sorted; more are met often enough on the way back from
   * the newest.
   */
  readonly rareRows?: number | undefined
}

interface Reader {
  readonly read: <A extends object>(
    statement: string,
    parameters: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<A>, ReadError>
  readonly rareRows: number
}

const noPage: Page<never> = { data: [], next: null }

/**
 * Whether words are rare. Counted, because the planner only guesses how rare a word
 * is, and a wrong guess walks over the whole table.
 */
const areRare = (
  { rareRows, read }: Reader,
  table: "wallets" | "events",
  words: ReadonlyArray<string>
): Effect.Effect<boolean, ReadError> =>
  Effect.map(
    read<{ readonly found: number }>(
      `select count(*)::int as found from (select from ${table} where words @> $1 limit ${rareRows + 1}) matching`,
      [texts(words)]
    ),
    ([row]) => row !== undefined && row.found <= rareRows
  )

/** An expression keeps the planner from walking along the order instead of sorting. */
const newestFirst = (sorted: boolean): string => (sorted ? "position + 0 desc" : "position desc")

const searchWallets = Effect.fnUntraced(function* (
  reader: Reader,
  query: WalletSearch
): Effect.fn.Return<Page<WalletView>, ReadError | InvalidRequest> {
  const before = yield* decodePosition(query.cursor)
  const words = query.q === undefined ? undefined : queryWords(query.q)
  if (words?.length === 0) return noPage
  const rare = words !== undefined && (yield* areRare(reader, "wallets", words))
  const where = new Conditions()
    .addIf(before, (p) => `position < ${p}`, int8)
    .addIf(query.ownerId, (p) => `lower(owner_id) = lower(${p}) and owner_id = ${p}`, text)
    .addIf(query.currency, (p) => `currency = ${p}`, text)
    .addIf(query.status, (p) => `status = ${p}`, text)
    .addIf(
      query.minBalance,
      (p) => `balance >= ${p}::numeric`,
      (balance) => text(String(balance))
    )
    .addIf(
      query.maxBalance,
      (p) => `balance <= ${p}::numeric`,
      (balance) => text(String(balance))
    )
    .addIf(words, (p) => `words @> ${p}`, texts)
  const rows = yield* reader.read<WalletRow>(
    `select ${walletColumns} from wallets where ${where} order by ${newestFirst(rare)} limit ${query.limit + 1}`,
    where.parameters
  )
  return pageByPosition(rows, query.limit, walletOf)
})

const findWallets = `
select w.id, lower(w.id) as lower_id, lower(w.owner_id) as lower_owner_id from wallets w
where lower(w.id) = any($1) or lower(w.owner_id) = any($1)`

/** One look-up for all words. Ids are ASCII, so the database's `lower` is ours. */
const resolveWords = Effect.fnUntraced(function* (
  { read }: Reader,
  words: ReadonlyArray<string>
): Effect.fn.Return<ReadonlyArray<SearchWord>, ReadError> {
  const rows = yield* read<{ readonly id: string; readonly lower_id: string; readonly lower_owner_id: string }>(
    findWallets,
    [texts(words)]
  )
  return words.map((word) => ({
    word,
    event: placeOfEvent(word),
    walletIds: rows.filter((row) => row.lower_id === word || row.lower_owner_id === word).map(({ id }) => id)
  }))
})

const searchTransactions = Effect.fnUntraced(function* (
  reader: Reader,
  query: TransactionSearch
): Effect.fn.Return<Page<Transaction>, ReadError | InvalidRequest> {
  const before = yield* decodePosition(query.cursor)
  const asked = query.q === undefined ? undefined : queryWords(query.q)
  if (asked?.length === 0) return noPage
  const words = asked === undefined ? [] : yield* resolveWords(reader, asked)
  const rare = words.length > 0 && (yield* areRare(reader, "events", leadingWords(words)))
  const { parameters, statement } = transactionSearch(query, before, words, rare)
  const rows = yield* reader.read<TransactionRow>(statement, parameters)
  return pageByPosition(rows, query.limit, transactionOfRow)
})

export const make = Effect.fnUntraced(function* (
  options: SqlReadModelOptions = {}
): Effect.fn.Return<ReadModel["Service"], never, SqlClient> {
  const sql = yield* SqlClient
  const inTurn = yield* ReadConnections
  const within = reading("readModel", options.readTimeoutMillis ?? 5_000)
  const reader: Reader = {
    read: <A extends object>(statement: string, parameters: ReadonlyArray<unknown>) =>
      within(inTurn(sql.unsafe<A>(statement, parameters).unprepared)),
    rareRows: options.rareRows ?? 2_000
  }
  return ReadModel.of({
    searchWallets: (query) => searchWallets(reader, query),
    searchTransactions: (query) => searchTransactions(reader, query)
  })
})

export const layer = (options: SqlReadModelOptions = {}): Layer.Layer<ReadModel, never, SqlClient> =>
  Layer.effect(ReadModel, make(options))
