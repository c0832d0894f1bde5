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
export * as Limits from "./domain/Limits.ts"
export { defaultPartitions, partitionOf } from "./domain/Partition.ts"
export type { Fact } from "./domain/Fact.ts"
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
export * as RollingSum from "./domain/RollingSum.ts"
export * from "./domain/Rejection.ts"
export * from "./domain/Wallet.ts"
export * from "./engine/EngineConfig.ts"
export { databaseLayer, storesLayer, type StoresConfig } from "./engine/EngineStores.ts"
export { verify } from "./engine/verify/Verify.ts"
export type { VerifyOptions, VerifyProgress } from "./engine/verify/Options.ts"
export type { Difference, VerifyReport } from "./engine/verify/Report.ts"
export * from "./engine/WalletEngine.ts"
export * from "./stores/ApiKeyStore.ts"
export { DataDirectory, DataDirectoryInUse, DataDirectoryUnusable } from "./stores/pglite/DataDirectory.ts"
export * from "./stores/AuditStore.ts"
export * from "./stores/EventStore.ts"
export type { KeyRestriction, MutationType } from "./stores/KeyRestriction.ts"
export * as MemoryStores from "./stores/memory/MemoryStores.ts"
export { decodeCursor, encodeCursor, type Page, type PageRequest } from "./stores/Page.ts"
export * from "./stores/Persistence.ts"
export * from "./stores/ReadModel.ts"
export * from "./stores/SearchIndex.ts"
export { SqlDatabase } from "./stores/sql/SqlDatabase.ts"
export { loadMigrations, SqlMigrator } from "./stores/sql/SqlMigrator.ts"
export * from "./stores/StoreError.ts"
export * from "./stores/WebhookStore.ts"
export { WebhookRefused } from "./webhooks/Addresses.ts"
export { defaultWebhookBounds, type WebhookBounds } from "./webhooks/WebhookBounds.ts"
export {
  type ReceivedRequest,
  type ReceivedWebhook,
  WebhookNotVerified,
  WebhookSecretMalformed,
  type WebhookVerifyOptions
} from "./webhooks/Verification.ts"
export * from "./webhooks/Webhooks.ts"
export type { RowReplacement, RowScan } from "./stores/WalletRows.ts"
