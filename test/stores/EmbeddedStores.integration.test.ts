import * as Layer from "effect/Layer"
import { SqlDatabase } from "../../src/stores/SqlDatabase.ts"
import { SqlMigrator } from "../../src/stores/SqlMigrator.ts"
import * as SqlStores from "../../src/stores/SqlStores.ts"
import { runStoreContracts } from "./storeContracts.ts"

const stores = SqlStores.layer().pipe(
  Layer.provide(SqlMigrator.layer),
  Layer.provide(SqlDatabase.layerEmbedded({ dataDir: "memory://" }))
)

runStoreContracts("embedded PostgreSQL", stores)
