/**
 * Far more credits than the service can do: the rate at which it answers 256 callers, then
 * three and ten times as many, open loop over 1,000 pipelining connections, then the rate
 * of 256 callers again. The client has the same cores.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { thisCheckout } from "../against/Checkout.ts"
import { createWallets, creditTo, loadAnyhow, type Service, startService } from "../HttpService.ts"
import { runModule } from "../NodeProcess.ts"
import { type OpenLoadOptions, OpenLoadReport } from "./OpenLoad.ts"
import { atLeast, atMost, type OverloadContext, type OverloadFigure, type OverloadRow, told } from "./OverloadRow.ts"
import { durationsOf, percentileBetween, residentBytes, watching } from "./ServiceProbe.ts"

const peakConnections = 256
const connections = 1_000
const walletCount = 1_000

const route = "/v1/wallets/{id}/credit"

/** Of the peak, and how much of the peak must still be answered. */
const loads = [
  { factor: 3, goodput: 0.9 },
  { factor: 10, goodput: 0.7 }
] as const

const mebibytes = (bytes: number): number => bytes / 2 ** 20

/** Accepted per second by callers who wait for their answers. */
const closedRate = (service: Service, wallets: ReadonlyArray<string>, rampMillis: number, millis: number) =>
  Effect.map(
    loadAnyhow({ rampMillis, millis }, service, { ...creditTo(wallets, service), connections: peakConnections }),
    ({ duration, statuses }) => ((statuses["201"] ?? 0) * 1_000) / duration
  )

const openLoad = (service: Service, wallets: ReadonlyArray<string>, perSecond: number, millis: number) => {
  const { method: _, status: __, ...target } = creditTo(wallets, service)
  const { hostname: host, port } = service.url
  const options: OpenLoadOptions = { ...target, perSecond, millis, host, port: Number(port), connections }
  return runModule("bench/overload/OpenLoadWorker", [JSON.stringify(options)]).pipe(
    Effect.flatMap((output) => Schema.decodeEffect(Schema.fromJsonString(OpenLoadReport))(output.trim())),
    Effect.orDie
  )
}

interface Before {
  readonly peak: number
  readonly resident: number
}

const saturate = Effect.fnUntraced(function* (
  { millis, progress }: OverloadContext,
  service: Service,
  wallets: ReadonlyArray<string>,
  { peak, resident }: Before,
  { factor, goodput }: (typeof loads)[number]
): Effect.fn.Return<ReadonlyArray<OverloadFigure>, never, Effect.Services<ReturnType<typeof openLoad>>> {
  yield* progress(`${factor} × the peak for ${millis / 1_000} s`)
  const before = yield* durationsOf(service, route)
  const { value: report, watched } = yield* watching(service, openLoad(service, wallets, factor * peak, millis))
  // Three seconds for what the ended connections left, one that counts: the fifth second at the latest.
  const again = yield* closedRate(service, wallets, 3_000, 1_000)
  const after = yield* durationsOf(service, route)
  yield* progress(JSON.stringify(report))
  const name = (what: string) => `${factor} ×: ${what}`
  return [
    told(name("offered"), "/s", report.offered),
    told(name("accepted"), "/s", report.accepted),
    atLeast(name("accepted, of the peak before"), "×", report.accepted / peak, goodput),
    atLeast(name("in the last third"), "×", report.acceptedLast / peak, goodput),
    atMost(name("p99 from the first byte read"), "ms", percentileBetween(before, after, 0.99), 1_000),
    told(name("p99 from the client's write"), "ms", report.p99),
    atMost(name("/health/live, the slowest"), "ms", watched.liveMax, 250),
    told(name("/health/live, p99"), "ms", watched.liveP99),
    told(name("memory, MiB"), "each", mebibytes(watched.resident)),
    atMost(name("memory, of that before"), "×", watched.resident / resident, 2),
    atLeast(name("peak again in the fifth second after"), "×", again / peak, 0.9)
  ]
})

export const saturation: OverloadRow = {
  name: "overload",
  title: `credits from ${connections.toLocaleString("en")} pipelining connections, more than can be done`,
  run: Effect.fnUntraced(function* (context) {
    const service = yield* startService(thisCheckout, context.place)
    const wallets = yield* createWallets(service, walletCount)
    yield* context.progress("the peak")
    yield* closedRate(service, wallets, 500, 2_000)
    const peak = yield* closedRate(service, wallets, 500, 3_000)
    const resident = residentBytes(service)
    const figures: Array<OverloadFigure> = [
      told(`peak, ${peakConnections} callers`, "/s", peak),
      told("memory before, MiB", "each", mebibytes(resident))
    ]
    for (const load of loads) figures.push(...(yield* saturate(context, service, wallets, { peak, resident }, load)))
    return figures
  })
}
