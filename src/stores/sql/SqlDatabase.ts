/**
 * The SQL database of an installation: a PostgreSQL server by its URL, or the
 * embedded one. Both give the same client, and one set of statements serves both.
 *
 * All names are unqualified: each of our connections has a search path of our
 * schema alone, so a database shared with others is safe, and the text of a
 * prepared statement does not depend on the schema's name.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { DataDirectory } from "../pglite/DataDirectory.ts"
import {
  EmbeddedDatabase,
  type EmbeddedDatabaseError,
  type EmbeddedDatabaseOptions
} from "../pglite/EmbeddedDatabase.ts"
import type { EmbeddedDatabaseFailed } from "../pglite/Thread.ts"
import { searchPathOf } from "./SchemaName.ts"

/** What durability and speed of this database depend on: printed with every figure, and told at start. */
export interface SqlConditions {
  readonly product: "PostgreSQL" | "PGlite"
  readonly version: string
  /** `off`: a power cut may lose what was answered. */
  readonly fsync: string
  /** `off`: so may a crash of the server. */
  readonly synchronousCommit: string
}

export interface SqlServerOptions {
  /** `postgres://…`; a pooler in front must keep sessions (not PgBouncer's transaction mode). */
  readonly url: Redacted.Redacted
  /** Default `wallet`. */
  readonly schema?: string | undefined
  /** Default 10, 1–1,000. */
  readonly maxConnections?: number | undefined
  /** The server ends a statement after this, milliseconds; default 30,000. */
  readonly statementTimeoutMillis?: number | undefined
  /** The server ends a session whose transaction idles this long, milliseconds; default 60,000. */
  readonly idleTransactionTimeoutMillis?: number | undefined
  /** Milliseconds; default 5,000. */
  readonly connectTimeoutMillis?: number | undefined
}

/** Why each session starts with these: none of them may depend on how the host's database or role is set up. */
const sessionSettings = (schema: string, options: SqlServerOptions): Readonly<Record<string, string>> => ({
  search_path: searchPathOf(schema),
  statement_timeout: String(options.statementTimeoutMillis ?? 30_000),
  idle_in_transaction_session_timeout: String(options.idleTransactionTimeoutMillis ?? 60_000),
  // The fence relies on a statement seeing what was committed while it waited for a row.
  default_transaction_isolation: "read committed",
  default_transaction_read_only: "off",
  // An answer means that it is on disk, whatever a role or a database is set up with.
  synchronous_commit: "on",
  TimeZone: "UTC",
  DateStyle: "ISO",
  // Compiling is never worth it for statements of milliseconds.
  jit: "off",
  // Everything has its index. A plan made while a table is small serves it when it is large.
  enable_seqscan: "off"
})

const conditionsOf = (sql: SqlClient, embedded: boolean): Effect.Effect<SqlConditions, SqlError> =>
  Effect.map(
    sql<{ readonly name: string; readonly setting: string }>`
      select name, setting from pg_settings where name in ('server_version', 'fsync', 'synchronous_commit')`,
    (rows) => {
      const setting = (name: string) => rows.find((row) => row.name === name)?.setting ?? "unknown"
      return {
        product: embedded ? "PGlite" : "PostgreSQL",
        version: setting("server_version"),
        fsync: setting("fsync"),
        synchronousCommit: setting("synchronous_commit")
      }
    }
  )

type Clients = PgClient.PgClient | SqlClient

const withDatabase = <E, R>(
  client: Layer.Layer<Clients, E, R>,
  embedded: boolean,
  schema = "wallet"
): Layer.Layer<SqlDatabase | Clients, E, R> =>
  Layer.effect(
    SqlDatabase,
    Effect.map(SqlClient, (sql) => SqlDatabase.of({ embedded, schema, conditions: conditionsOf(sql, embedded) }))
  ).pipe(Layer.provideMerge(client))

export class SqlDatabase extends Context.Service<
  SqlDatabase,
  {
    /** PGlite: one session, so a transaction holds everything else up. */
    readonly embedded: boolean
    readonly schema: string
    readonly conditions: Effect.Effect<SqlConditions, SqlError>
  }
>()("effect-wallet/stores/sql/SqlDatabase") {
  /** A server. Connections are made when they are needed: one that is away fails statements, and not this. */
  static readonly layerServer = (options: SqlServerOptions): Layer.Layer<SqlDatabase | Clients, SqlError> =>
    withDatabase(
      PgClient.layer({
        url: options.url,
        applicationName: "effect-wallet",
        startupParameters: sessionSettings(options.schema ?? "wallet", options),
        maxConnections: options.maxConnections ?? 10,
        // Of its own, so that our composite types can be made known to this client alone.
        types: PgTypes.makeRegistry(),
        connectTimeout: options.connectTimeoutMillis ?? 5_000,
        // A peer that is gone without a word is noticed in about a minute, also by an idle session.
        keepAlive: "30 seconds"
      }),
      false,
      options.schema
    )

  /** PGlite in `dataDir`, or in memory for `memory://`. */
  static readonly layerEmbedded = (
    options: EmbeddedDatabaseOptions
  ): Layer.Layer<SqlDatabase | Clients, EmbeddedDatabaseError> =>
    withDatabase(EmbeddedDatabase.layer(options), true, options.schema)

  /** PGlite in a `DataDirectory` that the caller has: for a service that also announces itself there. */
  static readonly layerEmbeddedIn = (
    schema?: string
  ): Layer.Layer<SqlDatabase | Clients, EmbeddedDatabaseFailed | SqlError, DataDirectory> =>
    withDatabase(EmbeddedDatabase.layerIn(schema), true, schema)
}
