/**
 * Several nodes in memory on one database: the real ownership, actors, router and
 * handlers of each, and between them, instead of effect/cluster, a network that does as it
 * is told. Who owns a partition, and who thinks so, is the test's to say.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type { ActorBounds } from "../../src/actors/ActorBounds.ts"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { EventIds } from "../../src/actors/EventIds.ts"
import { NodeIdentity } from "../../src/actors/NodeIdentity.ts"
import { SoundClock } from "../../src/actors/SoundClock.ts"
import * as WalletPolicies from "../../src/actors/WalletPolicies.ts"
import { WalletRegistry } from "../../src/actors/WalletRegistry.ts"
import { WritePipeline } from "../../src/actors/WritePipeline.ts"
import * as ClusterCalls from "../../src/cluster/ClusterCalls.ts"
import * as ClusterOwnership from "../../src/cluster/ClusterOwnership.ts"
import { OwnerClient, OwnerUnavailable } from "../../src/cluster/OwnerClient.ts"
import { OwnerUrls } from "../../src/cluster/OwnerUrls.ts"
import { PeerStatus } from "../../src/cluster/PeerStatus.ts"
import * as PartitionHandlers from "../../src/cluster/PartitionHandlers.ts"
import { partitionOf } from "../../src/domain/Partition.ts"
import { ClusterStatus, WalletNodes } from "../../src/engine/ClusterStatus.ts"
import * as EngineRuntime from "../../src/engine/EngineRuntime.ts"
import { Reconciler } from "../../src/pipeline/Reconciler.ts"
import { TransferSaga } from "../../src/engine/TransferSaga.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import * as MemoryApiKeyStore from "../../src/stores/memory/MemoryApiKeyStore.ts"
import { MemoryDatabase } from "../../src/stores/memory/MemoryDatabase.ts"
import * as MemoryEventStore from "../../src/stores/memory/MemoryEventStore.ts"
import * as MemoryPersistence from "../../src/stores/memory/MemoryPersistence.ts"
import * as MemoryReadModel from "../../src/stores/memory/MemoryReadModel.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import { ReadModel } from "../../src/stores/ReadModel.ts"
import * as FaultyLog from "../support/FaultyEventStore.ts"
import * as FaultyRows from "../support/FaultyPersistence.ts"
import { type Installation, install, partitions } from "../support/Installation.ts"

type Handlers = PartitionHandlers.PartitionHandlers
type Message = Effect.Effect<unknown, OwnerUnavailable>

/** What becomes of one message; `deliver` brings it to its owner and its answer back. */
export type MessageFault = (deliver: Message) => Message

const unavailable = (delivered: boolean) => new OwnerUnavailable({ reason: "scripted", delivered })

/** It arrives, its answer does not. */
export const answerLost: MessageFault = (deliver) => Effect.andThen(deliver, Effect.fail(unavailable(true)))

/** It does not arrive, and that cannot be known. */
export const messageLost: MessageFault = () => Effect.fail(unavailable(true))

/** It surely does not arrive. */
export const notSent: MessageFault = () => Effect.fail(unavailable(false))

/** It arrives twice, and both answers go the same way. */
export const twice: MessageFault = (deliver) => Effect.andThen(deliver, deliver)

export interface LinkedNode {
  readonly engine: WalletEngine["Service"]
  readonly registry: WalletRegistry["Service"]
  readonly pipeline: WritePipeline["Service"]
  readonly claims: ClusterOwnership.ClaimTable
  readonly handlers: Handlers
  readonly log: FaultyLog.FaultyEventStore
  readonly persistence: FaultyRows.FaultyPersistence
  readonly outgoing: () => number
  /** Where it says that clients reach the owner of a wallet. */
  readonly urlOf: (walletId: string) => string | undefined
}

export class Network {
  readonly installation: Installation
  readonly nodes: Array<LinkedNode> = []
  /** Partition → node that has the lease. */
  private readonly leases = new Map<number, number>()
  /** Given to the next messages, in order. */
  readonly faults: Array<MessageFault> = []
  /** Given to every message for which there is no other. */
  always: MessageFault | undefined
  /** Sent, by kind. */
  readonly messages = { ask: 0, collect: 0, current: 0, owned: 0 }

  constructor(installation: Installation) {
    this.installation = installation
  }

  has(node: number, partition: number): boolean {
    return this.leases.get(partition) === node
  }

  /** The way from a node to all owners. */
  owners(node: number): OwnerClient["Service"] {
    const send = <A>(
      kind: keyof Network["messages"],
      partition: number,
      use: (handlers: Handlers) => Effect.Effect<A>
    ) =>
      Effect.suspend((): Effect.Effect<A, OwnerUnavailable> => {
        this.messages[kind]++
        const owner = this.leases.get(partition)
        if (owner === undefined) return Effect.fail(unavailable(false))
        const fault = this.faults.shift() ?? this.always
        const deliver: Effect.Effect<A, OwnerUnavailable> = Effect.suspend(() => use(this.nodes[owner]!.handlers))
        return fault === undefined ? deliver : (fault(deliver) as Effect.Effect<A, OwnerUnavailable>)
      })
    return OwnerClient.of({
      ask: (partition, text) => send("ask", partition, ({ ask }) => ask(text)),
      collect: (partition, token) => send("collect", partition, ({ collect }) => collect(token)),
      current: (partition, text) => send("current", partition, ({ current }) => current(text)),
      owned: (partition) => send("owned", partition, ({ owned }) => owned(partition)),
      isLocal: (partition) => this.has(node, partition)
    })
  }

