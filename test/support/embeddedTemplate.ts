/** What a first start of the embedded database leaves, before its migrations and after them. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { temporaryFolder } from "../../bench/servers/ServerProcess.ts"
import { SqlDatabase } from "../../src/stores/sql/SqlDatabase.ts"
import { SqlMigrator } from "../../src/stores/sql/SqlMigrator.ts"

/** A data directory with an empty database in it, until the scope closes. */
export const makeTemplate = Effect.tap(temporaryFolder(), (dataDir) =>
  Effect.orDie(Effect.scoped(Layer.build(SqlDatabase.layerEmbedded({ dataDir }))))
)

/** … and migrated. */
export const makeMigratedTemplate = Effect.tap(temporaryFolder(), (dataDir) =>
  Effect.orDie(
    Effect.scoped(Layer.build(SqlMigrator.layer.pipe(Layer.provide(SqlDatabase.layerEmbedded({ dataDir })))))
  )
)
