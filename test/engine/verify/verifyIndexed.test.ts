import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { replayDeadLetters } from "../../../src/engine/rebuild/DeadLetters.ts"
import { compareSample, rebuildSearch } from "../../../src/engine/rebuild/SearchRebuild.ts"
import { compareDocuments } from "../../../src/engine/verify/Documents.ts"
import { verify } from "../../../src/engine/verify/Verify.ts"
import type * as MemorySearchIndex from "../../../src/stores/memory/MemorySearchIndex.ts"
import { EventStore } from "../../../src/stores/EventStore.ts"
import { Persistence } from "../../../src/stores/Persistence.ts"
import { type DocumentKind, documentId, type SearchDocument } from "../../../src/stores/SearchIndex.ts"
import * as Faulty from "../../support/FaultySearchIndex.ts"
import { create, credit, hold } from "../../support/LogLife.ts"
import { world } from "../../support/SearchWorld.ts"

const noLag = { lagMillis: 0 }

const inSearch = Effect.map(verify(noLag), ({ differences }) =>
  differences.map(({ store, walletId, what }) => `${walletId} ${store} ${what}`)
)

const clean = Effect.map(verify(noLag), ({ differences }) => assert.deepStrictEqual(differences, []))

const setOf = ({ current }: MemorySearchIndex.MemorySearchState) => current!

/** As somebody else would write it: what is there is changed under its own version. */
const plant = (search: MemorySearchIndex.MemorySearchState, document: SearchDocument): void => {
  const { documents, visible } = setOf(search)
  documents[document.kind].set(documentId(document), document)
  visible[document.kind].set(documentId(document), document)
}

const remove = (search: MemorySearchIndex.MemorySearchState, kind: DocumentKind, id: string): void => {
  assert.isTrue(setOf(search).documents[kind].delete(id))
  setOf(search).visible[kind].delete(id)
}

const documentOf = <K extends DocumentKind>(search: MemorySearchIndex.MemorySearchState, kind: K, id: string) =>
  setOf(search).documents[kind].get(id) as Extract<SearchDocument, { readonly kind: K }>

/** The wallet's first transaction. */
const firstOf = (search: MemorySearchIndex.MemorySearchState, walletId: string) =>
  [...setOf(search).documents.transaction.values()].find(
    (one) => one.kind === "transaction" && one.transaction.walletId === walletId
  ) as Extract<SearchDocument, { readonly kind: "transaction" }>

