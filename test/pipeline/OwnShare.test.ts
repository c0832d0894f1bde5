/** Events of a claim that stands are its owner's to give to Persistence, and nobody else's; older ones are anybody's. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { linkNodes } from "../cluster/LinkedNodes.ts"
import * as Faults from "../support/FaultyPersistence.ts"
import { until } from "../support/Installation.ts"
import { within } from "../support/Separate.ts"

/** Two nodes; the first owns all, and its write of a credit to `a` hangs. */
const hanging = Effect.gen(function* () {
  const network = yield* linkNodes({ separate: true, bounds: { highWatermarkStep: 0 } })
  const [owner, other] = [network.nodes[0]!, network.nodes[1]!]
  const wallet = { walletId: "a", ownerId: "o", currency: "EUR" }
  yield* owner.engine.createWallet({ ...wallet, id: "a", idempotencyKey: "create" })
  const awake = yield* Deferred.make<void>()
  owner.persistence.writeFaults.push(Faults.heldUntil(awake))
  yield* owner.engine.credit({ walletId: "a", amount: 5n, idempotencyKey: "k", await: "committed" })
  const { state } = network.installation
  const persisted = () => state.persisted.get("a")?.length
  return { network, owner, other, state, persisted, wake: Deferred.succeed(awake, undefined) }
})

describe("the rows of a wallet that another node owns", () => {
  it.effect("are left to it, however far they are behind", () =>
    Effect.gen(function* () {
      const { other, persisted, wake } = yield* hanging
      assert.isTrue(yield* within(10, other.pipeline.catchUp("a")))
      assert.strictEqual(persisted(), 1)
      assert.lengthOf(other.persistence.writes, 0)
      yield* wake
      yield* until(() => persisted() === 2, "the owner writes it")
    })
  )

  it.effect("are brought up by anybody to where its claim begins", () =>
    Effect.gen(function* () {
      const { network, other, owner, persisted, wake } = yield* hanging
      // Another claim, of nobody who has loaded the wallet: what is in the log is an earlier owner's.
      yield* network.gainAll(1)
      yield* network.gainAll(0)
      assert.isTrue(yield* within(10, other.pipeline.catchUp("a")))
      assert.strictEqual(persisted(), 2)
      yield* wake
      yield* until(() => owner.pipeline.load().queuedEvents === 0, "the first owner finds it written")
      assert.strictEqual(persisted(), 2)
    })
  )

  it.effect("are written by who has taken its partition", () =>
    Effect.gen(function* () {
      const { network, other, persisted, wake } = yield* hanging
      yield* within(10, network.handOver("a", 1))
      const told = yield* within(10, other.engine.credit({ walletId: "a", amount: 7n, idempotencyKey: "later" }))
      assert.deepStrictEqual([told.wallet.balance, told.durability.persisted, persisted()], [12n, true, 3])
      yield* wake
    })
  )
})
