import { assert, describe, layer } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { createHash } from "node:crypto"
import { SqlDatabase } from "../../../src/stores/sql/SqlDatabase.ts"
import { loadMigrations, type Migration, SqlMigrator } from "../../../src/stores/sql/SqlMigrator.ts"
import { layerEmbedded } from "../../support/embedded.ts"
import { documentedScript, runScript } from "../../support/documentedRules.ts"
import { freshDatabase, TestPostgres, postgresPresent } from "../../support/postgres.ts"

const cats: Migration = {
  id: 1,
  name: "cats",
  sql: `-- two commands; the second needs the first; a quote's and a $1's worth of trouble
create table cats (name text constraint ew_cats_pkey primary key);
insert into cats values ('Tom''s; $1 -- {}');`
}
const dogs: Migration = {
  id: 2,
  name: "dogs",
  sql: "create function bark() returns text language plpgsql as $$ begin return 'wuff'; end $$;"
}
const broken: Migration = {
  id: 2,
  name: "broken",
  sql: "create table birds (id int);\n\ninsert into nowhere values (1);"
}

/** Each test has a schema of its own on the file's database. */
const inSchema = <A, E>(schema: string, effect: Effect.Effect<A, E, SqlClient | SqlDatabase>) =>
  Effect.gen(function* () {
    const { url } = yield* TestPostgres
    return yield* Effect.provide(effect, SqlDatabase.layerServer({ url, schema }))
  })

