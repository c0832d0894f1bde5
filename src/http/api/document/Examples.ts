/**
 * Examples of the OpenAPI document, by the name of the schema that they are of: bodies that a service with
 * the wallets `alice` and `bob` takes, and answers such as it gives. Tests send the bodies to a real service.
 */
import { formatTime } from "../SchemaValues.ts"
import { isProblemCode, problemBody, type ProblemCode, problemStatus } from "../Problem.ts"
import type { Json } from "./JsonTree.ts"

const time = formatTime(Date.UTC(2026, 0, 31, 12))
const later = formatTime(Date.UTC(9998, 11, 31, 12))

const uuid = (last: number): string => `0198c1f0-9f6b-7c1e-8d2a-${String(last).padStart(12, "0")}`

const wallet = {
  id: "alice",
  ownerId: "ann",
  currency: "EUR",
  balance: "1050",
  held: "0",
  available: "1050",
  overdraftLimit: "0",
  status: "active",
  freeze: null,
  version: 7,
  metadata: { plan: "basic" },
  createdAt: time,
  updatedAt: time
}

const transaction = {
  id: uuid(1),
  walletId: "alice",
  type: "credit",
  amount: "1050",
  balanceAfter: "1050",
  currency: "EUR",
  reference: "order-17",
  metadata: {},
  holdId: null,
  transferId: null,
  refundOf: null,
  refunded: "0",
  version: 7,
  createdAt: time,
  effectiveAt: time
}

const hold = {
  id: uuid(3),
  walletId: "alice",
  amount: "300",
  captured: "0",
  remaining: "300",
  status: "active",
  expiresAt: null,
  reference: "room 12",
  metadata: {},
  createdAt: time
}

const leg = {
  from: "alice",
  to: "bob",
  amount: "250",
  currency: "EUR",
  reference: null,
  metadata: {},
  refund: null,
  sentTransactionId: uuid(4),
  receivedTransactionId: uuid(5),
  refunded: "0"
}

const transfer = {
  id: uuid(2),
  from: "alice",
  to: "bob",
  amount: "250",
  currency: "EUR",
  legs: [leg],
  status: "completed",
  reason: null,
  leg: null,
  reference: "rent",
  metadata: {},
  refundOf: null,
  refunded: "0",
  createdAt: time,
  effectiveAt: time,
  updatedAt: time
}

const durability = { committed: true, persisted: true, indexed: true }
const undone = { durability: { committed: false, persisted: false, indexed: false }, dryRun: true }

const captured = { ...hold, captured: "300", remaining: "0", status: "captured" }
const capture = { ...transaction, type: "capture", amount: "300", balanceAfter: "750", holdId: hold.id }
const debited = { ...wallet, balance: "750", available: "750" }
const withHold = { ...wallet, held: "300", available: "750" }

const restriction = { ownerId: "ann", types: ["credit", "debit"], limits: { perOperation: "5000", perDay: "20000" } }

const key = {
  id: uuid(6),
  name: "shop",
  scopes: ["wallets:read", "wallets:write"],
  createdAt: time,
  expiresAt: null,
  restriction
}

const webhook = {
  id: "shop-events",
  url: "https://shop.example/events",
  types: ["WalletCredited", "WalletDebited"],
  walletIds: null,
  ownerId: "ann",
  description: null,
  status: "enabled",
  lastError: null,
  position: "42",
  walletsBehind: 0,
  createdAt: time,
  updatedAt: time
}

const webhookWithSecret = { ...webhook, secret: "whsec_AN-EXAMPLE-OF-A-SECRET" }

const attempt = { id: uuid(8), status: "acknowledged", httpStatus: 204, durationMillis: 31, error: null }

const page = (item: unknown, next: string | null = null) => ({ data: [item], next })

const event = {
  version: 7,
  type: "WalletCredited",
  time,
  data: { amount: "1050", reference: "order-17", metadata: {}, balanceAfter: "1050", heldAfter: "0" }
}

type Examples = Readonly<Record<string, unknown>>

/** By schema, then by a name of their own. */
const side = {
  version: 7,
  status: "active",
  freeze: null,
  ownerId: "ann",
  currency: "EUR",
  balance: "1050",
  held: "0",
  available: "1050",
  overdraftLimit: "0",
  updatedAt: time
}

