/**
 * Port: the transactional view. Wallets, transactions, holds, transfers and
 * idempotency keys, derived from the log and always rebuildable from it.
 *
 * The *persisted version* of a wallet is n: every row of events ≤ n is there, or
 * the refusal that stands in its place. It moves by one rule, the gapless guard:
 * what is written continues it.
 *
 * Where the log is the same database (`EventStore.writesPersistence`) an append
 * writes these rows; `write` is then only for repairs.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Commit } from "../domain/Commit.ts"
import type { InvalidRequest } from "../domain/Rejection.ts"
import type { Hold, HoldStatus, Transaction, TransactionType, Transfer, TransferStatus } from "../domain/Wallet.ts"
import type { Page, PageRequest } from "./Page.ts"
import type { OperationRefused, QueryTooWide, ReadError } from "./StoreError.ts"
import type { RowReplacement, RowScan, WalletView } from "./WalletRows.ts"

export type { WalletView } from "./WalletRows.ts"

export interface TransactionQuery extends PageRequest {
  readonly walletId: string
  /** Inclusive, milliseconds. */
  readonly from?: number | undefined
  /** Inclusive, milliseconds. */
  readonly to?: number | undefined
  readonly type?: TransactionType | undefined
}

/** A part of a wallet's books, as they are with the events up to a version and no later one. */
export interface BooksQuery {
  readonly walletId: string
  /** A persisted one. */
  readonly version: number
  /** Of `effectiveAt`, inclusive, milliseconds. */
  readonly from?: number | undefined
  /** Of `effectiveAt`, inclusive, milliseconds. */
  readonly to?: number | undefined
}

/** Where a page of the books ended. */
export interface BooksPlace {
  readonly effectiveAt: number
  readonly version: number
  /** Of an event that makes several transactions: how many of them are before the last one. */
  readonly leg: number
}

/** Where a page that is not empty has ended; `after`: where it began. */
export const endOfPage = (page: ReadonlyArray<Transaction>, after: BooksPlace | undefined): BooksPlace => {
  const { effectiveAt, version } = page.at(-1)!
  const first = page.findIndex((one) => one.version === version)
  const earlier = after !== undefined && after.version === version ? after.leg + 1 : 0
  return { effectiveAt, version, leg: earlier + page.length - 1 - first }
}

export interface HoldQuery extends PageRequest {
  readonly walletId: string
  readonly status?: HoldStatus | undefined
}

/** A key that a wallet has seen: which command (fingerprint) and its last event. */
export interface SeenKey {
  readonly key: string
  readonly fingerprint: string
  readonly version: number
}

/** Keys to look for among those of one wallet. */
export interface AskedKeys {
  readonly walletId: string
  readonly keys: ReadonlyArray<string>
}

export interface KeyLookup {
  /** The persisted version, read in the same statement; `-1`: there is nothing of the wallet. Keys of later events are not covered. */
  readonly persistedVersion: number
  readonly seen: ReadonlyArray<SeenKey>
}

export interface TransferQuery extends PageRequest {
  /** As source or as destination. */
  readonly walletId?: string | undefined
  readonly status?: TransferStatus | undefined
}

/** A transfer whose money has left its source and which has not ended there. */
export interface OpenTransfer {
  readonly transferId: string
  /** The source wallet. */
  readonly walletId: string
  readonly createdAt: number
}

/** A freeze whose time is over. */
export interface DueFreeze {
  readonly walletId: string
  /** Milliseconds. */
  readonly until: number
}

export interface DueHold {
  readonly walletId: string
  readonly holdId: string
  readonly expiresAt: number
}

/**
 * - `Written`: the rows of all events of the commit are there, or their refusals, now or before.
 * - `Gap`: the commit continues a version that is not there yet; nothing of it was
 *   written. `-1`: there is nothing of the wallet.
 * - `Diverged`: at one of its versions another event is there. Nothing was written.
 */
export type PersistOutcome =
  | {
      readonly _tag: "Written"
      /** Some of it was there before this call, as rows or as refusals: who wrote it did not tell this caller which. */
      readonly before?: true
    }
  | { readonly _tag: "Gap"; readonly persistedVersion: number }
  | { readonly _tag: "Diverged"; readonly persistedVersion: number }

/** Of a refusal: what it may be for is no longer so. Nothing was written. */
export interface Withdrawn {
  readonly _tag: "Withdrawn"
}

/** What an owner has recorded: all its appends at or below the position are persisted. */
export interface Checkpoint {
  /** The incarnation of a node that took its claims under this name. */
  readonly owner: string
  readonly position: bigint
}

