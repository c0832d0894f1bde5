import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import { WalletEngine } from "../../../src/engine/WalletEngine.ts"
import { importText, refusal, services } from "./importing.ts"

const header = "id,wallet_id,amount,balance,currency,date\n"

const times = (walletId: string) =>
  Effect.gen(function* () {
    const { data } = yield* (yield* WalletEngine).statement({ walletId, limit: 200 })
    return data.map(({ effectiveAt, reference }) => [new Date(effectiveAt).toISOString(), reference] as const)
  })

const zone = (name: string) => DateTime.zoneMakeNamedUnsafe(name)

describe("the dates of an imported file", () => {
  it.live("are when its rows count: a date's midnight, a time, a time of the zone", () =>
    Effect.gen(function* () {
      const rows = "1,w,5,5.00,EUR,2024-07-01\n2,w,-1,4.00,EUR,2024-07-01T10:00:00+02:00\n"
      yield* importText("a.csv", `${header}${rows}3,w,1,5.00,EUR,2024-07-01 12:30\n4,w,1,6.00,EUR,\n`)
      const found = (yield* times("w")).map(([time]) => time)
      assert.deepStrictEqual(found.slice(0, 3), [
        "2024-07-01T00:00:00.000Z",
        "2024-07-01T08:00:00.000Z",
        "2024-07-01T12:30:00.000Z"
      ])
      assert.isAbove(Date.parse(found[3]!), Date.parse("2026-01-01"))
      const inPrague = `${header}1,v,5,5.00,EUR,2024-07-01\n2,v,1,6.00,EUR,2024-01-31 23:59:59.5\n`
      yield* importText("b.csv", inPrague, { timeZone: zone("Europe/Prague"), order: "oldest-first" })
      assert.deepStrictEqual(
        (yield* times("v")).map(([time]) => time),
        ["2024-01-31T22:59:59.500Z", "2024-06-30T22:00:00.000Z"]
      )
    }).pipe(Effect.provide(services))
  )

  it.live("are the opening balance's too, which counts from the first of them", () =>
    Effect.gen(function* () {
      const text = `${header}1,w,5,15.00,EUR,2024-07-02\n2,w,5,20.00,EUR,2024-07-01\n`
      yield* importText("a.csv", text, { opening: { _tag: "File" }, order: "oldest-first" })
      assert.deepStrictEqual(yield* times("w"), [
        ["2024-07-01T00:00:00.000Z", "Opening balance"],
        ["2024-07-01T00:00:00.000Z", null],
        ["2024-07-02T00:00:00.000Z", null]
      ])
    }).pipe(Effect.provide(services))
  )

  it.live("are refused by row where they are still to come or none, and nothing is booked", () =>
    Effect.gen(function* () {
      const now = Date.parse("2024-07-01T10:00:00Z")
      const of = (date: string) => `${header}1,w,5,5.00,EUR,2024-06-30\n2,w,1,6.00,EUR,${date}\n`
      assert.include(
        yield* refusal("a.csv", of("2024-07-02"), { now }),
        'row 2 (line 3): date: "2024-07-02" is still to come'
      )
      assert.include(yield* refusal("a.csv", of("2024-07-01T10:00:00.001Z"), { now }), "is still to come")
      for (const date of [
        "2024-02-30",
        "31.12.2023",
        "1969-12-31",
        "12024-01-01",
        "yesterday",
        "2024-07-01T25:00:00Z"
      ]) {
        assert.include(yield* refusal("a.csv", of(date), { now }), `row 2 (line 3): date: "${date}" is no date like`)
      }
      const wallet = yield* Effect.exit((yield* WalletEngine).getWallet({ walletId: "w" }))
      assert.strictEqual(wallet._tag, "Failure")
      yield* importText("a.csv", of("31.12.2023"), { timeZone: undefined })
      assert.lengthOf(yield* times("w"), 2)
    }).pipe(Effect.provide(services))
  )

  it.live("of a file that was booked without them change nothing when it is imported again", () =>
    Effect.gen(function* () {
      const text = `${header}1,w,5,15.00,EUR,2024-07-01\n2,w,-1,14.00,EUR,2024-07-02\n`
      const opening = { opening: { _tag: "File" } } as const
      yield* importText("a.csv", text, { ...opening, timeZone: undefined })
      const engine = yield* WalletEngine
      const before = yield* engine.getWallet({ walletId: "w" })
      const report = yield* importText("a.csv", text, opening)
      assert.deepStrictEqual([report.imported, report.known], [0, 2])
      assert.deepStrictEqual(yield* engine.getWallet({ walletId: "w" }), before)
      const grown = yield* importText("a.csv", `${text}3,w,1,15.00,EUR,2024-07-03\n`, opening)
      assert.deepStrictEqual([grown.imported, grown.known], [1, 2])
      assert.include(
        yield* refusal("a.csv", text.replace("2,w,-1,14.00", "2,w,-2,13.00"), opening),
        "a row with this id was booked before, and said something else"
      )
    }).pipe(Effect.provide(services))
  )
})
