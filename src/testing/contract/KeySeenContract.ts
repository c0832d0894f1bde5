/** What an append that writes the rows does about keys of which the owner is not sure. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import type { Commit } from "../../domain/Commit.ts"
import type { CommandKey } from "../../domain/Event.ts"
import { EventStore } from "../../stores/EventStore.ts"
import { appended, bare, conflict, keySeen } from "./Observations.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { credit, debit, SampleWallet } from "./SampleWallet.ts"

const unsure = (commit: Commit, ...unsureKeys: ReadonlyArray<CommandKey>): Commit => ({ ...commit, unsureKeys })

/** A log that writes nothing but itself leaves the keys alone. */
const keyCase = (name: string, run: (log: EventStore["Service"]) => Effect.Effect<void, unknown>) =>
  contractCase(
    name,
    Effect.flatMap(EventStore, (log) => (log.writesPersistence ? run(log) : Effect.void))
  )

/** A wallet of three events whose keys are `c:create`, `c:one` and `c:two`. */
const started = Effect.fnUntraced(function* (log: EventStore["Service"], sample = new SampleWallet()) {
  const first = sample.keyed(["c:create", sample.creation()], ["c:one", credit(50n)], ["c:two", debit(1n)])
  assert.deepEqual(bare(yield* log.append([first])), [appended])
  return sample
})

const versions = Effect.fnUntraced(function* (log: EventStore["Service"], { id }: SampleWallet) {
  return (yield* log.read(id, { after: -1, limit: 99 })).length
})

const leavesOut = keyCase(
  "leaves out a commit one of whose unsure keys is there, also one that none of its events has",
  Effect.fnUntraced(function* (log) {
    for (const keys of [["c:one"], ["c:two", "c:new"], ["c:other", "c:create"], ["c:new", "c:new", "c:one"]] as const) {
      const sample = yield* started(log)
      const commit = sample.keyed(["c:new", credit(1n)])
      assert.deepEqual(bare(yield* log.append([unsure(commit, ...keys)])), [keySeen])
      assert.equal(yield* versions(log, sample), 3)
      // The same again without the question: the stream has not moved.
      assert.deepEqual(bare(yield* log.append([commit])), [appended])
      assert.equal(yield* versions(log, sample), 4)
    }
  })
)

const newKeys = keyCase(
  "appends a commit whose unsure keys are new, at its creation too",
  Effect.fnUntraced(function* (log) {
    const sample = new SampleWallet()
    const created = sample.keyed(["c:create", sample.creation()], ["c:one", credit(50n)])
    assert.deepEqual(bare(yield* log.append([unsure(created, "c:create", "c:one", "c:rejected")])), [appended])
    const next = sample.keyed(["c:two", debit(1n)])
    assert.deepEqual(bare(yield* log.append([unsure(next, "c:two", "c:rejected", "e:one")])), [appended])
    const twin = new SampleWallet({ id: sample.id, partition: sample.partition })
    assert.deepEqual(bare(yield* log.append([unsure(twin.create(), "c:create")])), [conflict], "it is elsewhere")
    assert.equal(yield* versions(log, sample), 3)
  })
)

const ofOthers = keyCase(
  "does not take another wallet's key for this one's",
  Effect.fnUntraced(function* (log) {
    yield* started(log)
    const sample = new SampleWallet()
    yield* log.append([sample.create()])
    assert.deepEqual(bare(yield* log.append([unsure(sample.keyed(["c:one", credit(1n)]), "c:one", "c:two")])), [
      appended
    ])
  })
)

const harmless = keyCase(
  "costs the others of its append nothing, whatever their outcome",
  Effect.fnUntraced(function* (log) {
    const samples: Array<SampleWallet> = []
    for (let n = 0; n < 5; n++) samples.push(yield* started(log))
    const [good, replay, stale, sure, again] = samples as [
      SampleWallet,
      SampleWallet,
      SampleWallet,
      SampleWallet,
      SampleWallet
    ]
    stale.commit(credit(1n))
    const resent = unsure(again.keyed(["c:again", credit(3n)]), "c:again")
    yield* log.append([resent])
    const commits = [
      unsure(good.keyed(["c:new", credit(1n)]), "c:new"),
      unsure(replay.keyed(["c:one", credit(1n)]), "c:one"),
      unsure(stale.keyed(["c:one", credit(1n)]), "c:one"),
      sure.keyed(["c:three", credit(1n)]),
      resent
    ]
    assert.deepEqual(bare(yield* log.append(commits)), [appended, keySeen, conflict, appended, appended])
    assert.deepEqual(yield* Effect.forEach(samples, (sample) => versions(log, sample)), [4, 3, 3, 4, 4])
  })
)

const ownKeys = keyCase(
  "answers Appended to an append sent again, whose own keys are there by now, also after later events",
  Effect.fnUntraced(function* (log) {
    const sample = yield* started(log)
    const commit = unsure(sample.keyed(["c:new", credit(1n)], ["c:more", credit(1n)]), "c:new", "c:more", "c:rejected")
    for (let n = 0; n < 3; n++) assert.deepEqual(bare(yield* log.append([commit])), [appended])
    const later = unsure(sample.keyed(["c:rejected", credit(1n)]), "c:rejected")
    assert.deepEqual(bare(yield* log.append([later])), [appended])
    assert.deepEqual(bare(yield* log.append([commit, (yield* started(log)).keyed(["c:x", credit(1n)])])), [
      appended,
      appended
    ])
    assert.equal(yield* versions(log, sample), 6)
  })
)

const laterKeys = keyCase(
  "counts no key at a version that the owner does not know of: the stream is elsewhere",
  Effect.fnUntraced(function* (log) {
    const sample = yield* started(log)
    const { version, wallet } = sample
    yield* log.append([sample.keyed(["c:new", credit(1n)])])
    const behind = new SampleWallet({ id: sample.id, partition: sample.partition })
    behind.wallet = wallet
    const rival = unsure(behind.keyed(["c:new", credit(1n)]), "c:new")
    assert.equal(rival.expectedVersion, version)
    assert.deepEqual(bare(yield* log.append([rival])), [conflict])
  })
)

const twoEvents = keyCase(
  "knows the key of a command of two events, and takes such a command with an unsure key",
  Effect.fnUntraced(function* (log) {
    const sample = yield* started(log)
    const update = (limit: bigint) =>
      ["c:both", { _tag: "UpdateWallet", overdraftLimit: limit, metadata: { limit: `${limit}` } }] as const
    const both = unsure(sample.keyed(update(4n)), "c:both")
    assert.equal(both.events.length, 2)
    assert.deepEqual(bare(yield* log.append([both])), [appended])
    assert.deepEqual(bare(yield* log.append([both])), [appended])
    const { wallet } = sample
    const replay = unsure(sample.keyed(update(5n)), "c:both")
    assert.deepEqual(bare(yield* log.append([replay])), [keySeen])
    sample.wallet = wallet
    assert.deepEqual(bare(yield* log.append([unsure(sample.keyed(["c:new", credit(1n)]), "c:new")])), [appended])
  })
)

export const keySeenContract: ReadonlyArray<ContractCase<EventStore>> = [
  leavesOut,
  newKeys,
  ofOthers,
  harmless,
  ownKeys,
  laterKeys,
  twoEvents
]
