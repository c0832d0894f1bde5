/**
 * The first look at a file: every row is read, parsed and held against the other rows of
 * its wallet, and goes into the spool. Nothing is asked of the wallets, nothing booked; a
 * file with one row that does not fit goes no further.
 *
 * Memory: some 500 bytes per wallet, 24 to 48 bytes per row for what tells it from the
 * others, and a page of rows.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { isAmountOrZero } from "../../domain/Limits.ts"
import { ColumnsByRow, headerMisses, resolveColumns } from "./Columns.ts"
import { parseDecimal } from "./Decimals.ts"
import { FileUnreadable, readRows, type FileRow } from "./MovementFile.ts"
import { contradiction, type Movement, parseMovement } from "./Movement.ts"
import type { ImportOptions } from "./ImportOptions.ts"
import { RowRefused } from "./RowRefused.ts"
import { contentKey, NumberByText } from "./RowKeys.ts"
import { makeSpool, type Spool } from "./Spool.ts"
import { type Reading, type RowPlace, WalletRows } from "./WalletRows.ts"

/** What there is to book for one wallet. */
export interface WalletPlan extends Reading {
  readonly walletId: string
  /** As the file names it; `undefined`: it does not. */
  readonly ownerId: string | undefined
  readonly currency: string
  readonly exponent: number
  readonly overdraftLimit: bigint
  readonly first: RowPlace
  /** The first time that its rows count from; `null`: they have none. */
  readonly earliest: number | null
}

/** What was read and is not booked. */
export interface LeftOut {
  /** Rows whose amount is zero. */
  readonly zeroRows: number
  /** Rows without a value, and empty lines. */
  readonly blankRows: number
  /** Rows of accounts that the wallet map leaves out. */
  readonly unmappedRows: number
  /** Values by column that nobody has asked for. */
  readonly ignored: Readonly<Record<string, number>>
}

export interface CheckedFile {
  readonly spool: Spool
  readonly wallets: ReadonlyMap<string, WalletPlan>
  readonly leftOut: LeftOut
  readonly balances: number
  /** Rows have nothing that tells them from those of a later file: no id, no date, no balance. */
  readonly bare: boolean
}

/** Columns that are counted by name; the values of all others are counted together. */
const maxIgnoredNames = 64
const otherNames = "(others)"

const isEmpty = (value: unknown): boolean => typeof value === "string" && value.trim() === ""

const isBlank = ({ fields }: FileRow): boolean => Object.values(fields).every(isEmpty)

/** Of the wallets that are made; in their currency's decimals. */
const overdraftOf = ({ currency, exponent }: Movement, text: string): Result.Result<bigint, string> => {
  const parsed = parseDecimal(text, exponent)
  if (Result.isFailure(parsed)) return Result.fail(`--overdraft: in ${currency} ${parsed.failure}`)
  return isAmountOrZero(parsed.success)
    ? Result.succeed(parsed.success)
    : Result.fail(`--overdraft: ${text} is below 0 or too large`)
}

class FileCheck {
  private readonly options: ImportOptions
  private readonly spool: Spool
  private readonly columns: ColumnsByRow
  private readonly wallets = new Map<string, WalletRows>()
  private readonly overdrafts = new Map<string, bigint>()
  /** Line by key, and how often a content has come. */
  private readonly keys = new NumberByText()
  private readonly contents = new NumberByText()
  private readonly ignored = new Map<string, number>()
  private account: { readonly name: string; readonly line: number } | undefined
  private zeroRows = 0
  private blankRows = 0
  private unmappedRows = 0
  private balances = 0
  private bare = false

  constructor(options: ImportOptions, spool: Spool) {
    this.options = options
    this.spool = spool
    this.columns = new ColumnsByRow(options)
  }

  addBlank(lines: number): void {
    this.blankRows += lines
  }

  /** Takes the next row; a failure says why it does not fit. */
  add(at: FileRow): string | undefined {
    if (isBlank(at)) {
      this.blankRows += 1
      return undefined
    }
    const columns = this.columns.of(at.fields)
    if (Result.isFailure(columns)) return columns.failure
    this.countIgnored(at, columns.success.ignored)
    const parsed = parseMovement(at.fields, at.line, columns.success.of, this.options)
    if (Result.isFailure(parsed)) return parsed.failure
    const movement = parsed.success
    if (movement === undefined) {
      this.unmappedRows += 1
      return undefined
    }
    const contradicted = contradiction(at.fields, columns.success, movement)
    if (contradicted !== undefined) return contradicted
    if (movement.balanceAfter !== undefined) this.balances += 1
    return this.ofOneAccount(movement, at) ?? this.ofItsWallet(movement, at) ?? this.take(movement, at)
  }

