/** Claims: after one, no older owner appends anywhere in the partition. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { EventStore } from "../../stores/EventStore.ts"
import { bare } from "./Observations.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { credit, SampleWallet, uniquePartition } from "./SampleWallet.ts"

const claim = Effect.fnUntraced(function* (...partitions: ReadonlyArray<number>) {
  const log = yield* EventStore
  return yield* log.claim({ partitions, owner: "contract", time: 1_700_000_000_000 })
})

const countsClaims = contractCase(
  "counts the claims of each partition from 1, several at once",
  Effect.gen(function* () {
    const [a, b] = [uniquePartition(), uniquePartition()]
    assert.deepEqual(yield* claim(b, a), [
      { partition: b, epoch: 1 },
      { partition: a, epoch: 1 }
    ])
    assert.deepEqual(yield* claim(a), [{ partition: a, epoch: 2 }])
    assert.deepEqual(yield* claim(a, b), [
      { partition: a, epoch: 3 },
      { partition: b, epoch: 2 }
    ])
  })
)

const tellsEpochs = contractCase(
  "tells how often a partition was claimed, and that of another nobody has",
  Effect.gen(function* () {
    const log = yield* EventStore
    const [a, b] = [uniquePartition(), uniquePartition()]
    const epochs = Effect.all([log.epochOf(a), log.epochOf(b)])
    assert.deepEqual(yield* epochs, [0, 0])
    for (const expected of [1, 2, 3]) {
      yield* claim(a)
      assert.deepEqual(yield* epochs, [expected, 0])
    }
    // An append is no claim.
    yield* log.append([new SampleWallet({ partition: a, epoch: 3 }).create()])
    yield* claim(b, uniquePartition())
    assert.deepEqual(yield* epochs, [3, 1])
  })
)

const claimsAtOnce = contractCase(
  "gives each of several claims at the same moment an epoch of its own",
  Effect.gen(function* () {
    const partitions = [uniquePartition(), uniquePartition()]
    const claims = yield* Effect.all(
      Array.from({ length: 6 }, () => claim(...partitions)),
      { concurrency: "unbounded" }
    )
    for (const index of [0, 1]) {
      assert.deepEqual(claims.map((each) => each[index]!.epoch).sort(), [1, 2, 3, 4, 5, 6])
    }
  })
)

const fencesOldOwner = contractCase(
  "fences an older owner, and names the epoch that stands",
  Effect.gen(function* () {
    const log = yield* EventStore
    const partition = uniquePartition()
    yield* claim(partition)
    const sample = new SampleWallet({ partition, epoch: 1 })
    yield* log.append([sample.create()])
    yield* claim(partition)
    const late = sample.commit(credit(1n))
    assert.deepEqual(bare(yield* log.append([late])), [{ _tag: "Fenced", epoch: 2 }])
    assert.deepEqual(bare(yield* log.append([{ ...late, epoch: 2 }])), [{ _tag: "Appended" }])
    assert.equal((yield* log.read(sample.id, { after: -1, limit: 9 })).length, 2)
  })
)

const fencesUntouched = contractCase(
  "fences an older owner also on wallets that nobody has touched yet",
  Effect.gen(function* () {
    const log = yield* EventStore
    const partition = uniquePartition()
    yield* claim(partition)
    yield* claim(partition)
    const sample = new SampleWallet({ partition, epoch: 1 })
    assert.deepEqual(bare(yield* log.append([sample.create()])), [{ _tag: "Fenced", epoch: 2 }])
    assert.deepEqual(yield* log.read(sample.id, { after: -1, limit: 9 }), [])
  })
)

const fencesOnlyItsPartition = contractCase(
  "fences only the wallets of the claimed partition, in the same append",
  Effect.gen(function* () {
    const log = yield* EventStore
    const [lost, kept] = [uniquePartition(), uniquePartition()]
    yield* claim(lost, kept)
    const samples = [lost, kept, lost, kept].map((partition) => new SampleWallet({ partition, epoch: 1 }))
    yield* claim(lost)
    const outcomes = yield* log.append(samples.map((sample) => sample.create()))
    assert.deepEqual(bare(outcomes), [
      { _tag: "Fenced", epoch: 2 },
      { _tag: "Appended" },
      { _tag: "Fenced", epoch: 2 },
      { _tag: "Appended" }
    ])
  })
)

const fencesUnclaimed = contractCase(
  "fences an owner that claims to have claimed what it has not",
  Effect.gen(function* () {
    const log = yield* EventStore
    const sample = new SampleWallet({ epoch: 3 })
    assert.deepEqual(bare(yield* log.append([sample.create()])), [{ _tag: "Fenced", epoch: 0 }])
  })
)

const knowsItsOwn = contractCase(
  "answers Appended, not Fenced, for what was appended before the claim",
  Effect.gen(function* () {
    const log = yield* EventStore
    const partition = uniquePartition()
    yield* claim(partition)
    const sample = new SampleWallet({ partition, epoch: 1 })
    const first = sample.create()
    const second = sample.commit(credit(1n), credit(2n))
    yield* log.append([first])
    yield* log.append([second])
    yield* claim(partition)
    assert.deepEqual(bare(yield* log.append([second])), [{ _tag: "Appended" }])
    assert.deepEqual(bare(yield* log.append([first])), [{ _tag: "Appended" }])
    assert.deepEqual(bare(yield* log.append([sample.commit(credit(3n))])), [{ _tag: "Fenced", epoch: 2 }])
  })
)

const appendsWhileClaimed = contractCase(
  "lets the owner of one partition append while others are claimed all the time",
  Effect.gen(function* () {
    const log = yield* EventStore
    const partition = uniquePartition()
    yield* claim(partition)
    const sample = new SampleWallet({ partition, epoch: 1 })
    yield* log.append([sample.create()])
    const appending = Effect.gen(function* () {
      for (let round = 0; round < 20; round++) {
        const again = log.append([sample.commit(credit(1n))])
        assert.deepEqual(bare(yield* again), [{ _tag: "Appended" }])
      }
    })
    const claiming = Effect.gen(function* () {
      for (let round = 0; round < 20; round++) {
        yield* claim(uniquePartition())
        yield* Effect.yieldNow
      }
    })
    yield* Effect.all([appending, claiming], { concurrency: "unbounded" })
    assert.equal((yield* log.read(sample.id, { after: -1, limit: 99 })).length, 21)
  })
)

/** Of a log that writes Persistence itself nobody asks for it. */
const marksOffers = contractCase(
  "says how far rows may have been given to Persistence: never lower than before, and only what others have said",
  Effect.gen(function* () {
    const log = yield* EventStore
    if (log.writesPersistence) return
    const [a, b, c] = ["a", "b", "c"].map((name) => `${name}-${randomUUID()}`) as [string, string, string]
    // Others of this log may have raised theirs: here only what is above counts.
    const base = ((yield* log.raiseHighWatermark({ owner: a, position: undefined })) ?? 0n) + 10n
    const raise = (owner: string, position: bigint | undefined) => log.raiseHighWatermark({ owner, position })
    yield* raise(a, base)
    assert.equal(yield* raise(b, undefined), base)
    assert.equal(yield* raise(b, base + 5n), base)
    yield* raise(a, base - 3n)
    assert.equal(yield* raise(c, undefined), base + 5n)
    yield* raise(b, base + 1n)
    assert.equal(yield* raise(c, base + 2n), base + 5n)
    const ofB = yield* raise(b, undefined)
    // The last of the others, or an earlier one of one's own: higher is allowed, lower is not.
    assert.ok(ofB !== undefined && ofB >= base + 2n)
  })
)

export const fenceContract: ReadonlyArray<ContractCase<EventStore>> = [
  countsClaims,
  tellsEpochs,
  claimsAtOnce,
  fencesOldOwner,
  fencesUntouched,
  fencesOnlyItsPartition,
  fencesUnclaimed,
  knowsItsOwn,
  appendsWhileClaimed,
  marksOffers
]
