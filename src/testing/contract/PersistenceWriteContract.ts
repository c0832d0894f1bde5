/**
 * What every transactional view must do that is written behind a log: the gapless
 * guard, repeats, gaps, divergence, checkpoints. For adapters whose log is elsewhere; the
 * commits of these cases are in no log. `RefusalContract.ts` has the refusals.
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import type { Commit } from "../../domain/Commit.ts"
import { Persistence, type PersistOutcome } from "../../stores/Persistence.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { merged, rowsOf, transactionsOf, viewOf, written, writtenBefore } from "./Observations.ts"
import { capture, credit, debit, placeHold, release, SampleWallet, send, settle, uniqueId } from "./SampleWallet.ts"

const gap = (persistedVersion: number): PersistOutcome => ({ _tag: "Gap", persistedVersion })
const diverged = (persistedVersion: number): PersistOutcome => ({ _tag: "Diverged", persistedVersion })

/** The same events under other ids: somebody else's. */
const foreign = (commit: Commit, ...versions: ReadonlyArray<number>): Commit => ({
  ...commit,
  events: commit.events.map((event) =>
    versions.length === 0 || versions.includes(event.version) ? { ...event, id: randomUUID() } : event
  )
})

const keysOf = (...commits: ReadonlyArray<Commit>) =>
  commits.flatMap(({ events }) => events.map(({ metadata }) => metadata.key))

const writesRows = contractCase(
  "writes all rows of commits of many wallets at once",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const samples = Array.from({ length: 20 }, () => new SampleWallet())
    const creations = samples.map((sample) => sample.commit(sample.creation(), credit(100n, "first")))
    assert.deepEqual(yield* persistence.write(creations), Array(20).fill(written))
    const hold = uniqueId("hold")
    const moves = samples.map((sample) => sample.commit(placeHold(hold, 10n), debit(1n), capture(hold, 4n)))
    const further = [...moves.slice(0, 10), new SampleWallet().create(), ...moves.slice(10)]
    assert.deepEqual(yield* persistence.write(further), Array(21).fill(written))
    for (const [index, sample] of samples.entries()) {
      const commits = [creations[index]!, moves[index]!]
      const { events } = merged(...commits)
      const rows = yield* rowsOf(sample.id, keysOf(...commits))
      assert.deepEqual(rows.wallet, viewOf(sample.wallet!))
      assert.deepEqual(rows.transactions, transactionsOf(sample.wallet!, events))
      assert.deepEqual(
        rows.holds.map(({ id, remaining }) => [id, remaining]),
        [[hold, 6n]]
      )
      assert.deepEqual(rows.persisted, { version: 4, eventId: events[4]!.id })
      assert.equal(rows.seen.persistedVersion, 4)
      assert.deepEqual(
        rows.seen.seen,
        events.map(({ metadata: { fingerprint, key }, version }) => ({ key, fingerprint, version }))
      )
    }
    assert.deepEqual(yield* persistence.write([]), [])
  })
)

const refusesGaps = contractCase(
  "answers Gap to what does not continue what is there, writes nothing of it, and writes the others",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const [behind, unknown, fine] = [new SampleWallet(), new SampleWallet(), new SampleWallet()] as const
    const start = behind.commit(behind.creation(), credit(1n))
    yield* persistence.write([start])
    const missing = behind.commit(credit(2n))
    const ahead = behind.commit(credit(3n), placeHold(uniqueId("hold"), 1n))
    unknown.create()
    const orphan = unknown.commit(credit(1n))
    const before = yield* rowsOf(behind.id, keysOf(ahead))
    assert.deepEqual(yield* persistence.write([ahead, orphan, fine.create()]), [gap(1), gap(-1), written])
    assert.deepEqual(yield* rowsOf(behind.id, keysOf(ahead)), before)
    const nothing = yield* rowsOf(unknown.id, keysOf(orphan))
    assert.deepEqual([nothing.wallet, nothing.persisted, nothing.seen.seen], [undefined, undefined, []])
    assert.equal((yield* persistence.wallet(fine.id))?.version, 0)
    assert.deepEqual(yield* persistence.write([missing]), [written])
    assert.deepEqual(yield* persistence.write([ahead]), [written])
    assert.deepEqual(yield* persistence.wallet(behind.id), viewOf(behind.wallet!))
  })
)

