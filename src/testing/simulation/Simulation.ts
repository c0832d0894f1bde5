/**
 * One run of the whole engine from one seed: clients, nodes, stores, faults and time, all
 * of it repeatable; then the checks.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { AnyPolicy } from "../../domain/Policy.ts"
import { MemoryDatabase } from "../../stores/memory/MemoryDatabase.ts"
import * as MemoryEventStore from "../../stores/memory/MemoryEventStore.ts"
import * as MemoryPersistence from "../../stores/memory/MemoryPersistence.ts"
import * as MemoryReadModel from "../../stores/memory/MemoryReadModel.ts"
import { EventStore } from "../../stores/EventStore.ts"
import { Persistence } from "../../stores/Persistence.ts"
import { ReadModel } from "../../stores/ReadModel.ts"
import { verify } from "../../engine/verify/Verify.ts"
import { checkAnswers } from "./AnswerCheck.ts"
import { checkLog } from "./LogCheck.ts"
import { checkStores } from "./StoreCheck.ts"
import { Clients } from "./Clients.ts"
import { FaultTable } from "./Faults.ts"
import { History } from "./History.ts"
import { textOf } from "./PlainData.ts"
import { Operator } from "./Operator.ts"
import { checkPolicies } from "./PolicyCheck.ts"
import { policiesOf, type PolicyLaw, velocityLaw } from "./SimulatedPolicies.ts"
import { SeededRandom } from "./SeededRandom.ts"
import { SimulatedCluster } from "./SimulatedCluster.ts"
import type { RareCounts, Trial } from "./Trial.ts"
import { drawFaultPlan, type FaultPlan, soundMillis } from "./FaultPlan.ts"
import { InvariantMonitor } from "./InvariantMonitor.ts"
import { clockOf, World } from "./World.ts"

export interface SimulationResult {
  readonly seed: number
  readonly plan: FaultPlan
  /** Laws that were broken; none: the run was good. */
  readonly violations: ReadonlyArray<string>
  /** What happened, line by line. */
  readonly lines: ReadonlyArray<string>
  readonly table: FaultTable
  readonly commands: number
  readonly attempts: number
  readonly events: number
  readonly takeovers: number
  readonly rare: RareCounts
  /** Commands in the log that policies were asked of, and answers that one of them was against it. */
  readonly policies: { readonly asked: number; readonly rejected: number }
  /** Virtual time, ms. */
  readonly elapsed: number
}

/** A policy that all nodes have. */
export interface PolicyTrial {
  readonly policy: AnyPolicy
  /** What has to hold of each wallet's events, beside that the policy had nothing against any of them. */
  readonly laws?: ReadonlyArray<PolicyLaw> | undefined
}

/** All clients are done by then, ms, also where a process lives for less than a second. */
const workMillis = 1_800_000

/** All that is left to be done is done by then, ms. */
const settleMillis = 240_000

/** Its clock is right. */
const newDatabase = (plan: FaultPlan, seed: number, world: World) =>
  Context.get(
    Effect.runSync(
      Effect.scoped(Layer.build(MemoryDatabase.layer({ logId: `log-${seed}`, separate: plan.separate }))).pipe(
        Effect.provideService(Clock.Clock, clockOf(world, { alive: true, clockAhead: 0 }))
      )
    ),
    MemoryDatabase
  )

const makeTrial = (seed: number, given: Partial<FaultPlan>, tried: PolicyTrial | undefined): Trial => {
  const random = new SeededRandom(seed)
  const plan = { ...drawFaultPlan(random), ...given }
  const history = new History()
  const world = new World()
  const state = newDatabase(plan, seed, world)
  return {
    seed,
    world,
    plan,
    policies: tried === undefined ? policiesOf(plan.policies) : [tried.policy],
    renewed: tried === undefined ? (plan.policies?.renewed ?? []) : seed % 2 === 0 ? [tried.policy.name] : [],
    policyLaws: tried?.laws ?? (plan.policies === undefined ? [] : [velocityLaw(plan.policies)]),
    knownByPolicies: new Map(),
    asked: { commands: 0, rejected: 0 },
    random,
    history,
    table: new FaultTable(),
    state,
    monitor: new InvariantMonitor(state, history),
    log: MemoryEventStore.make(state),
    persistence: MemoryPersistence.make(state),
    calm: false,
    outage: { log: 0, persistence: 0 },
    failedStarts: 0,
    losses: 0,
    rare: { unsure: 0, seen: 0, gathered: 0, joint: 0, withheld: 0, ahead: 0, dropped: 0 },
    foreign: 0
  }
}

/** One store is away for a while, again and again. */
const bringOutages = (trial: Trial): void => {
  const { history, outage, random, world } = trial
  world.after(random.between(500, 20_000), () => {
    if (trial.calm) return
    const store = random.pick(["log", "persistence"] as const)
    const millis = random.between(50, 3_000)
    outage[store] = world.now + millis
    history.note(world.elapsed, "world", `the ${store} is away for ${millis} ms`)
    bringOutages(trial)
  })
}

