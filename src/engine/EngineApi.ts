/**
 * What the engine offers: its commands and queries, what they take and what they
 * answer. `WalletEngine.ts` is the service of this shape.
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type {
  AccessDenied,
  CommandError,
  RateLimited,
  TransactionNotFound,
  TransferReversed,
  VersionNotReached
} from "../actors/EngineError.ts"
import type { Await } from "../actors/Mailbox.ts"
import type { KeyLimit } from "../domain/KeyLimit.ts"
import type { Metadata } from "../domain/Limits.ts"
import type { HoldNotFound, InvalidRequest, TransferNotFound, WalletNotFound } from "../domain/Rejection.ts"
import type { FreezeDirection, Hold, TransactionType } from "../domain/Wallet.ts"
import type { Page, PageRequest } from "../stores/Page.ts"
import type { HoldQuery, TransactionQuery, TransferQuery, WalletView } from "../stores/Persistence.ts"
import type {
  HoldSearch,
  Stats,
  StatsQuery,
  TransactionSearch,
  TransferSearch,
  WalletSearch
} from "../stores/ReadModel.ts"
import type { EventUnreadable, PositionGone, QueryTooWide, ReadError } from "../stores/StoreError.ts"
import type { BookDate } from "../domain/BookDates.ts"
import type { ClusterView } from "./ClusterStatus.ts"
import type {
  EventsQuery,
  FeedEvent,
  FeedFilter,
  FeedPage,
  ToldEvent,
  TransactionDetails,
  TransferDetails
} from "./Details.ts"
import type { EngineInspection } from "./EngineInspection.ts"

export type * from "./Details.ts"
export type { Await } from "../actors/Mailbox.ts"
export type { EngineInspection } from "./EngineInspection.ts"
export type { ClusterNode, ClusterView, LeaseState, OwnPart } from "./ClusterStatus.ts"

/** What is durable, as of the answer. */
export interface Durability {
  readonly committed: boolean
  readonly persisted: boolean
  readonly indexed: boolean
}

/** Part of every command. */
export interface CommandOptions {
  readonly dryRun?: false | undefined
  /** 1–255 visible ASCII characters, unique per wallet and command, for ever. */
  readonly idempotencyKey: string
  /** Default `persisted`. */
  readonly await?: Await | undefined
  /** Recorded with the event: who asked (the API key's name). */
  readonly actor?: string | undefined
  readonly correlationId?: string | undefined
  /** What whoever asks may take, else `KeyLimitExceeded`. Not asked of a command whose key is known. */
  readonly limit?: KeyLimit | undefined
}

/**
 * A command that is judged and not done: its answer tells what it would come to now, by the state that its
 * wallet's owner has when its turn comes. Nothing is recorded and no key is used. It may have a key: one that was
 * used is answered, or refused, as it would be without `dryRun`. A rule of the user's own in PostgreSQL is not asked.
 */
export type DryRun<Input extends CommandOptions> = Input extends unknown
  ? Omit<Input, "dryRun" | "idempotencyKey"> & {
      readonly dryRun: true
      readonly idempotencyKey?: string | undefined
    }
  : never

/** `id` is `null` where the engine would make it. */
type Tentative<Thing> = Omit<Thing, "id"> & { readonly id: string | null }

/** What a dry run is answered: the same as for real, as things would be afterwards, with nothing durable. */
export type DryRunAnswer<Answer> = {
  readonly [Name in Exclude<keyof Answer, "dryRun">]: Answer[Name] extends { readonly id: string }
    ? Tentative<Answer[Name]>
    : Answer[Name]
} & { readonly dryRun: true }

/** An answer without `dryRun` to a dry run: the key was used, and this is the answer to it, `replayed`. */
export interface EngineCommand<Input extends CommandOptions, Answer, Failure = CommandError> {
  (input: Input): Effect.Effect<Answer, Failure>
  (input: Input | DryRun<Input>): Effect.Effect<Answer | DryRunAnswer<Answer>, Failure>
}

/**
 * A wallet as callers see it. The object is the caller's own, as everything is that the
 * engine answers: to change it changes nothing elsewhere. Metadata maps are shared and frozen.
 */
export interface WalletDetails extends WalletView {
  /** What can be debited, held or sent: `balance − held + overdraftLimit`. */
  readonly available: bigint
}

export interface CommandAnswer {
  /** As of the command's own last event, also when replayed. */
  readonly wallet: WalletDetails
  readonly durability: Durability
  /** `true`: the key was known, nothing new has happened. */
  readonly replayed: boolean
  readonly dryRun?: undefined
}

