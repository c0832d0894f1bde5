/**
 * The fault plan: how a run is set up, drawn from its seed. Which stores and bounds it has,
 * how many clients and commands, and how often something goes wrong. What that can be, at
 * which call, is `Faults.ts`.
 */
import { type ActorBounds, defaultBounds } from "../../actors/ActorBounds.ts"
import { drawPolicyPlan, type PolicyPlan } from "./SimulatedPolicies.ts"
import type { SeededRandom } from "./SeededRandom.ts"

export interface FaultPlan {
  /** Log and Persistence are two stores. */
  readonly separate: boolean
  readonly bounds: ActorBounds
  readonly wallets: number
  readonly clients: number
  /** Commands over all clients, without retries. */
  readonly commands: number
  /** Chance that a call of a store goes wrong. */
  readonly faultRate: number
  /** Chance that a client asks for what the user's rule refuses. */
  readonly refusalRate: number
  /** The user's rule comes later: what it would have refused is there already. */
  readonly lateRule: boolean
  /** Mean time between two losses of Persistence's rows, behind a log of its own, ms; `undefined`: there are none. */
  readonly lossMillis: number | undefined
  /** Mean time between two replacements of nodes, ms. */
  readonly replacementMillis: number
  /** A store's call takes at most so long while all is well, ms. */
  readonly storeMillis: number
  /** Fibers give way after at most so many operations; `undefined`: as usual. */
  readonly preemption: number | undefined
  /** Clocks of nodes are off by at most so much as they start, ms. */
  readonly clockSkew: number
  /** Mean time between two steps of clocks, ms; `undefined`: none steps, and no event is dated ahead. */
  readonly clockStepMillis: number | undefined
  /** Policies that all nodes have; `undefined`: none. */
  readonly policies: PolicyPlan | undefined
}

/** A node's time is off by at most so much, ms: what is tolerated, and half of the longest look at the store's clock. */
export const soundMillis = defaultBounds.clockSkewMillis + 1_000

/** The claims and the hashes are of no interest here: few, so that a claim is cheap. */
export const partitions = 4

/** What an idle wallet takes, about, bytes. */
const idleBytes = 4_096

/** Where an append has one commit there is one at a time, so that wallets stand in line before the log. */
const small = (random: SeededRandom): ActorBounds => {
  const bounds = drawn(random)
  return bounds.appendCommits === 1 ? { ...bounds, appendsInFlight: 1 } : bounds
}

const drawn = (random: SeededRandom): ActorBounds => ({
  ...defaultBounds,
  limits: random.chance(0.3) ? { stateBytes: 1_600 } : defaultBounds.limits,
  mailboxCommands: random.pick([2, 8, 64]),
  nodeCommands: random.pick([8, 1_000]),
  batchCommands: random.pick([1, 3, 16]),
  aheadCommands: random.pick([1, 1, 4]),
  aheadMillis: random.pick([5, 250]),
  appendCommits: random.pick([1, 2, 8]),
  besideEvents: random.pick([1, 2, 64]),
  jointWallets: random.pick([0, 1, 4, 16]),
  jointEvents: random.pick([2, 8, 1_000]),
  appendEvents: random.pick([2, 50]),
  appendRetryMillis: random.pick([100, 1_000]),
  callerWaitMillis: random.pick([500, 2_000, 4_000]),
  conflictRetries: random.pick([1, 4]),
  residentBytes: random.pick([1, 3, 100]) * idleBytes,
  idleMillis: random.pick([300, 2_000, 60_000]),
  concurrentLoads: random.pick([1, 8]),
  snapshotEvents: random.pick([2, 5, 10]),
  snapshotMinimumEvents: random.pick([1, 3]),
  keysInMemory: random.pick([1, 3, 8, 100]),
  keyFilterBytes: random.pick([0, 64, 16 * 1024, 256 * 1024]),
  keySegmentKeys: random.pick([2, 4, 8]),
  keySegmentLargestKeys: random.pick([2, 8, 64]),
  keySegmentMinimumKeys: random.pick([1, 3]),
  keyTailEvents: random.pick([2, 6, 100]),
  keySegmentQueue: random.pick([1, 100]),
  keyLookUpWallets: random.pick([1, 2, 100]),
  keyLookUpKeys: random.pick([1, 100]),
  keysInSnapshot: random.pick([1, 3, 100]),
  persistWallets: random.pick([1, 2, 16]),
  persistEvents: random.pick([1, 10, 100]),
  persistQueueEvents: random.pick([6, 1_000]),
  persistWaitingCallers: random.pick([1, 1_000]),
  persistTimeoutMillis: 1_500,
  persistRetryMillis: 20,
  persistRetryMaxMillis: 300,
  persistBlockedMillis: 500,
  persistBlockedWallets: random.pick([1, 16]),
  persistBehindEvents: random.pick([4, 1_000]),
  highWatermarkStep: random.pick([1, 2, 8, 100_000]),
  compensationsPerMinute: 1_000_000,
  isolationMillis: 500,
  sagaRetryMillis: random.pick([200, 3_000]),
  transferSweepMillis: 500,
  transferSweepAgeMillis: random.pick([0, 1_000]),
  holdSweepMillis: 400,
  sweepBatch: random.pick([1, 10]),
  sweepHandleMillis: 1_500,
  sweepDeferMillis: 600,
  clockLookMillis: random.pick([500, 3_000])
})

export const drawFaultPlan = (random: SeededRandom): FaultPlan => ({
  separate: random.chance(0.6),
  bounds: small(random),
  wallets: random.between(2, 5),
  clients: random.between(3, 7),
  commands: random.between(235, 260),
  faultRate: random.pick([0.02, 0.05, 0.1]),
  refusalRate: random.pick([0, 0.05, 0.12]),
  lateRule: random.chance(0.3),
  lossMillis: random.chance(0.4) ? random.pick([8_000, 25_000]) : undefined,
  replacementMillis: random.pick([2_500, 6_000, 15_000]),
  storeMillis: random.pick([2, 8, 40]),
  preemption: random.chance(0.3) ? random.pick([8, 30, 300]) : undefined,
  clockSkew: random.pick([0, 50, 8_000]),
  clockStepMillis: random.pick([undefined, 2_000, 8_000]),
  policies: drawPolicyPlan(random.fork())
})
