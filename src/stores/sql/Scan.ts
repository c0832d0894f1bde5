/**
 * Reads the events of many wallets along the primary key, and what is derived of them as of one
 * moment; and looks at what no event and no value of the port shows: columns that repeat the event
 * or have to be empty, the words that search finds it by, whether the index on keys leads to it,
 * and where rows say that they come from.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { walletTag } from "../../domain/WalletTag.ts"
import type { WalletEvent } from "../../domain/Event.ts"
import type { Hold, Transfer } from "../../domain/Wallet.ts"
import { walletWords } from "../SearchWords.ts"
import type { EventUnreadable, ReadError } from "../StoreError.ts"
import type { RowFlaw, ScannedEvent, ScannedEvents, ScanPlace } from "../EventStore.ts"
import {
  lastId,
  completeTo,
  type DerivedRows,
  type ScannedRows,
  type WalletRange,
  type RowScan
} from "../WalletRows.ts"
import { wordsOf } from "./EventRows.ts"
import { columnsOf, wrongColumn } from "./EventColumns.ts"
import { int8, int8s, text, texts } from "./Parameters.ts"
import {
  eventColumns,
  type EventRow,
  recordedOf,
  holdColumns,
  holdOfRow,
  type HoldRow,
  transferColumns,
  transferOfRow,
  type TransferRow,
  walletColumns,
  walletOf,
  type WalletRow
} from "./Rows.ts"

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

const wordsFlaw = (row: ScannedRow, event: WalletEvent): RowFlaw | undefined => {
  const { words: found } = row
  // Not written yet, which every search looks for itself.
  if (found === null) return undefined
  const expected = wordsOf(event, columnsOf(event, false)) ?? noWords
  const same = expected.length === found.length && expected.every((word) => found.includes(word))
  return same ? undefined : flaw(row, "search words", expected.join(" "), found.join(" "))
}

const flawsOf = (rows: ReadonlyArray<ScannedRow>, events: ReadonlyArray<ScannedEvent>, words: boolean) => {
  const flaws: Array<RowFlaw> = []
  for (const [index, row] of rows.entries()) {
    const { event } = events[index]!.recorded
    const wrong = wrongColumn(row, event)
    if (wrong !== undefined) flaws.push(flaw(row, `column ${wrong.name}`, wrong.expected, wrong.found))
    const found = words ? wordsFlaw(row, event) : undefined
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

export interface ScanOptions {
  /** Search is in this database. */
  readonly words: boolean
  readonly read: <A>(statement: Effect.Effect<A, SqlError>) => Effect.Effect<A, ReadError>
}

export const eventScan =
  (sql: SqlClient, { read, words }: ScanOptions) =>
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
      const parameters = [text(walletId), int8(version), text(to ?? lastId), int8(limit)]
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

const readBehind = "select id from wallets where id > $1 order by id offset $2 limit 1"

const readWallets = `
select ${walletColumns}, tag, words from wallets where id > $1 and id <= $2 order by id limit $3`

const readHolds = `
select wallet_id, ${holdColumns} from holds where wallet_id > $1 and wallet_id <= $2 order by wallet_id, id limit $3`

const readTransfers = `
select ${transferColumns}, null::timestamptz as received_at from transfers t
where t.wallet_id > $1 and t.wallet_id <= $2 order by t.wallet_id, t.id limit $3`

const readRefusals = `
select wallet_id from refusals where wallet_id > $1 and wallet_id <= $2 order by wallet_id, version limit $3`

/** Rows of holds, transfers and legs that do not say where they come from: their places in the lists. */
const readMisplaced = `
select h.wallet_id, 'hold ' || h.id as what, h.version from holds h
where h.wallet_id > $1 and h.wallet_id <= $2 and not exists (
  select from events e where e.wallet_id = h.wallet_id and e.version = h.version and e.type = 'HoldPlaced'
    and e.hold_id = h.id)
union all
select t.wallet_id, 'transfer ' || t.id, t.version from transfers t
where t.wallet_id > $1 and t.wallet_id <= $2 and not exists (
  select from events e where e.wallet_id = t.wallet_id and e.version = t.version
    and e.type in ('TransferSent', 'HoldCapturedTo', 'LegsBegun') and e.transfer_id = t.id and e.position = t.position)
union all
select distinct l.wallet_id, 'legs of transfer ' || l.transfer_id, l.version from legs l
where l.wallet_id > $1 and l.wallet_id <= $2 and l.version is not null and not exists (
  select from events e where e.wallet_id = l.wallet_id and e.version = l.version and e.type = 'LegsApplied'
    and e.transfer_id = l.transfer_id and e.position = l.position)`

