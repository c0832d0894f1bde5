import { assert, describe, it } from "@effect/vitest"
import { documented, table, tuningConstants } from "./tuningConstants.ts"

describe("the tuning constants", () => {
  it("are found", () => {
    assert.isAbove(tuningConstants().length, 100)
  })

  it("are all in the table of ARCHITECTURE.md, as they are: write it by `node test/docs/tuningConstants.ts`", () => {
    assert.strictEqual(documented(), table())
  })
})
