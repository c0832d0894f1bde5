/** The share that reads have of a node: turns, rests, fairness, and an end to every wait. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { type ActorBounds, defaultBounds } from "../../src/actors/ActorBounds.ts"
import { WalletRegistry } from "../../src/actors/WalletRegistry.ts"
import { Reader, ReadShare } from "../../src/engine/ReadShare.ts"

/** A share on a node whose wallets have commands in hand, or have not. */
const withShare = <A, E>(
  bounds: Partial<ActorBounds>,
  busy: { wallets: number },
  use: (share: ReadShare["Service"]) => Effect.Effect<A, E>
) => {
  const load = () => ({ residentWallets: 1, busyWallets: busy.wallets, waitingCommands: 0, waitingBytes: 0 })
  const registry = Layer.succeed(WalletRegistry, { load } as WalletRegistry["Service"])
  const layer = ReadShare.layer({ ...defaultBounds, ...bounds }).pipe(Layer.provide(registry))
  return Effect.flatMap(ReadShare, use).pipe(Effect.provide(layer))
}

/** Reads that note who they were when they begin, and last so long, ms. */
const makeReads = (millis: number) => {
  const begun: Array<string> = []
  const read = (name: string) =>
    Effect.suspend(() => {
      begun.push(name)
      return Effect.sleep(millis)
    })
  return { begun, read }
}

const forkNow = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, { startImmediately: true })

