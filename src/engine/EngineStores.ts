/**
 * The stores as configured: PostgreSQL or the embedded database, migrated to this
 * release, and every port over it; the log there too, or in KurrentDB.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { DataDirectory } from "../stores/pglite/DataDirectory.ts"
import { SqlDatabase } from "../stores/sql/SqlDatabase.ts"
import { SqlMigrator } from "../stores/sql/SqlMigrator.ts"
import type { KurrentEventStoreOptions } from "../stores/kurrent/KurrentEventStore.ts"
import * as SqlStores from "../stores/sql/SqlStores.ts"
import type { StoresConfig } from "./EngineConfig.ts"

/** The database alone, as it is. With a server there is a data directory only in name: nothing is kept in it. */
export const databaseLayer = ({ databaseUrl, dataDir, maxConnections, schema }: StoresConfig) =>
  Option.isSome(databaseUrl)
    ? Layer.merge(
        SqlDatabase.layerServer({ url: databaseUrl.value, schema, maxConnections }),
        Layer.succeed(DataDirectory, DataDirectory.of({ path: dataDir, announce: () => Effect.void }))
      )
    : SqlDatabase.layerEmbeddedIn(schema).pipe(Layer.provideMerge(DataDirectory.layer(dataDir)))

/** Loaded where it is configured: the client takes half a second of every start. */
const kurrentLayer = (options: KurrentEventStoreOptions) =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("../stores/kurrent/KurrentEventStore.ts")),
      ({ layer }) => layer(options)
    )
  )

const ports = ({ kurrentPrefix, kurrentUrl }: StoresConfig) =>
  Option.isNone(kurrentUrl)
    ? SqlStores.layer()
    : Layer.merge(SqlStores.layerBehindLog(), kurrentLayer({ url: kurrentUrl.value, prefix: kurrentPrefix }))

/** Every port, over a database of this release, and the database below. */
export const storesLayer = (config: StoresConfig) =>
  ports(config).pipe(Layer.provide(SqlMigrator.layer), Layer.provideMerge(databaseLayer(config)))
