/** `npm run bench`: the engine, the limit program and the usual ways, measured side by side. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { groupNames, partNames, partsOf, runBench } from "../load/bench/Bench.ts"
import { BenchServers } from "../load/bench/BenchServers.ts"
import { fullBench, quickBench } from "../load/bench/BenchSettings.ts"
import { reportLines } from "../load/bench/Report.ts"
import "./endWhenDone.ts"

const flags = {
  quick: Flag.Boolean("quick").pipe(
    Flag.withDescription("Whether everything runs, in under a minute; the figures mean little"),
    Flag.withDefault(false)
  ),
  only: Flag.Literals("only", [...partNames, ...groupNames]).pipe(
    Flag.withDescription("One part, or one measurement on every store; may be given several times. Default: all"),
    Flag.atLeast(0)
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print the report as JSON on standard output"),
    Flag.withDefault(false)
  )
}

const bench = Command.make("bench", flags, ({ json, only, quick }) =>
  Effect.gen(function* () {
    const report = yield* runBench(quick ? quickBench : fullBench, partsOf(only))
    yield* Console.log(json ? JSON.stringify(report, null, 2) : reportLines(report).join("\n"))
  }).pipe(Effect.provide(BenchServers.layer))
).pipe(Command.withDescription("Measure the engine beside the limit program and the usual ways"))

Command.run(bench, { version: "1" }).pipe(
  Effect.provide(Layer.merge(NodeServices.layer, Layer.succeed(References.MinimumLogLevel, "Warn"))),
  NodeRuntime.runMain
)
