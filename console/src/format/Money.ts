/** Amounts as people read and write them, by the decimals of ISO 4217, and back: exact, with no float on the way. Pure. */
import { isoExponents } from "../../../src/cli/import/CurrencyExponents.ts"

/** `undefined`: nobody has agreed on any, so amounts are shown and taken in minor units. */
export const exponentOf = (currency: string): number | undefined => isoExponents.get(currency)

const grouped = (digits: string): string => digits.replace(/\B(?=(?:\d{3})+$)/g, ",")

/** `-1,234.56` for -123456 in EUR; of a currency without known decimals the minor units, grouped. */
export const formatAmount = (amount: bigint, currency: string): string => {
  const exponent = exponentOf(currency) ?? 0
  const sign = amount < 0n ? "−" : ""
  const digits = (amount < 0n ? -amount : amount).toString().padStart(exponent + 1, "0")
  const whole = grouped(digits.slice(0, digits.length - exponent))
  return exponent === 0 ? `${sign}${whole}` : `${sign}${whole}.${digits.slice(-exponent)}`
}

/** With its sign always, for differences. */
export const formatChange = (amount: bigint, currency: string): string =>
  amount > 0n ? `+${formatAmount(amount, currency)}` : formatAmount(amount, currency)

/** What was typed: minor units, or why it is none. */
export type ParsedAmount = { readonly amount: bigint } | { readonly fault: string }

/** As the API takes them: at most 30 digits. */
const maxDigits = 30

/** `12.5` is 1250 in EUR. No separators between thousands: `1,234` means two things to two people. */
export const parseAmount = (text: string, currency: string): ParsedAmount => {
  const exponent = exponentOf(currency)
  const decimals = exponent ?? 0
  const trimmed = text.trim()
  if (trimmed === "") return { fault: "an amount is missing" }
  const match = /^(\d+)(?:\.(\d*))?$/.exec(trimmed)
  if (match === null) {
    return {
      fault: decimals === 0 ? "digits alone are expected, like 1234" : "digits and a point are expected, like 1234.56"
    }
  }
  const [, whole = "0", fraction = ""] = match
  if (fraction.length > decimals) {
    return {
      fault:
        exponent === undefined
          ? `the decimals of ${currency} are not known: give whole minor units`
          : `${currency} has ${decimals === 0 ? "no" : decimals} decimals`
    }
  }
  const amount = BigInt(whole + fraction.padEnd(decimals, "0"))
  if (amount === 0n) return { fault: "more than zero is expected" }
  return amount.toString().length > maxDigits ? { fault: `at most ${maxDigits} digits` } : { amount }
}
