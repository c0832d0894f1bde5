/** One process: the whole engine over gated stores. It can be stopped in order, or be gone in the middle of a step. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { NodeIdentity } from "../../actors/NodeIdentity.ts"
import { Ownership } from "../../actors/Ownership.ts"
import { notCompared } from "../../actors/SoundClock.ts"
import { WalletRegistry } from "../../actors/WalletRegistry.ts"
import type { AnyPolicy } from "../../domain/Policy.ts"
import { WalletEngine, layerWithParts } from "../../engine/WalletEngine.ts"
import { EventStore } from "../../stores/EventStore.ts"
import * as MemoryApiKeyStore from "../../stores/memory/MemoryApiKeyStore.ts"
import { MemoryDatabase } from "../../stores/memory/MemoryDatabase.ts"
import * as MemoryReadModel from "../../stores/memory/MemoryReadModel.ts"
import { Persistence } from "../../stores/Persistence.ts"
import { ReadModel } from "../../stores/ReadModel.ts"
import { gatedStores } from "./GatedStores.ts"
import type { Trial } from "./Trial.ts"
import { partitions } from "./FaultPlan.ts"
import { type Life, processContext } from "./World.ts"

type Engine = WalletEngine | Ownership | WalletRegistry | NodeIdentity

export interface SimulatedNode {
  readonly name: string
  readonly life: Life
  /** Set when the node has started. */
  engine: WalletEngine["Service"] | undefined
  registry: WalletRegistry["Service"] | undefined
  /** The name under which it claims. */
  owner: string | undefined
  stopping: boolean
  /** Runs an effect in this process; of one that is gone nothing is heard. */
  readonly run: <A, E>(effect: Effect.Effect<A, E>, done: (exit: Exit.Exit<A, E>) => void) => void
  readonly kill: () => void
  /** Calls when the node has found out that another one owns its wallets: then the service stops. */
  readonly whenLost: (lost: () => void) => void
  /** In order; `done` when the process has ended. */
  readonly stop: (done: () => void) => void
}

/** Where they are renewed, every other node has the same version. */
const policiesFor = ({ policies, renewed }: Trial, name: string): ReadonlyArray<AnyPolicy> =>
  policies.map((policy) =>
    renewed.includes(policy.name) ? { ...policy, version: `of ${Number(name.slice(-1)) % 2}` } : policy
  )

const layerOf = (trial: Trial, node: Pick<SimulatedNode, "life" | "kill" | "name">, takeOver: () => boolean) => {
  const { log, persistence } = gatedStores(trial, { life: node.life, kill: node.kill, takeOver })
  const database = Layer.succeed(MemoryDatabase, trial.state)
  const stores = Layer.mergeAll(
    Layer.succeed(EventStore, log),
    Layer.succeed(Persistence, persistence),
    Layer.succeed(ReadModel, MemoryReadModel.make(trial.state)),
    MemoryApiKeyStore.layer.pipe(Layer.provide(database))
  )
  const policy = policiesFor(trial, node.name)
  return Layer.fresh(layerWithParts({ bounds: trial.plan.bounds, partitions, policy }).pipe(Layer.provide(stores)))
}

/** What a cluster wants to hear of a node. */
interface Listener {
  readonly takeOver: () => boolean
  /** It has come up. */
  readonly started: (node: SimulatedNode) => void
  /** Once, however it ends. */
  readonly gone: (node: SimulatedNode) => void
}

const newLife = ({ calm, random, plan }: Trial, name: string): Life => ({
  name,
  alive: true,
  up: false,
  clockAhead: calm ? 0 : random.between(-plan.clockSkew, plan.clockSkew),
  clockUnknown: false,
  preemption: plan.preemption
})

/** Starts a process. */
export const startNode = (trial: Trial, name: string, on: Listener): SimulatedNode => {
  const { history, random, world } = trial
  const life = newLife(trial, name)
  const note = (what: string) => history.note(world.elapsed, name, what)
  const base = processContext(world, life, random.fork(), (level, message) => {
    if (message.includes(notCompared)) life.clockUnknown = true
    note(`${level}: ${message}`)
  })
  const scope = Scope.makeUnsafe()
  let ownership: Ownership["Service"] | undefined
  let services: Context.Context<never> = base

  const end = (what: string) => {
    if (!life.alive) return
    life.alive = false
    note(what)
    on.gone(node)
  }
  const node: SimulatedNode = {
    name,
    life,
    engine: undefined,
    registry: undefined,
    owner: undefined,
    stopping: false,
    run: (effect, done) => {
      if (!life.alive) return
      const fiber = Effect.runForkWith(services)(effect)
      fiber.addObserver((exit) => {
        if (life.alive) done(exit)
      })
    },
    kill: () => end("is killed"),
    whenLost: (lost) => {
      if (ownership !== undefined) node.run(ownership.lost, lost)
    },
    stop: (done) => {
      if (!life.alive || node.stopping) return
      node.stopping = true
      note("stops")
      node.run(Scope.close(scope, Exit.void), () => {
        end("has stopped")
        done()
      })
    }
  }
  note("starts")
  // Begins in a turn of its own: a fault may kill it before this function has answered.
  world.after(0, () =>
    node.run(Layer.buildWithScope(layerOf(trial, node, on.takeOver), scope), (exit) => {
      if (Exit.isFailure(exit)) return end("cannot start")
      const built: Context.Context<Engine> = exit.value
      services = Context.merge(base, built)
      ownership = Context.get(built, Ownership)
      node.engine = Context.get(built, WalletEngine)
      life.up = true
      node.registry = Context.get(built, WalletRegistry)
      node.owner = Context.get(built, NodeIdentity).owner
      note(`is up as ${node.owner.slice(-6)}`)
      on.started(node)
    })
  )
  return node
}