/** All statements that follow in the transaction see the same. */
const oneMoment = "set transaction isolation level repeatable read, read only"

interface ScannedWallet extends WalletRow {
  readonly tag: string
  readonly words: ReadonlyArray<string> | null
}

interface ScannedHold extends HoldRow {
  readonly wallet_id: string
}

interface OfWallet {
  readonly wallet_id: string
}

interface Misplaced extends OfWallet {
  readonly what: string
  readonly version: bigint
}

/** Of one wallet while it is put together. */
interface Gathered {
  readonly walletId: string
  wallet: DerivedRows["wallet"]
  readonly holds: Array<Hold>
  readonly transfers: Array<Transfer>
  refusals: number
  readonly whole: boolean
}

const walletFlaws = (row: ScannedWallet, words: boolean): ReadonlyArray<RowFlaw> => {
  const flaws: Array<RowFlaw> = []
  const add = (what: string, expected: string, found: string) => flaws.push({ walletId: row.id, what, expected, found })
  const tag = walletTag(row.id)
  if (row.tag !== tag) add("tag of the wallet row", tag, row.tag)
  if (!words || row.words === null) return flaws
  const expected = walletWords(walletOf(row)).toSorted()
  const found = row.words.toSorted()
  if (expected.join(" ") !== found.join(" ")) add("search words of the wallet row", expected.join(" "), found.join(" "))
  return flaws
}

const misplacedFlaw = ({ version, wallet_id, what }: Misplaced): RowFlaw => ({
  walletId: wallet_id,
  what: `place of ${what}`,
  expected: "that of the event that made it",
  found: `version ${version}`
})

const readRange = Effect.fnUntraced(function* (
  sql: SqlClient,
  range: WalletRange,
  maxRows: number,
  words: boolean
): Effect.fn.Return<ScannedRows, SqlError> {
  const select = <Row extends object>(statement: string) =>
    sql.unsafe<Row>(statement, [text(range.after), text(range.to ?? lastId), int8(maxRows + 1)])
  yield* sql.unsafe(oneMoment)
  const wallets = yield* select<ScannedWallet>(readWallets)
  const holds = yield* select<ScannedHold>(readHolds)
  const transfers = yield* select<TransferRow>(readTransfers)
  const refusals = yield* select<OfWallet>(readRefusals)
  const cutOf = (rows: ReadonlyArray<OfWallet>) => (rows.length > maxRows ? rows.at(-1)!.wallet_id : undefined)
  const cuts = [wallets.length > maxRows ? wallets.at(-1)!.id : undefined, ...[holds, transfers, refusals].map(cutOf)]
  const { giant, to } = completeTo(range, cuts)
  const end = to ?? lastId
  const gathered = new Map<string, Gathered>()
  const of = (walletId: string): Gathered | undefined => {
    if (walletId > end) return undefined
    const known = gathered.get(walletId)
    if (known !== undefined) return known
    const whole = walletId !== giant
    const made: Gathered = { walletId, wallet: undefined, holds: [], transfers: [], refusals: 0, whole }
    gathered.set(walletId, made)
    return made
  }
  const flaws: Array<RowFlaw> = []
  for (const row of wallets) {
    const entry = of(row.id)
    if (entry === undefined) continue
    entry.wallet = { view: walletOf(row), position: row.position }
    flaws.push(...walletFlaws(row, words))
  }
  for (const row of holds) of(row.wallet_id)?.holds.push(holdOfRow(row))
  for (const row of transfers) of(row.wallet_id)?.transfers.push(transferOfRow(row))
  for (const { wallet_id } of refusals) {
    const entry = of(wallet_id)
    if (entry !== undefined) entry.refusals += 1
  }
  const misplaced = yield* sql.unsafe<Misplaced>(readMisplaced, [text(range.after), text(end)])
  flaws.push(...misplaced.map(misplacedFlaw))
  const inOrder = Array.from(gathered.values()).sort((a, b) => (a.walletId < b.walletId ? -1 : 1))
  return { wallets: inOrder, to, flaws }
})

export const rowScan = (sql: SqlClient, { read, words }: ScanOptions): RowScan => ({
  walletBehind: (after, count) =>
    Effect.map(
      read(sql.unsafe<{ readonly id: string }>(readBehind, [text(after), int8(count - 1)])),
      ([row]) => row?.id
    ),
  rows: (range, maxRows) => read(sql.withTransaction(readRange(sql, range, maxRows, words)))
})
