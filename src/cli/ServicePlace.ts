/**
 * Where a tool does its work: here, on the stores themselves, or through a service
 * that has them open. An embedded data directory belongs to one process at a time, so
 * beside a running service every tool goes through that service. A PostgreSQL database
 * is open to all; but an engine takes over the database that it starts on, so there a
 * tool that runs one asks to be told that it may.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import { join } from "node:path"
import type { StoresConfig } from "../engine/EngineStores.ts"
import { databaseLayer } from "../engine/EngineStores.ts"
import { WalletClient } from "../http/WalletClient.ts"
import { DataDirectory, DataDirectoryInUse, type Occupant } from "../stores/pglite/DataDirectory.ts"
import type { ServiceConfig } from "./ServiceConfig.ts"

export interface RunningService {
  readonly baseUrl: string
  readonly apiKey: Redacted.Redacted
}

export type ServicePlace =
  | { readonly _tag: "Here" }
  | { readonly _tag: "Service"; readonly service: RunningService; readonly because: string }

/** There is a service to go through, but no key to be let in with. */
export class ApiKeyAbsent extends Schema.TaggedError<ApiKeyAbsent>()("ApiKeyAbsent", {
  url: Schema.String,
  file: Schema.String
}) {
  override get message(): string {
    return `an admin key is needed for ${this.url}: set WALLET_API_KEY (there is none in ${this.file} either)`
  }
}

/** Written by the first start of an embedded service. */
export const apiKeyFile = (dataDir: string): string => join(dataDir, "api-key")

const findApiKey = Effect.fnUntraced(function* (config: ServiceConfig, url: string) {
  if (Option.isSome(config.apiKey)) return config.apiKey.value
  const file = apiKeyFile(config.engine.stores.dataDir)
  const files = yield* FileSystem.FileSystem
  const text = yield* Effect.orElseSucceed(files.readFileString(file), () => "")
  if (text.trim() === "") return yield* new ApiKeyAbsent({ url, file })
  return Redacted.make(text.trim())
})

/** A service that is starting has the directory before it listens: about 10 s of patience. */
const starting = Schedule.spaced("100 millis").pipe(Schedule.upTo({ duration: "10 seconds" }))

const findOccupant = (dataDir: string): Effect.Effect<Occupant | undefined, DataDirectoryInUse> =>
  Effect.gen(function* () {
    const occupant = yield* DataDirectory.occupant(dataDir)
    if (occupant === undefined || occupant.url !== null) return occupant
    return yield* new DataDirectoryInUse({ dataDir, pid: occupant.pid, url: null })
  }).pipe(Effect.retry(starting))

/** `url`: a service that the caller names; it may be on another machine. */
export const findServicePlace = Effect.fnUntraced(function* (config: ServiceConfig, url: Option.Option<URL>) {
  const { databaseUrl, dataDir } = config.engine.stores
  if (Option.isSome(url)) {
    const baseUrl = url.value.href.replace(/\/$/, "")
    const service = { baseUrl, apiKey: yield* findApiKey(config, baseUrl) }
    return { _tag: "Service", service, because: "as asked for" } satisfies ServicePlace
  }
  if (Option.isSome(databaseUrl)) return { _tag: "Here" } satisfies ServicePlace
  const occupant = yield* findOccupant(dataDir)
  if (occupant === undefined || occupant.url === null) return { _tag: "Here" } satisfies ServicePlace
  const service = { baseUrl: occupant.url, apiKey: yield* findApiKey(config, occupant.url) }
  return { _tag: "Service", service, because: `${dataDir} is open there` } satisfies ServicePlace
})

/** The typed client of that service. */
export const clientLayer = (service: RunningService): Layer.Layer<WalletClient> =>
  WalletClient.layer(service).pipe(Layer.provide(FetchHttpClient.layer))

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
