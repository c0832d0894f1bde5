/**
 * The statement of a search for transactions. There are several ways to a row, each
 * along an index and cut to a page; their rows are merged, newest first.
 *
 * A word of the query may be in reference or metadata, or it is an id: of the
 * transaction, its wallet or its owner. Words that can only be text lead where
 * there are any; else the ways of the first word are gone one by one.
 */
import type { placeOfEvent } from "../../domain/EventId.ts"
import type { TransactionSearch } from "../ReadModel.ts"
import { SqlConditions } from "./Conditions.ts"
import { int8, text, texts, time, uuid } from "./Parameters.ts"
import { ofType, transactionColumns } from "./Rows.ts"

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
  readonly #values = new SqlConditions()
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
