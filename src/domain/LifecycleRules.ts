/** The wallet itself: the rules of creating, freezing, closing and changing it, and what their events do. */
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import {
  closed,
  type DecideContext,
  type Decision,
  insufficient,
  bothInvalid,
  invalid,
  invalidId,
  invalidLimit,
  invalidMetadata,
  invalidReason,
  stateTooLarge,
  tooLarge
} from "./Decision.ts"
import {
  buildsOnNothing,
  freesNothing,
  type EventKind,
  type EventKinds,
  needsCreditsUnfrozen,
  needsUnfrozen,
  nothing,
  noTrace,
  type Traces,
  type Undo
} from "./EventKind.ts"
import {
  type Close,
  type CreateWallet,
  type ExpireFreeze,
  type FreezeCommand,
  type FreezeExpired,
  freezeOf,
  type LifecycleEvent,
  type MetadataChanged,
  type NothingChanged,
  type OverdraftLimitChanged,
  type Unfreeze,
  type UpdateWallet,
  type WalletClosed,
  type WalletCreated,
  type WalletFrozen,
  type WalletUnfrozen
} from "./Lifecycle.ts"
import { isCurrency, isTime, type Metadata } from "./Limits.ts"
import { type InvalidRequest, type Rejection, WalletAlreadyExists, WalletNotEmpty } from "./Rejection.ts"
import type { Restored } from "./Reversal.ts"
import { type Freeze, type FreezeDirection, sameFreeze, stops, type Wallet, type WalletStatus } from "./Wallet.ts"
import { metadataBytes, stateBytes } from "./WalletSize.ts"
import { moved, withMetadata, withOverdraftLimit, withStatus } from "./WalletState.ts"

// --- Rules -------------------------------------------------------------------

export const invalidCreation = (command: CreateWallet): InvalidRequest | undefined =>
  bothInvalid(
    bothInvalid(invalidId("id", command.walletId), invalidId("ownerId", command.ownerId)),
    bothInvalid(
      isCurrency(command.currency) ? undefined : invalid("currency: not a currency code"),
      bothInvalid(invalidLimit(command.overdraftLimit), invalidMetadata(command.metadata))
    )
  )

export const invalidUpdate = ({ metadata, overdraftLimit }: UpdateWallet): InvalidRequest | undefined => {
  if (overdraftLimit === null && metadata === null) return invalid("nothing to change")
  return bothInvalid(
    overdraftLimit === null ? undefined : invalidLimit(overdraftLimit),
    metadata === null ? undefined : invalidMetadata(metadata)
  )
}

export const create = (wallet: Wallet | undefined, command: CreateWallet, context: DecideContext): Decision => {
  const rejection =
    wallet !== undefined
      ? new WalletAlreadyExists({ walletId: command.walletId })
      : (invalidCreation(command) ?? bornTooLarge(command, context))
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "WalletCreated",
      ownerId: command.ownerId,
      currency: command.currency,
      overdraftLimit: command.overdraftLimit,
      metadata: command.metadata,
      balanceAfter: 0n,
      heldAfter: 0n
    }
  ])
}

const bornTooLarge = ({ metadata, walletId }: CreateWallet, { limits }: DecideContext): Rejection | undefined => {
  const size = stateBytes(metadata, 0)
  return size <= limits.stateBytes ? undefined : stateTooLarge(walletId, 0, size, limits)
}

const isDirection = (direction: string): direction is FreezeDirection =>
  direction === "debits" || direction === "credits" || direction === "all"

/** Whatever the time is. */
export const invalidFreeze = ({ direction, reason, until }: FreezeCommand): InvalidRequest | undefined =>
  bothInvalid(
    invalidReason(reason),
    bothInvalid(
      direction === null || isDirection(direction) ? undefined : invalid("direction: not debits, credits or all"),
      until === null || isTime(until) ? undefined : invalid("until: not a time in milliseconds")
    )
  )

/** One that is frozen is frozen as asked from now on. */
export const freeze = (wallet: Wallet, command: FreezeCommand, { time }: DecideContext): Decision => {
  const { direction, reason, until } = command
  const rejection =
    closed(wallet) ??
    invalidFreeze(command) ??
    (until !== null && until <= time ? invalid("until: not a time to come") : undefined)
  if (rejection !== undefined) return Result.fail(rejection)
  const given: FreezeDirection = direction !== null && isDirection(direction) ? direction : "debits"
  if (sameFreeze(wallet.freeze, { direction: given, reason, until })) return nothingChanged(wallet, "Freeze", reason)
  return Result.succeed([
    {
      _tag: "WalletFrozen",
      reason,
      direction: given === "debits" ? null : given,
      until,
      replaced: wallet.freeze?.direction ?? null,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held
    }
  ])
}