  /** The lease goes, and its owner notices. */
  lose(walletId: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const partition = partitionOf(walletId, partitions)
      const before = this.leases.get(partition)
      this.leases.delete(partition)
      if (before === undefined) return Effect.void
      this.nodes[before]!.claims.cleared(partition)
      return this.nodes[before]!.registry.lose(new Set([partition]))
    })
  }

  /** The lease comes, and the claim. Whoever had it before does not notice. */
  gain(walletId: string, node: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const partition = partitionOf(walletId, partitions)
      this.leases.set(partition, node)
      const { registry } = this.nodes[node]!
      // Nothing may be left of the time before, as the claimer sees to it.
      return Effect.sleep(1).pipe(
        Effect.repeat({ until: () => !registry.isLeaving(partition) }),
        Effect.andThen(this.claim(node, [partition]))
      )
    })
  }

  handOver(walletId: string, node: number): Effect.Effect<void> {
    return Effect.andThen(this.lose(walletId), this.gain(walletId, node))
  }

  /** Every partition to that node. */
  gainAll(node: number): Effect.Effect<void> {
    const all = Array.from({ length: partitions }, (_, partition) => partition)
    for (const partition of all) this.leases.set(partition, node)
    return this.claim(node, all)
  }

  private claim(node: number, wanted: ReadonlyArray<number>): Effect.Effect<void> {
    return this.installation.log.claim({ partitions: wanted, owner: `node${node}`, time: 1 }).pipe(
      Effect.map((claims) => {
        for (const { epoch, partition } of claims) this.nodes[node]!.claims.claimed(partition, epoch)
      }),
      Effect.orDie
    )
  }
}

const startNode = Effect.fnUntraced(function* (
  network: Network,
  index: number,
  { bounds: given = {}, policy }: Pick<LinkOptions, "bounds" | "policy">
) {
  const { broken, state } = network.installation
  const bounds = { ...defaultBounds, ...given }
  const log = FaultyLog.make(MemoryEventStore.make(state), broken)
  const persistence = FaultyRows.make(MemoryPersistence.make(state))
  const database = Layer.succeed(MemoryDatabase, state)
  const stores = Layer.mergeAll(
    Layer.succeed(EventStore, log.store),
    Layer.succeed(Persistence, persistence.store),
    Layer.effect(ReadModel, Effect.map(MemoryDatabase, MemoryReadModel.make)).pipe(Layer.provide(database)),
    MemoryApiKeyStore.layer.pipe(Layer.provide(database))
  )
  const layer = Layer.effect(WalletEngine, EngineRuntime.make(bounds)).pipe(
    Layer.provideMerge(TransferSaga.layer(bounds)),
    Layer.provideMerge(
      Layer.mergeAll(ClusterCalls.layer(bounds), Reconciler.layer(bounds, { alone: false }), ClusterStatus.layerAlone)
    ),
    Layer.provideMerge(Layer.succeed(OwnerClient, network.owners(index))),
    Layer.provideMerge(EngineRuntime.layerWallets(bounds)),
    Layer.provideMerge(OwnerUrls.layer(`http://node-${index}.test`)),
    Layer.provideMerge(ClusterOwnership.layer({ partitions }).pipe(Layer.provide(PeerStatus.layer))),
    Layer.provideMerge(NodeIdentity.layer),
    Layer.provideMerge(EventIds.layer),
    SoundClock.provide(bounds),
    WalletPolicies.provide(policy),
    Layer.provide(stores)
  )
  const scope = yield* Scope.fork(yield* Effect.scope)
  const services = yield* Effect.orDie(Layer.buildWithScope(Layer.fresh(layer), scope))
  const handlers = yield* PartitionHandlers.make(bounds).pipe(Effect.provide(services), Scope.provide(scope))
  // A test may end with commands in flight, and a stop waits for them: its time must pass.
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      const stopping = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      for (let turn = 0; turn < 200 && stopping.pollUnsafe() === undefined; turn++) yield* TestClock.adjust(100)
    })
  )
  const claims = Context.get(services, ClusterOwnership.ClusterOwnership)
  claims.attach((partition) => network.has(index, partition))
  const node: LinkedNode = {
    engine: Context.get(services, WalletEngine),
    registry: Context.get(services, WalletRegistry),
    pipeline: Context.get(services, WritePipeline),
    claims,
    handlers,
    log,
    persistence,
    outgoing: Context.get(services, ClusterCalls.OutgoingCalls).waiting,
    urlOf: Context.get(services, WalletNodes)!.urlOf
  }
  return node
})

interface LinkOptions {
  readonly nodes?: number
  readonly bounds?: Partial<ActorBounds>
  /** Log and Persistence are two stores. */
  readonly separate?: boolean
  readonly policy?: WalletPolicies.GivenPolicies
}

/** Two nodes, or more; the first owns everything. */
export const linkNodes = Effect.fnUntraced(function* ({ nodes = 2, separate = false, ...options }: LinkOptions = {}) {
  const network = new Network(yield* install({ separate }))
  for (let index = 0; index < nodes; index++) network.nodes.push(yield* startNode(network, index, options))
  yield* network.gainAll(0)
  return network
})
