/**
 * Brings the schema to this release: runs `sql/NNNN_name.sql` in order, each in a
 * transaction of its own together with the row that records it.
 *
 * Files name tables without a schema and hold no transaction control. Two starts
 * at once wait for one another. A database that a later release has migrated, or
 * a file that was changed after it ran, stops the start. So does an installation in
 * another schema of the database, unless a second one is asked for. A role that may not
 * change the schema can start once its owner has run the migrations.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import { SqlError } from "effect/sql/SqlError"
import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { classifyError, withReason } from "./Failure.ts"
import { packageFile } from "../PackageFile.ts"
import { SqlDatabase } from "./SqlDatabase.ts"

export interface Migration {
  readonly id: number
  readonly name: string
  readonly sql: string
}

/** The migrations that come with this release cannot be read or are not a sequence. */
export class MigrationsUnreadable extends Schema.TaggedError<MigrationsUnreadable>()("MigrationsUnreadable", {
  reason: Schema.String
}) {
  override get message(): string {
    return `the migrations of this release cannot be read: ${this.reason}`
  }
}

/** The database was migrated by a later release than this one. */
export class MigrationFromTheFuture extends Schema.TaggedError<MigrationFromTheFuture>()("MigrationFromTheFuture", {
  id: Schema.Int,
  name: Schema.String,
  schema: Schema.String
}) {
  override get message(): string {
    return (
      `the schema ${this.schema} has migration ${this.id} (${this.name}), which this release does not know: ` +
      "start the release that made it, or a later one"
    )
  }
}

/** A migration is not what it was when it ran. */
export class MigrationChanged extends Schema.TaggedError<MigrationChanged>()("MigrationChanged", {
  id: Schema.Int,
  name: Schema.String,
  schema: Schema.String
}) {
  override get message(): string {
    return `migration ${this.id} (${this.name}) has changed since it ran in the schema ${this.schema}`
  }
}

/** A migration failed; nothing of it stands. */
export class MigrationFailed extends Schema.TaggedError<MigrationFailed>()("MigrationFailed", {
  id: Schema.Int,
  name: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `migration ${this.id} (${this.name}) failed: ${this.reason}`
  }
}

/** The schema is to be made, and the database has an installation in another one: a second ledger would be empty. */
export class InstallationElsewhere extends Schema.TaggedError<InstallationElsewhere>()("InstallationElsewhere", {
  schema: Schema.String,
  found: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const there = this.found.length === 1 ? `the schema ${this.found[0]}` : `the schemas ${this.found.join(", ")}`
    const use = this.found.filter((schema) => schema !== "public").map((schema) => `WALLET_SQL_SCHEMA=${schema}`)
    const way = use.length === 0 ? "move it to a schema of its own (docs/OPERATIONS.md)" : `set ${use.join(" or ")}`
    return (
      `this database has an installation in ${there}, and none in ${this.schema}: ${way}, ` +
      "or make a second, empty one by `wallet migrate --second`"
    )
  }
}

/** A migration is to run, and this role may not change the schema. */
export class MigrationNotAllowed extends Schema.TaggedError<MigrationNotAllowed>()("MigrationNotAllowed", {
  id: Schema.Int,
  name: Schema.String,
  schema: Schema.String,
  role: Schema.String
}) {
  override get message(): string {
    return (
      `migration ${this.id} (${this.name}) has not run, and the role ${this.role} may not change the schema ` +
      `${this.schema}: run \`wallet migrate\` as its owner`
    )
  }
}

/** The schema is not there, and this role may not make it. */
export class SchemaNotAllowed extends Schema.TaggedError<SchemaNotAllowed>()("SchemaNotAllowed", {
  schema: Schema.String,
  role: Schema.String,
  database: Schema.String
}) {
  override get message(): string {
    return (
      `there is no schema ${this.schema}, and the role ${this.role} may not make it: ` +
      `GRANT CREATE ON DATABASE ${this.database} TO ${this.role}, or run \`wallet migrate\` as a role that may`
    )
  }
}

/** The database is not at this release, and whoever looks at it changes nothing. */
export class NotMigrated extends Schema.TaggedError<NotMigrated>()("NotMigrated", {
  schema: Schema.String,
  /** `null`: there is no installation in the schema. */
  missing: Schema.NullOr(Schema.String)
}) {
  override get message(): string {
    const what = this.missing === null ? "has no installation" : `lacks ${this.missing}`
    return `the schema ${this.schema} ${what}: nothing was changed; start the service on it, or run \`wallet migrate\``
  }
}

export type MigrationError =
  | SchemaNotAllowed
  | InstallationElsewhere
  | MigrationNotAllowed
  | MigrationsUnreadable
  | MigrationFromTheFuture
  | MigrationChanged
  | MigrationFailed
  | SqlError

/** Why a schema is not at this release. */
export type MigrationNotCurrent =
  | MigrationChanged
  | MigrationFromTheFuture
  | MigrationsUnreadable
  | NotMigrated
  | SqlError

