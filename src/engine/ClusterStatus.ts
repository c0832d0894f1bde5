/**
 * What an engine has of the nodes beside it, and what stands in their place where it is alone: what a node knows of them
 * and of its own part in the installation, for whoever is on call; what one node does for all; and rates that all count
 * together.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { RateLimiterError } from "effect/persistence/RateLimiter"
import { NodeIdentity } from "../actors/NodeIdentity.ts"
import { Ownership } from "../actors/Ownership.ts"
import { WalletRegistry } from "../actors/WalletRegistry.ts"

/** A node that was heard of within a lease. */
export interface ClusterNode {
  /** `host:port` for the other nodes; `null`: there are none. */
  readonly address: string | null
  /** Of this start of its process: the name under which it claims partitions. */
  readonly incarnation: string
  readonly healthy: boolean
  /** Leases in its name. */
  readonly partitions: number
}

/**
 * - `answering`: the store of the leases has answered within a third of a lease or so.
 * - `grace`: it has not; what is owned is kept, and nothing changes hands.
 * - `none`: there are no leases, this node is alone.
 */
export type LeaseState = "answering" | "grace" | "none"

/** This node's own part. */
export interface OwnPart {
  readonly incarnation: string
  /** Partitions that it has claimed and may write, with the epoch of the claim. */
  readonly owned: ReadonlyArray<{ readonly partition: number; readonly epoch: number }>
  readonly residentWallets: number
  readonly busyWallets: number
  /** In the mailboxes of its wallets. */
  readonly waitingCommands: number
  /** On their way to the owners of other wallets. */
  readonly outgoingCommands: number
}

export interface ClusterView {
  /** Of the installation. */
  readonly partitions: number
  readonly leases: LeaseState
  /** `null`: the store of the leases does not answer. */
  readonly nodes: ReadonlyArray<ClusterNode> | null
  /** Partitions in nobody's name just now; `null`: not known. */
  readonly unowned: number | null
  readonly node: OwnPart
}

export class ClusterStatus extends Context.Service<ClusterStatus, { readonly view: Effect.Effect<ClusterView> }>()(
  "effect-wallet/engine/ClusterStatus"
) {
  /** A node that is the only one. */
  static readonly layerAlone = Layer.effect(
    ClusterStatus,
    Effect.gen(function* () {
      const part = yield* ownPart(() => 0)
      return ClusterStatus.of({
        view: Effect.sync(() => {
          const { partitions, ...node } = part()
          const { incarnation, owned } = node
          const self = { address: null, incarnation, healthy: true, partitions: owned.length }
          return { partitions, leases: "none" as const, nodes: [self], unowned: partitions - owned.length, node }
        })
      })
    })
  )
}

/** Reads this node's part as it is, with the installation's number of partitions. */
export const ownPart = Effect.fnUntraced(function* (outgoingCommands: () => number) {
  const { epochOf, partitions } = yield* Ownership
  const registry = yield* WalletRegistry
  const { owner: incarnation } = yield* NodeIdentity
  return (): OwnPart & { readonly partitions: number } => {
    const owned: Array<OwnPart["owned"][number]> = []
    for (let partition = 0; partition < partitions; partition++) {
      const epoch = epochOf(partition)
      if (epoch !== undefined) owned.push({ partition, epoch })
    }
    const { busyWallets, residentWallets, waitingCommands } = registry.load()
    return {
      partitions,
      incarnation,
      owned,
      residentWallets,
      busyWallets,
      waitingCommands,
      outgoingCommands: outgoingCommands()
    }
  }
})

export interface SingletonsService {
  /**
   * Has `run` run on one node for as long as the scope is open, if every node registers it by this name. It is
   * started anew where its node has gone; for a moment two nodes may run it.
   */
  readonly register: (name: string, run: Effect.Effect<void>) => Effect.Effect<void, never, Scope.Scope>
}

const alone: SingletonsService = { register: (_name, run) => Effect.asVoid(Effect.forkScoped(run)) }

export const Singletons = Context.Reference<SingletonsService>("effect-wallet/engine/Singletons", {
  defaultValue: () => alone
})

export interface WalletNodesService {
  /** Where clients reach the owner of the wallet, which need not exist; `undefined`: this node does not know, or it is nowhere. */
  readonly urlOf: (walletId: string) => string | undefined
}

export const WalletNodes = Context.Reference<WalletNodesService | undefined>("effect-wallet/engine/WalletNodes", {
  defaultValue: () => undefined
})

export interface RateRequest {
  /** Whose rate it is. */
  readonly key: string
  /** What is taken, 1 or more. */
  readonly tokens: number
  /** Tokens of a second. */
  readonly limit: number
}

export interface Rates {
  /** Takes tokens, or fails with how long to wait. Whatever is away, it answers within a tenth of a second or so. */
  readonly consume: (request: RateRequest) => Effect.Effect<void, RateLimiterError>
}

export const SharedRates = Context.Reference<Rates | undefined>("effect-wallet/engine/SharedRates", {
  defaultValue: () => undefined
})
