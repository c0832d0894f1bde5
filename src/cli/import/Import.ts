/**
 * Imports a file of movements as commands. Each row's idempotency key comes from the
 * row's own id: a second run, or one after a crash, finishes what is missing and
 * changes nothing else.
 *
 * Rows of one wallet are applied in the order of the file, those of different wallets
 * at the same time. Where the file has a balance column, the wallet's balance after
 * each row must be the bank's; the first row that does not fit stops the import.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { importKeyPrefix } from "../../domain/Limits.ts"
import {
  type Columns,
  formatDecimal,
  type Movement,
  type MovementRules,
  parseMovement,
  resolveColumns
} from "./Movement.ts"
import { type Applied, ImportTarget, type TargetFailed } from "./ImportTarget.ts"
import { type FileOptions, type FileRow, FileUnreadable, readRows } from "./MovementFile.ts"

/** A row that cannot be imported. The rows before it, of its wallet, are in. */
export class RowRefused extends Schema.TaggedError<RowRefused>()("RowRefused", {
  file: Schema.String,
  row: Schema.Int,
  line: Schema.Int,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.file}, row ${this.row} (line ${this.line}): ${this.reason}`
  }
}

export interface ImportOptions extends MovementRules, FileOptions {
  readonly file: string
  /** Of wallets that the import creates, minor units. */
  readonly overdraftLimit: bigint
  readonly checkBalance: boolean
  /** Wallets at a time. */
  readonly concurrency: number
  readonly onProgress: (progress: ImportProgress) => Effect.Effect<void>
}

export interface ImportProgress {
  readonly rows: number
  /** Of the file, read so far. */
  readonly bytes: number
}

export interface ImportReport {
  readonly rows: number
  /** Rows that made a movement. */
  readonly imported: number
  /** Rows that an earlier import had made. */
  readonly known: number
  readonly walletsCreated: number
  readonly balancesChecked: number
  readonly durationMillis: number
}

type Counts = { -readonly [K in Exclude<keyof ImportReport, "durationMillis">]: number }

/** Rows in memory at a time, at most 64 kB each. */
const windowRows = 4096

/** About 30 s: a full mailbox drains in milliseconds, a database restarts in seconds. */
const patience = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")]).pipe(
  Schedule.upTo({ duration: "30 seconds" })
)

/** The same command with the same key: safe however the first one ended. */
const persistently = <A>(command: Effect.Effect<A, TargetFailed>): Effect.Effect<A, TargetFailed> =>
  Effect.retry(command, { schedule: patience, while: (error) => error.mayPass })

interface Run {
  readonly target: ImportTarget["Service"]
  readonly options: ImportOptions
  readonly counts: Counts
  columns: Columns | undefined
}

interface PlacedMovement {
  readonly at: FileRow
  readonly movement: Movement
}

const refused = (run: Run, at: FileRow, reason: string): RowRefused =>
  new RowRefused({ file: run.options.file, row: at.row, line: at.line, reason })

const parseRow = (run: Run, at: FileRow): Effect.Effect<PlacedMovement, RowRefused | FileUnreadable> => {
  if (run.columns === undefined) {
    const columns = resolveColumns(Object.keys(at.fields), run.options)
    if (Result.isFailure(columns)) {
      return Effect.fail(new FileUnreadable({ file: run.options.file, reason: columns.failure }))
    }
    run.columns = columns.success
  }
  const movement = parseMovement(at.fields, run.columns, run.options)
  return Result.isSuccess(movement)
    ? Effect.succeed({ at, movement: movement.success })
    : Effect.fail(refused(run, at, movement.failure))
}

/** Found, or made on first sight; its currency. */
const ensureWallet = Effect.fnUntraced(function* (run: Run, { currency, ownerId, walletId }: Movement) {
  const found = yield* persistently(run.target.currencyOf(walletId))
  if (found !== undefined) return found
  const { overdraftLimit } = run.options
  const created = yield* persistently(
    run.target.create({ walletId, ownerId, currency, overdraftLimit, idempotencyKey: `${importKeyPrefix}wallet` })
  )
  if (!created.replayed) run.counts.walletsCreated += 1
  return created.currency
})

const checkBalance = (run: Run, { at, movement }: PlacedMovement, applied: Applied) => {
  const expected = movement.balanceAfter
  if (expected === undefined || !run.options.checkBalance) return Effect.void
  run.counts.balancesChecked += 1
  if (applied.balance === expected) return Effect.void
  const [here, there] = [applied.balance, expected].map((units) => formatDecimal(units, run.options.exponent))
  return Effect.fail(
    refused(run, at, `the balance of wallet ${movement.walletId} is ${here} after this row, the file says ${there}`)
  )
}

const applyMovement = Effect.fnUntraced(function* (run: Run, placed: PlacedMovement, currency: string) {
  const { amount, direction, idempotencyKey, metadata, reference, walletId } = placed.movement
  if (currency !== placed.movement.currency) {
    const reason = `wallet ${walletId} is in ${currency}, not ${placed.movement.currency}`
    return yield* refused(run, placed.at, reason)
  }
  const applied = yield* persistently(
    run.target.move({ walletId, direction, amount, reference, metadata, idempotencyKey })
  )
  run.counts.rows += 1
  if (applied.replayed) run.counts.known += 1
  else run.counts.imported += 1
  yield* checkBalance(run, placed, applied)
})

/** All rows of one wallet in a window, in order. */
const applyWallet = Effect.fnUntraced(function* (run: Run, placed: ReadonlyArray<PlacedMovement>) {
  let currency: string | undefined
  for (const one of placed) {
    const named = (error: TargetFailed | RowRefused): RowRefused =>
      error._tag === "RowRefused" ? error : refused(run, one.at, error.reason)
    currency ??= yield* Effect.mapError(ensureWallet(run, one.movement), named)
    yield* Effect.mapError(applyMovement(run, one, currency), named)
  }
})

/** Rows that parse are applied up to the first that does not; then the import stops. */
const applyWindow = Effect.fnUntraced(function* (run: Run, rows: ReadonlyArray<FileRow>) {
  const byWallet = new Map<string, Array<PlacedMovement>>()
  let failure: RowRefused | FileUnreadable | undefined
  for (const at of rows) {
    const parsed = yield* Effect.result(parseRow(run, at))
    if (Result.isFailure(parsed)) {
      failure = parsed.failure
      break
    }
    const placed = parsed.success
    const ofWallet = byWallet.get(placed.movement.walletId)
    if (ofWallet === undefined) byWallet.set(placed.movement.walletId, [placed])
    else ofWallet.push(placed)
  }
  yield* Effect.forEach(byWallet.values(), (placed) => applyWallet(run, placed), {
    concurrency: run.options.concurrency,
    discard: true
  })
  if (failure !== undefined) return yield* failure
  yield* run.options.onProgress({ rows: run.counts.rows, bytes: rows.at(-1)?.bytes ?? 0 })
})

/** Imports the whole file, or up to the first row that does not fit. */
export const importFile = Effect.fn("Import.importFile")(function* (
  options: ImportOptions
): Effect.fn.Return<ImportReport, RowRefused | FileUnreadable, ImportTarget | FileSystem.FileSystem> {
  const started = yield* Clock.currentTimeMillis
  const run: Run = {
    target: yield* ImportTarget,
    options,
    counts: { rows: 0, imported: 0, known: 0, walletsCreated: 0, balancesChecked: 0 },
    columns: undefined
  }
  yield* readRows(options.file, options).pipe(
    Stream.grouped(windowRows),
    Stream.runForEach((rows) => applyWindow(run, rows))
  )
  return { ...run.counts, durationMillis: (yield* Clock.currentTimeMillis) - started }
})
