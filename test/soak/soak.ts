/**
 * `npm run soak -- --minutes 30 --rate 2000 --faults 10`: the real service on PostgreSQL and Elasticsearch for a long time,
 * with faults of search. Prints what it does on standard error and the result on standard output; the exit code is 1 when it
 * is not as promised.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { soakFaults } from "./SoakFaults.ts"
import { soakReport } from "./SoakReport.ts"
import { runSoak, type SoakOptions } from "./SoakRun.ts"
import "../../src/bin/endWhenDone.ts"

const flags = {
  minutes: Flag.Int("minutes").pipe(Flag.withDescription("Of the load, at least"), Flag.withDefault(30)),
  rate: Flag.Int("rate").pipe(Flag.withDescription("Events per second"), Flag.withDefault(2_000)),
  faults: Flag.Int("faults").pipe(Flag.withDescription("How many are made"), Flag.withDefault(10)),
  kind: Flag.Literals("kind", soakFaults).pipe(
    Flag.withDescription("One of them; may be given several times. Default: all"),
    Flag.atLeast(0)
  ),
  seed: Flag.Int("seed").pipe(Flag.withDescription("Of the load and the faults"), Flag.withDefault(1)),
  wallets: Flag.Int("wallets").pipe(Flag.withDescription("Wallets"), Flag.withDefault(2_000)),
  hold: Flag.Int("hold").pipe(
    Flag.withDescription("How long a fault lasts that goes on for a while, seconds"),
    Flag.withDefault(15)
  ),
  heap: Flag.String("heap").pipe(Flag.withDescription("Of Elasticsearch"), Flag.withDefault("1g")),
  json: Flag.Boolean("json").pipe(Flag.withDescription("The result as JSON, with every look"), Flag.withDefault(false))
}

/** The first minutes of a process say nothing about its memory later. */
const memoryMinutes = 10

const run = Effect.fnUntraced(function* (given: Command.Command.Config.Infer<typeof flags>) {
  const options: SoakOptions = {
    ...given,
    millis: given.minutes * 60_000,
    kinds: given.kind.length === 0 ? soakFaults : given.kind,
    holdMillis: given.hold * 1_000,
    elasticsearch: { heap: given.heap },
    judgesMemory: given.minutes >= memoryMinutes,
    tell: Console.error
  }
  const outcome = yield* runSoak(options).pipe(Effect.scoped, Effect.provideService(References.MinimumLogLevel, "Warn"))
  yield* Console.log(given.json ? JSON.stringify(outcome) : soakReport(options, outcome))
  if (outcome.problems.length > 0) yield* Effect.sync(() => (process.exitCode = 1))
})

Command.run(
  Command.make("soak", flags, run).pipe(
    Command.withDescription("The service on PostgreSQL and Elasticsearch for a long time, with faults of search")
  ),
  { version: "1" }
).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
