/** Bytes per idle resident wallet, with one recent idempotency key and no hold. */
import * as Effect from "effect/Effect"
import type { BenchSettings } from "./BenchSettings.ts"
import { figureOf, rowOf } from "./Figure.ts"
import { runModule } from "./NodeProcess.ts"

export const idleMemoryBench = Effect.fn("IdleMemoryBench.run")(function* (settings: BenchSettings) {
  const values: Array<number> = []
  for (let round = 0; round < settings.rounds; round++) {
    values.push(
      Number(yield* runModule("bench/memory/IdleMemoryWorker", [String(settings.residentWallets)], ["--expose-gc"]))
    )
  }
  return [
    rowOf({
      name: `idle resident wallet, one recent key, ${settings.residentWallets.toLocaleString("en")} resident`,
      on: "no stores",
      engine: figureOf("bytes", values),
      bar: 4_096
    })
  ]
})
