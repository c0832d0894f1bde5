/**
 * `npm run faults`: the real service on real stores under faults. Each scenario prints
 * one line of JSON on standard output and one of text on standard error; the exit code
 * is 1 when one of them is not as promised.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { kurrentFolder } from "../../bench/servers/KurrentServer.ts"
import { postgresFolder } from "../../bench/servers/PostgresServer.ts"
import { jsonLine, textLine } from "./Outcome.ts"
import type { Scenario } from "./Scenario.ts"
import { scenarios } from "./Scenarios.ts"
import "../../src/bin/endWhenDone.ts"

const names = scenarios.map(({ name }) => name)

const flags = {
  scenario: Flag.Literals("scenario", names).pipe(
    Flag.withDescription("One of them; may be given several times. Default: all"),
    Flag.atLeast(0)
  ),
  stores: Flag.Literals("stores", ["both", "postgres"]).pipe(
    Flag.withDescription("KurrentDB with PostgreSQL behind it, or PostgreSQL alone"),
    Flag.withDefault("both" as const)
  ),
  seconds: Flag.Int("seconds").pipe(
    Flag.withDescription("How long the fault lasts; default: the scenario's"),
    Flag.optional
  ),
  count: Flag.Int("count").pipe(
    Flag.withDescription("Commands of `mixed`, transfers, rounds of `kill`; default: the scenario's"),
    Flag.optional
  ),
  kills: Flag.Int("kills").pipe(
    Flag.withDescription("Of `transfers`: how often the service is killed; default: 10"),
    Flag.withDefault(10)
  ),
  seed: Flag.Int("seed").pipe(Flag.withDescription("Of the load and the faults"), Flag.withDefault(20_260_101)),
  progress: Flag.Boolean("progress").pipe(Flag.withDescription("Tell what is going on"), Flag.withDefault(false)),
  list: Flag.Boolean("list").pipe(Flag.withDescription("Print the scenarios and end"), Flag.withDefault(false))
}

const listed = (scenario: Scenario): string =>
  `${scenario.name.padEnd(20)} ${scenario.summary} (${scenario.stores.join(", ")}; ${scenario.seconds} s` +
  `${scenario.count > 0 ? `, count ${scenario.count}` : ""})`

const run = Effect.fnUntraced(function* (given: Command.Command.Config.Infer<typeof flags>) {
  if (given.list) return yield* Console.log(scenarios.map(listed).join("\n"))
  if (postgresFolder === undefined || (given.stores === "both" && kurrentFolder === undefined)) {
    return yield* Effect.die(new Error("PostgreSQL and, unless --stores postgres is given, kurrentd are needed"))
  }
  const fitting = scenarios.filter(({ stores }) => stores.includes(given.stores))
  const wanted = given.scenario.length === 0 ? fitting : fitting.filter(({ name }) => given.scenario.includes(name))
  const unfit = given.scenario.filter((name) => !wanted.some((scenario) => scenario.name === name))
  if (unfit.length > 0) {
    return yield* Effect.die(new Error(`not of --stores ${given.stores}: ${unfit.join(", ")} (see --list)`))
  }
  let broken = 0
  for (const scenario of wanted) {
    const outcome = yield* scenario
      .run({
        stores: given.stores,
        seed: given.seed,
        kills: given.kills,
        seconds: Option.getOrElse(given.seconds, () => scenario.seconds),
        count: Option.getOrElse(given.count, () => scenario.count)
      })
      .pipe(
        Effect.scoped,
        Effect.provideService(References.MinimumLogLevel, given.progress ? "Debug" : "Warn"),
        // Standard output is for programs.
        Effect.provideService(Logger.LogToStderr, true)
      )
    if (outcome.problems.length > 0) broken++
    yield* Console.log(jsonLine(outcome))
    yield* Console.error(textLine(outcome))
  }
  if (broken > 0) yield* Effect.sync(() => (process.exitCode = 1))
})

Command.run(
  Command.make("faults", flags, run).pipe(Command.withDescription("The real service on real stores under faults")),
  { version: "1" }
).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
