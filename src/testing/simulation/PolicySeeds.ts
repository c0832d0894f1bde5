/** A policy of one's own against the simulation: many seeds, all laws, and whether it was asked at all. */
import type { AnyPolicy } from "../../domain/Policy.ts"
import { failureLines } from "./FailureReport.ts"
import type { FaultPlan } from "./FaultPlan.ts"
import type { PolicyLaw } from "./SimulatedPolicies.ts"
import { simulate } from "./Simulation.ts"

export interface PolicySeeds {
  /** The first seed, default 1. */
  readonly from?: number | undefined
  /** Seeds, default 20; each takes some 0.3 s. */
  readonly seeds?: number | undefined
  /** What has to hold of each wallet's events in the end, whichever commands there were. */
  readonly laws?: ReadonlyArray<PolicyLaw> | undefined
  /** What of the fault plan is given, and not drawn. */
  readonly plan?: Partial<FaultPlan> | undefined
}

export interface PolicyReport {
  /** Commands in the logs that the policy was asked of, and answers that it was against one. Without any it was not tried. */
  readonly asked: number
  readonly rejected: number
  /** Of each seed that broke a law, for a reader; none: all was good. */
  readonly failures: ReadonlyArray<string>
}

/**
 * Runs the engine under `policy`, on all nodes, through faults, crashes and take-overs; in every other seed each node
 * has another version of it. Beside the laws of the engine these are held: the policy had nothing against anything that
 * is in the log, judged with facts folded from all events before it; each rejection was true at some moment of its call;
 * asked twice it says the same. Clients move 1 to 50 minor units at a time. Synchronous.
 */
export const simulatePolicy = (
  policy: AnyPolicy,
  { from = 1, laws = [], plan = {}, seeds = 20 }: PolicySeeds = {}
): PolicyReport => {
  const failures: Array<string> = []
  let [asked, rejected] = [0, 0]
  for (let seed = from; seed < from + seeds; seed++) {
    const result = simulate(seed, plan, { policy, laws })
    asked += result.policies.asked
    rejected += result.policies.rejected
    if (result.violations.length > 0) failures.push(failureLines(result).join("\n"))
  }
  return { asked, rejected, failures }
}
