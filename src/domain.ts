/**
 * `effect-wallet/domain`: the rules, pure: what a command comes to in a wallet's state, and what an event makes of it.
 * No I/O, clock or randomness, and no Node module.
 */
export type * as Command from "./domain/Command.ts"
export { decide, type DecideContext, type Decision, defaultLimits, type WalletLimits } from "./domain/Decide.ts"
export type * as Event from "./domain/Event.ts"
export { evolve, fold } from "./domain/Evolve.ts"
export type { Fact } from "./domain/Fact.ts"
export * as Limits from "./domain/Limits.ts"
export { defaultPartitions, partitionOf } from "./domain/Partition.ts"
export * as Policies from "./domain/Policies.ts"
export {
  type AnyPolicy,
  type Policy,
  type PolicyCommand,
  type PolicyFacts,
  type PolicyRejection,
  promisedBy,
  spentBy,
  spentIn
} from "./domain/Policy.ts"
export * from "./domain/Rejection.ts"
export * as RollingSum from "./domain/RollingSum.ts"
export * from "./domain/Wallet.ts"
