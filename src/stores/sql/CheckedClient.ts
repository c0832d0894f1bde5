/**
 * The SQL client of a server: the driver's, but that each session is checked before its
 * first statement (`SqlSession`). The driver's own pool has no place for that.
 *
 * A session is checked once, by whoever gets it first; after that it costs a look into a
 * map per statement.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import type { PgConnection, Result } from "@effect/sql-pg/PgConnection"
import * as PgPool from "@effect/sql-pg/PgPool"
import * as Effect from "effect/Effect"
import type * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { SqlError, UnknownError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import { describeDatabase, explained } from "./DatabaseAddress.ts"
import type { SessionCheck } from "./SqlSession.ts"

/** Results are taken as they are: this client renames nothing, so `transformRows` is never given. */
const connectionOf = (connection: PgConnection): Connection => {
  const rows = (text: string, params: ReadonlyArray<unknown>, prepare: boolean) =>
    Effect.map(connection.query(text, params, prepare), (result) => result.rows)
  return {
    execute: (text, params) => rows(text, params, true),
    executeRaw: (text, params) => connection.query(text, params),
    executeStream: (text, params) => connection.stream(text, params),
    executeValues: (text, params) => connection.queryValues(text, params),
    executeValuesUnprepared: (text, params) => connection.queryValues(text, params, false),
    executeUnprepared: (text, params) => rows(text, params, false)
  }
}

const rolledBack = new SqlError({
  reason: new UnknownError({
    cause: new Error("COMMIT rolled back an aborted transaction"),
    message: "COMMIT rolled back an aborted transaction",
    operation: "commit"
  })
})

/** PostgreSQL answers the COMMIT of an aborted transaction by ROLLBACK. */
const commit = (connection: Connection): Effect.Effect<void, SqlError> =>
  Effect.flatMap(connection.executeRaw("COMMIT", []) as Effect.Effect<Result, SqlError>, ({ command }) =>
    command === "ROLLBACK" ? Effect.fail(rolledBack) : Effect.void
  )

/** Hands out what of the pool is checked. */
const makeSessions = (pool: PgPool.PgPool, check: SessionCheck, place: string) => {
  const checked = new WeakMap<PgConnection, Connection>()
  const explain = explained(place)
  const get = Effect.mapError(pool.get, explain)

  const admit = (connection: PgConnection): Effect.Effect<Connection, SqlError> =>
    check(connection).pipe(
      Effect.mapError(explain),
      Effect.map(() => {
        const known = connectionOf(connection)
        checked.set(connection, known)
        return known
      }),
      // Behind the caller's back: the pool cannot replace what is still in use.
      Effect.tapError(() => Effect.forkDetach(pool.invalidate(connection)))
    )

  const admitted = (connection: PgConnection): Effect.Effect<Connection, SqlError> => {
    const known = checked.get(connection)
    return known === undefined ? admit(connection) : Effect.succeed(known)
  }

  const reserve = Effect.flatMap(get, (connection) => Effect.andThen(admitted(connection), connection.pin))

  return {
    acquirer: Effect.flatMap(get, admitted),
    borrower: <A, E, R>(use: (connection: Connection) => Effect.Effect<A, E, R>) =>
      Effect.mapError(
        pool.use((connection) => {
          const known = checked.get(connection)
          return known === undefined ? Effect.flatMap(admit(connection), use) : use(known)
        }),
        (error) => (error instanceof SqlError ? explain(error) : error)
      ),
    reserve
  }
}

const PgJson = Statement.custom<PgClient.PgCustom>("PgJson")

/** A client whose sessions are what `check` says; one that is not fails the statement that came for it. */
export const make = Effect.fnUntraced(function* (
  config: PgClient.PgPoolConfig,
  check: SessionCheck
): Effect.fn.Return<PgClient.PgClient, SqlError, Scope.Scope | Reactivity.Reactivity> {
  const place = config.url === undefined ? "PostgreSQL" : describeDatabase(config.url)
  const sessions = makeSessions(yield* PgPool.make(config), check, place)
  const client = yield* SqlClient.make({
    driver: "pg",
    acquirer: sessions.acquirer,
    borrower: sessions.borrower,
    transactionAcquirer: Effect.map(sessions.reserve, connectionOf),
    compiler: PgClient.makeCompiler(),
    prepareTransactionControls: true,
    commit,
    releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
    spanAttributes: [["db.system.name", "postgresql"]]
  })
  return Object.assign(client, {
    [PgClient.TypeId]: PgClient.TypeId,
    config,
    json: (value: unknown) => Statement.fragment([PgJson(value, undefined, undefined)]),
    listen: (channel: string) => Effect.flatMap(sessions.reserve, (connection) => connection.listen(channel)),
    notify: (channel: string, payload: string) =>
      Effect.asVoid(
        Effect.scoped(
          Effect.flatMap(sessions.acquirer, (connection) =>
            connection.executeRaw("select pg_notify($1, $2)", [channel, payload])
          )
        )
      )
  })
})
