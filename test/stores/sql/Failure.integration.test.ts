import { assert, describe, it, layer } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { startPostgres } from "../../../bench/servers/PostgresServer.ts"
import { SqlDatabase, type SqlServerOptions } from "../../../src/stores/sql/SqlDatabase.ts"
import { classifyError } from "../../../src/stores/sql/Failure.ts"
import { TestPostgres, postgresPresent } from "../../support/postgres.ts"
import { startTcpProxy } from "../../support/tcpProxy.ts"

const classOf = (error: SqlError) => {
  const { kind, outcome, sqlState } = classifyError(error, { refusalCodes: ["WA001"] })
  return [kind, outcome, sqlState]
}

const classOfFailure = <A>(effect: Effect.Effect<A, SqlError>) => Effect.map(Effect.flip(effect), classOf)

const withClient = <A, E, R>(options: SqlServerOptions, use: (sql: SqlClient) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(SqlClient, use).pipe(Effect.provide(SqlDatabase.layerServer(options)))

const through = (url: Redacted.Redacted, port: number): Redacted.Redacted => {
  const changed = new URL(Redacted.value(url))
  changed.port = String(port)
  return Redacted.make(changed.href)
}

/** A table that counts what was really done, its client through a proxy, and one that goes straight. */
const behindProxy = Effect.fnUntraced(function* (table: string) {
  const { url } = yield* TestPostgres
  const proxy = yield* startTcpProxy(Number(new URL(Redacted.value(url)).port))
  const count = (sql: SqlClient) =>
    Effect.map(sql<{ readonly n: number }>`select count(*)::int as n from ${sql(`public.${table}`)}`, ([row]) => row?.n)
  const written = withClient({ url }, count)
  yield* withClient({ url }, (sql) => sql`create table ${sql(`public.${table}`)} (n int)`)
  const insert = (sql: SqlClient) => sql`insert into ${sql(`public.${table}`)} values (1)`
  return { proxy, written, insert, count, options: { url: through(url, proxy.port) } }
})

describe.skipIf(!postgresPresent)("SqlErrorClass, what a server says", () => {
  layer(TestPostgres.layerDatabase({ statementTimeoutMillis: 5_000 }))((it) => {
    it.effect("tells a user's rules from ours", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* sql`create table public.accounts (
          id int constraint ew_accounts_pkey primary key, n int not null constraint small check (n < 10),
          code text)`
        yield* sql`create function public.refuse() returns trigger language plpgsql as $$
          begin
            if new.code = 'custom' then raise exception 'no custom' using errcode = 'WA001'; end if;
            if new.code = 'plain' then raise exception 'no plain'; end if;
            return new;
          end $$`
        yield* sql`create trigger refuse before insert on public.accounts
          for each row execute function public.refuse()`
        yield* sql`insert into public.accounts values (1, 1)`
        const insert = (id: number, n: number | null, code: string | null) =>
          classOfFailure(sql`insert into public.accounts values (${id}, ${n}, ${code})`)
        assert.deepStrictEqual(yield* insert(1, 1, null), ["defect", "notExecuted", "23505"])
        assert.deepStrictEqual(yield* insert(2, 99, null), ["refusal", "notExecuted", "23514"])
        assert.deepStrictEqual(yield* insert(2, null, null), ["defect", "notExecuted", "23502"])
        assert.deepStrictEqual(yield* insert(2, 1, "plain"), ["refusal", "notExecuted", "P0001"])
        assert.deepStrictEqual(yield* insert(2, 1, "custom"), ["refusal", "notExecuted", "WA001"])
      })
    )

    it.effect("knows what is worth another try", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const inTransaction = (settings: string, statement: Effect.Effect<unknown, SqlError>) =>
          classOfFailure(sql.withTransaction(Effect.andThen(sql.unsafe(settings), statement)))
        assert.deepStrictEqual(yield* inTransaction("set local statement_timeout = 50", sql`select pg_sleep(300)`), [
          "transient",
          "notExecuted",
          "57014"
        ])
        assert.deepStrictEqual(
          yield* inTransaction("set transaction read only", sql`create table public.never (id int)`),
          ["transient", "notExecuted", "25006"]
        )
      })
    )

    it.effect("knows a deadlock", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* sql`create table public.pair as select n from generate_series(1, 2) n`
        const both = [yield* Deferred.make<void>(), yield* Deferred.make<void>()] as const
        const lock = (mine: number, other: number) =>
          sql.withTransaction(
            Effect.gen(function* () {
              yield* sql`update public.pair set n = n where n = ${mine + 1}`
              yield* Deferred.succeed(both[mine === 0 ? 0 : 1], undefined)
              yield* Deferred.await(both[other === 0 ? 0 : 1])
              yield* sql`update public.pair set n = n where n = ${other + 1}`
            })
          )
        const outcomes = yield* Effect.all([lock(0, 1), lock(1, 0)].map(Effect.result), { concurrency: 2 })
        const errors = outcomes.flatMap((outcome) => (outcome._tag === "Failure" ? [classOf(outcome.failure)] : []))
        assert.deepStrictEqual(errors, [["transient", "notExecuted", "40P01"]])
      })
    )

    it.effect("knows a defect", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        assert.deepStrictEqual(yield* classOfFailure(sql`select * from nowhere`), ["defect", "notExecuted", "42P01"])
        assert.deepStrictEqual(yield* classOfFailure(sql`select 1 / 0`), ["defect", "notExecuted", "22012"])
        assert.deepStrictEqual(yield* classOfFailure(sql`select ${[1, "a"]}`), ["defect", "notExecuted", undefined])
        const swallowed = sql.withTransaction(Effect.andThen(Effect.ignore(sql`select 1 / 0`), Effect.void))
        assert.deepStrictEqual(yield* classOfFailure(swallowed), ["defect", "notExecuted", undefined])
      })
    )

    it.effect("leaves open what became of a statement whose session was ended", () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient
        const sleeping = yield* Effect.forkChild(classOfFailure(sql`select pg_sleep(60) as long_sleep`), {
          startImmediately: true
        })
        const end = sql<{ readonly n: number }>`
          select count(pg_terminate_backend(pid))::int as n from pg_stat_activity
          where datname = current_database() and query like '%long_sleep%' and pid <> pg_backend_pid()`
        while ((yield* end)[0]?.n === 0) yield* Effect.yieldNow
        assert.deepStrictEqual(yield* Fiber.join(sleeping), ["transient", "unknown", undefined])
      })
    )

    it.effect("says that a database that is not there is a defect, and nothing was done", () =>
      Effect.gen(function* () {
        const url = new URL(Redacted.value((yield* TestPostgres).url))
        url.pathname = "/not_there"
        const missing = withClient({ url: Redacted.make(url.href) }, (sql) => sql`select 1`)
        assert.deepStrictEqual(yield* classOfFailure(missing), ["defect", "notExecuted", "3D000"])
      })
    )
  })
})

