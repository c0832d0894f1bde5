import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import { SqlDatabase, SqlSchemaName } from "../../../src/stores/sql/SqlDatabase.ts"
import { postgresPresent, TestPostgres } from "../../support/postgres.ts"

describe("SqlSchemaName", () => {
  const accepts = Schema.is(SqlSchemaName)

  it.each(["wallet", "_w1", "w".repeat(63), "publicity"])("takes %s", (name) => {
    assert.isTrue(accepts(name))
  })

  it.each(["", "Wallet", "1w", "w w", 'w"', "w;", "pg_w", "public", "information_schema", "w".repeat(64), "w\n"])(
    "refuses %j",
    (name) => {
      assert.isFalse(accepts(name))
    }
  )
})

describe.skipIf(!postgresPresent)("SqlDatabase on a server", () => {
  layer(TestPostgres.layer)((it) => {
    it.effect("has sessions of its own making, however the host's database is set up", () =>
      Effect.gen(function* () {
        const { url } = yield* TestPostgres
        const host = SqlDatabase.layerServer({ url, schema: "host" })
        yield* Effect.flatMap(SqlClient, (sql) =>
          Effect.forEach(
            ["default_transaction_isolation = serializable", "search_path = public", "TimeZone = 'Asia/Tokyo'"],
            (setting) =>
              sql`do ${sql.literal(
                `$$ begin execute format('alter database %I set ${setting.replaceAll(
                  "'",
                  "''"
                )}', current_database()); end $$`
              )}`
          )
        ).pipe(Effect.provide(host))
        const settings = Effect.flatMap(
          SqlClient,
          (sql) => sql`select current_setting('default_transaction_isolation') as isolation,
            current_setting('search_path') as path, current_setting('TimeZone') as zone,
            current_setting('statement_timeout') as timeout, current_setting('application_name') as application`
        )
        const ours = SqlDatabase.layerServer({ url, schema: "ours", statementTimeoutMillis: 1_500 })
        assert.deepStrictEqual(yield* Effect.provide(settings, ours), [
          {
            isolation: "read committed",
            path: '"ours"',
            zone: "UTC",
            timeout: "1500ms",
            application: "effect-wallet"
          }
        ])
      })
    )

    it.effect("bounds its connections and makes callers wait for one", () =>
      Effect.gen(function* () {
        const { url } = yield* TestPostgres
        yield* Effect.gen(function* () {
          const sql = yield* SqlClient
          const one = sql<{ readonly pid: number }>`select pg_backend_pid() as pid, pg_sleep(0.01)::text as slept`
          const rows = yield* Effect.all(
            Array.from({ length: 30 }, () => one),
            { concurrency: "unbounded" }
          )
          const sessions = new Set(rows.map(([row]) => row?.pid))
          assert.isAtLeast(sessions.size, 2)
          assert.isAtMost(sessions.size, 3)
        }).pipe(Effect.provide(SqlDatabase.layerServer({ url, maxConnections: 3 })))
      })
    )

    it.effect("tells the conditions that figures depend on", () =>
      Effect.gen(function* () {
        const { url } = yield* TestPostgres
        yield* Effect.gen(function* () {
          const database = yield* SqlDatabase
          assert.isFalse(database.embedded)
          assert.strictEqual(database.schema, "wallet")
          const { fsync, product, synchronousCommit, version } = yield* database.conditions
          assert.deepStrictEqual([product, fsync, synchronousCommit], ["PostgreSQL", "off", "on"])
          assert.match(version, /^\d+\.\d+/)
        }).pipe(Effect.provide(SqlDatabase.layerServer({ url })))
      })
    )
  })
})

layer(SqlDatabase.layerEmbedded({ dataDir: "memory://", schema: "ours" }))("SqlDatabase, embedded", (it) => {
  it.effect("says that it is, and that it does not flush", () =>
    Effect.gen(function* () {
      const database = yield* SqlDatabase
      const sql = yield* SqlClient
      assert.isTrue(database.embedded)
      assert.strictEqual(database.schema, "ours")
      const { fsync, product } = yield* database.conditions
      assert.deepStrictEqual([product, fsync], ["PGlite", "off"])
      assert.deepStrictEqual(yield* sql`select current_setting('search_path') as path`, [{ path: '"ours"' }])
    })
  )
})
