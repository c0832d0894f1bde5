/**
 * Whether an event can follow the state before it: its balance and its held sum by their
 * arithmetic, the hold or transfer that it ends, the money that it needs. `evolve` never
 * judges; this does. Pure.
 */
import * as HashMap from "effect/HashMap"
import type { OperationReversed, RecordedEvent, TransferReversed, WalletEvent } from "../../domain/Event.ts"
import { balanceChange } from "../../domain/EventKinds.ts"
import { legsChange } from "../../domain/Legs.ts"
import { preparesLegs } from "../../domain/LegsEvents.ts"
import type { OpenHold, PreparedLegs, TransferInFlight, Wallet } from "../../domain/Wallet.ts"
import { type Difference, logDifference } from "./Report.ts"

const openHold = (wallet: Wallet | undefined, holdId: string): OpenHold | undefined => {
  if (wallet === undefined) return undefined
  const hold = HashMap.get(wallet.holds, holdId)
  return hold._tag === "Some" ? hold.value : undefined
}

const inFlight = (wallet: Wallet | undefined, transferId: string): TransferInFlight | undefined => {
  if (wallet === undefined) return undefined
  const transfer = HashMap.get(wallet.transfers, transferId)
  return transfer._tag === "Some" ? transfer.value : undefined
}

const prepared = (wallet: Wallet | undefined, transferId: string): PreparedLegs | undefined => {
  if (wallet === undefined) return undefined
  const legs = HashMap.get(wallet.prepared, transferId)
  return legs._tag === "Some" ? legs.value : undefined
}

const reversedHeld = (wallet: Wallet | undefined, { restored }: OperationReversed): bigint => {
  switch (restored._tag) {
    case "Hold":
      return restored.hold.remaining - (openHold(wallet, restored.hold.id)?.remaining ?? 0n)
    case "NoHold":
      return -(openHold(wallet, restored.holdId)?.remaining ?? 0n)
    case "NoCapture":
      return (
        restored.hold.remaining -
        (openHold(wallet, restored.hold.id)?.remaining ?? 0n) -
        (inFlight(wallet, restored.transferId)?.capture?.rest ?? 0n)
      )
    case "NoLegs":
      return -(prepared(wallet, restored.transferId)?.held ?? 0n)
    case "Nothing":
    case "Transfer":
    case "NoTransfer":
    case "Status":
    case "OverdraftLimit":
    case "Metadata":
      return 0n
  }
}

/** What a refused capture puts back: to the hold with what the capture was to release, or that is free now. */
const returnedHeld = (wallet: Wallet | undefined, { amount, holdId, transferId }: TransferReversed): bigint => {
  if (holdId === null) return 0n
  const rest = inFlight(wallet, transferId)?.capture?.rest ?? 0n
  return openHold(wallet, holdId)?.ended === true ? -rest : amount
}

/** Signed change of the held sum by this event. */
const heldChange = (wallet: Wallet | undefined, event: WalletEvent): bigint => {
  switch (event._tag) {
    case "HoldPlaced":
      return event.amount
    case "HoldCaptured":
      return -(event.amount + event.released)
    case "HoldCapturedTo":
      return -event.amount
    case "HoldChanged":
      return event.amount - event.previousAmount
    case "HoldReleased":
    case "HoldExpired":
      return -event.amount
    case "LegsBegun":
    case "LegsPrepared":
      return event.held
    case "LegsApplied":
    case "LegsReleased":
      return -event.released
    case "OperationReversed":
      return reversedHeld(wallet, event)
    case "TransferSettled":
      return -(inFlight(wallet, event.transferId)?.capture?.rest ?? 0n)
    case "TransferReversed":
      return returnedHeld(wallet, event)
    case "WalletCreated":
    case "WalletCredited":
    case "WalletDebited":
    case "TransferSent":
    case "TransferReceived":
    case "TransferRefused":
    case "LegsRefused":
    case "LegsSettled":
    case "WalletFrozen":
    case "WalletUnfrozen":
    case "FreezeExpired":
    case "WalletClosed":
    case "OverdraftLimitChanged":
    case "MetadataChanged":
    case "NothingChanged":
      return 0n
  }
}

