/**
 * What a client sends to hold up everybody else, one pattern after the other, and how long
 * `/health/live` took meanwhile. The client has the same cores: it and the machine's other work count, too.
 */
import * as Effect from "effect/Effect"
import { thisCheckout } from "../against/Checkout.ts"
import { createWallets, startService } from "../HttpService.ts"
import { runModule } from "../NodeProcess.ts"
import { atMost, type OverloadFigure, type OverloadRow, told } from "./OverloadRow.ts"
import { residentBytes, watching } from "./ServiceProbe.ts"
import { stallPatterns } from "./StallPatterns.ts"
import type { StallOptions } from "./StallWorker.ts"

/** Milliseconds. */
const longestLive = 100

/** Of readers that never read. */
const holdMillis = 4_000

export const stalls: OverloadRow = {
  name: "stalls",
  title: "/health/live while one client sends what is cheap to make and dear to serve",
  run: Effect.fnUntraced(function* ({ place, progress }) {
    const service = yield* startService(thisCheckout, place)
    const [walletId = ""] = yield* createWallets(service, 1)
    const before = residentBytes(service)
    let resident = before
    const figures: Array<OverloadFigure> = []
    for (const { name } of stallPatterns) {
      yield* progress(name)
      const options: StallOptions = {
        host: service.url.hostname,
        port: Number(service.url.port),
        apiKey: service.apiKey,
        walletId,
        pattern: name,
        millis: holdMillis
      }
      const { watched } = yield* watching(service, runModule("bench/overload/StallWorker", [JSON.stringify(options)]))
      figures.push(atMost(name, "ms", watched.liveMax, longestLive))
      resident = Math.max(resident, watched.resident)
    }
    return [
      ...figures,
      told("memory before, MiB", "each", before / 2 ** 20),
      told("the most memory, MiB", "each", resident / 2 ** 20)
    ]
  })
}