describe.skipIf(!postgresPresent)("SqlMigrator on PostgreSQL", () => {
  layer(TestPostgres.layer)((it) => {
    it.effect("runs each file once, in order, into the schema", () =>
      inSchema(
        "once",
        Effect.gen(function* () {
          const sql = yield* SqlClient
          assert.deepStrictEqual(yield* SqlMigrator.migrate([cats]), [cats])
          assert.deepStrictEqual(yield* SqlMigrator.migrate([cats, dogs]), [dogs])
          assert.deepStrictEqual(yield* SqlMigrator.migrate([cats, dogs]), [])
          assert.deepStrictEqual(yield* sql`select name, bark() from once.cats`, [
            { name: "Tom's; $1 -- {}", bark: "wuff" }
          ])
          assert.deepStrictEqual(yield* sql`select id, name from once.migrations order by id`, [
            { id: 1, name: "cats" },
            { id: 2, name: "dogs" }
          ])
        })
      )
    )

    it.effect("lets several starts at once run each file once", () =>
      Effect.gen(function* () {
        const ran = yield* Effect.all(
          Array.from({ length: 5 }, () => inSchema("race", SqlMigrator.migrate([cats, dogs]))),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          ran
            .flat()
            .map((migration) => migration.id)
            .sort(),
          [1, 2]
        )
      })
    )

    it.effect("leaves nothing of a migration that fails and names its line", () =>
      inSchema(
        "torn",
        Effect.gen(function* () {
          const sql = yield* SqlClient
          const error = yield* Effect.flip(SqlMigrator.migrate([cats, broken]))
          assert.strictEqual(
            error.message,
            'migration 2 (broken) failed: line 3: relation "nowhere" does not exist (SQLSTATE 42P01)'
          )
          assert.deepStrictEqual(
            yield* sql`select to_regclass('torn.birds') as birds, to_regclass('torn.cats') is null as cats`,
            [{ birds: null, cats: false }]
          )
          assert.deepStrictEqual(yield* SqlMigrator.migrate([cats, dogs]), [dogs])
        })
      )
    )

    it.effect("refuses a database that a later release has migrated", () =>
      inSchema(
        "future",
        Effect.gen(function* () {
          yield* SqlMigrator.migrate([cats, dogs])
          const error = yield* Effect.flip(SqlMigrator.migrate([cats]))
          assert.strictEqual(error._tag, "MigrationFromTheFuture")
          assert.include(error.message, "migration 2 (dogs)")
        })
      )
    )

    it.effect("refuses a migration that has changed since it ran", () =>
      inSchema(
        "changed",
        Effect.gen(function* () {
          yield* SqlMigrator.migrate([cats, dogs])
          const error = yield* Effect.flip(SqlMigrator.migrate([{ ...cats, sql: `${cats.sql} ` }, dogs]))
          assert.strictEqual(error._tag, "MigrationChanged")
        })
      )
    )

    it.effect("never takes a table of the public schema for its own", () =>
      inSchema(
        "apart",
        Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* sql`create table public.migrations (id int)`
          yield* sql`create table public.cats (id int)`
          assert.deepStrictEqual(yield* SqlMigrator.migrate([cats]), [cats])
          assert.deepStrictEqual(
            yield* sql`select (select count(*) from public.cats) as theirs, count(*) as ours from cats`,
            [{ theirs: 0n, ours: 1n }]
          )
        })
      )
    )

    it.effect("works for a role that may use the schema but not create one", () =>
      inSchema(
        "granted",
        Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* sql`create role ew_test_poor`
          yield* sql`create schema granted authorization ew_test_poor`
          yield* sql.withTransaction(
            Effect.gen(function* () {
              yield* sql`set local role ew_test_poor`
              assert.deepStrictEqual(yield* SqlMigrator.migrate([cats]), [cats])
            })
          )
          yield* sql`drop schema granted cascade`
          yield* sql`drop role ew_test_poor`
        })
      )
    )

    it.effect("brings a fresh database to this release, and makes a second ledger there only when it is asked to", () =>
      Effect.gen(function* () {
        const migrations = yield* loadMigrations
        assert.deepStrictEqual(yield* inSchema("wallet", SqlMigrator.migrate(migrations)), migrations)
        const error = yield* Effect.flip(inSchema("walet", SqlMigrator.migrate(migrations)))
        assert.strictEqual(
          error.message,
          "this database has an installation in the schema wallet, and none in walet: set WALLET_SQL_SCHEMA=wallet, " +
            "or make a second, empty one by `wallet migrate --second`"
        )
        const made = yield* inSchema(
          "wallet",
          Effect.flatMap(SqlClient, (sql) => sql`select 1 from pg_namespace where nspname = 'walet'`)
        )
        assert.deepStrictEqual(made, [])
        // As a start leaves it that is cut off before its first migration.
        const cutOff = Effect.flatMap(SqlClient, (sql) =>
          Effect.andThen(sql`create schema cut`, sql`create table cut.migrations (like wallet.migrations)`)
        )
        yield* inSchema("cut", cutOff)
        const again = yield* Effect.flip(inSchema("cut", SqlMigrator.migrate(migrations)))
        assert.strictEqual(again._tag, "InstallationElsewhere")
        const second = inSchema("other", SqlMigrator.migrate(migrations, { second: true }))
        assert.deepStrictEqual(yield* second, migrations)
        assert.deepStrictEqual(yield* inSchema("other", SqlMigrator.migrate(migrations)), [])
      })
    )

    it.effect("names tables that an earlier start has left in public, and takes them once they are moved", () =>
      Effect.gen(function* () {
        const { url } = yield* TestPostgres
        const server = yield* freshDatabase(url)
        const migrations = yield* loadMigrations
        const plain = PgClient.layer({ url: server, maxConnections: 1, startupParameters: { search_path: "public" } })
        const ours = SqlDatabase.layerServer({ url: server })
        yield* Effect.provide(
          Effect.flatMap(SqlClient, (sql) =>
            Effect.gen(function* () {
              yield* sql`create table migrations (id integer constraint ew_migrations_pkey primary key,
                name text not null, checksum text not null, applied_at timestamptz not null default now())`
              for (const { id, name, sql: file } of migrations) {
                yield* runScript(file)
                const checksum = createHash("sha256").update(file).digest("hex")
                yield* sql`insert into migrations (id, name, checksum) values (${id}, ${name}, ${checksum})`
              }
              yield* sql`create table accounts (id integer)`
            })
          ),
          plain
        )
        const error = yield* Effect.flip(Effect.provide(SqlMigrator.migrate(migrations), ours))
        assert.include(error.message, "an installation in the schema public, and none in wallet: move it")
        yield* Effect.provide(runScript(documentedScript("Another schema")), plain)
        assert.deepStrictEqual(yield* Effect.provide(SqlMigrator.migrate(migrations), ours), [])
        const left = yield* Effect.provide(
          Effect.flatMap(
            SqlClient,
            (sql) => sql`select relname as name from pg_class where relnamespace = 'public'::regnamespace
              union all select proname from pg_proc where pronamespace = 'public'::regnamespace
              union all select typname from pg_type where typnamespace = 'public'::regnamespace and typtype = 'c'`
          ),
          plain
        )
        assert.deepStrictEqual(left, [{ name: "accounts" }, { name: "accounts" }])
      })
    )
  })
})

const embedded: Layer.Layer<SqlClient | SqlDatabase, unknown> = layerEmbedded

layer(embedded, { timeout: 900_000 })("SqlMigrator on the embedded database", (it) => {
  it.effect("runs the same files", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const migrations = yield* loadMigrations
      assert.deepStrictEqual(yield* SqlMigrator.migrate(migrations), migrations)
      assert.deepStrictEqual(yield* SqlMigrator.migrate(migrations), [])
      const next = { ...broken, id: migrations.length + 1 }
      const error = yield* Effect.flip(SqlMigrator.migrate([...migrations, next]))
      assert.include(error.message, 'line 3: relation "nowhere" does not exist')
      assert.deepStrictEqual(yield* sql`select to_regclass('birds') as birds`, [{ birds: null }])
    })
  )
})
