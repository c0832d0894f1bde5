/**
 * The SQL database of an installation: a PostgreSQL server by its URL, or PostgreSQL inside the
 * process, PGlite on a thread of its own. Both give the same client, and one set of statements
 * serves both.
 *
 * All names are unqualified: each of our connections has a search path of our
 * schema alone (`SqlSession` sees to it), so a database shared with others is safe, and the text of a
 * prepared statement does not depend on the schema's name.
 *
 * PGlite survives a killed process; it does not flush to the disk, so it does not
 * survive a power cut. It has one session: a transaction has the database to
 * itself, a statement cannot be interrupted, and `listen` would block all else.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { join } from "node:path"
import { DataDirectory, type DataDirectoryInUse, type DataDirectoryUnusable } from "../pglite/DataDirectory.ts"
import { type EmbeddedDatabaseFailed, PgliteThread } from "../pglite/Thread.ts"
import * as CheckedClient from "./CheckedClient.ts"
import * as ReadConnections from "./ReadConnections.ts"
import { embeddedSettings, makeSessionCheck, startupSettings } from "./SqlSession.ts"
import { makeTypes } from "./TextCodec.ts"

/**
 * A lower-case identifier of at most 63 characters. `public` and PostgreSQL's own
 * schemas are refused: our tables have a schema of their own, so that a database
 * can be shared with anything else.
 */
export const SqlSchemaName = Schema.String.check(
  Schema.isPattern(/^(?!pg_|public$|information_schema$)[a-z_][a-z0-9_]{0,62}$/, {
    message: "a schema name is 1-63 of a-z, 0-9 and _, not beginning with a digit or pg_, and not public"
  })
)

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
  /** `postgres://…`. */
  readonly url: Redacted.Redacted
  /**
   * Statements stay prepared in their session. Default `true`; `false` for a pooler that lends
   * a session from transaction to transaction (PgBouncer's transaction mode).
   */
  readonly prepare?: boolean | undefined
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

export interface EmbeddedDatabaseOptions {
  /** `memory://`: nothing is kept. */
  readonly dataDir: string
  /** Default `wallet`. */
  readonly schema?: string | undefined
}

export type EmbeddedDatabaseError = EmbeddedDatabaseFailed | DataDirectoryInUse | DataDirectoryUnusable | SqlError

/** Seconds: opening includes recovery from the write-ahead log after a kill. */
const embeddedConnectTimeout = "60 seconds"

/** The client on a thread: one connection, so that callers queue here and not in PGlite. */
export const clientOn = (thread: PgliteThread) =>
  PgClient.make({
    stream: thread.connect,
    ssl: false,
    username: "postgres",
    database: "postgres",
    applicationName: "effect-wallet",
    maxConnections: 1,
    types: makeTypes(),
    // The session stays: its prepared statements are worth more than the memory.
    minConnections: 1,
    connectTimeout: embeddedConnectTimeout
  })

/** `lost`: somebody else may have the folder from then on. */
const embeddedClient = Effect.fnUntraced(function* (
  folder: string | undefined,
  schema: string,
  lost: Effect.Effect<string> = Effect.never
) {
  const thread = yield* PgliteThread.make({ folder, settings: embeddedSettings(schema) })
  const abandon = (reason: string) => Effect.andThen(Effect.logError(reason), thread.abandon(reason))
  yield* Effect.forkScoped(Effect.flatMap(lost, abandon))
  return yield* clientOn(thread)
})

const defaultSchema = "wallet"

const defaultConnections = 10

const serverClient = (options: SqlServerOptions) => {
  const session = {
    schema: options.schema ?? defaultSchema,
    statementTimeoutMillis: options.statementTimeoutMillis ?? 30_000,
    idleTransactionTimeoutMillis: options.idleTransactionTimeoutMillis ?? 60_000
  }
  const prepare = options.prepare ?? true
  return CheckedClient.make(
    {
      url: options.url,
      applicationName: "effect-wallet",
      startupParameters: startupSettings(session),
      maxConnections: options.maxConnections ?? defaultConnections,
      types: makeTypes(),
      prepare,
      connectTimeout: options.connectTimeoutMillis ?? 5_000,
      // A peer that is gone without a word is noticed in about a minute, also by an idle session.
      keepAlive: "30 seconds"
    },
    makeSessionCheck({ ...session, prepare })
  )
}

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
  schema: string,
  /** `undefined`: embedded. */
  maxConnections: number | undefined
): Layer.Layer<SqlDatabase | Clients, E, R> => {
  const embedded = maxConnections === undefined
  const database = Layer.effect(
    SqlDatabase,
    Effect.map(SqlClient, (sql) => SqlDatabase.of({ embedded, schema, conditions: conditionsOf(sql, embedded) }))
  )
  const reads = Layer.effect(
    ReadConnections.ReadConnections,
    Effect.map(SqlClient, (sql) => ReadConnections.make(sql, maxConnections ?? 1))
  )
  return Layer.merge(database, reads).pipe(Layer.provideMerge(client))
}

export class SqlDatabase extends Context.Service<
  SqlDatabase,
  {
    /** PGlite: one session, so a transaction holds everything else up. */
    readonly embedded: boolean
    readonly schema: string
    readonly conditions: Effect.Effect<SqlConditions, SqlError>
  }
>()("effect-wallet/stores/sql/SqlDatabase") {
  /**
   * A server. Connections are made when they are needed: one that is away fails statements, and not
   * this. So does a session that is not what it was asked to be, by a line that says how to mend it.
   */
  static readonly layerServer = (options: SqlServerOptions): Layer.Layer<SqlDatabase | Clients, SqlError> =>
    withDatabase(
      PgClient.layerFrom(serverClient(options)),
      options.schema ?? defaultSchema,
      options.maxConnections ?? defaultConnections
    )

  /** PGlite in `dataDir`, or in memory for `memory://`: then it is lost when the scope closes. */
  static readonly layerEmbedded = ({
    dataDir,
    schema = defaultSchema
  }: EmbeddedDatabaseOptions): Layer.Layer<SqlDatabase | Clients, EmbeddedDatabaseError> =>
    dataDir === "memory://"
      ? withDatabase(PgClient.layerFrom(embeddedClient(undefined, schema)), schema, undefined)
      : SqlDatabase.layerEmbeddedIn(schema).pipe(Layer.provide(DataDirectory.layer(dataDir)))

  /**
   * PGlite in `<dataDir>/pg` of a `DataDirectory` that the caller has: for a service that also
   * announces itself there. Closing goes backwards: the session is rolled back, PGlite writes its
   * last checkpoint, its thread ends, the data directory is free for the next process.
   */
  static readonly layerEmbeddedIn = (
    schema: string = defaultSchema
  ): Layer.Layer<SqlDatabase | Clients, EmbeddedDatabaseFailed | SqlError, DataDirectory> =>
    withDatabase(
      PgClient.layerFrom(
        Effect.flatMap(DataDirectory, ({ lost, path }) => embeddedClient(join(path, "pg"), schema, lost))
      ),
      schema,
      undefined
    )
}
