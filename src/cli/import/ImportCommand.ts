/** `wallet import FILE`: a bank's file of movements as commands. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { isAmountOrZero, isCurrency } from "../../domain/Limits.ts"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import { maxExponent, type MovementField, movementFields, parseDecimal } from "./Movement.ts"
import * as Flags from "../Flags.ts"
import { importFile, type ImportOptions, type ImportProgress, type ImportReport } from "./Import.ts"
import { ImportTarget } from "./ImportTarget.ts"
import { storesLayer } from "../../engine/EngineStores.ts"
import { loggingLayer } from "../Logging.ts"
import { formatOf } from "./MovementFile.ts"
import { makeProgress, perSecond, printNote, printResult, reportFailure, timeLeft } from "../Output.ts"
import { loadServiceConfig, type ServiceConfig } from "../ServiceConfig.ts"
import { clientLayer, findServicePlace, refuseTakeover, type ServicePlace } from "../ServicePlace.ts"

/** A flag has a value that it cannot have. */
class FlagWrong extends Schema.TaggedError<FlagWrong>()("FlagWrong", { flag: Schema.String, reason: Schema.String }) {
  override get message(): string {
    return `--${this.flag}: ${this.reason}`
  }
}

const flags = {
  file: Argument.String("file").pipe(Argument.withDescription("CSV with a header, or JSONL")),
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
  currency: Flag.String("currency").pipe(
    Flag.withMetavar("CODE"),
    Flag.withDescription("Of every row, for a file without a currency column"),
    Flag.filter(isCurrency, (code) => `${JSON.stringify(code)} is not a currency code like EUR`),
    Flag.optional
  ),
  exponent: Flag.Int("exponent").pipe(
    Flag.withDescription("Decimals of the currency; more in an amount are refused"),
    Flag.filter(
      (digits) => digits >= 0 && digits <= maxExponent,
      () => `a whole number from 0 to ${maxExponent} is expected`
    ),
    Flag.withDefault(2)
  ),
  overdraft: Flag.String("overdraft").pipe(
    Flag.withMetavar("AMOUNT"),
    Flag.withDescription("Overdraft limit of the wallets that the import creates, like 500.00"),
    Flag.withDefault("0")
  ),
  format: Flag.Literals("format", ["csv", "jsonl"]).pipe(
    Flag.withDescription("Default: by the file's name, .jsonl and .ndjson are JSONL"),
    Flag.optional
  ),
  delimiter: Flag.String("delimiter").pipe(
    Flag.withDescription("Between the values of a CSV file"),
    Flag.filter(
      (text) => text.length === 1,
      () => "one character is expected"
    ),
    Flag.withDefault(",")
  ),
  ignoreBalance: Flag.Boolean("ignore-balance").pipe(
    Flag.withDescription("Do not compare the balance after each row with the file's"),
    Flag.withDefault(false)
  ),
  concurrency: Flag.Int("concurrency").pipe(
    Flag.withDescription("Wallets at a time; rows of one wallet always stay in order"),
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

type ImportFlags = Command.Command.Config.Infer<typeof flags>

const isField = (name: string): name is MovementField => (movementFields as ReadonlyArray<string>).includes(name)

const parseColumns = (pairs: ReadonlyArray<string>): Result.Result<ImportOptions["columns"], FlagWrong> => {
  const columns: Partial<Record<MovementField, string>> = {}
  for (const pair of pairs) {
    const [field = "", ...rest] = pair.split("=")
    const column = rest.join("=")
    if (!isField(field) || column === "") {
      const reason = `${JSON.stringify(pair)} is not FIELD=COLUMN with a FIELD of ${movementFields.join(", ")}`
      return Result.fail(new FlagWrong({ flag: "map", reason }))
    }
    columns[field] = column
  }
  return Result.succeed(columns)
}

const parseOverdraft = (text: string, exponent: number): Result.Result<bigint, FlagWrong> => {
  const parsed = parseDecimal(text, exponent)
  if (Result.isFailure(parsed)) return Result.fail(new FlagWrong({ flag: "overdraft", reason: parsed.failure }))
  return isAmountOrZero(parsed.success)
    ? Result.succeed(parsed.success)
    : Result.fail(new FlagWrong({ flag: "overdraft", reason: `${text} is below 0 or too large` }))
}

const optionsOf = Effect.fnUntraced(function* (
  given: ImportFlags,
  onProgress: ImportOptions["onProgress"]
): Effect.fn.Return<ImportOptions, FlagWrong> {
  return {
    file: given.file,
    columns: yield* Effect.fromResult(parseColumns(given.map)),
    metadata: given.metadata,
    currency: Option.getOrUndefined(given.currency),
    exponent: given.exponent,
    overdraftLimit: yield* Effect.fromResult(parseOverdraft(given.overdraft, given.exponent)),
    format: Option.getOrElse(given.format, () => formatOf(given.file)),
    delimiter: given.delimiter,
    checkBalance: !given.ignoreBalance,
    concurrency: given.concurrency,
    onProgress
  }
})

const targetLayer = (config: ServiceConfig, place: ServicePlace) =>
  place._tag === "Service"
    ? ImportTarget.layerClient.pipe(Layer.provide(clientLayer(place.service)))
    : ImportTarget.layerEngine.pipe(
        Layer.provide(WalletEngine.layer(config.engine)),
        Layer.provide(storesLayer(config.engine.stores)),
        Layer.provide(loggingLayer(config))
      )

const progressLine = ({ bytes, rows }: ImportProgress, size: number, millis: number): string => {
  const share = size === 0 ? 100 : Math.min(100, Math.floor((bytes * 100) / size))
  return (
    `import: ${share} % of the file, ${rows.toLocaleString("en")} rows, ` +
    `${perSecond(rows, millis)}${timeLeft(bytes, size, millis)}`
  )
}

const reportLines = (report: ImportReport): ReadonlyArray<string> => [
  `${report.rows.toLocaleString("en")} rows: ${report.imported} new, ${report.known} there already; ` +
    `${report.walletsCreated} wallets created, ${report.balancesChecked} balances checked ` +
    `in ${(report.durationMillis / 1000).toFixed(1)} s`
]

const runImport = Effect.fnUntraced(function* (given: ImportFlags) {
  const config = yield* loadServiceConfig
  const started = yield* Clock.currentTimeMillis
  const progress = yield* makeProgress(given.json)
  const size = yield* (yield* FileSystem.FileSystem).stat(given.file).pipe(
    Effect.map((info) => Number(info.size)),
    Effect.orElseSucceed(() => 0)
  )
  const options = yield* optionsOf(
    given,
    Effect.fnUntraced(function* (one: ImportProgress) {
      yield* progress.show(progressLine(one, size, (yield* Clock.currentTimeMillis) - started))
    })
  )
  const place = yield* findServicePlace(config, given.url)
  if (place._tag === "Here") yield* refuseTakeover(config.engine.stores, given.takeover)
  else if (!given.json) yield* printNote(`working through the service at ${place.service.baseUrl} (${place.because})`)
  const report = yield* importFile(options).pipe(
    Effect.provide(targetLayer(config, place)),
    Effect.ensuring(progress.clear)
  )
  yield* printResult(given.json, report, reportLines(report))
})

export const importCommand = Command.make("import", flags, (given) =>
  reportFailure(given.json, ({ _tag }) => (_tag === "FlagWrong" ? 2 : 1))(runImport(given))
).pipe(
  Command.withShortDescription("Import a bank's file of movements"),
  Command.withDescription(
    "Import a bank's movements: wallets are made on first sight, each row is one credit or debit, and the balance " +
      "after it is compared with the file's. Running it again changes nothing."
  ),
  Command.withExamples([
    { command: "wallet import bank.csv", description: "A file with the usual column names" },
    {
      command: "wallet import export.csv --delimiter ';' --map wallet=account --map amount=value --currency EUR",
      description: "A file with others"
    }
  ])
)
