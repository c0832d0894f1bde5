/** Databases of their own on the bench's server, and how much of the disk they take. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { SqlDatabase } from "../src/stores/sql/SqlDatabase.ts"
import type { PostgresServer } from "./servers/PostgresServer.ts"
import { conditionsText } from "./Databases.ts"

/** The server's URL with another database in it. */
const urlOf = ({ url }: PostgresServer, database: string): Redacted.Redacted => {
  const other = new URL(Redacted.value(url))
  other.pathname = `/${database}`
  return Redacted.make(other.href)
}

const asked = <A, E>(url: Redacted.Redacted, question: Effect.Effect<A, E, SqlClient>): Effect.Effect<A> =>
  Effect.orDie(Effect.provide(question, PgClient.layer({ url, maxConnections: 1 })))

/** Makes the database unless it is there, and answers its URL. */
export const databaseOf = (server: PostgresServer, database: string): Effect.Effect<Redacted.Redacted> =>
  asked(
    server.url,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const found = yield* sql`select from pg_database where datname = ${database}`
      if (found.length === 0) yield* sql`create database ${sql(database)}`
      return urlOf(server, database)
    })
  )

/** Takes everything out of it. Unlike a new database this makes no checkpoint, which the next round would pay for. */
export const emptied = (url: Redacted.Redacted): Effect.Effect<void> =>
  asked(
    url,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`set client_min_messages = error`
      yield* sql`drop schema public cascade`
      yield* sql`create schema public`
    })
  )

/** An empty database, dropped when the scope closes. */
export const freshDatabase = (server: PostgresServer, database: string) =>
  Effect.acquireRelease(databaseOf(server, database), () =>
    asked(
      server.url,
      Effect.flatMap(SqlClient, (sql) => sql`drop database if exists ${sql(database)} with (force)`)
    )
  )

/** `PostgreSQL 15.14 (fsync on, synchronous_commit on)`: as our own sessions have it. */
export const serverConditions = (url: Redacted.Redacted): Effect.Effect<string> =>
  Effect.flatMap(SqlDatabase, ({ conditions }) => Effect.map(conditions, conditionsText)).pipe(
    Effect.provide(SqlDatabase.layerServer({ url })),
    Effect.orDie
  )

/** Does at once what the server would do some time after many writes: sweeps, counts and writes out. */
export const settled = (url: Redacted.Redacted): Effect.Effect<void> =>
  asked(
    url,
    Effect.flatMap(SqlClient, (sql) => Effect.andThen(sql`vacuum analyze`, sql`checkpoint`))
  )

/** Bytes of the database once all is written and what is dead has been swept. */
export const serverBytes = (url: Redacted.Redacted): Effect.Effect<number> =>
  asked(
    url,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`vacuum`
      yield* sql`checkpoint`
      const [row] = yield* sql<{ readonly bytes: number }>`
        select pg_database_size(current_database())::float8 as bytes`
      return row?.bytes ?? 0
    })
  )

/** Bytes of the tables and indexes in a folder of PGlite that nobody has open; its log, which is reused, is not in it. */
export const folderBytes = (folder: string): Effect.Effect<number> =>
  Effect.sync(() => {
    const [base] = Fs.globSync(Path.join(folder, "**/base"))
    if (base === undefined) return 0
    return Fs.readdirSync(base, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .reduce((sum, { name, parentPath }) => sum + Fs.statSync(Path.join(parentPath, name)).size, 0)
  })
