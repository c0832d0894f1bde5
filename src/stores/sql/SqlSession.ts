/**
 * What a session of PostgreSQL has to be before a statement of ours may run in it.
 *
 * Statements name no schema, rely on what a statement sees while it waits, and are told
 * as durable when they are answered. All that is asked for as the session starts; but a
 * pooler may drop it, and start it with what the database or the role is set up with. So
 * each new session is asked once what it is, in one round trip, and refused where it
 * differs. Nothing is set afterwards: in a pooled session that could be another client's.
 */
import type { PgConnection } from "@effect/sql-pg/PgConnection"
import * as PgConnections from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { ConnectionError, SqlError } from "effect/sql/SqlError"

interface Setting {
  readonly name: string
  /** What is asked for. */
  readonly value: string
  /** Default: `value` alone, in any case. */
  readonly isMet?: (value: string) => boolean
}

export interface SessionOptions {
  readonly schema: string
  readonly statementTimeoutMillis: number
  readonly idleTransactionTimeoutMillis: number
}

/** Milliseconds or with a unit: `0` is none. */
const isBounded = (value: string): boolean => !/^0\D*$/.test(value)

const quoted = (identifier: string): string => `"${identifier.replaceAll('"', '""')}"`

/**
 * What unqualified names mean: our tables, and PostgreSQL's own things. Nothing in `public`
 * can stand in for a table of ours; where our schema is missing or closed to us, that is an
 * error and not another place. (A trigger function of the user's that names its own tables
 * without a schema needs its own `SET search_path`.)
 */
const searchPath = (schema: string): Setting => ({
  name: "search_path",
  value: quoted(schema),
  isMet: (value) => value === schema || value === quoted(schema)
})

const everywhere = (schema: string): ReadonlyArray<Setting> => [
  searchPath(schema),
  { name: "TimeZone", value: "UTC" },
  // Compiling is never worth it for statements of milliseconds.
  { name: "jit", value: "off" },
  // Everything has its index. A plan made while a table is small serves it when it is large.
  { name: "enable_seqscan", value: "off" }
]

const onServer = (options: SessionOptions): ReadonlyArray<Setting> => [
  ...everywhere(options.schema),
  // A role may have another bound; none would let a statement that nobody waits for hold its locks.
  { name: "statement_timeout", value: String(options.statementTimeoutMillis), isMet: isBounded },
  {
    name: "idle_in_transaction_session_timeout",
    value: String(options.idleTransactionTimeoutMillis),
    isMet: isBounded
  },
  // The fence relies on a statement seeing what was committed while it waited for a row.
  { name: "default_transaction_isolation", value: "read committed" },
  { name: "default_transaction_read_only", value: "off" },
  // An answer means that it is on disk, whatever a role or a database is set up with.
  {
    name: "synchronous_commit",
    value: "on",
    isMet: (value) => value === "on" || value === "remote_apply"
  },
  { name: "DateStyle", value: "ISO", isMet: (value) => value.startsWith("ISO") },
  { name: "standard_conforming_strings", value: "on" },
  // A message that nobody reads, for each statement.
  { name: "client_min_messages", value: "warning", isMet: (value) => !/^(?:debug|log)/.test(value) }
]

/** Made with the database; the client always speaks UTF-8. */
const encodings: ReadonlyArray<Setting> = [
  { name: "server_encoding", value: "UTF8" },
  { name: "client_encoding", value: "UTF8" }
]

const valuesOf = (settings: ReadonlyArray<Setting>): Readonly<Record<string, string>> =>
  Object.fromEntries(settings.map(({ name, value }) => [name, value]))

/** What a session of the embedded database starts with. */
export const embeddedSettings = (schema: string): Readonly<Record<string, string>> => valuesOf(everywhere(schema))

/** What a session on a server is asked to start with. */
export const startupSettings = (options: SessionOptions): Readonly<Record<string, string>> =>
  valuesOf(onServer(options))

/** A session is not what every statement relies on. */
export class SessionRefused extends Schema.TaggedError<SessionRefused>()("SessionRefused", {
  reason: Schema.String,
  remedy: Schema.String
}) {
  override get message(): string {
    return `${this.reason}: ${this.remedy}`
  }
}

