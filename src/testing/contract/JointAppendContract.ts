/** Commits of several wallets that belong together: a log that writes Persistence has all of them or none. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import type { Commit } from "../../domain/Commit.ts"
import { EventStore } from "../../stores/EventStore.ts"
import { Persistence } from "../../stores/Persistence.ts"
import { appended, bare, conflict, keySeen } from "./Observations.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { credit, receive, SampleWallet, send, settle, uniqueId, uniquePartition } from "./SampleWallet.ts"

/** A log that writes nothing but itself is given no such commits. */
const jointCase = (
  name: string,
  run: (log: EventStore["Service"]) => Effect.Effect<void, unknown, EventStore | Persistence>
) =>
  contractCase<EventStore | Persistence>(
    name,
    Effect.flatMap(EventStore, (log) => (log.writesPersistence ? run(log) : Effect.void))
  )

/** Wallets with money. */
const started = Effect.fnUntraced(function* (log: EventStore["Service"], count: number) {
  const samples = Array.from({ length: count }, () => new SampleWallet())
  yield* log.append(samples.map((sample) => sample.commit(sample.creation(), credit(100n))))
  return samples
})

interface Pair {
  readonly commit: Commit
  readonly source: SampleWallet
  readonly destination: SampleWallet
}

/** A transfer with all its steps, and a credit of the source before them. */
const transfer = (source: SampleWallet, destination: SampleWallet): Pair => {
  const transferId = uniqueId("t")
  const first = source.commit(credit(1n), send(transferId, destination.id, 7n))
  const second = destination.commit(receive(transferId, source.id, 7n))
  const third = source.commit(settle(transferId))
  const commit: Commit = {
    ...third,
    expectedVersion: first.expectedVersion,
    events: [...first.events, ...third.events],
    joint: { commits: [second], order: [...first.events, ...second.events, ...third.events] }
  }
  return { commit, source, destination }
}

const versionsOf = (log: EventStore["Service"], { destination, source }: Pair) =>
  Effect.forEach([source, destination], ({ id }) =>
    Effect.map(log.read(id, { after: -1, limit: 99 }), (events) => events.length)
  )

const inOrder = jointCase(
  "appends what belongs together in the order given, and writes the rows of all wallets",
  Effect.fnUntraced(function* (log) {
    const { position } = yield* log.head
    const [a, b, c, d] = (yield* started(log, 4)) as [SampleWallet, SampleWallet, SampleWallet, SampleWallet]
    const pairs = [transfer(a, b), transfer(d, c)]
    const outcomes = yield* log.append(pairs.map(({ commit }) => commit))
    assert.deepEqual(bare(outcomes), [appended, appended])
    const persistence = yield* Persistence
    const read = (yield* log.readAll({ after: position, limit: 1_000 })).map(({ recorded }) => recorded)
    for (const [index, { commit, destination, source }] of pairs.entries()) {
      const order = commit.joint!.order
      const own = read.filter(({ id }) => order.some((recorded) => recorded.id === id))
      assert.deepEqual(
        own.map(({ id }) => id),
        order.map(({ id }) => id)
      )
      const outcome = outcomes[index]!
      const last = (yield* log.readAll({ after: position, limit: 1_000 })).find(
        ({ recorded }) => recorded.id === order[order.length - 1]!.id
      )!
      assert.ok(outcome._tag === "Appended" && outcome.position >= last.position)
      assert.equal((yield* persistence.wallet(source.id))?.balance, 94n)
      assert.equal((yield* persistence.wallet(destination.id))?.balance, 107n)
      const [sent] = (yield* persistence.transfers({ walletId: source.id, limit: 9 })).data
      assert.equal(sent?.status, "completed")
      const lists = yield* Effect.forEach([source, destination], ({ id }) =>
        persistence.transactions({ walletId: id, limit: 9 })
      )
      assert.deepEqual(
        lists.map(({ data }) => data.map(({ type }) => type)),
        [
          ["transfer_out", "credit", "credit"],
          ["transfer_in", "credit"]
        ]
      )
    }
  })
)

const together = jointCase(
  "leaves out all of what belongs together where one of it cannot be written, and costs others nothing",
  Effect.fnUntraced(function* (log) {
    const samples = yield* started(log, 8)
    const pair = (n: number) => transfer(samples[2 * n]!, samples[2 * n + 1]!)
    const [behindSource, behindOther, good, seen] = [pair(0), pair(1), pair(2), pair(3)]
    // The stream of one of each pair has moved, by somebody else.
    for (const { id, partition } of [behindSource.source, behindOther.destination]) {
      const twin = new SampleWallet({ id, partition })
      twin.commit(twin.creation(), credit(100n))
      yield* log.append([twin.commit(credit(1n))])
    }
    const known = (yield* log.read(seen.source.id, { after: -1, limit: 9 }))[0]!.metadata.key
    const alone = new SampleWallet()
    const outcomes = yield* log.append([
      behindSource.commit,
      behindOther.commit,
      alone.create(),
      good.commit,
      { ...seen.commit, unsureKeys: [known] }
    ])
    assert.deepEqual(bare(outcomes), [
      conflict,
      { _tag: "Withheld", walletId: behindOther.destination.id, because: conflict },
      appended,
      appended,
      keySeen
    ])
    assert.deepEqual(yield* versionsOf(log, behindSource), [3, 2])
    assert.deepEqual(yield* versionsOf(log, behindOther), [2, 3])
    assert.deepEqual(yield* versionsOf(log, good), [5, 3])
    assert.deepEqual(yield* versionsOf(log, seen), [2, 2])
    const persistence = yield* Persistence
    assert.equal((yield* persistence.wallet(behindOther.source.id))?.balance, 100n)
    assert.deepEqual((yield* persistence.transfers({ walletId: seen.source.id, limit: 9 })).data, [])
  })
)

