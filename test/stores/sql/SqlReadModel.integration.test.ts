import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { EventStore } from "../../../src/stores/EventStore.ts"
import * as MemoryStores from "../../../src/stores/memory/MemoryStores.ts"
import { ReadModel } from "../../../src/stores/ReadModel.ts"
import { SqlMigrator } from "../../../src/stores/sql/SqlMigrator.ts"
import * as SqlReadModel from "../../../src/stores/sql/SqlReadModel.ts"
import * as SqlStores from "../../../src/stores/sql/SqlStores.ts"
import { postgresPresent, TestPostgres } from "../../support/postgres.ts"
import { compareAnswers, sampleWorld } from "../searchProperty.ts"

const database = TestPostgres.layerDatabase()
const stores = SqlStores.layer().pipe(Layer.provide(SqlMigrator.layer), Layer.provideMerge(database))

const both = Effect.all([EventStore, ReadModel])

describe.skipIf(!postgresPresent)("search in PostgreSQL", () => {
  it.live(
    "answers as the reference does, whatever is written and asked, whichever way it goes",
    () =>
      Effect.gen(function* () {
        const [log, model] = yield* both
        const [reference, expected] = yield* Effect.provide(both, MemoryStores.layer())
        // Without the index of words; by walks that end soon.
        const walking = yield* SqlReadModel.make({ rareRows: -1 })
        const bounded = yield* SqlReadModel.make({ rareRows: 5, walkedRows: 40 })
        const seen = { found: 0, refused: 0 }
        for (let seed = 1; seed <= 6; seed++) {
          const { commits, questions } = sampleWorld(seed, 75)
          for (const commit of commits) yield* Effect.andThen(reference.append([commit]), log.append([commit]))
          const parts = [questions.slice(0, 25), questions.slice(25, 40), questions.slice(40)] as const
          seen.found += (yield* compareAnswers(expected, model, parts[0])).found
          seen.found += (yield* compareAnswers(expected, walking, parts[1])).found
          seen.refused += (yield* compareAnswers(expected, bounded, parts[2], true)).refused
        }
        assert.isAbove(seen.found, 250)
        assert.isAbove(seen.refused, 50)
      }).pipe(Effect.provide(stores)),
    600_000
  )
})
