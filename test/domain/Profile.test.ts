import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import { eventCases, type WalletEventType } from "../../src/domain/Event.ts"
import { changesProfile, profileTypes } from "../../src/domain/Profile.ts"
import { event } from "./Examples.ts"

const types = Object.keys(eventCases) as ReadonlyArray<WalletEventType>

describe("the events that change a wallet's profile", () => {
  it("are those of the list, and reversals", () => {
    const changing = types.filter((type) => changesProfile(event(type)))
    assert.sameMembers(changing, [...profileTypes, "OperationReversed"])
  })

  it("are those of the index", () => {
    const migration = Fs.readFileSync(new URL("../../sql/0012_holds_and_freezes.sql", import.meta.url), "utf8")
    const index = /ew_events_profile ON[^;]*/.exec(migration)![0]
    assert.deepStrictEqual(
      Array.from(index.matchAll(/'(\w+)'/g), ([, type]) => type),
      [...profileTypes]
    )
  })
})
