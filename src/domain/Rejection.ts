/**
 * Rejections: a command that the rules of a wallet do not allow. Nothing has
 * happened; the same command may succeed later, and its key is not used up.
 */
import * as Schema from "effect/Schema"

/** Of a transfer of several legs: the number of the one that it is about, from 0. */
export const ofLeg = { leg: Schema.optionalKey(Schema.Int) }

export class WalletNotFound extends Schema.TaggedError<WalletNotFound>()("WalletNotFound", {
  walletId: Schema.String,
  ...ofLeg
}) {
  override get message(): string {
    return `wallet ${this.walletId} does not exist`
  }
}

export class WalletAlreadyExists extends Schema.TaggedError<WalletAlreadyExists>()("WalletAlreadyExists", {
  walletId: Schema.String
}) {
  override get message(): string {
    return `wallet ${this.walletId} exists already`
  }
}

export class WalletClosed extends Schema.TaggedError<WalletClosed>()("WalletClosed", {
  walletId: Schema.String,
  ...ofLeg
}) {
  override get message(): string {
    return `wallet ${this.walletId} is closed`
  }
}

/** What a frozen wallet does not do: what takes money away, what brings it, or both. */
export const FrozenDirection = Schema.Literals(["debits", "credits", "all"])

export class WalletFrozen extends Schema.TaggedError<WalletFrozen>()("WalletFrozen", {
  walletId: Schema.String,
  direction: FrozenDirection,
  /** Milliseconds since the epoch; `null`: until it is unfrozen. */
  until: Schema.NullOr(Schema.Number),
  ...ofLeg
}) {
  override get message(): string {
    return `wallet ${this.walletId} is frozen`
  }
}

export class WalletNotEmpty extends Schema.TaggedError<WalletNotEmpty>()("WalletNotEmpty", {
  walletId: Schema.String,
  balance: Schema.BigInt,
  openHolds: Schema.Int,
  transfersInFlight: Schema.Int
}) {
  override get message(): string {
    return (
      `wallet ${this.walletId} cannot be closed: balance ${this.balance}, ` +
      `${this.openHolds} open holds, ${this.transfersInFlight} transfers in flight`
    )
  }
}

/** Of a transfer `expected` is its source's currency and `actual` its destination's. */
export class CurrencyMismatch extends Schema.TaggedError<CurrencyMismatch>()("CurrencyMismatch", {
  /** The wallet that rejects. */
  walletId: Schema.String,
  expected: Schema.String,
  actual: Schema.String,
  ...ofLeg
}) {
  override get message(): string {
    return `wallet ${this.walletId} cannot take part: ${this.expected} is expected, not ${this.actual}`
  }
}

export class SameWallet extends Schema.TaggedError<SameWallet>()("SameWallet", {
  walletId: Schema.String,
  ...ofLeg
}) {
  override get message(): string {
    return `wallet ${this.walletId} cannot send to itself`
  }
}

export class HoldNotFound extends Schema.TaggedError<HoldNotFound>()("HoldNotFound", {
  walletId: Schema.String,
  holdId: Schema.String
}) {
  override get message(): string {
    return `wallet ${this.walletId} has no hold ${this.holdId}`
  }
}

export class HoldClosed extends Schema.TaggedError<HoldClosed>()("HoldClosed", {
  walletId: Schema.String,
  holdId: Schema.String
}) {
  override get message(): string {
    return `hold ${this.holdId} of wallet ${this.walletId} is captured, released or expired`
  }
}

export class HoldAmountExceeded extends Schema.TaggedError<HoldAmountExceeded>()("HoldAmountExceeded", {
  walletId: Schema.String,
  holdId: Schema.String,
  remaining: Schema.BigInt,
  amount: Schema.BigInt
}) {
  override get message(): string {
    return `hold ${this.holdId} has ${this.remaining} left, ${this.amount} asked`
  }
}

export class TransferNotFound extends Schema.TaggedError<TransferNotFound>()("TransferNotFound", {
  transferId: Schema.String
}) {
  override get message(): string {
    return `transfer ${this.transferId} does not exist`
  }
}

/** Amounts in minor units; `available` may be negative. */
export class InsufficientFunds extends Schema.TaggedError<InsufficientFunds>()("InsufficientFunds", {
  walletId: Schema.String,
  currency: Schema.String,
  available: Schema.BigInt,
  required: Schema.BigInt,
  ...ofLeg
}) {
  /** What is missing. */
  get shortage(): bigint {
    return this.required - this.available
  }
  override get message(): string {
    return `wallet ${this.walletId} has ${this.available} available, ${this.required} required`
  }
}

/**
 * - `balance`: minor units, with all that is in flight come back.
 * - `stateBytes`: of open holds, transfers in flight and metadata together.
 */
