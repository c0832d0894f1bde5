/**
 * `effect-wallet/testing/policy`: the test kit of policies: one against the whole engine, through faults and many seeds,
 * with laws of one's own. Bound to no test runner.
 */
export type { FaultPlan } from "./simulation/FaultPlan.ts"
export { type PolicyReport, type PolicySeeds, simulatePolicy } from "./simulation/PolicySeeds.ts"
export type { PolicyLaw } from "./simulation/SimulatedPolicies.ts"
export { type PolicyTrial, simulate, type SimulationResult } from "./simulation/Simulation.ts"
