/**
 * The texts that nodes exchange, as schemas: batches of calls on wallets, the replies to
 * them, and reads of a current state.
 *
 * Every text begins with the version of its form. A text of another version, or a damaged
 * one, is refused whole. `CallCodec` reads and writes them.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import {
  AccessDenied,
  type CommandError,
  IdempotencyKeyReused,
  MailboxFull,
  OperationReversed,
  OutcomeUnknown,
  PolicyDefect,
  VersionMismatch
} from "../actors/EngineError.ts"
import type { JsonObject } from "../domain/Codec.ts"
import { decodeCommand, encodeCommand } from "../domain/CommandCodec.ts"
import type { CommandKey } from "../domain/Event.ts"
import { idPattern } from "../domain/Limits.ts"
import { decodeRecorded, encodeRecorded } from "../domain/EventCodec.ts"
import {
  CurrencyMismatch,
  HoldAmountExceeded,
  HoldClosed,
  HoldNotFound,
  InsufficientFunds,
  InvalidRequest,
  KeyLimitExceeded,
  LimitExceeded,
  NotRefundable,
  PolicyRejected,
  RefundExceeded,
  SameWallet,
  TransferNotFound,
  WalletAlreadyExists,
  WalletClosed,
  WalletFrozen,
  WalletNotEmpty,
  WalletNotFound
} from "../domain/Rejection.ts"
import { decodeWallet, encodeWallet } from "../domain/WalletCodec.ts"
import { EventUnreadable, OperationRefused, StoreDefect, StoreUnavailable } from "../stores/StoreError.ts"

// --- Parts ---------------------------------------------------------------------

/** Raised with a change that the release before cannot read. */
export const form = 1

/**
 * Of a batch with a call whose key has limits: the release before would pass over them, so it is not to read such
 * a batch at all. Its calls wait for an owner of this release.
 */
export const limitedForm = 2

const versioned = { form: Schema.Literal(form) }

const count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const nullableText = Schema.NullOr(Schema.String)

/** A value that the domain has a codec for. */
const domainValue = <A extends object>(
  name: string,
  write: (value: A) => JsonObject,
  read: (json: unknown) => Result.Result<A, string>
) =>
  Schema.Unknown.pipe(
    Schema.decodeTo(
      Schema.declare((value): value is A => typeof value === "object" && value !== null, { identifier: name }),
      SchemaTransformation.transformEffect({
        decode: (json, options) =>
          Effect.mapError(
            Effect.fromResult(read(json)),
            (message) => new SchemaIssue.InvalidValue({ message }, json, options)
          ),
        encode: (value) => Effect.succeed(write(value))
      })
    )
  )

const command = domainValue("RemoteCommand", encodeCommand, decodeCommand)
const recordedEvent = domainValue("RecordedEvent", encodeRecorded, decodeRecorded)
const wallet = domainValue("Wallet", encodeWallet, decodeWallet)

export const isCommandKey = (value: unknown): value is CommandKey =>
  typeof value === "string" && (value.startsWith("c:") || value.startsWith("e:"))

const key = Schema.declare(isCommandKey, { identifier: "CommandKey" })

/** Every kind of `CommandError`; a kind that is missing here does not typecheck below. */
const commandError = Schema.toCodecJson(
  Schema.Union([
    WalletNotFound,
    WalletAlreadyExists,
    WalletClosed,
    WalletFrozen,
    WalletNotEmpty,
    CurrencyMismatch,
    SameWallet,
    HoldNotFound,
    HoldClosed,
    HoldAmountExceeded,
    TransferNotFound,
    InsufficientFunds,
    LimitExceeded,
    RefundExceeded,
    NotRefundable,
    PolicyRejected,
    KeyLimitExceeded,
    InvalidRequest,
    IdempotencyKeyReused,
    VersionMismatch,
    PolicyDefect,
    MailboxFull,
    OutcomeUnknown,
    OperationRefused,
    OperationReversed,
    StoreUnavailable,
    StoreDefect,
    EventUnreadable,
    AccessDenied
  ])
)

