/** Runs all contract suites against adapters of all four ports over one database. */
import { layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type { ApiKeyStore } from "../../src/stores/ApiKeyStore.ts"
import { apiKeyStoreContract } from "../../src/stores/contract/ApiKeyStoreContract.ts"
import { appendContract } from "../../src/stores/contract/AppendContract.ts"
import { fenceContract } from "../../src/stores/contract/FenceContract.ts"
import { persistenceContract } from "../../src/stores/contract/PersistenceContract.ts"
import { snapshotContract } from "../../src/stores/contract/SnapshotContract.ts"
import { transactionSearchContract } from "../../src/stores/contract/TransactionSearchContract.ts"
import { walletSearchContract } from "../../src/stores/contract/WalletSearchContract.ts"
import type { EventStore } from "../../src/stores/EventStore.ts"
import type { Persistence } from "../../src/stores/Persistence.ts"
import type { ReadModel } from "../../src/stores/ReadModel.ts"

export type AllStores = EventStore | Persistence | ReadModel | ApiKeyStore

/** `only`: the suites whose names match. */
export const runStoreContracts = <E>(name: string, stores: Layer.Layer<AllStores, E>, only = /./): void => {
  const suites = {
    append: appendContract,
    fence: fenceContract,
    snapshot: snapshotContract,
    persistence: persistenceContract,
    "wallet search": walletSearchContract(Effect.void),
    "transaction search": transactionSearchContract(Effect.void),
    "API keys": apiKeyStoreContract
  }
  layer(stores, { excludeTestServices: true, timeout: 120_000 })(name, (it) => {
    for (const [suite, cases] of Object.entries(suites).filter(([suite]) => only.test(suite))) {
      for (const { name, run } of cases) it.effect(`${suite}: ${name}`, () => run)
    }
  })
}
