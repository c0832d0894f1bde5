/** What a search index of its own must do for its writer. Each case needs an index that nothing else uses. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import assert from "node:assert/strict"
import { singleLeg } from "../../domain/Transfer.ts"
import {
  type DocumentKind,
  documentId,
  type IndexSet,
  type SearchDocument,
  SearchIndex
} from "../../stores/SearchIndex.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"

const logId = "log-1"
const kinds: ReadonlyArray<DocumentKind> = ["wallet", "transaction", "transfer", "hold"]
const time = 1_700_000_000_000

/** Amounts beyond any number type, and texts that are easily mangled. */
const large = 999_999_999_999_999_999_999_999_999_999n
const metadata = { "Größe.a b": "İstanbul 東京 👩‍👩‍👧 \u{FEFF}שלום", empty: "", "\u{1F600}": "x".repeat(500) }

export const sampleWallet = (id: string, version: number): SearchDocument => ({
  kind: "wallet",
  version,
  position: 9_007_199_254_740_993n,
  wallet: {
    id,
    ownerId: `owner-of-${id}`,
    currency: "EUR",
    balance: -large,
    held: 0n,
    overdraftLimit: large,
    status: "active",
    freeze: null,
    version,
    metadata,
    createdAt: time,
    updatedAt: time + version
  }
})

export const sampleTransaction = (walletId: string, version: number): SearchDocument => ({
  kind: "transaction",
  version,
  position: BigInt(version),
  ownerId: `owner-of-${walletId}`,
  key: "Key / of:the caller",
  leg: 0,
  transaction: {
    id: `${walletId}.${version}`,
    walletId,
    type: "credit",
    amount: large,
    balanceAfter: 5n,
    currency: "EUR",
    reference: "INV-2026_7 “ä”",
    metadata,
    holdId: null,
    transferId: null,
    version,
    createdAt: time,
    effectiveAt: time - 86_400_000
  }
})

export const sampleTransfer = (from: string, version: number): SearchDocument => ({
  kind: "transfer",
  version,
  position: 7n,
  ownerIds: ["a", "b"],
  key: null,
  transfer: {
    id: "t1",
    from,
    to: "elsewhere",
    amount: 1n,
    currency: "EUR",
    legs: singleLeg({ from, to: "elsewhere", amount: 1n, currency: "EUR", reference: null, metadata: {} }),
    status: "pending",
    reason: null,
    leg: null,
    reference: null,
    metadata: {},
    createdAt: time,
    effectiveAt: time - 1,
    updatedAt: time
  }
})

export const sampleHold = (walletId: string, version: number): SearchDocument => ({
  kind: "hold",
  version,
  ownerId: `owner-of-${walletId}`,
  currency: "EUR",
  hold: {
    id: "h1",
    walletId,
    amount: 10n,
    captured: 0n,
    remaining: 10n,
    status: "active",
    expiresAt: null,
    reference: null,
    metadata,
    createdAt: time
  }
})

/** One of each kind. */
const all = (walletId: string, version: number): ReadonlyArray<SearchDocument> => [
  sampleWallet(walletId, version),
  sampleTransaction(walletId, version),
  sampleTransfer(walletId, version),
  sampleHold(walletId, version)
]

const keyOf = (document: SearchDocument): string => `${document.kind} ${documentId(document)}`
const inOrder = (documents: ReadonlyArray<SearchDocument>) =>
  documents.toSorted((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1))

const opened = Effect.gen(function* () {
  const index = yield* SearchIndex
  assert.deepEqual(yield* index.open(logId), { _tag: "Ready" })
  return index
})

const holds = Effect.fnUntraced(function* (
  set: IndexSet,
  walletIds: ReadonlyArray<string>,
  expected: ReadonlyArray<SearchDocument>
) {
  yield* set.refresh
  assert.deepEqual(inOrder(yield* set.documentsOf(walletIds)), inOrder(expected))
})

const opens = contractCase(
  "makes an empty index where there is none, and knows its own from another log's",
  Effect.gen(function* () {
    const index = yield* opened
    assert.equal(yield* index.current.checkpoint, 0n)
    assert.deepEqual(yield* index.current.walletIds({ after: "", limit: 9 }), [])
    assert.deepEqual(yield* index.open(logId), { _tag: "Ready" })
    assert.equal((yield* index.open("another log"))._tag, "Foreign")
    assert.deepEqual(yield* index.open(logId), { _tag: "Ready" })
  })
)