describe("the share of reads", () => {
  it.effect("serves so many at a time, and all of them when nobody has commands in hand", () =>
    withShare({ readsAtOnce: 2 }, { wallets: 0 }, (share) =>
      Effect.gen(function* () {
        const { begun, read } = makeReads(100)
        const all = yield* Effect.forEach(["1", "2", "3", "4"], (name) => forkNow(share.query(read(name))))
        assert.deepStrictEqual(begun, ["1", "2"])
        yield* TestClock.adjust(100)
        assert.deepStrictEqual(begun, ["1", "2", "3", "4"])
        yield* TestClock.adjust(100)
        yield* Effect.forEach(all, (one) => Fiber.join(one))
      })
    )
  )

  it.effect("keeps one turn from searches, which may wait for a store of their own", () =>
    withShare({ readsAtOnce: 3 }, { wallets: 1 }, (share) =>
      Effect.gen(function* () {
        const { begun, read } = makeReads(100)
        const searches = yield* Effect.forEach(["s1", "s2", "s3"], (name) => forkNow(share.search(read(name))))
        assert.deepStrictEqual(begun, ["s1", "s2"])
        const list = yield* forkNow(share.query(read("list")))
        assert.deepStrictEqual(begun, ["s1", "s2", "list"])
        // One that gives up as it waits leaves nothing taken behind.
        yield* Fiber.interrupt(searches[2]!)
        // Their rests count.
        yield* TestClock.adjust(100)
        yield* Effect.forEach([searches[0]!, searches[1]!, list], (one) => Fiber.join(one))
        const later = yield* forkNow(share.search(read("s4")))
        yield* TestClock.adjust(299)
        assert.deepStrictEqual(begun, ["s1", "s2", "list"])
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(begun, ["s1", "s2", "list", "s4"])
        yield* TestClock.adjust(100)
        yield* Fiber.join(later)
      })
    )
  )

  it.effect("has a turn for a search where there is but one", () =>
    withShare({ readsAtOnce: 1 }, { wallets: 0 }, (share) => share.search(Effect.void))
  )

  it.effect("rests for as many times as long as a read took beside commands, behind the back of its reader", () =>
    withShare({ readsAtOnce: 1, readRestFactor: 3 }, { wallets: 1 }, (share) =>
      Effect.gen(function* () {
        const { begun, read } = makeReads(100)
        const first = yield* forkNow(share.query(read("first")))
        yield* forkNow(share.query(read("second")))
        yield* TestClock.adjust(100)
        yield* Fiber.join(first)
        yield* TestClock.adjust(299)
        assert.deepStrictEqual(begun, ["first"])
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(begun, ["first", "second"])
      })
    )
  )

  it.effect("rests no longer than a second", () =>
    withShare({ readsAtOnce: 1, readRestFactor: 3, readWaitMillis: 60_000 }, { wallets: 1 }, (share) =>
      Effect.gen(function* () {
        const { begun, read } = makeReads(5_000)
        yield* forkNow(share.query(read("first")))
        yield* forkNow(share.query(read("second")))
        yield* TestClock.adjust(6_000)
        assert.deepStrictEqual(begun, ["first", "second"])
      })
    )
  )

  it.effect("takes readers in turns: a crowd of one reader's is before nobody else", () =>
    withShare({ readsAtOnce: 1 }, { wallets: 0 }, (share) =>
      Effect.gen(function* () {
        const { begun, read } = makeReads(10)
        const of = (reader: string) => forkNow(Effect.provideService(share.query(read(reader)), Reader, reader))
        for (let n = 0; n < 50; n++) yield* of("crowd")
        for (let n = 0; n < 50; n++) yield* forkNow(share.page("crowd", read("crowd's feed")))
        yield* of("alone")
        yield* TestClock.adjust(40)
        assert.include(begun, "alone")
        assert.include(begun, "crowd's feed")
      })
    )
  )

  it.effect("refuses a query whose turn does not come in time, says when to come again, and lets a feed wait", () =>
    withShare({ readsAtOnce: 1, readWaitMillis: 1_000 }, { wallets: 0 }, (share) =>
      Effect.gen(function* () {
        yield* forkNow(share.query(Effect.sleep(5_000)))
        const query = yield* forkNow(Effect.flip(share.query(Effect.void)))
        const feed = yield* forkNow(share.page("", Effect.succeed("page")))
        yield* TestClock.adjust(999)
        assert.isUndefined(query.pollUnsafe())
        yield* TestClock.adjust(1)
        const refused = yield* Fiber.join(query)
        assert.strictEqual(refused._tag, "RateLimited")
        assert.isAtLeast(refused.retryAfter, 1_000)
        yield* TestClock.adjust(4_000)
        assert.strictEqual(yield* Fiber.join(feed), "page")
      })
    )
  )

  it.effect("refuses at once when as many wait as may, and half of them of one reader", () =>
    withShare({ readsAtOnce: 1, readsWaiting: 4 }, { wallets: 0 }, (share) =>
      Effect.gen(function* () {
        const as = (reader: string) => Effect.provideService(share.query(Effect.void), Reader, reader)
        yield* forkNow(share.query(Effect.never))
        for (let n = 0; n < 2; n++) yield* forkNow(as("crowd"))
        assert.strictEqual((yield* Effect.flip(as("crowd")))._tag, "RateLimited")
        const others = yield* Effect.forEach(["a", "b"], (reader) => forkNow(as(reader)))
        assert.strictEqual((yield* Effect.flip(as("c")))._tag, "RateLimited")
        // One that goes away makes room.
        yield* Fiber.interrupt(others[0]!)
        const next = yield* forkNow(as("c"))
        assert.isUndefined(next.pollUnsafe())
      })
    )
  )

  it.effect("has few places for searches that may be slow, and one of them for whoever has none", () =>
    withShare({}, { wallets: 0 }, (share) =>
      Effect.gen(function* () {
        const { begun, read } = makeReads(900)
        const slow = (reader: string, name: string) =>
          forkNow(Effect.provideService(share.searchIndexSlowly(read(name)), Reader, reader))
        const crowd = yield* Effect.forEach(["c1", "c2", "c3", "c4"], (name) => slow("crowd", name))
        assert.deepStrictEqual(begun, ["c1", "c2"])
        yield* slow("alone", "a1")
        assert.deepStrictEqual(begun, ["c1", "c2", "a1"])
        yield* slow("third", "t1")
        yield* Effect.forEach(["1", "2", "3"], (name) => forkNow(share.searchIndex(read(name))))
        assert.deepStrictEqual(begun, ["c1", "c2", "a1", "1", "2", "3"])
        // In turn: who has waited longer is not before whoever has had none.
        yield* TestClock.adjust(900)
        assert.deepStrictEqual(new Set(begun.slice(6)), new Set(["c3", "c4", "t1"]))
        yield* Fiber.interruptAll(crowd)
        const { begun: later, read: readLater } = makeReads(1)
        yield* forkNow(Effect.provideService(share.searchIndexSlowly(readLater("c5")), Reader, "crowd"))
        assert.deepStrictEqual(later, ["c5"])
      })
    )
  )

  it.effect("counts the rests of slow searches as their reader's", () =>
    withShare({}, { wallets: 1 }, (share) =>
      Effect.gen(function* () {
        const { begun, read } = makeReads(100)
        const slow = (reader: string, name: string) =>
          forkNow(Effect.provideService(share.searchIndexSlowly(read(name)), Reader, reader))
        const first = yield* Effect.forEach(["c1", "c2"], (name) => slow("crowd", name))
        yield* TestClock.adjust(100)
        yield* Effect.forEach(first, (one) => Fiber.join(one))
        yield* slow("crowd", "c3")
        yield* TestClock.adjust(50)
        yield* slow("alone", "a1")
        assert.deepStrictEqual(begun, ["c1", "c2", "a1"])
        yield* TestClock.adjust(49)
        assert.deepStrictEqual(begun, ["c1", "c2", "a1"])
        // However long the index took.
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(begun, ["c1", "c2", "a1", "c3"])
      })
    )
  )

  it.effect("loses no turn to readers that go away, fail or die", () =>
    withShare({ readsAtOnce: 2 }, { wallets: 0 }, (share) =>
      Effect.gen(function* () {
        for (let round = 0; round < 10; round++) {
          const working = yield* Effect.forEach([1, 2], () => forkNow(share.query(Effect.never)))
          const waiting = yield* Effect.forEach([1, 2, 3], () => forkNow(share.query(Effect.never)))
          yield* Fiber.interruptAll([...working.slice(0, 1), ...waiting.slice(0, 2), ...working, ...waiting])
          yield* Effect.exit(share.query(Effect.fail("no")))
          yield* Effect.exit(share.query(Effect.die("no")))
        }
        const { begun, read } = makeReads(10)
        yield* forkNow(share.query(read("1")))
        yield* forkNow(share.query(read("2")))
        assert.deepStrictEqual(begun, ["1", "2"])
      })
    )
  )
})
