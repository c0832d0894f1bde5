/**
 * Failures of the engine itself, beside the rejections of the rules and the
 * failures of the stores.
 */
import * as Schema from "effect/Schema"
import { ofLeg, type Rejection } from "../domain/Rejection.ts"
import type { EventUnreadable, OperationRefused, StoreDefect, StoreUnavailable } from "../stores/StoreError.ts"

/** The key was used before, by another command. Nothing has happened. */
export class IdempotencyKeyReused extends Schema.TaggedError<IdempotencyKeyReused>()("IdempotencyKeyReused", {
  walletId: Schema.String,
  key: Schema.String
}) {
  override get message(): string {
    return `the idempotency key was used for another command on wallet ${this.walletId}`
  }
}

/** The wallet is not at the version that the command was made for. Nothing has happened. */
export class VersionMismatch extends Schema.TaggedError<VersionMismatch>()("VersionMismatch", {
  walletId: Schema.String,
  /** Where the wallet is. */
  version: Schema.Int
}) {
  override get message(): string {
    return `wallet ${this.walletId} is at version ${this.version}`
  }
}

/** A rule of the installation's own has thrown. Nothing has happened; the log says more. */
export class PolicyDefect extends Schema.TaggedError<PolicyDefect>()("PolicyDefect", {
  walletId: Schema.String,
  policy: Schema.String
}) {
  override get message(): string {
    return `policy ${this.policy} could not judge; it has been logged`
  }
}

/** The wallet's mailbox, or the node's bound on waiting commands, is full. Nothing has happened. */
export class MailboxFull extends Schema.TaggedError<MailboxFull>()("MailboxFull", {
  walletId: Schema.String,
  /** Milliseconds. */
  retryAfter: Schema.Int
}) {
  override get message(): string {
    return `too many commands are waiting for wallet ${this.walletId}`
  }
}

/** This node has as many reads, or feeds, to serve as it takes at a time. */
export class RateLimited extends Schema.TaggedError<RateLimited>()("RateLimited", {
  detail: Schema.String,
  /** Milliseconds. */
  retryAfter: Schema.Int
}) {
  override get message(): string {
    return this.detail
  }
}

/** A read asks for at least a version that the wallet, or its rows, have not reached. */
export class VersionNotReached extends Schema.TaggedError<VersionNotReached>()("VersionNotReached", {
  walletId: Schema.String,
  minVersion: Schema.Int,
  /** Milliseconds. */
  retryAfter: Schema.Int
}) {
  override get message(): string {
    return `wallet ${this.walletId} has not reached version ${this.minVersion}`
  }
}

/** No row of this transaction: with a separate log perhaps not yet. */
export class TransactionNotFound extends Schema.TaggedError<TransactionNotFound>()("TransactionNotFound", {
  transactionId: Schema.String
}) {
  override get message(): string {
    return `transaction ${this.transactionId} does not exist`
  }
}

/**
 * The command was sent to the log, or to a remote engine's service, which has not answered in time. It may
 * have happened: only a retry with the same key tells.
 */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>()("OutcomeUnknown", {
  /** `""`: not known either, as of a refund by its transaction's id. */
  walletId: Schema.String,
  /** Milliseconds. */
  retryAfter: Schema.Int,
  /** What a remote engine has met instead of an answer. */
  reason: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    const why = this.reason === undefined ? "" : ` (${this.reason})`
    return `it is not known whether the command on wallet ${this.walletId} took place${why}; retry with the same key`
  }
}

/**
 * The command took place, but PostgreSQL refused its rows for good, by a rule of the
 * user's: it was undone. Every retry with the key gets this again.
 */
export class OperationReversed extends Schema.TaggedError<OperationReversed>()("OperationReversed", {
  walletId: Schema.String,
  reason: Schema.String,
  /** `true`: the key was known, nothing new has happened. */
  replayed: Schema.Boolean
}) {
  override get message(): string {
    return `the operation on wallet ${this.walletId} was reversed: ${this.reason}`
  }
}

/**
 * The destination refused the transfer after the money was sent, and the source has it back; or
 * one of the wallets of several legs refused, and none has moved.
 */
export class TransferReversed extends Schema.TaggedError<TransferReversed>()("TransferReversed", {
  transferId: Schema.String,
  reason: Schema.String,
  /** `true`: the key was known, nothing new has happened. */
  replayed: Schema.Boolean,
  ...ofLeg
}) {
  override get message(): string {
    return `transfer ${this.transferId} was reversed: ${this.reason}`
  }
}

/**
 * The service of a remote engine does not take its API key, or not for this. Nothing has happened; it is for the key's
 * owner to change. An engine that is in this process never fails so.
 */
export class AccessDenied extends Schema.TaggedError<AccessDenied>()("AccessDenied", {
  /**
   * `key`: it is none of the service's. Else the key may not do this: by its scopes, by the types that it is
   * restricted to, or by its restriction otherwise.
   */
  reason: Schema.Literals(["key", "scope", "type", "restriction"]),
  detail: Schema.String
}) {
  override get message(): string {
    return this.detail
  }
}

/** The same failure once more: several callers may be told it, and the object is each one's own. */
export const sameFailure = <E extends Error & { readonly _tag: string }>(error: E): E => {
  // Its class takes the fields that the error shows; TypeScript does not know an object's class.
  const Failure = error.constructor as new (fields: object) => E
  return new Failure({ ...error })
}

/** What a command can fail with. Only `OutcomeUnknown` may have had an effect. */
export type CommandError =
  | Rejection
  | IdempotencyKeyReused
  | VersionMismatch
  | PolicyDefect
  | MailboxFull
  | OutcomeUnknown
  | OperationRefused
  | OperationReversed
  | StoreUnavailable
  | StoreDefect
  | EventUnreadable
  | AccessDenied

const retryable = ["MailboxFull", "RateLimited", "StoreUnavailable", "VersionNotReached", "OutcomeUnknown"] as const

/**
 * The same again, a command with the same key, may succeed with nobody doing anything about it; it is `retryable` of the
 * API's problems. `OutcomeUnknown` alone may have had an effect, and with the same key it has no second one.
 */
export const isRetryable = <E extends { readonly _tag: string }>(
  error: E
): error is Extract<E, { readonly _tag: (typeof retryable)[number] }> =>
  (retryable as ReadonlyArray<string>).includes(error._tag)