/** What is said of an event: `what of event n`. */
type Doubt = readonly [what: string, expected: string | bigint, found: string | bigint]

const holdDoubts = (wallet: Wallet | undefined, event: WalletEvent): ReadonlyArray<Doubt> => {
  switch (event._tag) {
    case "HoldPlaced":
      return openHold(wallet, event.holdId) === undefined ? [] : [[`hold ${event.holdId}`, "a new hold", "an open one"]]
    case "HoldCaptured":
    case "HoldCapturedTo": {
      const hold = openHold(wallet, event.holdId)
      if (hold === undefined) return [[`hold ${event.holdId}`, "an open hold", "none"]]
      const released = event._tag === "HoldCaptured" ? event.released : event.rest
      return [
        ["captured", hold.captured + event.amount, event.capturedAfter],
        ["remaining", hold.remaining - event.amount - released, event.remainingAfter]
      ]
    }
    case "HoldChanged": {
      const hold = openHold(wallet, event.holdId)
      if (hold === undefined) return [[`hold ${event.holdId}`, "an open hold", "none"]]
      return [
        ["amount before", hold.amount, event.previousAmount],
        ["captured", hold.captured, event.capturedAfter],
        ["remaining", event.amount - hold.captured, event.remainingAfter]
      ]
    }
    case "HoldReleased":
    case "HoldExpired": {
      const hold = openHold(wallet, event.holdId)
      if (hold === undefined) return [[`hold ${event.holdId}`, "an open hold", "none"]]
      return [
        ["released", hold.remaining, event.amount],
        ["captured", hold.captured, event.capturedAfter]
      ]
    }
    case "WalletCreated":
    case "WalletCredited":
    case "WalletDebited":
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
    case "WalletFrozen":
    case "WalletUnfrozen":
    case "FreezeExpired":
    case "WalletClosed":
    case "OverdraftLimitChanged":
    case "MetadataChanged":
    case "NothingChanged":
    case "OperationReversed":
      return []
  }
}

const transferDoubts = (wallet: Wallet | undefined, event: WalletEvent): ReadonlyArray<Doubt> => {
  switch (event._tag) {
    case "TransferSent":
    case "HoldCapturedTo":
      return [
        ["currency", wallet?.currency ?? "none", event.currency],
        [
          `transfer ${event.transferId}`,
          "none",
          inFlight(wallet, event.transferId) === undefined ? "none" : "in flight"
        ]
      ]
    case "TransferSettled":
    case "TransferReversed": {
      const transfer = inFlight(wallet, event.transferId)
      if (transfer === undefined) return [[`transfer ${event.transferId}`, "a transfer in flight", "none"]]
      return [
        ["amount", transfer.amount, event.amount],
        ["destination", transfer.to, event.to],
        ["hold", transfer.capture?.holdId ?? "none", event.holdId ?? "none"]
      ]
    }
    case "WalletCreated":
    case "WalletCredited":
    case "WalletDebited":
    case "HoldPlaced":
    case "HoldCaptured":
    case "HoldChanged":
    case "HoldReleased":
    case "HoldExpired":
    case "TransferReceived":
    case "TransferRefused":
    case "LegsBegun":
    case "LegsPrepared":
    case "LegsRefused":
    case "LegsApplied":
    case "LegsReleased":
    case "LegsSettled":
    case "WalletFrozen":
    case "WalletUnfrozen":
    case "FreezeExpired":
    case "WalletClosed":
    case "OverdraftLimitChanged":
    case "MetadataChanged":
    case "NothingChanged":
    case "OperationReversed":
      return []
  }
}

const isPrepared = (wallet: Wallet | undefined, transferId: string, expected: "open" | "new"): ReadonlyArray<Doubt> => {
  const found = prepared(wallet, transferId) === undefined ? "new" : "open"
  return found === expected ? [] : [[`legs of transfer ${transferId}`, expected, found]]
}

