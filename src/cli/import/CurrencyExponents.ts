/**
 * How many decimals a currency has. ISO 4217 says so, and not `Intl`: that follows the
 * CLDR, which gives what is customary in shops (HUF 0, IQD 0, UGX 0) and rounds what a
 * bank books. A code that ISO 4217 does not have, or has without decimals (gold, SDR),
 * has those that the caller names. Pure.
 */
import * as Result from "effect/Result"

/** Digits after the point that a currency may have. */
export const maxExponent = 18

/** ISO 4217 as of 2025, and the codes withdrawn since 2010, which older files have. */
const codes: Readonly<Record<number, string>> = {
  0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
  2:
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE " +
    "CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EEK EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD " +
    "HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL LTL LVL MAD MDL MGA MKD " +
    "MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB " +
    "SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN " +
    "UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG",
  3: "BHD IQD JOD KWD LYD OMR TND",
  4: "CLF UYW"
}

/** By code; what is not in here has no decimals that anybody has agreed on. */
export const isoExponents: ReadonlyMap<string, number> = new Map(
  Object.entries(codes).flatMap(([exponent, list]) =>
    list.split(" ").map((code): [string, number] => [code, Number(exponent)])
  )
)

export interface ExponentRules {
  /** Of the codes that ISO 4217 does not have. */
  readonly others: number | undefined
  /** Of single currencies; before ISO 4217. */
  readonly named: Readonly<Record<string, number>>
}

/** The decimals of `currency`; a failure says how to name them. */
export const exponentOf = (currency: string, rules: ExponentRules): Result.Result<number, string> => {
  const named = Object.hasOwn(rules.named, currency) ? rules.named[currency] : undefined
  const exponent = named ?? isoExponents.get(currency) ?? rules.others
  return exponent === undefined
    ? Result.fail(`currency: ISO 4217 has no decimals for ${currency}; give --exponent ${currency}=DIGITS`)
    : Result.succeed(exponent)
}
