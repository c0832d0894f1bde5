/** The documents of the wire that show one wallet in every store, and what a comparison of it has found. */
import * as Schema from "effect/Schema"
import { FreezeJson, HoldStatus, TransferStatus, WalletStatus } from "./Schemas.ts"
import { AmountOrZero, Balance, Currency, Id, Position, Time, VersionNumber } from "./SchemaValues.ts"

const Count = Schema.Int

const Side = Schema.Struct({
  version: VersionNumber,
  status: WalletStatus,
  freeze: Schema.NullOr(FreezeJson),
  ownerId: Id,
  currency: Currency,
  balance: Balance,
  held: Balance,
  available: Balance,
  overdraftLimit: AmountOrZero,
  updatedAt: Time
}).annotate({ identifier: "WalletInStore", description: "The wallet as one store has it." })

const Actor = Schema.Struct({
  version: Schema.Int.annotate({ description: "As of its last commit; -1: it is loading." }),
  persistedVersion: Schema.NullOr(Schema.Int),
  unpersistedEvents: Count,
  waiting: Count,
  waitingBytes: Count,
  running: Count,
  submitted: Schema.Boolean,
  parked: Schema.Boolean,
  borrowed: Schema.Boolean,
  undecided: Schema.Boolean,
  snapshotVersion: Schema.Int,
  lastUsedAt: Time
}).annotate({
  identifier: "WalletActor",
  description:
    "`waiting` commands in the mailbox, `running` in hand; `submitted`: on the way to the log; `parked`: waits for " +
    "PostgreSQL; `undecided`: something may still be undone."
})

const Node = Schema.Struct({
  partition: Count,
  epoch: Schema.NullOr(Count),
  actor: Schema.NullOr(Actor),
  pipeline: Schema.NullOr(
    Schema.Struct({ queuedEvents: Count, lagMillis: Count, failure: Schema.NullOr(Schema.String) })
  ),
  blocked: Schema.NullOr(Schema.String)
}).annotate({
  identifier: "WalletOnNode",
  description:
    "Of the node that answers. `epoch` null: another one owns the partition, and the actor is there. `blocked`: why " +
    "writing of the wallet has stopped."
})

const Index = Schema.Struct({
  failure: Schema.NullOr(Schema.String),
  checkpoint: Schema.NullOr(Position),
  documents: Count,
  flaws: Schema.Array(
    Schema.Struct({ kind: Schema.String, id: Schema.String, expected: Schema.String, found: Schema.String })
  ),
  deadLetters: Schema.Array(
    Schema.Struct({
      kind: Schema.String,
      id: Schema.String,
      version: VersionNumber,
      reason: Schema.String,
      time: Time
    })
  )
}).annotate({
  identifier: "WalletInIndex",
  description: "Of a search index of its own. `failure`: why it could not be looked at. `documents`: as they should be."
})

const StoreDifference = Schema.Struct({
  store: Schema.Literals(["actor", "persistence", "readModel"]),
  what: Schema.String,
  expected: Schema.String,
  found: Schema.String,
  lags: Schema.Boolean
}).annotate({
  identifier: "StoreDifference",
  description: "`expected`: by the log. `lags`: it is behind, and may come up by itself."
})

