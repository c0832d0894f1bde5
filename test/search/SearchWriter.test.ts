/** The search index follows the log, whatever happens to it, and to those who write it. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { noMetadata } from "../../src/domain/Limits.ts"
import { StoreUnavailable, EventUnreadable } from "../../src/stores/StoreError.ts"
import type { DocumentKind } from "../../src/stores/SearchIndex.ts"
import {
  capture,
  credit,
  debit,
  placeHold,
  receive,
  SampleWallet,
  send,
  settle,
  undo
} from "../../src/testing/contract/SampleWallet.ts"
import * as Faults from "../support/FaultySearchIndex.ts"
import { eventually, indexPlace, type SearchSetup, setup } from "./SearchSetup.ts"

/** For what hangs. */
const limit = 120_000

const live = <A, E>(name: string, run: () => Effect.Effect<A, E, never>) => it.live(name, () => run(), limit)

const everything = { limit: 200 } as const

/** What every search finds, in the index and in the rows. */
const answers = Effect.fnUntraced(function* ({ rows, search }: SearchSetup) {
  const ask = (of: SearchSetup["search"]) =>
    Effect.all([
      of.searchWallets(everything),
      of.searchTransactions(everything),
      of.searchTransfers(everything),
      of.searchHolds(everything)
    ])
  return { index: yield* Effect.orDie(ask(search)), rows: yield* Effect.orDie(ask(rows)) }
})

/** The index finds what the rows have, no less and no more. */
const assertFollowed = Effect.fnUntraced(function* (stores: SearchSetup) {
  yield* eventually("the checkpoint is at the log's head", () => stores.state.current?.checkpoint === head(stores))
  const { index, rows } = yield* Effect.andThen(refreshed(stores), answers(stores))
  assert.deepStrictEqual(index, rows)
})

const head = ({ database }: SearchSetup): bigint => database.log.at(-1)?.position ?? 0n

const refreshed = ({ state }: SearchSetup) =>
  Effect.sync(() => {
    const set = state.current!
    for (const kind of ["wallet", "transaction", "transfer", "hold"] as ReadonlyArray<DocumentKind>) {
      for (const [id, document] of set.documents[kind]) set.visible[kind].set(id, document)
    }
  })

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
          yield* eventually("it is told", () => lines.some((line) => line.includes("has caught up")))
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
