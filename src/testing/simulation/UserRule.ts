/** A user's rule as a trigger in PostgreSQL would be: it refuses what is marked as unlucky. */
import type { WalletEvent } from "../../domain/Event.ts"

/** An amount, an overdraft limit that the rule refuses; of a transfer, its sending. */
export const unluckyAmount = 13n

/** A transfer of this amount is refused where it arrives. */
export const unluckyArrival = 26n

/** The release of a hold of which this much is left is refused. */
export const unluckyRelease = 17n

/** An owner, a reason, a value of the metadata that the rule refuses. */
export const unluckyText = "unlucky"

export const isUnlucky = (event: WalletEvent): boolean => {
  switch (event._tag) {
    case "WalletCredited":
    case "WalletDebited":
    case "HoldPlaced":
    case "HoldCaptured":
    case "HoldCapturedTo":
    case "HoldChanged":
    case "TransferSent":
      return event.amount === unluckyAmount
    case "LegsBegun":
      return event.legs.some(({ amount, from }) => amount === unluckyAmount && from === event.legs[0]!.from)
    case "LegsPrepared":
      return event.legs.some(({ amount, side }) => amount === (side === "sent" ? unluckyAmount : unluckyArrival))
    case "HoldReleased":
      return event.amount === unluckyRelease
    case "TransferReceived":
      return event.amount === unluckyArrival
    case "WalletCreated":
      return event.ownerId === unluckyText
    case "WalletFrozen":
    case "WalletUnfrozen":
    case "WalletClosed":
    case "NothingChanged":
      return event.reason === unluckyText
    case "OverdraftLimitChanged":
      return event.overdraftLimit === unluckyAmount
    case "MetadataChanged":
      return event.metadata["mood"] === unluckyText
    default:
      return false
  }
}

export const reasonOfRefusal = "the user's rule refuses what is unlucky"
