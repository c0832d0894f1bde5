/**
 * effect-wallet: the engine as a library. `WalletEngine` is the service that an app
 * uses; the ports below it are exported so that an app can bring stores of its own.
 *
 * All that a layer's type names is exported, so that an app can export its own layers with declarations.
 * The other doors: `effect-wallet/domain`, `/client`, `/api`, `/http`, `/cluster`, `/load`, `/testing`.
 */
export * from "./actors/ActorBounds.ts"
export * from "./actors/EngineError.ts"
export { Ownership } from "./actors/Ownership.ts"
export { PartitionsMismatch } from "./actors/SingleNodeOwnership.ts"
export type { GivenPolicies } from "./actors/WalletPolicies.ts"
export type * as Command from "./domain/Command.ts"
export type { Commit } from "./domain/Commit.ts"
export { decide, type DecideContext, type Decision, type WalletLimits } from "./domain/Decide.ts"
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
export type { EngineOptions, EngineStartError } from "./engine/EngineRuntime.ts"
export {
  databaseLayer,
  type DatabaseStartError,
  type StorePorts,
  type Stores,
  type StoresConfig,
  storesLayer,
  type StoresStartError
} from "./engine/EngineStores.ts"
export { SearchMisconfigured } from "./engine/SearchConfig.ts"
export type { VerifyError } from "./engine/verify/Walk.ts"
export { verify } from "./engine/verify/Verify.ts"
export type { VerifyOptions, VerifyProgress } from "./engine/verify/Options.ts"
export type { Difference, VerifyReport } from "./engine/verify/Report.ts"
export type * from "./engine/EngineApi.ts"
export {
  type EmbeddedOptions,
  type EngineServices,
  type EngineWithStoresStartError,
  type PostgresOptions,
  Reader,
  WalletEngine,
  type WithPolicy
} from "./engine/WalletEngine.ts"
export { LogMismatch, LogPutBack, StoreAheadOfLog } from "./pipeline/StoreIdentity.ts"
export * from "./stores/ApiKeyStore.ts"
export { DataDirectory, DataDirectoryInUse, DataDirectoryUnusable } from "./stores/pglite/DataDirectory.ts"
export * from "./stores/AuditStore.ts"
export { KurrentLogAbsent, type KurrentStartError, KurrentVersion } from "./stores/kurrent/StartErrors.ts"
export { EmbeddedDatabaseFailed } from "./stores/pglite/Thread.ts"
export * from "./stores/EventStore.ts"
export type { KeyRestriction, MutationType } from "./domain/KeyRestriction.ts"
export * as MemoryStores from "./stores/memory/MemoryStores.ts"
export { decodeCursor, encodeCursor, type Page, type PageRequest } from "./stores/Page.ts"
export * from "./stores/Persistence.ts"
export * from "./stores/ReadModel.ts"
export * from "./stores/SearchIndex.ts"
export {
  type EmbeddedDatabaseError,
  type EmbeddedDatabaseOptions,
  SqlDatabase,
  type SqlServerOptions
} from "./stores/sql/SqlDatabase.ts"
export {
  InstallationElsewhere,
  loadMigrations,
  type Migration,
  MigrationChanged,
  type MigrationError,
  MigrationFailed,
  MigrationFromTheFuture,
  MigrationNotAllowed,
  MigrationsUnreadable,
  NotMigrated,
  SchemaNotAllowed,
  SqlMigrator
} from "./stores/sql/SqlMigrator.ts"
export { RemoteMisconfigured, type RemoteOptions } from "./remote/RemoteOptions.ts"
export { StoreOutages } from "./stores/StoreOutages.ts"
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
export type { WebhookSender } from "./webhooks/WebhookSender.ts"
export type { RowReplacement, RowScan } from "./stores/WalletRows.ts"