const stores = {
  walletId: "alice",
  time,
  differences: [],
  log: {
    id: uuid(9),
    head: "42",
    lastEvent: { version: 7, type: "WalletCredited", time, id: uuid(8), epoch: 1 },
    wallet: side,
    snapshots: []
  },
  node: { partition: 17, epoch: 1, actor: null, pipeline: null, blocked: null },
  persistence: {
    version: 7,
    eventId: uuid(8),
    wallet: side,
    lagEvents: 0,
    lagMillis: 0,
    aheadEvents: 0,
    diverged: false,
    refusals: [],
    marks: []
  },
  readModel: { wallet: side, index: null },
  openHoldCount: 0,
  openHolds: [],
  transfersInFlightCount: 0,
  transfersInFlight: [],
  legsPreparedCount: 0,
  legsPrepared: []
}

const bodies: Readonly<Record<string, Examples>> = {
  CreateWallet: {
    wallet: { id: "alice", ownerId: "ann", currency: "EUR", metadata: { plan: "basic" } },
    overdraft: { ownerId: "ann", currency: "EUR", overdraftLimit: "10000" }
  },
  UpdateWallet: { metadata: { metadata: { plan: "gold" } }, overdraftLimit: { overdraftLimit: "20000" } },
  Movement: { credit: { amount: "1050", reference: "order-17", metadata: { shop: "3" } } },
  Debit: { debit: { amount: "250", reference: "fee" } },
  PlaceHold: {
    hold: { amount: "300", reference: "room 12" },
    expiring: { amount: "300", expiresAt: later }
  },
  CaptureHold: { all: {}, part: { amount: "100", final: true }, toAnother: { amount: "50", to: "bob" } },
  ChangeHold: { amount: { amount: "400" }, noExpiry: { expiresAt: null } },
  StatusChange: { reason: { reason: "asked for by the owner" } },
  FreezeWallet: { debits: { reason: "stolen card" }, until: { direction: "all", until: later } },
  SendTransfer: {
    transfer: { from: "alice", to: "bob", amount: "250", reference: "rent" },
    legs: {
      legs: [
        { from: "alice", to: "bob", amount: "200" },
        { from: "alice", to: "carol", amount: "50", reference: "commission" }
      ]
    }
  },
  RefundTransaction: { all: {}, part: { amount: "100", reference: "returned" } },
  RefundTransfer: { all: {}, part: { amount: "100", reference: "returned" } },
  Batch: {
    several: {
      commands: [
        { type: "credit", walletId: "alice", idempotencyKey: "pay-1", amount: "500" },
        { type: "debit", walletId: "alice", idempotencyKey: "pay-2", amount: "100", reference: "fee" },
        { type: "hold", walletId: "alice", idempotencyKey: "pay-3", amount: "50" },
        { type: "transfer", walletId: "alice", to: "bob", idempotencyKey: "pay-4", amount: "25" }
      ]
    }
  },
  CreateKey: {
    key: { name: "shop", scopes: ["wallets:read", "wallets:write"] },
    restricted: { name: "ann's app", scopes: ["wallets:read", "wallets:write"], restriction }
  },
  VerifyWallet: { compare: {}, repair: { repair: true } },
  RollKey: { atOnce: {}, withGrace: { graceSeconds: 3600 } },
  CreateWebhook: {
    owner: { url: "https://shop.example/events", types: ["WalletCredited", "WalletDebited"], ownerId: "ann" },
    everything: { url: "https://shop.example/events", from: "0" }
  },
  UpdateWebhook: { enable: { status: "enabled" }, everyType: { types: null } },
  ReplayWebhook: { all: { from: "0" } },
  RollSecret: { day: {}, atOnce: { overlapSeconds: 0 } }
}

const insufficientFunds = {
  walletId: "alice",
  currency: "EUR",
  available: 1050n,
  required: 2000n,
  shortage: 950n
}