const repeats = contractCase(
  "tells what is there already from what is new, beside new commits and after later ones, and changes nothing",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const [sample, other] = [new SampleWallet(), new SampleWallet()] as const
    const hold = uniqueId("hold")
    const first = sample.commit(sample.creation(), credit(10n), placeHold(hold, 5n))
    const second = sample.commit(release(hold), debit(3n))
    assert.deepEqual(yield* persistence.write([first]), [written])
    assert.deepEqual(yield* persistence.write([first]), [writtenBefore])
    assert.deepEqual(yield* persistence.write([second]), [written])
    const before = yield* rowsOf(sample.id, keysOf(first, second))
    assert.deepEqual(yield* persistence.write([first, other.create()]), [writtenBefore, written])
    assert.deepEqual(yield* persistence.write([second]), [writtenBefore])
    assert.deepEqual(yield* persistence.write([merged(first, second)]), [writtenBefore])
    assert.deepEqual(yield* rowsOf(sample.id, keysOf(first, second)), before)
  })
)

const rests = contractCase(
  "writes the rest of a commit that is there in part",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const sample = new SampleWallet()
    const [held, transfer] = [uniqueId("hold"), uniqueId("transfer")]
    const commits = [
      sample.commit(sample.creation(), credit(10n)),
      sample.commit(placeHold(held, 5n), send(transfer, "elsewhere", 2n)),
      sample.commit(capture(held), settle(transfer), {
        _tag: "UpdateWallet",
        overdraftLimit: null,
        metadata: { a: "b" }
      })
    ] as const
    yield* persistence.write([commits[0]])
    assert.deepEqual(yield* persistence.write([merged(commits[0], commits[1])]), [writtenBefore])
    const whole = merged(...commits)
    assert.deepEqual(yield* persistence.write([new SampleWallet().create(), whole]), [written, writtenBefore])
    const rows = yield* rowsOf(sample.id, keysOf(whole))
    assert.deepEqual(rows.wallet, viewOf(sample.wallet!))
    assert.deepEqual(rows.transactions, transactionsOf(sample.wallet!, whole.events))
    assert.deepEqual([rows.holds[0]?.status, rows.transfers[0]?.status], ["captured", "completed"])
    assert.equal(rows.seen.seen.length, whole.events.length)
  })
)

const diverges = contractCase(
  "answers Diverged where another event is in the place, whatever event it is, and writes nothing",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const sample = new SampleWallet()
    const first = sample.commit(sample.creation(), credit(1n), {
      _tag: "Freeze",
      reason: null,
      direction: null,
      until: null
    })
    const second = sample.commit({ _tag: "Unfreeze", reason: null }, credit(2n))
    yield* persistence.write([first])
    const before = yield* rowsOf(sample.id, keysOf(first, second))
    for (const version of [0, 1, 2]) {
      assert.deepEqual(yield* persistence.write([foreign(first, version)]), [diverged(2)])
      assert.deepEqual(yield* persistence.write([foreign(merged(first, second), version)]), [diverged(2)])
    }
    assert.deepEqual(yield* rowsOf(sample.id, keysOf(first, second)), before)
    assert.deepEqual(yield* persistence.write([second]), [written])
    assert.deepEqual(yield* persistence.write([foreign(second)]), [diverged(4)])
    const twin = new SampleWallet({ id: sample.id })
    assert.deepEqual(yield* persistence.write([twin.create()]), [diverged(4)])
  })
)

const checkpointOf = (owner: string) =>
  Effect.gen(function* () {
    const persistence = yield* Persistence
    return (yield* persistence.checkpoints).find((checkpoint) => checkpoint.owner === owner)?.position
  })

