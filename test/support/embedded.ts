/**
 * Embedded databases that are there already: a copy of one that the run shares. To make one
 * takes several times what it takes to open it; what a first start does is tested where it is
 * the point, and nowhere else.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { inject } from "vitest"
import { temporaryFolder } from "../../bench/servers/ServerProcess.ts"
import { SqlDatabase } from "../../src/stores/sql/SqlDatabase.ts"
import { makeMigratedTemplate, makeTemplate } from "./embeddedTemplate.ts"
import { acceptOffer } from "./lazyServer.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Where to ask for the run's template; `undefined`: the run has no global set-up. */
    embeddedTemplate: string | undefined
    /** … and of its migrated one. */
    migratedTemplate: string | undefined
  }
}

const copyOf = Effect.fnUntraced(function* (offer: string | undefined, make: typeof makeTemplate) {
  const template = offer === undefined ? yield* make : yield* acceptOffer(offer)
  const dataDir = yield* temporaryFolder()
  yield* Effect.sync(() => Fs.cpSync(Path.join(template, "pg"), Path.join(dataDir, "pg"), { recursive: true }))
  return dataDir
})

/** A data directory with an empty database, not migrated, of the scope's own. */
export const readyDataDir = Effect.suspend(() => copyOf(inject("embeddedTemplate"), makeTemplate))

/** The same, migrated: where the first start of a service is not the point. */
export const migratedDataDir = Effect.suspend(() => copyOf(inject("migratedTemplate"), makeMigratedTemplate))

/** `SqlDatabase` on a fresh embedded database, on disk as a service has it; not migrated. */
export const layerEmbedded = Layer.unwrap(Effect.map(readyDataDir, (dataDir) => SqlDatabase.layerEmbedded({ dataDir })))
