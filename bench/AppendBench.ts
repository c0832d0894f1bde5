/**
 * What an event costs the server by the number of events in an append: the log's own
 * `append` and nothing around it, one after the other, each of exactly so many events;
 * to one wallet, and to as many wallets as there are events.
 */
import * as Effect from "effect/Effect"
import { defaultBounds } from "../src/actors/ActorBounds.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import { databaseConditions, type Installation } from "./Databases.ts"
import { limitRound } from "./EngineRounds.ts"
import { repeat, type Row, rowOf } from "./Figure.ts"

const sizes = [1, 8, 64, 512] as const

/** All callers wait for one append, so each carries one event of every caller. */
const appendRound = (settings: BenchSettings, size: number, wallets: number) =>
  limitRound(
    settings,
    { callers: size, distribution: { _tag: "Uniform", wallets } },
    { ...defaultBounds, appendCommits: size, appendEvents: size }
  )

/** Events per second, and with each figure what one of them costs. */
export const appendBench = Effect.fn("AppendBench.run")(function* (
  settings: BenchSettings
): Effect.fn.Return<ReadonlyArray<Row>, never, Installation> {
  const on = yield* databaseConditions
  const rows: Array<Row> = []
  for (const wallets of [1, settings.wallets]) {
    for (const size of sizes) {
      const engine = yield* repeat("/s", settings.rounds, appendRound(settings, size, wallets))
      const events = `${size} event${size === 1 ? "" : "s"}`
      const where = wallets === 1 ? "one wallet" : `${wallets.toLocaleString("en")} wallets, uniform`
      rows.push(rowOf({ name: `the log's append, ${events} each, to ${where}`, on, callers: size, engine }))
    }
  }
  return rows
})
