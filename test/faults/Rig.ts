/**
 * One installation to break: KurrentDB on disk and PostgreSQL with fsync, or PostgreSQL
 * alone, each behind a proxy; the real service as a process; and the same stores without
 * any proxy, for whoever looks at what is really there.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { readFileSync } from "node:fs"
import type { StoresConfig } from "../../src/engine/EngineStores.ts"
import { storesLayer } from "../../src/engine/EngineStores.ts"
import { type KurrentServer, startKurrent } from "../../bench/servers/KurrentServer.ts"
import { type PostgresServer, startPostgres } from "../../bench/servers/PostgresServer.ts"
import { type Environment, type Service, startService } from "../cli/WalletProcess.ts"
import { startTcpProxy, type TcpProxy } from "../support/tcpProxy.ts"
import { type ClientOptions, defaultClient, FaultClient, openWallets } from "./FaultClient.ts"

/** `both`: the log on KurrentDB, PostgreSQL behind it; `postgres`: log and rows in one database. */
export type Stores = "both" | "postgres"

export interface RigOptions {
  readonly stores: Stores
  readonly seed: number
  /** Of the service, beside the stores' addresses. */
  readonly environment?: Environment
  readonly client?: Partial<ClientOptions>
}

export interface Rig {
  readonly stores: Stores
  readonly postgres: PostgresServer
  readonly kurrent: KurrentServer | undefined
  readonly postgresProxy: TcpProxy
  /** `undefined`: the log is in PostgreSQL. */
  readonly kurrentProxy: TcpProxy | undefined
  /** The service's, through the proxies. */
  readonly environment: Environment
  /** For tools, without a proxy. */
  readonly direct: Environment
  readonly client: FaultClient
  readonly service: ServiceSlot
}

/** The service of an installation: one process at a time. */
export class ServiceSlot {
  private readonly environment: Environment
  private scope: Scope.Closeable | undefined
  private running: Service | undefined

  constructor(environment: Environment) {
    this.environment = environment
  }

  get current(): Service {
    if (this.running === undefined) throw new Error("the service does not run")
    return this.running
  }

  /** `program`: another executable than `wallet`. */
  start(options: { readonly environment?: Environment; readonly program?: URL } = {}): Effect.Effect<Service> {
    return Effect.gen({ self: this }, function* () {
      const scope = yield* Scope.make()
      this.scope = scope
      const service = startService({ ...this.environment, ...options.environment }, options.program)
      this.running = yield* Scope.provide(service, scope)
      return this.running
    })
  }

  /** Waits until it is gone. */
  readonly kill: Effect.Effect<void> = Effect.suspend(() => {
    const { scope } = this
    this.scope = undefined
    this.running = undefined
    return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
  })
}

const withPort = (url: Redacted.Redacted, from: number, to: number): string =>
  Redacted.value(url).replace(`:${from}`, `:${to}`)

const role = "wallet_service"

/** A role of its own, as in production: rights can be taken from it. */
const makeRole = (url: Redacted.Redacted) =>
  withSql(url, (sql) =>
    Effect.andThen(sql.unsafe(`create role ${role} login`), sql.unsafe(`grant create on database postgres to ${role}`))
  )

const withSql = <A>(url: Redacted.Redacted, use: (sql: SqlClient) => Effect.Effect<A, SqlError>): Effect.Effect<A> =>
  Effect.flatMap(SqlClient, use).pipe(
    Effect.provide(PgClient.layer({ url, maxConnections: 1, startupParameters: { search_path: "wallet" } })),
    Effect.orDie
  )

/** As PostgreSQL's administrator, without a proxy, on a connection of its own. */
export const asAdmin = <A>(rig: Rig, use: (sql: SqlClient) => Effect.Effect<A, SqlError>): Effect.Effect<A> =>
  withSql(rig.postgres.url, use)

/** Runs statements that answer nothing. */
export const execute = (rig: Rig, ...statements: ReadonlyArray<string>): Effect.Effect<void> =>
  asAdmin(rig, (sql) => Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true }))

/** The installation's stores themselves. */
export const directStores = ({ direct }: Rig) => {
  const option = (name: string) => Option.map(Option.fromUndefinedOr(direct[name]), Redacted.make)
  const config: StoresConfig = {
    kurrentUrl: option("KURRENTDB_URL"),
    kurrentPrefix: "wallet",
    databaseUrl: option("DATABASE_URL"),
    dataDir: "",
    schema: "wallet",
    maxConnections: 4
  }
  return storesLayer(config)
}

/** Servers, proxies, the service and its wallets, until the scope closes. */
export const startRig = Effect.fnUntraced(function* (options: RigOptions) {
  const { seed, stores } = options
  const [postgres, kurrent] = yield* Effect.all(
    [
      startPostgres({ fsync: true }),
      stores === "both" ? startKurrent({ inMemory: false }) : Effect.succeed<KurrentServer | undefined>(undefined)
    ],
    { concurrency: 2 }
  )
  yield* makeRole(postgres.url)
  const postgresProxy = yield* startTcpProxy(postgres.port)
  const kurrentProxy = kurrent === undefined ? undefined : yield* startTcpProxy(kurrent.port)
  const database = Redacted.value(postgres.url).replace("postgres@", `${role}@`)
  const settings = {
    WALLET_API_KEY: defaultClient.apiKey,
    WALLET_LOG_LEVEL: "Warn",
    // Shorter than the default, so that each connection asks often while a store is away.
    WALLET_CALLER_WAIT: "2 seconds",
    ...options.environment
  }
  const direct: Environment = {
    ...settings,
    DATABASE_URL: database,
    ...(kurrent === undefined ? {} : { KURRENTDB_URL: Redacted.value(kurrent.url) })
  }
  const environment: Environment = {
    ...settings,
    DATABASE_URL: database.replace(`:${postgres.port}`, `:${postgresProxy.port}`),
    ...(kurrent === undefined || kurrentProxy === undefined
      ? {}
      : { KURRENTDB_URL: withPort(kurrent.url, kurrent.port, kurrentProxy.port) })
  }
  const service = yield* Effect.acquireRelease(
    Effect.sync(() => new ServiceSlot(environment)),
    (slot) => slot.kill
  )
  const { url } = yield* service.start()
  const client = new FaultClient({ ...defaultClient, ...options.client, seed }, url)
  const rig: Rig = { stores, postgres, kurrent, postgresProxy, kurrentProxy, environment, direct, client, service }
  yield* openWallets(client)
  return rig
})

const get = (rig: Rig, path: string) =>
  Effect.tryPromise((signal) => fetch(rig.service.current.url + path, { signal }).then((answer) => answer.text())).pipe(
    Effect.timeout("3 seconds"),
    Effect.orElseSucceed(() => "")
  )

/** What the service says of itself; `""`: it does not answer. */
export const readiness = (rig: Rig): Effect.Effect<string> =>
  Effect.map(get(rig, "/health/ready"), (text) =>
    text === "" ? "" : (JSON.parse(text) as { readonly status: string }).status
  )

/** A counter or gauge of the service; `0`: it says none. */
export const metric = (rig: Rig, name: string): Effect.Effect<number> =>
  Effect.map(get(rig, "/metrics"), (text) =>
    Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, "m").exec(text)?.[1] ?? 0)
  )

/** What the service's process has in memory, MB; `0`: it does not run. */
export const residentMegabytes = (rig: Rig): Effect.Effect<number> =>
  Effect.try(() => readFileSync(`/proc/${rig.service.current.pid}/status`, "utf8")).pipe(
    Effect.map((status) => Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024)),
    Effect.orElseSucceed(() => 0)
  )
