/**
 * `effect-wallet/testing`: the given/when/then specification of the rules, the contract
 * suites that every adapter of a port passes, that of effect/cluster's leases among
 * them, and the simulation. Bound to no test runner.
 */
export { runnerStorageContract } from "./testing/contract/RunnerStorageContract.ts"
export * from "./testing/Specification.ts"
export { failureLines } from "./testing/simulation/FailureReport.ts"
export { simulate, type SimulationResult } from "./testing/simulation/Simulation.ts"
export type { FaultPlan } from "./testing/simulation/FaultPlan.ts"
export { apiKeyStoreContract } from "./testing/contract/ApiKeyStoreContract.ts"
export { appendContract } from "./testing/contract/AppendContract.ts"
export { type ContractCase, writtenThrough } from "./testing/contract/ContractCase.ts"
export { fenceContract } from "./testing/contract/FenceContract.ts"
export { followContract } from "./testing/contract/FollowContract.ts"
export { holdSearchContract } from "./testing/contract/HoldSearchContract.ts"
export { persistedLogContract } from "./testing/contract/PersistedLogContract.ts"
export { persistenceContract } from "./testing/contract/PersistenceContract.ts"
export { persistenceWriteContract } from "./testing/contract/PersistenceWriteContract.ts"
export { rebuildContract } from "./testing/contract/RebuildContract.ts"
export { refusalContract } from "./testing/contract/RefusalContract.ts"
export { pastContract } from "./testing/contract/PastContract.ts"
export { scanContract } from "./testing/contract/ScanContract.ts"
export { snapshotContract } from "./testing/contract/SnapshotContract.ts"
export { statsContract } from "./testing/contract/StatsContract.ts"
export { transactionSearchContract } from "./testing/contract/TransactionSearchContract.ts"
export { transferContract } from "./testing/contract/TransferContract.ts"
export { transferSearchContract } from "./testing/contract/TransferSearchContract.ts"
export { walletSearchContract } from "./testing/contract/WalletSearchContract.ts"