export class LimitExceeded extends Schema.TaggedError<LimitExceeded>()("LimitExceeded", {
  walletId: Schema.String,
  limit: Schema.Literals(["balance", "stateBytes"]),
  /** What it is now. */
  current: Schema.BigInt,
  /** What it would come to. */
  size: Schema.BigInt,
  bound: Schema.BigInt,
  ...ofLeg
}) {
  override get message(): string {
    const what = this.limit === "balance" ? "balance" : "state of holds, transfers in flight and metadata"
    const unit = this.limit === "balance" ? "" : " bytes"
    return `the ${what} of wallet ${this.walletId} would be ${this.size}${unit}; its bound is ${this.bound}`
  }
}

/** More than is left of what was moved. */
export class RefundExceeded extends Schema.TaggedError<RefundExceeded>()("RefundExceeded", {
  walletId: Schema.String,
  /** What is left, minor units. */
  refundable: Schema.BigInt,
  ...ofLeg
}) {
  override get message(): string {
    return `${this.refundable} can still be refunded at wallet ${this.walletId}`
  }
}

/** What it names is no movement of its own: it is refunded by its transfer, or not at all. */
export class NotRefundable extends Schema.TaggedError<NotRefundable>()("NotRefundable", {
  /** What was to be refunded. */
  id: Schema.String,
  /** The transfer by which it can be refunded; absent: there is none. */
  transferId: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return this.transferId === undefined
      ? `${this.id} cannot be refunded`
      : `${this.id} is a part of transfer ${this.transferId} and is refunded through it`
  }
}

/** A rule of the installation's own. */
export class PolicyRejected extends Schema.TaggedError<PolicyRejected>()("PolicyRejected", {
  walletId: Schema.String,
  /** Its name. */
  policy: Schema.String,
  reason: Schema.String,
  ...ofLeg
}) {
  override get message(): string {
    return `policy ${this.policy} of wallet ${this.walletId}: ${this.reason}`
  }
}

/**
 * More than the key may take out of the wallet. `limit`: at once, or within a UTC day; `bound`: how much, and
 * `remaining`: how much of that is left, minor units.
 */
export class KeyLimitExceeded extends Schema.TaggedError<KeyLimitExceeded>()("KeyLimitExceeded", {
  walletId: Schema.String,
  limit: Schema.Literals(["perOperation", "perDay"]),
  bound: Schema.BigInt,
  remaining: Schema.BigInt,
  ...ofLeg
}) {
  override get message(): string {
    const within = this.limit === "perDay" ? "in a day" : "at once"
    return `this key may take ${this.bound} ${within} from wallet ${this.walletId}; ${this.remaining} is left`
  }
}

/** Which value is wrong, and how. */
export const ValueError = Schema.Struct({
  /**
   * A JSON Pointer (RFC 6901) into what was given, `""` for the whole of it. What is not in the body of a
   * request has one of `#/path/…`, `#/query/…` and `#/header/…`.
   */
  pointer: Schema.String,
  detail: Schema.String
})

export interface ValueError extends Schema.Schema.Type<typeof ValueError> {}

/** The name of a field before a colon, as `amount: …` or `legs[3].amount: …`. */
const namedField = /^([A-Za-z]\w*(?:\[\d+\]|\.\w+)*): (.+)$/s

/** `legs[3].amount: too much` → `/legs/3/amount`, `too much`. */
const valueError = (detail: string): ValueError => {
  const [, name, rest] = namedField.exec(detail) ?? []
  if (name === undefined || rest === undefined) return { pointer: "", detail }
  return { pointer: `/${name.replace(/\[(\d+)\]/g, "/$1").replaceAll(".", "/")}`, detail: rest }
}

/** Values outside their bounds (see `Limits.ts`). */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>()("InvalidRequest", {
  /** What is wrong first; begins with the name of the field, if it is about one, and a colon. */
  detail: Schema.String,
  /** All that is wrong, at least one. */
  errors: Schema.Array(ValueError)
}) {
  /** `errors`: default, what `detail` says. */
  constructor(
    fields: { readonly detail: string; readonly errors?: ReadonlyArray<ValueError> },
    options?: Schema.MakeOptions
  ) {
    super({ detail: fields.detail, errors: fields.errors ?? [valueError(fields.detail)] }, options)
  }
  override get message(): string {
    return this.detail
  }
}

export type Rejection =
  | WalletNotFound
  | WalletAlreadyExists
  | WalletClosed
  | WalletFrozen
  | WalletNotEmpty
  | CurrencyMismatch
  | SameWallet
  | HoldNotFound
  | HoldClosed
  | HoldAmountExceeded
  | TransferNotFound
  | InsufficientFunds
  | LimitExceeded
  | RefundExceeded
  | NotRefundable
  | PolicyRejected
  | KeyLimitExceeded
  | InvalidRequest
