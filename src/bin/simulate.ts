/** `npm run simulate`: the simulation over many seeds, or one of them again with its history. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { spawn } from "node:child_process"
import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import { failureLines } from "../testing/simulation/FailureReport.ts"
import { noSeeds, reportLines, type SeedReport, sum } from "../testing/simulation/SeedRange.ts"
import { simulate } from "../testing/simulation/Simulation.ts"

/** Seeds that a worker takes at once: some seconds of work. */
const seedsPerTurn = 20

/** Failing seeds that are shown with their history. */
const failuresShown = 1

class SeedsFailed extends Data.TaggedError("SeedsFailed")<{ readonly message: string }> {}

const workerUrl = new URL(`./simulationWorker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url)

const aWorker = Effect.acquireRelease(
  Effect.sync(() => new Worker(workerUrl)),
  (worker) => Effect.promise(() => worker.terminate())
)

/** What a worker says of its turn; a worker that ends without a word is a defect. */
const turn = (worker: Worker, from: number, seeds: number): Effect.Effect<SeedReport> =>
  Effect.callback<SeedReport>((resume) => {
    const answered = (report: SeedReport) => {
      worker.off("error", failed)
      resume(Effect.succeed(report))
    }
    const failed = (error: unknown) => resume(Effect.die(error))
    worker.once("message", answered)
    worker.once("error", failed)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    worker.postMessage({ from, seeds })
  })

interface Range {
  readonly from: number
  readonly seeds: number
  readonly workers: number
  /** Stops at the first seed that breaks a law. */
  readonly untilFound: boolean
}

const showProgress = (report: SeedReport, seeds: number) =>
  process.stderr.isTTY
    ? Effect.sync(() => {
        process.stderr.write(`\r${report.seeds} of ${seeds} seeds, ${report.failed.length} broke a law `)
        if (report.seeds === seeds) process.stderr.write("\n")
      })
    : Effect.void

const runRange = Effect.fnUntraced(function* ({ from, seeds, untilFound, workers }: Range) {
  let next = from
  let report = noSeeds
  const end = from + seeds
  const isOver = () => next >= end || (untilFound && report.failed.length > 0)
  const work = Effect.scoped(
    Effect.gen(function* () {
      const worker = yield* aWorker
      while (!isOver()) {
        const first = next
        const count = Math.min(untilFound ? 1 : seedsPerTurn, end - first)
        next += count
        const done = yield* turn(worker, first, count)
        report = sum(report, done)
        yield* showProgress(report, seeds)
      }
    })
  )
  yield* Effect.all(
    Array.from({ length: Math.min(workers, seeds) }, () => work),
    { concurrency: "unbounded", discard: true }
  )
  return { ...report, failed: report.failed.toSorted((a, b) => a.seed - b.seed) }
})

const runOne = Effect.fnUntraced(function* (seed: number, history: boolean) {
  const result = simulate(seed)
  const { attempts, commands, events, table, takeovers, violations, plan } = result
  if (history || violations.length > 0) yield* Console.log(JSON.stringify(plan, null, 2))
  if (history) yield* Console.log(result.lines.join("\n"))
  if (violations.length > 0) {
    yield* Console.log((history ? violations : failureLines(result)).join("\n"))
    return yield* new SeedsFailed({ message: `seed ${seed} broke a law` })
  }
  yield* Console.log(
    `seed ${seed}: ${commands} commands in ${attempts} attempts, ${events} events, ${table.total} faults, ` +
      `${takeovers} take-overs: no law was broken`
  )
})

const runMany = Effect.fnUntraced(function* (range: Range, json: boolean) {
  const report = yield* runRange(range)
  yield* Console.log(json ? JSON.stringify(report) : reportLines(report).join("\n"))
  if (report.failed.length === 0) return
  if (!json) {
    for (const { seed } of report.failed.slice(0, failuresShown)) {
      yield* Console.log(`\n${failureLines(simulate(seed)).join("\n")}`)
    }
  }
  return yield* new SeedsFailed({ message: `${report.failed.length} of ${report.seeds} seeds broke a law` })
})

/** It changes the sources of a copy, so it stands with the tests of this repository. */
const runPlanted = Effect.fnUntraced(function* () {
  const script = new URL("../../test/testing/simulation/planted.ts", import.meta.url)
  const code = yield* Effect.callback<number>((resume) => {
    spawn(process.execPath, [script.pathname], { stdio: "inherit" }).once("exit", (exit) =>
      resume(Effect.succeed(exit ?? 1))
    )
  })
  if (code !== 0) return yield* new SeedsFailed({ message: "a planted bug was not found" })
})

const flags = {
  seeds: Flag.Int("seeds").pipe(Flag.withDescription("How many seeds"), Flag.withDefault(300)),
  from: Flag.Int("from").pipe(Flag.withDescription("The first of them"), Flag.withDefault(1)),
  workers: Flag.Int("workers").pipe(
    Flag.withDescription("Threads that share the seeds"),
    Flag.withDefault(availableParallelism())
  ),
  seed: Flag.Int("seed").pipe(Flag.withDescription("This one seed"), Flag.optional),
  history: Flag.Boolean("history").pipe(
    Flag.withDescription("Print everything that happens in it"),
    Flag.withDefault(false)
  ),
  untilFound: Flag.Boolean("until-found").pipe(
    Flag.withDescription("Stop at the first seed that breaks a law"),
    Flag.withDefault(false)
  ),
  planted: Flag.Boolean("planted").pipe(
    Flag.withDescription(
      "Plant known bugs in a copy of the engine, one at a time, and count the seeds until each is found"
    ),
    Flag.withDefault(false)
  ),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print the report as JSON"), Flag.withDefault(false))
}

const command = Command.make("simulate", flags, ({ history, json, planted, seed, ...range }) => {
  if (planted) return runPlanted()
  return Option.isSome(seed) ? runOne(seed.value, history) : runMany(range, json)
}).pipe(
  Command.withDescription("Run the whole engine in virtual time through faults, crashes and take-overs, from seeds")
)

Command.run(command, { version: "1" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
