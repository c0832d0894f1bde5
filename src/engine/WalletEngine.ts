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
import { defaultBounds } from "../actors/ActorBounds.ts"
import { SoundClock } from "../actors/SoundClock.ts"
import * as WalletPolicies from "../actors/WalletPolicies.ts"
import { defaultPartitions } from "../domain/Partition.ts"
import * as MemoryStores from "../stores/memory/MemoryStores.ts"
import type { EngineCommands, EngineQueries, EngineTransfers } from "./EngineApi.ts"
import type { EngineConfig } from "./EngineConfig.ts"
import { engineConfig, refuseCluster } from "./EngineConfig.ts"
import type { EngineOptions } from "./EngineRuntime.ts"
import * as EngineRuntime from "./EngineRuntime.ts"
import { storesLayer } from "./EngineStores.ts"

export type * from "./EngineApi.ts"
export { Reader } from "./ReadShare.ts"

/** `policy`: rules of the installation's own, one or several, asked in this order after the engine's. */
export type WithPolicy = Pick<EngineOptions, "policy">

export class WalletEngine extends Context.Service<WalletEngine, EngineCommands & EngineQueries & EngineTransfers>()(
  "effect-wallet/engine/WalletEngine"
) {
  /** Over the stores in context; a single node that owns every wallet. Also gives the {@link Ownership} it works under. */
  static readonly layer = (options: EngineOptions) =>
    Layer.effect(WalletEngine, EngineRuntime.make(options.bounds)).pipe(
      Layer.provideMerge(EngineRuntime.layerActors(options)),
      SoundClock.provide(options.bounds),
      WalletPolicies.provide(options.policy)
    )

  /** Everything in memory, for tests and trials: gone when the layer's scope ends. */
  static readonly layerMemory: Layer.Layer<WalletEngine> = Layer.suspend(() => WalletEngine.layerMemoryWith({}))

  /** … with policies. */
  static readonly layerMemoryWith = (options: WithPolicy): Layer.Layer<WalletEngine> =>
    Layer.orDie(
      WalletEngine.layer({ bounds: defaultBounds, partitions: defaultPartitions, ...options }).pipe(
        Layer.provide(MemoryStores.layer())
      )
    )

  /** Embedded: PGlite in `dataDir`, which this process then has to itself (`DataDirectoryInUse` otherwise). */
  static readonly layerEmbedded = (
    options: { readonly dataDir: string; readonly schema?: string | undefined } & WithPolicy
  ) =>
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

  /** As the environment says (the table in docs/OPERATIONS.md), each name behind `prefix_` if there is one; always a single node. */
  static readonly layerConfig = (options: { readonly prefix?: string | undefined } & WithPolicy = {}) =>
    Layer.unwrap(
      Effect.gen(function* () {
        const nested = <A>(config: Config.Config<A>) =>
          options.prefix === undefined ? config : Config.nested(config, options.prefix)
        yield* refuseCluster(nested)
        return WalletEngine.layerFrom({ ...(yield* nested(engineConfig)), policy: options.policy })
      })
    )

  /** As `config` says. */
  static readonly layerFrom = (config: EngineConfig & WithPolicy) =>
    WalletEngine.layer(config).pipe(Layer.provide(storesLayer(config.stores)))
}
