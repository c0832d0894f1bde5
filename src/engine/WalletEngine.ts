/**
 * The wallet engine as a service: commands that change wallets, queries that read
 * them. HTTP, CLI and embedding apps all use this and nothing below it.
 *
 * Every command takes an `idempotencyKey`: the same key with the same command has
 * one effect, however often and wherever it is sent; the second answer is the
 * first again, marked `replayed`.
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { defaultBounds } from "../actors/ActorBounds.ts"
import type { Ownership } from "../actors/Ownership.ts"
import { SoundClock } from "../actors/SoundClock.ts"
import * as WalletPolicies from "../actors/WalletPolicies.ts"
import { defaultPartitions } from "../domain/Partition.ts"
import type { ApiKeyStore } from "../stores/ApiKeyStore.ts"
import type { EventStore } from "../stores/EventStore.ts"
import * as MemoryStores from "../stores/memory/MemoryStores.ts"
import type { DataDirectory } from "../stores/pglite/DataDirectory.ts"
import type { Persistence } from "../stores/Persistence.ts"
import type { ReadModel } from "../stores/ReadModel.ts"
import { remoteEngine } from "../remote/RemoteEngine.ts"
import type { RemoteMisconfigured, RemoteOptions } from "../remote/RemoteOptions.ts"
import type { EngineService } from "./EngineApi.ts"
import type { ClusterNotServed, EngineConfig } from "./EngineConfig.ts"
import { engineConfig, refuseCluster } from "./EngineConfig.ts"
import type { EngineOptions, EngineStartError } from "./EngineRuntime.ts"
import * as EngineRuntime from "./EngineRuntime.ts"
import { portsOf, type StorePorts, type StoresStartError, storesLayer } from "./EngineStores.ts"

export type * from "./EngineApi.ts"
export { Reader } from "./ReadShare.ts"

/** `policy`: rules of the installation's own, one or several, asked in this order after the engine's. */
export type WithPolicy = Pick<EngineOptions, "policy">

export interface EmbeddedOptions extends WithPolicy {
  /** A folder, made if it is absent, which this process then has to itself. */
  readonly dataDir: string
  /** Default `wallet`. */
  readonly schema?: string | undefined
}

export interface PostgresOptions extends WithPolicy {
  /** `postgres://user:password@host:5432/database`, as `DATABASE_URL`. */
  readonly url: Redacted.Redacted
  /** Default `wallet`. Made if it is absent; a database may be shared with an app's own tables. */
  readonly schema?: string | undefined
  /** Default 10. */
  readonly maxConnections?: number | undefined
  /** Default `true`; `false` for a pooler in transaction mode. */
  readonly prepare?: boolean | undefined
}

/** What stands beside the engine, for `ApiKeys`, `Webhooks`, `verify`: the stores that it works on, and the ownership. */
export type EngineServices = WalletEngine | Ownership | StorePorts

/** Why an engine with stores of its own does not start. */
export type EngineWithStoresStartError = EngineStartError | StoresStartError

export class WalletEngine extends Context.Service<WalletEngine, EngineService>()("effect-wallet/engine/WalletEngine") {
  /** Over the stores in context; a single node that owns every wallet. Also gives the {@link Ownership} it works under. */
  static readonly layer = (
    options: EngineOptions
  ): Layer.Layer<WalletEngine | Ownership, EngineStartError, EventStore | Persistence | ReadModel | ApiKeyStore> =>
    layerWithParts(options)

  /** Everything in memory, for tests and trials: gone when the layer's scope ends. */
  static readonly layerMemory: Layer.Layer<EngineServices> = Layer.suspend(() => WalletEngine.layerMemoryWith({}))

  /** … with policies. */
  static readonly layerMemoryWith = (options: WithPolicy): Layer.Layer<EngineServices> =>
    Layer.orDie(
      WalletEngine.layer({ bounds: defaultBounds, partitions: defaultPartitions, ...options }).pipe(
        Layer.provideMerge(MemoryStores.layer())
      )
    )

  /** Embedded: PGlite in `dataDir`, which this process then has to itself (`DataDirectoryInUse` otherwise). */
  static readonly layerEmbedded = (
    options: EmbeddedOptions
  ): Layer.Layer<EngineServices | DataDirectory, EngineWithStoresStartError> =>
    WalletEngine.layerFrom({
      stores: {
        kurrentUrl: Option.none(),
        kurrentPrefix: "wallet",
        databaseUrl: Option.none(),
        dataDir: options.dataDir,
        schema: options.schema ?? "wallet",
        maxConnections: 1
      },
      partitions: defaultPartitions,
      bounds: defaultBounds,
      policy: options.policy
    })

  /** On PostgreSQL 15 or later, migrated to this release: log, rows and search in one database. A single node. */
  static readonly layerPostgres = (options: PostgresOptions): Layer.Layer<EngineServices, EngineWithStoresStartError> =>
    WalletEngine.layerFrom({
      stores: {
        kurrentUrl: Option.none(),
        kurrentPrefix: "wallet",
        databaseUrl: Option.some(options.url),
        dataDir: ".data",
        schema: options.schema ?? "wallet",
        maxConnections: options.maxConnections ?? 10,
        prepare: options.prepare
      },
      partitions: defaultPartitions,
      bounds: defaultBounds,
      policy: options.policy
    })

  /** As the environment says (the table in docs/OPERATIONS.md), each name behind `prefix_` if there is one; always a single node. */
  static readonly layerConfig = (
    options: { readonly prefix?: string | undefined } & WithPolicy = {}
  ): Layer.Layer<EngineServices | DataDirectory, EngineWithStoresStartError | ClusterNotServed | Config.ConfigError> =>
    Layer.unwrap(
      Effect.gen(function* () {
        const nested = <A>(config: Config.Config<A>) =>
          options.prefix === undefined ? config : Config.nested(config, options.prefix)
        yield* refuseCluster(nested)
        return WalletEngine.layerFrom({ ...(yield* nested(engineConfig)), policy: options.policy })
      })
    )

  /**
   * Remote: a service at `url`, over HTTP. No store and no wallet is in this process, and nothing stands beside the engine:
   * keys and webhooks are the service's. What differs is in the guide.
   */
  static readonly layerRemote = (options: RemoteOptions): Layer.Layer<WalletEngine, RemoteMisconfigured> =>
    Layer.effect(WalletEngine, remoteEngine(options))

  /** As `config` says. */
  static readonly layerFrom = (
    config: EngineConfig & WithPolicy
  ): Layer.Layer<EngineServices | DataDirectory, EngineWithStoresStartError> =>
    WalletEngine.layer(config).pipe(Layer.merge(portsOf), Layer.provide(storesLayer(config.stores)))
}

/** The engine with the parts that it is made of, for what of this package looks into it: nobody else may rely on them. */
export const layerWithParts = (options: EngineOptions) =>
  Layer.effect(WalletEngine, EngineRuntime.make(options.bounds)).pipe(
    Layer.provideMerge(EngineRuntime.layerActors(options)),
    SoundClock.provide(options.bounds),
    WalletPolicies.provide(options.policy)
  )