/** `sql/` beside `src/` in the repository, and beside `dist/` in the package: both are two folders up. */
const sqlFolder = (): URL =>
  packageFile({
    asker: import.meta.url,
    module: "stores/sql/SqlMigrator",
    beside: "../../../sql/",
    packaged: "sql/"
  })

const fileName = /^(\d{4})_([a-z0-9_]+)\.sql$/

/** Minutes: the other start's longest migration, and the longest of ours. */
const migrationTimeout = "30min"

const checksumOf = (migration: Migration): string => createHash("sha256").update(migration.sql).digest("hex")

/** The migrations of this release, ids 1, 2, 3 …. */
export const loadMigrations: Effect.Effect<ReadonlyArray<Migration>, MigrationsUnreadable> = Effect.try({
  try: () => {
    const folder = sqlFolder()
    return readdirSync(folder)
      .filter((name) => name.endsWith(".sql"))
      .sort()
      .map((file, index): Migration => {
        const [, id, name] = fileName.exec(file) ?? []
        if (name === undefined || Number(id) !== index + 1) {
          throw new Error(`${file} is not the ${index + 1}th of a sequence NNNN_name.sql`)
        }
        return { id: index + 1, name, sql: readFileSync(new URL(file, folder), "utf8").replaceAll("\r\n", "\n") }
      })
  },
  catch: (cause) => new MigrationsUnreadable({ reason: cause instanceof Error ? cause.message : String(cause) })
})

interface Applied {
  readonly id: number
  readonly name: string
  readonly checksum: string
}

/** Where in its file a migration failed: the server counts characters of the text that `execute` was given. */
const failureOf = (migration: Migration, error: SqlError): MigrationFailed | SqlError => {
  const { outcome, reason, sqlState } = classifyError(error)
  if (sqlState === undefined || outcome === "unknown") return error
  const position = Number((error.reason.cause as { readonly internalPosition?: string }).internalPosition)
  const line = Number.isInteger(position) ? `line ${migration.sql.slice(0, position).split("\n").length}: ` : ""
  return new MigrationFailed({ id: migration.id, name: migration.name, reason: line + reason })
}

/** Schemas that have our table `log`, told by a constraint of it: its name is nobody else's. */
const installations = (sql: SqlClient) =>
  Effect.map(
    sql<{ readonly schema: string }>`
      select n.nspname as schema from pg_constraint c join pg_namespace n on n.oid = c.connamespace
      where c.conname = 'ew_log_only_row' order by 1`,
    (rows) => rows.map((row) => row.schema)
  )

const refuseSecond = Effect.fnUntraced(function* (sql: SqlClient, schema: string) {
  const found = yield* installations(sql)
  if (found.length > 0) return yield* new InstallationElsewhere({ schema, found })
})

/**
 * Whether the schema has its table of migrations. Asked of the catalog, since a session may know
 * its search path from before the schema was made.
 */
const isPrepared = (sql: SqlClient, schema: string) =>
  Effect.map(
    sql`select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = ${schema} and c.relname = 'migrations'`,
    (rows) => rows.length > 0
  )

/** Fails where this role may not make tables in the schema. */
const mayChange = Effect.fnUntraced(function* (sql: SqlClient, schema: string, { id, name }: Migration) {
  const [row] = yield* sql<{ readonly allowed: boolean; readonly role: string }>`
    select has_schema_privilege(${schema}, 'CREATE') as allowed, current_user::text as role`
  if (row?.allowed !== true) return yield* new MigrationNotAllowed({ id, name, schema, role: row?.role ?? "" })
})

/** Fails where this role may not make schemas in the database. */
const mayCreate = Effect.fnUntraced(function* (sql: SqlClient, schema: string) {
  const [row] = yield* sql<{ readonly allowed: boolean; readonly role: string; readonly database: string }>`
    select has_database_privilege(current_database(), 'CREATE') as allowed, quote_ident(current_user) as role,
      quote_ident(current_database()) as database`
  if (row?.allowed !== true) {
    return yield* new SchemaNotAllowed({ schema, role: row?.role ?? "", database: row?.database ?? "" })
  }
})

const check = Effect.fnUntraced(function* (
  schema: string,
  migrations: ReadonlyArray<Migration>,
  known: ReadonlyMap<number, Applied>
) {
  for (const [id, { checksum, name }] of known) {
    const migration = migrations[id - 1]
    if (migration === undefined) return yield* new MigrationFromTheFuture({ id, name, schema })
    if (checksumOf(migration) !== checksum) return yield* new MigrationChanged({ id, name: migration.name, schema })
  }
})

