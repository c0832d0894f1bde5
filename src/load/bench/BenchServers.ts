/** The servers that the bench starts for itself: PostgreSQL with fsync on, KurrentDB on disk, Redis. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { kurrentFolder, type KurrentServer, startKurrent } from "../servers/KurrentServer.ts"
import { postgresFolder, type PostgresServer, startPostgres } from "../servers/PostgresServer.ts"
import { redisFolder, type RedisServer, startRedis } from "../servers/RedisServer.ts"

/** Started when first asked for, ended with the bench; `undefined`: the program is not on this machine. */
export class BenchServers extends Context.Service<
  BenchServers,
  {
    readonly postgres: Effect.Effect<PostgresServer | undefined>
    readonly kurrent: Effect.Effect<KurrentServer | undefined>
    readonly redis: Effect.Effect<RedisServer | undefined>
  }
>()("effect-wallet/load/bench/BenchServers") {
  static readonly layer: Layer.Layer<BenchServers> = Layer.effect(
    BenchServers,
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const once = <A>(folder: string | undefined, start: Effect.Effect<A, never, Scope.Scope>) =>
        Effect.cached(folder === undefined ? Effect.undefined : Scope.provide(start, scope))
      return BenchServers.of({
        postgres: yield* once(postgresFolder, startPostgres({ fsync: true })),
        kurrent: yield* once(kurrentFolder, startKurrent({ inMemory: false })),
        redis: yield* once(redisFolder, startRedis)
      })
    })
  )
}
