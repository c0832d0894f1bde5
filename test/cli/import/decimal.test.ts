import * as fc from "fast-check"
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { formatDecimal, parseDecimal } from "../../../src/cli/import/Movement.ts"

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
