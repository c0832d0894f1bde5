/** What a first start of the embedded database leaves, before its migrations. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { temporaryFolder } from "../../bench/servers/ServerProcess.ts"
import { SqlDatabase } from "../../src/stores/sql/SqlDatabase.ts"

/** A data directory with an empty database in it, until the scope closes. */
export const makeTemplate = Effect.tap(temporaryFolder(), (dataDir) =>
  Effect.orDie(Effect.scoped(Layer.build(SqlDatabase.layerEmbedded({ dataDir }))))
)
