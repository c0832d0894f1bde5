/**
 * What a key may take out of one wallet: at once, and within a UTC day. The owner of the wallet judges it with the
 * rules, by sums that are folded from the wallet's own events: whoever owns it, they are the same.
 *
 * Counted are debits, what is sent, refunds of credits, and holds that are placed or raised, each in the day of its
 * event; legs when they are promised. A capture was counted with its hold. Nothing that comes back later is given
 * back to the day.
 */
import * as Schema from "effect/Schema"
import { isJsonObject, type Json } from "./Codec.ts"
import type { RecordedEvent } from "./Event.ts"
import { isId } from "./Limits.ts"
import { Amount, Id } from "./WireValues.ts"

/** With whose events their sum is kept. */
export const DayLimit = Schema.Struct({
  keyId: Id,
  /** Minor units, above `0n`. */
  perDay: Amount
})

export type DayLimit = typeof DayLimit.Type

export interface KeyLimit {
  /** 1 to 64 of `A-Z a-z 0-9 _ -`: sums are by it. */
  readonly keyId: string
  /** Of one command, of all that leaves a wallet by it: minor units, above `0n`; `null`: whatever. */
  readonly perOperation: bigint | null
  /** Of all commands on a wallet in a UTC day, by the times of their events: minor units, above `0n`; `null`: whatever. */
  readonly perDay: bigint | null
}

/** For the other wallets of several legs: where they begin all of them have been judged by what leaves at once. */
export const dayOnly = ({ keyId, perDay }: Pick<KeyLimit, "keyId" | "perDay">): KeyLimit | undefined =>
  perDay === null ? undefined : { keyId, perOperation: null, perDay }

/** What keys with a limit of the day have taken from a wallet on the last day on which one of them has. */
export interface KeySpent {
  /** Days since 1970-01-01, UTC. */
  readonly day: number
  /** By key, at most {@link maxNamedKeys}. */
  readonly sums: ReadonlyArray<readonly [keyId: string, sum: bigint]>
  /** Of all other keys together. Each of them is taken to have spent all of it: that is on the strict side. */
  readonly others: bigint
}

/** Keys that have a sum of their own at one wallet in one day: some 10 kB. */
export const maxNamedKeys = 64

export const nothingSpent: KeySpent = { day: 0, sums: [], others: 0n }

const dayMillis = 86_400_000

/** Of a time, ms. */
export const dayOf = (time: number): number => Math.floor(time / dayMillis)

/** When a day begins, ms. */
export const dayStart = (day: number): number => day * dayMillis

/** What the key has spent on that day. */
export const spentOn = ({ day, others, sums }: KeySpent, keyId: string, asked: number): bigint => {
  if (day !== asked) return 0n
  for (const [named, sum] of sums) if (named === keyId) return sum
  return sums.length < maxNamedKeys ? 0n : others
}

/** With that much more. A day that is over is forgotten. */
export const addSpent = (spent: KeySpent, keyId: string, day: number, amount: bigint): KeySpent => {
  const { others, sums } = spent.day === day ? spent : nothingSpent
  const place = sums.findIndex(([named]) => named === keyId)
  if (place >= 0) return { day, sums: sums.with(place, [keyId, sums[place]![1] + amount]), others }
  return sums.length < maxNamedKeys
    ? { day, sums: [...sums, [keyId, amount]], others }
    : { day, sums, others: others + amount }
}

/** After an event that is in the log. */
export const foldSpent = (spent: KeySpent, recorded: RecordedEvent): KeySpent => {
  const { keyLimit } = recorded.metadata
  if (keyLimit === undefined) return spent
  const amount = countedIn(recorded)
  return amount === 0n ? spent : addSpent(spent, keyLimit.keyId, dayOf(recorded.time), amount)
}

/** Bytes in memory and in a snapshot, at most. */
export const spentBytes = ({ sums }: KeySpent): number => sums.length * sumBytes

const sumBytes = 160

export const maxSpentBytes = 100 + maxNamedKeys * sumBytes

