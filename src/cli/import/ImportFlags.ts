/** The flags of `wallet import`, and what they say together. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Argument from "effect/cli/Argument"
import type * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { timeZoneOf } from "../../domain/BookDates.ts"
import { isCurrency, isId } from "../../domain/Limits.ts"
import * as Flags from "../Flags.ts"
import { type MovementField, movementFields, type RowIds } from "./Columns.ts"
import { type ExponentRules, maxExponent } from "./CurrencyExponents.ts"
import { decimalPoint, parseDecimal, parseDecimalFormat } from "./Decimals.ts"
import { encodingOf } from "./FileText.ts"
import type { ImportOptions, Opening } from "./ImportOptions.ts"
import { formatOf } from "./MovementFile.ts"
import { readWalletMap } from "./WalletMap.ts"

/** A flag has a value that it cannot have. */
export class FlagWrong extends Schema.TaggedError<FlagWrong>()("FlagWrong", {
  flag: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `--${this.flag}: ${this.reason}`
  }
}

const columnFlags = {
  map: Flag.String("map").pipe(
    Flag.withMetavar("FIELD=COLUMN"),
    Flag.withDescription(`Which column is what, where it has no usual name; FIELD: ${movementFields.join(", ")}`),
    Flag.atLeast(0)
  ),
  metadata: Flag.String("metadata").pipe(
    Flag.withMetavar("COLUMN"),
    Flag.withDescription("Keep this column as metadata; may be given several times"),
    Flag.atLeast(0)
  ),
  timezone: Flag.String("timezone").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("Of dates, and of times without an offset: an IANA name like Europe/Prague"),
    Flag.withDefault("UTC")
  ),
  undated: Flag.Boolean("undated").pipe(
    Flag.withDescription("Rows count for the books when they are booked; dates are only kept as metadata"),
    Flag.withDefault(false)
  ),
  strict: Flag.Boolean("strict").pipe(
    Flag.withDescription("Refuse columns that are nothing; otherwise they are ignored and counted"),
    Flag.withDefault(false)
  ),
  wallet: Flags.wallet("Of every row, for a statement of one account"),
  walletMap: Flag.String("wallet-map").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription(
      "CSV with the header account,wallet: the wallet of each account; one without a wallet is left out"
    ),
    Flag.optional
  ),
  idColumns: Flag.String("id-columns").pipe(
    Flag.withMetavar("A,B"),
    Flag.withDescription("Columns that tell rows apart together, where no single one does"),
    Flag.optional
  ),
  lineIds: Flag.Boolean("line-ids").pipe(
    Flag.withDescription("Tell rows apart by their line as well; the file may then only grow at its end"),
    Flag.withDefault(false)
  ),
  source: Flag.String("source").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("Keeps files apart whose ids are the same: 1-64 of A-Z a-z 0-9 _ -"),
    Flag.filter(isId, (name) => `${JSON.stringify(name)} is not 1-64 of A-Z a-z 0-9 _ -`),
    Flag.optional
  )
}

const moneyFlags = {
  currency: Flag.String("currency").pipe(
    Flag.withMetavar("CODE"),
    Flag.withDescription("Of rows that name none"),
    Flag.filter(isCurrency, (code) => `${JSON.stringify(code)} is not a currency code like EUR`),
    Flag.optional
  ),
  exponent: Flag.String("exponent").pipe(
    Flag.withMetavar("DIGITS|CODE=DIGITS"),
    Flag.withDescription(
      "Decimals of currencies that ISO 4217 does not have, or of the one named; may be given several times"
    ),
    Flag.atLeast(0)
  ),
  decimal: Flag.String("decimal").pipe(
    Flag.withMetavar("EXAMPLE"),
    Flag.withDescription(
      "How the file writes 1234.56: 1234,56 or 1.234,56 or 1,234.56; with - behind or in ( ) where minus is so written"
    ),
    Flag.withDefault(decimalPoint.example)
  ),
  overdraft: Flag.String("overdraft").pipe(
    Flag.withMetavar("AMOUNT"),
    Flag.withDescription("Overdraft limit of the wallets that the import creates, like 500.00"),
    Flag.withDefault("0")
  ),
  opening: Flag.String("opening").pipe(
    Flag.withMetavar("AMOUNT|file"),
    Flag.withDescription(
      "Book the balance before the first row as a movement: an amount, or what the file's balances say"
    ),
    Flag.optional
  ),
  ignoreBalance: Flag.Boolean("ignore-balance").pipe(
    Flag.withDescription("Do not read the balances of the file, nor compare them"),
    Flag.withDefault(false)
  ),
  order: Flag.Literals("order", ["file", "oldest-first", "newest-first"]).pipe(
    Flag.withDescription("How the rows run; file: as the balances and dates of each wallet say"),
    Flag.withDefault("file" as const)
  )
}

