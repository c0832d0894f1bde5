/** The bench: its parts in order, each with what it needs, and one report. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type { PostgresServer } from "../servers/PostgresServer.ts"
import { temporaryFolder } from "../servers/ServerProcess.ts"
import { activationBench } from "./ActivationBench.ts"
import { lockBench, pgbenchBench } from "./BaselineBench.ts"
import { BenchServers } from "./BenchServers.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import * as CostProbe from "./CostProbe.ts"
import { conditionsOf } from "./Conditions.ts"
import { databaseConditions, embedded, onKurrent, onServer } from "./Databases.ts"
import { dispatchBench } from "./DispatchBench.ts"
import type { Row } from "./Figure.ts"
import { expiryBench } from "./ExpiryBench.ts"
import { httpBench } from "./HttpBench.ts"
import { idleMemoryBench } from "./IdleMemoryBench.ts"
import { keysBench } from "./KeysBench.ts"
import { libraryBench } from "./LibraryBench.ts"
import { pgbenchFolder } from "./PgbenchBaseline.ts"
import { replayKurrentBench, replaySqlBench } from "./ReplayBench.ts"
import type { Report, Skipped } from "./Report.ts"
import { freshDatabase } from "./SideDatabase.ts"
import { transferBench } from "./TransferBench.ts"

export const partNames = [
  "dispatch",
  "memory",
  "library-embedded",
  "library-postgres",
  "library-kurrent",
  "pgbench",
  "locks",
  "activation",
  "replay-postgres",
  "replay-kurrent",
  "http-embedded",
  "http-postgres",
  "transfers-embedded",
  "transfers-postgres",
  "transfers-kurrent",
  "keys",
  "expiry-embedded",
  "expiry-postgres"
] as const
export type PartName = (typeof partNames)[number]

/** A name for the same measurement on every store. */
export const groupNames = ["library", "replay", "http", "transfers", "expiry"] as const

/** The parts under the names of parts and groups; none given: all. */
export const partsOf = (given: ReadonlyArray<string>): ReadonlyArray<PartName> =>
  partNames.filter((part) => given.length === 0 || given.some((name) => part === name || part.startsWith(`${name}-`)))

/** Rows, or why there are none. */
type PartResult = ReadonlyArray<Row> | string

type Part = (settings: BenchSettings) => Effect.Effect<PartResult, never, BenchServers | ChildProcessSpawner | Scope>

const onPostgres = <R>(
  measure: (server: PostgresServer) => Effect.Effect<PartResult, never, R>
): Effect.Effect<PartResult, never, R | BenchServers> =>
  Effect.gen(function* () {
    const server = yield* (yield* BenchServers).postgres
    return server === undefined
      ? "PostgreSQL is not on this machine"
      : yield* Effect.provide(measure(server), CostProbe.layer(server))
  })

const parts: Readonly<Record<PartName, Part>> = {
  dispatch: dispatchBench,
  memory: idleMemoryBench,
  "library-embedded": (settings) => libraryBench(settings, "PGlite").pipe(Effect.provide(embedded())),
  "library-postgres": (settings) =>
    onPostgres(({ url }) => libraryBench(settings, "PostgreSQL").pipe(Effect.provide(onServer(url, "library")()))),
  "library-kurrent": (settings) =>
    onPostgres(({ url }) =>
      Effect.gen(function* () {
        const kurrent = yield* (yield* BenchServers).kurrent
        return kurrent === undefined
          ? "KurrentDB is not on this machine"
          : yield* libraryBench(settings, "KurrentDB").pipe(Effect.provide(onKurrent(kurrent.url, url, "behind")()))
      })
    ),
  pgbench: (settings) =>
    onPostgres((server) =>
      pgbenchFolder === undefined
        ? Effect.succeed("pgbench is not on this machine")
        : pgbenchBench(settings, server).pipe(Effect.provide(onServer(server.url, "pgbench")()))
    ),
  locks: (settings) =>
    onPostgres((server) =>
      Effect.gen(function* () {
        const redis = yield* (yield* BenchServers).redis
        return redis === undefined
          ? "Redis is not on this machine"
          : yield* lockBench(settings, server, redis).pipe(Effect.provide(onServer(server.url, "locks")()))
      })
    ),
  activation: (settings) =>
    Effect.gen(function* () {
      const server = yield* (yield* BenchServers).postgres
      return yield* activationBench(settings, server === undefined ? embedded : onServer(server.url, "activation"))
    }),
  "replay-postgres": (settings) => onPostgres(({ url }) => replaySqlBench(settings, url)),
  "replay-kurrent": (settings) =>
    onPostgres(({ url }) =>
      Effect.gen(function* () {
        const kurrent = yield* (yield* BenchServers).kurrent
        return kurrent === undefined
          ? "KurrentDB is not on this machine"
          : yield* replayKurrentBench(settings, kurrent.url, url)
      })
    ),
  "http-embedded": (settings) =>
    Effect.gen(function* () {
      const on = yield* databaseConditions.pipe(Effect.provide(embedded()))
      return yield* httpBench(settings, on, { _tag: "Folder", folder: yield* temporaryFolder() })
    }),
  "http-postgres": (settings) =>
    onPostgres((server) =>
      Effect.gen(function* () {
        const on = yield* databaseConditions.pipe(Effect.provide(onServer(server.url, "http")()))
        const url = yield* freshDatabase(server, "bench_http")
        return yield* httpBench(settings, on, { _tag: "Server", url })
      })
    ),
  "transfers-embedded": (settings) => transferBench(settings, "PGlite", embedded),
  "transfers-postgres": (settings) =>
    onPostgres(({ url }) => transferBench(settings, "PostgreSQL", onServer(url, "transfers"))),
  "transfers-kurrent": (settings) =>
    onPostgres(({ url }) =>
      Effect.gen(function* () {
        const kurrent = yield* (yield* BenchServers).kurrent
        return kurrent === undefined
          ? "KurrentDB is not on this machine"
          : yield* transferBench(settings, "KurrentDB", onKurrent(kurrent.url, url, "transfers_behind"))
      })
    ),
  keys: (settings) =>
    Effect.gen(function* () {
      return yield* keysBench(settings, yield* (yield* BenchServers).postgres)
    }),
  "expiry-embedded": (settings) => expiryBench(settings).pipe(Effect.provide(embedded())),
  "expiry-postgres": (settings) =>
    onPostgres(({ url }) => expiryBench(settings).pipe(Effect.provide(onServer(url, "expiry")())))
}

/** Runs the parts that are asked for, one after the other; says on standard error where it is. */
export const runBench = Effect.fn("Bench.run")(function* (settings: BenchSettings, only: ReadonlyArray<PartName>) {
  const rows: Array<Row> = []
  const skipped: Array<Skipped> = []
  for (const part of partNames) {
    if (!only.includes(part)) continue
    yield* Console.error(`bench: ${part} …`)
    const result = yield* Effect.scoped(parts[part](settings))
    if (typeof result === "string") skipped.push({ part, reason: result })
    else rows.push(...result)
  }
  return { conditions: yield* conditionsOf(settings), sides: [], rows, skipped } satisfies Report
})
