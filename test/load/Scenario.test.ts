import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { parseScenario } from "../../src/load/Scenario.ts"

describe("Scenario", () => {
  it.effect("reads phases of a rate, and of one that goes from here to there", () =>
    Effect.gen(function* () {
      const text = JSON.stringify({
        phases: [
          { name: "warm-up", seconds: 5, rate: 100, counted: false },
          { name: "ramp", seconds: 0.5, from: 0, to: 2000 }
        ]
      })
      assert.deepStrictEqual(yield* parseScenario(text), [
        { name: "warm-up", millis: 5_000, from: 100, to: 100, counted: false },
        { name: "ramp", millis: 500, from: 0, to: 2_000, counted: true }
      ])
    })
  )

  for (const text of [
    "",
    "{}",
    '{"phases":[]}',
    '{"phases":[{"name":"a","seconds":1}]}',
    '{"phases":[{"name":"a","seconds":1,"rate":1,"to":2}]}',
    '{"phases":[{"name":"a","seconds":1,"from":1}]}',
    '{"phases":[{"name":"a","seconds":0,"rate":1}]}',
    '{"phases":[{"name":"a","seconds":1,"rate":-1}]}',
    '{"phases":[{"name":"a","seconds":1,"rate":1,"speed":2}]}',
    '{"phases":[{"name":"a","seconds":1,"rate":1,"counted":false}]}'
  ]) {
    it.effect(`says what is wrong with ${text}`, () =>
      Effect.gen(function* () {
        assert.isNotEmpty((yield* Effect.flip(parseScenario(text))).message)
      })
    )
  }
})
