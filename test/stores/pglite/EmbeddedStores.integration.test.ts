import * as Layer from "effect/Layer"
import * as SqlEventStore from "../../../src/stores/sql/SqlEventStore.ts"
import { SqlMigrator } from "../../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../../src/stores/sql/SqlStores.ts"
import { runLogContracts, runPersistenceContracts, runStoreContracts, separateLog } from "../storeContracts.ts"
import { layerEmbedded } from "../../support/embedded.ts"

const stores = (options: Parameters<typeof SqlStores.layer>[0] = {}) =>
  SqlStores.layer(options).pipe(Layer.provide(SqlMigrator.layer), Layer.provide(layerEmbedded))

runStoreContracts("embedded PostgreSQL", stores())
runPersistenceContracts(
  "embedded PostgreSQL",
  SqlStores.layerBehindLog().pipe(
    Layer.provide(SqlMigrator.layer),
    Layer.provide(layerEmbedded),
    Layer.merge(separateLog)
  )
)
runLogContracts(
  "embedded PostgreSQL",
  SqlEventStore.layer({ persistence: false }).pipe(Layer.provide(SqlMigrator.layer), Layer.provide(layerEmbedded))
)
// Every word counts as frequent: the other ways to the same rows.
runStoreContracts("embedded PostgreSQL, frequent words", stores({ rareRows: 0 }), /search/)
