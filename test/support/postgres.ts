/** A fresh database per test file, on the PostgreSQL server that the run shares. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { SqlClient } from "effect/sql/SqlClient"
import { randomBytes } from "node:crypto"
import { inject } from "vitest"
import { SqlDatabase, type SqlServerOptions } from "../../src/stores/sql/SqlDatabase.ts"
import { postgresFolder, startPostgres } from "../../bench/servers/PostgresServer.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** The run's shared server; `null`: absent; `undefined`: the run has no global set-up. */
    postgresUrl: string | null | undefined
  }
}

/** The server that this run shares, or one of this file's own when the run has none. */
const sharedServer = Effect.gen(function* () {
  const shared = inject("postgresUrl")
  return typeof shared === "string" ? Redacted.make(shared) : (yield* startPostgres()).url
})

/** Whether tests against PostgreSQL can run: `describe.skipIf(!postgresPresent)`. */
export const postgresPresent: boolean = typeof inject("postgresUrl") === "string" || postgresFolder !== undefined

const withDatabaseName = (url: Redacted.Redacted, name: string): Redacted.Redacted => {
  const changed = new URL(Redacted.value(url))
  changed.pathname = `/${name}`
  return Redacted.make(changed.href)
}

const asAdmin = <A, E>(url: Redacted.Redacted, use: (sql: SqlClient) => Effect.Effect<A, E>) =>
  Effect.flatMap(SqlClient, use).pipe(Effect.provide(PgClient.layer({ url, maxConnections: 1 })))

/** In words of `create database`. In Turkish `lower('I')` is no `i`, and texts have another order than bytes. */
const turkish = "locale_provider icu icu_locale 'tr-TR' lc_collate 'C' lc_ctype 'C'"

const databaseFrom = Effect.fnUntraced(function* (server: Redacted.Redacted, template: string, locale = "") {
  const name = `test_${randomBytes(6).toString("hex")}`
  yield* Effect.acquireRelease(
    // Sessions that have just been closed may take a moment to leave the template.
    Effect.retry(
      asAdmin(server, (sql) => sql`create database ${sql(name)} template ${sql(template)} ${sql.literal(locale)}`),
      { schedule: Schedule.spaced("200 millis"), times: 25 }
    ),
    () => Effect.orDie(asAdmin(server, (sql) => sql`drop database if exists ${sql(name)} with (force)`))
  )
  return withDatabaseName(server, name)
})

/** A fresh, empty database, dropped when the scope closes. */
export const freshDatabase = (server: Redacted.Redacted) => Effect.orDie(databaseFrom(server, "template0"))

/** A copy of a database that nobody is connected to: what a dump is, put back. Dropped when the scope closes. */
export const copyDatabase = (url: Redacted.Redacted) =>
  Effect.orDie(databaseFrom(withDatabaseName(url, "postgres"), new URL(Redacted.value(url)).pathname.slice(1)))

/** A fresh database on a real PostgreSQL server. */
export class TestPostgres extends Context.Service<
  TestPostgres,
  {
    readonly url: Redacted.Redacted
  }
>()("effect-wallet/test/TestPostgres") {
  static readonly layer: Layer.Layer<TestPostgres> = Layer.effect(
    TestPostgres,
    Effect.map(Effect.flatMap(sharedServer, freshDatabase), (url) => TestPostgres.of({ url }))
  )

  /** The same in a locale whose letters are not those of ids. */
  static readonly layerTurkish: Layer.Layer<TestPostgres> = Layer.effect(
    TestPostgres,
    Effect.map(
      Effect.flatMap(sharedServer, (server) => Effect.orDie(databaseFrom(server, "template0", turkish))),
      (url) => TestPostgres.of({ url })
    )
  )

  /** `SqlDatabase` on a database; not migrated. */
  static readonly layerDatabaseOn = (
    database: Layer.Layer<TestPostgres>,
    options: Omit<SqlServerOptions, "url"> = {}
  ) =>
    Layer.unwrap(Effect.map(TestPostgres, ({ url }) => SqlDatabase.layerServer({ ...options, url }))).pipe(
      Layer.provideMerge(database)
    )

  /** … a fresh one. */
  static readonly layerDatabase = (options: Omit<SqlServerOptions, "url"> = {}) =>
    TestPostgres.layerDatabaseOn(TestPostgres.layer, options)
}
