/**
 * Reads the events of many wallets along the primary key, and looks at what no event
 * shows: columns that repeat the event or have to be empty, the words that search finds
 * it by, and whether the index on keys leads to it.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { type Metadata, noMetadata } from "../../domain/Limits.ts"
import { lastId, type RowFlaw, type ScannedEvent, type ScannedEvents, type ScanPlace } from "../RowScan.ts"
import { transactionWords } from "../SearchWords.ts"
import { wrongColumn } from "./EventColumns.ts"
import { int8, int8s, text, texts } from "./Parameters.ts"
import { eventColumns, type EventRow, recordedOf } from "./Rows.ts"
import type { EventUnreadable, ReadError } from "../StoreError.ts"

const scanEvents = `
select ${eventColumns}, words from events
where (wallet_id, version) > ($1, $2) and wallet_id <= $3 order by wallet_id, version limit $4`

interface ScannedRow extends EventRow {
  readonly words: ReadonlyArray<string> | null
}

/** Of the keys given the numbers of those that the index does not lead to. */
const missedKeys = `
select a.ord::int as ord
from unnest($1::text[], $2::text[], $3::int8[]) with ordinality as a (wallet_id, key, version, ord)
where not exists (
  select from (
    select e.wallet_id, e.key, e.version from events e
    where hashtextextended(e.key, hashtextextended(e.wallet_id, 0)) =
      hashtextextended(a.key, hashtextextended(a.wallet_id, 0))
    offset 0
  ) k
  where k.wallet_id = a.wallet_id and k.key = a.key and k.version = a.version
)`

/**
 * One event in so many is looked up by its key. A page of the index has some 300 entries:
 * that one is lost goes unseen once in 10^8 times.
 */
const keySample = 16

const flaw = ({ version, wallet_id }: EventRow, what: string, expected: string, found: string): RowFlaw => ({
  walletId: wallet_id,
  what: `${what} of event ${version}`,
  expected,
  found
})

const noWords: ReadonlyArray<string> = []

const wordsFlaw = (row: ScannedRow): RowFlaw | undefined => {
  const { amount, metadata, reference } = row
  if (row.words === null && (amount === null || (reference === null && metadata === null))) return undefined
  const known: Metadata = metadata ?? noMetadata
  const expected = amount === null ? noWords : transactionWords({ reference, metadata: known })
  const found = row.words ?? noWords
  const same = expected.length === found.length && expected.every((word) => found.includes(word))
  return same ? undefined : flaw(row, "search words", expected.join(" "), found.join(" "))
}

const flawsOf = (rows: ReadonlyArray<ScannedRow>, events: ReadonlyArray<ScannedEvent>, words: boolean) => {
  const flaws: Array<RowFlaw> = []
  for (const [index, row] of rows.entries()) {
    const { event } = events[index]!.recorded
    const wrong = wrongColumn(row, event)
    if (wrong !== undefined) flaws.push(flaw(row, `column ${wrong.name}`, wrong.expected, wrong.found))
    const found = words ? wordsFlaw(row) : undefined
    if (found !== undefined) flaws.push(found)
  }
  return flaws
}

const missedKeyFlaws = (
  sql: SqlClient,
  rows: ReadonlyArray<ScannedRow>
): Effect.Effect<ReadonlyArray<RowFlaw>, SqlError> => {
  const sample = rows.filter((_, index) => index % keySample === 0)
  const parameters = [
    texts(sample.map(({ wallet_id }) => wallet_id)),
    texts(sample.map(({ key }) => key)),
    int8s(sample.map(({ version }) => version))
  ]
  return Effect.map(sql.unsafe<{ readonly ord: number }>(missedKeys, parameters), (missed) =>
    missed.map(({ ord }) => flaw(sample[ord - 1]!, "key in the index", "to be found", "nothing"))
  )
}

export interface SqlScanOptions {
  /** Search is in this database. */
  readonly words: boolean
  readonly read: <A>(statement: Effect.Effect<A, SqlError>) => Effect.Effect<A, ReadError>
}

export const make =
  (sql: SqlClient, { read, words }: SqlScanOptions) =>
  ({
    after,
    limit,
    to
  }: {
    readonly after: ScanPlace
    readonly to: string | undefined
    readonly limit: number
  }): Effect.Effect<ScannedEvents, ReadError | EventUnreadable> =>
    Effect.gen(function* () {
      const { version, walletId } = after
      const parameters = [text(walletId), int8(BigInt(version)), text(to ?? lastId), int8(BigInt(limit))]
      const rows = yield* read(
        sql.unsafe<ScannedRow>(scanEvents, parameters) as Effect.Effect<ReadonlyArray<ScannedRow>, SqlError>
      )
      const events: Array<ScannedEvent> = []
      for (const row of rows) {
        const recorded = recordedOf(row)
        if (Result.isFailure(recorded)) return yield* recorded.failure.at(row.position)
        events.push({ position: row.position, recorded: recorded.success, currency: row.currency })
      }
      const flaws = flawsOf(rows, events, words)
      if (rows.length > 0) flaws.push(...(yield* read(missedKeyFlaws(sql, rows))))
      return { events, flaws }
    })
