/** The bench: its parts in order, each with what it needs, and one report. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type { PostgresServer } from "./servers/PostgresServer.ts"
import { temporaryFolder } from "./servers/ServerProcess.ts"
import { activationBench } from "./ActivationBench.ts"
import { creditBaselines, pgledgerBaseline } from "./baselines/BaselineBench.ts"
import { BenchServers } from "./BenchServers.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import * as CostProbe from "./CostProbe.ts"
import { databaseConditions, embedded, onKurrent, onServer } from "./Databases.ts"
import { dispatchBench } from "./DispatchBench.ts"
import { encodingBench } from "./EncodingBench.ts"
import type { Row } from "./Figure.ts"
import { expiryBench } from "./ExpiryBench.ts"
import { httpBench } from "./HttpBench.ts"
import { idleMemoryBench, keysBench } from "./memory/MemoryBench.ts"
import { appendBench, libraryBench } from "./LibraryBench.ts"
import { httpLatency, libraryLatency } from "./latency/LatencyBench.ts"
import { pgbenchFolder, pgledgerMissing } from "./baselines/PgbenchBaseline.ts"
import { replayKurrentBench, replaySqlBench } from "./replay/ReplayBench.ts"
import { elasticsearchLacks } from "./servers/ElasticsearchServer.ts"
import { searchBench } from "./search/SearchBench.ts"
import { retriesBench } from "./RetriesBench.ts"
import { conditionsOf, type Report, type Skipped } from "./Report.ts"
import { freshDatabase, serverConditions } from "./SideDatabase.ts"
import { transferBench } from "./TransferBench.ts"

export const partNames = [
  "dispatch",
  "encoding",
  "memory",
  "library-embedded",
  "library-postgres",
  "library-kurrent",
  "baselines-one",
  "baselines-many",
  "baselines-pgledger",
  "append-cost",
  "latency-library",
  "latency-http",
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
  "expiry-postgres",
  "retries-embedded",
  "retries-postgres",
  "search"
] as const
export type PartName = (typeof partNames)[number]

/** A name for the same measurement on every store. */
export const groupNames = [
  "library",
  "baselines",
  "latency",
  "replay",
  "http",
  "transfers",
  "expiry",
  "retries"
] as const

/** The parts under the names of parts and groups; none given: all. */
export const partsOf = (given: ReadonlyArray<string>): ReadonlyArray<PartName> =>
  partNames.filter((part) => given.length === 0 || given.some((name) => part === name || part.startsWith(`${name}-`)))

interface Measured {
  readonly rows: ReadonlyArray<Row>
  /** Why some of the part's rows are missing. */
  readonly missing: ReadonlyArray<string>
}

/** Rows, or why there are none. */
type PartResult = ReadonlyArray<Row> | Measured | string

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

const creditBaselinesPart = (settings: BenchSettings, wallets: number) =>
  onPostgres((postgres) =>
    Effect.gen(function* () {
      if (pgbenchFolder === undefined) return "pgbench is not on this machine"
      const redis = yield* (yield* BenchServers).redis
      const rows = yield* creditBaselines(settings, { postgres, redis }, wallets).pipe(
        Effect.provide(onServer(postgres.url, `baselines_${wallets}`)())
      )
      return { rows, missing: redis === undefined ? ["Redis is not on this machine"] : [] }
    })
  )

const parts: Readonly<Record<PartName, Part>> = {
  dispatch: dispatchBench,
  encoding: encodingBench,
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
  "baselines-one": (settings) => creditBaselinesPart(settings, 1),
  "baselines-many": (settings) => creditBaselinesPart(settings, settings.wallets),
  "baselines-pgledger": (settings) =>
    onPostgres((server) => {
      const { pgledger } = settings
      const missing = pgbenchFolder === undefined ? "pgbench is not on this machine" : pgledgerMissing(pgledger)
      if (missing !== undefined || pgledger === null) return Effect.succeed(missing ?? "")
      return pgledgerBaseline(settings, server, pgledger).pipe(Effect.provide(onServer(server.url, "pgledger")()))
    }),
  "append-cost": (settings) =>
    onPostgres(({ url }) => appendBench(settings).pipe(Effect.provide(onServer(url, "append")()))),
  "latency-library": (settings) =>
    onPostgres(({ url }) => libraryLatency(settings).pipe(Effect.provide(onServer(url, "latency")()))),
  "latency-http": (settings) =>
    onPostgres((server) =>
      Effect.gen(function* () {
        const url = yield* freshDatabase(server, "bench_latency")
        return yield* httpLatency(settings, yield* serverConditions(server.url), { _tag: "Server", url })
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
        const on = yield* serverConditions(server.url)
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
    onPostgres(({ url }) => expiryBench(settings).pipe(Effect.provide(onServer(url, "expiry")()))),
  "retries-embedded": (settings) => retriesBench(settings).pipe(Effect.provide(embedded())),
  "retries-postgres": (settings) =>
    onPostgres(({ url }) => retriesBench(settings).pipe(Effect.provide(onServer(url, "retries")()))),
  search: (settings) =>
    onPostgres(({ url }) =>
      Effect.gen(function* () {
        const elasticsearch = yield* (yield* BenchServers).elasticsearch
        return elasticsearch === undefined
          ? `Elasticsearch needs ${elasticsearchLacks}`
          : yield* searchBench(settings, url, elasticsearch)
      })
    )
}

const measuredOf = (result: PartResult): Measured => {
  if (typeof result === "string") return { rows: [], missing: [result] }
  return "rows" in result ? result : { rows: result, missing: [] }
}

/** Runs the parts that are asked for, one after the other; says on standard error where it is. */
export const runBench = Effect.fnUntraced(function* (settings: BenchSettings, only: ReadonlyArray<PartName>) {
  const rows: Array<Row> = []
  const skipped: Array<Skipped> = []
  for (const part of partNames) {
    if (!only.includes(part)) continue
    yield* Console.error(`bench: ${part} …`)
    const result = yield* Effect.scoped(parts[part](settings))
    const { missing, rows: found } = measuredOf(result)
    rows.push(...found)
    skipped.push(...missing.map((reason) => ({ part, reason })))
  }
  return { conditions: yield* conditionsOf(settings), sides: [], rows, skipped } satisfies Report
})
