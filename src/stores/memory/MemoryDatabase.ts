/**
 * The state behind the in-memory adapters: log and derived rows in one object, so
 * that an append moves both at once, as one SQL statement does; or, when they are
 * `separate`, the log alone.
 *
 * Everything lives until the layer's scope ends; nothing is bounded. For tests,
 * examples and trials, not for service.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { randomUUID } from "node:crypto"
import type { Commit } from "../../domain/Commit.ts"
import type { RecordedEvent } from "../../domain/Event.ts"
import type { MadeRefund } from "../../domain/RefundRules.ts"
import type { Hold, Transaction, Transfer } from "../../domain/Wallet.ts"
import type { StoredApiKey } from "../ApiKeyStore.ts"
import type { AuditEntry } from "../AuditStore.ts"
import type { PositionedEvent, Snapshot } from "../EventStore.ts"
import type { DeadLetter, KeySegment, Refusal, SeenKey, WalletView } from "../Persistence.ts"
import type { Delivery, StoredWebhook, WalletBehind } from "../WebhookStore.ts"

/** A transaction with its place in the order over all wallets. */
export interface PositionedTransaction {
  readonly position: bigint
  /** Of the command that made it, with its namespace. */
  readonly key: string
  /** Signed, minor units: what its event changes of the balance. */
  readonly change: bigint
  /** Of an event that makes several: its number among them; else `0`. */
  readonly leg: number
  readonly transaction: Transaction
}

/** A wallet with the position of its first event: the order of the lists. */
export interface PositionedWallet {
  readonly position: bigint
  readonly wallet: WalletView
}

/** A hold with the version of its `HoldPlaced`: the order of the lists. */
export interface VersionedHold {
  readonly version: number
  readonly hold: Hold
}

/** A transfer as its source tells it, with the position of its `TransferSent`: the order of the lists. */
export interface PositionedTransfer {
  readonly position: bigint
  /** Of the command that sent it, with its namespace. */
  readonly key: string
  readonly transfer: Transfer
}

/**
 * Stands for a trigger of the user's: a reason refuses the whole write. Lets
 * tests and embedding apps try `OperationRefused` without a database.
 */
export type UserRule = (commit: Commit) => string | undefined

export interface MemoryOptions {
  readonly rule?: UserRule | undefined
  /** An append does not write Persistence: they are two stores. Default `false`. */
  readonly separate?: boolean | undefined
  /** Default: a random one. */
  readonly logId?: string | undefined
}

/** An endpoint, its wallets that are behind, and its attempts by slot. */
export interface WebhookRows {
  readonly number: bigint
  webhook: StoredWebhook
  readonly behind: Map<string, WalletBehind>
  readonly deliveries: Map<number, Delivery>
}

export interface MemoryState {
  readonly separate: boolean
  readonly logId: string
  /** Index = position − 1. */
  readonly log: Array<PositionedEvent>
  readonly streams: Map<string, Array<RecordedEvent>>
  /** Partition → epoch of its last claim. */
  readonly claims: Map<number, number>
  /** Owner → position up to which it may have given rows to Persistence. */
  readonly highWatermarks: Map<string, bigint>
  /** Per wallet, versions upwards. */
  readonly snapshots: Map<string, Array<Snapshot>>
  /** The log whose events Persistence has. */
  persistedLog: string | undefined
  /** Per wallet, ids of the persisted or refused events; index = version. */
  readonly persisted: Map<string, Array<string>>
  /** The last position that a separate Persistence has given. */
  persistedPosition: bigint
  readonly wallets: Map<string, PositionedWallet>
  /** In the order of positions. */
  readonly transactions: Array<PositionedTransaction>
  /** Per wallet, versions upwards, of one version by leg. */
  readonly transactionsByWallet: Map<string, Array<Transaction>>
  /** Per wallet by hold id, in the order of placing. */
  readonly holds: Map<string, Map<string, VersionedHold>>
  /** Per source wallet by transfer id. */
  readonly transfers: Map<string, Map<string, PositionedTransfer>>
  /** Per wallet, in the order of their making; those that have come back are taken out. */
  readonly refunds: Map<string, ReadonlyArray<MadeRefund>>
  /** Per wallet by key. */
  readonly keys: Map<string, Map<string, SeenKey>>
  /** Per wallet, versions upwards. */
  readonly keySegments: Map<string, ReadonlyArray<KeySegment>>
  /** Per wallet, versions upwards. */
  readonly refusals: Map<string, Array<Refusal>>
  /** One writer of rows at a time. */
  readonly writing: Semaphore.Semaphore
  /** Owner → position. */
  readonly checkpoints: Map<string, bigint>
  /** By kind and id. */
  readonly deadLetters: Map<string, DeadLetter>
  /** In the order of making. */
  readonly apiKeys: Map<string, { readonly number: bigint; readonly key: StoredApiKey }>
  /** Ever, removed ones included. */
  apiKeysMade: bigint
  /** In the order of making. */
  readonly webhooks: Map<string, WebhookRows>
  /** Ever, removed ones included. */
  webhooksMade: bigint
  /** In the order of writing. */
  audit: ReadonlyArray<{ readonly number: bigint; readonly entry: AuditEntry }>
  /** Ever, removed ones included. */
  auditMade: bigint
  installation: { readonly partitions: number } | undefined
  rule: UserRule | undefined
  /** Its clock, ms. */
  readonly now: () => number
}

/** An empty one. `now`: its clock, ms. */
export const makeState = (options: MemoryOptions, now: () => number): MemoryState => ({
  separate: options.separate ?? false,
  logId: options.logId ?? randomUUID(),
  log: [],
  streams: new Map(),
  claims: new Map(),
  highWatermarks: new Map(),
  snapshots: new Map(),
  persistedLog: undefined,
  persisted: new Map(),
  persistedPosition: 0n,
  wallets: new Map(),
  transactions: [],
  transactionsByWallet: new Map(),
  holds: new Map(),
  transfers: new Map(),
  refunds: new Map(),
  keys: new Map(),
  keySegments: new Map(),
  refusals: new Map(),
  writing: Semaphore.makeUnsafe(1),
  checkpoints: new Map(),
  deadLetters: new Map(),
  apiKeys: new Map(),
  apiKeysMade: 0n,
  webhooks: new Map(),
  webhooksMade: 0n,
  audit: [],
  auditMade: 0n,
  installation: undefined,
  rule: options.rule,
  now
})

export class MemoryDatabase extends Context.Service<MemoryDatabase, MemoryState>()(
  "effect-wallet/stores/memory/MemoryDatabase"
) {
  static readonly layer = (options: MemoryOptions = {}): Layer.Layer<MemoryDatabase> =>
    Layer.effect(
      MemoryDatabase,
      Effect.map(Clock.Clock, (clock) => makeState(options, () => clock.currentTimeMillisUnsafe()))
    )
}
