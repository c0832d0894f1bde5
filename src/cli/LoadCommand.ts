/** `wallet load`: drives a service, or the engine of this process, and prints rate and latencies. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { storesLayer } from "../engine/EngineStores.ts"
import { WalletEngine } from "../engine/WalletEngine.ts"
import { loadKinds, loadLines, type LoadOptions, type LoadProgress, parseMix, runLoad } from "../load/Load.ts"
import { LoadTarget } from "../load/LoadTarget.ts"
import * as Flags from "./Flags.ts"
import { loggingLayer } from "./Logging.ts"
import { makeProgress, perSecond, printNote, printResult, reportFailure } from "./Output.ts"
import { loadServiceConfig, type ServiceConfig } from "./ServiceConfig.ts"
import { findServicePlace, refuseTakeover, type ServicePlace } from "./ServicePlace.ts"

/** Nobody to drive: a load on the stores themselves must be asked for. */
class ServiceAbsent extends Schema.TaggedError<ServiceAbsent>()("ServiceAbsent", {}) {
  override get message(): string {
    return "there is no running service here: start one, give --url, or --library to drive an engine of this process"
  }
}

/** A mix that says nothing sensible. */
class MixWrong extends Schema.TaggedError<MixWrong>()("MixWrong", { mix: Schema.String }) {
  override get message(): string {
    return `--mix: ${JSON.stringify(this.mix)} is not like credit=80,debit=20; kinds: ${loadKinds.join(", ")}`
  }
}

const whole = (name: string, minimum: number, maximum: number, fallback: number) =>
  Flag.Int(name).pipe(
    Flag.filter(
      (value) => value >= minimum && value <= maximum,
      () => `a whole number from ${minimum} to ${maximum} is expected`
    ),
    Flag.withDefault(fallback)
  )

const flags = {
  callers: whole("callers", 1, 10_000, 64).pipe(
    Flag.withDescription("Each waits for its answer before it sends again")
  ),
  wallets: whole("wallets", 1, 1_000_000, 1_000).pipe(Flag.withDescription("Made for this run, named load-<run>-<n>")),
  zipf: Flag.Finite("zipf").pipe(
    Flag.withDescription("Exponent of Zipf's law for the choice of wallets; 0: all alike"),
    Flag.filter(
      (exponent) => exponent >= 0 && exponent <= 5,
      () => "a number from 0 to 5 is expected"
    ),
    Flag.withDefault(0)
  ),
  mix: Flag.String("mix").pipe(
    Flag.withMetavar("KIND=WEIGHT,..."),
    Flag.withDescription(`What to send; kinds: ${loadKinds.join(", ")}`),
    Flag.withDefault("credit=60,debit=30,hold=5,read=5")
  ),
  seconds: whole("seconds", 1, 86_400, 10).pipe(Flag.withDescription("Measured")),
  warmup: whole("warmup", 0, 3_600, 2).pipe(Flag.withDescription("Seconds before that are sent and not counted")),
  library: Flag.Boolean("library").pipe(
    Flag.withDescription("Drive an engine of this process on the configured stores, without HTTP"),
    Flag.withDefault(false)
  ),
  url: Flags.url,
  takeover: Flags.takeover,
  json: Flags.json
}

type LoadFlags = Command.Command.Config.Infer<typeof flags>

const targetLayer = (config: ServiceConfig, place: ServicePlace) =>
  place._tag === "Service"
    ? LoadTarget.layerHttp({ url: new URL(place.service.baseUrl), apiKey: place.service.apiKey })
    : LoadTarget.layerEngine.pipe(
        Layer.provide(WalletEngine.layer(config.engine)),
        Layer.provide(storesLayer(config.engine.stores)),
        Layer.provide(loggingLayer(config))
      )

const optionsOf = (given: LoadFlags, run: string, onProgress: LoadOptions["onProgress"]) => {
  const mix = parseMix(given.mix)
  if (mix === undefined) return Effect.fail(new MixWrong({ mix: given.mix }))
  return Effect.succeed<LoadOptions>({
    callers: given.callers,
    distribution:
      given.zipf === 0
        ? { _tag: "Uniform", wallets: given.wallets }
        : { _tag: "Zipf", wallets: given.wallets, exponent: given.zipf },
    mix,
    millis: given.seconds * 1000,
    warmupMillis: given.warmup * 1000,
    run,
    onProgress
  })
}

const load = Effect.fnUntraced(function* (given: LoadFlags) {
  const config = yield* loadServiceConfig
  const place: ServicePlace = given.library ? { _tag: "Here" } : yield* findServicePlace(config, given.url)
  if (place._tag === "Here" && !given.library) return yield* new ServiceAbsent()
  if (place._tag === "Here") yield* refuseTakeover(config.engine.stores, given.takeover)
  const progress = yield* makeProgress(given.json)
  const run = (yield* Clock.currentTimeMillis).toString(36)
  const options = yield* optionsOf(given, run, ({ answers, elapsedMillis }: LoadProgress) => {
    const rest = Math.max(0, given.warmup + given.seconds - Math.round(elapsedMillis / 1000))
    return progress.show(
      `load: ${answers.toLocaleString("en")} answers, ${perSecond(answers, elapsedMillis)}, ${rest} s left`
    )
  })
  if (place._tag === "Service" && !given.json) yield* printNote(`driving the service at ${place.service.baseUrl}`)
  const report = yield* runLoad(options).pipe(
    Effect.provide(targetLayer(config, place)),
    Effect.ensuring(progress.clear)
  )
  yield* printResult(given.json, report, loadLines(report))
})

export const loadCommand = Command.make("load", flags, (given) => reportFailure(given.json)(load(given))).pipe(
  Command.withShortDescription("Drive a service and print rate and latencies"),
  Command.withDescription(
    "Drive a running service, or with --library an engine of this process, with a mix of commands over wallets made " +
      "for it, and print rate, latencies and how the commands were answered. The wallets stay: use an installation for trials."
  )
)
