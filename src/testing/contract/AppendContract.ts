/** What every log must do: streams, appends, positions. `FenceContract.ts` and `SnapshotContract.ts` have the rest of the port. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import { type AppendOutcome, EventStore, type PositionedEvent } from "../../stores/EventStore.ts"
import { appended, bare, conflict } from "./Observations.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { keySeenContract } from "./KeySeenContract.ts"
import { capture, credit, debit, placeHold, release, SampleWallet, uniqueId } from "./SampleWallet.ts"

/** All events after a position, page by page. */
export const readFrom = Effect.fnUntraced(function* (after: bigint, pageSize = 200) {
  const log = yield* EventStore
  const events: Array<PositionedEvent> = []
  for (;;) {
    const page = yield* log.readAll({ after: events.at(-1)?.position ?? after, limit: pageSize })
    events.push(...page)
    if (page.length < pageSize) return events
  }
})

const readBack = contractCase(
  "reads back every event as it was appended",
  Effect.gen(function* () {
    const log = yield* EventStore
    const sample = new SampleWallet({
      overdraftLimit: 10n ** 30n - 1n,
      metadata: { ключ: 'Příliš žluťoučký 🐎 "quoted\\" {braces},', ["__proto__"]: "own" }
    })
    const hold = uniqueId("hold")
    const commit = sample.commit(
      sample.creation(),
      credit(10n ** 30n - 1n, "naïve 𝒓𝒆𝒇\n\t\u007f", { a: "", "": "b" }),
      debit(1n),
      placeHold(hold, 100n, sample.time + 1),
      capture(hold, 40n),
      release(hold),
      {
        _tag: "SendTransfer",
        transferId: uniqueId("t"),
        to: "other",
        currency: "EUR",
        destination: null,
        amount: 7n,
        reference: null,
        metadata: {},
        effectiveAt: 0
      },
      { _tag: "Freeze", reason: 'why, "not"?', direction: null, until: null },
      { _tag: "Unfreeze", reason: null },
      { _tag: "UpdateWallet", overdraftLimit: 0n, metadata: { k: "v" } }
    )
    const events = commit.events.map((recorded, index) => ({
      ...recorded,
      metadata: {
        ...recorded.metadata,
        actor: index === 1 ? "some key, of 'mine'" : null,
        correlationId: "c",
        causationId: "é"
      }
    }))
    assert.deepEqual(bare(yield* log.append([{ ...commit, events }])), [appended])
    assert.deepEqual(yield* log.read(sample.id, { after: -1, limit: 100 }), events)
  })
)

const readPages = contractCase(
  "reads a stream upwards, after a version and at most as many as asked for",
  Effect.gen(function* () {
    const log = yield* EventStore
    const sample = new SampleWallet()
    const { events } = sample.commit(sample.creation(), credit(1n), credit(2n), credit(3n))
    yield* log.append([{ ...new SampleWallet({ id: sample.id }).create(), events, wallet: sample.wallet! }])
    const read = (after: number, limit: number) => log.read(sample.id, { after, limit })
    assert.deepEqual(yield* read(-1, 2), events.slice(0, 2))
    assert.deepEqual(yield* read(1, 2), events.slice(2))
    assert.deepEqual(yield* read(3, 10), [])
    assert.deepEqual(yield* log.read(uniqueId("nobody"), { after: -1, limit: 10 }), [])
  })
)

const manyWallets = contractCase(
  "appends many wallets at once, positions going up along each stream",
  Effect.gen(function* () {
    const log = yield* EventStore
    const { position } = yield* log.head
    const samples = Array.from({ length: 40 }, () => new SampleWallet())
    const commits = samples.map((sample) => sample.commit(sample.creation(), credit(5n)))
    assert.deepEqual(
      bare(yield* log.append(commits)),
      commits.map(() => appended)
    )
    const ours = new Set(samples.map(({ id }) => id))
    const seen = (yield* readFrom(position)).filter(({ recorded }) => ours.has(recorded.walletId))
    assert.equal(seen.length, 80)
    seen.forEach((event, index) => assert.ok(index === 0 || event.position > seen[index - 1]!.position))
    for (const { events, walletId } of commits) {
      const stream = seen.filter(({ recorded }) => recorded.walletId === walletId)
      assert.deepEqual(
        stream.map(({ recorded }) => recorded),
        events
      )
    }
  })
)