export const unfreeze = (wallet: Wallet, command: Unfreeze): Decision => {
  const rejection = closed(wallet) ?? invalidReason(command.reason)
  if (rejection !== undefined) return Result.fail(rejection)
  if (wallet.status === "active") return nothingChanged(wallet, "Unfreeze", command.reason)
  return Result.succeed([
    {
      _tag: "WalletUnfrozen",
      reason: command.reason,
      direction: wallet.freeze === null || wallet.freeze.direction === "debits" ? null : wallet.freeze.direction,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held
    }
  ])
}

/** Before its end, or of a wallet that is not frozen until then, a rejection, as of a hold. */
export const expireFreeze = (wallet: Wallet, { until }: ExpireFreeze, { time }: DecideContext): Decision => {
  if (until !== (wallet.freeze?.until ?? null) || time < until)
    return Result.fail(invalid(`wallet ${wallet.id} has no freeze that is over`))
  return Result.succeed([{ _tag: "FreezeExpired", until, balanceAfter: wallet.balance, heldAfter: wallet.held }])
}

const notEmpty = (wallet: Wallet): Rejection | undefined => {
  const openHolds = HashMap.size(wallet.holds)
  const transfersInFlight = HashMap.size(wallet.transfers) + HashMap.size(wallet.prepared)
  return wallet.balance === 0n && openHolds === 0 && transfersInFlight === 0
    ? undefined
    : new WalletNotEmpty({ walletId: wallet.id, balance: wallet.balance, openHolds, transfersInFlight })
}

export const close = (wallet: Wallet, command: Close): Decision => {
  const rejection = closed(wallet) ?? invalidReason(command.reason) ?? notEmpty(wallet)
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "WalletClosed",
      reason: command.reason,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held
    }
  ])
}

/** `null`: not to be changed. A lower limit needs its difference to be available. */
export const update = (wallet: Wallet, command: UpdateWallet, context: DecideContext): Decision => {
  const { metadata, overdraftLimit } = command
  const rejection =
    closed(wallet) ??
    invalidUpdate(command) ??
    // A higher one, or the same, needs nothing: also where a forced debit has left less than nothing.
    (overdraftLimit === null || overdraftLimit >= wallet.overdraftLimit
      ? undefined
      : insufficient(wallet, wallet.overdraftLimit - overdraftLimit)) ??
    (metadata === null
      ? undefined
      : tooLarge(wallet, metadataBytes(metadata) - metadataBytes(wallet.metadata), context.limits))
  if (rejection !== undefined) return Result.fail(rejection)
  const sameLimit = overdraftLimit === null || overdraftLimit === wallet.overdraftLimit
  if (sameLimit && (metadata === null || sameMetadata(metadata, wallet.metadata))) {
    return nothingChanged(wallet, "UpdateWallet", null)
  }
  if (overdraftLimit === null) return Result.succeed([metadataChanged(wallet, metadata!)])
  const first = overdraftLimitChanged(wallet, overdraftLimit)
  return Result.succeed(metadata === null ? [first] : [first, metadataChanged(wallet, metadata)])
}

const nothingChanged = (wallet: Wallet, command: NothingChanged["command"], reason: string | null): Decision =>
  Result.succeed([{ _tag: "NothingChanged", command, reason, balanceAfter: wallet.balance, heldAfter: wallet.held }])

const overdraftLimitChanged = (wallet: Wallet, overdraftLimit: bigint): OverdraftLimitChanged => ({
  _tag: "OverdraftLimitChanged",
  overdraftLimit,
  previousLimit: wallet.overdraftLimit,
  balanceAfter: wallet.balance,
  heldAfter: wallet.held
})

const metadataChanged = (wallet: Wallet, metadata: Metadata): MetadataChanged => ({
  _tag: "MetadataChanged",
  metadata,
  previousMetadata: wallet.metadata,
  balanceAfter: wallet.balance,
  heldAfter: wallet.held
})

// --- What a reversal takes back ----------------------------------------------

const unmoved = (restored: Restored): Undo => ({ balanceChange: 0n, heldChange: 0n, restored })

const undoStatus = (
  wallet: Wallet,
  before: Wallet | undefined,
  made: WalletStatus,
  freeze: Freeze | null = null
): Undo | undefined =>
  before === undefined || wallet.status !== made || !sameFreeze(wallet.freeze, freeze)
    ? undefined
    : unmoved({ _tag: "Status", status: before.status, freeze: before.freeze })

const isEmptyOfOpen = ({ holds, prepared, transfers }: Wallet): boolean =>
  HashMap.isEmpty(holds) && HashMap.isEmpty(transfers) && HashMap.isEmpty(prepared)

const sameMetadata = (one: Metadata, other: Metadata): boolean => {
  const keys = Object.keys(one)
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && one[key] === other[key])
  )
}

/** A wallet that was thawed has traces of its own: what needs it thawed waits for them alone. */
const buildsOnStatus = (traces: Traces): boolean =>
  traces.has("status") || needsUnfrozen(traces) || needsCreditsUnfrozen(traces)

