/** The search index follows the log, whatever happens to it, and to those who write it. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { EventUnreadable, StoreUnavailable } from "../../src/stores/StoreError.ts"
import { credit, SampleWallet } from "../../src/testing/contract/SampleWallet.ts"
import * as Faults from "../support/FaultySearchIndex.ts"
import {
  answers,
  assertFollowed,
  eventually,
  everything,
  head,
  indexPlace,
  live,
  movements,
  opened,
  refreshed,
  setup,
  watched
} from "./SearchSetup.ts"

describe("the search index", () => {
  live("comes to what the rows have: what was there, and what comes", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        yield* movements(stores)
        const node = yield* stores.node()
        yield* assertFollowed(stores)
        yield* movements(stores)
        yield* assertFollowed(stores)
        assert.deepInclude(node.progress.load(), { isWriter: true, trouble: undefined, deadLetters: 0 })
      })
    )
  )

  live("reads on when the log could not be read for a while", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        yield* movements(stores)
        let failures = 2
        yield* stores.node({
          log: {
            ...stores.log,
            readAll: (page) =>
              page.after === 7n && failures-- > 0
                ? Effect.fail(new StoreUnavailable({ store: "log", reason: "away", retryAfter: 1 }))
                : stores.log.readAll(page)
          }
        })
        yield* assertFollowed(stores)
        assert.isBelow(failures, 1)
      })
    )
  )

  live("is the same after any order and any repetition of its requests", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const node = yield* stores.node()
        yield* movements(stores, 12)
        yield* assertFollowed(stores)
        const before = yield* answers(stores)
        const requests = node.index.writes.toReversed()
        for (const documents of [...requests, ...requests.toReversed()])
          yield* node.index.store.current.write(documents)
        yield* refreshed(stores)
        assert.deepStrictEqual(yield* answers(stores), before)
      })
    )
  )

  live("has everything after a crash between a write and its checkpoint", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const first = yield* stores.node()
        yield* movements(stores)
        yield* assertFollowed(stores)
        const saved = stores.state.current!.checkpoint
        first.index.checkpointFaults.push(() => Effect.never)
        yield* movements(stores)
        yield* eventually(
          "the documents are written",
          () => first.index.writes.length > 0 && first.progress.load().lagMillis === 0
        )
        yield* first.kill
        assert.strictEqual(stores.state.current!.checkpoint, saved)
        yield* stores.node()
        yield* assertFollowed(stores)
      })
    )
  )

  live("takes two writers at once", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        yield* stores.node()
        yield* stores.node()
        yield* Effect.all([movements(stores, 10), movements(stores, 10)], { concurrency: 2 })
        yield* assertFollowed(stores)
      })
    )
  )

  live("is written by the node that owns partition 0, and by the next one from the checkpoint", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        let owner = 1
        const first = yield* stores.node({ owns: () => owner === 1 })
        const second = yield* stores.node({ owns: () => owner === 2 })
        yield* movements(stores)
        yield* assertFollowed(stores)
        assert.deepStrictEqual(
          [first, second].map(({ progress }) => progress.load().isWriter),
          [true, false]
        )
        assert.lengthOf(second.index.writes, 0)
        owner = 2
        yield* eventually("the second writes", () => second.progress.load().isWriter)
        yield* eventually("the first does not", () => !first.progress.load().isWriter)
        const before = first.index.writes.length
        yield* movements(stores)
        yield* assertFollowed(stores)
        assert.lengthOf(first.index.writes, before)
      })
    )
  )

  live("is away for a while, which costs nobody anything: one warning, one line when it has caught up", () =>
    Effect.scoped(
      watched((lines) =>
        Effect.gen(function* () {
          const stores = yield* setup()
          const node = yield* stores.node()
          yield* movements(stores)
          yield* assertFollowed(stores)
          node.index.every = Faults.away
          const { from } = yield* movements(stores)
          yield* eventually("it is known", () => node.progress.load().trouble === `${indexPlace}: scripted`)
          node.index.every = undefined
          yield* assertFollowed(stores)
          yield* eventually("it is told", () => lines.some((line) => line.includes("search has caught up")))
          const told = lines.filter((line) => line.includes(indexPlace))
          assert.lengthOf(told, 2)
          assert.match(told[0]!, /^Warn Elasticsearch at 127\.0\.0\.1:9200: scripted; search is not kept up meanwhile/)
          assert.match(told[1]!, /^Info .* is back, .*; search has caught up with \d+ events$/)
          assert.isUndefined(node.progress.load().trouble)
          assert.isAbove(from.version, 0)
        })
      )
    )
  )

  live("writes again what was done and not answered", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const node = yield* stores.node()
        node.index.writeFaults.push(Faults.answerLost, Faults.away, Faults.answerLost)
        yield* movements(stores)
        yield* assertFollowed(stores)
      })
    )
  )

  live("is opened again after a defect, and filled from its checkpoint when it was lost", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const node = yield* stores.node()
        yield* movements(stores)
        yield* assertFollowed(stores)
        node.index.writeFaults.push(Faults.defective)
        yield* movements(stores)
        yield* assertFollowed(stores)
        stores.state.current = undefined
        yield* movements(stores)
        yield* assertFollowed(stores)
      })
    )
  )

  live("is filled from where another set is that was put in its place", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const node = yield* stores.node()
        yield* movements(stores)
        yield* assertFollowed(stores)
        yield* Effect.scoped(node.index.store.next(stores.database.logId))
        yield* node.index.store.swap
        yield* movements(stores)
        yield* assertFollowed(stores)
      })
    )
  )
})

describe("search is off, and nothing else,", () => {
  live("with an index of another log", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        stores.state.current = { ...(yield* opened("another-log")) }
        const node = yield* stores.node()
        yield* movements(stores)
        yield* eventually(
          "it is known",
          () => node.progress.load().trouble?.includes("that of the log another-log") === true
        )
        assert.isFalse(node.progress.load().isWriter)
        stores.state.current = undefined
        yield* assertFollowed(stores)
      })
    )
  )

  live("when another log's index is put in its place, also while nothing moves", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const nodes = [yield* stores.node(), yield* stores.node({ owns: () => false })]
        yield* movements(stores)
        yield* assertFollowed(stores)
        for (const { progress } of nodes) yield* eventually("it may be read", () => progress.refusal() === undefined)
        const [ours, theirs] = [stores.state.current, yield* opened("another-log")]
        stores.state.current = theirs
        for (const { progress } of nodes) {
          yield* eventually("it may not", () => progress.refusal()?.reason.includes("another-log") === true)
          yield* eventually("it is not written", () => !progress.load().isWriter)
        }
        yield* movements(stores)
        assert.strictEqual(theirs.checkpoint, 0n)
        assert.strictEqual(theirs.documents.transaction.size, 0)
        stores.state.current = ours
        yield* assertFollowed(stores)
        for (const { progress } of nodes) yield* eventually("it may again", () => progress.refusal() === undefined)
      })
    )
  )

  live("with an index that is ahead of its log", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        stores.state.current = { ...(yield* opened(stores.database.logId)), checkpoint: 100n }
        const node = yield* stores.node()
        yield* eventually("it is known", () => node.progress.load().trouble?.includes("wallet replay") === true)
      })
    )
  )
})

describe("a document that is refused", () => {
  live("is a dead letter, and none any more when a later one of it is written; the others arrive", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const node = yield* stores.node()
        const [good, bad] = [new SampleWallet(), new SampleWallet()]
        node.index.refuses = (document) =>
          document.kind === "wallet" && document.wallet.id === bad.id ? "a term is too long" : undefined
        yield* stores.append(good.create(), bad.commit(bad.creation(), credit(5n)))
        yield* eventually("the checkpoint passes", () => stores.state.current?.checkpoint === head(stores))
        yield* eventually("it is told", () => node.progress.load().deadLetters === 1)
        assert.containSubset(yield* stores.persistence.deadLetters({ after: undefined, limit: 10 }), [
          { kind: "wallet", id: bad.id, walletId: bad.id, version: 1, reason: "a term is too long" }
        ])
        yield* refreshed(stores)
        const { index } = yield* answers(stores)
        assert.deepStrictEqual(
          index[0].data.map(({ id }) => id),
          [good.id]
        )
        assert.lengthOf(index[1].data, 1)
        node.index.refuses = undefined
        yield* stores.append(bad.commit(credit(6n)))
        yield* assertFollowed(stores)
        yield* eventually("it is gone", () => node.progress.load().deadLetters === 0)
      })
    )
  )
})

describe("those who wait for a document that is refused", () => {
  live("are told that it is not there, at once; others of the same wallet, before and after it, that they are", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const nodes = [yield* stores.node(), yield* stores.node({ owns: () => false })]
        const [good, bad] = [new SampleWallet(), new SampleWallet()]
        yield* stores.append(good.create(), bad.create())
        const told = (sample: SampleWallet, since: number) =>
          Effect.forEach(nodes, ({ progress }) => progress.shows([sample.id], since))
        assert.deepStrictEqual(yield* told(bad, 0), [true, true])
        nodes[0]!.index.refuses = (document) =>
          document.kind === "transaction" && document.transaction.version === 1 ? "a term is too long" : undefined
        yield* stores.append(bad.commit(credit(5n)))
        assert.deepStrictEqual(yield* told(bad, 1), [false, false])
        assert.deepStrictEqual(yield* told(good, 0), [true, true])
        yield* stores.append(bad.commit(credit(6n)))
        assert.deepStrictEqual(yield* told(bad, 2), [true, true])
        assert.deepStrictEqual(yield* told(bad, 1), [false, false])
        // As after a mend.
        yield* stores.persistence.removeDeadLetters(
          yield* stores.persistence.deadLetters({ after: undefined, limit: 9 })
        )
        assert.deepStrictEqual(yield* told(bad, 1), [true, true])
      })
    )
  )
})

describe("an event that cannot be read", () => {
  live("is passed over and named", () =>
    Effect.scoped(
      watched((lines) =>
        Effect.gen(function* () {
          const stores = yield* setup()
          const { from } = yield* movements(stores)
          const damaged = stores.database.log.findIndex(
            ({ recorded }) => recorded.walletId === from.id && recorded.version === 2
          )
          const { position, recorded } = stores.database.log[damaged]!
          const unreadable = new EventUnreadable({
            walletId: from.id,
            version: 2,
            type: recorded.event._tag,
            reason: "damaged",
            position
          })
          yield* stores.node({
            log: {
              ...stores.log,
              readAll: (page) =>
                Effect.flatMap(stores.log.readAll(page), (events) =>
                  events.some((event) => event.position === position) ? Effect.fail(unreadable) : Effect.succeed(events)
                )
            }
          })
          yield* eventually("the checkpoint passes", () => stores.state.current?.checkpoint === head(stores))
          yield* refreshed(stores)
          const { index, rows } = yield* answers(stores)
          assert.lengthOf(index[1].data, rows[1].data.length - 1)
          assert.deepStrictEqual(index[0], rows[0])
          assert.isTrue(lines.some((line) => line.startsWith(`Warn event 2 (WalletCredited) of wallet ${from.id}`)))
        })
      )
    )
  )
})

describe("those who wait for the index", () => {
  live("are told when a search finds what they have done, with one refresh for all", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const node = yield* stores.node()
        const samples = Array.from({ length: 20 }, () => new SampleWallet())
        yield* stores.append(...samples.map((sample) => sample.create()))
        const before = stores.state.refreshes
        yield* Effect.forEach(
          samples,
          (sample) =>
            Effect.gen(function* () {
              yield* node.progress.shows([sample.id])
              const found = yield* stores.search.searchWallets({ ...everything, ownerId: sample.ownerId })
              assert.lengthOf(found.data, 1)
            }),
          { concurrency: "unbounded" }
        )
        assert.isAtMost(stores.state.refreshes - before, 2)
      })
    )
  )

  live("may be on another node than the one that writes", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        yield* stores.node()
        const other = yield* stores.node({ owns: () => false })
        const sample = new SampleWallet()
        yield* stores.append(sample.create())
        yield* other.progress.shows([sample.id])
        assert.lengthOf((yield* stores.search.searchWallets(everything)).data, 1)
      })
    )
  )

  live("wait as long as the index is away, and no longer", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const node = yield* stores.node()
        yield* eventually("it writes", () => node.progress.load().isWriter)
        node.index.every = Faults.away
        const sample = new SampleWallet()
        yield* stores.append(sample.create())
        const waiting = yield* Effect.forkChild(node.progress.shows([sample.id]))
        yield* eventually("it is known", () => node.progress.load().trouble !== undefined)
        assert.isUndefined(waiting.pollUnsafe())
        node.index.every = undefined
        yield* Fiber.join(waiting)
        assert.lengthOf((yield* stores.search.searchWallets(everything)).data, 1)
      })
    )
  )
})
