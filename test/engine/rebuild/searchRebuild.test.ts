import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dropOldSearch, rebuildSearch } from "../../../src/engine/rebuild/SearchRebuild.ts"
import { replay } from "../../../src/engine/rebuild/Rebuild.ts"
import { fillToHead, startFill } from "../../../src/engine/rebuild/SearchFill.ts"
import { verify } from "../../../src/engine/verify/Verify.ts"
import { EventStore } from "../../../src/stores/EventStore.ts"
import { Persistence } from "../../../src/stores/Persistence.ts"
import { type SearchDocument, SearchIndex } from "../../../src/stores/SearchIndex.ts"
import * as Faulty from "../../support/FaultySearchIndex.ts"
import { credit } from "../../support/LogLife.ts"
import { idsIn, world } from "../../support/SearchWorld.ts"

const clean = Effect.map(verify({ lagMillis: 0 }), ({ differences }) => assert.deepStrictEqual(differences, []))

describe("a rebuild of the search index", () => {
  for (const separate of [false, true]) {
    it.effect(`fills another set and takes it, ${separate ? "behind a log apart" : "beside the log"}`, () =>
      world(
        ({ search }) =>
          Effect.gen(function* () {
            const before = search.current
            const report = yield* rebuildSearch({ pageEvents: 3 })
            assert.isFalse(report.resumed)
            assert.strictEqual(report.events, 35)
            assert.notStrictEqual(search.current, before)
            assert.deepStrictEqual(idsIn(search.current), idsIn(before))
            assert.strictEqual(search.current?.checkpoint, report.position)
            assert.deepStrictEqual(search.old, [before])
            yield* clean
          }),
        { separate, wallets: 11 }
      )
    )
  }

  it.effect("mends an index whose documents are wrong, gone and of no wallet", () =>
    world(({ search }) =>
      Effect.gen(function* () {
        const [id, document] = [...search.current!.documents.wallet][0]!
        assert.strictEqual(document.kind, "wallet")
        search.current!.visible.wallet.set("zz", { ...document, version: 99 })
        search.current!.visible.transaction.clear()
        search.current!.visible.wallet.set(id, { ...document, version: 77 })
        yield* rebuildSearch()
        yield* clean
      })
    )
  )

  it.effect("hides nothing that was found before, whatever is written meanwhile", () =>
    world(
      ({ book, faulty, follow, search }) =>
        Effect.gen(function* () {
          const moving = { on: true }
          const found = new Set<string>()
          let searches = 0
          const look = Effect.sync(() => {
            const visible = idsIn(search.current)
            searches++
            for (const id of found) assert.isTrue(visible.has(id), `${id} was found and is no more`)
            for (const id of visible) found.add(id)
          })
          const credits = yield* Effect.forkChild(
            Effect.gen(function* () {
              for (let n = 0; moving.on && n < 3_000; n++) {
                yield* book.perform(credit(`w${n % 20}`, 1n), 2_000 + n)
                yield* Effect.yieldNow
              }
            })
          )
          const follower = yield* Effect.forkChild(
            Effect.gen(function* () {
              while (moving.on) {
                yield* Effect.exit(follow)
                yield* Effect.exit(faulty.store.current.refresh)
                yield* look
                yield* Effect.yieldNow
              }
            })
          )
          yield* Effect.yieldNow
          const set = search.current
          const report = yield* rebuildSearch({
            pageEvents: 7,
            onProgress: () => Effect.andThen(look, Effect.yieldNow)
          })
          assert.notStrictEqual(search.current, set)
          for (let turn = 0; turn < 50; turn++) yield* Effect.yieldNow
          moving.on = false
          yield* Fiber.join(credits)
          yield* Fiber.join(follower)
          assert.isAbove(searches, 20)
          assert.isAbove(report.events, 60)
          yield* follow
          yield* clean
        }),
      { wallets: 20 }
    )
  )

  it.effect("hides nothing that is written in the moment of the swap, and loses none of it", () =>
    world(({ book, faulty, follow, search }) =>
      Effect.gen(function* () {
        const found = new Set<string>()
        const look = Effect.sync(() => {
          const visible = idsIn(search.current)
          for (const id of found) assert.isTrue(visible.has(id), `${id} was found and is no more`)
          for (const id of visible) found.add(id)
        })
        const { store } = faulty
        const meanwhile = Effect.gen(function* () {
          yield* book.perform(credit("a", 1n))
          yield* Effect.exit(follow)
          yield* Effect.exit(store.current.refresh)
          yield* look
        })
        const swap = Effect.andThen(meanwhile, Effect.andThen(store.swap, look))
        yield* Effect.provideService(rebuildSearch(), SearchIndex, { ...store, swap })
        yield* look
        yield* follow
        yield* clean
      })
    )
  )

  it.effect("goes on where it was cut off, at whatever step", () =>
    world(
      ({ faulty, search }) =>
        Effect.gen(function* () {
          const expected = idsIn(search.current)
          let resumed = 0
          for (let step = 0; ; step++) {
            assert.isBelow(step, 200)
            // Each try gets one step further than the one before it.
            let calls = 0
            const before = search.current
            faulty.every = (call) => (calls++ < step ? call : Faulty.defective(call))
            const exit = yield* Effect.exit(rebuildSearch({ pageEvents: 5 }))
            faulty.every = undefined
            assert.isFalse(search.isBuilding)
            assert.isUndefined(search.held)
            if (Exit.isSuccess(exit)) {
              if (exit.value.resumed) resumed++
              assert.deepStrictEqual(idsIn(search.current), expected)
              break
            }
            if (search.current !== before) assert.deepStrictEqual(idsIn(search.current), expected)
          }
          assert.strictEqual(resumed, 1)
          yield* clean
        }),
      { wallets: 8 }
    )
  )

  it.effect(
    "keeps no more of what waits for PostgreSQL than a bound, and leaves the rest to whoever comes after it",
    () =>
      world(
        ({ book, logId }) =>
          Effect.gen(function* () {
            const [log, persistence, index] = [yield* EventStore, yield* Persistence, yield* SearchIndex]
            for (let n = 0; n < 20; n++) yield* book.perform(credit("a", 1n), 2_000 + n)
            const before = (yield* log.head).position - 20n
            const options = { pageEvents: 7, asideEvents: 5, onPage: () => Effect.void }
            yield* Effect.scoped(
              Effect.gen(function* () {
                const set = yield* index.next(logId)
                const fill = startFill({ log, persistence, set: set! }, 0n, options)
                yield* fillToHead(fill)
                assert.isAtMost(fill.aside.length, 5)
                assert.strictEqual(fill.aside.length + fill.left.events, 20)
                assert.strictEqual(yield* set!.checkpoint, before)
                yield* replay()
                yield* fillToHead(startFill({ log, persistence, set: set! }, before, options))
                yield* set!.refresh
                yield* index.swap
              })
            )
            yield* clean
          }),
        { separate: true }
      )
  )

  it.effect("is refused while another is under way, and goes on when that has ended", () =>
    world(({ logId }) =>
      Effect.gen(function* () {
        const index = yield* SearchIndex
        const second = yield* Effect.scoped(Effect.andThen(index.next(logId), Effect.flip(rebuildSearch())))
        assert.strictEqual(second._tag, "RebuildUnderway")
        yield* rebuildSearch()
        yield* clean
      })
    )
  )

  it.effect("does not take a set that lacks a document, and tells it", () =>
    world(({ search }) =>
      Effect.gen(function* () {
        const before = search.current
        const drop = Effect.sync(() => search.next?.documents.transaction.clear())
        const error = yield* Effect.flip(rebuildSearch({ onProgress: () => drop }))
        assert.strictEqual(error._tag, "RebuildWrong")
        assert.strictEqual(search.current, before)
        yield* rebuildSearch({ restart: true })
        yield* clean
      })
    )
  )

  it.effect("begins anew where the log was put back behind what an earlier run has left", () =>
    world(({ logId }) =>
      Effect.gen(function* () {
        const index = yield* SearchIndex
        yield* Effect.scoped(Effect.flatMap(index.next(logId), (set) => set!.saveCheckpoint(1_000n)))
        assert.strictEqual((yield* Effect.flip(rebuildSearch()))._tag, "RebuildAhead")
        assert.isFalse((yield* rebuildSearch({ restart: true })).resumed)
        yield* clean
      })
    )
  )

  it.effect("keeps the set that it has replaced until the next one, or until it is told to drop it", () =>
    world(({ logId, search }) =>
      Effect.gen(function* () {
        const sets = [search.current]
        for (const dropped of [0, 1, 1]) {
          assert.strictEqual((yield* rebuildSearch()).dropped, dropped)
          assert.deepStrictEqual(search.old, [sets.at(-1)])
          sets.push(search.current)
        }
        const index = yield* SearchIndex
        yield* Effect.scoped(index.next(logId))
        assert.strictEqual(yield* dropOldSearch, 2)
        assert.deepStrictEqual([search.old, search.next], [[], undefined])
        yield* clean
      })
    )
  )

  it.effect("goes on with nothing that an earlier run has left of what the log has no more", () =>
    world(({ logId }) =>
      Effect.gen(function* () {
        const index = yield* SearchIndex
        const lost = { walletId: "a", version: 1, id: "an event that was lost" }
        yield* Effect.scoped(Effect.flatMap(index.next(logId), (set) => set!.saveCheckpoint(2n, lost)))
        const error = yield* Effect.flip(rebuildSearch())
        assert.strictEqual(error._tag, "RebuildAhead")
        assert.include(error.message, "--restart")
        assert.isFalse((yield* rebuildSearch({ restart: true })).resumed)
        yield* clean
      })
    )
  )

  it.effect("leaves another log's index alone, and takes its place where it is told to", () =>
    world(({ search }) =>
      Effect.gen(function* () {
        search.current = { ...search.current!, logId: "another", checkpoint: 4_000n }
        const { differences } = yield* verify({ lagMillis: 0 })
        assert.deepStrictEqual(
          differences.map(({ store, what }) => `${store} ${what}`),
          ["readModel the index"]
        )
        const anothers = search.current
        for (const options of [{}, { restart: true }]) {
          assert.strictEqual((yield* Effect.flip(rebuildSearch(options)))._tag, "RebuildForeign")
        }
        assert.deepStrictEqual([search.current, search.next, search.old], [anothers, undefined, []])
        yield* rebuildSearch({ takeOver: true })
        yield* clean
        assert.strictEqual(yield* dropOldSearch, 0)
        assert.deepStrictEqual(search.old, [anothers])
      })
    )
  )

  it.effect("puts on record what the new set refuses, and takes off the record what it takes", () =>
    world(({ faulty }) =>
      Effect.gen(function* () {
        const persistence = yield* Persistence
        const isRefused = (one: SearchDocument) => one.kind === "hold" && one.hold.id === "h1"
        faulty.refuses = (one) => (isRefused(one) ? "too odd" : undefined)
        assert.strictEqual((yield* rebuildSearch()).deadLetters, 1)
        const [letter] = yield* persistence.deadLetters({ after: undefined, limit: 10 })
        assert.strictEqual(letter?.id, "a.h1")
        faulty.refuses = undefined
        assert.strictEqual((yield* rebuildSearch()).deadLetters, 0)
        yield* clean
      })
    )
  )
})