export interface TransactionAnswer extends CommandAnswer {
  /** As it was made: what was refunded of it since is told by reads. */
  readonly transaction: TransactionDetails
}

export interface HoldAnswer extends CommandAnswer {
  readonly hold: Hold
}

export interface CaptureAnswer extends CommandAnswer {
  readonly hold: Hold
  readonly transaction: TransactionDetails
}

export interface CaptureToAnswer extends CaptureAnswer {
  /** `completed`; `pending` when the caller's wait ended first: it goes on without the caller. */
  readonly transfer: TransferDetails
}

export interface CreateWalletInput extends CommandOptions {
  /** Default: derived from the idempotency key, so that a retry meets the same wallet. */
  readonly id?: string | undefined
  readonly ownerId: string
  readonly currency: string
  readonly overdraftLimit?: bigint | undefined
  readonly metadata?: Metadata | undefined
}

export interface WalletInput extends CommandOptions {
  readonly walletId: string
  /**
   * The version that the wallet has to be at, else `VersionMismatch`. Of a command whose key is known it is not
   * asked; it is no part of the command: with the same key and another version it is the same command.
   */
  readonly ifVersion?: number | undefined
}

/** Part of every command that makes a transaction. */
export interface BookedInput {
  /** When it counts for the books, milliseconds since the epoch, not in the future. Default: when it happens. */
  readonly effectiveAt?: number | null | undefined
}

export interface MovementInput extends WalletInput, BookedInput {
  /** Minor units, 0 < amount < 10^30. */
  readonly amount: bigint
  readonly reference?: string | null | undefined
  readonly metadata?: Metadata | undefined
}

/** Of a debit or a capture: money that comes back; of a credit: money that is taken back, and needs funds. */
export interface RefundTransactionInput extends CommandOptions, BookedInput {
  readonly transactionId: string
  /** That has to have made it, else `TransactionNotFound`. Default: whichever did. It has the key. */
  readonly walletId?: string | undefined
  /** Minor units, at most what is left. Default: all that is left. */
  readonly amount?: bigint | undefined
  readonly reference?: string | null | undefined
  readonly metadata?: Metadata | undefined
  /** As of every command on a wallet (`WalletInput`). */
  readonly ifVersion?: number | undefined
}

/** A transfer the other way. The first of its sources has the key. */
export interface RefundTransferInput extends CommandOptions, BookedInput {
  readonly transferId: string
  /** Of several legs the one to give back, counted from 0. Default: what is left of each, all or nothing. */
  readonly leg?: number | undefined
  /** Whose money it has to move first, else `TransferNotFound`. Default: whosever. */
  readonly walletId?: string | undefined
  /** Minor units, at most what is left; of several legs only with `leg`. Default: all that is left. */
  readonly amount?: bigint | undefined
  readonly reference?: string | null | undefined
  readonly metadata?: Metadata | undefined
}

export interface PlaceHoldInput extends Omit<MovementInput, "effectiveAt"> {
  /** Milliseconds since the epoch, in the future. */
  readonly expiresAt?: number | null | undefined
}

export interface HoldInput extends WalletInput {
  readonly holdId: string
}

export interface CaptureHoldInput extends HoldInput, BookedInput {
  /** Default: all that remains. */
  readonly amount?: bigint | undefined
  /** `true`: release what then remains. */
  readonly final?: boolean | undefined
}

/** The money goes to another wallet: a transfer of its own, of which the capture is the source's side. */
export interface CaptureHoldToInput extends CaptureHoldInput {
  /** Open, of the same currency, and another one. */
  readonly to: string
}

/** At least one of the two. */
export interface ChangeHoldInput extends HoldInput {
  /** The new total, minor units. More needs funds; not less than is captured; as much closes the hold. */
  readonly amount?: bigint | undefined
  /** Milliseconds since the epoch, in the future; `null`: it does not expire. */
  readonly expiresAt?: number | null | undefined
}

export interface DebitInput extends MovementInput {
  /** `true`: whether or not there are funds. The balance may be below what the overdraft limit allows then. */
  readonly force?: boolean | undefined
}

export interface FreezeInput extends StatusInput {
  /** What the wallet does not do from now on. Default: `debits`. */
  readonly direction?: FreezeDirection | undefined
  /** Milliseconds since the epoch, in the future: from then on it does not count. Default: until it is unfrozen. */
  readonly until?: number | null | undefined
}

