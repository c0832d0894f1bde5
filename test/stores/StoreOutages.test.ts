import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"
import { StoreOutages } from "../../src/stores/StoreOutages.ts"

const database = "PostgreSQL at 127.0.0.1:5432 (database app, role app)"

const watched = <A>(use: (outages: StoreOutages["Service"], lines: ReadonlyArray<string>) => Effect.Effect<A>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
  return Effect.flatMap(StoreOutages, (outages) => use(outages, lines)).pipe(
    Effect.provide(
      Layer.mergeAll(
        StoreOutages.layer({ log: "KurrentDB at 127.0.0.1:2113", persistence: database, keys: database }),
        Logger.layer([logger])
      )
    )
  )
}

describe("an outage", () => {
  it.effect("is told with its address once, whether or not the cause begins with it", () =>
    Effect.gen(function* () {
      const outage = (yield* StoreOutages).of("readModel")
      assert.deepStrictEqual(
        [
          "https://search-1:9200 cannot be reached: ECONNREFUSED",
          "https://search-1:9200: no answer",
          "Elasticsearch at https://search-1:9200: known",
          "https://search-2:9200: another",
          "its alias is gone"
        ].map((reason) => outage.line(reason)),
        [
          "Elasticsearch at https://search-1:9200 cannot be reached: ECONNREFUSED",
          "Elasticsearch at https://search-1:9200: no answer",
          "Elasticsearch at https://search-1:9200: known",
          "Elasticsearch at https://search-1:9200: https://search-2:9200: another",
          "Elasticsearch at https://search-1:9200: its alias is gone"
        ]
      )
    }).pipe(Effect.provide(StoreOutages.layer({ readModel: "Elasticsearch at https://search-1:9200" })))
  )

  it.effect("is one warning with address and cause, and one line with its time and count when it is over", () =>
    watched(
      Effect.fnUntraced(function* (outages, lines) {
        const outage = outages.of("log")
        for (let time = 0; time < 118; time++) {
          yield* outage.failed("appends", "14 UNAVAILABLE")
          yield* TestClock.adjust("100 millis")
        }
        yield* outage.answered("appends")
        yield* outage.answered("appends")
        assert.deepStrictEqual(lines, [
          "Warn KurrentDB at 127.0.0.1:2113: 14 UNAVAILABLE; told again when it is back",
          "Info KurrentDB at 127.0.0.1:2113 is back, after 12 s and 118 failed tries"
        ])
        yield* outage.failed("appends", "again")
        yield* outage.answered("appends")
        assert.strictEqual(lines[3], "Info KurrentDB at 127.0.0.1:2113 is back, after 0 ms and 1 failed try")
      })
    )
  )

  it.effect("of what several stores have in one place is one, over when all who were turned away are served", () =>
    watched(
      Effect.fnUntraced(function* (outages, lines) {
        yield* outages.of("persistence").failed("rows", `${database} cannot be used: connect ECONNREFUSED`)
        yield* outages.of("keys").failed("API keys", "no answer within 5000 ms")
        yield* outages.of("keys").answered("API keys")
        assert.isTrue(outages.of("keys").isOn)
        assert.lengthOf(lines, 1)
        yield* outages.of("persistence").answered("rows")
        assert.deepStrictEqual(lines, [
          `Warn ${database} cannot be used: connect ECONNREFUSED; told again when it is back`,
          `Info ${database} is back, after 0 ms and 2 failed tries`
        ])
        assert.isFalse(outages.of("log").isOn)
      })
    )
  )
})
