/** `npm run bench`: the engine, the limit program and the usual ways, measured side by side; or two checkouts. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { resolve } from "node:path"
import { againstGroups, againstNames, againstRows, runAgainst } from "./against/AgainstBench.ts"
import { unusable } from "./against/Checkout.ts"
import { groupNames, partNames, partsOf, runBench } from "./Bench.ts"
import { BenchServers } from "./BenchServers.ts"
import { settingsOf } from "./BenchSettings.ts"
import { reportLines } from "./Report.ts"
import "../src/bin/endWhenDone.ts"

const names = [...new Set([...partNames, ...groupNames, ...againstNames, ...againstGroups])]

const flags = {
  quick: Flag.Boolean("quick").pipe(
    Flag.withDescription("Whether everything runs, in under two minutes; the figures mean little"),
    Flag.withDefault(false)
  ),
  only: Flag.Literals("only", names).pipe(
    Flag.withDescription("One part or row, or a group of them; may be given several times. Default: all"),
    Flag.atLeast(0)
  ),
  against: Flag.Directory("against", { mustExist: true }).pipe(
    Flag.withDescription("Another checkout of this project, with its dependencies: every row in turns with it"),
    Flag.optional
  ),
  rounds: Flag.Int("rounds").pipe(
    Flag.withDescription("Rounds that count. Default: 3, and 5 with --against"),
    Flag.filter(
      (rounds) => rounds >= 1 && rounds <= 1_000,
      () => "1 to 1,000 rounds"
    ),
    Flag.optional
  ),
  seconds: Flag.Finite("seconds").pipe(
    Flag.withDescription("Counted part of a round. Default: 2"),
    Flag.filter(
      (seconds) => seconds >= 0.05 && seconds <= 3_600,
      () => "0.05 to 3,600 seconds"
    ),
    Flag.optional
  ),
  pgledger: Flag.Directory("pgledger", { mustExist: true }).pipe(
    Flag.withDescription("A folder with the SQL of pgledger, to be measured beside the engine"),
    Flag.optional
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("One document of JSON on standard output and nothing else (through npm: npm run -s bench)"),
    Flag.withDefault(false)
  )
}

/** Called wrongly, in one line. */
class BenchImpossible extends Schema.TaggedError<BenchImpossible>()("BenchImpossible", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

const nothingUnder = (only: ReadonlyArray<string>, mode: string) =>
  new BenchImpossible({ reason: `nothing ${mode} is called ${only.join(" or ")}` })

const bench = Command.make("bench", flags, ({ against, json, only, quick, ...given }) =>
  Effect.gen(function* () {
    const settings = settingsOf({
      quick,
      compares: Option.isSome(against),
      rounds: Option.getOrUndefined(given.rounds),
      seconds: Option.getOrUndefined(given.seconds),
      pgledger: Option.getOrUndefined(given.pgledger)
    })
    const parts = partsOf(only)
    const rows = againstRows(only)
    if (Option.isSome(against)) {
      const folder = resolve(against.value)
      const reason = unusable(folder)
      if (reason !== undefined) return yield* new BenchImpossible({ reason })
      if (rows.length === 0) return yield* nothingUnder(only, "that two checkouts are compared by")
      return yield* runAgainst(settings, folder, rows)
    }
    if (parts.length === 0) return yield* nothingUnder(only, "that one checkout is measured by")
    return yield* runBench(settings, parts)
  }).pipe(
    Effect.flatMap((report) => Console.log(json ? JSON.stringify(report, null, 2) : reportLines(report).join("\n"))),
    Effect.provide(BenchServers.layer)
  )
).pipe(Command.withDescription("Measure the engine beside the limit program and the usual ways, or two checkouts"))

Command.run(bench, { version: "1" }).pipe(
  Effect.provide(
    Layer.mergeAll(
      NodeServices.layer,
      Layer.succeed(References.MinimumLogLevel, "Warn"),
      Layer.succeed(Logger.LogToStderr, true)
    )
  ),
  NodeRuntime.runMain
)
