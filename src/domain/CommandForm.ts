/**
 * The form of a command: all that is wrong with it whatever its wallet is. The engine asks
 * before it sends a command on its way, so that a malformed one never comes into a batch
 * with others; the rules check the same values again, each at its place in the precedence.
 */
import type { BeginLegs, RemoteCommand, SendTransfer } from "./Command.ts"
import { invalid, invalidId, invalidMovement, invalidReason } from "./Decision.ts"
import { invalidCreation, invalidUpdate } from "./LifecycleRules.ts"
import { invalidLegs } from "./LegsForm.ts"
import { isAmount, isTime } from "./Limits.ts"
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
      }
    >
  | Omit<SendTransfer, "currency" | "destination">
  | Omit<BeginLegs, "parties">

const invalidAmount = (amount: bigint): InvalidRequest | undefined =>
  isAmount(amount) ? undefined : invalid("amount: not a positive amount of at most 30 digits")

/** Takes any values in the command's fields, also those of a caller without types. `undefined`: nothing is wrong. */
export const malformed = (command: ClientCommand): InvalidRequest | undefined => {
  switch (command._tag) {
    case "Credit":
    case "Debit":
      return invalidId("walletId", command.walletId) ?? invalidMovement(command)
    case "PlaceHold":
      return (
        invalidId("walletId", command.walletId) ??
        invalidMovement(command) ??
        (command.expiresAt === null || isTime(command.expiresAt)
          ? undefined
          : invalid("expiresAt: not a time in milliseconds"))
      )
    case "CaptureHold":
      return (
        invalidId("walletId", command.walletId) ??
        invalidId("holdId", command.holdId) ??
        (command.amount === null ? undefined : invalidAmount(command.amount)) ??
        (typeof command.final === "boolean" ? undefined : invalid("final: neither true nor false"))
      )
    case "ReleaseHold":
      return invalidId("walletId", command.walletId) ?? invalidId("holdId", command.holdId)
    case "SendTransfer":
      return invalidId("from", command.walletId) ?? invalidId("to", command.to) ?? invalidMovement(command)
    case "BeginLegs":
      return invalidLegs(command)
    case "CreateWallet":
      return invalidCreation(command)
    case "UpdateWallet":
      return invalidId("walletId", command.walletId) ?? invalidUpdate(command)
    case "Freeze":
    case "Unfreeze":
    case "Close":
      return invalidId("walletId", command.walletId) ?? invalidReason(command.reason)
  }
}
