/**
 * The form of commands: what stands at the place "amount invalid" of the
 * precedence (`Decide.ts`). Each check answers an InvalidRequest that begins with
 * the field's name, or `undefined`.
 */
import * as HashMap from "effect/HashMap"
import type { CreateWallet, PlaceHold, SendTransfer } from "./Command.ts"
import {
  isAmount,
  isAmountOrZero,
  isCurrency,
  isId,
  isMetadata,
  isText,
  isTime,
  maxTextLength,
  type Metadata
} from "./Limits.ts"
import { InvalidRequest } from "./Rejection.ts"
import type { Wallet } from "./Wallet.ts"

const invalid = (detail: string): InvalidRequest => new InvalidRequest({ detail })

const malformedText = (name: string, value: string | null): InvalidRequest | undefined =>
  value === null || isText(value, maxTextLength)
    ? undefined
    : invalid(`${name}: not a text of at most ${maxTextLength} characters`)

const malformedMetadata = (metadata: Metadata): InvalidRequest | undefined =>
  isMetadata(metadata) ? undefined : invalid("metadata: too many pairs, or one too long or not text")

const malformedId = (name: string, value: string): InvalidRequest | undefined =>
  isId(value) ? undefined : invalid(`${name}: not an id`)

/** Amount, reference and metadata: what every movement of money has. */
export const malformedMovement = (movement: {
  readonly amount: bigint
  readonly reference: string | null
  readonly metadata: Metadata
}): InvalidRequest | undefined =>
  isAmount(movement.amount)
    ? (malformedText("reference", movement.reference) ?? malformedMetadata(movement.metadata))
    : invalid("amount: not a positive amount of at most 30 digits")

export const malformedReason = (reason: string | null): InvalidRequest | undefined => malformedText("reason", reason)

const malformedLimit = (overdraftLimit: bigint): InvalidRequest | undefined =>
  isAmountOrZero(overdraftLimit) ? undefined : invalid("overdraftLimit: not an amount of at most 30 digits")

export const malformedCreation = (command: CreateWallet): InvalidRequest | undefined =>
  malformedId("id", command.walletId) ??
  malformedId("ownerId", command.ownerId) ??
  (isCurrency(command.currency) ? undefined : invalid("currency: not a currency code")) ??
  malformedLimit(command.overdraftLimit) ??
  malformedMetadata(command.metadata)

/** `null`: not to be changed. */
export const malformedUpdate = (
  overdraftLimit: bigint | null,
  metadata: Metadata | null
): InvalidRequest | undefined => {
  if (overdraftLimit === null && metadata === null) return invalid("nothing to change")
  return (
    (overdraftLimit === null ? undefined : malformedLimit(overdraftLimit)) ??
    (metadata === null ? undefined : malformedMetadata(metadata))
  )
}

/** A second hold of the same id would overwrite the first and lose what it holds. */
export const malformedHold = (wallet: Wallet, command: PlaceHold, time: number): InvalidRequest | undefined => {
  const malformed = malformedMovement(command) ?? malformedId("holdId", command.holdId)
  if (malformed !== undefined) return malformed
  const { expiresAt } = command
  if (expiresAt !== null && !(isTime(expiresAt) && expiresAt > time)) return invalid("expiresAt: not a time to come")
  return HashMap.has(wallet.holds, command.holdId) ? invalid("holdId: in use") : undefined
}

/** A second transfer of the same id would overwrite the first and lose its money. */
export const malformedTransfer = (wallet: Wallet, command: SendTransfer): InvalidRequest | undefined =>
  malformedMovement(command) ??
  malformedId("transferId", command.transferId) ??
  malformedId("to", command.to) ??
  (HashMap.has(wallet.transfers, command.transferId) ? invalid("transferId: in use") : undefined)