const fenced = jointCase(
  "leaves out all of what belongs together where the partition of one was claimed since",
  Effect.fnUntraced(function* (log) {
    const [source, destination] = (yield* started(log, 2)) as [SampleWallet, SampleWallet]
    const pair = transfer(source, destination)
    const [claim] = yield* log.claim({ partitions: [destination.partition], owner: "another", time: source.time })
    const because = { _tag: "Fenced", epoch: claim!.epoch } as const
    assert.deepEqual(bare(yield* log.append([pair.commit])), [{ _tag: "Withheld", walletId: destination.id, because }])
    assert.deepEqual(yield* versionsOf(log, pair), [2, 2])
    yield* log.claim({ partitions: [source.partition], owner: "another", time: source.time })
    assert.equal((yield* log.append([pair.commit]))[0]!._tag, "Fenced")
    assert.deepEqual(yield* versionsOf(log, pair), [2, 2])
  })
)

const again = jointCase(
  "answers Appended to what belongs together and was sent before, also after later events and claims",
  Effect.fnUntraced(function* (log) {
    const [source, destination, other] = (yield* started(log, 3)) as [SampleWallet, SampleWallet, SampleWallet]
    const pair = transfer(source, destination)
    const beside = other.commit(credit(1n))
    for (let n = 0; n < 2; n++) {
      assert.deepEqual(bare(yield* log.append([beside, pair.commit])), [appended, appended])
    }
    yield* log.append([destination.commit(credit(1n))])
    yield* log.claim({ partitions: [destination.partition], owner: "another", time: source.time })
    assert.deepEqual(bare(yield* log.append([pair.commit])), [appended])
    assert.deepEqual(yield* versionsOf(log, pair), [5, 4])
  })
)

const created = jointCase(
  "appends the creation of a wallet together with another wallet's events, once",
  Effect.fnUntraced(function* (log) {
    const [other] = (yield* started(log, 1)) as [SampleWallet]
    const fresh = new SampleWallet({ partition: uniquePartition() })
    const first = fresh.create()
    const second = other.commit(credit(5n))
    const joint = { commits: [second], order: [...second.events, ...first.events] }
    const twin = new SampleWallet({ id: fresh.id, partition: fresh.partition }).create()
    assert.deepEqual(bare(yield* log.append([{ ...first, joint }])), [appended])
    const more = other.commit(credit(6n))
    assert.deepEqual(
      bare(yield* log.append([{ ...more, joint: { commits: [twin], order: [...more.events, ...twin.events] } }])),
      [{ _tag: "Withheld", walletId: twin.walletId, because: conflict }]
    )
    assert.equal((yield* log.read(other.id, { after: -1, limit: 9 })).length, 3)
    assert.equal((yield* log.read(fresh.id, { after: -1, limit: 9 })).length, 1)
  })
)

const race = jointCase(
  "lets what belongs together through once, whatever is appended to its wallets at the same time",
  Effect.fnUntraced(function* (log) {
    for (let n = 0; n < 5; n++) {
      const samples = yield* started(log, 2)
      const [source, destination] = samples as [SampleWallet, SampleWallet]
      const version = destination.version
      const pair = transfer(source, destination)
      const rival = new SampleWallet({ id: destination.id, partition: destination.partition })
      rival.commit(rival.creation(), credit(100n))
      const foreign = rival.commit(credit(1n))
      const [[first], [second]] = yield* Effect.all([log.append([pair.commit]), log.append([foreign])], {
        concurrency: "unbounded"
      })
      const isPairIn = first!._tag === "Appended"
      assert.equal(isPairIn, second!._tag !== "Appended", `${first!._tag} ${second!._tag}`)
      const [sources, destinations] = yield* versionsOf(log, pair)
      assert.deepEqual([sources, destinations], isPairIn ? [5, version + 2] : [2, version + 2])
    }
  })
)

const distinct = jointCase(
  "tells commits that were appended before under other ids from those sent again",
  Effect.fnUntraced(function* (log) {
    const [source, destination] = (yield* started(log, 2)) as [SampleWallet, SampleWallet]
    const { commit } = transfer(source, destination)
    const renamed = (part: Commit): Commit => ({
      ...part,
      events: part.events.map((recorded) => ({ ...recorded, id: randomUUID() }))
    })
    const foreign = renamed(commit.joint!.commits[0]!)
    yield* log.append([foreign])
    assert.deepEqual(bare(yield* log.append([commit])), [
      { _tag: "Withheld", walletId: destination.id, because: conflict }
    ])
  })
)

export const jointAppendContract: ReadonlyArray<ContractCase<EventStore | Persistence>> = [
  inOrder,
  together,
  fenced,
  again,
  created,
  race,
  distinct
]
