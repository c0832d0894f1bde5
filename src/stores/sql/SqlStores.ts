/**
 * The stores in one SQL database, a server or the embedded one. With the log, what is
 * committed is persisted and indexed, by the same statement; without it, they stand
 * behind a log that lives elsewhere.
 */
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as Layer from "effect/Layer"
import type { SqlClient } from "effect/sql/SqlClient"
import type { ApiKeyStore } from "../ApiKeyStore.ts"
import type { AuditStore } from "../AuditStore.ts"
import type { EventStore } from "../EventStore.ts"
import type { Persistence } from "../Persistence.ts"
import type { ReadModel } from "../ReadModel.ts"
import type { WebhookStore } from "../WebhookStore.ts"
import * as MissingWords from "./MissingWords.ts"
import * as SqlApiKeyStore from "./SqlApiKeyStore.ts"
import * as SqlAuditStore from "./SqlAuditStore.ts"
import * as SqlEventStore from "./SqlEventStore.ts"
import * as SqlPersistence from "./SqlPersistence.ts"
import * as SqlReadModel from "./SqlReadModel.ts"
import * as SqlWebhookStore from "./SqlWebhookStore.ts"

/** Where search is in this database. */
const filling = (options: Pick<SqlPersistence.SqlPersistenceOptions, "readTimeoutMillis" | "words">) =>
  options.words === false ? Layer.empty : MissingWords.layer(options)

/** Needs a migrated database. `refusalCodes`: further SQLSTATEs by which the user's triggers refuse. */
export const layer = (
  options: SqlEventStore.SqlEventStoreOptions &
    Omit<SqlPersistence.SqlPersistenceOptions, "log"> &
    SqlReadModel.SqlReadModelOptions = {}
): Layer.Layer<
  EventStore | Persistence | ReadModel | ApiKeyStore | AuditStore | WebhookStore,
  never,
  PgClient | SqlClient
> =>
  Layer.mergeAll(
    SqlEventStore.layer(options),
    SqlPersistence.layer({ ...options, log: true }),
    SqlReadModel.layer(options),
    SqlApiKeyStore.layer(options),
    SqlAuditStore.layer(options),
    SqlWebhookStore.layer(options),
    filling(options)
  )

/** The stores but for the log, which lives elsewhere. Needs a migrated database. */
export const layerBehindLog = (
  options: Omit<SqlPersistence.SqlPersistenceOptions, "log"> & SqlReadModel.SqlReadModelOptions = {}
): Layer.Layer<Persistence | ReadModel | ApiKeyStore | AuditStore | WebhookStore, never, PgClient | SqlClient> =>
  Layer.mergeAll(
    SqlPersistence.layer(options),
    SqlReadModel.layer(options),
    SqlApiKeyStore.layer(options),
    SqlAuditStore.layer(options),
    SqlWebhookStore.layer(options),
    filling(options)
  )
