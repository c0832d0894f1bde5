/** Several wallets that a search is about, and how much there is of them: that decides how to go through them. */
import * as Effect from "effect/Effect"
import type { ReadError } from "../../StoreError.ts"
import { type Conditions, lower, text, texts } from "../Parameters.ts"
import type { Reader } from "./Reader.ts"

export interface Wallets {
  /** On the table `wallets` under the name `w`. */
  readonly condition: (values: Conditions) => string
  /** Counted no further than just beyond the most that are ever gone through. */
  readonly count: number
  /** Of all their streams; of no use when there are more wallets than were counted. */
  readonly events: number
}

/** Of so many wallets the newest rows are looked up in each. */
export const maxMerged = 500
/** Of so many wallets all rows are fetched, if those are few. */
export const maxWallets = 2_000

interface CountRow {
  readonly word: string
  readonly wallets: number
  readonly events: string
}

const countOf = (condition: string): string =>
  `select count(*)::int as wallets, coalesce(sum(c.version + 1), 0)::text as events
  from (select w.version from wallets w where ${condition} limit ${maxWallets + 1}) c`

const ofOwner = (owner: string): string => `lower(w.owner_id) = ${lower(owner)} and w.owner_id = ${owner}`

export const walletsOfOwner = ({ read }: Reader, ownerId: string): Effect.Effect<Wallets, ReadError> =>
  Effect.map(read<CountRow>(countOf(ofOwner("$1")), [text(ownerId)]), ([row]) => ({
    condition: (values) => ofOwner(values.parameter(text(ownerId))),
    count: row!.wallets,
    events: Number(row!.events)
  }))

export const walletsOfIds = ({ read }: Reader, walletIds: ReadonlyArray<string>): Effect.Effect<Wallets, ReadError> =>
  Effect.map(read<CountRow>(countOf("w.id = any ($1)"), [texts(walletIds)]), ([row]) => ({
    condition: (values) => `w.id = any (${values.parameter(texts(walletIds))})`,
    count: row!.wallets,
    events: Number(row!.events)
  }))

const ofWord = (word: string): string => `(lower(w.owner_id) = ${word} or lower(w.id) = ${word})`

/** The wallets whose id or whose owner's id is the word, in any case. One statement for all words. */
export const walletsOfWord = (
  { read }: Reader,
  words: ReadonlyArray<string>
): Effect.Effect<(word: string) => Wallets, ReadError> =>
  Effect.map(
    read<CountRow>(
      `select a.word, n.wallets, n.events from unnest($1::text[]) a (word)
      cross join lateral (${countOf(ofWord("a.word"))}) n`,
      [texts(words)]
    ),
    (rows) => {
      const counts = new Map(rows.map((row) => [row.word, row]))
      return (word) => ({
        condition: (values) => ofWord(values.parameter(text(word))),
        count: counts.get(word)?.wallets ?? 0,
        events: Number(counts.get(word)?.events ?? 0)
      })
    }
  )
