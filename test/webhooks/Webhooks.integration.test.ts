/** Webhooks on PostgreSQL: what is refused is kept there, and goes on from there. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { SqlMigrator } from "../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../src/stores/sql/SqlStores.ts"
import { Webhooks } from "../../src/webhooks/Webhooks.ts"
import { postgresPresent, TestPostgres } from "../support/postgres.ts"
import { makeReceiver, versionsOf } from "./Receiver.ts"

const stores = SqlStores.layer().pipe(Layer.provide(SqlMigrator.layer), Layer.provide(TestPostgres.layerDatabase()))
const engine = WalletEngine.layer({ bounds: defaultBounds, partitions: 8 }).pipe(Layer.provideMerge(stores))

describe.skipIf(!postgresPresent)("webhooks on PostgreSQL", () => {
  it.live("save what was acknowledged and what is refused, and go on from there after a stop", () =>
    Effect.gen(function* () {
      const services = yield* Effect.context<Layer.Success<typeof engine>>()
      const begin = Effect.gen(function* () {
        const scope = yield* Scope.make()
        const deliverer = Layer.provide(Webhooks.layer({ allowPrivate: true }), Layer.succeedContext(services))
        const webhooks = Context.get(yield* Layer.buildWithScope(deliverer, scope), Webhooks)
        return { webhooks, end: Scope.close(scope, Exit.void) }
      })
      const wallets = yield* WalletEngine
      for (const id of ["stuck", "other"]) {
        yield* wallets.createWallet({ id, ownerId: "o", currency: "EUR", idempotencyKey: `c-${id}` })
        for (let n = 0; n < 20; n++) yield* wallets.credit({ walletId: id, amount: 1n, idempotencyKey: `${id}-${n}` })
      }
      const receiver = yield* makeReceiver()
      receiver.answer = ({ data }) => (data.walletId === "stuck" && data.version === 5 ? 500 : undefined)
      const first = yield* begin
      const { webhook } = yield* first.webhooks.create({ url: receiver.url, from: 0n })
      const behind = yield* Effect.repeat(first.webhooks.get(webhook.id), {
        schedule: Schedule.spaced(50),
        until: ({ position, walletsBehind }) => position === 42n && walletsBehind === 1
      })
      assert.strictEqual(behind.lastError, "wallet stuck, behind version 4: HTTP 500")
      yield* first.end
      receiver.answer = () => undefined
      const before = receiver.received.length
      const second = yield* begin
      yield* receiver.until(() => versionsOf(receiver.acknowledged).get("stuck")?.length === 21)
      const rest = receiver.received.slice(before)
      assert.deepStrictEqual(
        rest.map(({ data }) => [data.walletId, data.version]),
        Array.from({ length: 16 }, (_, n) => ["stuck", n + 5])
      )
      const { data } = yield* Effect.repeat(second.webhooks.deliveries(webhook.id, { limit: 200 }), {
        schedule: Schedule.spaced(50),
        until: (page) => page.data.some(({ version, walletId }) => walletId === "stuck" && version === 20)
      })
      assert.isTrue(data.some(({ error }) => error === "HTTP 500"))
      yield* second.end
    }).pipe(Effect.scoped, Effect.provide(engine))
  )
})
