/**
 * Folds one wallet's stream event by event and judges the stream itself: versions
 * without gaps, balances that add up, holds that were placed before they close.
 * Pure; a finding is a value, never an exception.
 */
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { RecordedEvent } from "../domain/Event.ts"
import { evolve } from "../domain/Evolve.ts"
import { holdAfter, holdOf } from "../domain/Projection.ts"
import type { Hold, Wallet } from "../domain/Wallet.ts"
import { balanceChange } from "./Conservation.ts"
import type { Difference } from "./VerifyReport.ts"

export interface WalletFold {
  readonly walletId: string
  wallet: Wallet | undefined
  /** Closed holds as their rows must be, by id; taken out once compared. */
  readonly closedHolds: Map<string, Hold>
  /** Ever placed. */
  holdCount: number
}

export const startFold = (walletId: string): WalletFold => ({
  walletId,
  wallet: undefined,
  closedHolds: new Map(),
  holdCount: 0
})

export const foldVersion = (fold: WalletFold): number => fold.wallet?.version ?? -1

const logDifference = (fold: WalletFold, what: string, expected: string, found: string): Difference => ({
  walletId: fold.walletId,
  store: "log",
  what,
  expected,
  found
})

/** Why `recorded` cannot follow; then the stream cannot be folded any further. */
const broken = (fold: WalletFold, recorded: RecordedEvent): Difference | undefined => {
  const next = foldVersion(fold) + 1
  if (recorded.version !== next) {
    return logDifference(fold, "version", String(next), String(recorded.version))
  }
  const isCreation = recorded.event._tag === "WalletCreated"
  if (isCreation === (next === 0)) return undefined
  const expected = next === 0 ? "WalletCreated" : "an event after WalletCreated"
  return logDifference(fold, `type of event ${next}`, expected, recorded.event._tag)
}

/** What is wrong with an event that can be folded all the same. */
const doubts = (fold: WalletFold, recorded: RecordedEvent): ReadonlyArray<Difference> => {
  const { event, time, version } = recorded
  const found: Array<Difference> = []
  const balance = (fold.wallet?.balance ?? 0n) + balanceChange(event)
  if (balance !== event.balanceAfter) {
    found.push(logDifference(fold, `balance after event ${version}`, String(balance), String(event.balanceAfter)))
  }
  if (fold.wallet !== undefined && time < fold.wallet.updatedAt) {
    found.push(logDifference(fold, `time of event ${version}`, `at least ${fold.wallet.updatedAt}`, String(time)))
  }
  if ("holdId" in event && event._tag !== "HoldPlaced" && openHold(fold, event.holdId) === undefined) {
    found.push(logDifference(fold, `hold ${event.holdId} of event ${version}`, "an open hold", "none"))
  }
  return found
}

const openHold = (fold: WalletFold, holdId: string): Hold | undefined =>
  fold.wallet === undefined
    ? undefined
    : Option.getOrUndefined(Option.map(HashMap.get(fold.wallet.holds, holdId), (hold) => holdOf(fold.walletId, hold)))

/** Before the state moves: what the event does to the holds' final rows. */
const trackHolds = (fold: WalletFold, { event }: RecordedEvent): void => {
  switch (event._tag) {
    case "HoldPlaced":
      fold.holdCount += 1
      return
    case "HoldCaptured":
    case "HoldReleased":
    case "HoldExpired": {
      const hold = openHold(fold, event.holdId)
      if (hold === undefined || (event._tag === "HoldCaptured" && event.remainingAfter > 0n)) return
      fold.closedHolds.set(event.holdId, holdAfter(hold, event))
      return
    }
    case "OperationReversed": {
      const { restored } = event
      if (restored._tag === "Hold") fold.closedHolds.delete(restored.hold.id)
      if (restored._tag !== "NoHold") return
      const hold = openHold(fold, restored.holdId)
      if (hold === undefined) return
      fold.closedHolds.set(hold.id, { ...hold, captured: 0n, remaining: 0n, status: "released" })
    }
  }
}

/**
 * Takes the next event into the fold. `goesOn: false`: the stream is broken here
 * and the fold stays before this event.
 */
export const foldEvent = (
  fold: WalletFold,
  recorded: RecordedEvent
): { readonly goesOn: boolean; readonly differences: ReadonlyArray<Difference> } => {
  const stop = broken(fold, recorded)
  if (stop !== undefined) return { goesOn: false, differences: [stop] }
  const differences = doubts(fold, recorded)
  trackHolds(fold, recorded)
  fold.wallet = evolve(fold.wallet, recorded)
  return { goesOn: true, differences }
}

/** Whether `held` is the sum of the open holds. */
export const heldDifference = (fold: WalletFold): Difference | undefined => {
  if (fold.wallet === undefined) return undefined
  let sum = 0n
  for (const hold of HashMap.values(fold.wallet.holds)) sum += hold.remaining
  return sum === fold.wallet.held
    ? undefined
    : logDifference(fold, `held after event ${fold.wallet.version}`, String(sum), String(fold.wallet.held))
}

/** The rows of the holds that are open now. */
export const openHolds = (fold: WalletFold): Map<string, Hold> => {
  const rows = new Map<string, Hold>()
  if (fold.wallet !== undefined) {
    for (const hold of HashMap.values(fold.wallet.holds)) rows.set(hold.id, holdOf(fold.walletId, hold))
  }
  return rows
}
