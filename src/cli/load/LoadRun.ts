/** What `wallet load` does: finds what to drive, drives it, prints the report and tells by the exit code how it went. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Process from "node:process"
import { storesLayer } from "../../engine/EngineStores.ts"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import type { Phase } from "../../load/ArrivalTimes.ts"
import { ComparedRun, compareLoads, comparisonLines } from "../../load/CompareLoads.ts"
import { layerEngine } from "../../load/EngineTarget.ts"
import { type HttpTargetOptions, layerHttp } from "../../load/HttpTarget.ts"
import { findKnee, kneeLines, type KneeStep } from "../../load/KneeSearch.ts"
import { type LoadOptions, type Loop, runLoad } from "../../load/Load.ts"
import { batchKinds, loadKinds, parseMix } from "../../load/LoadCommand.ts"
import type { LoadThreads } from "../../load/LoadThreads.ts"
import { comparisonPage, type LoadDocument, loadPage } from "../../load/LoadPage.ts"
import { loadLines } from "../../load/LoadReport.ts"
import { Pacer } from "../../load/Pacer.ts"
import { parseScenario } from "../../load/Scenario.ts"
import { judgeThreshold, parseThresholds } from "../../load/Thresholds.ts"
import { loggingLayer } from "../Logging.ts"
import { CommandFailed, printNote, printResult } from "../Output.ts"
import { withoutCredentials } from "../Secrets.ts"
import { loadServiceConfig, type ServiceConfig } from "../ServiceConfig.ts"
import { findServicePlace, refuseTakeover, type RunningService, type ServicePlace } from "../ServicePlace.ts"
import { environmentOf } from "./LoadEnvironment.ts"
import type { LoadFlags } from "./LoadFlags.ts"
import { makeLoadProgress } from "./LoadProgress.ts"

/** Nobody to drive: a load on the stores themselves must be asked for. */
class ServiceAbsent extends Schema.TaggedError<ServiceAbsent>()("ServiceAbsent", {}) {
  override get message(): string {
    return "there is no running service here: start one, give --url, or --library to drive an engine of this process"
  }
}

