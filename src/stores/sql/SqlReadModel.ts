/**
 * Search as queries over the tables of the transactional view: no second copy, so
 * nothing lags and nothing drifts.
 *
 * Newest first is the order of positions. Every statement is planned for the values
 * asked for: which index is the way to go depends on how rare they are.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { placeOfEvent } from "../../domain/EventId.ts"
import type { InvalidRequest } from "../../domain/Rejection.ts"
import type { Transaction } from "../../domain/Wallet.ts"
import { decodePosition, encodePosition, pageOf } from "../ListCursor.ts"
import type { Page } from "../Page.ts"
import type { WalletView } from "../Persistence.ts"
import { ReadModel, type TransactionSearch, type WalletSearch } from "../ReadModel.ts"
import { queryWords } from "../SearchWords.ts"
import { SqlConditions } from "./Conditions.ts"
import { reading } from "./Failure.ts"
import { int8, text, texts } from "./Parameters.ts"
import { transactionOfRow, type TransactionRow, walletColumns, walletOf, type WalletRow } from "./Rows.ts"
import { leadingWords, type SearchWord, transactionSearch } from "./TransactionSearch.ts"
import type { ReadError } from "../StoreError.ts"

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
  const where = new SqlConditions()
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
  const page = pageOf(rows, query.limit, (last) => encodePosition(last.position))
  return { data: page.data.map(walletOf), next: page.next }
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
  const page = pageOf(rows, query.limit, (last) => encodePosition(last.position))
  return { data: page.data.map(transactionOfRow), next: page.next }
})

export const make = Effect.fnUntraced(function* (
  options: SqlReadModelOptions = {}
): Effect.fn.Return<ReadModel["Service"], never, SqlClient> {
  const sql = yield* SqlClient
  const within = reading("readModel", options.readTimeoutMillis ?? 5_000)
  const reader: Reader = {
    read: <A extends object>(statement: string, parameters: ReadonlyArray<unknown>) =>
      within(sql.unsafe<A>(statement, parameters).unprepared),
    rareRows: options.rareRows ?? 2_000
  }
  return ReadModel.of({
    searchWallets: (query) => searchWallets(reader, query),
    searchTransactions: (query) => searchTransactions(reader, query)
  })
})

export const layer = (options: SqlReadModelOptions = {}): Layer.Layer<ReadModel, never, SqlClient> =>
  Layer.effect(ReadModel, make(options))
