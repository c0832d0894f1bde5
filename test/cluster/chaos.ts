/**
 * `npm run chaos -- --minutes 5 --seed 1`: the real service on several nodes under one
 * fault after the other. Prints what it does on standard error and the result on standard
 * output; the exit code is 1 when it is not as promised.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { report } from "./ChaosReport.ts"
import { type ChaosOptions, runChaos } from "./ChaosRun.ts"
import { disturbanceKinds } from "./Disturbances.ts"
import "../../src/bin/endWhenDone.ts"

const flags = {
  minutes: Flag.Int("minutes").pipe(Flag.withDescription("How long faults are made"), Flag.withDefault(5)),
  faults: Flag.Int("faults").pipe(Flag.withDescription("How many are made at most"), Flag.optional),
  seed: Flag.Int("seed").pipe(Flag.withDescription("Of the load and the faults"), Flag.withDefault(1)),
  nodes: Flag.Int("nodes").pipe(Flag.withDescription("How many nodes"), Flag.withDefault(3)),
  stores: Flag.Literals("stores", ["postgres", "both"]).pipe(
    Flag.withDescription("PostgreSQL alone, or KurrentDB with PostgreSQL behind it"),
    Flag.withDefault("postgres" as const)
  ),
  kind: Flag.Literals("kind", disturbanceKinds).pipe(
    Flag.withDescription("One of them; may be given several times. Default: all"),
    Flag.atLeast(0)
  ),
  lease: Flag.Int("lease").pipe(Flag.withDescription("Of the nodes, milliseconds"), Flag.withDefault(2_000)),
  connections: Flag.Int("connections").pipe(Flag.withDescription("Callers"), Flag.withDefault(32)),
  patience: Flag.Int("patience").pipe(
    Flag.withDescription("Of a client for one try, milliseconds; then it asks another node"),
    Flag.withDefault(4_000)
  ),
  ordered: Flag.Boolean("ordered").pipe(Flag.withDescription("The kinds as they are given"), Flag.withDefault(false)),
  previous: Flag.Directory("previous", { mustExist: true }).pipe(
    Flag.withDescription(
      "Of another release, with its node_modules: all nodes start as that one, and again as this one"
    ),
    Flag.optional
  ),
  wallets: Flag.Int("wallets").pipe(Flag.withDescription("Wallets"), Flag.withDefault(200)),
  json: Flag.Boolean("json").pipe(Flag.withDescription("The result as JSON"), Flag.withDefault(false))
}

const run = Effect.fnUntraced(function* (given: Command.Command.Config.Infer<typeof flags>) {
  const options: ChaosOptions = {
    ...given,
    kinds: given.kind.length === 0 ? disturbanceKinds : given.kind,
    faults: Option.getOrElse(given.faults, () => Number.MAX_SAFE_INTEGER),
    millis: given.minutes * 60_000,
    leaseMillis: given.lease,
    patienceMillis: given.patience,
    previous: Option.getOrUndefined(given.previous),
    shuffled: !given.ordered,
    tell: Console.error
  }
  const outcome = yield* runChaos(options).pipe(
    Effect.scoped,
    Effect.provideService(References.MinimumLogLevel, "Warn")
  )
  yield* Console.log(given.json ? JSON.stringify(outcome) : report(options, outcome))
  if (outcome.problems.length > 0) yield* Effect.sync(() => (process.exitCode = 1))
})

Command.run(
  Command.make("chaos", flags, run).pipe(Command.withDescription("Several nodes of the service under faults")),
  { version: "1" }
).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