/** What the end of a freeze leaves behind, or another one in its place. */
const thawed = (ended: FreezeDirection | null, now: FreezeDirection | null): ReadonlyArray<string> => {
  const freed = (way: "debits" | "credits") => ended !== null && stops(ended, way) && !(now !== null && stops(now, way))
  return [...(freed("debits") ? ["unfrozen"] : []), ...(freed("credits") ? ["unfrozen for credits"] : [])]
}

// --- The events --------------------------------------------------------------

const noMoney = {
  balanceChange: nothing,
  transaction: undefined,
  holdChange: undefined,
  transferChange: undefined
}

const walletCreated: EventKind<WalletCreated> = {
  ...noMoney,
  evolve: (_wallet, recorded) => {
    throw new Error(`wallet ${recorded.walletId} is created twice`)
  },
  reversible: {
    undo: (wallet) =>
      wallet.balance === 0n && isEmptyOfOpen(wallet)
        ? unmoved({ _tag: "Status", status: "closed", freeze: null })
        : undefined,
    availableChange: (event) => event.overdraftLimit,
    freedAtMost: freesNothing,
    trace: () => "created"
  },
  buildsOn: buildsOnNothing
}

const walletFrozen: EventKind<WalletFrozen> = {
  ...noMoney,
  evolve: (wallet, recorded, event) => withStatus(wallet, recorded, "frozen", freezeOf(event)),
  reversible: {
    undo: (wallet, before, event) => undoStatus(wallet, before, "frozen", freezeOf(event)),
    availableChange: nothing,
    freedAtMost: freesNothing,
    trace: () => "status",
    moreTraces: (event) => thawed(event.replaced, event.direction ?? "debits")
  },
  buildsOn: buildsOnStatus
}

const walletUnfrozen: EventKind<WalletUnfrozen> = {
  ...noMoney,
  evolve: (wallet, recorded) => withStatus(wallet, recorded, "active"),
  reversible: {
    undo: (wallet, before) => undoStatus(wallet, before, "active"),
    availableChange: nothing,
    freedAtMost: freesNothing,
    trace: noTrace,
    moreTraces: (event) => thawed(event.direction ?? "debits", null)
  },
  buildsOn: buildsOnStatus
}

const freezeExpired: EventKind<FreezeExpired> = {
  ...noMoney,
  evolve: (wallet, recorded) => withStatus(wallet, recorded, "active"),
  reversible: undefined,
  buildsOn: buildsOnStatus
}

const walletClosed: EventKind<WalletClosed> = {
  ...noMoney,
  evolve: (wallet, recorded) => withStatus(wallet, recorded, "closed"),
  reversible: {
    undo: (wallet, before) => undoStatus(wallet, before, "closed"),
    availableChange: nothing,
    freedAtMost: freesNothing,
    trace: () => "status"
  },
  // An empty wallet closes: on all that has made it empty.
  buildsOn: () => true
}

const overdraftLimitChangedKind: EventKind<OverdraftLimitChanged> = {
  ...noMoney,
  evolve: (wallet, recorded, event) => withOverdraftLimit(wallet, recorded, event.overdraftLimit),
  reversible: {
    undo: (wallet, _before, event) =>
      wallet.overdraftLimit === event.overdraftLimit
        ? unmoved({ _tag: "OverdraftLimit", overdraftLimit: event.previousLimit })
        : undefined,
    availableChange: (event) => event.overdraftLimit - event.previousLimit,
    freedAtMost: freesNothing,
    trace: () => "limit"
  },
  buildsOn: (traces) => traces.has("limit")
}

const metadataChangedKind: EventKind<MetadataChanged> = {
  ...noMoney,
  evolve: (wallet, recorded, event) => withMetadata(wallet, recorded, event.metadata),
  reversible: {
    undo: (wallet, _before, event) =>
      sameMetadata(wallet.metadata, event.metadata)
        ? unmoved({ _tag: "Metadata", metadata: event.previousMetadata })
        : undefined,
    availableChange: nothing,
    freedAtMost: (event) => metadataBytes(event.previousMetadata) - metadataBytes(event.metadata),
    trace: () => "metadata"
  },
  buildsOn: (traces) => traces.has("metadata")
}

/** True only as long as what it found is: it waits for that, and nothing waits for it. */
const nothingChangedKind: EventKind<NothingChanged> = {
  ...noMoney,
  evolve: moved,
  reversible: {
    undo: () => unmoved({ _tag: "Nothing" }),
    availableChange: nothing,
    freedAtMost: freesNothing,
    trace: noTrace
  },
  buildsOn: (traces, { command }) =>
    command === "UpdateWallet" ? traces.has("limit") || traces.has("metadata") : buildsOnStatus(traces)
}

export const lifecycleEvents: EventKinds<LifecycleEvent> = {
  WalletCreated: walletCreated,
  WalletFrozen: walletFrozen,
  WalletUnfrozen: walletUnfrozen,
  FreezeExpired: freezeExpired,
  WalletClosed: walletClosed,
  OverdraftLimitChanged: overdraftLimitChangedKind,
  MetadataChanged: metadataChangedKind,
  NothingChanged: nothingChangedKind
}
