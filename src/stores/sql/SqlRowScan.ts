/** Reads what is derived of many wallets, as of one moment, and looks at what no value of the port shows. */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { walletTag } from "../../domain/EventId.ts"
import type { Hold, Transfer } from "../../domain/Wallet.ts"
import type { RowScan } from "../Persistence.ts"
import { completeTo, type DerivedRows, lastId, type RowFlaw, type ScannedRows, type WalletRange } from "../RowScan.ts"
import { walletWords } from "../SearchWords.ts"
import { int8, text } from "./Parameters.ts"
import {
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
import type { ReadError } from "../StoreError.ts"

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

/** Rows of holds and transfers that do not say where they come from: their places in the lists. */
const readMisplaced = `
select h.wallet_id, 'hold ' || h.id as what, h.version from holds h
where h.wallet_id > $1 and h.wallet_id <= $2 and not exists (
  select from events e where e.wallet_id = h.wallet_id and e.version = h.version and e.type = 'HoldPlaced'
    and e.hold_id = h.id)
union all
select t.wallet_id, 'transfer ' || t.id, t.version from transfers t
where t.wallet_id > $1 and t.wallet_id <= $2 and not exists (
  select from events e where e.wallet_id = t.wallet_id and e.version = t.version and e.type = 'TransferSent'
    and e.transfer_id = t.id and e.position = t.position)`

/** All statements that follow in the transaction see the same. */
const oneMoment = "set transaction isolation level repeatable read, read only"

interface ScannedWallet extends WalletRow {
  readonly tag: string
  readonly words: ReadonlyArray<string>
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
  if (!words) return flaws
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
    sql.unsafe<Row>(statement, [text(range.after), text(range.to ?? lastId), int8(BigInt(maxRows + 1))])
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
  if (holds.length + transfers.length > 0) {
    const misplaced = yield* sql.unsafe<Misplaced>(readMisplaced, [text(range.after), text(end)])
    flaws.push(...misplaced.map(misplacedFlaw))
  }
  const inOrder = Array.from(gathered.values()).sort((a, b) => (a.walletId < b.walletId ? -1 : 1))
  return { wallets: inOrder, to, flaws }
})

export interface SqlRowScanOptions {
  /** Search is in this database. */
  readonly words: boolean
  readonly read: <A>(statement: Effect.Effect<A, SqlError>) => Effect.Effect<A, ReadError>
}

export const make = (sql: SqlClient, { read, words }: SqlRowScanOptions): RowScan => ({
  walletBehind: (after, count) =>
    Effect.map(
      read(sql.unsafe<{ readonly id: string }>(readBehind, [text(after), int8(BigInt(count - 1))])),
      ([row]) => row?.id
    ),
  rows: (range, maxRows) => read(sql.withTransaction(readRange(sql, range, maxRows, words)))
})
