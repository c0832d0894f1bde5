/**
 * `effect-wallet/testing`: the given/when/then specification of the rules, and the
 * contract suites that every adapter of a port passes. Bound to no test runner.
 */
export * from "./domain/Specification.ts"
export { apiKeyStoreContract } from "./stores/contract/ApiKeyStoreContract.ts"
export { appendContract } from "./stores/contract/AppendContract.ts"
export type { ContractCase } from "./stores/contract/ContractCase.ts"
export { fenceContract } from "./stores/contract/FenceContract.ts"
export { persistenceContract } from "./stores/contract/PersistenceContract.ts"
export { snapshotContract } from "./stores/contract/SnapshotContract.ts"
export { transactionSearchContract } from "./stores/contract/TransactionSearchContract.ts"
export { walletSearchContract } from "./stores/contract/WalletSearchContract.ts"
