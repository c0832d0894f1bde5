/** `wallet migrate`: brings the database to this release. */
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { loadMigrations, SqlMigrator } from "../stores/sql/SqlMigrator.ts"
import * as Flags from "./Flags.ts"
import { databaseLayer } from "../engine/EngineStores.ts"
import { loggingLayer } from "./Logging.ts"
import { printResult, reportFailure } from "./Output.ts"
import { loadServiceConfig } from "./ServiceConfig.ts"

const migrate = Effect.fnUntraced(function* (json: boolean, second: boolean) {
  const config = yield* loadServiceConfig
  const { applied, known } = yield* Effect.gen(function* () {
    const known = yield* loadMigrations
    return { known, applied: yield* SqlMigrator.migrate(known, { second }) }
  }).pipe(Effect.provide(databaseLayer(config.engine.stores)), Effect.provide(loggingLayer(config)))
  const document = { applied: applied.map(({ id, name }) => ({ id, name })), current: known.length }
  const lines = applied.map(({ id, name }) => `ran migration ${id} (${name})`)
  const end = applied.length === 0 ? "nothing to do" : "done"
  yield* printResult(json, document, [...lines, `${end}: the database is at migration ${known.length}`])
})

const second = Flag.Boolean("second").pipe(
  Flag.withDescription("Make the schema although the database has an installation in another one"),
  Flag.withDefault(false)
)

export const migrateCommand = Command.make("migrate", { json: Flags.json, second }, ({ json, second }) =>
  reportFailure(json)(migrate(json, second))
).pipe(
  Command.withShortDescription("Bring the database to this release"),
  Command.withDescription(
    "Bring the database to this release: run the migrations that have not run yet. The service does it too, at start."
  )
)
