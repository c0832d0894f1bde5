/** Tools that only look make nothing: no schema, no folder, no log. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { SqlClient } from "effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { temporaryFolder } from "../../bench/servers/ServerProcess.ts"
import { installedStores, storesLayer, type StoresConfig } from "../../src/engine/EngineStores.ts"
import { verify } from "../../src/engine/verify/Verify.ts"
import { postgresPresent, TestPostgres } from "../support/postgres.ts"

const embedded = (dataDir: string): StoresConfig => ({
  kurrentUrl: Option.none(),
  kurrentPrefix: "wallet",
  databaseUrl: Option.none(),
  dataDir,
  schema: "wallet",
  maxConnections: 2
})

const look = (config: StoresConfig) => Effect.scoped(Layer.build(Layer.fresh(installedStores(config))))

describe("stores that are only looked at", () => {
  it.live("are not made in a folder without an installation", () =>
    Effect.gen(function* () {
      const dataDir = Path.join(yield* temporaryFolder(), "data")
      const error = yield* Effect.flip(look(embedded(dataDir)))
      assert.strictEqual(error.message, `there is no installation in ${dataDir} (WALLET_DATA_DIR): nothing was changed`)
      assert.isFalse(Fs.existsSync(dataDir))
    })
  )

  it.live.skipIf(!postgresPresent)("are not made in a database without one, nor migrated", () =>
    Effect.gen(function* () {
      const { url } = yield* TestPostgres
      const config = { ...embedded(""), databaseUrl: Option.some(url) }
      const sql = <A>(use: (sql: SqlClient) => Effect.Effect<A, unknown>) =>
        Effect.orDie(Effect.provide(Effect.flatMap(SqlClient, use), PgClient.layer({ url, maxConnections: 1 })))
      assert.strictEqual(
        (yield* Effect.flip(look(config))).message,
        "the schema wallet has no installation: nothing was changed; start the service on it, or run `wallet migrate`"
      )
      const schemas = yield* sql((sql) => sql`select 1 from pg_namespace where nspname = 'wallet'`)
      assert.lengthOf(schemas, 0)

      yield* Effect.scoped(Layer.build(Layer.fresh(storesLayer(config))))
      const report = yield* Effect.provide(verify(), Layer.fresh(installedStores(config)))
      assert.strictEqual(report.differenceCount, 0)

      yield* sql((sql) => sql`delete from wallet.migrations where id = 4`)
      assert.include(
        (yield* Effect.flip(look(config))).message,
        "the schema wallet lacks migration 4 (installation): nothing"
      )
    }).pipe(Effect.provide(TestPostgres.layer))
  )
})
