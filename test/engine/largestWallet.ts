/** A wallet as large as it may be, on whatever stores: what is refused, and that it comes back into memory. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { assert } from "vitest"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { defaultPartitions } from "../../src/domain/Partition.ts"
import { verify } from "../../src/engine/verify/Verify.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { EventStore, maxSnapshotBytes } from "../../src/stores/EventStore.ts"

/** A process's life over stores that outlive it; a wallet in memory is written down at its end. */
const inProcess = <A, E, R>(use: (engine: WalletEngine["Service"]) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(WalletEngine, use).pipe(
    Effect.provide(Layer.fresh(WalletEngine.layer({ bounds: defaultBounds, partitions: defaultPartitions })))
  )

/** All that a caller may say of a hold, in characters that take three bytes. */
const longest = {
  reference: "字".repeat(255),
  metadata: Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`${n}`.padEnd(64, "字"), "字".repeat(512)]))
}

const walletId = "large"
const place = (engine: WalletEngine["Service"], key: string) =>
  engine.placeHold({ walletId, amount: 1n, idempotencyKey: key, ...longest })

export const largestWallet = Effect.gen(function* () {
  const log = yield* EventStore
  const holds = yield* inProcess((engine) =>
    Effect.gen(function* () {
      yield* engine.createWallet({ id: walletId, ownerId: "o", currency: "EUR", idempotencyKey: "create" })
      yield* engine.credit({ walletId, amount: 1_000_000n, idempotencyKey: "credit" })
      const placed: Array<string> = []
      while (true) {
        const exit = yield* Effect.exit(place(engine, `hold-${placed.length}`))
        if (Exit.isSuccess(exit)) {
          placed.push(exit.value.hold.id)
          continue
        }
        const error = yield* Effect.flip(exit)
        assert.strictEqual(error._tag, "LimitExceeded")
        if (error._tag === "LimitExceeded") {
          assert.deepStrictEqual([error.limit, error.bound], ["stateBytes", 4_194_304n])
          assert.isAbove(Number(error.size), 4_194_304)
        }
        break
      }
      // What a wallet is for goes on.
      yield* engine.debit({ walletId, amount: 1n, idempotencyKey: "debit" })
      return placed
    })
  )
  assert.isAbove(holds.length, 100)
  const snapshot = yield* log.loadSnapshot(walletId)
  assert.strictEqual(snapshot?.version, holds.length + 2)
  const bytes = Buffer.byteLength(snapshot?.data ?? "")
  assert.isTrue(bytes > 4_000_000 && bytes <= maxSnapshotBytes, `${bytes} bytes`)
  yield* inProcess((engine) =>
    Effect.gen(function* () {
      const wallet = yield* engine.getWallet({ walletId })
      assert.deepStrictEqual([wallet.balance, wallet.held], [999_999n, BigInt(holds.length)])
      assert.strictEqual((yield* Effect.flip(place(engine, "one-more")))._tag, "LimitExceeded")
      const update = { walletId, metadata: longest.metadata, idempotencyKey: "metadata" }
      assert.strictEqual((yield* Effect.flip(engine.updateWallet(update)))._tag, "LimitExceeded")
      const send = { from: walletId, to: "other", amount: 1n, idempotencyKey: "send", ...longest }
      yield* engine.createWallet({ id: "other", ownerId: "o", currency: "EUR", idempotencyKey: "create-other" })
      assert.strictEqual((yield* Effect.flip(engine.transfer(send)))._tag, "LimitExceeded")
      // The transfer keeps its room until it is settled, which its caller does not wait for.
      for (const holdId of holds.slice(0, 2)) {
        yield* engine.releaseHold({ walletId, holdId, idempotencyKey: `release-${holdId}` })
      }
      yield* engine.transfer(send)
      yield* place(engine, "in-its-place")
      assert.isTrue((yield* place(engine, "in-its-place")).replayed)
      const { checks } = yield* engine.health
      assert.deepStrictEqual(
        checks.filter(({ status }) => status !== "ok"),
        []
      )
    })
  )
  assert.deepStrictEqual((yield* verify({ lagMillis: 0 })).differences, [])
})