const problemDetails: Readonly<Record<string, { readonly detail: string; readonly members?: object }>> = {
  InvalidRequest: {
    detail: "amount: Expected a string of 1 to 30 digits, above 0, without sign or leading zero",
    members: {
      errors: [
        { pointer: "/amount", detail: "Expected a string of 1 to 30 digits, above 0, without sign or leading zero" }
      ]
    }
  },
  WalletFrozen: { detail: "wallet alice is frozen for debits", members: { direction: "debits", until: null } },
  CurrencyMismatch: { detail: "bob has USD, not EUR", members: { expected: "EUR", actual: "USD" } },
  HoldAmountExceeded: { detail: "300 remain of the hold", members: { remaining: 300n } },
  InsufficientFunds: { detail: "wallet alice is short of 950", members: insufficientFunds },
  LimitExceeded: {
    detail: "wallet alice has as many open holds as it may have",
    members: { limit: "openHolds", bound: 1000n, current: 1000n }
  },
  Forbidden: { detail: "this needs a key with the scope admin", members: { reason: "scope" } },
  KeyLimitExceeded: {
    detail: "this key may take 20000 in a day from wallet alice; 150 is left",
    members: { limit: "perDay", bound: 20_000n, remaining: 150n }
  },
  RefundExceeded: { detail: "150 can be refunded", members: { refundable: 150n } },
  PolicyRejected: {
    detail: "velocity: too much in a day",
    members: { policy: "velocity", reason: "too much in a day" }
  },
  VersionMismatch: { detail: "wallet alice is at version 7", members: { version: 7 } }
}

const titles = (code: ProblemCode): string => (JSON.parse(problemBody(code, "")) as { title: string }).title

const problem = (code: ProblemCode): unknown => {
  const { detail, members } = problemDetails[code] ?? { detail: titles(code).toLowerCase() }
  return JSON.parse(problemBody(code, detail, members))
}

const transactionAnswer = { transaction, wallet, durability }
const holdAnswer = { hold, wallet: withHold, durability }
const captureAnswer = { hold: captured, transaction: capture, wallet: debited, durability }
const transferAnswer = { transfer, durability }
const walletAnswer = { wallet, durability }

const outcome = (answer: Json, tried: Json): Examples => ({ done: answer, dryRun: tried })

