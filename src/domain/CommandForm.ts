/**
 * The form of a command: all that is wrong with it whatever its wallet is. The engine asks
 * before it sends a command on its way, so that a malformed one never comes into a batch
 * with others; the rules check the same values again, each at its place in the precedence.
 */
import type { BeginLegs, RemoteCommand, SendTransfer } from "./Command.ts"
import {
  bothInvalid as both,
  invalid,
  invalidAmount,
  invalidId,
  invalidMovement,
  invalidReason,
  malformedEffectiveAt
} from "./Decision.ts"
import { invalidCreation, invalidUpdate } from "./LifecycleRules.ts"
import { invalidLegs } from "./LegsRules.ts"
import { isTime } from "./Limits.ts"
import type { InvalidRequest } from "./Rejection.ts"

/** What clients ask, as they ask it: of a transfer without what its destination is. */
export type ClientCommand =
  | Extract<
      RemoteCommand,
      {
        readonly _tag:
          | "CreateWallet"
          | "UpdateWallet"
          | "Freeze"
          | "Unfreeze"
          | "Close"
          | "Credit"
          | "Debit"
          | "PlaceHold"
          | "CaptureHold"
          | "ReleaseHold"
          | "RefundTransaction"
      }
    >
  | Omit<SendTransfer, "currency" | "destination">
  | Omit<BeginLegs, "parties">

/** Takes any values in the command's fields, also those of a caller without types. Tells all that is wrong; `undefined`: nothing is. */
export const malformed = (command: ClientCommand): InvalidRequest | undefined => {
  switch (command._tag) {
    case "Credit":
    case "Debit":
      return both(
        both(invalidId("walletId", command.walletId), invalidMovement(command)),
        malformedEffectiveAt(command.effectiveAt)
      )
    case "RefundTransaction":
      return both(
        both(
          both(invalidId("walletId", command.walletId), invalidId("transactionId", command.transactionId)),
          invalidMovement({ ...command, amount: command.amount ?? 1n })
        ),
        malformedEffectiveAt(command.effectiveAt)
      )
    case "PlaceHold":
      return both(
        both(invalidId("walletId", command.walletId), invalidMovement(command)),
        command.expiresAt === null || isTime(command.expiresAt)
          ? undefined
          : invalid("expiresAt: not a time in milliseconds")
      )
    case "CaptureHold":
      return both(
        both(invalidId("walletId", command.walletId), invalidId("holdId", command.holdId)),
        both(
          both(
            command.amount === null ? undefined : invalidAmount(command.amount),
            typeof command.final === "boolean" ? undefined : invalid("final: neither true nor false")
          ),
          malformedEffectiveAt(command.effectiveAt)
        )
      )
    case "ReleaseHold":
      return both(invalidId("walletId", command.walletId), invalidId("holdId", command.holdId))
    case "SendTransfer":
      return both(
        both(both(invalidId("from", command.walletId), invalidId("to", command.to)), invalidMovement(command)),
        malformedEffectiveAt(command.effectiveAt)
      )
    case "BeginLegs":
      return both(invalidLegs(command), malformedEffectiveAt(command.effectiveAt))
    case "CreateWallet":
      return invalidCreation(command)
    case "UpdateWallet":
      return both(invalidId("walletId", command.walletId), invalidUpdate(command))
    case "Freeze":
    case "Unfreeze":
    case "Close":
      return both(invalidId("walletId", command.walletId), invalidReason(command.reason))
  }
}