const writeError = Schema.encodeSync(commandError)
const readError = Schema.decodeUnknownResult(commandError)

export const encodeError = (error: CommandError): Schema.Json => writeError(error)

/** `undefined`: unreadable. */
export const decodeError = (json: unknown): CommandError | undefined => Result.getOrUndefined(readError(json))

// --- Calls ---------------------------------------------------------------------

const minorUnits = Schema.NullOr(Schema.BigIntFromString.check(Schema.isGreaterThanBigInt(0n)))

const keyLimit = Schema.Struct({
  keyId: Schema.String.check(Schema.isPattern(idPattern)),
  perOperation: minorUnits,
  perDay: minorUnits
})

const call = Schema.Struct({
  command,
  key,
  actor: nullableText,
  correlationId: nullableText,
  /** Absent: none. */
  limit: Schema.optionalKey(keyLimit),
  await: Schema.Literals(["committed", "persisted", "indexed"]),
  bytes: count,
  /** Absent: whichever. */
  ifVersion: Schema.optionalKey(count),
  /** Absent: `false`. */
  dryRun: Schema.optionalKey(Schema.Boolean),
  waitedMillis: count,
  /** Absent: `false`. */
  again: Schema.optionalKey(Schema.Boolean)
})

const walletCalls = Schema.Struct({
  walletId: Schema.String,
  after: Schema.NullOr(count),
  calls: Schema.Array(call)
}).check(
  Schema.makeFilter(({ calls, walletId }) => calls.every(({ command }) => command.walletId === walletId), {
    expected: "calls on one wallet"
  })
)

export const Batch = Schema.Struct({ form: Schema.Literals([form, limitedForm]), wallets: Schema.Array(walletCalls) })

// --- Answers -------------------------------------------------------------------

/** States are named by their numbers. */
const done = Schema.Struct({
  type: Schema.Literal("Done"),
  before: Schema.NullOr(count),
  after: count,
  events: Schema.Array(recordedEvent),
  replayed: Schema.Boolean,
  persisted: Schema.Boolean,
  /** Of a transfer that came to its end with it. */
  completion: Schema.optionalKey(
    Schema.Struct({
      updatedAt: count,
      transactions: Schema.Array(Schema.Struct({ sent: Schema.String, received: Schema.String }))
    })
  )
})

const seen = Schema.Struct({
  type: Schema.Literal("Seen"),
  version: count,
  current: count,
  profileVersion: Schema.Int,
  persisted: Schema.Boolean
})

const failed = { type: Schema.Literal("Failed"), error: commandError }
const notOwner = { type: Schema.Literal("NotOwner") }
const pending = { type: Schema.Literal("Pending") }
const defect = { type: Schema.Literal("Defect"), reason: Schema.String }

/** Where clients reach the node that answers. Absent: it does not say. */
const url = Schema.optionalKey(Schema.String)

export const Reply = Schema.Struct({
  ...versioned,
  node: Schema.String,
  url,
  token: nullableText,
  epochs: Schema.Array(Schema.NullOr(count)),
  /** Those that do not follow from another by an answer's events. */
  states: Schema.Array(Schema.Struct({ number: count, wallet })),
  answers: Schema.Array(
    Schema.Union([
      done,
      seen,
      Schema.Struct(failed),
      Schema.Struct(notOwner),
      Schema.Struct(pending),
      Schema.Struct(defect)
    ])
  )
})

// --- Reads ---------------------------------------------------------------------

export const CurrentRequest = Schema.Struct({
  ...versioned,
  walletId: Schema.String,
  /** `-1`: any. */
  minVersion: Schema.Int
})

/** Without a wallet: there is none. */
export const CurrentReply = Schema.Union([
  Schema.Struct({ ...versioned, url, type: Schema.Literal("Current"), wallet: Schema.NullOr(wallet) }),
  Schema.Struct({ ...versioned, ...failed }),
  Schema.Struct({ ...versioned, ...notOwner }),
  Schema.Struct({ ...versioned, ...defect })
])
