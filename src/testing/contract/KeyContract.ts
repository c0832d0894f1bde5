/** Wallets' keys: found by key, and in segments that are kept as they are given and go with the rows. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { EventStore } from "../../stores/EventStore.ts"
import type { KeySegment } from "../../stores/Persistence.ts"
import { Persistence } from "../../stores/Persistence.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { keysFound, written } from "./Observations.ts"
import { credit, debit, SampleWallet, uniqueId } from "./SampleWallet.ts"

type Stores = EventStore | Persistence

const keys = contractCase(
  "finds the keys of all commands with their last event, and the version that it covers",
  Effect.gen(function* () {
    const log = yield* EventStore
    const sample = new SampleWallet()
    const other = new SampleWallet()
    const long = `c:${"~".repeat(254)}` as const
    const commit = sample.keyed(
      ["c:create", sample.creation()],
      [long, credit(5n)],
      ["e:same", debit(1n)],
      ["c:same", { _tag: "UpdateWallet", overdraftLimit: 4n, metadata: { a: "b" } }],
      ["c:' or true --", { _tag: "Freeze", reason: null, direction: null, until: null }]
    )
    yield* log.append([commit, other.keyed(["c:create", other.creation()], ["c:other", credit(1n)])])
    const { persistedVersion, seen } = yield* keysFound(sample.id, [
      "c:create",
      long,
      "e:same",
      "c:same",
      "c:' or true --",
      "c:other",
      "c:none",
      "c:create"
    ])
    assert.equal(persistedVersion, 5)
    const fingerprint = (version: number) => commit.events[version]!.metadata.fingerprint
    assert.deepEqual(
      [...seen].sort((x, y) => x.version - y.version),
      [
        { key: "c:create", fingerprint: fingerprint(0), version: 0 },
        { key: long, fingerprint: fingerprint(1), version: 1 },
        { key: "e:same", fingerprint: fingerprint(2), version: 2 },
        { key: "c:same", fingerprint: fingerprint(4), version: 4 },
        { key: "c:' or true --", fingerprint: fingerprint(5), version: 5 }
      ]
    )
    assert.deepEqual(yield* keysFound(sample.id, []), { persistedVersion: 5, seen: [] })
    assert.deepEqual(yield* keysFound(uniqueId("nobody"), ["c:create"]), { persistedVersion: -1, seen: [] })
  })
)

const keysOfMany = contractCase(
  "finds keys of many wallets at once, each wallet's its own, in the order asked",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const samples = Array.from({ length: 3 }, () => new SampleWallet())
    yield* log.append(
      samples.map((sample, index) =>
        sample.keyed(["c:create", sample.creation()], ["c:same", credit(5n)], [`c:own-${index}`, credit(1n)])
      )
    )
    const [one, two, three] = samples.map(({ id }) => id) as [string, string, string]
    const found = yield* persistence.findKeys([
      { walletId: three, keys: ["c:same", "c:own-0", "c:own-2"] },
      { walletId: uniqueId("nobody"), keys: ["c:same"] },
      { walletId: one, keys: [] },
      { walletId: two, keys: ["c:own-0", "c:none"] }
    ])
    assert.deepEqual(
      found.map(({ persistedVersion, seen }) => [persistedVersion, seen.map(({ key }) => key).sort()]),
      [
        [2, ["c:own-2", "c:same"]],
        [-1, []],
        [2, []],
        [2, []]
      ]
    )
    assert.deepEqual(yield* persistence.findKeys([]), [])
  })
)

const all = { from: 0, limit: 100 }

const segment = (walletId: string, fromVersion: number, toVersion: number, previousEventId = ""): KeySegment => ({
  walletId,
  fromVersion,
  toVersion,
  previousEventId,
  eventId: randomUUID(),
  form: 1,
  keys: toVersion - fromVersion + 1,
  bits: Uint8Array.from({ length: 256 }, (_, index) => (index * (fromVersion + 7)) % 256)
})

/** A chain of segments of these lengths, stored. */
const chain = Effect.fnUntraced(function* (walletId: string, ...lengths: ReadonlyArray<number>) {
  const persistence = yield* Persistence
  const segments: Array<KeySegment> = []
  for (const length of lengths) {
    const last = segments.at(-1)
    const from = (last?.toVersion ?? -1) + 1
    segments.push(segment(walletId, from, from + length - 1, last?.eventId))
    yield* persistence.saveKeySegment(segments.at(-1)!)
  }
  return segments
})

const readsBack = contractCase(
  "reads back a wallet's segments of keys, in order and by pages, and no other wallet's",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const id = uniqueId("wallet")
    const segments = yield* chain(id, 4_096, 1, 9)
    yield* chain(uniqueId("wallet"), 3)
    assert.deepEqual(yield* persistence.keySegments(id, all), segments)
    assert.deepEqual(yield* persistence.keySegments(id, { from: 0, limit: 2 }), segments.slice(0, 2))
    assert.deepEqual(yield* persistence.keySegments(id, { from: 1, limit: 1 }), segments.slice(1, 2))
    assert.deepEqual(yield* persistence.keySegments(id, { from: 4_098, limit: 9 }), [])
    assert.deepEqual(yield* persistence.keySegments(uniqueId("nobody"), all), [])
  })
)

const ownBytes = contractCase(
  "gives each reader of a segment bytes of its own",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const id = uniqueId("wallet")
    const [stored] = yield* chain(id, 8)
    const bits = stored!.bits.slice()
    const [read] = yield* persistence.keySegments(id, all)
    read!.bits.fill(255)
    stored!.bits.fill(255)
    assert.deepEqual((yield* persistence.keySegments(id, all))[0]!.bits, bits)
  })
)

const supersedes = contractCase(
  "keeps a segment in the place of all that are there from its first version on",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const id = uniqueId("wallet")
    const [first, second] = yield* chain(id, 10, 10, 10, 5)
    const longer = segment(id, second!.fromVersion, 25, first!.eventId)
    yield* persistence.saveKeySegment(longer)
    yield* persistence.saveKeySegment(longer)
    assert.deepEqual(yield* persistence.keySegments(id, all), [first, longer])
    const shorter = segment(id, 0, 3)
    yield* persistence.saveKeySegment(shorter)
    assert.deepEqual(yield* persistence.keySegments(id, all), [shorter])
  })
)

const goWithTheRows = contractCase(
  "removes a wallet's segments with its rows, and no other wallet's",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const [erased, rebuilt, other] = [new SampleWallet(), new SampleWallet(), new SampleWallet()] as const
    for (const sample of [erased, rebuilt, other]) {
      yield* log.append([sample.commit(sample.creation(), credit(1n))])
      yield* chain(sample.id, 1, 1)
    }
    yield* persistence.erase(erased.id)
    const commit = yield* commitOf(rebuilt)
    assert.deepEqual(yield* persistence.rebuild([rebuilt.id], persistence.write([commit])), [written])
    const left = yield* Effect.forEach([erased, rebuilt, other], ({ id }) => persistence.keySegments(id, all))
    assert.deepEqual(
      left.map(({ length }) => length),
      [0, 0, 2]
    )
  })
)

/** All that the log has of it. */
const commitOf = Effect.fnUntraced(function* ({ id, wallet }: SampleWallet) {
  const log = yield* EventStore
  const events = yield* log.read(id, { after: -1, limit: 99 })
  return { walletId: id, partition: 0, epoch: 0, expectedVersion: -1, events, wallet: wallet! }
})

export const keyContract: ReadonlyArray<ContractCase<Stores>> = [
  keys,
  keysOfMany,
  readsBack,
  ownBytes,
  supersedes,
  goWithTheRows
]
