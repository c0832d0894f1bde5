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
import type { InvalidRequest } from "../domain/Rejection.ts"
import type { Transaction } from "../domain/Wallet.ts"
import { decodePosition, encodePosition, pageOf } from "./ListCursor.ts"
import type { Page } from "./Page.ts"
import type { WalletView } from "./Persistence.ts"
import { ReadModel, type TransactionSearch, type WalletSearch } from "./ReadModel.ts"
import { queryWords } from "./SearchWords.ts"
import { SqlConditions } from "./SqlConditions.ts"
import { reading } from "./SqlFailure.ts"
import { int8, text, texts, uuid } from "./SqlParameters.ts"
import { transactionColumns, transactionOfRow, type TransactionRow, walletColumns, walletOf, type WalletRow } from "./SqlRows.ts"
import type { ReadError } from "./StoreError.ts"

export interface SqlReadModelOptions {
  /** Milliseconds; default 5,000. */
  readonly readTimeoutMillis?: number | undefined
}

type Read = <A extends object>(
  statement: string,
  parameters: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<A>, ReadError>

const noPage: Page<never> = { data: [], next: null }

const searchWallets = Effect.fnUntraced(function* (
  read: Read,
  query: WalletSearch
): Effect.fn.Return<Page<WalletView>, ReadError | InvalidRequest> {
  const before = yield* decodePosition(query.cursor)
  const words = query.q === undefined ? undefined : queryWords(query.q)
  if (words?.length === 0) return noPage
  const where = new SqlConditions()
    .addIf(before, (p) => `position < ${p}`, int8)
    .addIf(query.ownerId, (p) => `lower(owner_id) = lower(${p}) and owner_id = ${p}`, text)
    .addIf(query.currency, (p) => `currency = ${p}`, text)
    .addIf(query.status, (p) => `status = ${p}`, text)
    .addIf(query.minBalance, (p) => `balance >= ${p}::numeric`, (balance) => text(String(balance)))
    .addIf(query.maxBalance, (p) => `balance <= ${p}::numeric`, (balance) => text(String(balance)))
    .addIf(words, (p) => `words @> ${p}`, texts)
  const rows = yield* read<WalletRow>(
    `select ${walletColumns} from wallets where ${where} order by position desc limit ${query.limit + 1}`,
    where.parameters
  )
  const page = pageOf(rows, query.limit, (last) => encodePosition(last.position))
  return { data: page.data.map(walletOf), next: page.next }
})

const types = ["credit", "debit", "capture", "transfer_in", "transfer_out", "reversal"] as const

const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** A word of the query, and the ids that it may be besides a word of reference or metadata. */
interface SearchWord {
  readonly word: string
  readonly isUuid: boolean
  /** Wallets whose id or ownerId it is. */
  readonly walletIds: ReadonlyArray<string>
}

const findWallets = `
select w.id, lower(w.id) as lower_id, lower(w.owner_id) as lower_owner_id from wallets w
where lower(w.id) = any($1) or lower(w.owner_id) = any($1)`

/** One look-up for all words. Ids are ASCII, so the database's `lower` is ours. */
const resolveWords = Effect.fnUntraced(function* (
  read: Read,
  words: ReadonlyArray<string>
): Effect.fn.Return<ReadonlyArray<SearchWord>, ReadError> {
  const rows = yield* read<{ readonly id: string; readonly lower_id: string; readonly lower_owner_id: string }>(
    findWallets,
    [texts(words)]
  )
  return words.map((word) => ({
    word,
    isUuid: uuidPattern.test(word),
    walletIds: rows.filter((row) => row.lower_id === word || row.lower_owner_id === word).map(({ id }) => id)
  }))
})

/** The ways in which a transaction can have a word. */
const waysOf = (where: SqlConditions, { isUuid, walletIds, word }: SearchWord): ReadonlyArray<string> => [
  `t.words @> ${where.parameter(texts([word]))}`,
  ...(isUuid ? [`t.id = ${where.parameter(uuid(word))}`] : []),
  ...(walletIds.length > 0 ? [`t.wallet_id = any(${where.parameter(texts(walletIds))})`] : [])
]

/**
 * Newest first along `(type, position)`: a few of each type, merged. For a rare word
 * the planner goes by the index of the words instead.
 */
const ofAllTypes = (query: TransactionSearch, where: string, limit: number): string => {
  const rows = (type: string) =>
    `select ${transactionColumns} from transactions t where t.type = ${type} and ${where}
     order by t.position desc limit ${limit}`
  if (query.type !== undefined) return rows(`'${types.find((type) => type === query.type) ?? ""}'`)
  return types.map((type) => `(${rows(`'${type}'`)})`).join(" union all ")
}

/** Newest first of some wallets: a few of each, merged. */
const ofWallets = (wallets: string, before: string | undefined, where: string, limit: number): string => `
  select t.* from (${wallets}) w cross join lateral (
    select ${transactionColumns} from transactions t
    where t.wallet_id = w.id ${before === undefined ? "" : `and t.version < version_from_position(w.id, ${before})`}
      and ${where}
    order by t.version desc limit ${limit}
  ) t`

/**
 * Where every word may be an id, the ways of the first one are gone one by one;
 * else the plain words lead.
 */
const branchesOf = (
  query: TransactionSearch,
  where: SqlConditions,
  words: ReadonlyArray<SearchWord>,
  before: string | undefined,
  limit: number
): ReadonlyArray<string> => {
  const position = before === undefined ? "true" : `t.position < ${before}`
  const owner =
    query.ownerId === undefined
      ? undefined
      : ((p: string) => `select id from wallets where lower(owner_id) = lower(${p}) and owner_id = ${p}`)(
          where.parameter(text(query.ownerId))
        )
  const typed = query.type === undefined ? "true" : `t.type = ${where.parameter(text(query.type))}`
  const ofOwner = owner === undefined ? "true" : `t.wallet_id in (${owner})`
  const plain = words.filter(({ isUuid, walletIds }) => !isUuid && walletIds.length === 0).map(({ word }) => word)
  const others = words.filter(({ isUuid, walletIds }) => isUuid || walletIds.length > 0)
  const [first, ...rest] = plain.length > 0 ? [undefined, ...others] : others
  const filters = [
    ...(plain.length > 0 ? [`t.words @> ${where.parameter(texts(plain))}`] : []),
    ...rest.map((word) => `(${waysOf(where, word!).join(" or ")})`)
  ]
  const filter = filters.length === 0 ? "true" : filters.join(" and ")
  if (first === undefined) {
    return owner !== undefined && plain.length === 0
      ? [ofWallets(owner, before, `${typed} and ${filter}`, limit)]
      : [ofAllTypes(query, `${position} and ${ofOwner} and ${filter}`, limit)]
  }
  const branches = [
    ofAllTypes(query, `${position} and ${ofOwner} and ${filter} and t.words @> ${where.parameter(texts([first.word]))}`, limit)
  ]
  if (first.isUuid) {
    const id = where.parameter(uuid(first.word))
    branches.push(`select ${transactionColumns} from transactions t
      where t.id = ${id} and ${position} and ${typed} and ${ofOwner} and ${filter}`)
  }
  if (first.walletIds.length > 0) {
    const ids = `select unnest(${where.parameter(texts(first.walletIds))}) as id`
    branches.push(ofWallets(ids, before, `${typed} and ${ofOwner} and ${filter}`, limit))
  }
  return branches
}

const searchTransactions = Effect.fnUntraced(function* (
  read: Read,
  query: TransactionSearch
): Effect.fn.Return<Page<Transaction>, ReadError | InvalidRequest> {
  const before = yield* decodePosition(query.cursor)
  const asked = query.q === undefined ? undefined : queryWords(query.q)
  if (asked?.length === 0) return noPage
  const words = asked === undefined ? [] : yield* resolveWords(read, asked)
  const where = new SqlConditions()
  const limit = query.limit + 1
  const place = before === undefined ? undefined : where.parameter(int8(before))
  const branches = branchesOf(query, where, words, place, limit)
  const rows = yield* read<TransactionRow>(
    // A transaction may be found in several ways.
    `select distinct on (position) * from (${branches.map((branch) => `(${branch})`).join(" union all ")}) found
     order by position desc limit ${limit}`,
    where.parameters
  )
  const page = pageOf(rows, query.limit, (last) => encodePosition(last.position))
  return { data: page.data.map(transactionOfRow), next: page.next }
})

export const make = Effect.fnUntraced(function* (
  options: SqlReadModelOptions = {}
): Effect.fn.Return<ReadModel["Service"], never, SqlClient> {
  const sql = yield* SqlClient
  const within = reading("readModel", options.readTimeoutMillis ?? 5_000)
  const read: Read = <A extends object>(statement: string, parameters: ReadonlyArray<unknown>) =>
    within(sql.unsafe<A>(statement, parameters).unprepared)
  return ReadModel.of({
    searchWallets: (query) => searchWallets(read, query),
    searchTransactions: (query) => searchTransactions(read, query)
  })
})

export const layer = (options: SqlReadModelOptions = {}): Layer.Layer<ReadModel, never, SqlClient> =>
  Layer.effect(ReadModel, make(options))
