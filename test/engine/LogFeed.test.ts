/** Followers of the log on one node: one reader for all at its head, pages shared behind it, a bound that holds. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { type ActorBounds, defaultBounds } from "../../src/actors/ActorBounds.ts"
import { WalletRegistry } from "../../src/actors/WalletRegistry.ts"
import { LogFeed } from "../../src/engine/LogFeed.ts"
import { Reader, ReadShare } from "../../src/engine/ReadShare.ts"
import { EventStore, followByPages } from "../../src/stores/EventStore.ts"
import { StoreUnavailable } from "../../src/stores/StoreError.ts"
import { credit, SampleWallet } from "../../src/testing/contract/SampleWallet.ts"
import { install } from "../support/Installation.ts"

const idle = { load: () => ({ residentWallets: 0, busyWallets: 0, waitingCommands: 0, waitingBytes: 0 }) }

/** A log whose reads are counted and may fail, and the feeds over it. */
const makeFeeds = Effect.fnUntraced(function* (bounds: Partial<ActorBounds> = {}) {
  const { log: inner } = yield* install()
  const faults = { reads: 0, isAway: false }
  const away = new StoreUnavailable({ store: "log", reason: "away", retryAfter: 1 })
  const readAll: EventStore["Service"]["readAll"] = (options) =>
    Effect.suspend(() => {
      faults.reads++
      return faults.isAway ? Effect.fail(away) : inner.readAll(options)
    })
  const log = EventStore.of({ ...inner, readAll, follow: followByPages({ readAll, head: inner.head }) })
  const all = { ...defaultBounds, ...bounds }
  const layer = LogFeed.layer(all).pipe(
    Layer.provide(ReadShare.layer(all)),
    Layer.provide(Layer.succeed(WalletRegistry, idle as WalletRegistry["Service"])),
    Layer.provide(Layer.succeed(EventStore, log))
  )
  const { open } = Context.get(yield* Layer.build(layer), LogFeed)
  const sample = new SampleWallet()
  yield* inner.append([sample.create()])
  /** Follows until the scope closes; what has come so far, by positions. */
  const follow = Effect.fnUntraced(function* (after: bigint) {
    const seen: Array<bigint> = []
    const pages = yield* open(after)
    const take = Stream.runForEach(pages, ({ events }) =>
      Effect.sync(() => seen.push(...events.map(({ position }) => position)))
    )
    yield* Effect.forkScoped(take, { startImmediately: true })
    return seen
  })
  const append = (count: number) =>
    Effect.repeat(
      Effect.suspend(() => inner.append([sample.commit(credit(1n))])),
      { times: count - 1 }
    )
  const head = Effect.map(inner.head, ({ position }) => position)
  return { append, faults, follow, head, open }
})

const upTo = (position: bigint, from = 1n) =>
  Array.from({ length: Number(position - from) + 1 }, (_, index) => from + BigInt(index))

