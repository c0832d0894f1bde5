/**
 * `effect-wallet/testing`: the given/when/then specification of the rules, the contract
 * suites that every adapter of a port passes, that of effect/cluster's leases among
 * them, and the simulation. Bound to no test runner.
 */
export { runnerStorageContract } from "./cluster/contract/RunnerStorageContract.ts"
export * from "./domain/Specification.ts"
export { failureLines } from "./simulation/FailureReport.ts"
export { simulate, type SimulationResult } from "./simulation/Simulation.ts"
export type { Weather } from "./simulation/Weather.ts"
export { apiKeyStoreContract } from "./stores/contract/ApiKeyStoreContract.ts"
export { appendContract } from "./stores/contract/AppendContract.ts"
export type { ContractCase } from "./stores/contract/ContractCase.ts"
export { fenceContract } from "./stores/contract/FenceContract.ts"
export { followContract } from "./stores/contract/FollowContract.ts"
export { persistedLogContract } from "./stores/contract/PersistedLogContract.ts"
export { persistenceContract } from "./stores/contract/PersistenceContract.ts"
export { persistenceWriteContract } from "./stores/contract/PersistenceWriteContract.ts"
export { rebuildContract } from "./stores/contract/RebuildContract.ts"
export { refusalContract } from "./stores/contract/RefusalContract.ts"
export { scanContract } from "./stores/contract/ScanContract.ts"
export { snapshotContract } from "./stores/contract/SnapshotContract.ts"
export { transactionSearchContract } from "./stores/contract/TransactionSearchContract.ts"
export { transferContract } from "./stores/contract/TransferContract.ts"
export { walletSearchContract } from "./stores/contract/WalletSearchContract.ts"
export { writtenThrough } from "./stores/contract/WrittenThrough.ts"
