/** Behind a log of its own: filters of keys that survive restarts, and what is asked where they do not reach. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import type { ActorBounds } from "../../src/actors/ActorBounds.ts"
import type { KeySegment } from "../../src/stores/Persistence.ts"
import { create } from "../support/EngineCalls.ts"
import type { Installation, Node } from "../support/Installation.ts"
import { assertConsistent, install, quiet, until } from "../support/Installation.ts"
import { creditCommitted, flushed } from "../support/Separate.ts"

/** Small segments, so that a few keys make a history. */
const small: Partial<ActorBounds> = {
  keysInMemory: 4,
  keysInSnapshot: 2,
  keySegmentKeys: 8,
  keySegmentLargestKeys: 8,
  keySegmentMinimumKeys: 3,
  keyTailEvents: 20,
  snapshotEvents: 10,
  snapshotMinimumEvents: 1
}

/** A wallet with its creation and so many credits, under keys `k0`, `k1`, … */
const history = Effect.fnUntraced(function* (node: Node, walletId: string, credits: number) {
  yield* create(node, walletId)
  const numbers = Array.from({ length: credits }, (_, n) => n)
  yield* Effect.forEach(numbers, (n) => creditCommitted(node, walletId, 1n, `k${n}`), { concurrency: 1_000 })
  yield* quiet(node)
  yield* flushed(node)
})

const segmentsOf = ({ state }: Installation, walletId: string) => state.keySegments.get(walletId) ?? []

const ranges = (installation: Installation, walletId: string) =>
  segmentsOf(installation, walletId).map(({ fromVersion, toVersion }) => [fromVersion, toVersion])

const change = ({ state }: Installation, walletId: string, changed: (segments: KeySegment[]) => KeySegment[]) =>
  state.keySegments.set(walletId, changed([...(state.keySegments.get(walletId) ?? [])]))

const started = Effect.fnUntraced(function* (credits: number, bounds: Partial<ActorBounds> = small) {
  const installation = yield* install({ separate: true, bounds })
  const before = yield* installation.start()
  yield* history(before, "a", credits)
  return { installation, before }
})

/** New keys have effects and old ones have not. `keyQueries`: of the new ones. */
const assertKnows = Effect.fnUntraced(function* (
  installation: Installation,
  node: Node,
  options: { readonly keyQueries: number; readonly credits: number }
) {
  for (let n = 0; n < 3; n++) assert.isFalse((yield* creditCommitted(node, "a", 1n, `new-${n}`)).replayed)
  assert.strictEqual(node.persistence.keyQueries.length, options.keyQueries)
  for (let n = 0; n < options.credits; n += 1 + (options.credits >> 5)) {
    assert.isTrue((yield* creditCommitted(node, "a", 1n, `k${n}`)).replayed, `k${n}`)
  }
  yield* flushed(node)
  yield* assertConsistent(installation, node, "a")
})

describe("a wallet with more than 10,000 keys behind it", () => {
  it.effect("asks no query for new keys after a restart", () =>
    Effect.gen(function* () {
      const { before, installation } = yield* started(11_000, {})
      yield* before.stop
      assert.deepStrictEqual(ranges(installation, "a"), [
        [0, 4_095],
        [4_096, 10_744]
      ])
      const node = yield* installation.start()
      yield* assertKnows(installation, node, { keyQueries: 0, credits: 11_000 })
    })
  )

  it.effect("nor after its node has died, which stored the last keys nowhere but in the log", () =>
    Effect.gen(function* () {
      const { before, installation } = yield* started(11_000, {})
      before.kill()
      const node = yield* installation.start()
      const [whole, part] = ranges(installation, "a")
      assert.deepStrictEqual(whole, [0, 4_095])
      assert.isTrue(part![0] === 4_096 && part![1]! >= 8_191 && part![1]! < 10_000)
      yield* assertKnows(installation, node, { keyQueries: 0, credits: 11_000 })
    })
  )
})