const keeps = contractCase(
  "answers documents of every kind whole, as they were written",
  Effect.gen(function* () {
    const { current } = yield* opened
    const documents = [...all("w1", 3), ...all("w2", 4)]
    assert.deepEqual(yield* current.write(documents), [])
    yield* holds(current, ["w1"], all("w1", 3))
    yield* holds(current, ["w1", "w2", "no such wallet"], documents)
    yield* holds(current, [], [])
    for (const kind of kinds) assert.equal(yield* current.count(kind), 2)
  })
)

const ordersVersions = contractCase(
  "keeps the document of the latest event, in whatever order and however often they are written",
  Effect.gen(function* () {
    const { current } = yield* opened
    for (const version of [2, 5, 1, 5, 4]) yield* current.write(all("w", version).toReversed())
    const transactions = [1, 2, 4, 5].map((version) => sampleTransaction("w", version))
    yield* holds(current, ["w"], [...transactions, sampleWallet("w", 5), sampleTransfer("w", 5), sampleHold("w", 5)])
    yield* current.write([3, 6].flatMap((version) => all("w2", version)))
    assert.equal((yield* current.documentsOf(["w2"])).length, 0)
    yield* current.refresh
    assert.equal((yield* current.documentsOf(["w2"])).length, 5)
  })
)

const replaces = contractCase(
  "writes over a document of the same event when it is a repair, and never over a later one",
  Effect.gen(function* () {
    const { current } = yield* opened
    const wrong = { ...sampleHold("w", 2), ownerId: "wrong" } as SearchDocument
    yield* current.write([wrong])
    yield* current.write([sampleHold("w", 2)])
    yield* holds(current, ["w"], [wrong])
    yield* current.write([sampleHold("w", 1)], { replace: true })
    yield* holds(current, ["w"], [wrong])
    yield* current.write([sampleHold("w", 2)], { replace: true })
    yield* holds(current, ["w"], [sampleHold("w", 2)])
  })
)

const narrows = contractCase(
  "answers a wallet's documents as of some versions",
  Effect.gen(function* () {
    const { current } = yield* opened
    const transactions = [0, 1, 2, 3, 4].map((version) => sampleTransaction("w", version))
    yield* current.write([...transactions, sampleWallet("w", 4)])
    yield* current.refresh
    assert.deepEqual(inOrder(yield* current.documentsOf(["w"], { from: 1, to: 3 })), transactions.slice(1, 4))
    assert.equal((yield* current.documentsOf(["w"], { from: 4, to: 4 })).length, 2)
  })
)

const lists = contractCase(
  "lists the wallets that have any document, upwards, page by page",
  Effect.gen(function* () {
    const { current } = yield* opened
    yield* current.write([
      sampleHold("b", 1),
      sampleTransaction("a", 1),
      sampleTransaction("a", 2),
      sampleWallet("Z", 1)
    ])
    yield* current.write([sampleTransfer("c-1", 1), sampleWallet("a", 2), sampleHold("c_1", 1)])
    yield* current.refresh
    assert.deepEqual(yield* current.walletIds({ after: "", limit: 2 }), ["Z", "a"])
    assert.deepEqual(yield* current.walletIds({ after: "a", limit: 2 }), ["b", "c-1"])
    assert.deepEqual(yield* current.walletIds({ after: "c-1", limit: 2 }), ["c_1"])
    assert.deepEqual(yield* current.walletIds({ after: "c_1", limit: 2 }), [])
  })
)

const remembers = contractCase(
  "remembers how far it is, and never goes back",
  Effect.gen(function* () {
    const { current } = yield* opened
    for (const position of [0n, 5n, 4n, 5n]) yield* current.saveCheckpoint(position)
    assert.equal(yield* current.checkpoint, 5n)
    assert.equal(yield* current.mark, undefined)
    const mark = { walletId: "w", version: 3, id: "an event" }
    yield* current.saveCheckpoint(5n, mark)
    assert.deepEqual(yield* current.mark, mark)
    yield* current.saveCheckpoint(4n, { ...mark, version: 2 })
    assert.deepEqual(yield* current.mark, mark)
    yield* current.saveCheckpoint(9_007_199_254_740_993n, { ...mark, version: 7 })
    assert.equal(yield* current.checkpoint, 9_007_199_254_740_993n)
    assert.deepEqual(yield* current.mark, { ...mark, version: 7 })
  })
)

