/**
 * Amounts as banks write them, exactly, without a float on the way. How they are written
 * is told, never guessed: `1.234` is one and a bit here and more than a thousand there.
 * Pure.
 */
import * as Result from "effect/Result"

/** How amounts are written. */
export interface DecimalFormat {
  /** An example, for messages. */
  readonly example: string
  readonly pattern: RegExp
  /** Between groups of three digits; `undefined`: nothing. */
  readonly separators: RegExp | undefined
}

/** Spaces that a thousands separator may be: plain, no-break, narrow no-break, thin. */
const spaces = " \u00a0\u202f\u2009"

const picture = /^(\()?1(?:([.,' \u00a0\u202f\u2009\u2019_])?)234([.,])56(\)|-)?$/u

const escaped = (text: string): string => text.replace(/[.\\^$*+?()[\]{}|]/g, "\\$&")

const formatOf = (
  example: string,
  point: string,
  thousands: string | undefined,
  after: "none" | "minus" | "parentheses"
): DecimalFormat => {
  const separator =
    thousands === undefined
      ? undefined
      : `[${spaces.includes(thousands) ? spaces : thousands === "'" ? "'\u2019" : escaped(thousands)}]`
  const plain = "[0-9]{1,30}"
  // Nobody groups behind a zero: 0,500 is a half where a comma is the point.
  const whole = separator === undefined ? plain : `(?:[1-9][0-9]{0,2}(?:${separator}[0-9]{3}){1,10}|${plain})`
  const number = `(${whole})(?:${escaped(point)}([0-9]+))?`
  const forms = [`([+\\-\u2212]?)${number}`]
  if (after === "minus") forms.push(`()${number}([-\u2212])`)
  if (after === "parentheses") forms.push(`()\\(${number}(\\))`)
  return {
    example,
    pattern: new RegExp(`^(?:${forms.join("|")})$`, "u"),
    separators: separator === undefined ? undefined : new RegExp(separator, "gu")
  }
}

/** `1234.56`: a decimal point and nothing else. */
export const decimalPoint: DecimalFormat = formatOf("1234.56", ".", undefined, "none")

const short: Readonly<Record<string, string>> = { ".": "1234.56", point: "1234.56", ",": "1234,56", comma: "1234,56" }

/**
 * By the way 1234.56 is written: `1234,56`, `1,234.56`, `1.234,56`, `1 234,56`; with a minus
 * behind (`1.234,56-`) or in parentheses (`(1,234.56)`) where negative amounts are so written.
 */
export const parseDecimalFormat = (text: string): Result.Result<DecimalFormat, string> => {
  const example = Object.hasOwn(short, text) ? short[text]! : text
  const match = picture.exec(example)
  const [, open, thousands, point = ".", after] = match ?? []
  const closes = (open === "(") === (after === ")")
  if (match === null || !closes || thousands === point) {
    return Result.fail(
      `${JSON.stringify(text)} is not 1234.56 as it may be written: 1234,56 or 1,234.56 or 1.234,56 or 1 234,56, ` +
        "with - behind or in ( ) for negative amounts"
    )
  }
  const negative = after === "-" ? "minus" : after === ")" ? "parentheses" : "none"
  return Result.succeed(formatOf(example, point, thousands, negative))
}

/** An amount as digits, before the currency says what they are worth. */
interface Digits {
  readonly negative: boolean
  readonly whole: string
  readonly decimals: string
}

const readDigits = (text: string, { example, pattern, separators }: DecimalFormat): Result.Result<Digits, string> => {
  const match = pattern.exec(text.trim())
  if (match === null) return Result.fail(`${JSON.stringify(text)} is not an amount like ${example}`)
  const [, sign, plain, plainDecimals, , behindWhole, behindDecimals, behind] = match
  const whole = plain ?? behindWhole ?? ""
  return Result.succeed({
    negative: behind !== undefined || sign === "-" || sign === "\u2212",
    whole: separators === undefined ? whole : whole.replace(separators, ""),
    decimals: plainDecimals ?? behindDecimals ?? ""
  })
}

/**
 * `"700.00"` with exponent 2 is `70000n` minor units; signed. A failure says why the
 * text is not such an amount; more decimals than the currency has are refused, also
 * zeros, for they say that the exponent is wrong.
 */
export const parseDecimal = (
  text: string,
  exponent: number,
  format: DecimalFormat = decimalPoint
): Result.Result<bigint, string> => {
  const read = readDigits(text, format)
  if (Result.isFailure(read)) return Result.fail(read.failure)
  const { decimals, negative, whole } = read.success
  if (decimals.length > exponent) {
    return Result.fail(`${JSON.stringify(text)} has more than ${exponent} decimals`)
  }
  const units = BigInt(whole + decimals.padEnd(exponent, "0"))
  return Result.succeed(negative ? -units : units)
}

/** The other way round, with a point: `70000n` with exponent 2 is `"700.00"`. */
export const formatDecimal = (units: bigint, exponent: number): string => {
  const digits = (units < 0n ? -units : units).toString().padStart(exponent + 1, "0")
  const sign = units < 0n ? "-" : ""
  return exponent === 0 ? sign + digits : `${sign}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`
}
