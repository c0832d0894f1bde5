/** Whose an index is: of a log that was put back, or of another one. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { SampleWallet } from "../../src/testing/contract/SampleWallet.ts"
import { assertFollowed, eventually, head, live, movements, opened, setup } from "./SearchSetup.ts"

describe("an index of a log that was put back to an earlier copy", () => {
  /** What was written from the log before, and the same log again from its first event on. */
  const putBack = Effect.fnUntraced(function* () {
    const before = yield* setup()
    const first = new SampleWallet().create()
    const node = yield* before.node()
    yield* before.append(first)
    yield* before.append(new SampleWallet().create())
    yield* assertFollowed(before)
    yield* node.kill
    const stores = yield* setup({ logId: before.database.logId })
    stores.state.current = before.state.current
    yield* stores.append(first)
    return stores
  })

  live("is not read or written, however far the log has grown since, until it is made anew", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* putBack()
        yield* movements(stores)
        const left = stores.state.current!
        const nodes = [yield* stores.node(), yield* stores.node({ owns: () => false })]
        for (const { progress } of nodes) {
          yield* eventually("it is known", () => progress.load().trouble?.includes("has what is no more") === true)
        }
        yield* movements(stores)
        for (const { index, progress } of nodes) {
          assert.include(progress.refusal()?.reason, "put back to an earlier copy")
          assert.lengthOf(index.writes, 0)
        }
        assert.strictEqual(left.checkpoint, 2n)
        stores.state.current = undefined
        yield* assertFollowed(stores)
        for (const { progress } of nodes) yield* eventually("it may be read", () => progress.refusal() === undefined)
      })
    )
  )

  live("is gone on with where it has nothing that the log has lost", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* putBack()
        const { id, version, walletId } = stores.database.log[0]!.recorded
        Object.assign(stores.state.current!, { checkpoint: 1n, mark: { walletId, version, id } })
        stores.state.current!.documents.wallet.clear()
        stores.state.current!.documents.transaction.clear()
        stores.state.current!.visible.wallet.clear()
        stores.state.current!.visible.transaction.clear()
        const node = yield* stores.node()
        const { from } = yield* movements(stores)
        yield* eventually("it is followed", () => stores.state.current!.checkpoint === head(stores))
        assert.isUndefined(node.progress.load().trouble)
        assert.isTrue(stores.state.current!.documents.wallet.has(from.id))
      })
    )
  )
})

describe("an index that another log has taken over", () => {
  live("is written no more by the one who had it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const node = yield* stores.node()
        yield* movements(stores)
        yield* assertFollowed(stores)
        const taken = { ...(yield* opened("another-log")), checkpoint: 1_000n }
        stores.state.current = taken
        yield* movements(stores)
        yield* eventually("it is known", () => node.progress.load().trouble?.includes("another-log") === true)
        assert.isDefined(node.progress.refusal())
        assert.isFalse(node.progress.load().isWriter)
        assert.deepStrictEqual([taken.checkpoint, taken.documents.wallet.size], [1_000n, 0])
      })
    )
  )
})
