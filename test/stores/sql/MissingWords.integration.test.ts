import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { SqlClient } from "effect/sql/SqlClient"
import { EventStore } from "../../../src/stores/EventStore.ts"
import * as MemoryStores from "../../../src/stores/memory/MemoryStores.ts"
import { ReadModel, type SearchError } from "../../../src/stores/ReadModel.ts"
import * as MissingWords from "../../../src/stores/sql/MissingWords.ts"
import { SqlMigrator } from "../../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../../src/stores/sql/SqlStores.ts"
import { postgresPresent, TestPostgres } from "../../support/postgres.ts"
import { compareAnswers, sampleWorld } from "../searchProperty.ts"

/** As a service writes them that has an index of search's own. */
const stores = SqlStores.layer({ words: false }).pipe(
  Layer.provide(SqlMigrator.layer),
  Layer.provideMerge(TestPostgres.layerDatabase())
)

const both = Effect.all([EventStore, ReadModel])

interface Counted {
  readonly wordless: number
}

describe.skipIf(!postgresPresent)("rows that were written without words", () => {
  it.live(
    "are passed over by no search in silence, and are found once their words are filled in",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const [log, model] = yield* both
        const [reference, expected] = yield* Effect.provide(both, MemoryStores.layer())
        const { commits, questions } = sampleWorld(7, 75)
        for (const commit of commits) yield* Effect.andThen(reference.append([commit]), log.append([commit]))
        const [words] = yield* sql<Counted>`select count(*)::int as wordless from events where words is not null`
        assert.strictEqual(words!.wordless, 0)
        const search = {
          transactions: model.searchTransactions({ q: "x", limit: 10 }),
          byReference: model.searchTransactions({ reference: "x", limit: 10 }),
          beginnings: model.searchTransfers({ q: "x*", limit: 10 }),
          wallets: model.searchWallets({ q: "x", limit: 10 }),
          byMetadata: model.searchWallets({ metadata: { a: "x" }, limit: 10 })
        }
        for (const asked of Object.values<Effect.Effect<unknown, SearchError>>(search)) {
          assert.deepInclude(yield* Effect.flip(asked), { _tag: "StoreUnavailable", store: "readModel" })
        }
        // What needs no words is answered meanwhile.
        assert.isNotEmpty((yield* model.searchTransactions({ limit: 10 })).data)
        yield* Layer.build(MissingWords.layer({}))
        yield* Effect.retry(
          Effect.all([search.transactions, search.wallets]),
          Schedule.max([Schedule.spaced("50 millis"), Schedule.during("5 minutes")])
        )
        assert.isAbove((yield* compareAnswers(expected, model, questions)).found, 30)
        // The words of a row may be written anew, and nothing else of it.
        yield* sql`update events set words = words`
        assert.include(
          String((yield* Effect.flip(sql`update events set words = words, amount = 1`)).reason.cause),
          "the events of this database are the log"
        )
      }).pipe(Effect.provide(stores), Effect.scoped),
    600_000
  )
})