export interface StatusInput extends WalletInput {
  readonly reason?: string | null | undefined
}

/** At least one of the two; both are applied in one append. */
export interface UpdateWalletInput extends WalletInput {
  readonly metadata?: Metadata | undefined
  readonly overdraftLimit?: bigint | undefined
}

/** `effectiveAt`: of both sides. */
export interface TransferInput extends CommandOptions, BookedInput {
  /** The source; the key is one of its keys. */
  readonly from: string
  readonly to: string
  /** Minor units, 0 < amount < 10^30. */
  readonly amount: bigint
  readonly reference?: string | null | undefined
  readonly metadata?: Metadata | undefined
}

/** In place of one leg: 2–100, which happen all or not at all. Each is judged on what those before it leave. */
export interface LegsTransferInput extends CommandOptions {
  /** The first one's source has the key: it is one of its keys. */
  readonly legs: ReadonlyArray<{
    readonly from: string
    readonly to: string
    /** Minor units of the currency of both wallets, 0 < amount < 10^30. */
    readonly amount: bigint
    readonly reference?: string | null | undefined
    readonly metadata?: Metadata | undefined
  }>
  /** Of the transfer as a whole; its transactions have those of their legs. */
  readonly reference?: string | null | undefined
  readonly metadata?: Metadata | undefined
  /** When it counts for the books, milliseconds, not in the future; default: when it is done. */
  readonly effectiveAt?: number | null | undefined
}

export interface TransferAnswer {
  /** `completed`; `pending` when the caller's wait ended first: it goes on without the caller. */
  readonly transfer: TransferDetails
  /** Of what the transfer's status says. */
  readonly durability: Durability
  /** `true`: the key was known, nothing new has happened. */
  readonly replayed: boolean
  readonly dryRun?: undefined
}

export interface WalletRead {
  readonly walletId: string
  /**
   * The balance by the books at that time, milliseconds: of all that counts then or before; `0n` before the
   * first entry. All else is as it is now.
   */
  readonly effectiveAt?: number | undefined
  /** At least this version, else wait for it: a version named in an answer that the caller has seen. */
  readonly minVersion?: number | undefined
}

/** A past state: exactly one of the two. */
export type WalletMoment =
  | { readonly walletId: string; readonly atVersion: number }
  | { readonly walletId: string; readonly at: number }

export interface StatementRead {
  readonly walletId: string
  /** Of `effectiveAt`, inclusive: milliseconds, or a date `YYYY-MM-DD` in `timezone`. Default: from the first entry. */
  readonly from?: BookDate | undefined
  /** Inclusive; a date takes in the whole day. Default: to the last entry. */
  readonly to?: BookDate | undefined
  /** IANA name. Default: UTC. */
  readonly timezone?: string | undefined
  readonly minVersion?: number | undefined
}

export interface StatementQuery extends StatementRead, PageRequest {}

/** All pages are as of the version of the wallet that the first one was made of. */
export interface Statement extends Page<TransactionDetails> {
  /** Of all that counts before `from`. */
  readonly openingBalance: bigint
  /** Of all that counts up to `to`: what opens it, and what moves between. May be negative. */
  readonly closingBalance: bigint
  /** Sums of amounts between the ends, of each type that there is any of; reversals less what they take back. */
  readonly totals: { readonly [T in TransactionType]?: bigint }
}

export interface EngineHealth {
  /** Whether commands can be served: the log answers, this node owns its partitions, no queue is at its bound. */
  readonly ready: boolean
  /** Per part, by name. */
  readonly checks: ReadonlyArray<{
    /** `webhooks` and `service`, which does not answer: of a remote engine. */
    readonly name: "log" | "ownership" | "persistence" | "readModel" | "clock" | "webhooks" | "service"
    readonly status: "ok" | "degraded" | "down"
    readonly detail: string | null
  }>
}

/** `RateLimited`: the node has more reads to serve than it may beside commands. */
export type ReadFailure = WalletNotFound | InvalidRequest | ReadError | EventUnreadable | RateLimited | AccessDenied

export type FeedFailure = PositionGone | InvalidRequest | ReadError | EventUnreadable | RateLimited | AccessDenied