describe.skipIf(!postgresPresent)("SqlErrorClass, what a network does", () => {
  layer(TestPostgres.layer)((it) => {
    it.effect("leaves open what became of a statement whose answer was lost: it was carried out", () =>
      Effect.gen(function* () {
        const { count, insert, options, proxy, written } = yield* behindProxy("swallowed")
        yield* withClient(options, (sql) =>
          Effect.gen(function* () {
            yield* insert(sql)
            yield* proxy.set({ _tag: "SwallowAnswers" })
            const lost = yield* Effect.forkChild(classOfFailure(insert(sql)), { startImmediately: true })
            yield* proxy.swallowed
            yield* proxy.drop
            assert.deepStrictEqual(yield* Fiber.join(lost), ["transient", "unknown", undefined])
            yield* proxy.set({ _tag: "Pass" })
            assert.strictEqual(yield* count(sql), 2)
          })
        )
        assert.strictEqual(yield* written, 2)
      })
    )

    it.effect("leaves open what became of a statement whose answer was cut", () =>
      Effect.gen(function* () {
        const { insert, options, proxy, written } = yield* behindProxy("cut")
        yield* withClient(options, (sql) =>
          Effect.gen(function* () {
            yield* insert(sql)
            yield* proxy.set({ _tag: "CutAnswers", afterBytes: 7 })
            assert.deepStrictEqual(yield* classOfFailure(insert(sql)), ["transient", "unknown", undefined])
          })
        )
        assert.strictEqual(yield* written, 2)
      })
    )

    it.effect("leaves open what became of a statement that never left: it was not carried out", () =>
      Effect.gen(function* () {
        const { insert, options, proxy, written } = yield* behindProxy("held")
        yield* withClient(options, (sql) =>
          Effect.gen(function* () {
            yield* insert(sql)
            yield* proxy.set({ _tag: "Hold" })
            const held = yield* Effect.forkChild(classOfFailure(insert(sql)), { startImmediately: true })
            yield* Effect.yieldNow
            yield* proxy.drop
            assert.deepStrictEqual(yield* Fiber.join(held), ["transient", "unknown", undefined])
          })
        )
        assert.strictEqual(yield* written, 1)
      })
    )

    it.effect("notices a connection that the server's side has ended", () =>
      Effect.gen(function* () {
        const { insert, options, proxy } = yield* behindProxy("half_closed")
        yield* withClient(options, (sql) =>
          Effect.gen(function* () {
            yield* insert(sql)
            yield* proxy.set({ _tag: "Hold" })
            const waiting = yield* Effect.forkChild(classOfFailure(insert(sql)), { startImmediately: true })
            yield* Effect.yieldNow
            yield* proxy.halfClose
            assert.deepStrictEqual(yield* Fiber.join(waiting), ["transient", "unknown", undefined])
          })
        )
      })
    )

    it.effect("is sure that nothing was done where there was no connection", () =>
      Effect.gen(function* () {
        const { insert, options, proxy, written } = yield* behindProxy("refused")
        yield* proxy.set({ _tag: "Refuse" })
        assert.deepStrictEqual(yield* classOfFailure(withClient(options, insert)), [
          "transient",
          "notExecuted",
          undefined
        ])
        assert.strictEqual(yield* written, 0)
      })
    )

    it.effect("lets a slow network be slow", () =>
      Effect.gen(function* () {
        const { insert, options, proxy, written } = yield* behindProxy("delayed")
        yield* proxy.set({ _tag: "Delay", millis: 20 })
        yield* withClient(options, insert)
        assert.strictEqual(yield* written, 1)
      })
    )
  })
})

