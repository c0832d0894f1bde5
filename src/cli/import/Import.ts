/**
 * Imports a file of movements as commands, in three steps: the file is read and held
 * against itself (`FileCheck`), then against the wallets (`WalletCheck`), and only a file
 * without a fault is booked (`Booking`). Each row's idempotency key comes from the row: a
 * second run, or one after a crash, finishes what is missing and changes nothing else.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import { counted } from "../Output.ts"
import { bookMovements } from "./Booking.ts"
import { checkFile, type LeftOut } from "./FileCheck.ts"
import type { ImportOptions } from "./ImportOptions.ts"
import type { ImportTarget } from "./ImportTarget.ts"
import type { FileUnreadable } from "./MovementFile.ts"
import type { RowRefused } from "./RowRefused.ts"
import { checkWallets, type WalletState } from "./WalletCheck.ts"

export interface ImportReport extends LeftOut {
  /** Movements in the file. */
  readonly rows: number
  /** Rows that made a movement; in a dry run: that would. */
  readonly imported: number
  /** Rows that an earlier import had made. */
  readonly known: number
  /** Line of the first of them. */
  readonly firstKnownLine: number | null
  readonly walletsCreated: number
  /** Opening balances that were booked. */
  readonly openings: number
  readonly balancesChecked: number
  /** Wallets whose rows run from newest to oldest. */
  readonly newestFirst: number
  readonly dryRun: boolean
  /** What is right as far as one can tell, and may not be what was meant. */
  readonly notes: ReadonlyArray<string>
  readonly durationMillis: number
}

const bareNote =
  "rows have no id, no date and no balance: those of a later file that say the same are taken for these; " +
  "--source NAME keeps files apart"

const knownNote = (known: number, line: number): string =>
  `${counted(known, "row")} there already, the first on line ${line}: booked from this file, or from another one with ` +
  "the same ids (then --source NAME keeps them apart)"

/** No row of the file is booked in a wallet that has movements, and no balance tells whether that is right. */
const isUnrelated = ({ done, fresh, now, plan }: WalletState): boolean =>
  fresh > 0 && done === 0 && (now?.version ?? 0) > 0 && plan.opening === undefined

const unrelatedNote = (wallets: number): string =>
  `${counted(wallets, "wallet")} had movements before, none of which is a row of this file, and no balance tells whether ` +
  "that is right: if the file was imported with another --source, --id-columns, --line-ids, --map or --decimal, it is booked twice"

const runImport = Effect.fnUntraced(function* (options: ImportOptions) {
  const started = yield* Clock.currentTimeMillis
  const file = yield* checkFile(options)
  const checked = yield* checkWallets(file, options)
  const states = [...checked.states.values()]
  const planned = {
    imported: file.spool.count - checked.done,
    known: 0,
    walletsCreated: states.filter(
      ({ fresh, now, opening }) => now === undefined && (fresh > 0 || opening !== undefined)
    ).length,
    openings: states.filter(({ opening }) => opening !== undefined).length
  }
  const booked = options.dryRun ? planned : yield* bookMovements(file, checked, options)
  const known = checked.done + booked.known
  const notes: Array<string> = []
  if (file.bare) notes.push(bareNote)
  const unrelated = options.opening === undefined ? states.filter(isUnrelated).length : 0
  if (unrelated > 0) notes.push(unrelatedNote(unrelated))
  if (checked.firstDone !== undefined && planned.imported > 0) notes.push(knownNote(known, checked.firstDone))
  return {
    rows: file.spool.count,
    ...booked,
    known,
    firstKnownLine: checked.firstDone ?? null,
    balancesChecked: file.balances,
    newestFirst: states.filter(({ plan }) => plan.newestFirst).length,
    ...file.leftOut,
    dryRun: options.dryRun,
    notes,
    durationMillis: (yield* Clock.currentTimeMillis) - started
  } satisfies ImportReport
})

/** Imports the whole file, or nothing where a row does not fit. */
export const importFile = (
  options: ImportOptions
): Effect.Effect<ImportReport, RowRefused | FileUnreadable, ImportTarget | FileSystem.FileSystem> =>
  Effect.scoped(runImport(options)).pipe(Effect.withSpan("Import.importFile"))
