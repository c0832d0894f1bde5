/** Runs all contract suites against adapters of all four ports over one database. */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ApiKeyStore } from "../../src/stores/ApiKeyStore.ts"
import { apiKeyStoreContract } from "../../src/testing/contract/ApiKeyStoreContract.ts"
import { appendContract } from "../../src/testing/contract/AppendContract.ts"
import { booksContract, refusedBooksContract } from "../../src/testing/contract/BooksContract.ts"
import { indexRowsContract, refusedRowsContract } from "../../src/testing/contract/IndexRowsContract.ts"
import { fenceContract } from "../../src/testing/contract/FenceContract.ts"
import { followContract } from "../../src/testing/contract/FollowContract.ts"
import { jointAppendContract } from "../../src/testing/contract/JointAppendContract.ts"
import { type ContractCase, writtenThrough } from "../../src/testing/contract/ContractCase.ts"
import { holdSearchContract } from "../../src/testing/contract/HoldSearchContract.ts"
import { legsContract, legsSearchContract } from "../../src/testing/contract/LegsContract.ts"
import { refundContract, refundSearchContract } from "../../src/testing/contract/RefundContract.ts"
import { persistedLogContract } from "../../src/testing/contract/PersistedLogContract.ts"
import { persistenceContract } from "../../src/testing/contract/PersistenceContract.ts"
import { persistenceWriteContract } from "../../src/testing/contract/PersistenceWriteContract.ts"
import { rebuildContract } from "../../src/testing/contract/RebuildContract.ts"
import { refusalContract } from "../../src/testing/contract/RefusalContract.ts"
import { pastContract } from "../../src/testing/contract/PastContract.ts"
import { scanContract } from "../../src/testing/contract/ScanContract.ts"
import { snapshotContract } from "../../src/testing/contract/SnapshotContract.ts"
import { statsContract } from "../../src/testing/contract/StatsContract.ts"
import { transactionSearchContract } from "../../src/testing/contract/TransactionSearchContract.ts"
import { holdsAndFreezesContract } from "../../src/testing/contract/HoldsAndFreezesContract.ts"
import { transferContract } from "../../src/testing/contract/TransferContract.ts"
import { transferSearchContract } from "../../src/testing/contract/TransferSearchContract.ts"
import { walletSearchContract } from "../../src/testing/contract/WalletSearchContract.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import { MemoryDatabase } from "../../src/stores/memory/MemoryDatabase.ts"
import * as MemoryEventStore from "../../src/stores/memory/MemoryEventStore.ts"
import type { Persistence } from "../../src/stores/Persistence.ts"
import { textContract } from "./textContract.ts"
import type { AuditStore } from "../../src/stores/AuditStore.ts"
import { auditStoreContract } from "../../src/testing/contract/AuditStoreContract.ts"
import { searchedWalletsContract } from "../../src/testing/contract/SearchedWalletsContract.ts"
import type { WebhookStore } from "../../src/stores/WebhookStore.ts"
import { webhookStoreContract } from "../../src/testing/contract/WebhookStoreContract.ts"
import type { ReadModel } from "../../src/stores/ReadModel.ts"

export type AllStores = EventStore | Persistence | ReadModel | ApiKeyStore | AuditStore | WebhookStore

/** A log in memory that writes nothing but itself. */
export const separateLog = MemoryEventStore.layer.pipe(Layer.provide(MemoryDatabase.layer({ separate: true })))

/** What the rows show, however they come to be written. */
const rows = {
  persistence: persistenceContract,
  "rows for an index": indexRowsContract,
  transfers: transferContract,
  holdsAndFreezes: holdsAndFreezesContract,
  books: booksContract,
  legs: legsContract,
  refunds: refundContract,
  rebuild: rebuildContract,
  "wallet search": walletSearchContract(Effect.void),
  "transaction search": transactionSearchContract(Effect.void),
  "transfer search": transferSearchContract(Effect.void),
  "search of legs": legsSearchContract(Effect.void),
  "search of refunds": refundSearchContract(Effect.void),
  "hold search": holdSearchContract(Effect.void),
  stats: statsContract(Effect.void),
  "searched wallets": searchedWalletsContract(Effect.void),
  texts: textContract
}

const run = <R, E>(
  name: string,
  stores: Layer.Layer<R, E>,
  suites: Readonly<Record<string, ReadonlyArray<ContractCase<R>>>>,
  only = /./
): void =>
  layer(stores, { excludeTestServices: true, timeout: 900_000 })(name, (it) => {
    for (const [suite, cases] of Object.entries(suites).filter(([suite]) => only.test(suite))) {
      for (const { name, run } of cases) it.effect(`${suite}: ${name}`, () => run)
    }
  })

/** For a log that writes the rows itself. `only`: the suites whose names match. */
export const runStoreContracts = <E>(name: string, stores: Layer.Layer<AllStores, E>, only?: RegExp): void =>
  run<AllStores, E>(
    name,
    stores,
    {
      append: appendContract,
      "joint appends": jointAppendContract,
      fence: fenceContract,
      follow: followContract,
      snapshot: snapshotContract,
      past: pastContract,
      scan: scanContract,
      ...rows,
      "API keys": apiKeyStoreContract,
      audit: auditStoreContract,
      webhooks: webhookStoreContract
    },
    only
  )

/** For a log that leaves the rows to a Persistence of its own. */
export const runLogContracts = <E>(name: string, stores: Layer.Layer<EventStore, E>): void => {
  describe(`${name}, the log apart`, () => {
    run<EventStore, E>("contracts", stores, {
      append: appendContract,
      fence: fenceContract,
      follow: followContract,
      snapshot: snapshotContract
    })
    it.effect("writes no rows", () =>
      Effect.gen(function* () {
        assert.isFalse((yield* EventStore).writesPersistence)
      }).pipe(Effect.provide(stores))
    )
  })
}

/** For a Persistence behind a log that lives elsewhere. */
export const runPersistenceContracts = <E>(name: string, stores: Layer.Layer<AllStores, E>): void => {
  run<AllStores, E>(`${name}, written behind the log`, Layer.provideMerge(writtenThrough, stores), {
    write: persistenceWriteContract,
    refusals: refusalContract,
    "refused rows": refusedRowsContract,
    "refused books": refusedBooksContract,
    ...rows
  })
  run<AllStores, E>(`${name}, on its own`, Layer.fresh(stores), { log: persistedLogContract })
}
