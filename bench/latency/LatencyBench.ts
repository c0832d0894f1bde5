/**
 * What a caller waits for, with the rate as it is in service and not as high as it goes:
 * at half and at nine tenths of the peak that was measured just before, through the
 * library and over HTTP.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { walletChoice } from "../../src/load/WalletChoice.ts"
import { type Place, thisCheckout } from "../against/Checkout.ts"
import type { BenchSettings } from "../BenchSettings.ts"
import { databaseConditions, type Installation } from "../Databases.ts"
import { createWallets, engineRound } from "../EngineRounds.ts"
import { type Figure, figureOf, repeat, type Row, rowOf, type Unit } from "../Figure.ts"
import * as HttpService from "../HttpService.ts"
import { runModule } from "../NodeProcess.ts"
import { type OpenLoad, OpenLoadResult, runOpen } from "./Arrivals.ts"
import type { HttpOpenLoad } from "./HttpLatency.ts"

const loads = [
  { factor: 0.5, of: "half of the peak" },
  { factor: 0.9, of: "0.9 of the peak" }
] as const

/** Of the closed loop whose rate is the peak. */
const peakCallers = 512

const connections = 256

interface Open<R> {
  readonly name: string
  readonly on: string
  readonly peak: Figure
  readonly round: (load: OpenLoad) => Effect.Effect<OpenLoadResult, never, R>
}

const rowsOf = (
  name: string,
  on: string,
  offered: number,
  results: ReadonlyArray<OpenLoadResult>
): ReadonlyArray<Row> => {
  const figure = (unit: Unit, of: (result: OpenLoadResult) => number) => figureOf(unit, results.map(of))
  const row = (what: string, engine: Figure) => rowOf({ name: `${name}: ${what}`, on, engine })
  return [
    row(
      "p50",
      figure("ms", ({ p50 }) => p50)
    ),
    row(
      "p99",
      figure("ms", ({ p99 }) => p99)
    ),
    row(
      "p99.9",
      figure("ms", ({ p999 }) => p999)
    ),
    rowOf({
      name: `${name}: accepted`,
      on,
      engine: figure("/s", ({ perSecond }) => perSecond),
      beside: { name: "offered", figure: figureOf("/s", [offered]) }
    }),
    row(
      "not sent, or refused",
      figure("each", ({ refused, unsent }) => refused + unsent)
    )
  ]
}

const measure = Effect.fnUntraced(function* <R>(settings: BenchSettings, { name, on, peak, round }: Open<R>) {
  const rows: Array<Row> = []
  for (const { factor, of } of loads) {
    const { millis, rampMillis } = settings
    const load = { perSecond: factor * peak.median, rampMillis, millis }
    yield* round(load)
    const results: Array<OpenLoadResult> = []
    for (let n = 0; n < settings.rounds; n++) results.push(yield* round(load))
    rows.push(...rowsOf(`${name}, at ${of}`, on, load.perSecond, results))
  }
  return rows
})

const manyWallets = (count: number) => `${count.toLocaleString("en")} wallets`

export const libraryLatency = Effect.fnUntraced(function* (
  settings: BenchSettings
): Effect.fn.Return<ReadonlyArray<Row>, never, Installation> {
  const { wallets } = settings
  const distribution = { _tag: "Uniform", wallets } as const
  const peak = yield* repeat("/s", settings.rounds, engineRound(settings, { callers: peakCallers, distribution }))
  const round = (load: OpenLoad): Effect.Effect<OpenLoadResult, never, Installation> =>
    Effect.gen(function* () {
      const engine = yield* WalletEngine
      const ids = yield* createWallets(wallets)
      const choose = yield* walletChoice(distribution, "latency")
      return yield* runOpen(load, (n) =>
        engine.credit({ walletId: ids[choose()]!, amount: 1n, idempotencyKey: `k${n}` })
      )
    }).pipe(Effect.orDie)
  return yield* measure(settings, {
    name: `credit from its intended start, library, ${manyWallets(wallets)}`,
    on: yield* databaseConditions,
    peak,
    round
  })
})

export const httpLatency = Effect.fnUntraced(function* (settings: BenchSettings, on: string, place: Place) {
  const service = yield* HttpService.startService(thisCheckout, place)
  const wallets = yield* HttpService.createWallets(service, Math.min(1_000, settings.wallets))
  const peak = yield* repeat("/s", settings.rounds, HttpService.creditRound(settings, service, wallets, connections))
  const round = (load: OpenLoad): Effect.Effect<OpenLoadResult, never, ChildProcessSpawner> => {
    const { method: _, ...target } = HttpService.creditTo(wallets, service)
    const { hostname: host, port } = service.url
    const options: HttpOpenLoad = { ...target, ...load, host, port: Number(port), connections }
    return runModule("bench/latency/HttpLatencyWorker", [JSON.stringify(options)]).pipe(
      Effect.flatMap((output) => Schema.decodeEffect(Schema.fromJsonString(OpenLoadResult))(output.trim())),
      Effect.orDie
    )
  }
  return yield* measure(settings, {
    name: `credit from its intended start, HTTP, ${manyWallets(wallets.length)}, ${connections} connections`,
    on,
    peak,
    round
  })
}, Effect.scoped)