const oneConflict = contractCase(
  "refuses the one commit that is not where it expects its stream to be, and appends the others",
  Effect.gen(function* () {
    const log = yield* EventStore
    const [before, stale, after] = [new SampleWallet(), new SampleWallet(), new SampleWallet()] as const
    yield* log.append([before, stale, after].map((sample) => sample.create()))
    const behind = stale.commit(credit(1n))
    const foreign = { ...behind, events: behind.events.map((event) => ({ ...event, id: randomUUID() })) }
    yield* log.append([foreign])
    const good = [before.commit(credit(2n)), after.commit(credit(3n), debit(1n))] as const
    assert.deepEqual(bare(yield* log.append([good[0], behind, good[1]])), [appended, conflict, appended])
    assert.deepEqual(yield* log.read(stale.id, { after: 0, limit: 9 }), foreign.events)
    assert.equal((yield* log.read(after.id, { after: -1, limit: 9 })).length, 3)
  })
)

const wrongExpectation = contractCase(
  "refuses to create a stream that is there, to continue one that is not, and to leave a gap",
  Effect.gen(function* () {
    const log = yield* EventStore
    const sample = new SampleWallet()
    yield* log.append([sample.create()])
    const twin = new SampleWallet({ id: sample.id, partition: sample.partition })
    assert.deepEqual(bare(yield* log.append([twin.create()])), [conflict])
    sample.commit(credit(1n))
    assert.deepEqual(bare(yield* log.append([sample.commit(credit(1n))])), [conflict])
    const nobody = new SampleWallet()
    nobody.create()
    assert.deepEqual(bare(yield* log.append([nobody.commit(credit(1n))])), [conflict])
    assert.deepEqual(yield* log.read(nobody.id, { after: -1, limit: 9 }), [])
    assert.equal((yield* log.read(sample.id, { after: -1, limit: 9 })).length, 1)
  })
)

const sameAgain = contractCase(
  "answers Appended to the same append again: whole, in part, beside new ones and after later events",
  Effect.gen(function* () {
    const log = yield* EventStore
    const [one, two, fresh] = [new SampleWallet(), new SampleWallet(), new SampleWallet()] as const
    yield* log.append([one.create(), two.create()])
    const commits = [one.commit(credit(1n), credit(2n), debit(1n)), two.commit(credit(3n))] as const
    assert.deepEqual(bare(yield* log.append(commits)), [appended, appended])
    assert.deepEqual(bare(yield* log.append(commits)), [appended, appended])
    assert.deepEqual(bare(yield* log.append([commits[1]])), [appended])
    assert.deepEqual(bare(yield* log.append([commits[1], fresh.create(), commits[0]])), [appended, appended, appended])
    yield* log.append([one.commit(credit(4n))])
    assert.deepEqual(bare(yield* log.append(commits)), [appended, appended])
    assert.equal((yield* log.read(one.id, { after: -1, limit: 99 })).length, 5)
    assert.equal((yield* log.read(two.id, { after: -1, limit: 99 })).length, 2)
  })
)

const notTheSame = contractCase(
  "answers Conflict when only some of a commit's events are in the log",
  Effect.gen(function* () {
    const log = yield* EventStore
    const sample = new SampleWallet()
    yield* log.append([sample.create()])
    const first = sample.commit(credit(1n))
    const second = sample.commit(credit(2n))
    const both = { ...second, expectedVersion: first.expectedVersion, events: [...first.events, ...second.events] }
    yield* log.append([first])
    assert.deepEqual(bare(yield* log.append([both])), [conflict])
    assert.deepEqual(bare(yield* log.append([second])), [appended])
  })
)

const raceForOneVersion = contractCase(
  "lets exactly one of several appends at the same version through",
  Effect.gen(function* () {
    const log = yield* EventStore
    const sample = new SampleWallet()
    yield* log.append([sample.create()])
    const next = sample.commit(credit(1n))
    const rivals = Array.from({ length: 8 }, () => ({
      ...next,
      events: next.events.map((event) => ({ ...event, id: randomUUID() }))
    }))
    const outcomes = yield* Effect.all(
      rivals.map((rival) => log.append([rival])),
      { concurrency: "unbounded" }
    )
    assert.deepEqual(
      outcomes
        .flat()
        .map(({ _tag }) => _tag)
        .sort(),
      [appended, ...Array(7).fill(conflict)].map(({ _tag }) => _tag)
    )
    const winner = rivals[outcomes.findIndex(([outcome]) => outcome?._tag === "Appended")]
    assert.deepEqual(yield* log.read(sample.id, { after: 0, limit: 9 }), winner?.events)
  })
)

const sameAtOnce = contractCase(
  "appends once what is sent several times at the same moment, and answers Appended to all",
  Effect.gen(function* () {
    const log = yield* EventStore
    const samples = Array.from({ length: 10 }, () => new SampleWallet())
    const commits = samples.map((sample) => sample.create())
    // A log may not know yet what becomes of the first of them: then it is asked again.
    const decided = Effect.retry(log.append(commits), { times: 20, while: ({ _tag }) => _tag === "AppendUnknown" })
    const outcomes = yield* Effect.all(
      Array.from({ length: 4 }, () => decided),
      { concurrency: "unbounded" }
    )
    assert.deepEqual(bare(outcomes.flat()), Array(40).fill(appended))
    for (const { id } of samples) assert.equal((yield* log.read(id, { after: -1, limit: 9 })).length, 1)
  })
)

