/**
 * Before anything is written: do log and Persistence belong together, and is none of
 * them older than the other one knows?
 *
 * A Persistence that is behind its log is brought up to it. One that knows events that
 * the log does not have was restored beside the wrong copy: to go on would give the
 * missing versions to other events.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { RecordedEvent } from "../domain/Event.ts"
import { transactionsOf } from "../domain/EventKinds.ts"
import { EventStore } from "../stores/EventStore.ts"
import { Persistence } from "../stores/Persistence.ts"
import { ReadModel } from "../stores/ReadModel.ts"

/** How many of the newest rows are looked up in the log. */
const newest = 50

/** Whose checkpoint a new Persistence has until it is filled: of nobody who lives, so the whole log is looked through for it. */
export const unfilledOwner = "unfilled"

/** PostgreSQL holds the rows of another log. */
export class LogMismatch extends Schema.TaggedError<LogMismatch>()("LogMismatch", {
  log: Schema.String,
  persistence: Schema.String
}) {
  override get message(): string {
    return (
      `PostgreSQL holds the rows of log ${this.persistence}, but this log is ${this.log}: ` +
      `connect the right one, or rebuild PostgreSQL from this log by: wallet replay --erase`
    )
  }
}

/** PostgreSQL knows an event that the log does not have: the log was put back to an earlier copy. */
export class StoreAheadOfLog extends Schema.TaggedError<StoreAheadOfLog>()("StoreAheadOfLog", {
  walletId: Schema.String,
  version: Schema.Int
}) {
  override get message(): string {
    return (
      `PostgreSQL has event ${this.version} of wallet ${this.walletId}, which the log does not have: restore a later ` +
      `copy of the log, or accept its loss and rebuild PostgreSQL from the log by: wallet replay --erase`
    )
  }
}

/** PostgreSQL has events up to a position that the log does not reach: the log was put back to an earlier copy. */
export class LogPutBack extends Schema.TaggedError<LogPutBack>()("LogPutBack", {
  persisted: Schema.BigInt,
  head: Schema.BigInt
}) {
  override get message(): string {
    return (
      `PostgreSQL has the log up to position ${this.persisted}, but the log ends at ${this.head}: restore a later ` +
      `copy of the log, or accept its loss and rebuild PostgreSQL from the log by: wallet replay --erase`
    )
  }
}

/** Refused where so many of the newest events move no money that none was found: there are the wallets, then. */
const ifRefused = () => Effect.succeed({ data: [] })

/** Of what currency it is has no part in its id. */
const hasMade = (recorded: RecordedEvent, transactionId: string): boolean =>
  transactionsOf(recorded, { currency: "" }).some(({ id }) => id === transactionId)

/** None of the newest rows may be of an event that the log does not have. */
const compareNewest = Effect.gen(function* () {
  const log = yield* EventStore
  const readModel = yield* ReadModel
  const wallets = yield* Effect.catchTag(
    readModel.searchWallets({ limit: newest, cursor: undefined }),
    "QueryTooWide",
    ifRefused
  )
  const transactions = yield* Effect.catchTag(
    readModel.searchTransactions({ limit: newest, cursor: undefined }),
    "QueryTooWide",
    ifRefused
  )
  const rows = [
    ...wallets.data.map(({ id, version }) => ({ walletId: id, version, transactionId: undefined })),
    ...transactions.data.map(({ id, version, walletId }) => ({ walletId, version, transactionId: id }))
  ]
  yield* Effect.forEach(
    rows,
    Effect.fnUntraced(function* ({ transactionId, version, walletId }) {
      const [recorded] = yield* log.read(walletId, { after: version - 1, limit: 1 })
      if (recorded === undefined || (transactionId !== undefined && !hasMade(recorded, transactionId))) {
        return yield* new StoreAheadOfLog({ walletId, version })
      }
    }),
    { concurrency: 16, discard: true }
  )
})

const check = Effect.gen(function* () {
  const log = yield* EventStore
  if (log.writesPersistence) return
  const persistence = yield* Persistence
  // In this order: other nodes start and write meanwhile, and leave a checkpoint last.
  const checkpoints = yield* persistence.checkpoints
  const known = yield* persistence.logId
  const { logId, position: head } = yield* log.head
  if (known === undefined) {
    // New, or erased: a checkpoint of one who was still writing then tells of rows that are gone.
    yield* Effect.forEach(checkpoints, ({ owner }) => persistence.setCheckpoint(owner, undefined), { discard: true })
    // Before the log's id: cut off, the next start does the same.
    if (head > 0n) yield* persistence.setCheckpoint(unfilledOwner, 0n)
    return yield* persistence.adoptLog(logId)
  }
  if (known !== logId) return yield* new LogMismatch({ log: logId, persistence: known })
  // By wallet and version where that can be told.
  yield* compareNewest
  const persisted = checkpoints.reduce((last, { position }) => (position > last ? position : last), 0n)
  if (persisted > head) return yield* new LogPutBack({ persisted, head })
})

/** Fails the start when the stores do not fit together. */
export const layer = Layer.effectDiscard(check)
