/** What `wallet load` does: finds what to drive, drives it, prints the report and tells by the exit code how it went. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { storesLayer } from "../../engine/EngineStores.ts"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import type { Phase } from "../../load/ArrivalTimes.ts"
import { layerEngine } from "../../load/EngineTarget.ts"
import { layerHttp } from "../../load/HttpTarget.ts"
import { type LoadOptions, type Loop, runLoad } from "../../load/Load.ts"
import { batchKinds, loadKinds, parseMix } from "../../load/LoadCommand.ts"
import { loadLines } from "../../load/LoadReport.ts"
import { Pacer } from "../../load/Pacer.ts"
import { loggingLayer } from "../Logging.ts"
import { CommandFailed, printNote, printResult } from "../Output.ts"
import { loadServiceConfig, type ServiceConfig } from "../ServiceConfig.ts"
import { findServicePlace, refuseTakeover, type ServicePlace } from "../ServicePlace.ts"
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

const targetLayer = (config: ServiceConfig, place: ServicePlace, given: LoadFlags) =>
  place._tag === "Service"
    ? layerHttp({ url: new URL(place.service.baseUrl), apiKey: place.service.apiKey, await: given.await })
    : layerEngine({ await: given.await }).pipe(
        Layer.provide(WalletEngine.layer(config.engine)),
        Layer.provide(storesLayer(config.engine.stores)),
        Layer.provide(loggingLayer(config))
      )

const phasesOf = ({ rate, seconds, warmup }: LoadFlags): ReadonlyArray<Phase> => {
  const perSecond = Option.getOrElse(rate, () => 0)
  const phase = (name: string, length: number, counted: boolean) =>
    length === 0 ? [] : [{ name, millis: length * 1_000, from: perSecond, to: perSecond, counted }]
  return [...phase("warm-up", warmup, false), ...phase("load", seconds, true)]
}

const loopOf = ({ arrivals, callers, connections, rate }: LoadFlags): Loop =>
  Option.isSome(rate) ? { _tag: "Open", arrivals, connections } : { _tag: "Closed", callers }

export const optionsOf = Effect.fnUntraced(function* (
  given: LoadFlags,
  run: string,
  onProgress: LoadOptions["onProgress"]
): Effect.fn.Return<LoadOptions, LoadFlagsWrong> {
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
    phases: phasesOf(given),
    distribution: zipf === 0 ? { _tag: "Uniform", wallets } : { _tag: "Zipf", wallets, exponent: zipf },
    mix,
    batch,
    history,
    seed,
    run,
    drainMillis: drain * 1_000,
    checkMillis: checkSeconds * 1_000,
    onProgress
  }
})

/** What the service has kept is not what it answered. */
const checkFailed = 2

/** Prints the report; what was found wrong is the exit code. */
export const load = Effect.fnUntraced(function* (given: LoadFlags) {
  const config = yield* loadServiceConfig
  const place: ServicePlace = given.library ? { _tag: "Here" } : yield* findServicePlace(config, given.url)
  if (place._tag === "Here" && !given.library) return yield* new ServiceAbsent()
  if (place._tag === "Here") yield* refuseTakeover(config.engine.stores, given.takeover)
  const progress = yield* makeLoadProgress
  const now = yield* Clock.currentTimeMillis
  const run = Option.getOrElse(given.run, () => now.toString(36))
  const options = yield* optionsOf(given, run, progress.show)
  if (place._tag === "Service" && !given.json) yield* printNote(`driving the service at ${place.service.baseUrl}`)
  const report = yield* runLoad(options).pipe(
    Effect.provide(Layer.merge(targetLayer(config, place, given), Pacer.layerThread)),
    Effect.ensuring(progress.clear)
  )
  yield* printResult(given.json, report, loadLines(report))
  if (report.check.ok === false) {
    return yield* new CommandFailed({ exitCode: checkFailed, reason: "the check has failed" })
  }
})
