/**
 * An engine takes over the database that it starts on, and whoever had it stops. A tool
 * must not do that to a running service by accident: where another of our processes has
 * connections to the same PostgreSQL database, it asks to be told so.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import type { StoresConfig } from "../engine/EngineStores.ts"
import { databaseLayer } from "../engine/EngineStores.ts"

/** Another process of ours is at work on this database. */
export class DatabaseInUse extends Schema.TaggedError<DatabaseInUse>()("DatabaseInUse", {
  connections: Schema.Int
}) {
  override get message(): string {
    return (
      `a service seems to run on this database (${this.connections} connections): ` +
      "give --url to work through it, or --takeover to stop it and work on the database itself"
    )
  }
}

/** The name that `SqlDatabase` gives to its sessions. */
const otherSessions = Effect.gen(function* () {
  const sql = yield* SqlClient
  const [row] = yield* sql<{ readonly connections: number }>`
    select count(*)::int as connections from pg_stat_activity
    where datname = current_database() and application_name = 'effect-wallet' and pid <> pg_backend_pid()`
  return row?.connections ?? 0
})

/** Fails with `DatabaseInUse` unless the database is free, embedded (then its folder is locked) or `takeover` is asked for. */
export const refuseTakeover = Effect.fnUntraced(function* (stores: StoresConfig, takeover: boolean) {
  if (takeover || Option.isNone(stores.databaseUrl)) return
  // One connection: each of ours would count as another's.
  const connections = yield* Effect.provide(otherSessions, databaseLayer({ ...stores, maxConnections: 1 }))
  if (connections > 0) return yield* new DatabaseInUse({ connections })
})