describe("verify of a search index", () => {
  for (const separate of [false, true]) {
    describe(separate ? "behind a log apart" : "beside the log", () => {
      it.effect("finds nothing wrong, and counts the documents", () =>
        world(
          () =>
            Effect.gen(function* () {
              const report = yield* verify(noLag)
              assert.deepStrictEqual(report.differences, [])
              // 5 wallets, 4 + 1 + 3 transactions, 3 holds, 1 transfer.
              assert.strictEqual(report.documents, 17)
              assert.strictEqual(report.searched, 0)
            }),
          { separate, wallets: 3 }
        )
      )

      it.effect("names what is missing, wrong or too much, and mends what can be", () =>
        world(
          ({ search }) =>
            Effect.gen(function* () {
              const wallet = documentOf(search, "wallet", "a")
              plant(search, { ...wallet, wallet: { ...wallet.wallet, balance: 5n } })
              const hold = documentOf(search, "hold", "a.h1")
              plant(search, { ...hold, hold: { ...hold.hold, remaining: 9n } })
              const first = firstOf(search, "a")
              plant(search, { ...first, transaction: { ...first.transaction, reference: "no" } })
              const transfer = documentOf(search, "transfer", "a.t1")
              plant(search, { ...transfer, ownerIds: ["somebody"] })
              remove(search, "hold", "a.h2")
              remove(search, "wallet", "w0")
              remove(search, "transaction", firstOf(search, "w1").transaction.id)
              const expected = [
                "a readModel document of hold a.h1",
                "a readModel document of hold a.h2",
                "a readModel document of transaction " + first.transaction.id,
                "a readModel document of transfer a.t1",
                "a readModel wallet document",
                "w0 readModel wallet document"
              ]
              const found = [...(yield* inSearch)].sort()
              assert.deepStrictEqual(
                found.filter((one) => !one.startsWith("w1")),
                expected
              )
              assert.strictEqual(found.length, 7)
              const repaired = yield* verify({ ...noLag, repair: true })
              assert.deepStrictEqual(repaired.differences, [])
              assert.strictEqual(repaired.repaired, 3)
              yield* clean
            }),
          { separate, wallets: 3 }
        )
      )

      it.effect("names what only a rebuild can mend", () =>
        world(
          ({ search }) =>
            Effect.gen(function* () {
              const wallet = documentOf(search, "wallet", "a")
              plant(search, { ...wallet, version: 500, wallet: { ...wallet.wallet, balance: 5n } })
              plant(search, { ...wallet, wallet: { ...wallet.wallet, id: "zz" } })
              const hold = documentOf(search, "hold", "a.h1")
              plant(search, { ...hold, hold: { ...hold.hold, id: "h9" } })
              const first = firstOf(search, "a")
              plant(search, { ...first, transaction: { ...first.transaction, id: "another" } })
              const { differences, repaired } = yield* verify({ ...noLag, repair: true })
              assert.strictEqual(repaired, 0)
              assert.deepStrictEqual(
                differences.map(({ found, walletId, what }) => `${walletId} ${what}: ${found}`).sort(),
                [
                  "a document of hold a.h9: a hold as of version 11; only a rebuild removes it: wallet replay --target readModel",
                  `a document of transaction another: a transaction as of version ${first.version}; only a rebuild removes it: wallet replay --target readModel`,
                  "a wallet document: as of version 500; what is right counts as older and is refused; the way out: wallet replay --target readModel",
                  "zz wallet document: a wallet as of version 11; only a rebuild removes it: wallet replay --target readModel"
                ].map((line) => line.replaceAll("version 11", `version ${wallet.version}`))
              )
              yield* rebuildSearch()
              yield* clean
            }),
          { separate }
        )
      )
    })
  }

  it.effect("compares one wallet alone", () =>
    world(
      ({ search }) =>
        Effect.gen(function* () {
          remove(search, "wallet", "w0")
          remove(search, "wallet", "w1")
          const one = yield* verify({ ...noLag, walletId: "w1" })
          assert.deepStrictEqual(
            one.differences.map(({ walletId }) => walletId),
            ["w1"]
          )
          assert.strictEqual((yield* verify({ ...noLag, walletId: "a" })).differenceCount, 0)
        }),
      { wallets: 2 }
    )
  )

  it.effect("compares a wallet with more events than are compared together, window by window", () =>
    world(({ book, follow, search }) =>
      Effect.gen(function* () {
        for (let n = 0; n < 9_000; n++) yield* book.perform(credit("b-1", 1n), 2_000 + n)
        yield* follow
        const index = setOf(search)
        yield* Effect.sync(() => index.visible.transaction.clear())
        for (const [id, one] of index.documents.transaction) index.visible.transaction.set(id, one)
        for (const [id, one] of index.documents.wallet) index.visible.wallet.set(id, one)
        yield* clean
        const victims = [...index.documents.transaction.values()].filter(
          (one) =>
            one.kind === "transaction" && one.transaction.walletId === "b-1" && [2, 4_001, 8_000].includes(one.version)
        )
        assert.strictEqual(victims.length, 3)
        for (const one of victims) remove(search, "transaction", documentId(one))
        assert.strictEqual((yield* verify(noLag)).differenceCount, 3)
        assert.strictEqual((yield* verify({ ...noLag, repair: true })).differenceCount, 0)
      })
    )
  )

  it.live("waits for an index that is behind and comes on, and reports nothing", () =>
    world(
      ({ book, follow, search }) =>
        Effect.gen(function* () {
          for (let n = 0; n < 20; n++) yield* book.perform(credit(`w${n % 4}`, 1n), 2_000 + n)
          const following = yield* Effect.forkChild(Effect.delay(follow, 200))
          const report = yield* verify({ lagMillis: 60_000 })
          assert.deepStrictEqual(report.differences, [])
          assert.strictEqual(setOf(search).checkpoint, report.position)
          yield* Fiber.join(following)
        }),
      { wallets: 4 }
    )
  )

  it.live("reports nothing of wallets that move all the time", () =>
    world(
      ({ book, follow }) =>
        Effect.gen(function* () {
          const moving = { on: true }
          const mover = yield* Effect.forkChild(
            Effect.gen(function* () {
              for (let n = 0; moving.on; n++) {
                yield* book.perform(credit(`w${n % 4}`, 1n), 2_000 + n)
                yield* follow
                yield* Effect.yieldNow
              }
            })
          )
          for (let n = 0; n < 5; n++) assert.deepStrictEqual((yield* verify({ lagMillis: 60_000 })).differences, [])
          moving.on = false
          yield* Fiber.join(mover)
        }),
      { wallets: 4 }
    )
  )

  it.effect("takes nothing for wrong that comes between the reading of the log and that of the rows", () =>
    world(({ book, faulty, follow }) =>
      Effect.gen(function* () {
        const log = yield* EventStore
        const persistence = yield* Persistence
        const set = faulty.store.current
        const version = () => book.stream("b-1").length - 1
        const moving: Persistence["Service"] = {
          ...persistence,
          indexRows: (query) => Effect.andThen(book.perform(credit("b-1", 1n)), persistence.indexRows(query))
        }
        const stores = { log, persistence: moving, set }
        const wallet = { id: "b-1", events: version() + 1 }
        const before = version()
        const { documents, flaws } = yield* compareDocuments(stores, [wallet], Effect.andThen(follow, set.refresh))
        assert.isAbove(version(), before)
        assert.deepStrictEqual(flaws, [])
        assert.isAbove(documents.get("b-1") ?? 0, 1)
      })
    )
  )

  it.effect(
    "takes nothing for wrong in the sample of a rebuild that moves between the rows of a wallet and of its hold",
    () =>
      world(({ book, faulty, follow, search }) =>
        Effect.gen(function* () {
          const stores = { log: yield* EventStore, persistence: yield* Persistence, set: faulty.store.current }
          const { set } = stores
          yield* book.perform(hold("a", "h9", 5n))
          yield* Effect.andThen(follow, set.refresh)
          const asOf = documentOf(search, "hold", "a.h9")
          assert.strictEqual(asOf.hold.status, "active")
          remove(search, "wallet", "a")
          let looks = 0
          // Whoever fills the set has the wallet's row from before the capture, and the hold's from after.
          const racing = Effect.gen(function* () {
            if (looks++ > 0) return yield* Effect.andThen(follow, set.refresh)
            yield* book.perform({
              _tag: "CaptureHold",
              walletId: "a",
              holdId: "h9",
              amount: 2n,
              final: true,
              effectiveAt: null
            })
            yield* Effect.andThen(follow, set.refresh)
            plant(search, { ...documentOf(search, "hold", "a.h9"), version: asOf.version })
          })
          assert.strictEqual(yield* compareSample(stores, racing), undefined)
          assert.strictEqual(looks, 2)
          const right = documentOf(search, "hold", "a.h9")
          plant(search, { ...right, hold: { ...right.hold, remaining: 9n } })
          assert.match((yield* compareSample(stores, Effect.void)) ?? "", /^hold a\.h9 of wallet a: .*remaining: 9/)
        })
      )
  )

  it.effect("tells once that an index stands still", () =>
    world(({ book }) =>
      Effect.gen(function* () {
        yield* book.perform(create("late"))
        const { differences } = yield* verify(noLag)
        assert.deepStrictEqual(
          differences.map(({ what }) => what),
          ["checkpoint", "wallet document"]
        )
        assert.include(differences[0]!.found, "does not come on")
      })
    )
  )

  it.effect("tells that an index is ahead of its log", () =>
    world(({ search }) =>
      Effect.gen(function* () {
        setOf(search).checkpoint = 5_000n
        const [difference] = (yield* verify(noLag)).differences
        assert.strictEqual(difference?.what, "checkpoint")
        assert.include(difference?.found, "ahead of the log")
      })
    )
  )

  it.effect("tells that search does not answer, and compares money all the same", () =>
    world(({ faulty }) =>
      Effect.gen(function* () {
        faulty.every = Faulty.away
        const report = yield* verify(noLag)
        assert.strictEqual(report.wallets, 2)
        assert.deepStrictEqual(
          report.differences.map(({ what }) => what),
          ["the index"]
        )
      })
    )
  )

  it.effect("names dead letters, and takes those off the record that arrive", () =>
    world(({ faulty, search }) =>
      Effect.gen(function* () {
        const persistence = yield* Persistence
        const first = firstOf(search, "a")
        remove(search, "transaction", first.transaction.id)
        remove(search, "hold", "a.h2")
        faulty.refuses = (one) => (documentId(one) === first.transaction.id ? "too odd" : undefined)
        const broken = yield* verify({ ...noLag, repair: true })
        assert.deepStrictEqual(
          broken.differences.map(({ found, what }) => `${what}: ${found}`),
          [`document of transaction ${first.transaction.id}: nothing; refused by the index: too odd`]
        )
        assert.strictEqual(broken.deadLetters, 1)
        faulty.refuses = undefined
        assert.deepStrictEqual(yield* replayDeadLetters, { letters: 1, arrived: 1, gone: 0, remaining: 0 })
        assert.strictEqual(yield* persistence.countDeadLetters, 0)
        yield* clean
      })
    )
  )

  it.effect("takes dead letters off the record of which there is nothing to show any more", () =>
    world(({ faulty }) =>
      Effect.gen(function* () {
        const persistence = yield* Persistence
        const letter = { walletId: "zz", version: 3, reason: "odd", time: 0 }
        yield* persistence.saveDeadLetters([
          { ...letter, kind: "wallet", id: "zz" },
          { ...letter, kind: "hold", id: "zz.h" },
          { ...letter, kind: "transaction", id: "tx" },
          { ...letter, kind: "hold", walletId: "a", id: "a.h1" }
        ])
        faulty.refuses = (one) => (one.kind === "hold" ? "still" : undefined)
        assert.deepStrictEqual(yield* replayDeadLetters, { letters: 4, arrived: 0, gone: 3, remaining: 1 })
        const [left] = yield* persistence.deadLetters({ after: undefined, limit: 9 })
        assert.strictEqual(left?.reason, "still")
      })
    )
  )
})
