/**
 * The words of rows that were written while search was in an index of its own, or of none: such a
 * row has none, and no search by words may pass it over in silence. Once search is in this database
 * the words are filled in, a few rows at a time, and until all are there a search that needs them
 * is answered as unavailable.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { type Metadata, noMetadata } from "../../domain/Limits.ts"
import { transactionWords, walletWords } from "../SearchWords.ts"
import { type ReadError, StoreUnavailable } from "../StoreError.ts"
import { reading } from "./Failure.ts"
import { text } from "./Parameters.ts"
import { ReadConnections } from "./ReadConnections.ts"
import type { Reader } from "./search/Reader.ts"

type Table = "events" | "wallets"

/** As the partial indexes have it. */
const missing: Readonly<Record<Table, string>> = {
  events: "words is null and amount is not null and (reference is not null or metadata is not null)",
  wallets: "words is null"
}

/** Rows a statement: each is written anew with all its index entries, some 0.2 ms. */
const filledAtOnce = 250

/** Between two looks when nothing was missing, ms: another node may still write for an index. */
const lookMillis = 60_000

/** After a failure, ms. */
const retryMillis = 1_000

/** Fails while some row's words are missing: what it would not find, nobody would miss. One look into an empty index. */
export const wordsAreThere = ({ read }: Reader, table: Table): Effect.Effect<void, ReadError> =>
  Effect.flatMap(read(`select from ${table} where ${missing[table]} limit 1`, []), (rows) =>
    rows.length === 0
      ? Effect.void
      : Effect.fail(
          new StoreUnavailable({
            store: "readModel",
            reason:
              "search by words, reference or metadata: the words of what was written for Elasticsearch are being filled in",
            retryAfter: 5_000
          })
        )
  )

interface EventTexts {
  readonly position: bigint
  readonly reference: string | null
  readonly metadata: Metadata | null
}

interface WalletTexts {
  readonly id: string
  readonly owner_id: string
  readonly metadata: Metadata | null
  /** As it stands there. */
  readonly raw: string | null
}

/** Some rows without words, as JSON with their words; and how they are written. */
interface Filling {
  readonly table: Table
  readonly rows: Effect.Effect<ReadonlyArray<object>, SqlError>
  readonly write: string
}

const fillings = (sql: SqlClient): ReadonlyArray<Filling> => [
  {
    table: "wallets",
    rows: Effect.map(
      sql.unsafe<WalletTexts>(
        `select id, owner_id, metadata, metadata::text as raw from wallets where ${missing.wallets} order by id limit ${filledAtOnce}`
      ),
      (rows) =>
        rows.map(({ id, metadata, owner_id: ownerId, raw }) => ({
          id,
          raw,
          words: walletWords({ id, ownerId, metadata: metadata ?? noMetadata })
        }))
    ),
    // One whose metadata has changed meanwhile is looked at again.
    write: `update wallets w set words = array(select json_array_elements_text(g.words))
      from json_to_recordset($1::json) as g (id text, raw text, words json)
      where w.id = g.id and w.words is null and w.metadata::text is not distinct from g.raw`
  },
  {
    table: "events",
    rows: Effect.map(
      sql.unsafe<EventTexts>(
        `select position, reference, metadata from events where ${missing.events} order by position limit ${filledAtOnce}`
      ),
      (rows) =>
        rows.map(({ metadata, position, reference }) => ({
          position: String(position),
          words: transactionWords({ reference, metadata: metadata ?? noMetadata })
        }))
    ),
    write: `update events e set words = array(select json_array_elements_text(g.words))
      from json_to_recordset($1::json) as g (position int8, words json)
      where e.position = g.position and e.words is null`
  }
]

/** All that is missing; answers when there is nothing left. */
const fill = Effect.fnUntraced(function* (
  sql: SqlClient,
  read: <A>(statement: Effect.Effect<A, SqlError>) => Effect.Effect<A, ReadError>
) {
  let filled = 0
  for (const { rows, write } of fillings(sql)) {
    for (;;) {
      const startedAt = yield* Clock.currentTimeMillis
      const given = yield* read(rows)
      if (given.length === 0) break
      if (filled === 0) yield* Effect.logInfo("search is in the database again: words that were not kept are filled in")
      yield* read(sql.unsafe(write, [text(JSON.stringify(given))]))
      filled += given.length
      // At most half the time: commands come first.
      yield* Effect.sleep((yield* Clock.currentTimeMillis) - startedAt)
    }
  }
  if (filled > 0) yield* Effect.logInfo(`the words of ${filled} rows are filled in: search finds all`)
})

/** Fills in what is missing, for as long as the layer lives. */
export const layer = (options: {
  readonly readTimeoutMillis?: number | undefined
}): Layer.Layer<never, never, SqlClient> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const inTurn = yield* ReadConnections
      const within = reading("readModel", options.readTimeoutMillis ?? 5_000)
      const again = Effect.matchEffect(
        fill(sql, (statement) => within(inTurn(statement))),
        {
          onSuccess: () => Effect.sleep(lookMillis),
          onFailure: (error) =>
            error._tag === "StoreDefect"
              ? Effect.andThen(
                  Effect.logWarning(`words for search cannot be filled in: ${error.reason}`),
                  Effect.sleep(lookMillis)
                )
              : // Who needs the store now tells of its outage.
                Effect.sleep(retryMillis)
        }
      )
      yield* Effect.forkScoped(Effect.forever(again))
    })
  )
