/**
 * The other usual way: a lock in Redis around every command, the command itself a
 * PostgreSQL transaction that inserts the event, updates the balance and inserts
 * the transaction's row. `SET NX PX` with a token, unlock by a script that compares
 * it; who finds the lock taken tries again after a short random pause.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { Redis } from "ioredis"
import { runFibers } from "../ClosedLoop.ts"
import type { PostgresServer } from "../servers/PostgresServer.ts"
import type { RedisServer } from "../servers/RedisServer.ts"
import { walletChoice } from "../../src/load/WalletChoice.ts"
import type { BenchSettings } from "../BenchSettings.ts"
import { CostProbe } from "../CostProbe.ts"
import { databaseOf, emptied } from "../SideDatabase.ts"

/** Milliseconds; far above what a command takes. */
const lockExpiry = 10_000

const unlockScript = `if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end return 0`

interface Stores {
  readonly sql: SqlClient
  readonly redis: Redis
}

const makeTables = Effect.fnUntraced(function* (sql: SqlClient, wallets: number) {
  yield* sql`create table lock_wallets (id int primary key, balance numeric not null, version bigint not null)`
  yield* sql`create table lock_events (
    wallet_id int, version bigint, type text not null, data text not null, created_at timestamptz default now(),
    primary key (wallet_id, version)
  )`
  yield* sql`create table lock_transactions (
    wallet_id int, version bigint, amount numeric not null, balance_after numeric not null,
    created_at timestamptz default now(), primary key (wallet_id, version)
  )`
  yield* sql`insert into lock_wallets select id, 0, 0 from generate_series(0, ${wallets - 1}::int) id`
  yield* sql`vacuum analyze lock_wallets`
})

const withLock = <A, E>(redis: Redis, wallet: number, token: string, use: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const key = `bench:lock:${wallet}`
    while ((yield* Effect.promise(() => redis.set(key, token, "PX", lockExpiry, "NX"))) !== "OK") {
      yield* Effect.sleep(1 + (token.charCodeAt(token.length - 1) % 3))
    }
    const result = yield* use
    yield* Effect.promise(() => redis.eval(unlockScript, 1, key, token))
    return result
  })

const credit = ({ sql }: Stores, wallet: number) =>
  sql.withTransaction(
    Effect.gen(function* () {
      const [row] = yield* sql<{ readonly version: bigint; readonly balance: string }>`
        update lock_wallets set balance = balance + 1, version = version + 1 where id = ${wallet}
        returning version, balance::text`
      if (row === undefined) return yield* Effect.die(new Error(`there is no wallet ${wallet}`))
      yield* sql`insert into lock_events (wallet_id, version, type, data)
        values (${wallet}, ${row.version}, 'WalletCredited', '{"amount":"1"}')`
      yield* sql`insert into lock_transactions (wallet_id, version, amount, balance_after)
        values (${wallet}, ${row.version}, 1, ${row.balance}::numeric)`
    })
  )

/** A session for each caller, before the clock starts. */
const openSessions = (sql: SqlClient, callers: number) =>
  Effect.forEach(Array.from({ length: callers }), () => sql`select pg_sleep(0.3)`, {
    concurrency: "unbounded",
    discard: true
  })

const database = "bench_locks"

/** Commands per second, in tables of its own. */
export const lockRound = (
  settings: BenchSettings,
  postgres: PostgresServer,
  redis: RedisServer,
  load: { readonly wallets: number; readonly callers: number }
) =>
  Effect.gen(function* () {
    const { callers, wallets } = load
    const probe = yield* CostProbe
    const url = yield* databaseOf(postgres, database)
    yield* emptied(url)
    const sessions = yield* Layer.build(PgClient.layer({ url, maxConnections: callers }))
    const sql = Context.get(sessions, SqlClient)
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => new Redis(redis.url)),
      (client) => Effect.sync(() => client.disconnect())
    )
    yield* makeTables(sql, wallets)
    yield* openSessions(sql, callers)
    const choose = yield* walletChoice({ _tag: "Uniform", wallets }, "locks")
    return yield* probe.measure(
      Effect.map(
        runFibers({ ...settings, callers }, (n) =>
          Effect.suspend(() => {
            const wallet = choose()
            return withLock(client, wallet, `t${n}`, credit({ sql, redis: client }, wallet))
          })
        ),
        ({ perSecond, total }) => ({ perSecond, events: total })
      )
    )
  }).pipe(Effect.scoped, Effect.orDie)
