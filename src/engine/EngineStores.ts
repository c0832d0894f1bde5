/**
 * The stores as configured: PostgreSQL or the embedded database, migrated to this
 * release, and every port over it.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { DataDirectory } from "../stores/DataDirectory.ts"
import * as SqlApiKeyStore from "../stores/SqlApiKeyStore.ts"
import { SqlDatabase } from "../stores/SqlDatabase.ts"
import * as SqlEventStore from "../stores/SqlEventStore.ts"
import { SqlMigrator } from "../stores/SqlMigrator.ts"
import * as SqlPersistence from "../stores/SqlPersistence.ts"
import * as SqlReadModel from "../stores/SqlReadModel.ts"
import type { StoresConfig } from "./EngineConfig.ts"

/** The database alone, as it is. With a server there is a data directory only in name: nothing is kept in it. */
export const databaseLayer = ({ databaseUrl, dataDir, maxConnections, schema }: StoresConfig) =>
  Option.isSome(databaseUrl)
    ? Layer.merge(
        SqlDatabase.layerServer({ url: databaseUrl.value, schema, maxConnections }),
        Layer.succeed(DataDirectory, DataDirectory.of({ path: dataDir, announce: () => Effect.void }))
      )
    : SqlDatabase.layerEmbeddedIn(schema).pipe(Layer.provideMerge(DataDirectory.layer(dataDir)))

/** The ports over a database of this release. */
export const portsLayer = Layer.mergeAll(
  SqlEventStore.layer(),
  SqlPersistence.layer,
  SqlReadModel.layer,
  SqlApiKeyStore.layer
).pipe(Layer.provide(SqlMigrator.layer))

/** Every port, and the database below. */
export const storesLayer = (config: StoresConfig) => portsLayer.pipe(Layer.provideMerge(databaseLayer(config)))
