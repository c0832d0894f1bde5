/** `wallet serve`: the engine and its HTTP API, until a signal or the loss of ownership ends it. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as EffectHttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import { Ownership } from "../actors/Ownership.ts"
import { refuseEmbedded, refuseStrangers } from "../cluster/ClusterConfig.ts"
import type { ClusterEngineOptions } from "../cluster/ClusterEngine.ts"
import { storesLayer } from "../engine/EngineStores.ts"
import { layerWithParts } from "../engine/WalletEngine.ts"
import { ApiKeys } from "../http/ApiKeys.ts"
import { HttpConfig } from "../http/HttpConfig.ts"
import { httpServerWith } from "../http/HttpServer.ts"
import { Webhooks } from "../webhooks/Webhooks.ts"
import { DataDirectory } from "../stores/pglite/DataDirectory.ts"
import * as Flags from "./Flags.ts"
import { loggingLayer } from "./Logging.ts"
import { printNote, printResult, reportFailure } from "./Output.ts"
import { processMetrics } from "./ProcessMetrics.ts"
import { loadServiceConfig, type ServiceConfig } from "./ServiceConfig.ts"
import { apiKeyFile } from "./ServicePlace.ts"
import { telemetryLayer } from "./Telemetry.ts"
import { toolRoutes } from "./tools/ToolRoutes.ts"

/**
 * What the exit code is when a signal ends the process: 130 while a tool is at work,
 * 0 for a service, whose normal end is to be stopped.
 */
export class Shutdown extends Context.Service<
  Shutdown,
  {
    /** From now on a signal is the normal end. */
    readonly expected: Effect.Effect<void>
  }
>()("effect-wallet/cli/ServeCommand/Shutdown") {}

/** This process may no longer write: it ends, so that nobody takes it for the service. */
class OwnershipLost extends Schema.TaggedError<OwnershipLost>()("OwnershipLost", { reason: Schema.String }) {
  override get message(): string {
    return `FENCED: ${this.reason}`
  }
}

/** The embedded database may be another process's by now: this one has stopped to use it. */
class DirectoryLost extends Schema.TaggedError<DirectoryLost>()("DirectoryLost", { reason: Schema.String }) {
  override get message(): string {
    return `${this.reason}: it has stopped, and what was answered is kept; see that no other one runs there, and start it again`
  }
}

/** The first admin key cannot be left where its owner finds it. */
class ApiKeyNotWritten extends Schema.TaggedError<ApiKeyNotWritten>()("ApiKeyNotWritten", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `the first admin key cannot be written to ${this.file}: ${this.reason}`
  }
}

/** In a file that its owner alone may read; the secret is printed to a terminal only. */
const keepFirstKey = Effect.fnUntraced(function* (file: string, secret: Redacted.Redacted) {
  const files = yield* FileSystem.FileSystem
  yield* files
    .writeFileString(file, `${Redacted.value(secret)}\n`, { mode: 0o600 })
    .pipe(Effect.mapError((error) => new ApiKeyNotWritten({ file, reason: error.reason.message })))
  const shown = (yield* (yield* Stdio.Stdio).stderrIsTerminal) ? `: ${Redacted.value(secret)}` : ""
  yield* printNote(`the first admin key is in ${file}${shown}`)
})

/** Makes sure that somebody can get in: by the configured key, or by one made at the first start. */
const ensureAdmin = Effect.fnUntraced(function* (config: ServiceConfig) {
  const keys = yield* ApiKeys
  const { databaseUrl, dataDir } = config.engine.stores
  if (Option.isSome(config.apiKey)) return yield* keys.setConfigured(config.apiKey.value)
  if (Option.isNone(databaseUrl)) {
    const context = yield* Effect.context<FileSystem.FileSystem | Stdio.Stdio>()
    return yield* Effect.asVoid(
      keys.makeFirst((secret) => Effect.provideContext(keepFirstKey(apiKeyFile(dataDir), secret), context))
    )
  }
  const { data } = yield* keys.list({ limit: 1 })
  if (data.length === 0)
    yield* printNote("there is no API key yet: make one by `wallet keys create`, or set WALLET_API_KEY")
})

