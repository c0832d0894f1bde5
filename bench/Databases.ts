/**
 * Whole installations to measure: log and transactional view in one database, as the
 * service has them, on the embedded database or on a PostgreSQL server; or the log on
 * KurrentDB and PostgreSQL behind it.
 */
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type { SqlClient } from "effect/sql/SqlClient"
import { join } from "node:path"
import { type ActorBounds, defaultBounds } from "../src/actors/ActorBounds.ts"
import type { EventIds } from "../src/actors/EventIds.ts"
import type { Ownership } from "../src/actors/Ownership.ts"
import { defaultPartitions } from "../src/domain/Partition.ts"
import { layerWithParts, type WalletEngine } from "../src/engine/WalletEngine.ts"
import { EventStore } from "../src/stores/EventStore.ts"
import { type SqlConditions, SqlDatabase } from "../src/stores/sql/SqlDatabase.ts"
import { SqlMigrator } from "../src/stores/sql/SqlMigrator.ts"
import type { ApiKeyStore } from "../src/stores/ApiKeyStore.ts"
import * as KurrentEventStore from "../src/stores/kurrent/KurrentEventStore.ts"
import type { KurrentStartError } from "../src/stores/kurrent/StartErrors.ts"
import type { Persistence } from "../src/stores/Persistence.ts"
import type { ReadModel } from "../src/stores/ReadModel.ts"
import * as SqlStores from "../src/stores/sql/SqlStores.ts"
import { temporaryFolder } from "./servers/ServerProcess.ts"

export type Product = SqlConditions["product"] | "KurrentDB"

/** The parts of an installation that measurements use. */
export type Installation = WalletEngine | EventStore | Persistence | Ownership | EventIds | SqlDatabase | SqlClient

export interface InstallationOptions {
  readonly bounds?: ActorBounds
  /** Goes around the log, for measuring what reaches it. */
  readonly decorateLog?: (log: EventStore["Service"]) => EventStore["Service"]
}

/** An installation of its own per build, deleted with the scope. */
export type InstallationLayer = (options?: InstallationOptions) => Layer.Layer<Installation>

type Database = Layer.Success<ReturnType<typeof SqlDatabase.layerServer>>

type Ports = EventStore | Persistence | ReadModel | ApiKeyStore

const over = (
  database: Layer.Layer<Database>,
  { bounds = defaultBounds, decorateLog }: InstallationOptions = {},
  ports: Layer.Layer<Ports, KurrentStartError, Database> = SqlStores.layer()
) => {
  const decorated = Layer.effect(EventStore, Effect.map(EventStore, decorateLog ?? identity))
  return layerWithParts({ bounds, partitions: defaultPartitions }).pipe(
    Layer.provideMerge(decorated),
    Layer.provideMerge(ports.pipe(Layer.provide(SqlMigrator.layerBesideOthers))),
    Layer.provideMerge(database),
    Layer.orDie
  )
}

/** In a temporary folder. */
export const embedded: InstallationLayer = (options) =>
  over(
    Layer.unwrap(
      Effect.map(temporaryFolder(), (folder) => SqlDatabase.layerEmbedded({ dataDir: join(folder, "data") }))
    ).pipe(Layer.orDie),
    options
  )

/** In a schema of the server's. */
export const onServer =
  (url: Redacted.Redacted, schema: string): InstallationLayer =>
  (options) =>
    over(Layer.orDie(SqlDatabase.layerServer({ url, schema })), options)

/** The log on KurrentDB under a prefix of its own, the rows in a schema of the PostgreSQL server's. */
export const onKurrent =
  (kurrentUrl: Redacted.Redacted, url: Redacted.Redacted, name: string): InstallationLayer =>
  (options) =>
    over(
      Layer.orDie(SqlDatabase.layerServer({ url, schema: name })),
      options,
      Layer.merge(SqlStores.layerBehindLog(), KurrentEventStore.layer({ url: kurrentUrl, prefix: name }))
    )

/** `PostgreSQL 15.14 (fsync on, synchronous_commit on)`. */
export const conditionsText = (conditions: SqlConditions): string =>
  `${conditions.product} ${conditions.version} ` +
  `(fsync ${conditions.fsync}, synchronous_commit ${conditions.synchronousCommit})`

export const databaseConditions: Effect.Effect<string, never, SqlDatabase> = Effect.orDie(
  Effect.flatMap(SqlDatabase, (database) => Effect.map(database.conditions, conditionsText))
)