const answers: Readonly<Record<string, Examples>> = {
  WalletAnswer: { done: walletAnswer },
  TransactionAnswer: { done: transactionAnswer },
  HoldAnswer: { done: holdAnswer },
  CaptureAnswer: { done: captureAnswer },
  TransferAnswer: { done: transferAnswer },
  WalletOutcome: outcome(walletAnswer, { wallet, ...undone }),
  TransactionOutcome: outcome(transactionAnswer, { transaction: { ...transaction, id: null }, wallet, ...undone }),
  HoldOutcome: outcome(holdAnswer, { hold: { ...hold, id: null }, wallet: withHold, ...undone }),
  CaptureOutcome: outcome(captureAnswer, {
    hold: captured,
    transaction: { ...capture, id: null },
    wallet: debited,
    ...undone
  }),
  TransferOutcome: outcome(transferAnswer, {
    transfer: { ...transfer, id: null, legs: [{ ...leg, sentTransactionId: null, receivedTransactionId: null }] },
    ...undone
  }),
  Wallet: { wallet },
  Transaction: { transaction },
  Hold: { hold },
  Transfer: { transfer },
  WalletPage: { page: page(wallet) },
  TransactionPage: { page: page(transaction, "NTE") },
  HoldPage: { page: page(hold) },
  TransferPage: { page: page(transfer) },
  EventPage: { page: page(event, "7") },
  Key: { key },
  KeyPage: { page: page(key) },
  AuditPage: {
    page: page({
      time,
      count: 1,
      keyId: uuid(6),
      keyName: "ops",
      action: "wallet.freeze",
      outcome: "done",
      target: "alice",
      detail: "suspected fraud"
    })
  },
  Webhook: { webhook },
  WebhookWithSecret: { webhook: webhookWithSecret },
  WebhookPage: { page: page(webhook) },
  WebhookDeliveryPage: {
    page: page({ ...attempt, walletId: "alice", version: 7, type: "WalletCredited", attempt: 1, time })
  },
  WebhookTest: { test: attempt },
  CreatedKey: { key: { ...key, secret: "wk_an-example-of-a-secret" } },
  Statement: {
    page: { openingBalance: "0", closingBalance: "1050", totals: { credit: "1050" }, data: [transaction], next: null }
  },
  FeedHead: { head: { position: "4711" } },
  Stats: {
    day: {
      transactions: [
        { currency: "EUR", type: "credit", start: formatTime(Date.UTC(2026, 0, 31)), count: 1, sum: "1050" }
      ],
      wallets: [{ currency: "EUR", status: "active", count: 2, balance: "1050" }]
    }
  },
  BatchAnswer: {
    several: {
      results: [
        { status: 201, body: transactionAnswer },
        { status: 201, body: holdAnswer, replayed: true },
        { status: 422, body: problem("InsufficientFunds") }
      ]
    }
  },
  Actors: {
    busy: {
      time,
      incarnation: uuid(10),
      head: "42",
      partitions: 1024,
      owned: 1024,
      resident: { wallets: 1200, bytes: 4_900_000, maxBytes: 500_000_000 },
      mailboxes: {
        busyWallets: 3,
        waiting: 41,
        waitingBytes: 900,
        maxPerWallet: 4096,
        deepest: [{ walletId: "alice", version: 7, waiting: 39, waitingBytes: 850, running: 64 }]
      },
      appends: { since: time, count: 120, events: 9_000, wallets: 240, sizes: [{ atMostWallets: 2, count: 120 }] },
      hottest: { error: 0, wallets: [{ walletId: "alice", events: 8_000 }] }
    }
  },
  WalletStores: { agreeing: stores },
  Verification: {
    repaired: {
      walletId: "alice",
      logId: uuid(9),
      position: "42",
      events: 8,
      transactions: 7,
      holds: 0,
      transfers: 0,
      keys: 8,
      refusals: 0,
      openRefusals: 0,
      lagging: false,
      searched: true,
      documents: 0,
      deadLetters: 0,
      repaired: true,
      differenceCount: 0,
      differences: [],
      warnings: [],
      durationMillis: 12
    }
  },
  Cluster: {
    single: {
      partitions: 1024,
      leases: "none",
      nodes: null,
      unowned: null,
      node: {
        incarnation: uuid(7),
        owned: [{ partition: 0, epoch: 1 }],
        residentWallets: 2,
        busyWallets: 0,
        waitingCommands: 0,
        outgoingCommands: 0
      }
    }
  },
  Health: { ok: { status: "ok", checks: [{ name: "log", status: "ok", detail: null }] } },
  Liveness: { ok: { status: "ok" } }
}

const csv =
  "id,walletId,type,amount,balanceAfter,currency,reference,metadata,holdId,transferId,version,createdAt,effectiveAt," +
  `refundOf,refunded\r\n${uuid(1)},alice,credit,1050,1050,EUR,order-17,{},,,7,${time},${time},,0\r\n`

const sse = `id: 42\nevent: WalletCredited\ndata: ${JSON.stringify({ walletId: "alice", ...event })}\n\n`

/** Of what is no JSON, by its media type. */
export const textExamples: Readonly<Record<string, string>> = {
  "text/csv": csv,
  "text/event-stream": sse,
  "text/plain": '# TYPE wallet_commands_total counter\nwallet_commands_total{kind="credit"} 1\n'
}

const all: Readonly<Record<string, Examples>> = { ...bodies, ...answers }

const componentName = (schema: string, name: string): string => `${schema}.${name}`

/** `components.examples`: of problems by their code. */
export const exampleComponents = (): Json => ({
  ...Object.fromEntries(
    Object.entries(all).flatMap(([schema, examples]) =>
      Object.entries(examples).map(([name, value]) => [componentName(schema, name), { value }])
    )
  ),
  ...Object.fromEntries(
    Object.keys(problemStatus)
      .filter(isProblemCode)
      .map((code) => [code, { value: problem(code) }])
  )
})

/** References to the examples of a schema; `undefined`: it has none. */
export const examplesOf = (schema: string): Json | undefined => {
  const examples = all[schema]
  if (examples === undefined) return undefined
  return Object.fromEntries(
    Object.keys(examples).map((name) => [name, { $ref: `#/components/examples/${componentName(schema, name)}` }])
  )
}