describe("wallets whose segments do not reach", () => {
  it.effect("share one query, and have their segments made meanwhile", () =>
    Effect.gen(function* () {
      const installation = yield* install({ separate: true, bounds: small })
      const before = yield* installation.start()
      const ids = ["a", "b", "c", "d"]
      for (const id of ids) yield* history(before, id, 60)
      yield* before.stop
      installation.state.keySegments.clear()
      const node = yield* installation.start()
      yield* Effect.forEach(ids, (id) => node.engine.getWallet({ walletId: id }), { concurrency: "unbounded" })
      yield* Effect.forEach(ids, (id) => creditCommitted(node, id, 1n, "new"), { concurrency: "unbounded" })
      assert.deepStrictEqual(
        node.persistence.lookUpWallets.map((wallets) => [...wallets].sort()),
        [ids]
      )
      yield* TestClock.adjust("5 seconds")
      yield* flushed(node)
      assert.strictEqual(segmentsOf(installation, "c").length, 8)
      yield* Effect.forEach(ids, (id) => creditCommitted(node, id, 1n, "newer"), { concurrency: "unbounded" })
      assert.strictEqual(node.persistence.keyQueries.length, 1)
      for (const id of ids) assert.isTrue((yield* creditCommitted(node, id, 1n, "k7")).replayed)
      yield* flushed(node)
      for (const id of ids) yield* assertConsistent(installation, node, id)
    })
  )

  it.effect("ask one by one what does not fit into one query", () =>
    Effect.gen(function* () {
      const bounds = { ...small, keyFilterBytes: 0, keyLookUpWallets: 2 }
      const installation = yield* install({ separate: true, bounds })
      const node = yield* installation.start()
      const ids = ["a", "b", "c", "d", "e"]
      for (const id of ids) yield* history(node, id, 10)
      node.persistence.lookUpWallets.length = 0
      yield* Effect.forEach(ids, (id) => creditCommitted(node, id, 1n, "new"), { concurrency: "unbounded" })
      assert.isTrue(node.persistence.lookUpWallets.every((wallets) => wallets.length <= 2))
      assert.deepStrictEqual(node.persistence.lookUpWallets.flat().sort(), ids)
    })
  )

  it.effect("share the failure of a query, and ask again", () =>
    Effect.gen(function* () {
      const installation = yield* install({ separate: true, bounds: { ...small, keyFilterBytes: 0 } })
      const node = yield* installation.start()
      const ids = ["a", "b"]
      for (const id of ids) yield* history(node, id, 10)
      node.persistence.readsAway = true
      const results = yield* Effect.forEach(ids, (id) => Effect.flip(creditCommitted(node, id, 1n, "new")), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        results.map(({ _tag }) => _tag),
        ["StoreUnavailable", "StoreUnavailable"]
      )
      node.persistence.readsAway = false
      for (const id of ids) assert.isFalse((yield* creditCommitted(node, id, 1n, "new")).replayed)
    })
  )
})

describe("a large segment", () => {
  it.effect("is stored again and again while it fills, so that little is lost with the node", () =>
    Effect.gen(function* () {
      const bounds = { ...small, keySegmentLargestKeys: 64, snapshotEvents: 1_000 }
      const { before, installation } = yield* started(0, bounds)
      for (let n = 0; n < 20; n++) yield* creditCommitted(before, "a", 1n, `k${n}`)
      yield* until(() => ranges(installation, "a").length === 2, "a part is stored")
      assert.deepStrictEqual(ranges(installation, "a"), [
        [0, 7],
        [8, 15]
      ])
      for (let n = 20; n < 60; n++) yield* creditCommitted(before, "a", 1n, `k${n}`)
      yield* until(() => ranges(installation, "a").at(-1)![1] === 55, "it is stored up to there")
      assert.deepStrictEqual(ranges(installation, "a"), [
        [0, 7],
        [8, 23],
        [24, 55]
      ])
      yield* flushed(before)
      before.kill()
      yield* assertKnows(installation, yield* installation.start({ ...bounds, keyTailEvents: 8 }), {
        keyQueries: 0,
        credits: 60
      })
    })
  )
})

