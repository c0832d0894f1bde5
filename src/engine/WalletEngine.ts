/**
 * The wallet engine as a service: commands that change wallets, queries that read
 * them. HTTP, CLI and embedding apps all use this and nothing below it.
 *
 * Every command takes an `idempotencyKey`: the same key with the same command has
 * one effect, however often and wherever it is sent; the second answer is the
 * first again, marked `replayed`.
 */
import * as Context from "effect/Context"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import { defaultBounds } from "../actors/ActorBounds.ts"
import type { CommandError } from "../actors/EngineError.ts"
import type { RecordedEvent } from "../domain/Event.ts"
import type { Metadata } from "../domain/Form.ts"
import type { HoldNotFound, InvalidRequest, WalletNotFound } from "../domain/Rejection.ts"
import { defaultPartitions } from "../domain/Partition.ts"
import type { Hold, Transaction } from "../domain/Wallet.ts"
import * as MemoryStores from "../stores/MemoryStores.ts"
import type { Page } from "../stores/Page.ts"
import type { HoldQuery, TransactionQuery, WalletView } from "../stores/Persistence.ts"
import type { TransactionSearch, WalletSearch } from "../stores/ReadModel.ts"
import type { EventUnreadable, PositionGone, ReadError } from "../stores/StoreError.ts"
import type { EngineConfig } from "./EngineConfig.ts"
import { engineConfig, refuseLaterStores } from "./EngineConfig.ts"
import { storesLayer } from "./EngineStores.ts"
import type { EngineOptions } from "./EngineRuntime.ts"
import * as EngineRuntime from "./EngineRuntime.ts"

/** How far a caller waits: the log, PostgreSQL, the search index. Each includes the ones before. */
export type Await = "committed" | "persisted" | "indexed"

/** What is durable, as of the answer. */
export interface Durability {
  readonly committed: boolean
  readonly persisted: boolean
  readonly indexed: boolean
}

/** Part of every command. */
export interface CommandOptions {
  /** 1–255 visible ASCII characters, unique per wallet and command for at least 24 h. */
  readonly idempotencyKey: string
  /** Default `persisted`. */
  readonly await?: Await | undefined
  /** Recorded with the event: who asked (the API key's name). */
  readonly actor?: string | undefined
  readonly correlationId?: string | undefined
  /** `true`: the key is recognised whatever its age, not only for 24 h (imports). */
  readonly rememberForever?: boolean | undefined
}

export interface CommandAnswer {
  /** As of the command's own last event, also when replayed. */
  readonly wallet: WalletView
  readonly durability: Durability
  /** `true`: the key was known, nothing new has happened. */
  readonly replayed: boolean
}

export interface TransactionAnswer extends CommandAnswer {
  readonly transaction: Transaction
}

export interface HoldAnswer extends CommandAnswer {
  readonly hold: Hold
}

export interface CaptureAnswer extends CommandAnswer {
  readonly hold: Hold
  readonly transaction: Transaction
}

export interface CreateWalletInput extends CommandOptions {
  /** Default: derived from the idempotency key, so that a retry meets the same wallet. */
  readonly id?: string | undefined
  readonly ownerId: string
  readonly currency: string
  readonly overdraftLimit?: bigint | undefined
  readonly metadata?: Metadata | undefined
}

export interface WalletInput extends CommandOptions {
  readonly walletId: string
}

export interface MovementInput extends WalletInput {
  /** Minor units, 0 < amount < 10^30. */
  readonly amount: bigint
  readonly reference?: string | null | undefined
  readonly metadata?: Metadata | undefined
}

export interface PlaceHoldInput extends MovementInput {
  /** Milliseconds since the epoch, in the future. */
  readonly expiresAt?: number | null | undefined
}

export interface HoldInput extends WalletInput {
  readonly holdId: string
}

export interface CaptureHoldInput extends HoldInput {
  /** Default: all that remains. */
  readonly amount?: bigint | undefined
  /** `true`: release what then remains. */
  readonly final?: boolean | undefined
}

export interface StatusInput extends WalletInput {
  readonly reason?: string | null | undefined
}

/** At least one of the two; both are applied in one append. */
export interface UpdateWalletInput extends WalletInput {
  readonly metadata?: Metadata | undefined
  readonly overdraftLimit?: bigint | undefined
}

export interface WalletRead {
  readonly walletId: string
  /** At least this version, else wait for it: a version named in an answer that the caller has seen. */
  readonly minVersion?: number | undefined
}

/** A past state: exactly one of the two. */
export type WalletMoment =
  | { readonly walletId: string; readonly atVersion: number }
  | { readonly walletId: string; readonly at: number }

export interface EventsQuery {
  readonly walletId: string
  /** Version; `-1`: from the first event. */
  readonly after: number
  /** 1–200. */
  readonly limit: number
}

/** An event of the feed, with its place in the log. */
export interface FeedEvent {
  readonly position: bigint
  readonly recorded: RecordedEvent
}

