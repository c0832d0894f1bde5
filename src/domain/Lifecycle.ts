/** What happens to a wallet itself: it is created, frozen, thawed, closed; its limit and its metadata change, or stay. */
import * as Schema from "effect/Schema"
import { absentOrNull } from "./Codec.ts"
import { FrozenDirection } from "./Rejection.ts"
import type { Freeze } from "./Wallet.ts"
import {
  after,
  AmountOrZero,
  AnyInteger,
  AnyMetadata,
  AnyText,
  AnyTime,
  Currency,
  Id,
  Metadata,
  Text,
  Time
} from "./WireValues.ts"

// --- Commands ----------------------------------------------------------------

const statusChange = { walletId: AnyText, reason: Schema.NullOr(AnyText) }

export const LifecycleCommand = Schema.TaggedUnion({
  CreateWallet: {
    walletId: AnyText,
    ownerId: AnyText,
    currency: AnyText,
    overdraftLimit: AnyInteger,
    metadata: AnyMetadata
  },
  Freeze: {
    ...statusChange,
    /** `null`: debits. */
    direction: absentOrNull(AnyText),
    /** `null`: until it is unfrozen. */
    until: absentOrNull(AnyTime)
  },
  /** By the engine, at the freeze's `until`, never before. */
  ExpireFreeze: { walletId: AnyText, until: AnyTime },
  Unfreeze: statusChange,
  Close: statusChange,
  /** Limit and metadata in one command, as `PATCH` sends them: all or nothing, at least one given. */
  UpdateWallet: {
    walletId: AnyText,
    overdraftLimit: Schema.NullOr(AnyInteger),
    /** Replaces the whole map. */
    metadata: Schema.NullOr(AnyMetadata)
  }
})

export type LifecycleCommand = typeof LifecycleCommand.Type
export type CreateWallet = typeof LifecycleCommand.cases.CreateWallet.Type
export type FreezeCommand = typeof LifecycleCommand.cases.Freeze.Type
export type ExpireFreeze = typeof LifecycleCommand.cases.ExpireFreeze.Type
export type Unfreeze = typeof LifecycleCommand.cases.Unfreeze.Type
export type Close = typeof LifecycleCommand.cases.Close.Type
export type UpdateWallet = typeof LifecycleCommand.cases.UpdateWallet.Type

// --- Events ------------------------------------------------------------------

const statusChanged = { reason: Schema.NullOr(Text), ...after }

/** `null`: debits. */
const Direction = absentOrNull(FrozenDirection)

export const LifecycleEvent = Schema.TaggedUnion({
  WalletCreated: { ownerId: Id, currency: Currency, overdraftLimit: AmountOrZero, metadata: Metadata, ...after },
  WalletFrozen: {
    reason: Schema.NullOr(Text),
    direction: Direction,
    until: absentOrNull(Time),
    /** The direction of the freeze that this one replaces; `null`: there was none. */
    replaced: absentOrNull(FrozenDirection),
    ...after
  },
  WalletUnfrozen: {
    reason: Schema.NullOr(Text),
    /** Of the freeze that it ends. */
    direction: Direction,
    ...after
  },
  /** The freeze's time is over. */
  FreezeExpired: { until: Time, ...after },
  WalletClosed: statusChanged,
  OverdraftLimitChanged: {
    overdraftLimit: AmountOrZero,
    /** What it was, so that a reversal needs no fold. */
    previousLimit: AmountOrZero,
    ...after
  },
  MetadataChanged: { metadata: Metadata, previousMetadata: Metadata, ...after },
  /** All was as the command wants it. It is an event for its key's sake: a late retry must not act. */
  NothingChanged: { command: Schema.Literals(["Freeze", "Unfreeze", "UpdateWallet"]), ...statusChanged }
})

export type LifecycleEvent = typeof LifecycleEvent.Type
export type WalletCreated = typeof LifecycleEvent.cases.WalletCreated.Type
export type WalletFrozen = typeof LifecycleEvent.cases.WalletFrozen.Type
export type WalletUnfrozen = typeof LifecycleEvent.cases.WalletUnfrozen.Type
export type FreezeExpired = typeof LifecycleEvent.cases.FreezeExpired.Type
export type WalletClosed = typeof LifecycleEvent.cases.WalletClosed.Type
export type OverdraftLimitChanged = typeof LifecycleEvent.cases.OverdraftLimitChanged.Type
export type MetadataChanged = typeof LifecycleEvent.cases.MetadataChanged.Type
export type NothingChanged = typeof LifecycleEvent.cases.NothingChanged.Type

/** What the event has made of the wallet. */
export const freezeOf = ({ direction, reason, until }: WalletFrozen): Freeze => ({
  direction: direction ?? "debits",
  reason,
  until
})