const recordsCheckpoints = contractCase(
  "records a checkpoint with a write, only when all of it is written, and never backwards",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const owner = uniqueId("node")
    const sample = new SampleWallet()
    const create = sample.create()
    sample.commit(credit(1n))
    const ahead = sample.commit(credit(2n))
    yield* persistence.write([create, new SampleWallet().create()], { owner, position: 5n })
    assert.equal(yield* checkpointOf(owner), 5n)
    yield* persistence.write([new SampleWallet().create(), ahead], { owner, position: 6n })
    assert.equal(yield* checkpointOf(owner), 5n)
    yield* persistence.write([create], { owner, position: 7n })
    assert.equal(yield* checkpointOf(owner), 7n)
    yield* persistence.write([new SampleWallet().create()], { owner, position: 6n })
    assert.equal(yield* checkpointOf(owner), 7n)
    yield* persistence.write([], { owner, position: 2n ** 62n })
    assert.equal(yield* checkpointOf(owner), 2n ** 62n)
    yield* persistence.setCheckpoint(owner, 3n)
    assert.equal(yield* checkpointOf(owner), 3n)
    yield* persistence.setCheckpoint(owner, undefined)
    assert.equal(yield* checkpointOf(owner), undefined)
    yield* persistence.setCheckpoint(owner, undefined)
    yield* persistence.setCheckpoint(owner, 0n)
    assert.equal(yield* checkpointOf(owner), 0n)
  })
)

const versions = contractCase(
  "tells the persisted versions of many wallets, with the ids of their last events",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const [moved, frozen, unknown] = [new SampleWallet(), new SampleWallet(), new SampleWallet()] as const
    const commits = [
      moved.commit(moved.creation(), credit(1n)),
      frozen.commit(frozen.creation(), { _tag: "Freeze", reason: null, direction: null, until: null })
    ] as const
    yield* persistence.write(commits)
    const found = yield* persistence.persistedVersions([unknown.id, frozen.id, moved.id, moved.id])
    assert.deepEqual(
      [...found].sort(([a], [b]) => (a < b ? -1 : 1)),
      [
        [moved.id, { version: 1, eventId: commits[0].events[1]!.id }],
        [frozen.id, { version: 1, eventId: commits[1].events[1]!.id }]
      ].sort(([a], [b]) => (a! < b! ? -1 : 1))
    )
    assert.equal((yield* persistence.persistedVersions([])).size, 0)
  })
)

const atOnce = contractCase(
  "writes once what several write at the same moment, whole or overlapping",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const samples = Array.from({ length: 12 }, () => new SampleWallet())
    const hold = uniqueId("hold")
    const first = samples.map((sample) => sample.commit(sample.creation(), credit(10n), placeHold(hold, 3n)))
    const second = samples.map((sample) => sample.commit(capture(hold, 1n), credit(1n)))
    const both = first.map((commit, index) => merged(commit, second[index]!))
    const outcomes = yield* Effect.all(
      [first, both, first.toReversed(), both, first].map((commits) => persistence.write(commits)),
      {
        concurrency: "unbounded"
      }
    )
    assert.deepEqual(
      outcomes.flat().map(({ _tag }) => _tag),
      Array(60).fill("Written")
    )
    for (const [index, sample] of samples.entries()) {
      const rows = yield* rowsOf(sample.id)
      assert.deepEqual(rows.wallet, viewOf(sample.wallet!))
      assert.deepEqual(rows.transactions, transactionsOf(sample.wallet!, both[index]!.events))
      assert.deepEqual(rows.holds[0]?.remaining, 2n)
    }
  })
)