/** Loaded where it is configured, so that one node alone starts sooner. */
const clusterLayer = (options: ClusterEngineOptions) =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("../cluster/ClusterEngine.ts")),
      ({ layerWithParts }) => layerWithParts(options)
    )
  )

/** One of several nodes, or the only one. */
const engineLayer = ({ cluster, engine }: ServiceConfig) =>
  Option.isSome(cluster) ? clusterLayer({ ...engine, cluster: cluster.value }) : layerWithParts(engine)

/** A key's rate is one for all nodes. */
const ratesLayer = ({ cluster, http }: ServiceConfig) =>
  Option.isNone(cluster) || http.requestsPerSecond === undefined
    ? Layer.empty
    : Layer.unwrap(
        Effect.map(
          Effect.promise(() => import("../cluster/redis/RedisRates.ts")),
          (rates) => rates.layer(cluster.value)
        )
      )

const serviceLayer = (config: ServiceConfig) =>
  Layer.mergeAll(httpServerWith(toolRoutes), processMetrics).pipe(
    // It listens, and is ready, only when somebody can get in.
    Layer.provide(Layer.effectDiscard(ensureAdmin(config))),
    Layer.provide(ratesLayer(config)),
    Layer.provideMerge(HttpConfig.layer(config.http)),
    Layer.provideMerge(ApiKeys.layer),
    Layer.provide(Webhooks.layer(config.webhooks)),
    Layer.provideMerge(engineLayer(config)),
    Layer.provideMerge(storesLayer(config.engine.stores)),
    Layer.provideMerge(telemetryLayer(config)),
    Layer.provideMerge(loggingLayer(config))
  )

const stand = Effect.fnUntraced(function* (json: boolean) {
  const server = yield* EffectHttpServer.HttpServer
  const url = EffectHttpServer.formatAddress(server.address)
  const directory = yield* DataDirectory
  yield* directory.announce(url)
  const console = (yield* HttpConfig).console ? `${url}/console` : null
  yield* printResult(json, { url, docs: `${url}/docs`, openapi: `${url}/openapi.json`, console }, [
    `listening on ${url}`,
    `documentation: ${url}/docs`,
    ...(console === null ? [] : [`console: ${console}`])
  ])
  const fenced = Effect.map((yield* Ownership).lost, (reason) => new OwnershipLost({ reason }))
  const unlocked = Effect.map(directory.lost, (reason) => new DirectoryLost({ reason }))
  return yield* Effect.flatMap(Effect.raceFirst(fenced, unlocked), Effect.fail)
}, Effect.scoped)

interface ServeOptions {
  readonly port: Option.Option<number>
  readonly host: Option.Option<string>
  readonly json: boolean
}

const serve = Effect.fnUntraced(function* (options: ServeOptions) {
  yield* (yield* Shutdown).expected
  const loaded = yield* loadServiceConfig
  if (Option.isSome(loaded.cluster)) {
    yield* refuseEmbedded(loaded.engine.stores.databaseUrl)
    yield* refuseStrangers(loaded.cluster.value)
  }
  const http = {
    ...loaded.http,
    port: Option.getOrElse(options.port, () => loaded.http.port),
    host: Option.getOrElse(options.host, () => loaded.http.host)
  }
  yield* stand(options.json).pipe(Effect.provide(serviceLayer({ ...loaded, http })))
})

const flags = {
  port: Flag.Int("port").pipe(
    Flag.withDescription("Instead of PORT; 0 takes any free one"),
    Flag.filter(
      (port) => port >= 0 && port <= 65_535,
      () => "a port from 0 to 65535 is expected"
    ),
    Flag.optional
  ),
  host: Flag.String("host").pipe(Flag.withDescription("Instead of HOST"), Flag.optional),
  json: Flags.json
}

export const serveCommand = Command.make("serve", flags, (options) => reportFailure(options.json)(serve(options))).pipe(
  Command.withShortDescription("Serve the HTTP API"),
  Command.withDescription("Serve the HTTP API until SIGTERM or SIGINT, then finish what is in flight and exit with 0")
)
