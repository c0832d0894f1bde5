/** `wallet import FILE`: a bank's file of movements as commands. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Command from "effect/cli/Command"
import { storesLayer } from "../../engine/EngineStores.ts"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import { loggingLayer } from "../Logging.ts"
import { counted, makeProgress, perSecond, printNote, printResult, reportFailure, timeLeft } from "../Output.ts"
import { loadServiceConfig, type ServiceConfig } from "../ServiceConfig.ts"
import { clientLayer, findServicePlace, refuseTakeover, type ServicePlace } from "../ServicePlace.ts"
import { importFile, type ImportReport } from "./Import.ts"
import { type ImportFlags, importFlags, optionsOf } from "./ImportFlags.ts"
import type { ImportProgress } from "./ImportOptions.ts"
import { ImportTarget } from "./ImportTarget.ts"

const targetLayer = (config: ServiceConfig, place: ServicePlace) =>
  place._tag === "Service"
    ? ImportTarget.layerClient.pipe(Layer.provide(clientLayer(place.service)))
    : ImportTarget.layerEngine.pipe(
        Layer.provide(WalletEngine.layer(config.engine)),
        Layer.provide(storesLayer(config.engine.stores)),
        Layer.provide(loggingLayer(config))
      )

const steps = { read: "reading", compare: "comparing with the wallets", book: "booking" }

/** `size`: of the file, bytes; `millis`: since the step began. */
const progressLine = ({ done, of, step }: ImportProgress, size: number, millis: number): string => {
  const all = of ?? size
  const share = all === 0 ? 100 : Math.min(100, Math.floor((done * 100) / all))
  const rate = of === undefined ? "" : `, ${perSecond(done, millis)}`
  return `import: ${steps[step]}, ${share} %${rate}${timeLeft(done, all, millis)}`
}

const leftOutLines = ({ blankRows, ignored, unmappedRows, zeroRows }: ImportReport): ReadonlyArray<string> => {
  const rows = [
    zeroRows === 0 ? "" : `${counted(zeroRows, "row")} of zero`,
    blankRows === 0 ? "" : counted(blankRows, "blank row"),
    unmappedRows === 0 ? "" : `${counted(unmappedRows, "row")} that the wallet map leaves out`
  ].filter((text) => text !== "")
  const columns = Object.entries(ignored).map(([name, values]) => `${name} (${counted(values, "value")})`)
  return [
    ...(rows.length === 0 ? [] : [`skipped: ${rows.join(", ")}`]),
    ...(columns.length === 0 ? [] : [`ignored columns: ${columns.join(", ")}`])
  ]
}

const reportLines = (report: ImportReport): ReadonlyArray<string> => {
  const { balancesChecked, dryRun, durationMillis, imported, known, newestFirst, openings, rows, walletsCreated } =
    report
  const also = [
    openings === 0 ? "" : `, ${counted(openings, "opening balance")}`,
    newestFirst === 0 ? "" : `, ${counted(newestFirst, "wallet")} from newest to oldest`
  ].join("")
  return [
    `${dryRun ? "nothing is booked, this would be: " : ""}${counted(rows, "row")}: ${imported} new, ${known} there already; ` +
      `${counted(walletsCreated, "wallet")} ${dryRun ? "to create" : "created"}, ${counted(balancesChecked, "balance")} checked${also} ` +
      `in ${(durationMillis / 1000).toFixed(1)} s`,
    ...leftOutLines(report)
  ]
}

const runImport = Effect.fnUntraced(function* (given: ImportFlags) {
  const config = yield* loadServiceConfig
  const progress = yield* makeProgress(given.json)
  const size = yield* (yield* FileSystem.FileSystem).stat(given.file).pipe(
    Effect.map((info) => Number(info.size)),
    Effect.orElseSucceed(() => 0)
  )
  let started = yield* Clock.currentTimeMillis
  let step: ImportProgress["step"] = "read"
  const options = yield* optionsOf(
    given,
    Effect.fnUntraced(function* (one: ImportProgress) {
      const now = yield* Clock.currentTimeMillis
      if (one.step !== step) [step, started] = [one.step, now]
      yield* progress.show(progressLine(one, size, now - started))
    })
  )
  const place = yield* findServicePlace(config, given.url)
  if (place._tag === "Here") yield* refuseTakeover(config.engine.stores, given.takeover)
  else if (!given.json) yield* printNote(`working through the service at ${place.service.baseUrl} (${place.because})`)
  const report = yield* importFile(options).pipe(
    Effect.provide(targetLayer(config, place)),
    Effect.ensuring(progress.clear)
  )
  if (!given.json) yield* Effect.forEach(report.notes, printNote, { discard: true })
  yield* printResult(given.json, report, reportLines(report))
})

export const importCommand = Command.make("import", importFlags, (given) =>
  reportFailure(given.json, ({ _tag }) => (_tag === "FlagWrong" ? 2 : 1))(runImport(given))
).pipe(
  Command.withShortDescription("Import a bank's file of movements"),
  Command.withDescription(
    "Import a bank's movements: wallets are made on first sight, each row is one credit or debit. The whole file is " +
      "checked first, against itself and against the wallets, with the balance after each row where there is one; a row " +
      "that does not fit is named, and then nothing is booked. Running it again changes nothing."
  ),
  Command.withExamples([
    { command: "wallet import bank.csv", description: "A file with the usual column names" },
    {
      command: "wallet import export.csv --delimiter ';' --map wallet=account --map amount=value --currency EUR",
      description: "A file with others"
    },
    {
      command:
        "wallet import statement.csv --wallet alice --map in=Credit --map out=Debit --decimal 1.234,56 --dry-run",
      description: "Only check a statement of one account, with two columns of amounts and decimal commas"
    }
  ])
)