const builds = contractCase(
  "fills another set beside the one that is searched, goes on with it when it was given back, and swaps at once",
  Effect.gen(function* () {
    const index = yield* opened
    yield* index.current.write(all("old", 1))
    yield* index.current.saveCheckpoint(10n)
    yield* Effect.scoped(
      Effect.gen(function* () {
        const set = yield* index.next(logId)
        assert.equal(yield* index.next(logId), undefined)
        yield* set!.write(all("new", 1))
        yield* set!.saveCheckpoint(8n)
      })
    )
    yield* holds(index.current, ["old", "new"], all("old", 1))
    yield* Effect.scoped(
      Effect.gen(function* () {
        const set = yield* index.next(logId)
        assert.equal(yield* set!.checkpoint, 8n)
        yield* holds(set!, ["old", "new"], all("new", 1))
        yield* index.swap
        yield* holds(index.current, ["old", "new"], all("new", 1))
        assert.equal(yield* index.current.checkpoint, 8n)
        yield* set!.write(all("late", 1))
        yield* index.current.saveCheckpoint(11n)
      })
    )
    yield* holds(index.current, ["late"], all("late", 1))
    assert.equal(yield* index.current.checkpoint, 11n)
    assert.deepEqual(yield* index.open(logId), { _tag: "Ready" })
  })
)

const drops = contractCase(
  "removes the sets that are neither searched nor being filled",
  Effect.gen(function* () {
    const index = yield* opened
    assert.equal(yield* index.dropOld(logId), 0)
    for (const id of ["a", "b"]) {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const set = yield* index.next(logId)
          yield* set!.write(all(id, 1))
          yield* index.swap
        })
      )
    }
    yield* Effect.scoped(
      Effect.gen(function* () {
        const set = yield* index.next(logId)
        assert.equal(yield* index.dropOld(logId), 2)
        yield* set!.write(all("c", 1))
      })
    )
    yield* holds(index.current, ["a", "b", "c"], all("b", 1))
    // Given back: nobody fills it now.
    assert.equal(yield* index.dropOld(logId), 1)
    assert.equal(yield* index.dropOld(logId), 0)
  })
)

const keepsItsOwn = contractCase(
  "goes on writing to no set of another log, and removes none of its sets",
  Effect.gen(function* () {
    const index = yield* opened
    yield* index.current.write(all("w", 1))
    yield* index.current.saveCheckpoint(3n)
    yield* Effect.scoped(Effect.andThen(index.next(logId), index.swap))
    assert.equal((yield* index.open("another log"))._tag, "Foreign")
    assert.equal((yield* Effect.flip(index.current.saveCheckpoint(9n)))._tag, "StoreDefect")
    assert.equal((yield* Effect.flip(index.current.write([sampleHold("w", 2)])))._tag, "StoreDefect")
    assert.equal(yield* index.current.checkpoint, 0n)
    assert.equal(yield* index.dropOld("another log"), 0)
    assert.deepEqual(yield* index.open(logId), { _tag: "Ready" })
    yield* index.current.saveCheckpoint(4n)
    assert.equal(yield* index.current.checkpoint, 4n)
    assert.equal(yield* index.dropOld(logId), 1)
  })
)

const swapsNothing = contractCase(
  "swaps only what somebody fills",
  Effect.gen(function* () {
    const index = yield* opened
    yield* index.current.write(all("w", 1))
    assert.equal((yield* Effect.flip(index.swap))._tag, "StoreDefect")
    yield* holds(index.current, ["w"], all("w", 1))
  })
)

const holdsWrites = contractCase(
  "holds writes while it is asked to, and no longer than a swap",
  Effect.gen(function* () {
    const index = yield* opened
    const { current, holdWrites } = index
    // Not every adapter can.
    if (holdWrites === undefined) return
    const refused = Effect.gen(function* () {
      const written = yield* Effect.flip(current.write(all("w", 2)))
      const saved = yield* Effect.flip(current.saveCheckpoint(2n))
      assert.deepEqual([written._tag, saved._tag], ["StoreUnavailable", "StoreUnavailable"])
    })
    yield* current.write(all("w", 1))
    yield* Effect.scoped(Effect.andThen(holdWrites, refused))
    yield* current.write([sampleHold("w", 2)])
    yield* holds(current, ["w"], [...all("w", 1).slice(0, 3), sampleHold("w", 2)])
    const scope = yield* Scope.make()
    yield* Scope.provide(holdWrites, scope)
    yield* Effect.scoped(
      Effect.gen(function* () {
        const set = yield* index.next(logId)
        yield* Scope.provide(holdWrites, scope)
        yield* refused
        yield* set!.write(all("w", 1))
        yield* index.swap
      })
    )
    yield* current.write(all("w", 3))
    yield* current.saveCheckpoint(2n)
    yield* Scope.close(scope, Exit.void)
    yield* holds(current, ["w"], [...all("w", 3), sampleTransaction("w", 1)])
  })
)

export const searchIndexContract: ReadonlyArray<ContractCase<SearchIndex>> = [
  opens,
  keeps,
  ordersVersions,
  replaces,
  narrows,
  lists,
  remembers,
  builds,
  drops,
  keepsItsOwn,
  swapsNothing,
  holdsWrites
]