/** What keeps the installation from being at rest; `undefined`: it is. */
const unrest = (trial: Trial, cluster: SimulatedCluster): string | undefined => {
  const { state, world } = trial
  const node = cluster.newest()
  if (node?.registry === undefined) return "no node is up"
  if (node.registry.load().busyWallets > 0) return "wallets are busy"
  if (cluster.stopsPending > 0) return "a node has not stopped"
  for (const [walletId, events] of state.streams) {
    const persisted = state.persisted.get(walletId)?.length ?? 0
    if (persisted !== events.length) return `${events.length - persisted} events of ${walletId} are not persisted`
  }
  for (const walletId of state.streams.keys()) {
    if (node.registry.inspect(walletId)?.undecided === true)
      return `${walletId} still holds in memory what was decided long ago`
  }
  for (const refusals of state.refusals.values()) {
    const open = refusals.find(({ reversedVersion }) => reversedVersion === null)
    if (open !== undefined) return `event ${open.version} of ${open.walletId} is refused and not reversed`
  }
  for (const transfers of state.transfers.values()) {
    for (const { transfer } of transfers.values()) {
      if (transfer.status === "pending")
        return `transfer ${transfer.id} from ${transfer.from} to ${transfer.to} has not ended`
    }
  }
  for (const { wallet } of state.wallets.values()) {
    const until = wallet.freeze?.until ?? null
    if (until !== null && until + soundMillis < world.now - 10_000) return `the freeze of ${wallet.id} has not ended`
  }
  for (const holds of state.holds.values()) {
    for (const { hold } of holds.values()) {
      if (hold.status === "active" && hold.expiresAt !== null && hold.expiresAt + soundMillis < world.now - 10_000) {
        return `hold ${hold.id} of ${hold.walletId} has not expired`
      }
    }
  }
  return undefined
}

/** Lets the world calm down until nothing is left to be done. */
const settle = (trial: Trial, cluster: SimulatedCluster): void => {
  const { history, world } = trial
  trial.calm = true
  trial.outage.log = 0
  trial.outage.persistence = 0
  cluster.setClocksRight()
  history.note(world.elapsed, "world", "is calm")
  // What is late lands within this time.
  world.run(() => false, 5_000)
  cluster.clear()
  rest(trial, cluster)
}

const rest = (trial: Trial, cluster: SimulatedCluster): void => {
  const { history, world } = trial
  let reason: string | undefined = "it has not begun"
  const end = world.now + settleMillis
  while (world.now < end && reason !== undefined) {
    world.run(() => false, 500)
    reason = unrest(trial, cluster)
  }
  if (reason !== undefined) history.violated(`${settleMillis / 1_000} s after all was calm ${reason}`)
}

const play = (trial: Trial, cluster: SimulatedCluster): void => {
  const clients = new Clients(trial, cluster)
  new Operator(trial, cluster).start()
  cluster.start()
  cluster.beginWithTakeover()
  cluster.disturb()
  cluster.disturbClocks()
  bringOutages(trial)
  clients.start()
  if (!trial.world.run(() => clients.running === 0, workMillis)) {
    trial.history.violated(`${clients.running} clients have no end of their work after ${workMillis / 1_000} s`)
  }
  settle(trial, cluster)
  clients.probe()
  if (!trial.world.run(() => clients.running === 0, workMillis)) trial.history.violated("the last client never ends")
  rest(trial, cluster)
}

/** What `wallet verify` says. */
const checkVerified = ({ history, log, persistence, state }: Trial): void => {
  const report = Effect.runSync(
    verify({ lagMillis: 0 }).pipe(
      Effect.provideService(EventStore, log),
      Effect.provideService(Persistence, persistence),
      Effect.provideService(ReadModel, MemoryReadModel.make(state))
    )
  )
  for (const found of report.differences) history.violated(`verify: ${textOf(found)}`)
}

/**
 * Runs a seed. Synchronous; the same seed gives the same result, line by line. `plan`: what of the fault plan is given and
 * not drawn; `tried`: the policy of all nodes, in place of those drawn.
 */
export const simulate = (seed: number, plan: Partial<FaultPlan> = {}, tried?: PolicyTrial): SimulationResult => {
  const trial = makeTrial(seed, plan, tried)
  const cluster = new SimulatedCluster(trial)
  try {
    play(trial, cluster)
    const account = checkLog(trial)
    checkPolicies(trial, account)
    checkAnswers(trial, account)
    checkStores(trial, account)
    checkVerified(trial)
  } catch (error) {
    trial.history.violated(`the run broke: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  }
  const { history, state, table, world } = trial
  return {
    seed,
    plan: trial.plan,
    violations: history.violations,
    lines: history.lines,
    table,
    commands: new Set(history.attempts.map(({ key }) => key)).size,
    attempts: history.attempts.length,
    events: state.log.length,
    takeovers: cluster.takeovers,
    rare: trial.rare,
    policies: { asked: trial.asked.commands, rejected: trial.asked.rejected },
    elapsed: world.elapsed
  }
}
