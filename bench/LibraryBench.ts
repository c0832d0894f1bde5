/**
 * The library against the limit program, on one database: a hot wallet from one to
 * many callers, and many wallets, all alike and by Zipf's law.
 */
import * as Effect from "effect/Effect"
import type { Product } from "./Databases.ts"
import { databaseConditions, type Installation } from "./Databases.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import { bestLimitRound, engineRound, type Load } from "./EngineRounds.ts"
import { alternate, type Row, rowOf } from "./Figure.ts"

interface Cell {
  readonly name: string
  readonly load: Load
  /** Commands per second, by database. */
  readonly bar?: Readonly<Partial<Record<Product, number>>>
  readonly ratioBar?: number
}

const hotCallers = [1, 64, 512, 2_048] as const

/** For commands that are spread over many wallets. */
export const manyCallers = 2_048

export const oneWallet = { _tag: "Uniform", wallets: 1 } as const

const cells = ({ wallets }: BenchSettings): ReadonlyArray<Cell> => [
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

export const libraryBench = Effect.fn("LibraryBench.run")(function* (
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
