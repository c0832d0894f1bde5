/** The search index follows the log, whatever happens to it, and to those who write it. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { EventUnreadable } from "../../src/stores/StoreError.ts"
import {
  capture,
  credit,
  placeHold,
  receive,
  SampleWallet,
  send,
  settle
} from "../../src/testing/contract/SampleWallet.ts"
import * as Faults from "../support/FaultySearchIndex.ts"
import {
  answers,
  assertFollowed,
  eventually,
  everything,
  head,
  indexPlace,
  live,
  refreshed,
  type SearchSetup,
  setup
} from "./SearchSetup.ts"

/** A wallet, a hold, a transfer to another wallet; each in commits of its own. */
const movements = Effect.fnUntraced(function* (stores: SearchSetup, count = 3) {
  const [from, to] = [new SampleWallet(), new SampleWallet()]
  yield* stores.append(from.commit(from.creation(), credit(1_000n)), to.create())
  for (let n = 0; n < count; n++) {
    yield* stores.append(from.commit(credit(10n, `order ${n}`, { n: String(n) }), placeHold(`hold-${n}`, 5n)))
    yield* stores.append(from.commit(send(`t-${from.id}-${n}`, to.id, 7n)))
    yield* stores.append(to.commit(receive(`t-${from.id}-${n}`, from.id, 7n)))
    yield* stores.append(from.commit(settle(`t-${from.id}-${n}`), capture(`hold-${n}`)))
  }
  return { from, to }
})

const watched = <A, E, R>(use: (lines: Array<string>) => Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
  return Effect.provide(use(lines), Layer.mergeAll(Logger.layer([logger])))
}

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

describe("while nobody writes", () => {
  live("an index that is away or gone is noticed all the same, and told", () =>
    Effect.scoped(
      watched((lines) =>
        Effect.gen(function* () {
          const stores = yield* setup()
          const nodes = [yield* stores.node(), yield* stores.node({ owns: () => false })]
          yield* movements(stores)
          yield* assertFollowed(stores)
          for (const { index } of nodes) index.every = Faults.away
          for (const { progress } of nodes) {
            yield* eventually("it is known", () => progress.load().trouble === `${indexPlace}: scripted`)
          }
          assert.lengthOf(
            lines.filter((line) => line.startsWith(`Warn ${indexPlace}: scripted`)),
            2
          )
          for (const { index } of nodes) index.every = undefined
          for (const { progress } of nodes) {
            yield* eventually("it is over", () => progress.load().trouble === undefined)
          }
          yield* eventually(
            "it is told by both",
            () => lines.filter((line) => line.includes(`${indexPlace} is back`)).length === 2
          )
          assert.lengthOf(
            lines.filter((line) => line.includes("search has caught up with 0 events")),
            1
          )
        })
      )
    )
  )

  live("a search that has failed has it looked at at once", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const node = yield* stores.node()
        yield* movements(stores)
        yield* assertFollowed(stores)
        yield* eventually("it was looked at", () => node.progress.refusal() === undefined)
        node.index.every = Faults.away
        const startedAt = performance.now()
        yield* node.progress.suspect
        yield* eventually("it is known", () => node.progress.refusal() !== undefined)
        // A look of its own comes after 2 s.
        assert.isBelow(performance.now() - startedAt, 1_000)
      })
    )
  )
})

describe("how far behind search is", () => {
  live("is known on every node, by the checkpoint, also while nobody writes it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const first = yield* stores.node()
        yield* movements(stores)
        yield* assertFollowed(stores)
        yield* first.kill
        const other = yield* stores.node({ owns: () => false })
        yield* movements(stores)
        // The events are of a time long ago.
        yield* eventually("it is known", () => other.progress.load().lagMillis > 1_000_000)
        const broken = yield* stores.node()
        broken.index.writeFaults.push(...Array.from({ length: 10_000 }, () => Faults.defective))
        yield* eventually("it is known", () => broken.progress.load().lagMillis > 1_000_000)
      })
    )
  )
})

describe("an index that refuses whatever it is given", () => {
  live("is away, and makes no dead letters but the first ones", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const node = yield* stores.node({ bounds: { refusedWallets: 5 } })
        node.index.refuses = ({ kind }) => (kind === "wallet" ? "mapping: [1:7] no 'w'" : undefined)
        const samples = Array.from({ length: 40 }, () => new SampleWallet())
        yield* stores.append(...samples.map((sample) => sample.create()))
        yield* eventually(
          "it is known",
          () => node.progress.load().trouble?.includes("refuses the documents of every wallet") === true
        )
        assert.isAtMost(yield* Effect.orDie(stores.persistence.countDeadLetters), 10)
        node.index.refuses = undefined
        yield* eventually("it goes on", () => stores.state.current?.checkpoint === head(stores))
        yield* eventually("it is over", () => node.progress.load().trouble === undefined)
      })
    )
  )

  live("of all but some documents has a bound of dead letters, and is away then", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const node = yield* stores.node({ bounds: { deadLetters: 6, bulkDocuments: 2 } })
        const samples = Array.from({ length: 40 }, () => new SampleWallet())
        let n = 0
        node.index.refuses = ({ kind }) => (kind === "wallet" && n++ % 3 > 0 ? `odd ${n}` : undefined)
        for (const sample of samples) yield* stores.append(sample.create())
        yield* eventually("it is known", () => node.progress.load().trouble?.includes("more than 6 documents") === true)
        node.index.refuses = undefined
        yield* eventually("it goes on", () => stores.state.current?.checkpoint === head(stores))
      })
    )
  )
})

const opened = Effect.fnUntraced(function* (logId: string) {
  const stores = yield* setup({ logId })
  yield* Effect.scoped(
    Effect.gen(function* () {
      const node = yield* stores.node()
      yield* eventually("it is open", () => node.progress.load().isWriter)
    })
  )
  return stores.state.current!
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
