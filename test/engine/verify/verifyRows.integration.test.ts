/** What `verify` finds in PostgreSQL where the events are the log, whoever has altered them past the trigger. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { verify } from "../../../src/engine/verify/Verify.ts"
import { SqlMigrator } from "../../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../../src/stores/sql/SqlStores.ts"
import { openLogBook, writeLives } from "../../support/LogLife.ts"
import { postgresPresent, TestPostgres } from "../../support/postgres.ts"

const stores = SqlStores.layer().pipe(
  Layer.provide(SqlMigrator.layer),
  Layer.provideMerge(TestPostgres.layerDatabase())
)

/** What somebody has done, and what is said of it. */
interface Damage {
  readonly name: string
  readonly sql: ReadonlyArray<string>
  readonly finds: RegExp
}

const one = (type: string) => `(wallet_id, version) = (
  select wallet_id, version from events where type = '${type}' order by position desc limit 1)`

const damages: ReadonlyArray<Damage> = [
  {
    name: "an amount",
    sql: [`update events set amount = amount + 1 where ${one("WalletCredited")}`],
    finds: /log balance after event/
  },
  {
    name: "a balance",
    sql: [`update events set balance_after = balance_after + 1 where ${one("WalletDebited")}`],
    finds: /log balance after event/
  },
  {
    name: "a held sum",
    sql: [`update events set held_after = held_after + 1 where ${one("HoldPlaced")}`],
    finds: /log held after event/
  },
  {
    name: "a key used twice",
    sql: [
      `update events set key = (select key from events where wallet_id = 'w1' and version = 1)
       where wallet_id = 'w1' and version = 3`
    ],
    finds: /log key of event 3/
  },
  {
    name: "an id used twice",
    sql: [
      `update events set id = (select id from events where wallet_id = 'w1' and version = 1)
       where wallet_id = 'w1' and version = 3`
    ],
    finds: /log id of event 3/
  },
  {
    name: "a position out of order",
    sql: ["update events set position = 1000000 where wallet_id = 'w1' and version = 2"],
    finds: /log position of event 3/
  },
  {
    name: "a time that goes back",
    sql: ["update events set time = '1970-01-01' where wallet_id = 'w1' and version = 2"],
    finds: /log time of event 2/
  },
  {
    name: "a gap",
    sql: ["delete from events where wallet_id = 'w1' and version = 2"],
    finds: /log version/
  },
  {
    name: "an amount where none moves",
    sql: [`update events set amount = 5 where ${one("HoldPlaced")}`],
    finds: /log column amount of event/
  },
  {
    name: "the amount of a reversal",
    sql: [`update events set amount = coalesce(amount, 0) + 1 where ${one("OperationReversed")}`],
    finds: /log column amount of event/
  },
  {
    name: "a currency",
    sql: ["update events set currency = 'CZK' where wallet_id = 'w1' and version = 1"],
    finds: /log column currency of event 1/
  },
  {
    name: "words of a transaction",
    sql: ["update events set words = '{lost}' where wallet_id = 'w1' and version = 1"],
    finds: /log search words of event 1/
  },
  {
    name: "the tag of a wallet",
    sql: ["update wallets set tag = 'ffffffff' where id = 'w1'"],
    finds: /persistence tag of the wallet row/
  },
  {
    name: "words of a wallet",
    sql: ["update wallets set words = '{lost}' where id = 'w1'"],
    finds: /persistence search words of the wallet row/
  },
  {
    name: "the position of a wallet",
    sql: ["update wallets set position = position + 1 where id = 'w1'"],
    finds: /persistence position of the wallet row/
  },
  {
    name: "the place of a hold",
    sql: ["update holds set version = version + 100000 where id = (select max(id) from holds)"],
    finds: /persistence place of hold/
  },
  {
    name: "the place of a transfer",
    sql: ["update transfers set position = position + 1 where id = (select max(id) from transfers)"],
    finds: /persistence place of transfer/
  },
  {
    name: "holds of a wallet that is not there",
    sql: [
      `insert into holds (wallet_id, id, version, amount, captured, remaining, status, created_at)
       values ('unknown', 'h', 3, 1, 0, 1, 'active', now())`
    ],
    finds: /persistence wallet row/
  }
]

const tables = ["events", "wallets", "holds", "transfers"] as const

describe.skipIf(!postgresPresent)("verify on PostgreSQL where the events are the log", () => {
  it.live(
    "finds every column that somebody has altered",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const linesOf = Effect.map(verify({ lagMillis: 0, maxDifferences: 10_000 }), ({ differences }) =>
          differences.map(({ store, what }) => `${store} ${what}`)
        )
        yield* Effect.flatMap(openLogBook, (book) => writeLives(book, { wallets: 12, steps: 300, seed: 11 }))
        assert.deepStrictEqual(yield* linesOf, [])
        yield* sql`alter table events disable trigger ew_events_unchanged`
        for (const table of tables) yield* sql.unsafe(`create table ${table}_before as table ${table}`)
        for (const { finds, name, sql: statements } of damages) {
          for (const statement of statements) yield* sql.unsafe(statement)
          const lines = yield* linesOf
          assert.isTrue(
            lines.some((line) => finds.test(line)),
            `${name}: ${lines.join("; ")}`
          )
          for (const table of tables) {
            yield* sql.unsafe(`truncate ${table}`)
            yield* sql.unsafe(`insert into ${table} select * from ${table}_before`)
          }
        }
        assert.deepStrictEqual(yield* linesOf, [])
      }).pipe(Effect.provide(stores)),
    900_000
  )

  it.live("finds an index on keys that does not lead to all of them", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const ready = (is: boolean) =>
        sql.unsafe(`update pg_index set indisready = ${is} where indexrelid = 'ew_events_key'::regclass`)
      // What is written meanwhile is not in the index.
      yield* ready(false)
      yield* Effect.flatMap(openLogBook, (book) => writeLives(book, { wallets: 12, steps: 300, seed: 11 }))
      yield* ready(true)
      const { differences } = yield* verify({ lagMillis: 0 })
      assert.isTrue(differences.some(({ what }) => what.startsWith("key in the index of event ")))
      yield* sql`reindex index ew_events_key`
      assert.deepStrictEqual((yield* verify({ lagMillis: 0 })).differences, [])
    }).pipe(Effect.provide(Layer.fresh(stores)))
  )
})
