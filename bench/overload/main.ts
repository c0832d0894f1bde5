/** `npm run overload`: what becomes of the service under more than it can do, and whether its bars hold. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import type { Place } from "../against/Checkout.ts"
import { BenchServers } from "../BenchServers.ts"
import { formatNumber } from "../Figure.ts"
import { temporaryFolder } from "../servers/ServerProcess.ts"
import { freshDatabase } from "../SideDatabase.ts"
import type { OverloadFigure, OverloadRow } from "./OverloadRow.ts"
import { overloadRows } from "./OverloadRows.ts"
import "../../src/bin/endWhenDone.ts"

const storeNames = ["embedded", "postgres"] as const
type Stores = (typeof storeNames)[number]

const flags = {
  stores: Flag.Literals("stores", storeNames).pipe(
    Flag.withDescription("The embedded database or a PostgreSQL server that is started for it. Default: embedded"),
    Flag.withDefault<Stores>("embedded")
  ),
  only: Flag.Literals(
    "only",
    overloadRows.map(({ name }) => name)
  ).pipe(Flag.withDescription("One row; may be given several times. Default: all"), Flag.atLeast(0)),
  seconds: Flag.Finite("seconds").pipe(
    Flag.withDescription("How long each load lasts. Default: 60"),
    Flag.filter(
      (seconds) => seconds >= 0.5 && seconds <= 3_600,
      () => "0.5 to 3,600 seconds"
    ),
    Flag.withDefault(60)
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("One document of JSON on standard output and nothing else (through npm: npm run -s overload)"),
    Flag.withDefault(false)
  )
}

/** A program is missing, or a bar was not held: the exit code is 1. */
class OverloadFailed extends Schema.TaggedError<OverloadFailed>()("OverloadFailed", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

const placeFor = Effect.fnUntraced(function* (stores: Stores, row: string) {
  if (stores === "embedded") return { _tag: "Folder", folder: yield* temporaryFolder() } satisfies Place
  const server = yield* (yield* BenchServers).postgres
  if (server === undefined) return yield* new OverloadFailed({ reason: "PostgreSQL is not on this machine" })
  return { _tag: "Server", url: yield* freshDatabase(server, `overload_${row}`) } satisfies Place
})

const runRow = Effect.fnUntraced(function* ({ name, run, title }: OverloadRow, stores: Stores, seconds: number) {
  const place = yield* placeFor(stores, name)
  const progress = (text: string) => Console.error(`overload: ${name}: ${text}`)
  const { elasticsearch } = yield* BenchServers
  const figures = yield* run({ place, elasticsearch, millis: seconds * 1_000, progress })
  return { name, title, figures }
}, Effect.scoped)

const figureLine = ({ bar, name, unit, value }: OverloadFigure): string =>
  `  ${name}: ${formatNumber(value, unit)}${bar === null ? "" : ` (${bar.text} ${bar.holds ? "✓" : "✗ MISSED"})`}`

const overload = Command.make("overload", flags, ({ json, only, seconds, stores }) =>
  Effect.gen(function* () {
    const chosen = overloadRows.filter(({ name }) => only.length === 0 || only.includes(name))
    const rows = yield* Effect.forEach(chosen, (row) => runRow(row, stores, seconds))
    const lines = rows.flatMap(({ figures, name, title }) => [`${name}: ${title}`, ...figures.map(figureLine)])
    yield* Console.log(json ? JSON.stringify({ stores, seconds, rows }, null, 2) : lines.join("\n"))
    const missed = rows.flatMap(({ figures }) => figures).filter(({ bar }) => bar !== null && !bar.holds)
    if (missed.length > 0) return yield* new OverloadFailed({ reason: `${missed.length} bars were missed` })
  }).pipe(Effect.provide(BenchServers.layer))
).pipe(Command.withDescription("Put the service under more than it can do, and see whether its bars hold"))

Command.run(overload, { version: "1" }).pipe(
  Effect.provide(
    Layer.mergeAll(
      NodeServices.layer,
      Layer.succeed(References.MinimumLogLevel, "Warn"),
      Layer.succeed(Logger.LogToStderr, true)
    )
  ),
  NodeRuntime.runMain
)