/** One statement may hold only one command on this protocol; `execute` takes a whole file. */
const execute = Effect.fnUntraced(function* (sql: SqlClient, migration: Migration) {
  yield* sql`select set_config('effect_wallet.migration', ${migration.sql}, true)`
  yield* sql`do $$ begin execute current_setting('effect_wallet.migration'); end $$`.pipe(
    Effect.mapError((error) => failureOf(migration, error))
  )
  yield* sql`insert into migrations (id, name, checksum)
    values (${migration.id}, ${migration.name}, ${checksumOf(migration)})`
})

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const { schema } = yield* SqlDatabase

  /** Waits for any other start on this database, whatever its schema, until the transaction ends. */
  const takeTurn = Effect.gen(function* () {
    yield* sql`select set_config('statement_timeout', ${migrationTimeout}, true)`
    yield* sql`select pg_advisory_xact_lock(hashtext('effect-wallet migrations'))`
  })

  const prepare = (first: Migration | undefined, second: boolean) =>
    sql.withTransaction(
      Effect.gen(function* () {
        // A table that is there is not made: to say `if not exists` a role needs the right to make it.
        if (yield* isPrepared(sql, schema)) return
        yield* takeTurn
        if (yield* isPrepared(sql, schema)) return
        if (!second) yield* refuseSecond(sql, schema)
        // Asked first: a role that may not create schemas can use one that is there.
        const made = yield* sql`select 1 from pg_namespace where nspname = ${schema}`
        if (made.length === 0) {
          yield* mayCreate(sql, schema)
          yield* sql`create schema ${sql(schema)}`
        }
        if (first !== undefined) yield* mayChange(sql, schema, first)
        yield* sql`create table migrations (
      id integer constraint ew_migrations_pkey primary key,
      name text not null,
      checksum text not null,
      applied_at timestamptz not null default now()
    )`
      })
    )

  const applied = Effect.map(
    sql<Applied>`select id, name, checksum from migrations order by id`,
    (rows): ReadonlyMap<number, Applied> => new Map(rows.map((row) => [row.id, row]))
  )

  const step = (migrations: ReadonlyArray<Migration>, second: boolean) =>
    sql.withTransaction(
      Effect.gen(function* () {
        yield* takeTurn
        const known = yield* applied
        yield* check(schema, migrations, known)
        const next = migrations.find((migration) => !known.has(migration.id))
        if (next === undefined) return undefined
        // Also where an earlier start was cut off before its first one.
        if (next.id === 1 && !second) yield* refuseSecond(sql, schema)
        yield* mayChange(sql, schema, next)
        yield* execute(sql, next)
        return next
      })
    )

  const migrate = Effect.fn("SqlMigrator.migrate")(function* (migrations: ReadonlyArray<Migration>, second: boolean) {
    yield* prepare(migrations[0], second)
    const ran: Array<Migration> = []
    for (;;) {
      const migration = yield* step(migrations, second)
      if (migration === undefined) return ran
      ran.push(migration)
    }
  })

  const current = Effect.fn("SqlMigrator.current")(function* (migrations: ReadonlyArray<Migration>) {
    if (!(yield* isPrepared(sql, schema))) return yield* new NotMigrated({ schema, missing: null })
    const known = yield* applied
    yield* check(schema, migrations, known)
    const next = migrations.find((migration) => !known.has(migration.id))
    if (next !== undefined) return yield* new NotMigrated({ schema, missing: `migration ${next.id} (${next.name})` })
  })

  const inWords = <E>(error: E | SqlError): E | SqlError => (error instanceof SqlError ? withReason(error) : error)
  return {
    migrate: (migrations: ReadonlyArray<Migration>, second = false) =>
      Effect.mapError(migrate(migrations, second), inWords),
    current: (migrations: ReadonlyArray<Migration>) => Effect.mapError(current(migrations), inWords)
  }
})

const layerOf = (second: boolean): Layer.Layer<never, MigrationError, SqlClient | SqlDatabase> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { migrate } = yield* make
      for (const { id, name } of yield* migrate(yield* loadMigrations, second)) {
        yield* Effect.logInfo(`ran migration ${id} (${name})`)
      }
    })
  )

export const SqlMigrator = {
  /**
   * Runs what has not run yet and answers it, in order. Idempotent; safe from several processes at once.
   * `second`: makes the schema although the database has an installation in another one.
   */
  migrate: (
    migrations: ReadonlyArray<Migration>,
    options: { readonly second?: boolean | undefined } = {}
  ): Effect.Effect<ReadonlyArray<Migration>, MigrationError, SqlClient | SqlDatabase> =>
    Effect.flatMap(make, ({ migrate }) => migrate(migrations, options.second)),

  /** The database, migrated to this release. */
  layer: layerOf(false),

  /** Fails where it is not; changes nothing. */
  layerCurrent: Layer.effectDiscard(
    Effect.gen(function* () {
      const { current } = yield* make
      yield* current(yield* loadMigrations)
    })
  ),

  /** The same, where the schema may have to be made beside installations in other ones. */
  layerBesideOthers: layerOf(true)
}