/** The commands: each has one effect per `idempotencyKey`, however often it is sent. */
export interface EngineCommands {
  readonly createWallet: EngineCommand<CreateWalletInput, CommandAnswer>
  readonly credit: EngineCommand<MovementInput, TransactionAnswer>
  readonly debit: EngineCommand<DebitInput, TransactionAnswer>
  readonly placeHold: EngineCommand<PlaceHoldInput, HoldAnswer>
  readonly captureHold: EngineCommand<CaptureHoldInput, CaptureAnswer>
  /**
   * A capture and a transfer in one. `TransferReversed`: the destination refused it after the money had left; the hold
   * is as it was before. What a final one releases is held until the destination has received.
   */
  readonly captureHoldTo: EngineCommand<CaptureHoldToInput, CaptureToAnswer, CommandError | TransferReversed>
  /** For callers that keep an order, as `beginTransfer`. */
  readonly beginCaptureHoldTo: (
    input: CaptureHoldToInput
  ) => Effect.Effect<Effect.Effect<CaptureToAnswer, CommandError | TransferReversed>, CommandError>
  readonly changeHold: EngineCommand<ChangeHoldInput, HoldAnswer>
  readonly releaseHold: EngineCommand<HoldInput, HoldAnswer>
  /**
   * What is refunded of a transaction never exceeds it, whoever asks at once: `RefundExceeded`.
   * `NotRefundable`: a refund, a reversal, or a part of a transfer, which is refunded itself.
   * Where Persistence is behind the log the original may not be found yet: `StoreUnavailable`.
   */
  readonly refundTransaction: EngineCommand<
    RefundTransactionInput,
    TransactionAnswer,
    CommandError | TransactionNotFound
  >
  /** A wallet that is frozen already is frozen as this says from now on. */
  readonly freeze: EngineCommand<FreezeInput, CommandAnswer>
  readonly unfreeze: EngineCommand<StatusInput, CommandAnswer>
  readonly close: EngineCommand<StatusInput, CommandAnswer>
  readonly updateWallet: EngineCommand<UpdateWalletInput, CommandAnswer>
}

/** Transfers between two wallets of one currency, or in several legs between any number of wallets. */
export interface EngineTransfers {
  /**
   * Moves money. Each step waits until the one before is persisted, so `committed` is
   * taken for `persisted`. `TransferReversed`: refused by the destination after the
   * money had left; it is back. Of several legs: refused at `leg` by a wallet that had moved
   * on since it was looked at; none has moved. What a crash interrupts ends by itself after the start.
   * A dry run asks the source and then the destination.
   */
  readonly transfer: EngineCommand<TransferInput | LegsTransferInput, TransferAnswer, CommandError | TransferReversed>
  /**
   * The same bounds, leg by leg. `TransferReversed`: another refund was quicker at one of several wallets.
   * `NotRefundable`: one that was reversed, or is a refund.
   */
  readonly refundTransfer: EngineCommand<RefundTransferInput, TransferAnswer, CommandError | TransferReversed>
  /**
   * For callers that keep an order: completes when the source has the transfer in line,
   * before all commands that are sent to it from then on. The inner effect is the answer.
   */
  readonly beginTransfer: (
    input: TransferInput | LegsTransferInput
  ) => Effect.Effect<Effect.Effect<TransferAnswer, CommandError | TransferReversed>, CommandError>
  /**
   * From Persistence; shows at least what this node carries. Another node's transfer that is
   * in the log only is `TransferNotFound` until its rows are written: an id is made from the
   * source's id and the key, and does not tell the source, whose owner could say.
   */
  readonly getTransfer: (
    transferId: string
  ) => Effect.Effect<TransferDetails, TransferNotFound | InvalidRequest | ReadError | RateLimited | AccessDenied>
  /** From Persistence, newest first. */
  readonly transfers: (
    query: TransferQuery
  ) => Effect.Effect<Page<TransferDetails>, InvalidRequest | ReadError | RateLimited | AccessDenied>
}

export interface StatsRequest extends Omit<StatsQuery, "interval"> {
  /** In UTC. Default: `day`. */
  readonly interval?: StatsQuery["interval"] | undefined
}

/** `QueryTooWide`: the store of search does not answer this within its bounds, and says what to narrow. */
export type SearchFailure = InvalidRequest | QueryTooWide | ReadError | RateLimited | AccessDenied

/** From the read model, over all wallets, newest first. It may be behind what was answered: `await: "indexed"`. */
export interface EngineSearch {
  readonly searchWallets: (query: WalletSearch) => Effect.Effect<Page<WalletDetails>, SearchFailure>
  readonly searchTransactions: (query: TransactionSearch) => Effect.Effect<Page<TransactionDetails>, SearchFailure>
  /** The status as the source has it: `pending` until it has settled. `transfers` needs no search. */
  readonly searchTransfers: (query: TransferSearch) => Effect.Effect<Page<TransferDetails>, SearchFailure>
  readonly searchHolds: (query: HoldSearch) => Effect.Effect<Page<Hold>, SearchFailure>
  /** What transactions and wallets add up to. */
  readonly stats: (query: StatsRequest) => Effect.Effect<Stats, SearchFailure>
}