const erasedAtOnce = contractCase(
  "leaves all of a wallet or nothing when it is erased while it is written",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    for (let round = 0; round < 12; round++) {
      const sample = new SampleWallet()
      const first = sample.commit(sample.creation(), credit(10n))
      const second = sample.commit(credit(1n), debit(2n), placeHold(uniqueId("hold"), 1n))
      if (round % 2 === 0) yield* persistence.write([first])
      const write = Effect.andThen(
        round % 3 === 0 ? Effect.yieldNow : Effect.void,
        persistence.write([merged(first, second)])
      )
      yield* Effect.all([write, persistence.erase(sample.id)], { concurrency: "unbounded" })
      const rows = yield* rowsOf(sample.id, keysOf(first, second))
      assert.deepEqual(
        [rows.transactions.length, rows.holds.length, rows.seen.seen.length],
        rows.persisted ? [3, 1, 5] : [0, 0, 0]
      )
      assert.equal((yield* persistence.write([merged(first, second)]))[0]?._tag, "Written")
      assert.deepEqual(yield* persistence.wallet(sample.id), viewOf(sample.wallet!))
    }
  })
)

/** Numbers that look random and are the same in every run. */
const numbers = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 4_294_967_296) * below)
  }
}

const anyHistory = (sample: SampleWallet, next: (below: number) => number): ReadonlyArray<Commit> => {
  const commits = [sample.commit(sample.creation(), credit(1_000n))]
  const [held, sent] = [uniqueId("hold"), uniqueId("transfer")]
  const steps = [
    () => sample.commit(credit(3n), debit(2n)),
    () => sample.commit(placeHold(held, 20n, sample.time + 60_000), credit(1n)),
    () => sample.commit(send(sent, "elsewhere", 5n)),
    () => sample.commit(capture(held, 7n), { _tag: "UpdateWallet", overdraftLimit: null, metadata: { n: "1" } }),
    () => sample.commit(settle(sent), debit(1n)),
    () => sample.commit(release(held))
  ]
  for (const step of steps) {
    commits.push(step())
    if (next(2) === 0) commits.push(sample.commit(credit(1n)))
  }
  return commits
}

const anyOrder = contractCase(
  "ends with the same rows in whatever order, however often and however overlapping commits are written",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    for (let seed = 1; seed <= 12; seed++) {
      const next = numbers(seed)
      const [straight, shuffled] = [new SampleWallet(), new SampleWallet()] as const
      const commits = anyHistory(shuffled, next)
      const whole = merged(...commits)
      let version = -1
      for (let tries = 0; version < shuffled.version; tries++) {
        assert.ok(tries < 2_000, `seed ${seed} never ends`)
        const from = next(commits.length)
        const part = merged(...commits.slice(from, from + 1 + next(3)))
        const [outcome] = yield* persistence.write([part])
        const last = part.events[part.events.length - 1]!.version
        const first = part.expectedVersion + 1
        const expected = first > version + 1 ? gap(version) : first <= version ? writtenBefore : written
        assert.deepEqual(outcome, expected, `seed ${seed}, try ${tries}`)
        if (outcome!._tag === "Written") version = Math.max(version, last)
      }
      const rows = yield* rowsOf(shuffled.id, keysOf(whole))
      assert.deepEqual(rows.wallet, viewOf(shuffled.wallet!), `seed ${seed}`)
      assert.deepEqual(rows.transactions, transactionsOf(shuffled.wallet!, whole.events), `seed ${seed}`)
      assert.equal(rows.seen.seen.length, whole.events.length)
      // The same history in one piece, of another wallet: the same holds and transfers but for the ids.
      yield* persistence.write([merged(...anyHistory(straight, numbers(seed)))])
      const reference = yield* rowsOf(straight.id)
      const shape = ({ holds, transfers }: typeof rows) => [
        holds.map(({ captured, remaining, status }) => ({ captured, remaining, status })),
        transfers.map(({ amount, reason, status, updatedAt }) => ({ amount, reason, status, updatedAt }))
      ]
      assert.deepEqual(shape(rows), shape(reference), `seed ${seed}`)
    }
  })
)

export const persistenceWriteContract: ReadonlyArray<ContractCase<Persistence>> = [
  writesRows,
  refusesGaps,
  repeats,
  rests,
  diverges,
  recordsCheckpoints,
  versions,
  atOnce,
  erasedAtOnce,
  anyOrder
]
