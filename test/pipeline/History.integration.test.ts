/**
 * What was persisted once is history: whatever a rule of the user's says later, and whatever
 * becomes of the rows, nothing of it is reversed. Log and rows are two real databases.
 */
import { assert, describe } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { inspect } from "../../src/engine/Inspect.ts"
import { replay, replayWallet } from "../../src/engine/rebuild/Rebuild.ts"
import { verify } from "../../src/engine/verify/Verify.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { clockAhead } from "../support/clocks.ts"
import { documentedException, runScript } from "../support/documentedRules.ts"
import {
  addRule,
  credit,
  creditCommitted,
  dropRule,
  eraseRefused,
  migrated,
  named,
  onPostgres,
  open,
  serve,
  twoDatabases,
  typesInLog,
  untilDetail,
  withStores
} from "../support/LaterRule.ts"
import { copyDatabase, freshDatabase, postgresPresent, TestPostgres } from "../support/postgres.ts"

const hour = 3_600_000

/** As it was an hour ago: what the reconciler's slow look finds later has settled by then. */
const anHourAgo = <A, E, R>(use: Effect.Effect<A, E, R>) => Effect.provideService(use, Clock.Clock, clockAhead(-hour))

/** Whoever asked for these has been told that they are persisted. */
const funded = Effect.gen(function* () {
  for (const [id, amount] of [
    ["a", 100_000n],
    ["b", 80_000n]
  ] as const) {
    yield* open(id)
    const told = yield* credit(id, amount, `fund-${id}`)
    assert.isTrue(told.durability.persisted)
  }
})

/** The wallet's rows have stopped, by name, and nothing of it has changed. */
const assertStopped = Effect.gen(function* () {
  const engine = yield* WalletEngine
  yield* untilDetail(named)
  const { ready } = yield* engine.health
  assert.isTrue(ready)
  const { node } = yield* inspect("a")
  assert.match(node?.blocked ?? "", /refuses event 1 \(WalletCredited\) of wallet a, .*no credit above 90000/)
  assert.strictEqual((yield* engine.getWallet({ walletId: "a" })).balance, 100_000n)
  const again = yield* creditCommitted("a", 100_000n, "fund-a")
  assert.isTrue(again.replayed)
  assert.isFalse(again.durability.persisted)
  assert.deepStrictEqual(yield* typesInLog("a"), ["WalletCreated", "WalletCredited"])
  // All others are served.
  assert.isTrue((yield* credit("b", 1n, "beside")).durability.persisted)
})

/** Money that has not reached the rows is not spent. */
const assertNotSpent = Effect.gen(function* () {
  const engine = yield* WalletEngine
  const spending = engine.debit({ walletId: "a", amount: 1n, idempotencyKey: "spend", await: "committed" })
  assert.strictEqual((yield* Effect.flip(spending))._tag, "StoreUnavailable")
})

/** The rule lets it pass, as docs/OPERATIONS.md says, and is a rule for all others: the rows follow by themselves, and all agrees. */
const assertFollows = Effect.gen(function* () {
  yield* runScript(documentedException())
  yield* untilDetail(/^$/)
  const again = yield* credit("a", 100_000n, "fund-a")
  assert.isTrue(again.replayed)
  assert.isTrue(again.durability.persisted)
  const { differences, warnings } = yield* verify({ lagMillis: 0 })
  assert.deepStrictEqual(differences, [])
  assert.deepStrictEqual(warnings, [])
  assert.deepStrictEqual(yield* typesInLog("a"), ["WalletCreated", "WalletCredited"])
  const judged = yield* Effect.flip(credit("a", 100_000n, "anew"))
  assert.strictEqual(judged._tag, "OperationReversed")
})

