/**
 * The stores: their configuration (type, defaults and environment), and the layers that it
 * asks for: PostgreSQL or the embedded database, migrated to this release, and every port
 * over it; the log there too, or in KurrentDB, and search there too, or in Elasticsearch.
 */
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { ApiKeyStore } from "../stores/ApiKeyStore.ts"
import { EventStore } from "../stores/EventStore.ts"
import { Persistence } from "../stores/Persistence.ts"
import { DataDirectory, type DataDirectoryInUse, type DataDirectoryUnusable } from "../stores/pglite/DataDirectory.ts"
import type { EmbeddedDatabaseFailed } from "../stores/pglite/Thread.ts"
import { ReadModel } from "../stores/ReadModel.ts"
import { SqlDatabase } from "../stores/sql/SqlDatabase.ts"
import { type MigrationError, type MigrationNotCurrent, SqlMigrator } from "../stores/sql/SqlMigrator.ts"
import { AuditStore } from "../stores/AuditStore.ts"
import { WebhookStore } from "../stores/WebhookStore.ts"
import type { KurrentEventStoreOptions } from "../stores/kurrent/KurrentEventStore.ts"
import type { KurrentStartError } from "../stores/kurrent/StartErrors.ts"
import * as SqlStores from "../stores/sql/SqlStores.ts"
import { StoreOutages, type StorePlaces } from "../stores/StoreOutages.ts"
import { describeKurrent, isPrefix } from "../stores/kurrent/Names.ts"
import { databaseUrlForm, describeDatabase, isDatabaseUrl } from "../stores/sql/DatabaseAddress.ts"
import { SqlSchemaName } from "../stores/sql/SqlDatabase.ts"
import {
  describeSearch,
  type SearchConfig,
  searchConfig,
  searchLayer,
  type SearchMisconfigured
} from "./SearchConfig.ts"

export interface StoresConfig {
  /** `KURRENTDB_URL`; none: the log is in the database. */
  readonly kurrentUrl: Option.Option<Redacted.Redacted>
  /** `WALLET_KURRENTDB_PREFIX`, default `wallet`: the names of all streams begin with it. */
  readonly kurrentPrefix: string
  /** `DATABASE_URL`; none: PGlite in `dataDir`. */
  readonly databaseUrl: Option.Option<Redacted.Redacted>
  /** `WALLET_DATA_DIR`, default `.data`. */
  readonly dataDir: string
  /** `WALLET_SQL_SCHEMA`, default `wallet`. */
  readonly schema: string
  /** `WALLET_SQL_CONNECTIONS`, default 10; PostgreSQL only. */
  readonly maxConnections: number
  /** `WALLET_SQL_PREPARE`, default `true`; PostgreSQL only. `false`: for a pooler in transaction mode. */
  readonly prepare?: boolean | undefined
  /** Where search has an index of its own; `undefined`: search is in the database. */
  readonly search?: SearchConfig | undefined
}

/** A whole number between two bounds. */
export const bounded = (name: string, fallback: number, minimum: number, maximum: number): Config.Config<number> =>
  Config.schema(Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum, maximum })), name).pipe(
    Config.withDefault(fallback)
  )

/** A secret that has to be of a form, which the failure tells in place of the value. */
export const secretOf = (
  name: string,
  isOfForm: (text: string) => boolean,
  form: string
): Config.Config<Redacted.Redacted> =>
  Config.schema(Schema.String.check(Schema.makeFilter(isOfForm, { expected: form })), name).pipe(
    Config.map((text) => Redacted.make(text))
  )

