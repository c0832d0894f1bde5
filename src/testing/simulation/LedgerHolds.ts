/** What the events of holds do to the model of a wallet, and whether they may. */
import type { HoldEvent } from "../../domain/Event.ts"
import { soundMillis } from "./FaultPlan.ts"
import { isUnderWay, type LedgerHold, type LedgerState, type Rules, withHold } from "./LedgerState.ts"

type EventOf<T extends HoldEvent["_tag"]> = Extract<HoldEvent, { readonly _tag: T }>

const openHold = ({ holds }: LedgerState, holdId: string, broken: (law: string) => void): LedgerHold | undefined => {
  const hold = holds.get(holdId)
  if (hold?.status === "active") return hold
  broken(`hold ${holdId} is ${hold?.status ?? "not there"}`)
  return undefined
}

const captureHold = (
  before: LedgerState,
  state: LedgerState,
  event: EventOf<"HoldCaptured" | "HoldCapturedTo">,
  time: number,
  { broken, thaws }: Rules
): LedgerState => {
  if (before.status === "closed") broken("the wallet is closed")
  thaws("debits")
  const hold = openHold(before, event.holdId, broken)
  if (hold === undefined) return state
  if (hold.expiresAt !== null && time >= hold.expiresAt)
    broken(`the hold has expired at ${hold.expiresAt}, it is ${time}`)
  if (event.amount <= 0n || event.amount > hold.remaining) broken(`${event.amount} of ${hold.remaining} is captured`)
  const captured = hold.captured + event.amount
  const rest = event._tag === "HoldCaptured" ? event.released : event.rest
  const remaining = hold.remaining - event.amount - rest
  if (rest !== 0n && remaining !== 0n) broken("a part is released")
  const status = remaining === 0n ? "captured" : "active"
  const moved = { ...state, balance: before.balance - event.amount }
  if (event._tag === "HoldCaptured") {
    const ended = rest > 0n && isUnderWay(before, hold.id)
    return withHold(moved, { ...hold, captured, remaining, status, ended })
  }
  if (before.inFlight.has(event.transferId)) broken("the transfer is in flight already")
  if (event.to === before.id) broken("the wallet sends to itself")
  const inFlight = new Map(before.inFlight).set(event.transferId, event.amount)
  const captures = new Map(before.captures).set(event.transferId, { holdId: hold.id, rest })
  return withHold({ ...moved, inFlight, captures }, { ...hold, captured, remaining, status })
}

const changeHold = (
  before: LedgerState,
  state: LedgerState,
  event: EventOf<"HoldChanged">,
  time: number,
  { broken, spends }: Rules
): LedgerState => {
  const hold = openHold(before, event.holdId, broken)
  if (hold === undefined) return state
  const raised = event.amount - hold.amount
  if (before.status === "closed") broken("the wallet is closed")
  if (raised > 0n) spends(raised)
  if (hold.expiresAt !== null && time >= hold.expiresAt)
    broken(`the hold has expired at ${hold.expiresAt}, it is ${time}`)
  if (event.previousAmount !== hold.amount || event.previousExpiresAt !== hold.expiresAt)
    broken(`it was ${hold.amount} until ${hold.expiresAt}`)
  if (event.expiresAt !== hold.expiresAt && event.expiresAt !== null && event.expiresAt <= time)
    broken("it has expired as it is changed")
  const { amount, expiresAt } = event
  const remaining = hold.remaining + raised
  if (remaining < 0n) broken(`${hold.captured} of it is captured`)
  return withHold(state, {
    ...hold,
    amount,
    expiresAt,
    remaining,
    status: remaining > 0n ? "active" : "captured"
  })
}

export const moveHold = (before: LedgerState, state: LedgerState, event: HoldEvent, rules: Rules): LedgerState => {
  const { broken, landedAt, spends } = rules
  // The owner's time; unless the event before it was dated ahead: then it was earlier, and is not known.
  const time = state.updatedAt > before.updatedAt ? state.updatedAt : -Infinity
  switch (event._tag) {
    case "HoldPlaced": {
      spends(event.amount)
      if (event.expiresAt !== null && event.expiresAt <= time) broken("it has expired as it is placed")
      const { amount, expiresAt, holdId: id, metadata, reference } = event
      const walletId = before.id
      const hold: LedgerHold = {
        id,
        walletId,
        amount,
        captured: 0n,
        remaining: amount,
        status: "active",
        expiresAt,
        reference,
        metadata,
        createdAt: state.updatedAt,
        ended: false
      }
      return withHold(state, hold)
    }
    case "HoldCaptured":
    case "HoldCapturedTo":
      return captureHold(before, state, event, time, rules)
    case "HoldChanged":
      return changeHold(before, state, event, time, rules)
    case "HoldReleased":
    case "HoldExpired": {
      if (event._tag === "HoldReleased" && before.status === "closed") broken("the wallet is closed")
      const hold = openHold(before, event.holdId, broken)
      if (hold === undefined) return state
      if (event.amount !== hold.remaining) broken(`${event.amount} of ${hold.remaining} is released`)
      if (event._tag === "HoldExpired") {
        const { expiresAt } = hold
        if (isUnderWay(before, hold.id)) broken("a part of it is on its way to another wallet")
        if (expiresAt === null || state.updatedAt < expiresAt)
          broken(`the hold expires at ${expiresAt}, it is ${state.updatedAt}`)
        else if (landedAt + soundMillis < expiresAt)
          broken(`the hold expires at ${expiresAt}, it is ${landedAt} in truth`)
      }
      const ended = event._tag === "HoldReleased" ? "released" : "expired"
      const status = hold.captured > 0n ? "captured" : ended
      return withHold(state, { ...hold, remaining: 0n, status, ended: isUnderWay(before, hold.id) })
    }
  }
}