/** Whether what is said of a wallet's legs is what it has promised. */
const legsDoubts = (wallet: Wallet | undefined, event: WalletEvent): ReadonlyArray<Doubt> => {
  switch (event._tag) {
    case "LegsBegun":
    case "LegsPrepared":
      return isPrepared(wallet, event.transferId, "new")
    case "LegsSettled": {
      const legs = prepared(wallet, event.transferId)
      const decision = (one: { readonly reason: string | null; readonly leg: number | null } | null | undefined) =>
        one ? `${one.reason ?? "completed"}, leg ${one.leg}` : "none"
      return legs === undefined
        ? isPrepared(wallet, event.transferId, "open")
        : [["decision", decision(legs.decision), decision(event)]]
    }
    case "LegsApplied":
    case "LegsReleased": {
      const legs = prepared(wallet, event.transferId)
      if (legs === undefined) return isPrepared(wallet, event.transferId, "open")
      const promised = legsChange(legs.legs)
      return [
        ["held in transit", legs.held, event.released],
        ["home", legs.home, event.home],
        ["decided before", "no", legs.decision === null ? "no" : "yes"],
        ["sum of legs", promised, event._tag === "LegsApplied" ? legsChange(event.legs) : promised]
      ]
    }
    default:
      return []
  }
}

/** What needs money leaves something available, or nothing. */
const fundsDoubts = (wallet: Wallet | undefined, event: WalletEvent): ReadonlyArray<Doubt> => {
  const { _tag: type } = event
  const needs =
    (type === "WalletDebited" && event.forced === null) ||
    type === "HoldPlaced" ||
    (type === "HoldChanged" && event.amount > event.previousAmount) ||
    type === "TransferSent" ||
    (preparesLegs(event) && event.held > 0n)
  if (!needs) return []
  const left = event.balanceAfter - event.heldAfter + (wallet?.overdraftLimit ?? 0n)
  return left >= 0n ? [] : [["available", "at least 0", left]]
}

/** Nearly all events: neither hold nor transfer, and no array is made. */
const isPlain = ({ _tag }: WalletEvent): boolean => _tag === "WalletCredited" || _tag === "WalletDebited"

export const arithmeticDoubts = (
  walletId: string,
  wallet: Wallet | undefined,
  { event, time, version }: RecordedEvent
): ReadonlyArray<Difference> => {
  const found: Array<Difference> = []
  const judge = (what: string, expected: string | bigint, is: string | bigint): void => {
    if (expected !== is) found.push(logDifference(walletId, what, String(expected), String(is)))
  }
  judge(`balance after event ${version}`, (wallet?.balance ?? 0n) + balanceChange(event), event.balanceAfter)
  judge(`held after event ${version}`, (wallet?.held ?? 0n) + heldChange(wallet, event), event.heldAfter)
  if (wallet !== undefined && time < wallet.updatedAt) {
    judge(`time of event ${version}`, `at least ${wallet.updatedAt}`, String(time))
  }
  for (const [what, expected, is] of fundsDoubts(wallet, event)) judge(`${what} after event ${version}`, expected, is)
  if (isPlain(event)) return found
  for (const [what, expected, is] of holdDoubts(wallet, event)) judge(`${what} of event ${version}`, expected, is)
  for (const [what, expected, is] of transferDoubts(wallet, event)) judge(`${what} of event ${version}`, expected, is)
  for (const [what, expected, is] of legsDoubts(wallet, event)) judge(`${what} of event ${version}`, expected, is)
  return found
}

/** Whether a reversal undoes what the event that it names has done to the balance. */
export const reversalDoubt = (
  { version: at, walletId }: RecordedEvent,
  reversal: OperationReversed,
  reversed: RecordedEvent | undefined
): Difference | undefined => {
  const { balanceChange: change, reversedType, reversedVersion } = reversal
  const sides = (type: string, amount: bigint): string => `${type}, ${amount}`
  const found = sides(reversedType, change)
  const expected = reversed === undefined ? "an event" : sides(reversed.event._tag, -balanceChange(reversed.event))
  return expected === found && reversedVersion < at
    ? undefined
    : logDifference(walletId, `reversal of event ${reversedVersion} by event ${at}`, expected, found)
}
