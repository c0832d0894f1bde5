import { assert, describe, layer } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { pgBouncerFolder, startPgBouncer } from "../../../bench/servers/PgBouncer.ts"
import { ApiKeyStore } from "../../../src/stores/ApiKeyStore.ts"
import { EventStore } from "../../../src/stores/EventStore.ts"
import { SqlDatabase, type SqlServerOptions } from "../../../src/stores/sql/SqlDatabase.ts"
import { SqlMigrator } from "../../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../../src/stores/sql/SqlStores.ts"
import { credit, SampleWallet } from "../../../src/testing/contract/SampleWallet.ts"
import { documentedScript, documentedSetting, runScript } from "../../support/documentedRules.ts"
import { postgresPresent, TestPostgres } from "../../support/postgres.ts"

/** As the manual says. */
const ignored = documentedSetting("ignore_startup_parameters")

const wanted: Readonly<Record<string, string>> = {
  search_path: "wallet",
  jit: "off",
  enable_seqscan: "off",
  statement_timeout: "'30s'",
  idle_in_transaction_session_timeout: "'60s'",
  synchronous_commit: "on",
  default_transaction_isolation: "'read committed'"
}

const asAdmin = <A, E>(use: (sql: SqlClient) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const { url } = yield* TestPostgres
    return yield* Effect.flatMap(SqlClient, use).pipe(
      Effect.provide(Layer.fresh(PgClient.layer({ url, maxConnections: 1 }))),
      Effect.orDie
    )
  })

/** A role of its own with these settings in the file's database; its URL. */
const roleWith = Effect.fnUntraced(function* (role: string, settings: Readonly<Record<string, string>>) {
  const { url } = yield* TestPostgres
  const address = new URL(Redacted.value(url))
  const database = address.pathname.slice(1)
  yield* Effect.acquireRelease(
    asAdmin((sql) =>
      Effect.gen(function* () {
        yield* sql.unsafe(`create role ${role} login`)
        yield* sql.unsafe(`grant create on database ${database} to ${role}`)
        for (const [name, value] of Object.entries(settings)) {
          yield* sql.unsafe(`alter role ${role} in database ${database} set ${name} = ${value}`)
        }
      })
    ),
    () => asAdmin((sql) => Effect.andThen(sql.unsafe(`drop owned by ${role} cascade`), sql.unsafe(`drop role ${role}`)))
  )
  address.username = role
  return Redacted.make(address.href)
})

const through = (url: Redacted.Redacted, options: Omit<SqlServerOptions, "url"> = {}) =>
  Layer.fresh(SqlDatabase.layerServer({ ...options, url }))

/** The line that the start of a service would end with. */
const refusalOf = (database: ReturnType<typeof through>) =>
  Effect.map(
    Effect.flip(Effect.scoped(Layer.build(SqlMigrator.layer.pipe(Layer.provide(database))))),
    (error) => error.message
  )

const tablesIn = (schema: string) =>
  Effect.map(
    asAdmin((sql) => sql`select 1 from pg_tables where schemaname = ${schema}`),
    (rows) => rows.length
  )

/** Appends to many wallets at once, reads them back, and uses the other tables. */
const work = Effect.gen(function* () {
  const log = yield* EventStore
  const keys = yield* ApiKeyStore
  const wallets = Array.from({ length: 40 }, () => new SampleWallet())
  yield* Effect.forEach(
    wallets,
    (wallet) =>
      Effect.gen(function* () {
        const commit = wallet.commit(wallet.creation(), credit(10n), credit(5n))
        assert.strictEqual((yield* log.append([commit]))[0]?._tag, "Appended")
        assert.deepStrictEqual(yield* log.read(wallet.id, { after: -1, limit: 9 }), commit.events)
      }),
    { concurrency: 16, discard: true }
  )
  yield* keys.list({ limit: 10 })
})

const stores = (database: ReturnType<typeof through>) =>
  SqlStores.layer().pipe(Layer.provide(SqlMigrator.layer), Layer.provideMerge(database))