describe.skipIf(!postgresPresent)("history that a rule refuses", () => {
  onPostgres(
    "stops a replay, and the wallet's rows at the next start, by name; nothing is reversed",
    Effect.gen(function* () {
      const place = yield* twoDatabases
      yield* serve(place, funded)
      yield* withStores(place, Effect.andThen(addRule, eraseRefused))
      yield* serve(place, Effect.andThen(assertStopped, Effect.andThen(assertNotSpent, assertFollows)))
    })
  )

  onPostgres(
    "stops the wallet's rows when a running service's slow look finds them gone",
    Effect.gen(function* () {
      const place = yield* twoDatabases
      yield* anHourAgo(serve(place, funded))
      yield* serve(
        place,
        Effect.gen(function* () {
          yield* credit("b", 1n, "it-runs")
          yield* Effect.andThen(addRule, eraseRefused)
          yield* assertStopped
          yield* assertFollows
        })
      )
    })
  )

  onPostgres(
    "is not reversed by a service that was resident with the wallet and gets more commands for it",
    Effect.gen(function* () {
      const place = yield* twoDatabases
      yield* serve(
        place,
        Effect.gen(function* () {
          yield* funded
          yield* Effect.andThen(addRule, eraseRefused)
          const more = yield* creditCommitted("a", 5n, "more")
          assert.isFalse(more.durability.persisted)
          yield* untilDetail(named)
          assert.deepStrictEqual(yield* typesInLog("a"), ["WalletCreated", "WalletCredited", "WalletCredited"])
          yield* dropRule
          yield* untilDetail(/^$/)
          assert.isTrue((yield* credit("a", 5n, "more")).durability.persisted)
          // What the erase has left out of the others.
          yield* replay()
          assert.deepStrictEqual((yield* verify({ lagMillis: 0 })).differences, [])
        })
      )
    })
  )

  onPostgres(
    "stops the wallet's rows behind an earlier copy of PostgreSQL",
    Effect.gen(function* () {
      const place = yield* twoDatabases
      yield* serve(place, open("c"))
      const copy = { ...place, rows: yield* copyDatabase(place.rows) }
      yield* serve(place, funded)
      yield* withStores(copy, addRule)
      yield* serve(copy, Effect.andThen(assertStopped, assertFollows))
    })
  )

  onPostgres(
    "stops the wallet's rows in a new database beside a full log",
    Effect.gen(function* () {
      const place = yield* twoDatabases
      yield* serve(place, funded)
      const { url } = yield* TestPostgres
      const anew = { ...place, rows: yield* freshDatabase(url) }
      yield* withStores(anew, addRule)
      yield* serve(anew, Effect.andThen(assertStopped, assertFollows))
    })
  )

  onPostgres(
    "stops the replay of its wallet and its repair, which leave the rows as they were",
    Effect.gen(function* () {
      const place = yield* twoDatabases
      yield* serve(place, funded)
      yield* withStores(
        place,
        Effect.gen(function* () {
          yield* addRule
          const refused = yield* Effect.flip(replayWallet("a"))
          assert.strictEqual(refused._tag, "ReplayRefused")
          assert.deepStrictEqual((yield* verify({ lagMillis: 0 })).differences, [])
          yield* runScript("update wallet.wallets set balance = balance + 1 where id = 'a'")
          const { differences } = yield* verify({ lagMillis: 0, walletId: "a", repair: true })
          assert.isTrue(
            differences.some(({ found, what }) => what === "repair" && found.includes("let the rule pass it"))
          )
          yield* dropRule
          assert.deepStrictEqual((yield* verify({ lagMillis: 0, walletId: "a", repair: true })).differences, [])
        })
      )
    })
  )

  onPostgres(
    "has no say where the log has a reversal: it is refused again, and nothing stops",
    Effect.gen(function* () {
      const place = yield* twoDatabases
      yield* serve(
        place,
        Effect.gen(function* () {
          yield* addRule
          yield* open("a")
          const first = yield* Effect.flip(credit("a", 100_000n, "first"))
          assert.strictEqual(first._tag, "OperationReversed")
          yield* credit("a", 1n, "small")
        })
      )
      const types = ["WalletCreated", "WalletCredited", "OperationReversed", "WalletCredited"]
      const assertSame = Effect.gen(function* () {
        yield* untilDetail(/^$/)
        assert.deepStrictEqual(yield* typesInLog("a"), types)
        const engine = yield* WalletEngine
        assert.strictEqual((yield* engine.getWallet({ walletId: "a" })).balance, 1n)
        const again = yield* Effect.flip(credit("a", 100_000n, "first"))
        assert.strictEqual(again._tag, "OperationReversed")
        assert.isTrue((yield* credit("a", 1n, "small")).durability.persisted)
        assert.deepStrictEqual((yield* verify({ lagMillis: 0 })).differences, [])
      })
      yield* withStores(place, replay({ mode: "erase" }))
      yield* serve(place, assertSame)
      const { url } = yield* TestPostgres
      const anew = { ...place, rows: yield* freshDatabase(url) }
      yield* withStores(anew, addRule)
      yield* serve(anew, assertSame)
    })
  )

  onPostgres(
    "is all that a log has which was put back, once a replay has run",
    Effect.gen(function* () {
      const place = yield* twoDatabases
      yield* serve(place, open("a"))
      const earlier = yield* copyDatabase(place.rows)
      yield* serve(place, credit("a", 100_000n, "fund-a"))
      // As if the copy of the log had been made between the append and the mark that goes before its rows.
      yield* Effect.provide(runScript("delete from wallet.high_watermarks where position > 1"), migrated(place.log))
      yield* Effect.provide(
        runScript("insert into wallet.high_watermarks values ('one of before', 1)"),
        migrated(place.log)
      )
      yield* withStores(place, replay())
      const back = { ...place, rows: earlier }
      yield* withStores(back, addRule)
      yield* serve(
        back,
        Effect.gen(function* () {
          yield* untilDetail(named)
          assert.deepStrictEqual(yield* typesInLog("a"), ["WalletCreated", "WalletCredited"])
        })
      )
    })
  )

  onPostgres(
    "is what nobody knows of any more: without a high watermark nothing of an earlier service is reversed",
    Effect.gen(function* () {
      const place = yield* twoDatabases
      yield* serve(place, funded)
      yield* Effect.provide(runScript("delete from wallet.high_watermarks"), migrated(place.log))
      yield* withStores(place, Effect.andThen(addRule, eraseRefused))
      yield* Effect.provide(runScript("delete from wallet.high_watermarks"), migrated(place.log))
      yield* serve(place, Effect.andThen(assertStopped, assertFollows))
    })
  )
})