describe("a part of a segment", () => {
  it.effect("is stored when the wallet leaves memory, and gives way to a longer one", () =>
    Effect.gen(function* () {
      const { before, installation } = yield* started(20)
      yield* before.stop
      assert.deepStrictEqual(ranges(installation, "a"), [
        [0, 7],
        [8, 15],
        [16, 18]
      ])
      const node = yield* installation.start()
      for (let n = 0; n < 4; n++) yield* creditCommitted(node, "a", 1n, `more-${n}`)
      yield* flushed(node)
      yield* node.stop
      assert.deepStrictEqual(ranges(installation, "a"), [
        [0, 7],
        [8, 15],
        [16, 22]
      ])
      const next = yield* installation.start()
      for (let n = 0; n < 12; n++) yield* creditCommitted(next, "a", 1n, `still-more-${n}`)
      yield* until(() => segmentsOf(installation, "a").length === 4, "two more are full")
      assert.deepStrictEqual(ranges(installation, "a").slice(2), [
        [16, 23],
        [24, 31]
      ])
      yield* assertKnows(installation, next, { keyQueries: 0, credits: 20 })
    })
  )

  it.effect("is not worth a row when it has few keys", () =>
    Effect.gen(function* () {
      const { before, installation } = yield* started(20, { ...small, keySegmentMinimumKeys: 4 })
      yield* before.stop
      assert.strictEqual(segmentsOf(installation, "a").length, 2)
      yield* assertKnows(installation, yield* installation.start(), { keyQueries: 0, credits: 20 })
    })
  )
})

describe("a segment that is stored", () => {
  const empty = (segment: KeySegment): KeySegment => ({ ...segment, bits: new Uint8Array(segment.bits.length) })
  const foreignId = "00000000-0000-4000-8000-000000000000"

  for (const [what, changed] of [
    [
      "of another history",
      (all) =>
        all.map((one, index) =>
          empty({ ...one, previousEventId: index === 0 ? "" : `foreign-${index - 1}`, eventId: `foreign-${index}` })
        )
    ],
    [
      "of another history from some version on",
      (all) => [...all.slice(0, -1), empty({ ...all.at(-1)!, eventId: foreignId })]
    ],
    [
      "that does not follow the one before it",
      ([first, second]) => [first!, empty({ ...second!, previousEventId: foreignId })]
    ],
    ["behind a gap", ([, second]) => [empty(second!)]],
    ["of a later release's form", (all) => all.map((one) => empty({ ...one, form: 99 }))],
    ["with damaged bits", (all) => all.map((one) => ({ ...one, bits: new Uint8Array(5) }))]
  ] as ReadonlyArray<readonly [string, (segments: KeySegment[]) => KeySegment[]]>) {
    it.effect(`is not believed: ${what}`, () =>
      Effect.gen(function* () {
        const { before, installation } = yield* started(40)
        yield* before.stop
        change(installation, "a", changed)
        const node = yield* installation.start()
        for (const n of [0, 9, 17, 30, 39]) assert.isTrue((yield* creditCommitted(node, "a", 1n, `k${n}`)).replayed)
        yield* creditCommitted(node, "a", 1n, "new")
        yield* TestClock.adjust("5 seconds")
        for (const n of [0, 9, 17, 30, 39]) assert.isTrue((yield* creditCommitted(node, "a", 1n, `k${n}`)).replayed)
        yield* flushed(node)
        yield* assertConsistent(installation, node, "a")
      })
    )
  }

  it.effect("is of no use when there is no memory for it, and the memory comes back with the wallet", () =>
    Effect.gen(function* () {
      // 4 bytes per key: two segments, not three.
      const bounds = { ...small, keyFilterBytes: 64, idleMillis: 60_000 }
      const { before, installation } = yield* started(20, { ...bounds, keyFilterBytes: 1_000 })
      yield* history(before, "b", 10)
      yield* before.stop
      const node = yield* installation.start(bounds)
      yield* creditCommitted(node, "a", 1n, "new")
      assert.strictEqual(node.persistence.keyQueries.length, 1, "a does not fit")
      yield* creditCommitted(node, "b", 1n, "new")
      assert.strictEqual(node.persistence.keyQueries.length, 1, "b does")
      yield* flushed(node)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(node.registry.load().residentWallets, 0)
      yield* creditCommitted(node, "b", 1n, "newer")
      assert.strictEqual(node.persistence.keyQueries.length, 1, "and again")
    })
  )

  it.effect("goes with the rows, and is made again from the log", () =>
    Effect.gen(function* () {
      const { before, installation } = yield* started(60)
      yield* before.stop
      const node = yield* installation.start()
      yield* node.persistence.store.rebuild(["a"], Effect.void)
      assert.deepStrictEqual(ranges(installation, "a"), [])
    })
  )
})