describe.skipIf(!postgresPresent || pgBouncerFolder === undefined)("PostgreSQL behind PgBouncer", () => {
  layer(TestPostgres.layer, { excludeTestServices: true })((it) => {
    it.effect("refuses sessions that have lost what they were asked to be, and touches nothing", () =>
      Effect.gen(function* () {
        const url = yield* roleWith("ew_pooled_lost", {
          synchronous_commit: "off",
          default_transaction_isolation: "'repeatable read'"
        })
        const pooler = yield* startPgBouncer(url, { pool_mode: "session", ignore_startup_parameters: ignored })
        const line = yield* refusalOf(through(pooler))
        assert.include(line, `search_path is "$user", public and must be "wallet"`)
        assert.include(line, "synchronous_commit is off and must be on")
        assert.include(line, "default_transaction_isolation is repeatable read and must be read committed")
        assert.match(line, /ALTER ROLE ew_pooled_lost IN DATABASE \w+ SET search_path = "wallet";/)
        assert.notInclude(line, "\n")
        assert.strictEqual(yield* tablesIn("public"), 0)
        assert.strictEqual(yield* tablesIn("wallet"), 0)
      })
    )

    it.effect("says which parameter a pooler does not take", () =>
      Effect.gen(function* () {
        const url = yield* roleWith("ew_pooled_strict", {})
        const pooler = yield* startPgBouncer(url, { pool_mode: "session" })
        assert.match(yield* refusalOf(through(pooler)), /unsupported startup parameter/)
      })
    )

    it.effect("does what the refusal says, and then works through kept sessions", () =>
      Effect.gen(function* () {
        const url = yield* roleWith("ew_pooled_kept", {})
        const pooler = yield* startPgBouncer(url, { pool_mode: "session", ignore_startup_parameters: ignored })
        const line = yield* refusalOf(through(pooler))
        const remedy = line.slice(line.indexOf("ALTER ROLE"))
        yield* asAdmin((sql) =>
          Effect.forEach(
            remedy.split(";").filter((statement) => statement.trim() !== ""),
            (statement) => sql.unsafe(statement)
          )
        )
        // The session that was refused has gone back to the pooler, with what the role had before.
        const fresh = yield* startPgBouncer(url, { pool_mode: "session", ignore_startup_parameters: ignored })
        yield* Effect.provide(work, stores(through(fresh)))
      })
    )

    it.effect("works in session mode with what the manual says", () =>
      Effect.gen(function* () {
        const url = yield* roleWith("ew_pooled_manual", {})
        const database = new URL(Redacted.value(url)).pathname.slice(1)
        const script = documentedScript("A pooler in front")
        const settled = script
          .replaceAll("wallet_service", "ew_pooled_manual")
          .replaceAll("DATABASE app", `DATABASE ${database}`)
        yield* asAdmin((sql) => Effect.provideService(runScript(settled), SqlClient, sql))
        const pooler = yield* startPgBouncer(url, { pool_mode: "session", ignore_startup_parameters: ignored })
        yield* Effect.provide(work, stores(through(pooler)))
      })
    )

    it.effect("refuses a pooler that lends its sessions, and works with it once statements are not prepared", () =>
      Effect.gen(function* () {
        const url = yield* roleWith("ew_pooled_lent", { ...wanted, search_path: "lent" })
        const settings = { pool_mode: "transaction", ignore_startup_parameters: ignored, default_pool_size: "4" }
        const pooler = yield* startPgBouncer(url, settings)
        assert.include(
          yield* refusalOf(through(pooler, { schema: "lent" })),
          "lends one session to several clients (transaction mode): let it keep sessions, or set WALLET_SQL_PREPARE to false"
        )
        assert.strictEqual(yield* tablesIn("lent"), 0)
        const database = through(pooler, { schema: "lent", prepare: false })
        const second = SqlStores.layer().pipe(
          Layer.provide(SqlMigrator.layerBesideOthers),
          Layer.provideMerge(database)
        )
        yield* Effect.provide(work, second)
      })
    )

    it.effect("names a session that changes while the service runs, as a store that cannot serve", () =>
      Effect.gen(function* () {
        const url = yield* roleWith("ew_pooled_changed", { ...wanted, search_path: "changed" })
        const settings = { pool_mode: "session", ignore_startup_parameters: ignored }
        const pooler = yield* startPgBouncer(url, settings)
        yield* asAdmin((sql) =>
          sql.unsafe("alter role ew_pooled_changed set synchronous_commit = off").pipe(
            Effect.andThen(sql`select current_database() as name`),
            Effect.flatMap(([row]) =>
              sql.unsafe(`alter role ew_pooled_changed in database ${String(row?.name)} reset synchronous_commit`)
            )
          )
        )
        yield* Effect.gen(function* () {
          const log = yield* EventStore
          const error = yield* Effect.flip(log.head)
          assert.strictEqual(error._tag, "StoreUnavailable")
          assert.include(error.message, "synchronous_commit is off and must be on")
        }).pipe(Effect.provide(SqlStores.layer().pipe(Layer.provide(through(pooler, { schema: "changed" })))))
      })
    )
  })
})
