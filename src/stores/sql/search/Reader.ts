/** What the searches have in common: how they read, and how much they may look at. */
import * as Effect from "effect/Effect"
import { QueryTooWide, type ReadError } from "../../StoreError.ts"
import { texts } from "../Parameters.ts"

export interface Bounds {
  /** Up to so many rows that have the words asked for are fetched by the index of words and sorted. */
  readonly rareRows: number
  /** No more rows than about so many are looked at for one page. */
  readonly walkedRows: number
}

export interface Reader extends Bounds {
  readonly read: <A extends object>(
    statement: string,
    parameters: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<A>, ReadError>
}

/**
 * Whether words are rare. Counted, because the planner only guesses how rare a word
 * is, and a wrong guess walks over the whole table.
 */
export const areRare = (
  { rareRows, read }: Reader,
  table: "wallets" | "events",
  words: ReadonlyArray<string>
): Effect.Effect<boolean, ReadError> =>
  words.length === 0
    ? Effect.succeed(false)
    : Effect.map(
        read<{ readonly found: number }>(
          // The texts of legs have a table of their own.
          `select (${(table === "events" ? ["events", "legs"] : [table])
            .map((one) => `${one}_with_words($1, ${rareRows + 1})`)
            .join(" + ")})::int as found`,
          [texts(words)]
        ),
        ([row]) => row !== undefined && row.found <= rareRows
      )

/** Of the newest so many rows those that have a common word fill a page. */
const glanced = 2_000

/**
 * For a first look where words are asked for: to count the rows of a common word takes longer than to
 * find the newest of them.
 */
export const glancing = (reader: Reader): Reader => ({
  ...reader,
  walkedRows: Math.min(reader.walkedRows, glanced)
})

/** `narrow`: what would make the search one that can be answered. */
export const tooWide = ({ walkedRows }: Bounds, narrow: string): QueryTooWide =>
  new QueryTooWide({
    detail: `not answered by the newest ${walkedRows} rows it may look at: ${narrow}, or have Elasticsearch answer it`
  })
