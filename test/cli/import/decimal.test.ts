import * as fc from "fast-check"
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { exponentOf, isoExponents } from "../../../src/cli/import/CurrencyExponents.ts"
import { formatDecimal, parseDecimal, parseDecimalFormat } from "../../../src/cli/import/Decimals.ts"
import { decimal } from "./importing.ts"

describe("decimal texts", () => {
  const cases: ReadonlyArray<readonly [text: string, exponent: number, units: bigint]> = [
    ["700.00", 2, 70000n],
    ["700", 2, 70000n],
    ["700.5", 2, 70050n],
    ["-0.01", 2, -1n],
    ["+3", 0, 3n],
    ["0.000000000000000001", 18, 1n],
    ["123456789012345678901234567890", 0, 123456789012345678901234567890n],
    [" 1.00 ", 2, 100n],
    ["007", 0, 7n]
  ]
  for (const [text, exponent, units] of cases) {
    it(`reads ${text} with ${exponent} decimals as ${units}`, () => {
      assert.deepStrictEqual(parseDecimal(text, exponent), Result.succeed(units))
    })
  }

  for (const text of ["", "1.", ".5", "1,5", "1e3", "--1", "0x10", "NaN", "1 000", "1.000", `${"9".repeat(31)}`]) {
    it(`refuses ${JSON.stringify(text)} with 2 decimals`, () => {
      assert.isTrue(Result.isFailure(parseDecimal(text, 2)))
    })
  }

  it("reads back what it writes, exactly, whatever the size", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 29n), max: 10n ** 29n }), fc.nat(18), (units, exponent) => {
        assert.deepStrictEqual(parseDecimal(formatDecimal(units, exponent), exponent), Result.succeed(units))
      })
    )
  })

  it("writes as many decimals as the currency has", () => {
    assert.deepStrictEqual(
      [formatDecimal(-5n, 2), formatDecimal(0n, 2), formatDecimal(12n, 0), formatDecimal(123456n, 3)],
      ["-0.05", "0.00", "12", "123.456"]
    )
  })
})

describe("how amounts are written", () => {
  const cases: ReadonlyArray<readonly [format: string, text: string, units: bigint | undefined]> = [
    ["1234,56", "700,00", 70000n],
    ["1234,56", "700.00", undefined],
    [",", "-0,01", -1n],
    ["comma", "5", 500n],
    ["point", "1,234.56", undefined],
    ["1,234.56", "1,234.56", 123456n],
    ["1,234.56", "1234.56", 123456n],
    ["1,234.56", "1,234", 123400n],
    ["1,234.56", "1,23", undefined],
    ["1,234.56", "0,500", undefined],
    ["1,234.56", "012,500", undefined],
    ["1.234,56", "0.001", undefined],
    ["1 234,56", "0 100", undefined],
    ["1,234.56", "0.50", 50n],
    ["1,234.56", "12,34.00", undefined],
    ["1,234.56", "1,234,567.8", 123456780n],
    ["1,234.56", ",234", undefined],
    ["1.234,56", "1.234,56", 123456n],
    ["1.234,56", "1.234.567,89", 123456789n],
    ["1.234,56", "1.234", 123400n],
    ["1.234,56", "12.34", undefined],
    ["1 234,56", "1 234,56", 123456n],
    ["1 234,56", "1\u00a0234,56", 123456n],
    ["1 234,56", "1\u202f234\u202f567,00", 123456700n],
    ["1 234,56", "12 34,56", undefined],
    ["1'234.56", "1\u2019234.56", 123456n],
    ["1.234,56-", "1.234,56-", -123456n],
    ["1.234,56-", "-1.234,56", -123456n],
    ["1.234,56-", "-1.234,56-", undefined],
    ["1234.56", "12.00-", undefined],
    ["(1,234.56)", "(1,234.56)", -123456n],
    ["(1,234.56)", "(1,234.56", undefined],
    ["(1,234.56)", "(-5.00)", undefined],
    ["(1,234.56)", "5.00", 500n],
    ["1234.56", "(5.00)", undefined],
    ["1234.56", "\u22125.00", -500n],
    ["1234.56", "\u0661", undefined]
  ]
  for (const [format, text, units] of cases) {
    it(`${units === undefined ? "refuses" : `reads as ${units}`} ${JSON.stringify(text)} where 1234.56 is ${format}`, () => {
      const parsed = parseDecimal(text, 2, decimal(format))
      if (units === undefined) assert.isTrue(Result.isFailure(parsed))
      else assert.deepStrictEqual(parsed, Result.succeed(units))
    })
  }

  for (const format of ["", "1234", "1,234,56", "(1234.56", "1234.56)", "auto", "1-234.56", "toString"]) {
    it(`is not told by ${JSON.stringify(format)}`, () => {
      assert.isTrue(Result.isFailure(parseDecimalFormat(format)))
    })
  }
})

describe("decimals of a currency", () => {
  const none = { others: undefined, named: {} }
  const cases: ReadonlyArray<readonly [code: string, exponent: number]> = [
    ["EUR", 2],
    ["JPY", 0],
    ["KRW", 0],
    ["KWD", 3],
    ["BHD", 3],
    ["CLF", 4],
    ["HUF", 2],
    ["ISK", 0]
  ]
  for (const [code, exponent] of cases) {
    it(`are ${exponent} for ${code}`, () => assert.deepStrictEqual(exponentOf(code, none), Result.succeed(exponent)))
  }

  for (const code of ["USDC", "POINTS", "XAU", "XDR", "BTC"]) {
    it(`are nobody's guess for ${code}`, () => {
      const refused = exponentOf(code, none)
      assert.isTrue(Result.isFailure(refused) && refused.failure.includes(`--exponent ${code}=DIGITS`))
      assert.deepStrictEqual(exponentOf(code, { others: 6, named: {} }), Result.succeed(6))
    })
  }

  it("are those of ISO 4217, whatever the caller says of others, unless it is named", () => {
    assert.deepStrictEqual(exponentOf("JPY", { others: 2, named: {} }), Result.succeed(0))
    assert.deepStrictEqual(exponentOf("JPY", { others: undefined, named: { JPY: 2 } }), Result.succeed(2))
  })

  it("differ from those of Intl only where that follows the custom and not the standard", () => {
    const customary = (code: string) =>
      new Intl.NumberFormat("en", { style: "currency", currency: code }).resolvedOptions().maximumFractionDigits ?? 2
    const known = new Set(Intl.supportedValuesOf("currency"))
    const above = [...isoExponents].filter(([code, exponent]) => known.has(code) && customary(code) > exponent)
    assert.deepStrictEqual(above, [])
    const without = [...isoExponents].filter(
      ([code, exponent]) => known.has(code) && customary(code) === 0 && exponent > 0
    )
    assert.includeMembers(
      without.map(([code]) => code),
      ["IQD"]
    )
    assert.isEmpty([...isoExponents].filter(([code]) => !/^[A-Z]{3}$/.test(code)))
    assert.isAbove(isoExponents.size, 160)
  })
})
