/**
 * effect-wallet: the engine as a library. `WalletEngine` is the service that an app
 * uses; the ports below it are exported so that an app can bring stores of its own.
 *
 * The HTTP API is `effect-wallet/http`, the test tools are `effect-wallet/testing`.
 */
export * from "./actors/ActorBounds.ts"
export * from "./actors/EngineError.ts"
export { Ownership } from "./actors/Ownership.ts"
export { PartitionsMismatch } from "./actors/SingleNodeOwnership.ts"
export type * as Command from "./domain/Command.ts"
export type { Commit } from "./domain/Commit.ts"
export { decide } from "./domain/Decide.ts"
export type * as Event from "./domain/Event.ts"
export { evolve, fold } from "./domain/Evolve.ts"
export * as Form from "./domain/Form.ts"
export { defaultPartitions, partitionOf } from "./domain/Partition.ts"
export * from "./domain/Rejection.ts"
export * from "./domain/Wallet.ts"
export * from "./engine/EngineConfig.ts"
export { databaseLayer, storesLayer } from "./engine/EngineStores.ts"
export { verify, type VerifyOptions, type VerifyProgress } from "./engine/Verify.ts"
export type { Difference, VerifyReport } from "./engine/VerifyReport.ts"
export * from "./engine/WalletEngine.ts"
export * from "./stores/ApiKeyStore.ts"
export { DataDirectory, DataDirectoryInUse, DataDirectoryUnusable } from "./stores/DataDirectory.ts"
export * from "./stores/EventStore.ts"
export * as MemoryStores from "./stores/MemoryStores.ts"
export * from "./stores/Page.ts"
export * from "./stores/Persistence.ts"
export * from "./stores/ReadModel.ts"
export { SqlDatabase } from "./stores/SqlDatabase.ts"
export { loadMigrations, SqlMigrator } from "./stores/SqlMigrator.ts"
export * from "./stores/StoreError.ts"
