/** The engine on PostgreSQL beside the usual ways on the same server, in turns. */
import * as Effect from "effect/Effect"
import type { PostgresServer } from "../servers/PostgresServer.ts"
import type { RedisServer } from "../servers/RedisServer.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import { databaseConditions } from "./Databases.ts"
import { engineRound } from "./EngineRounds.ts"
import { alternate, type Round, type Row, rowOf } from "./Figure.ts"
import { manyCallers } from "./LibraryBench.ts"
import { lockCallers, lockRound } from "./LockBaseline.ts"
import { pgbenchClients, pgbenchRound } from "./PgbenchBaseline.ts"

interface Baseline<R> {
  readonly name: string
  /** Wallets, and rows of the baseline. */
  readonly wallets: number
  readonly round: Round<R>
  readonly ratioBar?: number
}

const hotCallers = 512

const beside = Effect.fnUntraced(function* <R>(
  settings: BenchSettings,
  { name, ratioBar, round, wallets }: Baseline<R>
) {
  const callers = wallets === 1 ? hotCallers : manyCallers
  const { beside, engine } = yield* alternate({
    unit: "/s",
    rounds: settings.rounds,
    engine: engineRound(settings, { callers, distribution: { _tag: "Uniform", wallets } }),
    beside: round
  })
  const which = wallets === 1 ? "one hot wallet" : `${wallets.toLocaleString("en")} wallets, uniform`
  return rowOf({
    name: `${which}, ${callers.toLocaleString("en")} callers`,
    on: yield* databaseConditions,
    engine,
    beside: { name, figure: beside },
    ...(ratioBar === undefined ? {} : { ratioBar })
  })
})

/** `SELECT … FOR UPDATE` by pgbench. */
export const pgbenchBench = Effect.fn("BaselineBench.pgbench")(function* (
  settings: BenchSettings,
  server: PostgresServer
) {
  const rows: Array<Row> = []
  for (const [wallets, ratioBar] of [
    [1, 12],
    [settings.wallets, undefined]
  ] as const) {
    const name = `SELECT … FOR UPDATE, ${wallets === 1 ? "one row" : "uniform"}, pgbench, ${pgbenchClients} clients`
    const round = pgbenchRound(settings, server, wallets)
    rows.push(yield* beside(settings, { name, wallets, round, ...(ratioBar === undefined ? {} : { ratioBar }) }))
  }
  return rows
})

/** A lock in Redis per command, and a PostgreSQL transaction. */
export const lockBench = Effect.fn("BaselineBench.locks")(function* (
  settings: BenchSettings,
  server: PostgresServer,
  redis: RedisServer
) {
  const rows: Array<Row> = []
  for (const [wallets, ratioBar] of [
    [1, 20],
    [Math.min(1_000, settings.wallets), undefined]
  ] as const) {
    const name = `a Redis lock per command + a transaction, ${lockCallers} callers`
    const round = lockRound(settings, server, redis, wallets)
    rows.push(yield* beside(settings, { name, wallets, round, ...(ratioBar === undefined ? {} : { ratioBar }) }))
  }
  return rows
})