describe.skipIf(!postgresPresent)("SqlErrorClass, what becomes of a server", () => {
  it.effect("knows one that is full, killed, away and back", () =>
    Effect.gen(function* () {
      const server = yield* startPostgres({ settings: { max_connections: "5", superuser_reserved_connections: "0" } })
      const one = <A, E>(use: (sql: SqlClient) => Effect.Effect<A, E>) =>
        withClient({ url: server.url, maxConnections: 1 }, use)
      // One client a session: borrowers of one pool that cannot grow may wait for one that is given back.
      const within = (sessions: number): Effect.Effect<unknown, unknown> =>
        sessions === 0
          ? classOfFailure(one((sql) => sql`select 1`))
          : one((sql) => sql.withTransaction(Effect.andThen(sql`select 1`, within(sessions - 1))))
      assert.deepStrictEqual(yield* within(5), ["transient", "notExecuted", "53300"])
      // A server process outlives its connection a little: until then the server is as full as before.
      yield* Effect.retry(
        withClient({ url: server.url }, (sql) => sql`select 1`),
        { while: (error) => classOf(error)[2] === "53300" }
      )
      yield* withClient({ url: server.url }, (sql) =>
        Effect.gen(function* () {
          yield* sql`create table public.kept as select 1 as n`
          const sleeping = yield* Effect.forkChild(classOfFailure(sql`select pg_sleep(60)`), { startImmediately: true })
          yield* Effect.yieldNow
          yield* server.kill
          assert.deepStrictEqual(yield* Fiber.join(sleeping), ["transient", "unknown", undefined])
          assert.deepStrictEqual(yield* classOfFailure(sql`select 1`), ["transient", "notExecuted", undefined])
          yield* server.start
          assert.deepStrictEqual(yield* sql`select n from public.kept`, [{ n: 1 }])
        })
      )
    })
  )
})
