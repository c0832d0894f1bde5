/** What a command can fail with, as JSON, for the way from one node to another. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import {
  type CommandError,
  IdempotencyKeyReused,
  MailboxFull,
  OperationReversed,
  OutcomeUnknown
} from "../actors/EngineError.ts"
import {
  CurrencyMismatch,
  HoldAmountExceeded,
  HoldClosed,
  HoldNotFound,
  InsufficientFunds,
  InvalidRequest,
  LimitExceeded,
  SameWallet,
  TransferNotFound,
  WalletAlreadyExists,
  WalletClosed,
  WalletFrozen,
  WalletNotEmpty,
  WalletNotFound
} from "../domain/Rejection.ts"
import { EventUnreadable, OperationRefused, StoreDefect, StoreUnavailable } from "../stores/StoreError.ts"

/** Every kind of {@link CommandError}; a kind that is missing here does not typecheck below. */
const commandErrors = Schema.Union([
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
  InvalidRequest,
  IdempotencyKeyReused,
  MailboxFull,
  OutcomeUnknown,
  OperationRefused,
  OperationReversed,
  StoreUnavailable,
  StoreDefect,
  EventUnreadable
])

const codec = Schema.toCodecJson(commandErrors)
const encode = Schema.encodeSync(codec)
const decode = Schema.decodeUnknownResult(codec)

/** JSON-able. */
export const encodeError = (error: CommandError): Schema.Json => encode(error)

/** `undefined`: unreadable. */
export const decodeError = (value: unknown): CommandError | undefined => Result.getOrUndefined(decode(value))
