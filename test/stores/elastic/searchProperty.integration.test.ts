import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { EventStore } from "../../../src/stores/EventStore.ts"
import * as MemoryReadModel from "../../../src/stores/memory/MemoryReadModel.ts"
import { MemoryDatabase } from "../../../src/stores/memory/MemoryDatabase.ts"
import { ReadModel } from "../../../src/stores/ReadModel.ts"
import { elasticsearchPresent } from "../../support/elasticsearch.ts"
import { compareAnswers, sampleWorld } from "../searchProperty.ts"
import { indexedStores } from "./indexedStores.ts"

const { settled, stores } = indexedStores()
const seeds = Array.from({ length: 12 }, (_, index) => index + 1)
const questionsPerWorld = 40

describe.skipIf(!elasticsearchPresent)("search on Elasticsearch", () => {
  layer(stores, { excludeTestServices: true, timeout: 900_000 })("beside search in memory", (it) => {
    it.effect("answers random questions over random wallets with the same rows in the same order and pages", () =>
      Effect.gen(function* () {
        const log = yield* EventStore
        const elastic = yield* ReadModel
        const memory = MemoryReadModel.make(yield* MemoryDatabase)
        const total = { found: 0, refused: 0 }
        for (const seed of seeds) {
          const { commits, questions } = sampleWorld(seed, questionsPerWorld)
          for (const commit of commits) yield* log.append([commit])
          yield* settled
          const { found, refused } = yield* compareAnswers(memory, elastic, questions)
          total.found += found
          total.refused += refused
        }
        assert.isAbove(total.found, seeds.length * questionsPerWorld)
        assert.strictEqual(total.refused, 0)
      })
    )
  })
})
