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

export class WalletFrozen extends Schema.TaggedError<WalletFrozen>()("WalletFrozen", {
  walletId: Schema.String,
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

export class CurrencyMismatch extends Schema.TaggedError<CurrencyMismatch>()("CurrencyMismatch", {
  walletId: Schema.String,
  currency: Schema.String,
  given: Schema.String,
  ...ofLeg
}) {
  override get message(): string {
    return `wallet ${this.walletId} is in ${this.currency}, not ${this.given}`
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

export class InsufficientFunds extends Schema.TaggedError<InsufficientFunds>()("InsufficientFunds", {
  walletId: Schema.String,
  available: Schema.BigInt,
  required: Schema.BigInt,
  ...ofLeg
}) {
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

/** A value outside its bounds (see `Limits.ts`). */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>()("InvalidRequest", {
  detail: Schema.String
}) {
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
  | InvalidRequest
