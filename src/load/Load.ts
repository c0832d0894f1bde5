/**
 * A load: a mix of operations over wallets made for it, sent as they are due (open loop) or by so many callers that
 * each wait for their answer (closed loop). Then every answer is waited for, within a bound, and what the service has
 * kept is held against what it answered.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Process from "node:process"
import { type ArrivalKind, arrivalTimes, type Phase } from "./ArrivalTimes.ts"
import { CommandLedger } from "./CommandLedger.ts"
import { checkLoad } from "./LoadCheck.ts"
import type { Mix } from "./LoadCommand.ts"
import { closedLoop, type LoopOptions, openLoop } from "./LoadLoop.ts"
import { type LoadReport, reportOf } from "./LoadReport.ts"
import { LoadTarget, type Usage } from "./LoadTarget.ts"
import { type LoadThreads, startThreads } from "./LoadThreads.ts"
import { makeWallets, openingBalance } from "./LoadWallets.ts"
import { Operations, RunNames } from "./Operations.ts"
import { Tally } from "./Tally.ts"
import { everyTurn, partOf, type Turn, turnsOf } from "./Turns.ts"
import type { Distribution } from "./WalletChoice.ts"
import { workload } from "./Workload.ts"

export type Loop =
  /** 1–10,000 callers, each of which waits for its answer before it sends again. */
  | { readonly _tag: "Closed"; readonly callers: number }
  /** By the phases' rates; `connections`: requests on their way at most, 1–10,000. */
  | { readonly _tag: "Open"; readonly arrivals: ArrivalKind; readonly connections: number }

export interface LoadOptions {
  readonly loop: Loop
  readonly phases: ReadonlyArray<Phase>
  readonly distribution: Distribution
  readonly mix: Mix
  /** Operations of one request, 1–1,000; more than one of kinds of a single command alone. */
  readonly batch: number
  /** Credits of each wallet before the load begins. */
  readonly history: number
  /** What is sent is drawn from it. */
  readonly seed: string
  /** Distinguishes this run: its wallets are `load-<run>-<n>`. 1–40 characters of an id. */
  readonly run: string
  /** For what is due or on its way when the phases are over, milliseconds. */
  readonly drainMillis: number
  /** For the check, milliseconds; 0: none. */
  readonly checkMillis: number
  /** That send it; left out: this one. */
  readonly threads?: LoadThreads | undefined
  /** About once a second. */
  readonly onProgress: (progress: LoadProgress) => Effect.Effect<void>
}

export type LoadProgress =
  | { readonly _tag: "Wallets"; readonly made: number; readonly wallets: number }
  | {
      readonly _tag: "Load"
      readonly elapsedMillis: number
      readonly totalMillis: number
      /** Answers per second, and the p99 of their latencies in milliseconds, since the last progress. */
      readonly perSecond: number
      readonly p99: number
      /** Not accepted so far. */
      readonly failures: number
    }
  | { readonly _tag: "Check" }

/** So many of the wallets with the most accepted commands are named. */
const hottestWallets = 10

/** Between two readings of what the processes use, milliseconds; to tell its metrics is work for the service. */
const [ownUsageMillis, serviceUsageMillis] = [1_000, 5_000]

const monotonicNow: Effect.Effect<() => number> = Effect.clockWith((clock) =>
  Effect.succeed(() => Number(clock.monotonicTimeNanosUnsafe()) / 1e6)
)

const ownUsage = (): Usage => {
  const { system, user } = Process.cpuUsage()
  return { cpuSeconds: (system + user) / 1e6, residentBytes: Process.memoryUsage.rss() }
}

/** Draws from the seed, apart from what else is drawn from it. */
export const drawsOf = (seed: string, purpose: string): Effect.Effect<() => number> =>
  Effect.map(
    Random.withSeed(Effect.service(Random.Random), `${seed} ${purpose}`),
    (random) => () => random.nextDoubleUnsafe()
  )

/** Reads what the processes use into the points of the timeline; a service that stands still keeps only its own waiting. */
const watchUsage = Effect.fnUntraced(function* (tally: Tally, elapsed: () => number) {
  const target = yield* LoadTarget
  const client = Effect.sync(() => void (tally.timeline.at(elapsed()).client = ownUsage()))
  const service = Effect.map(target.usage, (usage) => {
    const point = tally.timeline.at(elapsed())
    point.service = usage ?? point.service
  })
  return yield* Effect.raceFirst(
    Effect.forever(Effect.andThen(client, Effect.sleep(ownUsageMillis))),
    Effect.forever(Effect.andThen(service, Effect.sleep(serviceUsageMillis)))
  )
})

