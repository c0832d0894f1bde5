/**
 * One database in memory and the nodes that run on it: started, stopped, killed and
 * started again, each behind faults of its own.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { assert } from "vitest"
import type { ActorBounds } from "../../src/actors/ActorBounds.ts"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { NodeIdentity } from "../../src/actors/NodeIdentity.ts"
import { Ownership } from "../../src/actors/Ownership.ts"
import type { GivenPolicies } from "../../src/actors/WalletPolicies.ts"
import { WalletRegistry } from "../../src/actors/WalletRegistry.ts"
import { WritePipeline } from "../../src/actors/WritePipeline.ts"
import type { RecordedEvent } from "../../src/domain/Event.ts"
import { fold } from "../../src/domain/Evolve.ts"
import type { Wallet } from "../../src/domain/Wallet.ts"
import { encodeWallet } from "../../src/domain/WalletCodec.ts"
import { Reconciler } from "../../src/pipeline/Reconciler.ts"
import { verify } from "../../src/engine/verify/Verify.ts"
import { WalletEngine, layerWithParts } from "../../src/engine/WalletEngine.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import * as MemoryApiKeyStore from "../../src/stores/memory/MemoryApiKeyStore.ts"
import type { MemoryState, UserRule } from "../../src/stores/memory/MemoryDatabase.ts"
import { MemoryDatabase } from "../../src/stores/memory/MemoryDatabase.ts"
import * as MemoryEventStore from "../../src/stores/memory/MemoryEventStore.ts"
import * as MemoryPersistence from "../../src/stores/memory/MemoryPersistence.ts"
import * as MemoryReadModel from "../../src/stores/memory/MemoryReadModel.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import { ReadModel } from "../../src/stores/ReadModel.ts"
import type { FaultyEventStore } from "./FaultyEventStore.ts"
import * as Faulty from "./FaultyEventStore.ts"
import type { FaultyPersistence } from "./FaultyPersistence.ts"
import * as FaultyKeys from "./FaultyPersistence.ts"

export interface Node {
  /** The name under which it leaves its checkpoint. */
  readonly owner: string
  readonly engine: WalletEngine["Service"]
  readonly registry: WalletRegistry["Service"]
  readonly ownership: Ownership["Service"]
  readonly log: FaultyEventStore
  readonly persistence: FaultyPersistence
  /** Everything this node has logged, with the cause. */
  readonly logged: Array<string>
  /** The way from the log to a Persistence of its own. */
  readonly pipeline: WritePipeline["Service"]
  readonly reconciler: Reconciler["Service"]
  /** An orderly stop. */
  readonly stop: Effect.Effect<void>
  /** The process is gone: no store ever answers it again. */
  readonly kill: () => void
}

export interface Installation {
  readonly state: MemoryState
  readonly start: (bounds?: Partial<ActorBounds>, policy?: GivenPolicies) => Effect.Effect<Node, never, Scope.Scope>
  /** Ids of events that no node can read. */
  readonly broken: Set<string>
  /** The inner log, without any node's faults. */
  readonly log: EventStore["Service"]
  readonly events: (walletId: string) => ReadonlyArray<RecordedEvent>
  /** Types of a wallet's events. */
  readonly types: (walletId: string) => ReadonlyArray<string>
}

export const partitions = 16

/** Wallets that keep one key in memory and no trace of the others: all else has to be looked up. */
export const forgetful: Partial<ActorBounds> = { keysInMemory: 1, keyFilterBytes: 0 }

const capture = (logged: Array<string>) =>
  Logger.layer([
    Logger.make((options) => {
      logged.push(`${String(options.message)} ${Cause.pretty(options.cause)}`)
    })
  ])

const startNode = Effect.fnUntraced(function* (
  state: MemoryState,
  broken: ReadonlySet<string>,
  bounds: Partial<ActorBounds>,
  { clock, policy, tellsPast }: InstallOptions
) {
  const log = Faulty.make(MemoryEventStore.make(state), broken, tellsPast)
  const persistence = FaultyKeys.make(MemoryPersistence.make(state))
  const logged: Array<string> = []
  const database = Layer.succeed(MemoryDatabase, state)
  const stores = Layer.mergeAll(
    Layer.succeed(EventStore, log.store),
    Layer.succeed(Persistence, persistence.store),
    Layer.effect(ReadModel, Effect.map(MemoryDatabase, MemoryReadModel.make)).pipe(Layer.provide(database)),
    MemoryApiKeyStore.layer.pipe(Layer.provide(database))
  )
  const scope = yield* Scope.fork(yield* Effect.scope)
  const layer = Layer.fresh(
    layerWithParts({ bounds: { ...defaultBounds, ...bounds }, partitions, policy }).pipe(
      Layer.provide(stores),
      Layer.provide(capture(logged)),
      Layer.provide(clock === undefined ? Layer.empty : Layer.succeed(Clock.Clock, clock))
    )
  )
  const services = yield* Effect.orDie(Layer.buildWithScope(layer, scope))
  const stop = Scope.close(scope, Exit.void)
  // A test may end with commands in flight, and a stop waits for them: its time must pass.
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      const stopping = yield* Effect.forkChild(stop)
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(stopping)
    })
  )
  return {
    owner: Context.get(services, NodeIdentity).owner,
    engine: Context.get(services, WalletEngine),
    registry: Context.get(services, WalletRegistry),
    ownership: Context.get(services, Ownership),
    pipeline: Context.get(services, WritePipeline),
    reconciler: Context.get(services, Reconciler),
    log,
    persistence,
    logged,
    stop,
    kill: () => {
      log.kill()
      persistence.kill()
    }
  }
})