/** Reads on from where it is until it has seen `count` of the wallets' events; answers all positions it saw. */
const follow = Effect.fnUntraced(function* (from: bigint, wallets: ReadonlySet<string>, count: number) {
  const log = yield* EventStore
  const seen: Array<bigint> = []
  let position = from
  let ours = 0
  while (ours < count) {
    const page = yield* log.readAll({ after: position, limit: 50 })
    for (const event of page) {
      seen.push(event.position)
      if (wallets.has(event.recorded.walletId)) ours++
    }
    position = page.at(-1)?.position ?? position
    yield* Effect.yieldNow
  }
  return seen
})

const noGapFilledLater = contractCase(
  "never shows a follower an event before a position that it has seen",
  Effect.gen(function* () {
    const log = yield* EventStore
    const { position } = yield* log.head
    const samples = Array.from({ length: 6 }, () => new SampleWallet())
    const writer = Effect.fnUntraced(function* (own: ReadonlyArray<SampleWallet>) {
      yield* log.append(own.map((sample) => sample.create()))
      for (let round = 0; round < 15; round++) {
        yield* log.append(own.map((sample) => sample.commit(credit(1n), credit(1n))))
      }
    })
    const total = 6 * (1 + 15 * 2)
    const [seen] = yield* Effect.all(
      [
        follow(position, new Set(samples.map(({ id }) => id)), total),
        ...[0, 2, 4].map((from) => writer(samples.slice(from, from + 2)))
      ],
      { concurrency: "unbounded" }
    )
    const last = seen.at(-1)!
    const all = (yield* readFrom(position)).map((event) => event.position).filter((at) => at <= last)
    assert.deepEqual(seen, all)
  })
)

const wholeLog = contractCase(
  "reads the whole log by pages of any size, and tells its head",
  Effect.gen(function* () {
    const log = yield* EventStore
    const before = yield* log.head
    const sample = new SampleWallet()
    yield* log.append([sample.commit(sample.creation(), ...Array.from({ length: 20 }, () => credit(1n)))])
    const after = yield* log.head
    assert.equal(after.logId, before.logId)
    assert.ok(after.position >= before.position + 21n)
    const of = (events: ReadonlyArray<PositionedEvent>) =>
      events.filter(({ recorded }) => recorded.walletId === sample.id).map(({ recorded }) => recorded.version)
    const versions = Array.from({ length: 21 }, (_, version) => version)
    assert.deepEqual(of(yield* readFrom(before.position, 4)), versions)
    assert.deepEqual(of(yield* readFrom(before.position, 1_000)), versions)
    assert.deepEqual(yield* log.readAll({ after: 2n ** 60n, limit: 10 }), [])
  })
)

const positions = contractCase(
  "answers for each commit a position within its append, not before its last event, also when it is asked again later",
  Effect.gen(function* () {
    const log = yield* EventStore
    const { position } = yield* log.head
    const samples = Array.from({ length: 3 }, () => new SampleWallet())
    const commits = samples.map((sample) => sample.commit(sample.creation(), credit(5n), credit(6n)))
    const first = yield* log.append(commits)
    const events = yield* readFrom(position)
    const ours = new Set(commits.flatMap((commit) => commit.events.map(({ id }) => id)))
    const places = events.flatMap((event) => (ours.has(event.recorded.id) ? [event.position] : []))
    const lasts = commits.map(
      (commit) => events.find(({ recorded }) => recorded.id === commit.events.at(-1)!.id)!.position
    )
    const assertWithin = (outcomes: ReadonlyArray<AppendOutcome>, from: ReadonlyArray<bigint>) =>
      outcomes.forEach((outcome, index) => {
        assert.ok(outcome._tag === "Appended")
        assert.ok(places.includes(outcome.position) && outcome.position >= from[index]!)
      })
    assertWithin(first, lasts)
    yield* log.append(samples.map((sample) => sample.commit(credit(7n))))
    assertWithin(yield* log.append(commits), lasts)
    assertWithin(yield* log.append([commits[1]!]), lasts.slice(1))
  })
)

const nothing = contractCase(
  "answers an append of nothing with nothing",
  Effect.gen(function* () {
    const log = yield* EventStore
    assert.deepEqual(yield* log.append([]), [])
  })
)

export const appendContract: ReadonlyArray<ContractCase<EventStore>> = [
  readBack,
  readPages,
  manyWallets,
  oneConflict,
  wrongExpectation,
  sameAgain,
  notTheSame,
  raceForOneVersion,
  sameAtOnce,
  noGapFilledLater,
  wholeLog,
  positions,
  nothing,
  ...keySeenContract
]