/** The client's own parser takes host lists, which `URL` does not. */
const isKurrentUrl = (url: string): boolean => /^(?:kurrentdb|kurrent|kdb|esdb)(?:\+discover)?:\/\/[^/?#\s]+/.test(url)

const kurrentPrefix = Schema.String.check(
  Schema.makeFilter(isPrefix, { expected: "a lower-case letter, then letters, digits and _, at most 32 characters" })
)

export const storesConfig: Config.Config<StoresConfig> = Config.all({
  kurrentUrl: Config.option(
    secretOf("KURRENTDB_URL", isKurrentUrl, "kurrentdb://host:2113?tls=false or kurrentdb+discover://host:2113")
  ),
  kurrentPrefix: Config.schema(kurrentPrefix, "WALLET_KURRENTDB_PREFIX").pipe(Config.withDefault("wallet")),
  databaseUrl: Config.option(secretOf("DATABASE_URL", isDatabaseUrl, databaseUrlForm)),
  dataDir: Config.NonEmptyString("WALLET_DATA_DIR").pipe(Config.withDefault(".data")),
  schema: Config.schema(SqlSchemaName, "WALLET_SQL_SCHEMA").pipe(Config.withDefault("wallet")),
  maxConnections: bounded("WALLET_SQL_CONNECTIONS", 10, 1, 1_000),
  prepare: Config.Boolean("WALLET_SQL_PREPARE").pipe(Config.withDefault(true)),
  search: searchConfig
})

/** The ports. */
export type StorePorts = EventStore | Persistence | ReadModel | ApiKeyStore | AuditStore | WebhookStore

export type DatabaseStartError = DataDirectoryInUse | DataDirectoryUnusable | EmbeddedDatabaseFailed | SqlError

/** Why the stores do not open. */
export type StoresStartError = DatabaseStartError | MigrationError | KurrentStartError | SearchMisconfigured

/** What {@link storesLayer} gives. The clients of the database are the engine's: {@link portsOf} leaves them behind. */
export type Stores = StorePorts | DataDirectory | StoreOutages | SqlDatabase | PgClient | SqlClient

/** The database alone, as it is. With a server there is a data directory only in name: nothing is kept in it. */
export const databaseLayer = ({
  databaseUrl,
  dataDir,
  maxConnections,
  prepare,
  schema
}: StoresConfig): Layer.Layer<SqlDatabase | DataDirectory | PgClient | SqlClient, DatabaseStartError> =>
  Option.isSome(databaseUrl)
    ? Layer.merge(
        SqlDatabase.layerServer({ url: databaseUrl.value, schema, maxConnections, prepare }),
        Layer.succeed(
          DataDirectory,
          DataDirectory.of({ path: dataDir, announce: () => Effect.void, lost: Effect.never })
        )
      )
    : SqlDatabase.layerEmbeddedIn(schema).pipe(Layer.provideMerge(DataDirectory.layer(dataDir)))

/** Loaded where it is configured: the client takes half a second of every start. */
const kurrentLayer = (options: KurrentEventStoreOptions) =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("../stores/kurrent/KurrentEventStore.ts")),
      ({ layer }) => layer(options)
    )
  )

const logAndRows = ({ kurrentPrefix, kurrentUrl, search }: StoresConfig, found: boolean) => {
  const options = { words: search === undefined }
  return Option.isNone(kurrentUrl)
    ? SqlStores.layer(options)
    : Layer.merge(
        SqlStores.layerBehindLog(options),
        kurrentLayer({ url: kurrentUrl.value, prefix: kurrentPrefix, found })
      )
}

/** An index of search's own takes the place of the search over the rows. */
const ports = (config: StoresConfig, found: boolean) =>
  config.search === undefined
    ? logAndRows(config, found)
    : Layer.merge(logAndRows(config, found), searchLayer(config.search))

/** Where the stores are, for people. */
const placesOf = ({ databaseUrl, dataDir, kurrentUrl, search }: StoresConfig): StorePlaces => {
  const database = Option.match(databaseUrl, {
    onNone: () => `the embedded database in ${dataDir}`,
    onSome: describeDatabase
  })
  return {
    log: Option.match(kurrentUrl, { onNone: () => database, onSome: describeKurrent }),
    persistence: database,
    readModel: search === undefined ? database : describeSearch(search),
    keys: database
  }
}

/** Every port, over a database of this release, and the database below. */
export const storesLayer = (config: StoresConfig): Layer.Layer<Stores, StoresStartError> =>
  Layer.merge(ports(config, true), StoreOutages.layer(placesOf(config))).pipe(
    Layer.provide(SqlMigrator.layer),
    Layer.provideMerge(databaseLayer(config))
  )

/** Of the stores in context the ports and the data directory: an app's own database client is not taken for the engine's. */
export const portsOf: Layer.Layer<StorePorts | DataDirectory, never, StorePorts | DataDirectory> = Layer.effectContext(
  Effect.contextWith((context: Context.Context<StorePorts | DataDirectory>) =>
    Effect.succeed(
      Context.pick(EventStore, Persistence, ReadModel, ApiKeyStore, AuditStore, WebhookStore, DataDirectory)(context)
    )
  )
)

/** There is nothing to look at, and looking makes nothing. */
export class InstallationAbsent extends Schema.TaggedError<InstallationAbsent>()("InstallationAbsent", {
  dataDir: Schema.String
}) {
  override get message(): string {
    return `there is no installation in ${this.dataDir} (WALLET_DATA_DIR): nothing was changed`
  }
}

/** The same stores, of an installation that is there and at this release: fails otherwise, and changes nothing. */
export const installedStores = (
  config: StoresConfig
): Layer.Layer<
  Stores,
  DatabaseStartError | KurrentStartError | SearchMisconfigured | InstallationAbsent | MigrationNotCurrent
> =>
  Layer.unwrap(
    Effect.suspend(() =>
      Option.isNone(config.databaseUrl) && !existsSync(join(config.dataDir, "pg"))
        ? Effect.fail(new InstallationAbsent({ dataDir: config.dataDir }))
        : Effect.succeed(
            Layer.merge(ports(config, false), StoreOutages.layer(placesOf(config))).pipe(
              Layer.provide(SqlMigrator.layerCurrent),
              Layer.provideMerge(databaseLayer(config))
            )
          )
    )
  )
