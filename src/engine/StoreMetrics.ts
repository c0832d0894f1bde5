/** Whether each store is away, read when somebody looks at the metrics. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import type { StoreName } from "../stores/StoreError.ts"
import { StoreOutages } from "../stores/StoreOutages.ts"
import { removeWithScope } from "./FastCounter.ts"

/** Those of every node; leases have metrics of their own, where there are any. */
const stores: ReadonlyArray<StoreName> = ["log", "persistence", "readModel", "keys"]

const description =
  "1 while the store is away: from the first that it did not serve until all whom it did not serve are"

const ignored = () => undefined

/** The series `wallet_store_away` of each store, from the start. Stores in one place are away together. */
export const storeMetrics = Layer.effectDiscard(
  Effect.gen(function* () {
    const outages = yield* StoreOutages.current
    const context = yield* Effect.context<never>()
    const registrations = stores.map((store) => {
      const outage = outages.of(store)
      return Metric.registerUnsafe(Metric.gauge("wallet_store_away", { description, attributes: { store } }), context, {
        get: () => ({ value: outage.isOn ? 1 : 0 }),
        update: ignored,
        modify: ignored
      })
    })
    yield* removeWithScope(registrations)
  })
)