const fileFlags = {
  format: Flag.Literals("format", ["csv", "jsonl"]).pipe(
    Flag.withDescription("Default: by the file's name, .jsonl and .ndjson are JSONL"),
    Flag.optional
  ),
  delimiter: Flag.String("delimiter").pipe(
    Flag.withDescription(
      "Between the values of a CSV file, one character or tab; default: a comma, or as a first line sep=; says"
    ),
    Flag.filter(
      (text) => text.length === 1 || text === "tab",
      () => "one character is expected, or tab"
    ),
    Flag.optional
  ),
  encoding: Flag.String("encoding").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("Like windows-1252; default: UTF-8, or UTF-16 with its mark"),
    Flag.filter(
      (label) => encodingOf(label) !== undefined,
      (label) => `${JSON.stringify(label)} is no encoding that is known here`
    ),
    Flag.optional
  ),
  skip: Flag.Int("skip").pipe(
    Flag.withMetavar("LINES"),
    Flag.withDescription("Lines before the header (or the first row of JSONL) that are none"),
    Flag.filter(
      (lines) => lines >= 0 && lines <= 1000,
      () => "a whole number from 0 to 1000 is expected"
    ),
    Flag.withDefault(0)
  )
}

export const importFlags = {
  file: Argument.String("file").pipe(Argument.withDescription("CSV with a header, or JSONL")),
  ...columnFlags,
  ...moneyFlags,
  ...fileFlags,
  dryRun: Flag.Boolean("dry-run").pipe(
    Flag.withDescription("Check everything, the balances included, and book nothing"),
    Flag.withDefault(false)
  ),
  concurrency: Flag.Int("concurrency").pipe(
    Flag.withDescription("Wallets looked at and created at a time"),
    Flag.filter(
      (wallets) => wallets >= 1 && wallets <= 1024,
      () => "a whole number from 1 to 1024 is expected"
    ),
    Flag.withDefault(64)
  ),
  url: Flags.url,
  takeover: Flags.takeover,
  json: Flags.json
}

export type ImportFlags = Command.Command.Config.Infer<typeof importFlags>

const wrong = (flag: string, reason: string) => Result.fail(new FlagWrong({ flag, reason }))

const isField = (name: string): name is MovementField => (movementFields as ReadonlyArray<string>).includes(name)

const parseColumns = (given: ImportFlags): Result.Result<ImportOptions["columns"], FlagWrong> => {
  const columns: Partial<Record<MovementField, string>> = {}
  for (const pair of given.map) {
    const [field = "", ...rest] = pair.split("=")
    const column = rest.join("=")
    if (!isField(field) || column === "") {
      return wrong("map", `${JSON.stringify(pair)} is not FIELD=COLUMN with a FIELD of ${movementFields.join(", ")}`)
    }
    if (columns[field] !== undefined) return wrong("map", `${field} is mapped twice`)
    columns[field] = column
  }
  const two = columns.in !== undefined || columns.out !== undefined
  if (two && columns.amount !== undefined) return wrong("map", "amounts are in one column (amount) or in two (in, out)")
  if (two && (columns.in === undefined || columns.out === undefined)) {
    return wrong("map", "in and out belong together: money comes in one column and goes in the other")
  }
  if (columns.wallet !== undefined && Option.isSome(given.wallet)) {
    return wrong("wallet", "says the wallet of every row, and --map wallet=COLUMN that a column does")
  }
  return Result.succeed(columns)
}

