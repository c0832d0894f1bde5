/** What all parts of one run share. */
import type { EventStore } from "../../stores/EventStore.ts"
import type { Fact } from "../../domain/Fact.ts"
import type { AnyPolicy } from "../../domain/Policy.ts"
import type { Wallet } from "../../domain/Wallet.ts"
import type { MemoryState } from "../../stores/memory/MemoryDatabase.ts"
import type { Persistence } from "../../stores/Persistence.ts"
import type { Fault, FaultTable, Step } from "./Faults.ts"
import { drawn, likelihood } from "./Faults.ts"
import type { History } from "./History.ts"
import type { SeededRandom } from "./SeededRandom.ts"
import type { FaultPlan } from "./FaultPlan.ts"
import type { InvariantMonitor } from "./InvariantMonitor.ts"
import type { PolicyLaw } from "./SimulatedPolicies.ts"
import type { Life, World } from "./World.ts"

/** How often what is rare came to the stores. */
export interface RareCounts {
  /** Commits with keys that memory was not sure of, tries again included. */
  unsure: number
  /** … that were left out because one was there. */
  seen: number
  /** Queries for keys of several wallets. */
  gathered: number
  /** Commits of several wallets that belong together and were appended. */
  joint: number
  /** … that were left out for one of the others. */
  withheld: number
  /** Batches that were decided while the append before was in flight. */
  ahead: number
  /** … and were not what was appended then. */
  dropped: number
}

export interface Trial {
  readonly seed: number
  readonly world: World
  readonly plan: FaultPlan
  /** Of all nodes. */
  readonly policies: ReadonlyArray<AnyPolicy>
  /** Those of which each node has another version than the one before. */
  readonly renewed: ReadonlyArray<string>
  readonly policyLaws: ReadonlyArray<PolicyLaw>
  /** Of each wallet that was looked at, after each version, from before the first on: it and what each policy knows. */
  readonly knownByPolicies: Map<
    string,
    ReadonlyArray<{ readonly wallet: Wallet | undefined; readonly facts: ReadonlyArray<Fact> }>
  >
  /** Commands in the log that policies were asked of, and answers that one of them was against it. */
  readonly asked: { commands: number; rejected: number }
  readonly random: SeededRandom
  readonly history: History
  readonly table: FaultTable
  readonly state: MemoryState
  readonly monitor: InvariantMonitor
  /** The stores themselves, without any faults. */
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  /** From now on nothing goes wrong any more. */
  calm: boolean
  /** Each store is away until then, ms of the world. */
  readonly outage: { log: number; persistence: number }
  /** Starts in a row that have come to nothing. */
  failedStarts: number
  /** How often Persistence's rows were lost. */
  losses: number
  readonly rare: RareCounts
  /** Writes of others, so that each has a key of its own. */
  foreign: number
}

/** A start makes many calls and any of them can end it: after so many in a row that came to nothing one is spared. */
const failedStartsMost = 3

/** What goes wrong at this call; `undefined`: nothing. */
export const drawFault = (trial: Trial, { up }: Life, step: Step, store: "log" | "persistence"): Fault | undefined => {
  const { outage, random, table, plan, world } = trial
  if (trial.calm) return undefined
  if (world.now < outage[store]) {
    table.count("outage", step)
    return "outage"
  }
  if (!up && trial.failedStarts >= failedStartsMost) return undefined
  if (!random.chance(likelihood(step, plan.faultRate))) return undefined
  const fault = random.weighted(drawn[step])
  table.count(fault, step)
  return fault
}

/** Versions of all wallets in the log. */
export const versionsOf = ({ state }: Trial): ReadonlyMap<string, number> =>
  new Map(Array.from(state.streams, ([walletId, events]) => [walletId, events.length - 1]))

/** Versions of all wallets in Persistence. */
export const persistedOf = ({ state }: Trial): ReadonlyMap<string, number> =>
  new Map(Array.from(state.persisted, ([walletId, ids]) => [walletId, ids.length - 1]))

/** Up to which version each wallet has its rows: below the first that is refused and not reversed. */
export const rowsOf = ({ state }: Trial): ReadonlyMap<string, number> =>
  new Map(
    Array.from(state.persisted, ([walletId, ids]) => {
      const open = state.refusals.get(walletId)?.find(({ reversedVersion }) => reversedVersion === null)
      return [walletId, Math.min(ids.length, open?.version ?? Infinity) - 1]
    })
  )
