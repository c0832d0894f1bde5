/**
 * PostgreSQL inside the process: PGlite on a thread of its own, behind the same
 * `@effect/sql-pg` client that talks to a server.
 *
 * It survives a killed process; it does not flush to the disk, so it does not
 * survive a power cut. It has one session: a transaction has the database to
 * itself, a statement cannot be interrupted, and `listen` would block all else.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { join } from "node:path"
import { DataDirectory, type DataDirectoryInUse, type DataDirectoryUnusable } from "./DataDirectory.ts"
import { type EmbeddedDatabaseFailed, PgliteThread } from "./Thread.ts"
import { searchPathOf } from "../sql/SchemaName.ts"

export interface EmbeddedDatabaseOptions {
  /** `memory://`: nothing is kept. */
  readonly dataDir: string
  /** Default `wallet`. */
  readonly schema?: string | undefined
}

export type EmbeddedDatabaseError = EmbeddedDatabaseFailed | DataDirectoryInUse | DataDirectoryUnusable | SqlError

/** Seconds: opening includes recovery from the write-ahead log after a kill. */
const connectTimeout = "60 seconds"

const settingsOf = (schema: string): Readonly<Record<string, string>> => ({
  search_path: searchPathOf(schema),
  TimeZone: "UTC",
  // Compiling is never worth it for statements of milliseconds.
  jit: "off",
  // Everything has its index. A plan made while a table is small serves it when it is large.
  enable_seqscan: "off"
})

/** The client on a thread: one connection, so that callers queue here and not in PGlite. */
export const clientOn = (thread: PgliteThread) =>
  PgClient.make({
    stream: thread.connect,
    ssl: false,
    username: "postgres",
    database: "postgres",
    applicationName: "effect-wallet",
    maxConnections: 1,
    // Of its own, so that our composite types can be made known to this client alone.
    types: PgTypes.makeRegistry(),
    // The session stays: its prepared statements are worth more than the memory.
    minConnections: 1,
    connectTimeout
  })

const clientOf = (folder: string | undefined, schema: string) =>
  Effect.flatMap(PgliteThread.make({ folder, settings: settingsOf(schema) }), clientOn)

/**
 * Closing goes backwards: the session is rolled back, PGlite writes its last
 * checkpoint, its thread ends, the data directory is free for the next process.
 */
export const EmbeddedDatabase = {
  /** Kept in `<dataDir>/pg`; the `DataDirectory` is whose process has it. */
  layerIn: (
    schema = "wallet"
  ): Layer.Layer<PgClient.PgClient | SqlClient, EmbeddedDatabaseFailed | SqlError, DataDirectory> =>
    PgClient.layerFrom(Effect.flatMap(DataDirectory, ({ path }) => clientOf(join(path, "pg"), schema))),

  /** Lost when the scope closes. */
  layerMemory: (schema = "wallet"): Layer.Layer<PgClient.PgClient | SqlClient, EmbeddedDatabaseFailed | SqlError> =>
    PgClient.layerFrom(clientOf(undefined, schema)),

  layer: (options: EmbeddedDatabaseOptions): Layer.Layer<PgClient.PgClient | SqlClient, EmbeddedDatabaseError> =>
    options.dataDir === "memory://"
      ? EmbeddedDatabase.layerMemory(options.schema)
      : EmbeddedDatabase.layerIn(options.schema).pipe(Layer.provide(DataDirectory.layer(options.dataDir)))
}