/** Of what the rows are wanted for a search index. */
export interface IndexRowsQuery {
  readonly wallets: ReadonlyArray<string>
  readonly holds: ReadonlyArray<{ readonly walletId: string; readonly id: string }>
  /** `walletId`: the source. */
  readonly transfers: ReadonlyArray<{ readonly walletId: string; readonly id: string }>
}

/**
 * A wallet's holds, transfers and refusals are read with it or after it: they are as of its version or of a later one.
 */
export interface IndexRows {
  /** With the position of the wallet's first event, as lists go by it. */
  readonly wallets: ReadonlyArray<{ readonly view: WalletView; readonly position: bigint }>
  readonly holds: ReadonlyArray<Hold>
  /** The status as the source has it. `key`: the caller's, of the command that sent it. */
  readonly transfers: ReadonlyArray<{
    readonly transfer: Transfer
    readonly position: bigint
    readonly key: string | null
  }>
  /** Events of these wallets that have no row; none where the log is the same database. */
  readonly refused: ReadonlyArray<{ readonly walletId: string; readonly version: number }>
}

/** A document that the search index has refused. */
export interface DeadLetter {
  readonly kind: "wallet" | "transaction" | "transfer" | "hold"
  /** Of the document. */
  readonly id: string
  readonly walletId: string
  /** Of the wallet's event that the document was as of. */
  readonly version: number
  readonly reason: string
  readonly time: number
}

/** Where a wallet stands in Persistence. */
export interface PersistedVersion {
  readonly version: number
  /** Id of the event of that version; `""`: its row is missing, the rows are damaged. */
  readonly eventId: string
}

/** An event that a user's rule has refused: its rows are not there, its place is taken. */
export interface Refusal {
  readonly walletId: string
  readonly version: number
  readonly eventId: string
  readonly reason: string
  /** Of its OperationReversed, once that is persisted. */
  readonly reversedVersion: number | null
}

/** A user's rule that refuses what the engine must be able to write. */
export interface RuleFault {
  readonly table: string
  /** Its kind and name. */
  readonly rule: string
  /** What it has refused. */
  readonly tried: string
  /** What it said. */
  readonly reason: string
}

export interface RuleTrial {
  readonly faults: ReadonlyArray<RuleFault>
  /** Why there are rules that were not tried; `undefined`: all were. */
  readonly untried: string | undefined
}