const refusal = (cause: SessionRefused): SqlError =>
  new SqlError({ reason: new ConnectionError({ cause, message: cause.message, operation: "connect" }) })

type Row = Readonly<Record<string, unknown>>

const questionOf = (settings: ReadonlyArray<Setting>): string => {
  const shown = settings.map(({ name }) => `current_setting('${name}') as "${name}"`)
  const where = "quote_ident(session_user) as role, quote_ident(current_database()) as database"
  return `select ${shown.join(", ")}, pg_backend_pid() as pid, ${where}`
}

const isMet = ({ isMet, name, value }: Setting, row: Row): boolean => {
  const found = String(row[name])
  return isMet === undefined ? found.toLowerCase() === value.toLowerCase() : isMet(found)
}

const differing = (settings: ReadonlyArray<Setting>, row: Row): SessionRefused | undefined => {
  const differ = settings.filter((setting) => !isMet(setting, row))
  if (differ.length === 0) return undefined
  const found = differ.map(({ name, value }) => `${name} is ${String(row[name])} and must be ${value}`)
  const reason = `a session of PostgreSQL differs from what it was asked to be: ${found.join(", ")}`
  if (differ.some(({ name }) => name === "server_encoding")) {
    return new SessionRefused({ reason, remedy: "make a database with the encoding UTF8" })
  }
  const settle = differ.map(({ name, value }) => {
    const literal = name === "search_path" ? value : `'${value}'`
    return `ALTER ROLE ${String(row.role)} IN DATABASE ${String(row.database)} SET ${name} = ${literal};`
  })
  return new SessionRefused({ reason, remedy: `a pooler drops it, so give it to the role: ${settle.join(" ")}` })
}

const shared = new SessionRefused({
  reason: "a pooler in front of PostgreSQL lends one session to several clients (transaction mode)",
  remedy: "let it keep sessions, or set WALLET_SQL_PREPARE to false"
})

/** How long a second session may take to come, ms. Where sessions are kept and none is free it does not come. */
const secondSessionMillis = 1_000

const pidOf = (connection: PgConnection): Effect.Effect<unknown, SqlError> =>
  Effect.map(connection.query("select pg_backend_pid() as pid", [], false), ({ rows }) => rows[0]?.pid)

/**
 * Whether two connections of ours are given one session of the server, while both are there.
 * A pooler lends the one that was given back last, so that the second gets that of the first.
 * `false` too where a second cannot be had.
 */
const isShared = Effect.fnUntraced(function* (connection: PgConnection, pid: unknown) {
  const second = yield* Effect.result(Effect.flatMap(PgConnections.make(connection.config), pidOf))
  // The first is still there, as itself.
  const now = yield* pidOf(connection)
  return now !== pid || (Result.isSuccess(second) && second.success === pid)
}, Effect.scoped)

const secondInTime = Effect.timeoutOrElse({ duration: secondSessionMillis, orElse: () => Effect.succeed(false) })

/** Of each new session of one client. Fails with a `SqlError` of the operation `connect` whose cause is a {@link SessionRefused}. */
export type SessionCheck = (connection: PgConnection) => Effect.Effect<void, SqlError>

/** `prepare`: the client names its statements, so that each of its sessions has to be its own. */
export const makeSessionCheck = (options: SessionOptions & { readonly prepare: boolean }): SessionCheck => {
  const settings = [...onServer(options), ...encodings]
  const question = questionOf(settings)
  // Once a client: it takes a second session.
  let looked = !options.prepare
  return Effect.fnUntraced(function* (connection) {
    const { rows } = yield* connection.query(question, [], false)
    const row = rows[0]!
    const refused = differing(settings, row)
    if (refused !== undefined) return yield* refusal(refused)
    // A pooler makes up the number that it tells.
    if (looked || row.pid === connection.processId) return
    if (yield* secondInTime(isShared(connection, row.pid))) return yield* refusal(shared)
    looked = true
  })
}
