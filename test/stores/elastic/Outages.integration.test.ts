import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { WalletView } from "../../../src/domain/Wallet.ts"
import { ReadModel } from "../../../src/stores/ReadModel.ts"
import { type SearchDocument, SearchIndex } from "../../../src/stores/SearchIndex.ts"
import { StoreUnavailable } from "../../../src/stores/StoreError.ts"
import { ownElasticsearch, ownElasticsearchPresent } from "../../support/elasticsearch.ts"
import { freshIndex, written } from "./indexedStores.ts"

const wallet: WalletView = {
  id: "wallet",
  ownerId: "owner",
  currency: "EUR",
  balance: 1n,
  held: 0n,
  overdraftLimit: 0n,
  status: "active",
  freeze: null,
  version: 0,
  metadata: {},
  createdAt: 1,
  updatedAt: 1
}
const document: SearchDocument = { kind: "wallet", version: 0, position: 1n, wallet }

const search = Effect.gen(function* () {
  const model = yield* ReadModel
  return (yield* model.searchWallets({ ownerId: "owner", limit: 1 })).data
})

const reasonOfFailure = Effect.gen(function* () {
  const error = yield* Effect.flip(search)
  assert.instanceOf(error, StoreUnavailable)
  assert.isAtLeast(error.retryAfter, 1)
  return error.reason
})

const untilFound = Effect.retry(search, { schedule: Schedule.spaced("100 millis") })

const indexed = Effect.gen(function* () {
  yield* written([document])
  yield* (yield* SearchIndex).current.refresh
  assert.deepStrictEqual(yield* untilFound, [wallet])
})

describe.skipIf(!ownElasticsearchPresent)("search while Elasticsearch is away", () => {
  it.live(
    "of a server that hangs is answered within a second once that is known, and found again when it is back",
    () =>
      Effect.gen(function* () {
        const server = yield* ownElasticsearch()
        yield* Effect.gen(function* () {
          yield* indexed
          yield* server.freeze
          // The one that finds out waits as long as a search may take.
          assert.include(yield* reasonOfFailure, "no answer within 700 ms")
          // More than there are failures before the circuit opens, and more than once.
          for (let count = 0; count < 12; count++) {
            assert.include(yield* reasonOfFailure, "no answer within 700 ms")
            yield* Effect.sleep("200 millis")
          }
          yield* server.thaw
          assert.deepStrictEqual(yield* untilFound, [wallet])
        }).pipe(Effect.provide(freshIndex(server.url, 2_000)))
      })
  )

  it.live("of a server that was killed says so with its address, and finds everything when it has started again", () =>
    Effect.gen(function* () {
      const server = yield* ownElasticsearch()
      yield* Effect.gen(function* () {
        yield* indexed
        yield* server.kill
        for (let count = 0; count < 5; count++) {
          assert.include(yield* reasonOfFailure, `127.0.0.1:${server.port}`)
        }
        yield* server.start
        assert.deepStrictEqual(yield* untilFound, [wallet])
      }).pipe(Effect.provide(freshIndex(server.url, 2_000)))
    })
  )
})