/** For a snapshot: `{}` says that nothing is spent, which is not the same as to say nothing. */
export const encodeSpent = ({ day, others, sums }: KeySpent): Json => ({
  ...(sums.length === 0 ? {} : { day, sums: sums.map(([keyId, sum]) => [keyId, sum.toString()]) }),
  ...(others === 0n ? {} : { others: others.toString() })
})

const digits = /^[0-9]{1,60}$/

const isSum = (sum: unknown): sum is readonly [string, string] =>
  Array.isArray(sum) && sum.length === 2 && isId(sum[0]) && digits.test(String(sum[1]))

/** `undefined`: there is nothing, or it is damaged. */
export const decodeSpent = (json: unknown): KeySpent | undefined => {
  if (!isJsonObject(json)) return undefined
  const { day = 0, others = "0", sums = [] } = json
  if (typeof day !== "number" || !Number.isSafeInteger(day) || !digits.test(String(others))) return undefined
  if (!Array.isArray(sums) || sums.length > maxNamedKeys || !sums.every(isSum)) return undefined
  return { day, sums: sums.map(([keyId, sum]) => [keyId, BigInt(sum)]), others: BigInt(String(others)) }
}

interface Leg {
  readonly amount: bigint
}

const sumOf = <L extends Leg>(legs: ReadonlyArray<L>, isSent: (leg: L) => boolean): bigint => {
  let sum = 0n
  for (const leg of legs) if (isSent(leg)) sum += leg.amount
  return sum
}

/** What the event takes from its wallet's day, minor units; else `0n`. */
export const countedIn = ({ event, walletId }: RecordedEvent): bigint => {
  switch (event._tag) {
    case "WalletDebited":
    case "TransferSent":
    case "RefundPaid":
    case "HoldPlaced":
      return event.amount
    case "HoldChanged":
      return event.amount > event.previousAmount ? event.amount - event.previousAmount : 0n
    case "LegsBegun":
      return sumOf(event.legs, ({ from }) => from === walletId)
    case "LegsPrepared":
      return sumOf(event.legs, ({ side }) => side === "sent")
    case "WalletCreated":
    case "WalletFrozen":
    case "WalletUnfrozen":
    case "FreezeExpired":
    case "WalletClosed":
    case "OverdraftLimitChanged":
    case "MetadataChanged":
    case "NothingChanged":
    case "WalletCredited":
    case "HoldCaptured":
    case "HoldCapturedTo":
    case "HoldReleased":
    case "HoldExpired":
    case "RefundReceived":
    case "TransferReceived":
    case "TransferRefused":
    case "TransferSettled":
    case "TransferReversed":
    case "LegsRefused":
    case "LegsApplied":
    case "LegsReleased":
    case "LegsSettled":
    case "OperationReversed":
      return 0n
  }
}

/** Of several legs the first that takes from the event's wallet. */
export const takingLeg = ({ event, walletId }: RecordedEvent): { readonly leg?: number } => {
  if (event._tag === "LegsBegun") return { leg: event.legs.findIndex(({ from }) => from === walletId) }
  const own = event._tag === "LegsPrepared" ? event.legs.find(({ side }) => side === "sent") : undefined
  return own === undefined ? {} : { leg: own.leg }
}

/** The most that leaves one wallet by one command. */
export interface Taken {
  readonly amount: bigint
  /** Of several legs the first of that wallet's. */
  readonly leg?: number
}

/** Of the event that begins legs: also what it will take from other wallets. */
export const takenBy = (recorded: RecordedEvent): Taken => {
  const { event } = recorded
  if (event._tag === "HoldCaptured" || event._tag === "HoldCapturedTo") return { amount: event.amount }
  if (event._tag !== "LegsBegun") return { amount: countedIn(recorded) }
  const bySource = new Map<string, { amount: bigint; readonly leg: number }>()
  for (const [leg, { amount, from }] of event.legs.entries()) {
    const taken = bySource.get(from)
    if (taken === undefined) bySource.set(from, { amount, leg })
    else taken.amount += amount
  }
  let most: Taken = { amount: 0n }
  for (const taken of bySource.values()) if (taken.amount > most.amount) most = taken
  return most
}
