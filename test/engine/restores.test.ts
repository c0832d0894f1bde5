/** Backups put back: of the rows, of the log, of another installation; each is got out of by what the README says. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { replay } from "../../src/engine/rebuild/Rebuild.ts"
import { verify } from "../../src/engine/verify/Verify.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { ApiKeyStore } from "../../src/stores/ApiKeyStore.ts"
import type { MemoryState } from "../../src/stores/memory/MemoryDatabase.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import { until } from "../support/Installation.ts"
import { copyOf, create, credit, newState, openLogBook, rowsOf, storesOver, withRowsOf } from "../support/LogLife.ts"

/** A service's start on the state, and its end. */
const startOn = (state: MemoryState, use: Effect.Effect<void> = Effect.void) =>
  Effect.provide(
    use,
    Layer.fresh(WalletEngine.layer({ bounds: defaultBounds, partitions: 4 })).pipe(Layer.provide(storesOver(state)))
  )

const differencesOf = (state: MemoryState) =>
  Effect.map(Effect.provide(verify({ lagMillis: 0 }), storesOver(state)), ({ differences }) => differences)

/** The same installation at two times; rows and log of each are up to each other. */
const twoTimes = Effect.gen(function* () {
  const state = yield* newState({ separate: true })
  const write = Effect.gen(function* () {
    const book = yield* openLogBook
    for (const id of ["a", "b"]) {
      yield* book.perform(create(id))
      yield* book.perform(credit(id, 10n))
    }
    yield* (yield* ApiKeyStore).insert({ id: "k", name: "ops", scopes: ["admin"], hash: "0".repeat(64), createdAt: 0 })
    yield* replay()
    const earlier = copyOf(state)
    yield* book.perform(credit("a", 5n), 2_000)
    yield* book.perform(create("c"), 2_000)
    yield* replay()
    return { earlier, later: copyOf(state) }
  })
  return yield* Effect.provide(write, storesOver(state))
})

describe("restores", () => {
  it.effect("PostgreSQL put back to an earlier dump is brought up to the log by the next start", () =>
    Effect.gen(function* () {
      const { earlier, later } = yield* twoTimes
      const state = withRowsOf(later, earlier)
      assert.strictEqual(state.wallets.get("a")?.wallet.balance, 10n)
      yield* startOn(
        state,
        until(
          () => state.wallets.get("a")?.wallet.balance === 15n && state.wallets.has("c"),
          "the rows are there again"
        )
      )
      assert.deepStrictEqual(rowsOf(state), rowsOf(later))
      assert.deepStrictEqual(yield* differencesOf(state), [])
    })
  )

  it.effect("a log put back to an earlier copy stops the start in one line; replay --erase gets out of it", () =>
    Effect.gen(function* () {
      const { earlier, later } = yield* twoTimes
      const state = withRowsOf(earlier, later)
      const stopped = yield* Effect.flip(startOn(state))
      assert.include(["StoreAheadOfLog", "LogPutBack"], stopped._tag)
      assert.notInclude(stopped.message, "\n")
      assert.include(stopped.message, "wallet replay --erase")
      const refused = yield* Effect.flip(Effect.provide(replay(), storesOver(state)))
      assert.strictEqual(refused._tag, stopped._tag, "without --erase nothing is thrown away")
      yield* Effect.provide(replay({ mode: "erase" }), storesOver(state))
      assert.deepStrictEqual(rowsOf(state), rowsOf(earlier))
      assert.strictEqual(state.apiKeys.size, 1, "keys are in PostgreSQL alone: they stay")
      yield* startOn(state)
      assert.deepStrictEqual(yield* differencesOf(state), [])
    })
  )

  it.effect("a log put back that no checkpoint tells of names the wallet and the version that it has lost", () =>
    Effect.gen(function* () {
      const { earlier, later } = yield* twoTimes
      const state = withRowsOf(earlier, later)
      state.checkpoints.clear()
      const stopped = yield* Effect.flip(startOn(state))
      assert.strictEqual(stopped._tag, "StoreAheadOfLog")
      assert.match(stopped.message, /event \d+ of wallet [ac],.+: wallet replay --erase$/)
    })
  )

  it.effect("PostgreSQL of another log stops the start in one line; replay --erase adopts this one", () =>
    Effect.gen(function* () {
      const { later } = yield* twoTimes
      const { earlier: other } = yield* twoTimes
      const state = withRowsOf(other, later)
      const stopped = yield* Effect.flip(startOn(state))
      assert.strictEqual(stopped._tag, "LogMismatch")
      assert.include(stopped.message, "wallet replay --erase")
      yield* Effect.provide(replay({ mode: "erase" }), storesOver(state))
      assert.deepStrictEqual(rowsOf(state), rowsOf(other))
      assert.strictEqual(state.persistedLog, other.logId)
      yield* startOn(state)
    })
  )

  it.effect("an erased PostgreSQL that nobody has filled again is filled by the next start", () =>
    Effect.gen(function* () {
      const { later } = yield* twoTimes
      const state = copyOf(later)
      yield* Effect.provide(
        Effect.flatMap(Effect.service(Persistence), (persistence) => persistence.erase("all")),
        storesOver(state)
      )
      yield* startOn(
        state,
        until(() => state.wallets.size === 3, "the rows are there again")
      )
      assert.deepStrictEqual(yield* differencesOf(state), [])
    })
  )
})