/** A wallet's books. */
export interface EngineBooks {
  /** From Persistence, by `effectiveAt`, then version, upwards. `QueryTooWide`: totals over more than 2,000,000 transactions. */
  readonly statement: (
    query: StatementQuery
  ) => Effect.Effect<Statement, ReadFailure | QueryTooWide | VersionNotReached>
  /**
   * The same in one piece, of any size, without totals: rows are read as they are taken, 1,000 at a time. Of a remote
   * engine by pages of the statement, which has totals, and so its bound: `QueryTooWide`.
   */
  readonly statementRows: (query: StatementRead) => Effect.Effect<
    Pick<Statement, "openingBalance" | "closingBalance"> & {
      readonly rows: Stream.Stream<ReadonlyArray<TransactionDetails>, ReadError | RateLimited | AccessDenied>
    },
    ReadFailure | QueryTooWide | VersionNotReached
  >
}

/** The queries. */
export interface EngineQueries extends EngineSearch, EngineBooks {
  /** From the owner actor: a caller reads its own writes. `VersionNotReached`: not even the log has `minVersion`. */
  readonly getWallet: (read: WalletRead) => Effect.Effect<WalletDetails, CommandError | RateLimited | VersionNotReached>
  /**
   * From the log. `WalletNotFound`: not created by then, or no such version. `InvalidRequest`: a time in the
   * future. A version that the log has and its owner on this node has not heard of yet is told when it has.
   */
  readonly walletAt: (moment: WalletMoment) => Effect.Effect<WalletDetails, ReadFailure | CommandError>
  /** From the log, upwards. */
  readonly events: (query: EventsQuery) => Effect.Effect<ReadonlyArray<ToldEvent>, ReadFailure>
  /**
   * From Persistence, newest first. `minVersion`: waits two seconds at most until Persistence has it, and only
   * where the log does; else `VersionNotReached`.
   */
  readonly transactions: (
    query: TransactionQuery & { readonly minVersion?: number | undefined }
  ) => Effect.Effect<Page<TransactionDetails>, ReadFailure | VersionNotReached>
  /** From Persistence. With a separate log it is there as soon as it is persisted. */
  readonly transaction: (
    transactionId: string
  ) => Effect.Effect<TransactionDetails, TransactionNotFound | InvalidRequest | ReadError | RateLimited | AccessDenied>
  readonly holds: (
    query: HoldQuery & { readonly minVersion?: number | undefined }
  ) => Effect.Effect<Page<Hold>, ReadFailure | VersionNotReached>
  readonly hold: (walletId: string, holdId: string) => Effect.Effect<Hold, ReadFailure | HoldNotFound>
  /** All wallets' events from a position on, or those of the filter, then live, at least once, in order. */
  readonly feed: (after: bigint, filter?: FeedFilter) => Stream.Stream<FeedEvent, FeedFailure>
  /** The same by pages, perhaps without events. When it succeeds it is one of the feeds of the node, until the scope closes. */
  readonly openFeed: (
    after: bigint,
    filter?: FeedFilter
  ) => Effect.Effect<Stream.Stream<FeedPage, FeedFailure>, FeedFailure, Scope.Scope>
  /** The same for a part of the service itself, which has a bound of its own: not one of the feeds that are served. */
  readonly openOwnFeed: (after: bigint) => Effect.Effect<Stream.Stream<FeedPage, FeedFailure>, FeedFailure, Scope.Scope>
  /** Position of the log's last event, `0n` when there is none: where a feed begins that wants no past. */
  readonly feedHead: Effect.Effect<bigint, ReadError | RateLimited | AccessDenied>

  readonly health: Effect.Effect<EngineHealth>
  /** The installation's nodes and this one's part in it. */
  readonly cluster: Effect.Effect<ClusterView, ReadError | RateLimited | AccessDenied>
}

/** The service: the same whichever layer gives it. */
export interface EngineService extends EngineCommands, EngineQueries, EngineTransfers {
  /** Of the node that the engine runs on. `undefined`: it runs elsewhere (`layerRemote`), and that service tells it over HTTP. */
  readonly inspection: EngineInspection | undefined
}
