/** Events as a line each: what came of them for the wallet, and in a few words what they were. Pure. */
import type { EventJson } from "../../../src/http/api/Schemas.ts"
import { formatAmount } from "./Money.ts"

type WalletEvent = typeof EventJson.Type

const isInteger = (value: unknown): value is string => typeof value === "string" && /^-?\d+$/.test(value)

/** A member that is an amount; `undefined`: it has none. */
export const amountIn = (event: WalletEvent, name: string): bigint | undefined => {
  const value = event.data[name]
  return isInteger(value) ? BigInt(value) : undefined
}

export const textIn = (event: WalletEvent, name: string): string | undefined => {
  const value = event.data[name]
  return typeof value === "string" && value !== "" ? value : undefined
}

/** `WalletCredited` as people say it. */
export const titleOf = (type: string): string =>
  type
    .replace(/(?<=.)[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .replace(/^Wallet (?=.)/, "")
    .replace(/^./, (letter) => letter.toUpperCase())

/** What it was about, shortly. */
export const aboutOf = (event: WalletEvent, currency: string): string => {
  const amount = amountIn(event, "amount")
  const parts = [
    amount === undefined ? undefined : formatAmount(amount, currency),
    textIn(event, "to") === undefined ? undefined : `to ${textIn(event, "to")}`,
    textIn(event, "from") === undefined ? undefined : `from ${textIn(event, "from")}`,
    textIn(event, "direction"),
    textIn(event, "reason"),
    textIn(event, "reference")
  ]
  return parts.filter((part) => part !== undefined).join(" · ")
}
