/**
 * The profile of a wallet: what of its view not every event says. It changes seldom, by
 * events of its own.
 */
import type { RecordedEvent, WalletEvent, WalletEventType } from "./Event.ts"
import { freezeOf } from "./Lifecycle.ts"
import { noMetadata } from "./Limits.ts"
import type { Wallet } from "./Wallet.ts"

export type Profile = Pick<Wallet, "status" | "freeze" | "overdraftLimit" | "metadata">

/** Whether an event changes the profile. */
export const changesProfile = (event: WalletEvent): boolean => {
  switch (event._tag) {
    case "WalletCredited":
    case "WalletDebited":
    case "HoldPlaced":
    case "HoldCaptured":
    case "HoldCapturedTo":
    case "HoldChanged":
    case "HoldReleased":
    case "HoldExpired":
    case "TransferSent":
    case "TransferReceived":
    case "TransferRefused":
    case "TransferSettled":
    case "TransferReversed":
    case "LegsBegun":
    case "LegsPrepared":
    case "LegsRefused":
    case "LegsApplied":
    case "LegsReleased":
    case "LegsSettled":
    case "NothingChanged":
      return false
    case "WalletCreated":
    case "WalletFrozen":
    case "WalletUnfrozen":
    case "FreezeExpired":
    case "WalletClosed":
    case "OverdraftLimitChanged":
    case "MetadataChanged":
    case "OperationReversed":
      return true
  }
}

/**
 * The events that change it, but for a reversal, which says only what it has put back: where
 * an append writes Persistence there is none.
 */
export const profileTypes = [
  "WalletCreated",
  "WalletFrozen",
  "WalletUnfrozen",
  "FreezeExpired",
  "WalletClosed",
  "OverdraftLimitChanged",
  "MetadataChanged"
] as const satisfies ReadonlyArray<WalletEventType>

export const profileOf = ({ freeze, metadata, overdraftLimit, status }: Profile): Profile => ({
  status,
  freeze,
  overdraftLimit,
  metadata
})

/** After the last event of each of {@link profileTypes}, or more of them; versions upwards, from the creation. */
export const profileAfter = (events: ReadonlyArray<RecordedEvent>): Profile => {
  let profile: Profile = { status: "active", freeze: null, overdraftLimit: 0n, metadata: noMetadata }
  for (const { event } of events) profile = next(profile, event)
  return profile
}

const next = (profile: Profile, event: WalletEvent): Profile => {
  switch (event._tag) {
    case "WalletCreated":
      return { status: "active", freeze: null, overdraftLimit: event.overdraftLimit, metadata: event.metadata }
    case "WalletFrozen":
      return { ...profile, status: "frozen", freeze: freezeOf(event) }
    case "WalletUnfrozen":
    case "FreezeExpired":
      return { ...profile, status: "active", freeze: null }
    case "WalletClosed":
      return { ...profile, status: "closed", freeze: null }
    case "OverdraftLimitChanged":
      return { ...profile, overdraftLimit: event.overdraftLimit }
    case "MetadataChanged":
      return { ...profile, metadata: event.metadata }
    default:
      return profile
  }
}
