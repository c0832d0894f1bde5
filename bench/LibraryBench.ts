/**
 * The library against the limit program, on one database: a hot wallet from one to
 * many callers, and many wallets, all alike and by Zipf's law; and the limit program
 * alone, by the number of events in an append.
 */
import * as Effect from "effect/Effect"
import { defaultBounds } from "../src/actors/ActorBounds.ts"
import { databaseConditions, type Installation, type Product } from "./Databases.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import { bestLimitRound, engineRound, limitRound, type Load } from "./EngineRounds.ts"
import { alternate, repeat, type Row, rowOf } from "./Figure.ts"

interface Cell {
  readonly name: string
  readonly load: Load
  /** Commands per second, by database. */
  readonly bar?: Readonly<Partial<Record<Product, number>>>
  readonly ratioBar?: number
}

const hotCallers = [1, 64, 512, 2_048] as const

export const oneWallet = { _tag: "Uniform", wallets: 1 } as const

const cells = ({ manyCallers, wallets }: BenchSettings): ReadonlyArray<Cell> => [
  ...hotCallers.map((callers) => ({
    name: `one hot wallet, ${callers.toLocaleString("en")} caller${callers === 1 ? "" : "s"}`,
    load: { callers, distribution: oneWallet },
    ...(callers === 512 ? { bar: { PGlite: 45_000, PostgreSQL: 60_000 }, ratioBar: 0.8 } : {})
  })),
  {
    name: `${wallets.toLocaleString("en")} wallets, uniform`,
    load: { callers: manyCallers, distribution: { _tag: "Uniform", wallets } },
    ratioBar: 0.7
  },
  {
    name: `${wallets.toLocaleString("en")} wallets, Zipf 1.0`,
    load: { callers: manyCallers, distribution: { _tag: "Zipf", wallets, exponent: 1 } },
    ratioBar: 0.7
  }
]

export const libraryBench = Effect.fnUntraced(function* (
  settings: BenchSettings,
  product: Product
): Effect.fn.Return<ReadonlyArray<Row>, never, Installation> {
  const database = yield* databaseConditions
  const on = product === "KurrentDB" ? `KurrentDB 26.1 on disk, ${database}` : database
  const rows: Array<Row> = []
  for (const { bar, load, name, ratioBar } of cells(settings)) {
    const { beside, engine } = yield* alternate({
      unit: "/s",
      rounds: settings.rounds,
      engine: engineRound(settings, load),
      beside: yield* bestLimitRound(settings, load)
    })
    rows.push(
      rowOf({
        name,
        on,
        callers: load.callers,
        engine,
        beside: { name: "limit program", figure: beside },
        ...(bar?.[product] === undefined ? {} : { bar: bar[product] }),
        ...(ratioBar === undefined ? {} : { ratioBar })
      })
    )
  }
  return rows
})

const appendSizes = [1, 8, 64, 512] as const

/** All callers wait for one append, so each carries one event of every caller. */
const appendRound = (settings: BenchSettings, size: number, wallets: number) =>
  limitRound(
    settings,
    { callers: size, distribution: { _tag: "Uniform", wallets } },
    { ...defaultBounds, appendCommits: size, appendEvents: size }
  )

/**
 * What an event costs the server by the number of events in an append: the log's own
 * `append` and nothing around it, one after the other, each of exactly so many events;
 * to one wallet, and to as many wallets as there are events.
 */
export const appendBench = Effect.fnUntraced(function* (
  settings: BenchSettings
): Effect.fn.Return<ReadonlyArray<Row>, never, Installation> {
  const on = yield* databaseConditions
  const rows: Array<Row> = []
  for (const wallets of [1, settings.wallets]) {
    for (const size of appendSizes) {
      const engine = yield* repeat("/s", settings.rounds, appendRound(settings, size, wallets))
      const events = `${size} event${size === 1 ? "" : "s"}`
      const where = wallets === 1 ? "one wallet" : `${wallets.toLocaleString("en")} wallets, uniform`
      rows.push(rowOf({ name: `the log's append, ${events} each, to ${where}`, on, callers: size, engine }))
    }
  }
  return rows
})