describe("feeds", () => {
  it.effect("at the head have one reader between them, however many they are, and none when they are gone", () =>
    Effect.gen(function* () {
      const { append, faults, follow, head } = yield* makeFeeds()
      const scope = yield* Scope.make()
      const position = yield* head
      const readsOf = Effect.fnUntraced(function* (followers: number) {
        const seen = yield* Effect.forEach(upTo(BigInt(followers)), () => Scope.provide(follow(position), scope))
        yield* TestClock.adjust("1 second")
        const before = faults.reads
        yield* TestClock.adjust("10 seconds")
        return { seen, reads: faults.reads - before }
      })
      const one = yield* readsOf(1)
      const many = yield* readsOf(59)
      assert.isAbove(one.reads, 0)
      assert.strictEqual(many.reads, one.reads)
      yield* append(3)
      yield* TestClock.adjust("1 second")
      for (const seen of [...one.seen, ...many.seen]) assert.deepStrictEqual(seen, upTo(position + 3n, position + 1n))
      yield* Scope.close(scope, Exit.void)
      const after = faults.reads
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(faults.reads, after)
    }).pipe(Effect.scoped)
  )

  it.effect("read nothing ahead of all who follow: a slow one finds it in the log when it comes there", () =>
    Effect.gen(function* () {
      const { append, faults, head, open } = yield* makeFeeds()
      const seen: Array<bigint> = []
      const busy = Latch.makeUnsafe(true)
      const from = yield* head
      const pages = yield* open(from)
      const take = Stream.runForEach(pages, ({ events }) => {
        seen.push(...events.map(({ position }) => position))
        return busy.await
      })
      yield* Effect.forkScoped(take, { startImmediately: true })
      const comes = Effect.andThen(append(1), TestClock.adjust("1 second"))
      yield* comes
      busy.closeUnsafe()
      yield* Effect.repeat(comes, { times: 19 })
      const { reads } = faults
      yield* Effect.repeat(comes, { times: 9 })
      assert.strictEqual(faults.reads, reads, "nobody waits for it")
      busy.openUnsafe()
      yield* Effect.repeat(comes, { times: 2 })
      assert.deepStrictEqual(seen, upTo(yield* head, from + 1n))
    })
  )

  it.effect("that catch up share what is read, and each sees every event once, in order, then live", () =>
    Effect.gen(function* () {
      const { append, faults, follow, head } = yield* makeFeeds()
      yield* append(1_000)
      const seen = yield* Effect.forEach(upTo(20n), () => follow(0n))
      const late = yield* Effect.forEach([1n, 77n, 256n, 257n], follow)
      yield* TestClock.adjust("1 second")
      // Four pages for those who began together; those in the middle find the rest in memory.
      assert.isBelow(faults.reads, 40)
      yield* append(5)
      yield* TestClock.adjust("1 second")
      const end = yield* head
      for (const one of seen) assert.deepStrictEqual(one, upTo(end))
      for (const [index, after] of [1n, 77n, 256n, 257n].entries()) {
        assert.deepStrictEqual(late[index], upTo(end, after + 1n))
      }
    }).pipe(Effect.scoped)
  )

  it.effect("keep no more in memory than their bound, and read again what is no longer there", () =>
    Effect.gen(function* () {
      const { append, follow, head } = yield* makeFeeds({ feedBytes: 1 })
      yield* append(1_000)
      const seen = yield* Effect.forEach([0n, 300n, 900n], follow)
      yield* TestClock.adjust("1 second")
      const end = yield* head
      assert.deepStrictEqual(seen, [upTo(end), upTo(end, 301n), upTo(end, 901n)])
    }).pipe(Effect.scoped)
  )

  it.effect("wait for a log that is away, at its head and behind it, and lose nothing", () =>
    Effect.gen(function* () {
      const { append, faults, follow, head } = yield* makeFeeds()
      yield* append(300)
      const atHead = yield* follow(yield* head)
      yield* TestClock.adjust("1 second")
      faults.isAway = true
      const behind = yield* follow(0n)
      yield* append(2)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual([atHead.length, behind.length], [0, 0])
      faults.isAway = false
      yield* TestClock.adjust("10 seconds")
      const end = yield* head
      assert.deepStrictEqual(atHead, upTo(end, end - 1n))
      assert.deepStrictEqual(behind, upTo(end))
    }).pipe(Effect.scoped)
  )

  it.effect("that go away in the middle of a page take it from nobody", () =>
    Effect.gen(function* () {
      const { append, follow, head } = yield* makeFeeds()
      yield* append(600)
      const scope = yield* Scope.make()
      yield* Scope.provide(follow(0n), scope)
      const seen = yield* follow(0n)
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(seen, upTo(yield* head))
    }).pipe(Effect.scoped)
  )

  it.effect("are counted before anything is waited for: a crowd at once is not more than the bound", () =>
    Effect.gen(function* () {
      const { open } = yield* makeFeeds({ feeds: 20, feedsSpare: 1 })
      const scope = yield* Scope.make()
      const as = (reader: string) => Scope.provide(Effect.provideService(open(0n), Reader, reader), scope)
      const crowd = yield* Effect.forEach(upTo(60n), () =>
        Effect.forkChild(Effect.exit(as("crowd")), { startImmediately: true })
      )
      const opened = yield* Effect.forEach(crowd, (fiber) => Fiber.join(fiber))
      assert.lengthOf(opened.filter(Exit.isSuccess), 20)
      // Somebody who has none yet is let in beside them, and no further.
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(as("alone"))))
      const refused = yield* Effect.flip(as("alone"))
      assert.strictEqual(refused._tag, "RateLimited")
      assert.strictEqual((yield* Effect.flip(as("another")))._tag, "RateLimited")
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(Effect.scoped(open(0n)))))
    }).pipe(Effect.scoped)
  )
})
