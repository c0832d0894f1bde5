import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { storeMetrics } from "../../src/engine/Health.ts"
import { StoreOutages } from "../../src/stores/StoreOutages.ts"

const away = Effect.map(PrometheusMetrics.format(), (text) =>
  Object.fromEntries(
    Array.from(text.matchAll(/^wallet_store_away\{store="(\w+)"\} (\d)$/gm), ([, store = "", value]) => [
      store,
      value === "1"
    ])
  )
)

const outages = StoreOutages.layer({ log: "PostgreSQL", persistence: "PostgreSQL", keys: "PostgreSQL" })

describe("metrics of stores", () => {
  it.effect("say which is away, from the first that was turned away to the last that is served again", () =>
    Effect.gen(function* () {
      const { of } = yield* StoreOutages
      const all = { log: false, persistence: false, readModel: false, keys: false }
      assert.deepStrictEqual(yield* away, all)
      yield* of("log").failed("appends", "no answer")
      yield* of("log").failed("sweeper", "no answer")
      // In one place with it.
      assert.deepStrictEqual(yield* away, { ...all, log: true, persistence: true, keys: true })
      yield* of("readModel").failed("writer", "no answer")
      yield* of("log").answered("appends")
      assert.deepStrictEqual(yield* away, { log: true, persistence: true, readModel: true, keys: true })
      yield* of("log").answered("sweeper")
      assert.deepStrictEqual(yield* away, { ...all, readModel: true })
    }).pipe(
      Effect.provide(storeMetrics.pipe(Layer.provideMerge(outages))),
      Effect.provideService(Metric.MetricRegistry, new Map())
    )
  )

  it.effect("are gone with their scope", () =>
    Effect.gen(function* () {
      const registry = new Map()
      const during = yield* away.pipe(
        Effect.provide(storeMetrics.pipe(Layer.provide(outages))),
        Effect.provideService(Metric.MetricRegistry, registry)
      )
      assert.hasAllKeys(during, ["log", "persistence", "readModel", "keys"])
      assert.strictEqual(registry.size, 0)
    })
  )
})