/** Flags that say nothing sensible, alone or together. */
export class LoadFlagsWrong extends Schema.TaggedError<LoadFlagsWrong>()("LoadFlagsWrong", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

const targetOf = ({ apiKey, baseUrl }: RunningService, given: LoadFlags): HttpTargetOptions => ({
  url: new URL(baseUrl),
  apiKey,
  await: given.await,
  toOwners: given.toOwners
})

const threadsOf = (place: ServicePlace, given: LoadFlags): LoadThreads | undefined =>
  place._tag === "Here" || given.threads === 1
    ? undefined
    : { count: given.threads, target: targetOf(place.service, given) }

const targetLayer = (config: ServiceConfig, place: ServicePlace, given: LoadFlags) =>
  place._tag === "Service"
    ? layerHttp(targetOf(place.service, given))
    : layerEngine({ await: given.await }).pipe(
        Layer.provide(WalletEngine.layer(config.engine)),
        Layer.provide(storesLayer(config.engine.stores)),
        Layer.provide(loggingLayer(config))
      )

const phasesOf = Effect.fnUntraced(function* ({ rate, scenario, seconds, warmup }: LoadFlags) {
  if (Option.isSome(scenario)) {
    const files = yield* FileSystem.FileSystem
    const reason = (failure: { readonly message: string }) =>
      new LoadFlagsWrong({ reason: `--scenario: ${scenario.value}: ${failure.message}` })
    const text = yield* Effect.mapError(files.readFileString(scenario.value), reason)
    return yield* Effect.mapError(parseScenario(text), reason)
  }
  return plainPhases(
    Option.getOrElse(rate, () => 0),
    seconds,
    warmup
  )
})

const plainPhases = (perSecond: number, seconds: number, warmup: number): ReadonlyArray<Phase> => {
  const phase = (name: string, length: number, counted: boolean) =>
    length === 0 ? [] : [{ name, millis: length * 1_000, from: perSecond, to: perSecond, counted }]
  return [...phase("warm-up", warmup, false), ...phase("load", seconds, true)]
}

const loopOf = ({ arrivals, callers, connections, findKnee, rate, scenario }: LoadFlags): Loop =>
  Option.isSome(rate) || Option.isSome(scenario) || findKnee
    ? { _tag: "Open", arrivals, connections }
    : { _tag: "Closed", callers }

const optionsOf = Effect.fnUntraced(function* (
  given: LoadFlags,
  place: ServicePlace,
  run: string,
  onProgress: LoadOptions["onProgress"]
): Effect.fn.Return<LoadOptions, LoadFlagsWrong, FileSystem.FileSystem> {
  const { batch, checkSeconds, drain, history, seed, wallets, zipf } = given
  const mix = parseMix(given.mix)
  if (mix === undefined) {
    const reason = `--mix: ${JSON.stringify(given.mix)} is not like credit=80,debit=20; kinds: ${loadKinds.join(", ")}`
    return yield* new LoadFlagsWrong({ reason })
  }
  const single = loadKinds.find((kind) => mix[kind] > 0 && !batchKinds.has(kind))
  if (batch > 1 && single !== undefined) {
    const reason = `--batch: a ${single} is not one command; with it the mix is of ${[...batchKinds].join(", ")}`
    return yield* new LoadFlagsWrong({ reason })
  }
  return {
    loop: loopOf(given),
    phases: yield* phasesOf(given),
    distribution: zipf === 0 ? { _tag: "Uniform", wallets } : { _tag: "Zipf", wallets, exponent: zipf },
    mix,
    batch,
    history,
    seed,
    run,
    drainMillis: drain * 1_000,
    checkMillis: checkSeconds * 1_000,
    threads: threadsOf(place, given),
    onProgress
  }
})

const wrong = (reason: string) => Effect.fail(new LoadFlagsWrong({ reason }))

/** What does not go together, before anything is sent. */
const refuseFlags = Effect.fnUntraced(function* (given: LoadFlags) {
  const { callers, connections, files, findKnee, library, rate, scenario, threads, threshold } = given
  if (files.length > 0) return yield* wrong("files are for --compare")
  if (library && threads > 1)
    return yield* wrong("--library drives an engine of this process: --threads does not go with it")
  const [many, name] =
    Option.isSome(rate) || Option.isSome(scenario) || findKnee ? [connections, "connections"] : [callers, "callers"]
  if (threads > many) return yield* wrong(`--threads: each needs one of the --${name}, and there are ${many}`)
  if (Option.isSome(scenario) && (Option.isSome(rate) || findKnee)) {
    return yield* wrong("--scenario has rates of its own: --rate and --find-knee do not go with it")
  }
  const thresholds = Option.isSome(threshold) ? parseThresholds(threshold.value) : []
  if (thresholds !== undefined) return thresholds
  return yield* wrong(
    `--threshold: ${JSON.stringify(Option.getOrElse(threshold, () => ""))} is not like p99<10ms,goodput>20000`
  )
})

/** What the service has kept is not what it answered. */
const checkFailed = 2

const thresholdMissed = 3

const writePage = Effect.fnUntraced(function* (path: Option.Option<string>, page: () => string) {
  if (Option.isNone(path)) return
  const files = yield* FileSystem.FileSystem
  yield* files.writeFileString(path.value, page())
  yield* printNote(`the report is in ${path.value}`)
})

/** One load, or those of a search for the knee. */
const measure = Effect.fnUntraced(function* (given: LoadFlags, options: LoadOptions) {
  if (!given.findKnee) return { report: yield* runLoad(options), knee: undefined }
  const { seconds, slo, warmup } = given
  const from = Option.getOrElse(given.rate, () => 100)
  const onStep = (step: KneeStep) =>
    printNote(`${step.rate}/s: goodput ${step.goodput}/s, p99 ${step.p99} ms: ${step.ok ? "good" : step.why}`)
  return yield* findKnee({ from, slo, onStep }, (rate, step) =>
    runLoad({ ...options, run: `${options.run}-${step}`, phases: plainPhases(rate, seconds, warmup) })
  )
})

/** Prints the report; what was found wrong is the exit code. */
const driveLoad = Effect.fnUntraced(function* (given: LoadFlags) {
  const thresholds = yield* refuseFlags(given)
  const config = yield* loadServiceConfig
  const place: ServicePlace = given.library ? { _tag: "Here" } : yield* findServicePlace(config, given.url)
  if (place._tag === "Here" && !given.library) return yield* new ServiceAbsent()
  if (place._tag === "Here") yield* refuseTakeover(config.engine.stores, given.takeover)
  const progress = yield* makeLoadProgress
  const now = yield* Clock.currentTimeMillis
  const run = Option.getOrElse(given.run, () => now.toString(36))
  const options = yield* optionsOf(given, place, run, progress.show)
  if (given.history > 0) yield* printNote(`each wallet gets a past of ${given.history} credits; nothing is restarted`)
  const environment = yield* environmentOf(config.engine.stores, place)
  if (!given.json) yield* printNote(`driving ${environment.driven}`)
  const { knee, report } = yield* measure(given, options).pipe(
    Effect.provide(Layer.merge(targetLayer(config, place, given), Pacer.layerThread)),
    Effect.ensuring(progress.clear)
  )
  const judged = thresholds.map((threshold) => judgeThreshold(threshold, report))
  const document: LoadDocument = {
    environment,
    commandLine: withoutCredentials(["wallet", ...Process.argv.slice(2)].join(" ")),
    startedAt: new Date(now).toISOString(),
    ...report,
    thresholds: judged,
    ...(knee === undefined ? {} : { knee })
  }
  yield* writePage(given.report, () => loadPage(document))
  const missed = judged.filter(({ ok }) => !ok)
  yield* printResult(given.json, document, [
    ...loadLines(report),
    ...(knee === undefined ? [] : kneeLines(knee)),
    ...judged.map(
      ({ ok, threshold, value }) => `threshold ${threshold}: ${ok ? "kept" : "MISSED"} (${value ?? "nothing measured"})`
    )
  ])
  if (report.check.ok === false) {
    return yield* new CommandFailed({ exitCode: checkFailed, reason: "the check has failed" })
  }
  if (missed.length > 0) {
    return yield* new CommandFailed({ exitCode: thresholdMissed, reason: "a threshold was missed" })
  }
})

const readSide = Effect.fnUntraced(function* (paths: string) {
  const files = yield* FileSystem.FileSystem
  const runs = yield* Effect.forEach(paths.split(","), (path) =>
    Effect.mapError(
      Effect.flatMap(files.readFileString(path), Schema.decodeEffect(Schema.fromJsonString(ComparedRun))),
      ({ message }) => new LoadFlagsWrong({ reason: `--compare: ${path} is no document of --json: ${message}` })
    )
  )
  return { name: paths, runs }
})

const compare = Effect.fnUntraced(function* ({ files, json, report }: LoadFlags) {
  if (files.length < 2)
    return yield* wrong("--compare needs two sides: a1.json,a2.json,a3.json b1.json,b2.json,b3.json")
  const comparison = compareLoads(yield* Effect.forEach(files, readSide))
  yield* writePage(report, () => comparisonPage(comparison))
  yield* printResult(json, comparison, comparisonLines(comparison))
})

/** Drives a load, or compares earlier ones. */
export const load = (given: LoadFlags) => (given.compare ? compare(given) : driveLoad(given))
