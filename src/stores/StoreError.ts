/**
 * What can go wrong at a store. Adapters translate every driver error into one
 * of these at their edge; nothing above them sees a driver's own error.
 */
import * as Schema from "effect/Schema"

/** `service`: to a remote engine, the service that it asks. */
export const StoreName = Schema.Literals(["log", "persistence", "readModel", "keys", "leases", "service"])
export type StoreName = typeof StoreName.Type

/**
 * The store did not answer, or answered that it cannot serve now. For a write:
 * nothing was written. May be tried again.
 */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()("StoreUnavailable", {
  store: StoreName,
  reason: Schema.String,
  /** Milliseconds after which a caller may try again. */
  retryAfter: Schema.Int,
  /** The cause as callers may hear it, who are told no hosts; none: they are told that a store is away. */
  detail: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return `the ${this.store} store is unavailable: ${this.reason}`
  }
}

/** Why a refund could not be judged: what its wallet remembers does not reach back to the rows that it was asked with. */
export const refundsBehind = "the rows of earlier refunds are behind their wallet"

/**
 * An append whose answer was lost: it may be in the log now, or later, or never.
 * Only the same append again, with the same ids and checks, settles it.
 */
export class AppendUnknown extends Schema.TaggedError<AppendUnknown>()("AppendUnknown", {
  reason: Schema.String
}) {
  override get message(): string {
    return `the outcome of an append is unknown: ${this.reason}`
  }
}

/**
 * A rule of the user's own (a trigger, a constraint that is not ours) refused the
 * write. Nothing of this call was written.
 */
export class OperationRefused extends Schema.TaggedError<OperationRefused>()("OperationRefused", {
  reason: Schema.String
}) {
  override get message(): string {
    return `the operation was refused: ${this.reason}`
  }
}

/**
 * The store answered something that only a defect of ours or a damaged store
 * explains. Nothing of this call was written. Not worth a retry.
 */
export class StoreDefect extends Schema.TaggedError<StoreDefect>()("StoreDefect", {
  store: StoreName,
  reason: Schema.String
}) {
  override get message(): string {
    return `the ${this.store} store is at fault: ${this.reason}`
  }
}

/** A search that its store cannot answer within its bounds, whenever it is tried. */
export class QueryTooWide extends Schema.TaggedError<QueryTooWide>()("QueryTooWide", {
  /** What to narrow. */
  detail: Schema.String
}) {
  override get message(): string {
    return `the search is too wide: ${this.detail}`
  }
}

/** An event that this release cannot read: damaged, or written by a later one. */
export class EventUnreadable extends Schema.TaggedError<EventUnreadable>()("EventUnreadable", {
  walletId: Schema.String,
  version: Schema.Int,
  type: Schema.String,
  reason: Schema.String,
  /** Where a read over all streams has met it: a reader can go on after it. */
  position: Schema.optionalKey(Schema.BigInt)
}) {
  /** The same, met at that position. */
  at(position: bigint): EventUnreadable {
    return new EventUnreadable({ ...this, position })
  }

  override get message(): string {
    return `event ${this.version} (${this.type}) of wallet ${this.walletId} cannot be read: ${this.reason}`
  }
}

/** A follower asked for a position that this log has not reached. */
export class PositionGone extends Schema.TaggedError<PositionGone>()("PositionGone", {
  position: Schema.BigInt,
  head: Schema.BigInt
}) {
  override get message(): string {
    return `position ${this.position} is beyond the head of the log, ${this.head}`
  }
}

export type ReadError = StoreUnavailable | StoreDefect
