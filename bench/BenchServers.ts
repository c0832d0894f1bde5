/** The servers that the bench starts for itself: PostgreSQL with fsync on, KurrentDB on disk, Redis, Elasticsearch. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { elasticsearchLacks, type ElasticsearchServer, startElasticsearch } from "./servers/ElasticsearchServer.ts"
import { kurrentFolder, type KurrentServer, startKurrent } from "./servers/KurrentServer.ts"
import { hasPostgresModule, postgresFolder, type PostgresServer, startPostgres } from "./servers/PostgresServer.ts"
import { redisFolder, type RedisServer, startRedis } from "./servers/RedisServer.ts"

/** The server's own count of what statements cost. */
export const statementsModule = "pg_stat_statements"

/**
 * No checkpoint falls into a round by itself: it would take the disk from one side and
 * make the next pages of the log larger. Sessions enough for 512 callers of the usual
 * ways, who hold one each.
 */
const postgresSettings = {
  max_wal_size: "32GB",
  checkpoint_timeout: "1h",
  max_connections: "700",
  ...(hasPostgresModule(statementsModule) ? { shared_preload_libraries: statementsModule } : {})
}

/** Started when first asked for, ended with the bench; `undefined`: the program is not on this machine. */
export class BenchServers extends Context.Service<
  BenchServers,
  {
    readonly postgres: Effect.Effect<PostgresServer | undefined>
    readonly kurrent: Effect.Effect<KurrentServer | undefined>
    readonly redis: Effect.Effect<RedisServer | undefined>
    readonly elasticsearch: Effect.Effect<ElasticsearchServer | undefined>
  }
>()("bench/BenchServers") {
  static readonly layer: Layer.Layer<BenchServers> = Layer.effect(
    BenchServers,
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const once = <A>(folder: string | undefined, start: Effect.Effect<A, never, Scope.Scope>) =>
        Effect.cached(folder === undefined ? Effect.undefined : Scope.provide(start, scope))
      const searches = elasticsearchLacks === undefined ? "laid when it is asked for" : undefined
      return BenchServers.of({
        postgres: yield* once(postgresFolder, startPostgres({ fsync: true, settings: postgresSettings })),
        kurrent: yield* once(kurrentFolder, startKurrent({ inMemory: false })),
        redis: yield* once(redisFolder, startRedis),
        elasticsearch: yield* once(searches, startElasticsearch({ heap: "512m", fullSpeed: true }))
      })
    })
  )
}