  private countIgnored({ fields }: FileRow, names: ReadonlyArray<string>): void {
    for (const name of names) {
      if (isEmpty(fields[name])) continue
      const counted = this.ignored.has(name) || this.ignored.size < maxIgnoredNames ? name : otherNames
      this.ignored.set(counted, (this.ignored.get(counted) ?? 0) + 1)
    }
  }

  /** `--wallet` is for statements of one account: a second one in the file is another's money. */
  private ofOneAccount({ account }: Movement, { line }: FileRow): string | undefined {
    if (account === "") return undefined
    this.account ??= { name: account, line }
    return account === this.account.name
      ? undefined
      : `--wallet: the account is ${JSON.stringify(account)}, and ${JSON.stringify(this.account.name)} on line ${this.account.line}`
  }

  private ofItsWallet(movement: Movement, at: FileRow): string | undefined {
    const { walletId } = movement
    const known = this.wallets.get(walletId)
    if (known !== undefined) return known.add(movement, at)
    const overdraft = overdraftOf(movement, this.options.overdraft)
    if (Result.isFailure(overdraft)) return overdraft.failure
    const rows = new WalletRows(movement, { row: at.row, line: at.line })
    this.wallets.set(walletId, rows)
    this.overdrafts.set(walletId, overdraft.success)
    return rows.add(movement, at)
  }

  private take(movement: Movement, { line, row }: FileRow): string | undefined {
    const { balanceAfter, effectiveAt, metadata, reference, signed, walletId } = movement
    if (signed === 0n) {
      this.zeroRows += 1
      return undefined
    }
    const key = this.keyOf(movement)
    const before = this.keys.replace(`${walletId} ${key}`, line)
    if (before !== 0) {
      const rows = `lines ${before} and ${line} of wallet ${walletId} have the same id`
      return `${rows}; --id-columns A,B or --line-ids tells them apart`
    }
    this.spool.add({ row, line, walletId, signed, balanceAfter, reference, metadata, effectiveAt, key })
    return undefined
  }

  private keyOf({ balanceAfter, date, identity, walletId }: Movement): string {
    if ("key" in identity) return identity.key
    if (date === "" && balanceAfter === undefined) this.bare = true
    const name = `${walletId} ${identity.content}`
    const occurrence = this.contents.replace(name, 1) + 1
    if (occurrence > 1) this.contents.replace(name, occurrence)
    return contentKey(this.options.source, identity.content, occurrence)
  }

  /** When all rows are in. */
  finish(): Result.Result<
    CheckedFile,
    { readonly row: number; readonly line: number; readonly reason: string } | string
  > {
    if (this.spool.count > 0 && this.columns.absent !== undefined) return Result.fail(this.columns.absent)
    const wallets = new Map<string, WalletPlan>()
    for (const rows of this.wallets.values()) {
      const reading = rows.reading(this.options.order)
      if (Result.isFailure(reading)) return Result.fail(reading.failure)
      const { currency, earliest, exponent, first, ownerId, walletId } = rows
      const overdraftLimit = this.overdrafts.get(walletId) ?? 0n
      const plan = { walletId, ownerId, currency, exponent, first, earliest, overdraftLimit }
      wallets.set(walletId, { ...reading.success, ...plan })
    }
    const { balances, bare, blankRows, spool, unmappedRows, zeroRows } = this
    const leftOut = { zeroRows, blankRows, unmappedRows, ignored: Object.fromEntries(this.ignored) }
    return Result.succeed({ spool, wallets, leftOut, balances, bare })
  }
}

/** Of a CSV file: what was asked for is there, and what is needed. */
const checkHeader =
  (options: ImportOptions) =>
  (names: ReadonlyArray<string>): string | undefined => {
    const misses = headerMisses(names, options)
    if (misses !== undefined) return misses
    const resolved = resolveColumns(names, options)
    return Result.isFailure(resolved) ? resolved.failure : undefined
  }

/** Reads the whole file; the spool lives as long as the scope. */
export const checkFile = Effect.fnUntraced(function* (options: ImportOptions) {
  const { file } = options
  const spool = yield* makeSpool(file)
  const check = new FileCheck(options, spool)
  yield* readRows(file, { ...options, checkHeader: checkHeader(options) }).pipe(
    Stream.runForEach(({ blank, bytes, rows }) =>
      Effect.gen(function* () {
        check.addBlank(blank)
        for (const at of rows) {
          const reason = check.add(at)
          if (reason !== undefined) return yield* new RowRefused({ file, row: at.row, line: at.line, reason })
        }
        yield* spool.flush
        yield* options.onProgress({ step: "read", done: bytes, of: undefined })
      })
    )
  )
  const finished = check.finish()
  if (Result.isSuccess(finished)) return finished.success
  return yield* typeof finished.failure === "string"
    ? new FileUnreadable({ file, reason: finished.failure })
    : new RowRefused({ file, ...finished.failure })
})