interface InstallOptions {
  /** A user's rule that refuses commits. */
  readonly rule?: UserRule
  readonly bounds?: Partial<ActorBounds>
  /** Each step of a transfer is an append of its own, as between nodes. */
  readonly stepwise?: boolean
  /** Log and Persistence are two stores. */
  readonly separate?: boolean
  /** The log tells by look-ups what took place earlier; default: it is read from the streams. */
  readonly tellsPast?: boolean
  /** Of the nodes; the stores have the test's own. */
  readonly clock?: Clock.Clock
  readonly policy?: GivenPolicies
}

/** An append that a test holds back holds no other wallet's back. */
const besideOthers = { besideEvents: 1 }

const inSteps = ({ stepwise = false }: InstallOptions): Partial<ActorBounds> => (stepwise ? { jointWallets: 0 } : {})

/** The ways that a transfer can take. */
export const transferModes: ReadonlyArray<readonly [string, Pick<InstallOptions, "separate" | "stepwise">]> = [
  ["in one store, all steps at once", {}],
  ["in one store, step by step", { stepwise: true }],
  ["over two stores", { separate: true }]
]

/** Whether each step is an append of its own. */
export const takesSteps = ({ separate = false, stepwise = false }: InstallOptions): boolean => separate || stepwise

/** A new, empty database. */
export const install = Effect.fnUntraced(function* (
  options: InstallOptions = {}
): Effect.fn.Return<Installation, never, Scope.Scope> {
  const { rule, separate } = options
  const services = yield* Layer.build(Layer.fresh(MemoryDatabase.layer({ rule, separate })))
  const state = Context.get(services, MemoryDatabase)
  const events = (walletId: string) => state.streams.get(walletId) ?? []
  const broken = new Set<string>()
  return {
    state,
    broken,
    start: (bounds = {}, policy = options.policy) =>
      startNode(
        state,
        broken,
        { ...besideOthers, ...inSteps(options), ...options.bounds, ...bounds },
        { ...options, policy }
      ),
    log: MemoryEventStore.make(state),
    events,
    types: (walletId) => events(walletId).map(({ event }) => event._tag)
  }
})

/** An installation with one node. */
export const installNode = Effect.fnUntraced(function* (options: InstallOptions = {}) {
  const installation = yield* install(options)
  return { installation, node: yield* installation.start() }
})

/** Lets all fibers go on until `condition` holds; fails the test when it never does. */
export const until = (condition: () => boolean, what: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let turn = 0; turn < 20_000; turn++) {
      if (condition()) return
      yield* Effect.yieldNow
    }
    assert.fail(`never: ${what}`)
  })

/** Until nothing waits and nothing runs: fails when a count has leaked. A caller's answer may come before that. */
export const quiet = (node: Node): Effect.Effect<void> =>
  until(() => {
    const { busyWallets, waitingBytes, waitingCommands } = node.registry.load()
    return busyWallets === 0 && waitingBytes === 0 && waitingCommands === 0
  }, "all is quiet and every count back at zero")

const encoded = (wallet: Wallet | undefined) => (wallet === undefined ? undefined : encodeWallet(wallet))

/** What is in memory, in the log and in Persistence is the same wallet. */
export const assertConsistent = Effect.fnUntraced(function* (installation: Installation, node: Node, walletId: string) {
  const events = installation.events(walletId)
  events.forEach((recorded, index) => {
    assert.strictEqual(recorded.version, index, "versions have no gap")
    const before = events[index - 1]
    assert.isTrue(before === undefined || before.time <= recorded.time, "times never go back")
  })
  assert.strictEqual(new Set(events.map(({ id }) => id)).size, events.length, "an event is there once")
  const folded = fold(undefined, events)
  const current = yield* node.registry.current(walletId, -1)
  assert.deepStrictEqual(encoded(current), encoded(folded))
  const row = installation.state.wallets.get(walletId)?.wallet
  assert.deepStrictEqual([row?.version, row?.balance, row?.held], [folded?.version, folded?.balance, folded?.held])
  yield* quiet(node)
})

/** Whether all its stores tell the same, by `wallet verify`, with nothing on its way. */
export const assertVerified = Effect.fnUntraced(function* (installation: Installation) {
  const { state } = installation
  const report = yield* verify({ lagMillis: 0 }).pipe(
    Effect.provideService(EventStore, installation.log),
    Effect.provideService(Persistence, MemoryPersistence.make(state)),
    Effect.provideService(ReadModel, MemoryReadModel.make(state))
  )
  assert.strictEqual(report.differenceCount, 0, JSON.stringify(report.differences))
})
