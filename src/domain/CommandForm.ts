/**
 * The form of a command: all that is wrong with it whatever its wallet is. The engine asks
 * before it sends a command on its way, so that a malformed one never comes into a batch
 * with others; the rules check the same values again, each at its place in the precedence.
 */
import type { BeginLegs, CaptureHold, CaptureHoldTo, Credit, RemoteCommand, SendTransfer } from "./Command.ts"
import {
  bothInvalid as both,
  invalid,
  invalidAmount,
  invalidId,
  invalidMovement,
  invalidReason,
  malformedEffectiveAt
} from "./Decision.ts"
import { invalidChange } from "./HoldRules.ts"
import { invalidCreation, invalidFreeze, invalidUpdate } from "./LifecycleRules.ts"
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
          | "ChangeHold"
          | "ReleaseHold"
      }
    >
  | Omit<SendTransfer, "currency" | "destination">
  | Omit<CaptureHoldTo, "currency" | "destination">
  | Omit<BeginLegs, "parties">

const malformedMovement = (command: Omit<Credit, "_tag">): InvalidRequest | undefined =>
  both(
    both(invalidId("walletId", command.walletId), invalidMovement(command)),
    malformedEffectiveAt(command.effectiveAt)
  )

const malformedCapture = (
  command: Pick<CaptureHold, "amount" | "effectiveAt" | "final" | "holdId" | "walletId">
): InvalidRequest | undefined =>
  both(
    both(invalidId("walletId", command.walletId), invalidId("holdId", command.holdId)),
    both(
      both(
        command.amount === null ? undefined : invalidAmount(command.amount),
        typeof command.final === "boolean" ? undefined : invalid("final: neither true nor false")
      ),
      malformedEffectiveAt(command.effectiveAt)
    )
  )

/** Takes any values in the command's fields, also those of a caller without types. Tells all that is wrong; `undefined`: nothing is. */
export const malformed = (command: ClientCommand): InvalidRequest | undefined => {
  switch (command._tag) {
    case "Credit":
      return malformedMovement(command)
    case "Debit":
      return both(
        malformedMovement(command),
        command.force === null || typeof command.force === "boolean"
          ? undefined
          : invalid("force: neither true nor false")
      )
    case "PlaceHold":
      return both(
        both(invalidId("walletId", command.walletId), invalidMovement(command)),
        command.expiresAt === null || isTime(command.expiresAt)
          ? undefined
          : invalid("expiresAt: not a time in milliseconds")
      )
    case "CaptureHold":
      return malformedCapture(command)
    case "CaptureHoldTo":
      return both(malformedCapture(command), invalidId("to", command.to))
    case "ChangeHold":
      return both(
        both(invalidId("walletId", command.walletId), invalidId("holdId", command.holdId)),
        invalidChange(command)
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
      return both(invalidId("walletId", command.walletId), invalidFreeze(command))
    case "Unfreeze":
    case "Close":
      return both(invalidId("walletId", command.walletId), invalidReason(command.reason))
  }
}
