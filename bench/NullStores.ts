/**
 * Stores that keep nothing and answer at once: what remains is the engine. For
 * measuring only; an engine over them forgets a wallet when it leaves memory.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { ApiKeyStore } from "../src/stores/ApiKeyStore.ts"
import { type AppendOutcome, EventStore } from "../src/stores/EventStore.ts"
import type { Page } from "../src/stores/Page.ts"
import { Persistence } from "../src/stores/Persistence.ts"
import { ReadModel } from "../src/stores/ReadModel.ts"

const appended: AppendOutcome = { _tag: "Appended", position: 0n }

const nothing = Effect.succeed(undefined)
const none = Effect.succeed([])
const emptyPage = Effect.succeed<Page<never>>({ data: [], next: null })

const log: EventStore["Service"] = {
  writesPersistence: true,
  append: (commits) => Effect.succeed(commits.map(() => appended)),
  read: () => none,
  readAll: () => none,
  follow: () => Stream.empty,
  head: Effect.succeed({ logId: "null", position: 0n }),
  saveSnapshot: () => Effect.void,
  loadSnapshot: () => nothing,
  claim: ({ partitions }) => Effect.succeed(partitions.map((partition) => ({ partition, epoch: 1 }))),
  epochOf: () => Effect.succeed(1),
  raiseHighWatermark: () => nothing
}

const persistence: Persistence["Service"] = {
  write: (commits) => Effect.succeed(commits.map(() => ({ _tag: "Written" as const }))),
  refuse: () => Effect.succeed({ _tag: "Written" }),
  openRefusals: () => none,
  refusals: () => none,
  refunded: (asked) => Effect.succeed(asked.map(() => ({ refunded: 0n, version: -1 }))),
  persistedVersions: () => Effect.succeed(new Map()),
  checkpoints: none,
  setCheckpoint: () => Effect.void,
  logId: nothing,
  adoptLog: () => Effect.void,
  erase: () => Effect.void,
  rebuild: (_, rewrite) => rewrite,
  transfer: () => nothing,
  transfers: () => emptyPage,
  openTransfers: () => none,
  dueFreezes: () => none,
  dueHolds: () => none,
  scanTransfers: () => none,
  wallet: () => nothing,
  transactions: () => emptyPage,
  booksBalance: () => Effect.succeed(0n),
  booksTotals: () => Effect.succeed(new Map()),
  booked: () => none,
  holds: () => emptyPage,
  hold: () => nothing,
  // No key is known, and no row is written: a version beyond the actor's own would tell it that another
  // node has gone on without it, and it would load a wallet that nobody has kept.
  findKeys: (asked) => Effect.succeed(asked.map(() => ({ persistedVersion: -1, seen: [] }))),
  saveKeySegment: () => Effect.void,
  keySegments: () => none,
  now: Clock.currentTimeMillis,
  scanWallets: () => none,
  scanTransactions: () => none,
  scanHolds: () => none,
  transaction: () => nothing,
  indexRows: () => Effect.succeed({ wallets: [], holds: [], transfers: [], refused: [] }),
  saveDeadLetters: () => Effect.void,
  deadLetters: () => Effect.succeed([]),
  countDeadLetters: Effect.succeed(0),
  refusedVersions: () => Effect.succeed(new Map()),
  removeDeadLetters: () => Effect.void
}

const readModel: ReadModel["Service"] = {
  searchWallets: () => emptyPage,
  searchTransactions: () => emptyPage,
  searchTransfers: () => emptyPage,
  searchHolds: () => emptyPage,
  stats: () => Effect.succeed({ transactions: [], wallets: [] })
}

const keys: ApiKeyStore["Service"] = {
  insert: () => Effect.void,
  put: () => Effect.void,
  list: () => emptyPage,
  roll: () => Effect.undefined,
  remove: () => Effect.succeed(false),
  all: none,
  installation: (first) => Effect.succeed(first)
}

export const layer: Layer.Layer<EventStore | Persistence | ReadModel | ApiKeyStore> = Layer.mergeAll(
  Layer.succeed(EventStore, log),
  Layer.succeed(Persistence, persistence),
  Layer.succeed(ReadModel, readModel),
  Layer.succeed(ApiKeyStore, keys)
)
