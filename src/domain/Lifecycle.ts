/** What happens to a wallet itself: it is created, frozen, thawed, closed; its limit and its metadata change, or stay. */
import * as Schema from "effect/Schema"
import { after, AmountOrZero, AnyInteger, AnyMetadata, AnyText, Currency, Id, Metadata, Text } from "./WireValues.ts"

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
  Freeze: statusChange,
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
export type Freeze = typeof LifecycleCommand.cases.Freeze.Type
export type Unfreeze = typeof LifecycleCommand.cases.Unfreeze.Type
export type Close = typeof LifecycleCommand.cases.Close.Type
export type UpdateWallet = typeof LifecycleCommand.cases.UpdateWallet.Type

// --- Events ------------------------------------------------------------------

const statusChanged = { reason: Schema.NullOr(Text), ...after }

export const LifecycleEvent = Schema.TaggedUnion({
  WalletCreated: { ownerId: Id, currency: Currency, overdraftLimit: AmountOrZero, metadata: Metadata, ...after },
  WalletFrozen: statusChanged,
  WalletUnfrozen: statusChanged,
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
export type WalletClosed = typeof LifecycleEvent.cases.WalletClosed.Type
export type OverdraftLimitChanged = typeof LifecycleEvent.cases.OverdraftLimitChanged.Type
export type MetadataChanged = typeof LifecycleEvent.cases.MetadataChanged.Type
export type NothingChanged = typeof LifecycleEvent.cases.NothingChanged.Type
