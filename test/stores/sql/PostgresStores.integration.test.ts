import { describe } from "@effect/vitest"
import * as Layer from "effect/Layer"
import * as SqlEventStore from "../../../src/stores/sql/SqlEventStore.ts"
import { SqlMigrator } from "../../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../../src/stores/sql/SqlStores.ts"
import { postgresPresent, TestPostgres } from "../../support/postgres.ts"
import { runLogContracts, runPersistenceContracts, runStoreContracts, separateLog } from "../storeContracts.ts"

describe.skipIf(!postgresPresent)("stores", () => {
  const database = TestPostgres.layerDatabase()
  runStoreContracts("PostgreSQL", SqlStores.layer().pipe(Layer.provide(SqlMigrator.layer), Layer.provide(database)))
  runStoreContracts(
    "PostgreSQL in Turkish",
    SqlStores.layer().pipe(
      Layer.provide(SqlMigrator.layer),
      Layer.provide(TestPostgres.layerDatabaseOn(TestPostgres.layerTurkish))
    )
  )
  runPersistenceContracts(
    "PostgreSQL",
    SqlStores.layerBehindLog().pipe(
      Layer.provide(SqlMigrator.layer),
      Layer.provide(TestPostgres.layerDatabase()),
      Layer.merge(separateLog)
    )
  )
  runLogContracts(
    "PostgreSQL",
    Layer.fresh(
      SqlEventStore.layer({ persistence: false }).pipe(
        Layer.provide(SqlMigrator.layer),
        Layer.provide(TestPostgres.layerDatabase())
      )
    )
  )
})
