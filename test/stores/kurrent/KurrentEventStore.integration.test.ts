import { describe, layer } from "@effect/vitest"
import { appendContract } from "../../../src/testing/contract/AppendContract.ts"
import { fenceContract } from "../../../src/testing/contract/FenceContract.ts"
import { followContract } from "../../../src/testing/contract/FollowContract.ts"
import { snapshotContract } from "../../../src/testing/contract/SnapshotContract.ts"
import { freshKurrentLog, kurrentPresent } from "../../support/kurrent.ts"

describe.skipIf(!kurrentPresent)("the log on KurrentDB", () => {
  layer(freshKurrentLog(), { excludeTestServices: true, timeout: 900_000 })("KurrentDB", (it) => {
    const suites = {
      append: appendContract,
      fence: fenceContract,
      follow: followContract,
      snapshot: snapshotContract
    }
    for (const [suite, cases] of Object.entries(suites)) {
      for (const { name, run } of cases) it.effect(`${suite}: ${name}`, () => run)
    }
  })
})