export interface EngineHealth {
  /** Whether commands can be served: the log answers, this node owns its partitions, no queue is at its bound. */
  readonly ready: boolean
  /** Per part, by name. */
  readonly checks: ReadonlyArray<{
    readonly name: "log" | "ownership" | "persistence" | "readModel"
    readonly status: "ok" | "degraded" | "down"
    readonly detail: string | null
  }>
}

type ReadFailure = WalletNotFound | InvalidRequest | ReadError | EventUnreadable

export class WalletEngine extends Context.Service<WalletEngine, {
  readonly createWallet: (input: CreateWalletInput) => Effect.Effect<CommandAnswer, CommandError>
  readonly credit: (input: MovementInput) => Effect.Effect<TransactionAnswer, CommandError>
  readonly debit: (input: MovementInput) => Effect.Effect<TransactionAnswer, CommandError>
  readonly placeHold: (input: PlaceHoldInput) => Effect.Effect<HoldAnswer, CommandError>
  readonly captureHold: (input: CaptureHoldInput) => Effect.Effect<CaptureAnswer, CommandError>
  readonly releaseHold: (input: HoldInput) => Effect.Effect<HoldAnswer, CommandError>
  readonly freeze: (input: StatusInput) => Effect.Effect<CommandAnswer, CommandError>
  readonly unfreeze: (input: StatusInput) => Effect.Effect<CommandAnswer, CommandError>
  readonly close: (input: StatusInput) => Effect.Effect<CommandAnswer, CommandError>
  readonly updateWallet: (input: UpdateWalletInput) => Effect.Effect<CommandAnswer, CommandError>

  /** From the owner actor: a caller reads its own writes. */
  readonly getWallet: (read: WalletRead) => Effect.Effect<WalletView, CommandError>
  /** From the log. `WalletNotFound`: not created by then, or no such version. `InvalidRequest`: a time in the future. */
  readonly walletAt: (moment: WalletMoment) => Effect.Effect<WalletView, ReadFailure>
  /** From the log, upwards. */
  readonly events: (query: EventsQuery) => Effect.Effect<ReadonlyArray<RecordedEvent>, ReadFailure>
  /** From Persistence, newest first. `minVersion`: wait until Persistence has it, then `StoreUnavailable`. */
  readonly transactions: (
    query: TransactionQuery & { readonly minVersion?: number | undefined }
  ) => Effect.Effect<Page<Transaction>, ReadFailure>
  readonly holds: (
    query: HoldQuery & { readonly minVersion?: number | undefined }
  ) => Effect.Effect<Page<Hold>, ReadFailure>
  readonly hold: (walletId: string, holdId: string) => Effect.Effect<Hold, ReadFailure | HoldNotFound>
  /** From the read model. */
  readonly searchWallets: (query: WalletSearch) => Effect.Effect<Page<WalletView>, InvalidRequest | ReadError>
  readonly searchTransactions: (
    query: TransactionSearch
  ) => Effect.Effect<Page<Transaction>, InvalidRequest | ReadError>
  /** All wallets' events from a position on, then live, at least once, in order. */
  readonly feed: (after: bigint) => Stream.Stream<FeedEvent, PositionGone | ReadError | EventUnreadable>

  readonly health: Effect.Effect<EngineHealth>
}>()("effect-wallet/engine/WalletEngine") {
  /** Over the stores in context; a single node that owns every wallet. Also gives the {@link Ownership} it works under. */
  static readonly layer = (options: EngineOptions) =>
    Layer.effect(WalletEngine, EngineRuntime.make(options.bounds)).pipe(
      Layer.provideMerge(EngineRuntime.layerActors(options))
    )

  /** Everything in memory, for tests and trials: gone when the layer's scope ends. */
  static readonly layerMemory: Layer.Layer<WalletEngine> = Layer.orDie(
    WalletEngine.layer({ bounds: defaultBounds, partitions: defaultPartitions }).pipe(Layer.provide(MemoryStores.layer()))
  )

  /** Embedded: PGlite in `dataDir`, which this process then has to itself (`DataDirectoryInUse` otherwise). */
  static readonly layerEmbedded = (options: { readonly dataDir: string; readonly schema?: string | undefined }) =>
    WalletEngine.layerFrom({
      stores: {
        databaseUrl: Option.none(),
        dataDir: options.dataDir,
        schema: options.schema ?? "wallet",
        maxConnections: 1
      },
      partitions: defaultPartitions,
      bounds: defaultBounds
    })

  /** As the environment says (see the README's table), each name behind `prefix_` if there is one. */
  static readonly layerConfig = (options: { readonly prefix?: string | undefined } = {}) =>
    Layer.unwrap(
      Effect.gen(function* () {
        const nested = <A>(config: Config.Config<A>) =>
          options.prefix === undefined ? config : Config.nested(config, options.prefix)
        yield* refuseLaterStores(nested)
        return WalletEngine.layerFrom(yield* nested(engineConfig))
      })
    )

  /** As `config` says. */
  static readonly layerFrom = (config: EngineConfig) =>
    WalletEngine.layer(config).pipe(Layer.provide(storesLayer(config.stores)))
}
