/** Search behind a log of its own: what Persistence has accepted, and nothing else. */
import { assert, describe } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Commit } from "../../src/domain/Commit.ts"
import { noMetadata } from "../../src/domain/Limits.ts"
import { EventUnreadable, StoreUnavailable } from "../../src/stores/StoreError.ts"
import { credit, debit, SampleWallet, send, undo } from "../../src/testing/contract/SampleWallet.ts"
import { answers, assertFollowed, eventually, everything, head, live, setup } from "./SearchSetup.ts"

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

  live(
    "a wallet that stands still with more events than are kept holds no other up, and is shown when it comes on",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const stores = yield* setup({ separate: true })
          const bounds = { behindEvents: 10, stoppedMillis: 30, stoppedWallets: 3 }
          const node = yield* stores.node({ bounds })
          const stopped = [new SampleWallet(), new SampleWallet()] as const
          const commits: Array<Commit> = []
          const more: Array<Commit> = []
          const append = Effect.fnUntraced(function* (sample: SampleWallet, commit: Commit) {
            yield* stores.append(commit)
            commits.push(commit)
            const other = new SampleWallet()
            const created = other.create()
            yield* stores.append(created)
            yield* stores.persistence.write([created])
            return other.id
          })
          for (const sample of stopped) yield* append(sample, sample.create())
          for (let n = 0; n < 40; n++) {
            for (const sample of stopped) {
              const other = yield* append(sample, sample.commit(credit(BigInt(n + 1))))
              // Those behind it in the log are shown all the same.
              if (n > 30) assert.isTrue(yield* node.progress.shows([other]))
            }
          }
          assert.isAbove(node.progress.load().lagMillis, 0)
          assert.strictEqual(stores.state.current!.checkpoint, 0n)
          const waiting = [
            yield* Effect.forkChild(node.progress.shows([stopped[0].id])),
            yield* Effect.forkChild(node.progress.shows([stopped[1].id]))
          ] as const
          for (const commit of commits.slice(0, 50)) yield* stores.persistence.write([commit])
          const [first] = stopped
          for (const commit of commits.slice(50)) {
            yield* stores.persistence.write([commit])
            const late = first.commit(credit(1n))
            yield* stores.append(late)
            more.push(late)
          }
          assert.isUndefined(waiting[0].pollUnsafe())
          for (const commit of more) yield* stores.persistence.write([commit])
          yield* Effect.forEach(waiting, Fiber.join)
          yield* assertFollowed(stores)
          assert.strictEqual(node.progress.load().lagMillis, 0)
        })
      )
  )

  live("a transfer to a wallet whose first event cannot be read is shown, and holds nobody up", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup({ separate: true })
        const [damaged, source] = [new SampleWallet(), new SampleWallet()]
        const sent = source.commit(source.creation(), credit(9n), send("t-1", damaged.id, 3n))
        yield* stores.append(damaged.create())
        yield* stores.append(sent)
        yield* stores.persistence.write([sent])
        const reason = { walletId: damaged.id, version: 0, type: "WalletCreated", reason: "damaged" }
        const { position } = stores.database.log.find(({ recorded }) => recorded.walletId === damaged.id)!
        const { log } = stores
        const node = yield* stores.node({
          log: {
            ...log,
            read: (walletId, options) =>
              walletId === damaged.id ? Effect.fail(new EventUnreadable(reason)) : log.read(walletId, options),
            readAll: (options) =>
              Effect.flatMap(log.readAll(options), (events) =>
                events.some((event) => event.position === position)
                  ? Effect.fail(new EventUnreadable({ ...reason, position }))
                  : Effect.succeed(events)
              )
          }
        })
        assert.isTrue(yield* node.progress.shows([source.id]))
        const { data } = yield* stores.search.searchTransfers(everything)
        assert.deepStrictEqual(
          data.map(({ id, to }) => [id, to]),
          [["t-1", damaged.id]]
        )
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
