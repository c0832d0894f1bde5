/**
 * The engine on PostgreSQL beside the usual ways on the same server: so many callers on
 * this side, so many on that, in turns; and each side at the number of callers at which
 * it is fastest.
 */
import * as Effect from "effect/Effect"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type { PostgresServer } from "../servers/PostgresServer.ts"
import type { RedisServer } from "../servers/RedisServer.ts"
import type { BenchSettings } from "../BenchSettings.ts"
import { databaseConditions, type Installation } from "../Databases.ts"
import { engineRound } from "../EngineRounds.ts"
import { type Figure, inTurns, type Round, type Row, rowOf } from "../Figure.ts"
import { lockRound } from "./LockBaseline.ts"
import {
  oneStatement,
  pgbenchRound,
  type PgbenchScript,
  pgledgerTransfers,
  selectForUpdate
} from "./PgbenchBaseline.ts"
import { transferRound } from "../TransferBench.ts"

type Needs = Installation | ChildProcessSpawner

interface Way {
  readonly name: string
  readonly round: (callers: number) => Round<Needs>
  /** The least ratio of the engine's best to this one's best. */
  readonly bestBar?: number
}

interface Comparison {
  readonly name: string
  readonly engine: (callers: number) => Round<Needs>
  readonly ways: ReadonlyArray<Way>
}

/** A figure, and at how many callers it was reached. */
interface Reached {
  readonly callers: number
  readonly figure: Figure
}

const bestOf = (reached: ReadonlyArray<Reached>): Reached =>
  reached.reduce((best, one) => (one.figure.median > best.figure.median ? one : best))

/** Told beside the row that it is from. */
const withoutCost = (figure: Figure): Figure => ({ ...figure, cost: null })

const callersText = (callers: number): string => `${callers} caller${callers === 1 ? "" : "s"}`

/** All sides at each number of callers in turns, then a row for each way and number, and one of the bests. */
const compare = Effect.fnUntraced(function* (settings: BenchSettings, { engine, name, ways }: Comparison) {
  const on = yield* databaseConditions
  const figures: Array<ReadonlyArray<Figure>> = []
  for (const callers of settings.baselineCallers) {
    const sides = [engine(callers), ...ways.map(({ round }) => round(callers))]
    figures.push(yield* inTurns("/s", settings.rounds, sides))
  }
  const reachedBy = (side: number): ReadonlyArray<Reached> =>
    settings.baselineCallers.map((callers, index) => ({ callers, figure: figures[index]![side]! }))
  const ours = reachedBy(0)
  const best = bestOf(ours)
  const rows: Array<Row> = []
  for (const [index, way] of ways.entries()) {
    const theirs = reachedBy(index + 1)
    for (const [at, { callers, figure }] of ours.entries()) {
      rows.push(rowOf({ name, on, callers, engine: figure, beside: { name: way.name, figure: theirs[at]!.figure } }))
    }
    const other = bestOf(theirs)
    rows.push(
      rowOf({
        name: `${name}, each side's best: ${callersText(best.callers)} and ${callersText(other.callers)}`,
        on,
        engine: withoutCost(best.figure),
        beside: { name: way.name, figure: withoutCost(other.figure) },
        ...(way.bestBar === undefined ? {} : { ratioBar: way.bestBar })
      })
    )
  }
  return rows
})

export interface BaselineServers {
  readonly postgres: PostgresServer
  /** `undefined`: Redis is not on this machine, and there is no row of it. */
  readonly redis: RedisServer | undefined
}

/** Credits to one wallet or to many, beside the same movement of one account by hand. */
export const creditBaselines = Effect.fnUntraced(function* (
  settings: BenchSettings,
  { postgres, redis }: BaselineServers,
  wallets: number
) {
  const pgbench = (script: PgbenchScript) => (callers: number) => pgbenchRound(settings, postgres, script, callers)
  const bar = (ratio: number) => (wallets === 1 ? { bestBar: ratio } : {})
  const locks: ReadonlyArray<Way> =
    redis === undefined
      ? []
      : [
          {
            name: "a Redis lock per command + a transaction",
            round: (callers) => lockRound(settings, postgres, redis, { callers, wallets }),
            ...bar(20)
          }
        ]
  return yield* compare(settings, {
    name: wallets === 1 ? "credit, one hot wallet" : `credit, ${wallets.toLocaleString("en")} wallets, uniform`,
    engine: (callers) => engineRound(settings, { callers, distribution: { _tag: "Uniform", wallets } }),
    ways: [
      { name: "SELECT … FOR UPDATE (pgbench)", round: pgbench(selectForUpdate(wallets)), ...bar(12) },
      { name: "one UPDATE + INSERT statement (pgbench)", round: pgbench(oneStatement(wallets)) },
      ...locks
    ]
  })
})

/** Transfers beside those of pgledger, the nearest that both have: a transfer of ours is three events. */
export const pgledgerBaseline = Effect.fnUntraced(function* (
  settings: BenchSettings,
  postgres: PostgresServer,
  folder: string
) {
  const rows: Array<Row> = []
  const many = settings.wallets.toLocaleString("en")
  for (const [into, course] of [
    ["many", "among many"],
    ["one", "into one"]
  ] as const) {
    const script = pgledgerTransfers(folder, settings.wallets + 1, into)
    const found = yield* compare(settings, {
      name: into === "many" ? `transfers between ${many} wallets` : `transfers from ${many} wallets into one`,
      engine: (callers) => transferRound(settings, { callers, course }),
      ways: [{ name: "pgledger (pgbench)", round: (callers) => pgbenchRound(settings, postgres, script, callers) }]
    })
    rows.push(...found)
  }
  return rows
})
