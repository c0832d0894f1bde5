/** Which events a command explains: what a client asked for, or what the engine does by itself. */
import type { NothingChanged, RecordedEvent, WalletEvent } from "../../domain/Event.ts"
import { freezeOf } from "../../domain/Lifecycle.ts"
import type { Freeze } from "../../domain/Wallet.ts"
import type { Operation } from "./History.ts"
import type { LedgerState } from "./LedgerState.ts"
import { isSame } from "./PlainData.ts"

const note = (
  reference: string | null,
  metadata: unknown,
  event: { readonly reference: string | null; readonly metadata: unknown }
) => reference === event.reference && isSame(metadata, event.metadata)

/** Whether it was so already in the state before. Of the status the model knows that itself. */
const isAsBefore = (operation: Operation, event: NothingChanged, before: LedgerState | undefined): boolean => {
  switch (operation.kind) {
    case "freeze":
      return (
        event.command === "Freeze" &&
        event.reason === operation.reason &&
        isSame(freezeAsked(operation), before?.freeze)
      )
    case "unfreeze":
      return event.command === "Unfreeze" && event.reason === operation.reason
    case "update":
      return (
        event.command === "UpdateWallet" &&
        (operation.overdraftLimit === null || operation.overdraftLimit === before?.overdraftLimit) &&
        (operation.metadata === null || isSame(operation.metadata, before?.metadata))
      )
    default:
      return false
  }
}

const freezeAsked = ({ direction, reason, until }: Extract<Operation, { readonly kind: "freeze" }>): Freeze => ({
  direction,
  reason,
  until
})

/** Each of what is asked for, and nothing else. */
const explainsUpdate = (
  operation: Extract<Operation, { readonly kind: "update" }>,
  events: ReadonlyArray<WalletEvent>
): boolean => {
  const wanted = (operation.overdraftLimit === null ? 0 : 1) + (operation.metadata === null ? 0 : 1)
  return (
    events.length === wanted &&
    events.every(
      (one) =>
        (one._tag === "OverdraftLimitChanged" && one.overdraftLimit === operation.overdraftLimit) ||
        (one._tag === "MetadataChanged" && isSame(one.metadata, operation.metadata))
    )
  )
}

const areLegs = (
  { legs }: Extract<Operation, { readonly kind: "legs" }>,
  event: Extract<WalletEvent, { readonly _tag: "LegsBegun" }>
): boolean =>
  isSame(
    legs.map((leg) => ({ ...leg, metadata: {} })),
    event.legs.map(({ currency: _currency, ...leg }) => leg)
  )

const explainsCapture = (operation: Extract<Operation, { readonly kind: "capture" }>, event: WalletEvent): boolean => {
  if (operation.to !== null) {
    return (
      event._tag === "HoldCapturedTo" &&
      event.holdId === operation.holdId &&
      event.to === operation.to &&
      (operation.amount === null ? event.remainingAfter + event.rest === 0n : event.amount === operation.amount) &&
      (operation.final ? event.remainingAfter === 0n : event.rest === 0n)
    )
  }
  return (
    event._tag === "HoldCaptured" &&
    event.holdId === operation.holdId &&
    (operation.amount === null || event.amount === operation.amount) &&
    (operation.amount !== null || event.remainingAfter === 0n) &&
    (operation.final ? event.remainingAfter === 0n : event.released === 0n)
  )
}

/** Whether the events are what the operation asks for, in the state before them. */
export const explains = (
  operation: Operation,
  events: ReadonlyArray<WalletEvent>,
  before: LedgerState | undefined
): boolean => {
  const [event] = events
  if (event === undefined) return false
  if (event._tag === "NothingChanged") return events.length === 1 && isAsBefore(operation, event, before)
  if (operation.kind === "update") return explainsUpdate(operation, events)
  if (events.length !== 1) return false
  switch (operation.kind) {
    case "create":
      return (
        event._tag === "WalletCreated" &&
        event.ownerId === operation.ownerId &&
        event.currency === operation.currency &&
        event.overdraftLimit === operation.overdraftLimit &&
        isSame(event.metadata, operation.metadata)
      )
    case "credit":
    case "debit":
      return (
        event._tag === (operation.kind === "credit" ? "WalletCredited" : "WalletDebited") &&
        event.amount === operation.amount &&
        (event._tag === "WalletDebited" && event.forced === true) === operation.force &&
        note(operation.reference, operation.metadata, event)
      )
    case "hold":
      return (
        event._tag === "HoldPlaced" &&
        event.amount === operation.amount &&
        event.expiresAt === operation.expiresAt &&
        note(operation.reference, {}, event)
      )
    case "capture":
      return explainsCapture(operation, event)
    case "change":
      return (
        event._tag === "HoldChanged" &&
        event.holdId === operation.holdId &&
        event.amount === (operation.amount ?? event.previousAmount) &&
        event.expiresAt === (operation.expiresAt === undefined ? event.previousExpiresAt : operation.expiresAt)
      )
    case "release":
      return event._tag === "HoldReleased" && event.holdId === operation.holdId
    case "freeze":
      return event._tag === "WalletFrozen" && isSame(freezeOf(event), freezeAsked(operation))
    case "unfreeze":
      return event._tag === "WalletUnfrozen" && event.reason === operation.reason
    case "close":
      return event._tag === "WalletClosed" && event.reason === operation.reason
    case "transfer":
      return (
        event._tag === "TransferSent" &&
        event.to === operation.to &&
        event.amount === operation.amount &&
        note(operation.reference, {}, event)
      )
    case "legs":
      return event._tag === "LegsBegun" && note(operation.reference, {}, event) && areLegs(operation, event)
    case "read":
    case "past":
      return false
  }
}

/** The engine's own commands have keys that say what they do. */
export const explainsItself = (key: string, walletId: string, { event }: RecordedEvent): boolean => {
  switch (event._tag) {
    case "HoldExpired":
      return key === `e:expire:${event.holdId}`
    case "FreezeExpired":
      return key === `e:thaw:${event.until}`
    case "TransferReceived":
    case "TransferRefused":
      return key === `e:arrive:${event.from}:${event.transferId}`
    case "TransferSettled":
    case "TransferReversed":
      return key === `e:end:${event.transferId}`
    case "LegsPrepared":
    case "LegsRefused":
      return key === `e:prepare:${event.home}:${event.transferId}`
    case "LegsApplied":
    case "LegsReleased":
      return (
        key === (walletId === event.home ? `e:end:${event.transferId}` : `e:decided:${event.home}:${event.transferId}`)
      )
    case "LegsSettled":
      return key === `e:settle:${event.transferId}`
    case "OperationReversed":
      return key === `e:reverse:${event.reversedVersion}`
    default:
      return walletId === ""
  }
}
