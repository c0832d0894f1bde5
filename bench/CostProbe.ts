/**
 * Measures what rounds cost the PostgreSQL server of this bench: the CPU time of its
 * processes (`/proc`), its statements (`pg_stat_statements`) and its log
 * (`pg_current_wal_flush_lsn`, and `pg_walinspect` for the full-page images in it).
 *
 * It counts everything that the server does meanwhile, so nothing else may be asked of it.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { SqlClient } from "effect/sql/SqlClient"
import type { PostgresServer } from "./servers/PostgresServer.ts"
import { cpuMicrosOf } from "./servers/ServerProcess.ts"
import { type Cost, noCost, type Sample } from "./Figure.ts"
import { databaseOf } from "./SideDatabase.ts"

/** What a run did, and how fast. */
export interface Run {
  readonly perSecond: number
  /** Written to the log by it. */
  readonly events: number
}

interface Probe {
  readonly measure: <E, R>(run: Effect.Effect<Run, E, R>) => Effect.Effect<Sample, E, R>
}

/** Where no server is asked, only the rate is known. */
const noProbe: Probe = { measure: Effect.map(({ perSecond }) => ({ value: perSecond, cost: noCost })) }

export const CostProbe = Context.Reference<Probe>("bench/CostProbe", { defaultValue: () => noProbe })

/** A full page is at most so large in the log. */
const pageBytes = 8_192

interface Statements {
  readonly micros: number
  readonly fullPages: number
  /** Of the statement that has written the most. */
  readonly writingCalls: number
}

const statementsOf = (sql: SqlClient) =>
  Effect.map(
    sql<{ readonly micros: number; readonly pages: number; readonly calls: number }>`
      select sum(total_exec_time)::float8 * 1000 as micros, sum(wal_fpi)::float8 as pages,
        (array_agg(calls order by wal_bytes desc))[1]::float8 as calls
      from pg_stat_statements
      where dbid <> (select oid from pg_database where datname = current_database())`,
    ([row]): Statements => ({
      micros: row?.micros ?? 0,
      fullPages: row?.pages ?? 0,
      writingCalls: row?.calls ?? 0
    })
  )

interface Log {
  readonly bytes: number
  /** `undefined`: the extension is not there. */
  readonly fullPageBytes: number | undefined
}

const logSince = Effect.fnUntraced(function* (sql: SqlClient, from: string, inspects: boolean) {
  const [row] = yield* sql<{ readonly to: string; readonly bytes: number }>`
    select lsn::text as to, (lsn - ${from}::pg_lsn)::float8 as bytes from pg_current_wal_flush_lsn() lsn`
  const bytes = row?.bytes ?? 0
  if (row === undefined || !inspects || bytes === 0) return { bytes, fullPageBytes: undefined } satisfies Log
  const pages = yield* sql<{ readonly bytes: number }>`
    select coalesce(sum(fpi_size), 0)::float8 as bytes from pg_get_wal_stats(${from}::pg_lsn, ${row.to}::pg_lsn)
  `.pipe(Effect.option)
  // A checkpoint may have taken the beginning away: then it is estimated.
  const [found] = Option.getOrElse(pages, () => [])
  return { bytes, fullPageBytes: found?.bytes } satisfies Log
})

const hasExtension = Effect.fnUntraced(function* (sql: SqlClient, name: string) {
  const found = yield* sql`select from pg_available_extensions where name = ${name}`
  if (found.length === 0) return false
  yield* sql`create extension if not exists ${sql(name)}`
  return true
})

const hasStatements = Effect.fnUntraced(function* (sql: SqlClient) {
  const [row] = yield* sql<{ readonly loaded: string }>`
    select current_setting('shared_preload_libraries') as loaded`
  return row?.loaded.includes("pg_stat_statements") === true && (yield* hasExtension(sql, "pg_stat_statements"))
})

const make = Effect.fnUntraced(function* (server: PostgresServer) {
  const sql = yield* SqlClient
  const counts = yield* hasStatements(sql)
  const inspects = yield* hasExtension(sql, "pg_walinspect")
  const cpu = Effect.map(server.processId, (pid) => (pid === undefined ? undefined : cpuMicrosOf(pid)))

  const measure = <E, R>(run: Effect.Effect<Run, E, R>): Effect.Effect<Sample, E, R> =>
    Effect.gen(function* () {
      if (counts) yield* Effect.orDie(sql`select pg_stat_statements_reset()`)
      const [start] = yield* Effect.orDie(sql<{ readonly lsn: string }>`select pg_current_wal_flush_lsn()::text as lsn`)
      const cpuBefore = yield* cpu
      const { events, perSecond } = yield* run
      const cpuAfter = yield* cpu
      const statements = counts ? yield* Effect.orDie(statementsOf(sql)) : undefined
      const log = yield* Effect.orDie(logSince(sql, start?.lsn ?? "0/0", inspects))
      const fullPageBytes = log.fullPageBytes ?? (statements && Math.min(log.bytes, statements.fullPages * pageBytes))
      const per = (value: number | undefined) => (value === undefined ? null : value / events)
      const cost: Cost = {
        serverCpuMicros: cpuAfter === undefined || cpuBefore === undefined ? null : per(cpuAfter - cpuBefore),
        executionMicros: per(statements?.micros),
        walBytes: per(log.bytes - (fullPageBytes ?? 0)),
        fullPageBytes: per(fullPageBytes),
        eventsPerStatement: statements === undefined ? null : events / statements.writingCalls,
        engineCpuMicros: null
      }
      return { value: perSecond, cost }
    })
  return { measure } satisfies Probe
}, Effect.orDie)

const database = "bench_probe"

/** Asks from a database of its own: what it asks is told from what it measures. */
export const layer = (server: PostgresServer): Layer.Layer<never> =>
  Layer.effect(CostProbe, make(server)).pipe(
    Layer.provide(
      Layer.unwrap(
        Effect.map(databaseOf(server, database), (url) => Layer.orDie(PgClient.layer({ url, maxConnections: 1 })))
      )
    )
  )
