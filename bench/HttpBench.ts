/**
 * The service over HTTP: credits, beside an endpoint of the same server that does
 * nothing. The server is a process of its own, so is the client with its bare
 * keep-alive sockets: each has a core.
 */
import * as Effect from "effect/Effect"
import { type Place, thisCheckout } from "./against/Checkout.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import { alternate, type Row, rowOf } from "./Figure.ts"
import { createWallets, creditRound, emptyEndpoint, load, startService } from "./HttpService.ts"

const connections = 256

/** As many as connections are busy with at four each. */
const manyWallets = 1_000

export const httpBench = Effect.fnUntraced(function* (settings: BenchSettings, on: string, place: Place) {
  const service = yield* startService(thisCheckout, place)
  const many = yield* createWallets(service, Math.min(manyWallets, settings.wallets))
  const rows: Array<Row> = []
  for (const wallets of [many.slice(0, 1), many]) {
    const { beside, engine } = yield* alternate({
      unit: "/s",
      rounds: settings.rounds,
      engine: creditRound(settings, service, wallets, connections),
      beside: Effect.map(load(settings, service, { ...emptyEndpoint, connections }), ({ perSecond }) => perSecond)
    })
    const which = wallets.length === 1 ? "one wallet" : `${wallets.length.toLocaleString("en")} wallets`
    rows.push(
      rowOf({
        name: `HTTP credit, ${which}, ${connections} connections`,
        on,
        callers: connections,
        engine,
        beside: { name: "GET /health/live", figure: beside },
        ratioBar: 0.4
      })
    )
  }
  return rows
}, Effect.scoped)
