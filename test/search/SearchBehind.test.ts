/** Search behind a log of its own: what Persistence has accepted, and nothing else. */
import { assert, describe } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { noMetadata } from "../../src/domain/Limits.ts"
import { StoreUnavailable } from "../../src/stores/StoreError.ts"
import { credit, debit, SampleWallet, send, undo } from "../../src/testing/contract/SampleWallet.ts"
import { answers, eventually, everything, head, live, setup } from "./SearchSetup.ts"

describe("behind a log of its own", () => {
  live("what Persistence has not accepted is not shown; the others are", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup({ separate: true })
        const node = yield* stores.node()
        const [late, other] = [new SampleWallet(), new SampleWallet()]
        const [created, first] = [late.create(), other.create()]
        yield* stores.append(created, first)
        yield* stores.persistence.write([first])
        yield* node.progress.shows([other.id])
        const found = yield* stores.search.searchWallets(everything)
        assert.deepStrictEqual(
          found.data.map(({ id }) => id),
          [other.id]
        )
        assert.strictEqual(stores.state.current!.checkpoint, 0n)
        const waiting = yield* Effect.forkChild(node.progress.shows([late.id]))
        yield* stores.persistence.write([created])
        yield* Fiber.join(waiting)
        assert.lengthOf((yield* stores.search.searchWallets(everything)).data, 2)
        yield* eventually("the checkpoint passes", () => stores.state.current?.checkpoint === head(stores))
      })
    )
  )

  live("a refused event makes no transaction, and its reversal brings the rest right", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup({ separate: true })
        const node = yield* stores.node()
        const sample = new SampleWallet()
        const created = sample.commit(sample.creation(), credit(50n))
        const before = sample.wallet
        const refused = sample.commit(credit(101n, "refused"))
        const reversal = sample.commit(undo(refused.events[0]!, before))
        const after = sample.commit(debit(1n))
        yield* stores.append(created)
        yield* stores.append(refused)
        yield* stores.persistence.write([created])
        yield* stores.persistence.refuse(refused, { reason: "no", time: 0 })
        yield* stores.append(reversal)
        yield* stores.append(after)
        yield* stores.persistence.write([reversal])
        yield* stores.persistence.write([after])
        yield* node.progress.shows([sample.id])
        const { index, rows } = yield* answers(stores)
        assert.deepStrictEqual(index[0], rows[0])
        assert.deepStrictEqual(
          index[1].data.map(({ type, version }) => `${version} ${type}`),
          rows[1].data.map(({ type, version }) => `${version} ${type}`)
        )
        assert.isFalse(index[1].data.some(({ reference }) => reference === "refused"))
      })
    )
  )

  live("a wallet whose creation was refused is not there, and holds nobody up", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup({ separate: true })
        const node = yield* stores.node()
        const [refused, source] = [new SampleWallet(), new SampleWallet()]
        const creation = refused.create()
        const sent = source.commit(source.creation(), credit(9n), send("t-1", refused.id, 3n))
        yield* stores.append(creation, sent)
        yield* stores.persistence.write([sent])
        yield* eventually("the transfer waits for its destination", () => node.progress.load().lagMillis > 0)
        yield* stores.persistence.refuse(creation, { reason: "no", time: 0 })
        yield* node.progress.shows([refused.id, source.id])
        const { index } = yield* answers(stores)
        assert.deepStrictEqual(
          index[0].data.map(({ id }) => id),
          [source.id]
        )
        assert.lengthOf(index[2].data, 1)
      })
    )
  )

  live("waits while Persistence is away, within its bound", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup({ separate: true })
        let isAway = true
        const away = new StoreUnavailable({ store: "persistence", reason: "scripted", retryAfter: 1 })
        const { indexRows } = stores.persistence
        const persistence = {
          ...stores.persistence,
          indexRows: (asked: Parameters<typeof indexRows>[0]) =>
            Effect.suspend(() => (isAway ? Effect.fail(away) : indexRows(asked)))
        }
        const node = yield* stores.node({ persistence, bounds: { behindEvents: 10 } })
        const samples = Array.from({ length: 40 }, () => new SampleWallet({ metadata: noMetadata }))
        const creations = samples.map((sample) => sample.create())
        yield* stores.append(...creations)
        yield* eventually("it is known", () => node.progress.load().trouble?.includes("scripted") === true)
        isAway = false
        const written = yield* Deferred.make<void>()
        yield* Effect.forkChild(Effect.andThen(Deferred.await(written), stores.persistence.write(creations)))
        yield* Deferred.succeed(written, undefined)
        yield* node.progress.shows(samples.map(({ id }) => id))
        assert.lengthOf((yield* stores.search.searchWallets(everything)).data, 40)
      })
    )
  )
})