export class Persistence extends Context.Service<
  Persistence,
  {
    /**
     * Writes the rows of commits that are in the log: one transaction, at most one
     * commit per wallet, outcomes in their order. Safe to repeat: what is there
     * already answers `Written`, and of a commit that is there in part the rest is
     * written. `checkpoint` is recorded in the same transaction or after it, unless some
     * outcome is not `Written`; it never goes back by this.
     *
     * A failure leaves each commit written or not; a repeated write finds out which.
     * So `StoreUnavailable` here also stands for an unknown outcome.
     * `OperationRefused`: a user's rule refused one of the commits; which one shows
     * when they are written apart. What is there already is not judged again.
     */
    readonly write: (
      commits: ReadonlyArray<Commit>,
      checkpoint?: Checkpoint
    ) => Effect.Effect<ReadonlyArray<PersistOutcome>, ReadError | OperationRefused>
    /**
     * Puts a refusal in the place of each event of the commit, under the same guard:
     * the persisted version moves, their keys are known, no other row changes. A
     * wallet whose creation is refused has no rows from then on but refusals and keys.
     *
     * `Written`: the refusals stand, now or before. `Gap`: the commit does not continue
     * the persisted version; where that is at or beyond the commit's, the events' own
     * rows are there, and nothing was refused.
     *
     * `stillMay` is asked last, before new refusals are committed, while whoever writes, erases
     * or refuses events of this wallet waits. Answers it `false`, nothing was written: `Withdrawn`;
     * fails it or does it take long, neither. It may be asked again.
     */
    readonly refuse: <E = never>(
      commit: Commit,
      refusal: { readonly reason: string; readonly time: number },
      stillMay?: Effect.Effect<boolean, E>
    ) => Effect.Effect<PersistOutcome | Withdrawn, ReadError | E>
    /** Refusals without their OperationReversed, in the order of wallet and version, after that place. */
    readonly openRefusals: (options: {
      readonly after: { readonly walletId: string; readonly version: number }
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<Refusal>, ReadError>
    /** All refusals of one wallet, by version. */
    readonly refusals: (walletId: string) => Effect.Effect<ReadonlyArray<Refusal>, ReadError>
    /** One statement; wallets that are not there are left out. */
    readonly persistedVersions: (
      walletIds: ReadonlyArray<string>
    ) => Effect.Effect<ReadonlyMap<string, PersistedVersion>, ReadError>
    readonly checkpoints: Effect.Effect<ReadonlyArray<Checkpoint>, ReadError>
    /** Sets a checkpoint as it is given, also backwards; `position` `undefined`: removes it. */
    readonly setCheckpoint: (owner: string, position: bigint | undefined) => Effect.Effect<void, ReadError>
    /** The id of the log whose events are here; `undefined`: none yet. A log in the same database counts once it has events. */
    readonly logId: Effect.Effect<string | undefined, ReadError>
    /** Records whose log's events are here. `StoreDefect`: another log's are, and they have not been erased. */
    readonly adoptLog: (logId: string) => Effect.Effect<void, ReadError>
    /**
     * Removes every row of one wallet, or of all, with the checkpoints and the log's id. Then
     * they have to be written again: until a wallet's are, an append that writes them
     * (`EventStore.writesPersistence`) fails with `StoreDefect`. `rebuild` has no such time.
     */
    readonly erase: (walletId: string | "all") => Effect.Effect<void, ReadError>
    /**
     * Erases the wallets and runs `rewrite` in one transaction: nobody sees them erased,
     * and a failure leaves them as they were. `rewrite` writes what the log has, by
     * `write` and `refuse` of this service; a failure of theirs may be caught. Rows keep
     * their places in the lists over all wallets.
     *
     * Appends and writes of these wallets wait meanwhile, so each of them should be a
     * matter of seconds. Where the log is the same database, what `rewrite` reads from
     * it is complete: it has to read up to the end.
     */
    readonly rebuild: <A, E, R>(
      walletIds: ReadonlyArray<string>,
      rewrite: Effect.Effect<A, E, R>
    ) => Effect.Effect<A, E | ReadError, R>

    readonly wallet: (walletId: string) => Effect.Effect<WalletView | undefined, ReadError>
    /** Newest first. `InvalidRequest`: the cursor is not one of ours. */
    readonly transactions: (query: TransactionQuery) => Effect.Effect<Page<Transaction>, ReadError | InvalidRequest>
    /**
     * The balance by the books: of all that counts at `until` (ms, inclusive) or before; `0n` before the
     * first. What counts is what has a row, but for the reversal of an operation that was refused.
     */
    readonly booksBalance: (
      query: Pick<BooksQuery, "walletId" | "version"> & { readonly until: number }
    ) => Effect.Effect<bigint, ReadError>
    /** What counts between the ends, by type: the sum of amounts; of reversals what they give back less what they take. */
    readonly booksTotals: (
      query: BooksQuery
    ) => Effect.Effect<ReadonlyMap<TransactionType, bigint>, ReadError | QueryTooWide>
    /** What counts between the ends and behind `after`, by `effectiveAt`, then version, then leg, upwards; at most `limit`. */
    readonly booked: (
      query: BooksQuery & { readonly after?: BooksPlace | undefined; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<Transaction>, ReadError>
    /** Newest first. */
    readonly holds: (query: HoldQuery) => Effect.Effect<Page<Hold>, ReadError | InvalidRequest>
    readonly hold: (walletId: string, holdId: string) => Effect.Effect<Hold | undefined, ReadError>
    /**
     * A transfer as its two wallets' rows tell it: `completed` once the destination's
     * row is there, whether or not the source has settled.
     */
    readonly transfer: (transferId: string) => Effect.Effect<Transfer | undefined, ReadError>
    /** Newest first. */
    readonly transfers: (query: TransferQuery) => Effect.Effect<Page<Transfer>, ReadError | InvalidRequest>
    /** Transfers that their source has neither settled nor reversed, sent before `before` (ms), oldest first. */
    readonly openTransfers: (options: {
      readonly before: number
      /** … or after this (ms): a time that is still to come is of a bad clock, and tells no age. Default: none. */
      readonly after?: number | undefined
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<OpenTransfer>, ReadError>
    /** Active holds with `expiresAt` ≤ `now` (ms), the longest overdue first. */
    readonly dueHolds: (options: {
      readonly now: number
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<DueHold>, ReadError>
    /** Freezes with `until` ≤ `now` (ms), the longest overdue first. */
    readonly dueFreezes: (options: {
      readonly now: number
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<DueFreeze>, ReadError>
    /**
     * One statement, however many wallets and keys; each wallet at most once, answers in
     * the order asked. Keys carry their namespace (`c:` or `e:`).
     */
    readonly findKeys: (asked: ReadonlyArray<AskedKeys>) => Effect.Effect<ReadonlyArray<KeyLookup>, ReadError>
    /**
     * Keeps a segment of a wallet's keys in the place of all that are there of it from
     * `fromVersion` on: they end there, or they are of another history. Of use only where
     * the log is a store of its own; `erase` and `rebuild` remove a wallet's.
     */
    readonly saveKeySegment: (segment: KeySegment) => Effect.Effect<void, ReadError>
    /** A wallet's segments with `fromVersion` ≥ `from`, upwards, at most `limit`. What they say is to be checked (`KeySegment`). */
    readonly keySegments: (
      walletId: string,
      options: { readonly from: number; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<KeySegment>, ReadError>
    /** All wallets with id > `after`, by id: what `verify` walks over. */
    readonly scanWallets: (options: {
      readonly after: string
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<WalletView>, ReadError>
    /** All of one wallet's transactions with version > `after`, upwards. */
    readonly scanTransactions: (
      walletId: string,
      options: { readonly after: number; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<Transaction>, ReadError>
    /** All of one wallet's holds with id > `after`, by id. */
    readonly scanHolds: (
      walletId: string,
      options: { readonly after: string; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<Hold>, ReadError>
    /** All of one wallet's transfers as their source with id > `after`, by id; the status as the source has it. */
    readonly scanTransfers: (
      walletId: string,
      options: { readonly after: string; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<Transfer>, ReadError>
    /** Where the transaction is, by its id. */
    readonly transaction: (transactionId: string) => Effect.Effect<Transaction | undefined, ReadError>
    /**
     * What a search index has to show of these, as it is now. One statement of each kind, however
     * many; what is not there is left out.
     */
    readonly indexRows: (asked: IndexRowsQuery) => Effect.Effect<IndexRows, ReadError>
    /** Keeps documents that the search index has refused, each once; a later refusal of the same one replaces it. */
    readonly saveDeadLetters: (letters: ReadonlyArray<DeadLetter>) => Effect.Effect<void, ReadError>
    /** By kind and id, after that place. */
    readonly deadLetters: (options: {
      readonly after: Pick<DeadLetter, "kind" | "id"> | undefined
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<DeadLetter>, ReadError>
    readonly countDeadLetters: Effect.Effect<number, ReadError>
    /** Of each of these wallets that has any, the latest version that one of its dead letters is of. One statement. */
    readonly refusedVersions: (
      walletIds: ReadonlyArray<string>
    ) => Effect.Effect<ReadonlyMap<string, number>, ReadError>
    /** Those at this version or an earlier one. */
    readonly removeDeadLetters: (
      letters: ReadonlyArray<Pick<DeadLetter, "kind" | "id" | "version">>
    ) => Effect.Effect<void, ReadError>
    /** The store's own clock, ms since 1970: what a node compares its clock with. */
    readonly now: Effect.Effect<number, ReadError>
    /**
     * Tries whether the user's rules let the engine's own facts pass, and leaves nothing
     * behind; appends and writes go on meanwhile. Left out where there can be no rules.
     */
    readonly tryRules?: Effect.Effect<RuleTrial, ReadError>
    /** Many wallets at once; absent where `EventStore.scan` is. */
    readonly rowScan?: RowScan
    /** The same. */
    readonly rowReplacement?: RowReplacement
  }
>()("effect-wallet/stores/Persistence") {}

/**
 * A part of the filter of a wallet's idempotency keys, as it is stored: immutable, and
 * derived from the log. `src/actors/KeyFilter.ts` gives the bits their meaning.
 *
 * Nothing depends on a segment being there, and none is believed for its own sake: the
 * segments of a wallet are a chain, each naming the id of the event before its first, and
 * whoever reads them looks the last one's event up in the log. An id stands in one
 * history only, so what matches is of the history that the log has.
 */
export interface KeySegment {
  readonly walletId: string
  /** The keys of all events from this version … */
  readonly fromVersion: number
  /** … to this one are in it. */
  readonly toVersion: number
  /** Id of the event before `fromVersion`; `""`: there is none. */
  readonly previousEventId: string
  /** Id of the event at `toVersion`. */
  readonly eventId: string
  /** How keys become bits; a reader leaves other forms alone. */
  readonly form: number
  /** Distinct keys, at most as many as it was made for: a quarter of its bytes. */
  readonly keys: number
  /** 8 bytes to 16 kB. */
  readonly bits: Uint8Array
}