const watchProgress = Effect.fnUntraced(function* ({ onProgress }: LoadOptions, tally: Tally, elapsed: () => number) {
  for (let before = elapsed(), answered = 0; ;) {
    yield* Effect.sleep("1 second")
    const now = elapsed()
    const recent = tally.takeRecent()
    const perSecond = ((tally.answered - answered) * 1_000) / Math.max(1, now - before)
    before = now
    answered = tally.answered
    const p99 = recent.percentile(0.99) / 1_000
    const { end: totalMillis, failures } = tally
    yield* onProgress({ _tag: "Load", elapsedMillis: now, totalMillis, perSecond, p99, failures })
  }
})

/** What is sent, apart from who sends it. */
export type SendOptions = Pick<
  LoadOptions,
  "loop" | "phases" | "distribution" | "mix" | "batch" | "seed" | "drainMillis"
>

/** Sends what is this turn's. `from`: the number of the load's first command. */
export const sendTurn = Effect.fnUntraced(function* (
  options: SendOptions,
  turn: Turn,
  from: number,
  sending: Pick<LoopOptions, "tally" | "operations" | "elapsed">
) {
  const { batch, drainMillis, loop, phases, seed } = options
  const nextOperation = turnsOf(yield* workload(options, from), turn, batch)
  const loopOptions: LoopOptions = { ...sending, nextOperation, batch, drainMillis }
  if (loop._tag === "Closed") return yield* closedLoop(loopOptions, partOf(loop.callers, turn))
  const draw = yield* drawsOf(seed, "arrivals")
  // A batch is one arrival.
  const batches = phases.map((phase) => ({ ...phase, from: phase.from / batch, to: phase.to / batch }))
  const nextDue = turnsOf(arrivalTimes(batches, loop.arrivals, draw), turn, 1)
  return yield* openLoop(loopOptions, nextDue, partOf(loop.connections, turn))
})

/** Milliseconds from now on, monotonic. */
export const startWatch: Effect.Effect<() => number> = Effect.map(monotonicNow, (now) => {
  const startedAt = now()
  return () => now() - startedAt
})

/** Sends the load from this thread, or from some of their own. */
const sendAll = Effect.fnUntraced(function* (
  options: LoadOptions,
  from: number,
  {
    ledger,
    operations,
    tally
  }: { readonly tally: Tally; readonly ledger: CommandLedger; readonly operations: Operations }
) {
  const { threads } = options
  const watched = <A, E, R>(sending: Effect.Effect<A, E, R>, elapsed: () => number) =>
    sending.pipe(Effect.raceFirst(watchProgress(options, tally, elapsed)), Effect.raceFirst(watchUsage(tally, elapsed)))
  if (threads === undefined) {
    const elapsed = yield* startWatch
    return yield* watched(sendTurn(options, everyTurn, from, { tally, operations, elapsed }), elapsed)
  }
  const started = yield* startThreads(options, threads, from)
  const elapsed = yield* startWatch
  return yield* watched(started.send({ tally, ledger }), elapsed)
}, Effect.scoped)

const hottestOf = (ledger: CommandLedger, names: RunNames, millis: number): LoadReport["hottest"] =>
  [...ledger.acceptedBy.entries()]
    .filter(([, accepted]) => accepted > 0)
    .sort(([, a], [, b]) => b - a)
    .slice(0, hottestWallets)
    .map(([index, accepted]) => ({
      wallet: names.wallet(index),
      accepted,
      perSecond: Math.round((accepted * 1_000_000) / millis) / 1_000
    }))

/** Runs the load against the {@link LoadTarget}. What is not accepted is counted, and not failed with. */
export const runLoad = Effect.fnUntraced(function* (options: LoadOptions) {
  const target = yield* LoadTarget
  const { distribution, history, loop, onProgress, run, seed } = options
  const { wallets } = distribution
  const names = new RunNames(run)
  const ledger = new CommandLedger(wallets, yield* drawsOf(seed, "sample"))
  const operations = new Operations(target, ledger, names)
  const slots = loop._tag === "Closed" ? loop.callers : loop.connections
  const onMade = (made: number) => onProgress({ _tag: "Wallets", made, wallets })
  yield* makeWallets({ wallets, slots, history, names, operations, onProgress: onMade })
  // Its wallets' past is no part of the load.
  ledger.acceptedBy.fill(0)
  const tally = new Tally(options.phases)
  yield* sendAll(options, wallets * history, { tally, ledger, operations })
  const millis = options.checkMillis
  if (millis > 0) yield* onProgress({ _tag: "Check" })
  const check =
    millis === 0
      ? ({ ok: null } as const)
      : yield* checkLoad({ names, ledger, wallets, opening: openingBalance, millis })
  return reportOf({
    loop: loop._tag === "Open" ? "open" : "closed",
    run,
    seed,
    tally,
    hottest: hottestOf(ledger, names, tally.end),
    check
  })
})
