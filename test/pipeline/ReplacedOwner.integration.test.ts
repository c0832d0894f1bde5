/**
 * A process that was frozen, and goes on when another has taken its wallets, told of their events
 * as persisted, and lost the rows under a later rule: it reverses nothing. Log and rows are two
 * real databases.
 */
import { assert, describe } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { verify } from "../../src/engine/verify/Verify.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import { runScript } from "../support/documentedRules.ts"
import * as Faults from "../support/FaultyPersistence.ts"
import {
  addRule,
  credit,
  creditCommitted,
  dropRule,
  eraseRefused,
  named,
  onPostgres,
  open,
  serve,
  type Place,
  twoDatabases,
  typesInLog,
  untilDetail,
  withStores
} from "../support/LaterRule.ts"
import { postgresPresent } from "../support/postgres.ts"

/** A call that is held where the process is frozen: told when it is there, and let go on. */
const freezing = () => {
  const frozen = Deferred.makeUnsafe<void>()
  const awake = Deferred.makeUnsafe<void>()
  const fault: Faults.Fault = (call) =>
    Effect.andThen(Deferred.succeed(frozen, undefined), Effect.andThen(Deferred.await(awake), call))
  return { fault, frozen: Deferred.await(frozen), wake: Deferred.succeed(awake, undefined) }
}

/** A service over rows whose calls can be held. */
const serveFreezable = <A, E>(
  place: Place,
  use: (calls: () => Faults.FaultyPersistence) => Parameters<typeof serve<A, E>>[1]
) => {
  let calls: Faults.FaultyPersistence
  return serve(
    place,
    use(() => calls),
    (rows) => (calls = Faults.make(rows)).store
  )
}

/** Another process takes all wallets, and tells the caller's retry that it is persisted. */
const successorTells = (place: Place) =>
  serve(
    place,
    Effect.gen(function* () {
      const told = yield* credit("a", 100_000n, "fund-a")
      assert.isTrue(told.replayed)
      assert.isTrue(told.durability.persisted)
    })
  )

/** Stopped by name, at the frozen process and at the next owner; no refusal stands, nothing is reversed. */
const assertNothingReversed = (place: Place) =>
  Effect.gen(function* () {
    yield* untilDetail(named)
    assert.deepStrictEqual(yield* (yield* Persistence).refusals("a"), [])
    const next = Effect.gen(function* () {
      yield* untilDetail(named)
      assert.deepStrictEqual(yield* (yield* Persistence).refusals("a"), [])
      assert.deepStrictEqual(yield* typesInLog("a"), ["WalletCreated", "WalletCredited"])
      assert.strictEqual((yield* (yield* WalletEngine).getWallet({ walletId: "a" })).balance, 100_000n)
      yield* dropRule
      yield* untilDetail(/^$/)
      assert.isTrue((yield* credit("a", 100_000n, "fund-a")).durability.persisted)
      assert.deepStrictEqual((yield* verify({ lagMillis: 0 })).differences, [])
    })
    yield* serve(place, next)
  })

describe.skipIf(!postgresPresent)("a process that was frozen and replaced", () => {
  onPostgres(
    "with its write on the way reverses nothing when it offers it again",
    Effect.gen(function* () {
      const place = yield* twoDatabases
      yield* serveFreezable(place, (calls) =>
        Effect.gen(function* () {
          yield* open("a")
          const { fault, frozen, wake } = freezing()
          calls().writeFaults.push(fault)
          assert.isFalse((yield* creditCommitted("a", 100_000n, "fund-a")).durability.persisted)
          yield* frozen
          yield* successorTells(place)
          yield* withStores(place, Effect.andThen(addRule, eraseRefused))
          yield* wake
          yield* assertNothingReversed(place)
        })
      )
    })
  )

  onPostgres(
    "with its refusal on the way writes none: that is asked for again when it is written",
    Effect.gen(function* () {
      const place = yield* twoDatabases
      yield* serveFreezable(place, (calls) =>
        Effect.gen(function* () {
          yield* open("a")
          yield* addRule
          const { fault, frozen, wake } = freezing()
          calls().refuseFaults.push(fault)
          yield* creditCommitted("a", 100_000n, "fund-a")
          yield* frozen
          yield* dropRule
          yield* successorTells(place)
          yield* withStores(place, Effect.andThen(addRule, eraseRefused))
          yield* wake
          yield* assertNothingReversed(place)
        })
      )
    })
  )

  onPostgres(
    "with the creation of a wallet on the way reverses nothing",
    Effect.gen(function* () {
      const place = yield* twoDatabases
      yield* serveFreezable(place, (calls) =>
        Effect.gen(function* () {
          const { fault, frozen, wake } = freezing()
          calls().writeFaults.push(fault)
          const engine = yield* WalletEngine
          yield* engine.createWallet({
            id: "a",
            ownerId: "o",
            currency: "EUR",
            idempotencyKey: "create-a",
            await: "committed"
          })
          yield* frozen
          yield* serve(
            place,
            Effect.map(open("a"), ({ durability }) => assert.isTrue(durability.persisted))
          )
          yield* withStores(
            place,
            runScript(`
              truncate wallet.events, wallet.holds, wallet.transfers, wallet.key_segments, wallet.refusals, wallet.wallets;
              create schema rules;
              create function rules.no_wallets() returns trigger language plpgsql as 'begin raise exception ''no wallets''; end';
              create trigger no_wallets before insert on wallet.wallets for each row execute function rules.no_wallets()`)
          )
          yield* wake
          yield* untilDetail(/refuses event 0 \(WalletCreated\) of wallet a, which may have been persisted before/)
          assert.deepStrictEqual(yield* (yield* Persistence).refusals("a"), [])
          assert.deepStrictEqual(yield* typesInLog("a"), ["WalletCreated"])
        })
      )
    })
  )
})