const parseExponents = (texts: ReadonlyArray<string>): Result.Result<ExponentRules, FlagWrong> => {
  const named: Record<string, number> = {}
  let others: number | undefined
  for (const text of texts) {
    const [, code, digits = ""] = /^(?:([A-Z][A-Z0-9]{2,15})=)?([0-9]{1,2})$/.exec(text) ?? []
    const exponent = Number(digits)
    if (digits === "" || exponent > maxExponent) {
      return wrong("exponent", `${JSON.stringify(text)} is not DIGITS or CODE=DIGITS with 0 to ${maxExponent}`)
    }
    const before = code === undefined ? others : named[code]
    if (before !== undefined && before !== exponent) return wrong("exponent", `${before} and ${exponent} at once`)
    if (code === undefined) others = exponent
    else named[code] = exponent
  }
  return Result.succeed({ others, named })
}

const parseRowIds = (given: ImportFlags, columns: ImportOptions["columns"]): Result.Result<RowIds, FlagWrong> => {
  if (Option.isNone(given.idColumns)) return Result.succeed(given.lineIds ? { _tag: "Line" } : { _tag: "Column" })
  const names = given.idColumns.value.split(",").map((name) => name.trim())
  if (names.includes("")) return wrong("id-columns", "a list of columns like date,amount is expected")
  if (given.lineIds || columns.id !== undefined) {
    return wrong("id-columns", "rows are told apart by these, or by --line-ids, or by --map id=COLUMN")
  }
  return Result.succeed({ _tag: "Columns", names })
}

const parseOpening = (text: string): Result.Result<Opening, FlagWrong> => {
  if (text === "file") return Result.succeed({ _tag: "File" })
  const parsed = parseDecimal(text, maxExponent)
  return Result.isSuccess(parsed) ? Result.succeed({ _tag: "Amount", text }) : wrong("opening", parsed.failure)
}

export const optionsOf = Effect.fnUntraced(function* (given: ImportFlags, onProgress: ImportOptions["onProgress"]) {
  const columns = yield* Effect.fromResult(parseColumns(given))
  const decimal = yield* Effect.mapError(
    Effect.fromResult(parseDecimalFormat(given.decimal)),
    (reason) => new FlagWrong({ flag: "decimal", reason })
  )
  const overdraft = parseDecimal(given.overdraft, maxExponent)
  if (Result.isFailure(overdraft)) return yield* new FlagWrong({ flag: "overdraft", reason: overdraft.failure })
  if (overdraft.success < 0n) return yield* new FlagWrong({ flag: "overdraft", reason: "is below 0" })
  const timeZone = timeZoneOf(given.timezone)
  if (timeZone === undefined) {
    return yield* new FlagWrong({ flag: "timezone", reason: "is no IANA name of a time zone, like Europe/Prague" })
  }
  const mapFile = Option.getOrUndefined(given.walletMap)
  if (mapFile !== undefined && Option.isSome(given.wallet)) {
    return yield* new FlagWrong({ flag: "wallet-map", reason: "--wallet says the wallet of every row already" })
  }
  const opening = Option.getOrUndefined(given.opening)
  const encoding = Option.getOrUndefined(given.encoding)
  const delimiter = Option.getOrUndefined(given.delimiter)
  const options: ImportOptions = {
    file: given.file,
    columns,
    metadata: given.metadata,
    strict: given.strict,
    wallet: Option.getOrUndefined(given.wallet),
    walletMap: mapFile === undefined ? undefined : yield* readWalletMap(mapFile),
    rowIds: yield* Effect.fromResult(parseRowIds(given, columns)),
    source: Option.getOrUndefined(given.source),
    currency: Option.getOrUndefined(given.currency),
    exponents: yield* Effect.fromResult(parseExponents(given.exponent)),
    decimal,
    timeZone: given.undated ? undefined : timeZone,
    now: yield* Clock.currentTimeMillis,
    overdraft: given.overdraft,
    opening: opening === undefined ? undefined : yield* Effect.fromResult(parseOpening(opening)),
    checkBalance: !given.ignoreBalance,
    order: given.order,
    format: Option.getOrElse(given.format, () => formatOf(given.file)),
    delimiter: delimiter === "tab" ? "\t" : delimiter,
    encoding: encoding === undefined ? undefined : encodingOf(encoding),
    skip: given.skip,
    dryRun: given.dryRun,
    concurrency: given.concurrency,
    onProgress
  }
  return options
})