export const WalletStoresJson = Schema.Struct({
  walletId: Id,
  time: Time,
  differences: Schema.Array(StoreDifference),
  log: Schema.Struct({
    id: Schema.String,
    head: Position,
    lastEvent: Schema.NullOr(
      Schema.Struct({ version: VersionNumber, type: Schema.String, time: Time, id: Schema.String, epoch: Count })
    ),
    wallet: Schema.NullOr(Side),
    snapshots: Schema.Array(Schema.Struct({ version: VersionNumber, time: Time }))
  }),
  node: Schema.NullOr(Node),
  persistence: Schema.Struct({
    version: Schema.NullOr(VersionNumber),
    eventId: Schema.NullOr(Schema.String),
    wallet: Schema.NullOr(Side),
    lagEvents: Count,
    lagMillis: Count,
    aheadEvents: Count,
    diverged: Schema.Boolean,
    refusals: Schema.Array(
      Schema.Struct({
        version: VersionNumber,
        eventId: Schema.String,
        reason: Schema.String,
        reversedVersion: Schema.NullOr(VersionNumber),
        reversal: Schema.NullOr(VersionNumber)
      })
    ),
    marks: Schema.Array(Schema.Struct({ owner: Schema.String, position: Position }))
  }),
  readModel: Schema.Struct({ wallet: Schema.NullOr(Side), index: Schema.NullOr(Index) }),
  openHoldCount: Count,
  openHolds: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      remaining: AmountOrZero,
      expiresAt: Schema.NullOr(Time),
      overdueMillis: Schema.NullOr(Count),
      row: Schema.NullOr(HoldStatus)
    })
  ),
  transfersInFlightCount: Count,
  transfersInFlight: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      to: Schema.String,
      amount: AmountOrZero,
      ageMillis: Count,
      row: Schema.NullOr(TransferStatus)
    })
  ),
  legsPreparedCount: Count,
  legsPrepared: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      home: Schema.String,
      legs: Count,
      held: AmountOrZero,
      decision: Schema.NullOr(Schema.Literals(["completed", "reversed"])),
      ageMillis: Count,
      row: Schema.NullOr(TransferStatus)
    })
  )
}).annotate({
  identifier: "WalletStores",
  description:
    "One wallet in every store. The sides are read one after the other: of a wallet that moves they may be a few " +
    "versions apart. Of holds and transfers at most 50 are listed; `row`: the status in PostgreSQL."
})

export const VerifyWalletBody = Schema.Struct({ repair: Schema.optionalKey(Schema.Boolean) }).annotate({
  identifier: "VerifyWallet",
  description: "`repair`: also replace the rows and documents that differ from the log, and compare again."
})

export const VerificationJson = Schema.Struct({
  walletId: Id,
  logId: Schema.String,
  position: Position,
  events: Count,
  transactions: Count,
  holds: Count,
  transfers: Count,
  keys: Count,
  refusals: Count,
  openRefusals: Count,
  lagging: Schema.Boolean,
  searched: Schema.Boolean,
  documents: Count,
  deadLetters: Count,
  repaired: Schema.Boolean,
  differenceCount: Count,
  differences: Schema.Array(
    Schema.Struct({
      store: Schema.Literals(["log", "persistence", "readModel"]),
      what: Schema.String,
      expected: Schema.String,
      found: Schema.String
    })
  ),
  warnings: Schema.Array(Schema.String),
  durationMillis: Count
}).annotate({
  identifier: "Verification",
  description:
    "What was compared, and at most 100 of the differences that are left. `lagging`: rows are behind the log by events " +
    "too young to call it a difference. `repaired`: rows were replaced, and are right now."
})

// ---- Actors ----

const BusyWallet = Schema.Struct({
  walletId: Id,
  version: Schema.Int,
  waiting: Count,
  waitingBytes: Count,
  running: Count
}).annotate({ identifier: "BusyWallet", description: "`waiting` commands in its mailbox, `running` in hand." })

export const ActorsJson = Schema.Struct({
  time: Time,
  incarnation: Schema.String,
  head: Schema.NullOr(Position).annotate({ description: "Of the log's last event; null: it does not answer." }),
  partitions: Count,
  owned: Count,
  resident: Schema.Struct({ wallets: Count, bytes: Count, maxBytes: Count }),
  mailboxes: Schema.Struct({
    busyWallets: Count,
    waiting: Count,
    waitingBytes: Count,
    maxPerWallet: Count,
    deepest: Schema.Array(BusyWallet)
  }),
  appends: Schema.Struct({
    since: Time,
    count: Count,
    events: Count,
    wallets: Count,
    sizes: Schema.Array(Schema.Struct({ atMostWallets: Count, count: Count }))
  }),
  hottest: Schema.Struct({
    error: Count,
    wallets: Schema.Array(Schema.Struct({ walletId: Id, events: Count }))
  })
}).annotate({
  identifier: "Actors",
  description:
    "Of the node that answers, at most a second old. `appends` and `hottest` are of the time from `since`, a minute or " +
    "two. A wallet may have had up to `hottest.error` events more than is told of it, and one that is not listed no more " +
    "than that or the last one listed; of appends of more than 16 wallets a sample is counted for all of them."
})
