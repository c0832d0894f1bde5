/**
 * Refusals: what stands in the place of an event that a user's rule has refused.
 * For adapters whose log is elsewhere; the commits of these cases are in no log.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import type { Commit } from "../../domain/Commit.ts"
import { Persistence, type Refusal } from "../../stores/Persistence.ts"
import { StoreUnavailable } from "../../stores/StoreError.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { merged, rowsOf, transactionsOf, viewOf, written, writtenBefore } from "./Observations.ts"
import { credit, debit, placeHold, SampleWallet, send, undo, uniqueId } from "./SampleWallet.ts"

const why = { reason: "no more than 100 🐎", time: 1_700_000_000_000 }

const refusalsOf = ({ events, walletId }: Commit, reversedVersion: number | null = null): ReadonlyArray<Refusal> =>
  events.map(({ id, version }) => ({ walletId, version, eventId: id, reason: why.reason, reversedVersion }))

const keysOf = (commit: Commit) => commit.events.map(({ metadata }) => metadata.key)

const takesThePlace = contractCase(
  "puts a refusal in the place of an event: the version moves, the key is known, no other row changes",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const sample = new SampleWallet()
    const first = sample.commit(sample.creation(), credit(50n))
    yield* persistence.write([first])
    const before = yield* rowsOf(sample.id)
    const refused = sample.commit(credit(101n), placeHold(uniqueId("hold"), 5n), send(uniqueId("t"), "elsewhere", 1n))
    assert.deepEqual(yield* persistence.refuse(refused, why), written)
    const after = yield* rowsOf(sample.id, keysOf(refused))
    assert.deepEqual(after.wallet, { ...before.wallet, version: 4 })
    assert.deepEqual(
      [after.transactions, after.holds, after.transfers],
      [before.transactions, before.holds, before.transfers]
    )
    assert.deepEqual(after.refusals, refusalsOf(refused))
    assert.deepEqual(after.persisted, { version: 4, eventId: refused.events[2]!.id })
    assert.deepEqual([after.seen.persistedVersion, after.seen.seen.length], [4, 3])
    const next = sample.commit(debit(7n))
    assert.deepEqual(yield* persistence.write([next]), [written])
    assert.deepEqual(yield* persistence.wallet(sample.id), viewOf(sample.wallet!))
  })
)

const repeats = contractCase(
  "answers Written to the same refusal again and to a write of what was refused, and changes nothing",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const sample = new SampleWallet()
    yield* persistence.write([sample.create()])
    const refused = sample.commit(credit(101n))
    yield* persistence.refuse(refused, why)
    const before = yield* rowsOf(sample.id, keysOf(refused))
    assert.deepEqual(yield* persistence.refuse(refused, { ...why, reason: "another" }), written)
    assert.deepEqual(yield* persistence.write([refused]), [writtenBefore])
    assert.deepEqual(yield* rowsOf(sample.id, keysOf(refused)), before)
    const later = sample.commit(credit(1n))
    yield* persistence.write([later])
    assert.deepEqual(yield* persistence.refuse(refused, why), written)
    assert.deepEqual(yield* persistence.write([merged(refused, later)]), [writtenBefore])
    assert.deepEqual((yield* persistence.refusals(sample.id)).length, 1)
  })
)

const keepsTheGuard = contractCase(
  "refuses nothing that is written, that leaves a gap or that is somebody else's",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const sample = new SampleWallet()
    const first = sample.commit(sample.creation(), credit(1n))
    yield* persistence.write([first])
    const second = sample.commit(credit(2n))
    const third = sample.commit(credit(3n))
    const before = yield* rowsOf(sample.id, keysOf(third))
    assert.deepEqual(yield* persistence.refuse(third, why), { _tag: "Gap", persistedVersion: 1 })
    assert.deepEqual(yield* persistence.refuse(first, why), { _tag: "Gap", persistedVersion: 1 })
    const foreign = { ...first, events: first.events.map((event) => ({ ...event, id: randomUUID() })) }
    assert.deepEqual(yield* persistence.refuse(foreign, why), { _tag: "Diverged", persistedVersion: 1 })
    const overlapping = merged({ ...first, expectedVersion: 0, events: first.events.slice(1) }, second)
    assert.deepEqual(yield* persistence.refuse(overlapping, why), { _tag: "Gap", persistedVersion: 1 })
    assert.deepEqual(yield* rowsOf(sample.id, keysOf(third)), before)
    assert.deepEqual(yield* persistence.write([second]), [written])
  })
)

const reversal = contractCase(
  "closes a refusal by its OperationReversed, and shows the reversal's own row",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const sample = new SampleWallet()
    yield* persistence.write([sample.commit(sample.creation(), credit(5n))])
    const before = sample.wallet
    const refused = sample.commit(credit(101n))
    yield* persistence.refuse(refused, why)
    const undone = sample.commit(undo(refused.events[0]!, before))
    assert.deepEqual(yield* persistence.write([merged(undone, sample.commit(debit(1n)))]), [written])
    const rows = yield* rowsOf(sample.id)
    assert.deepEqual(rows.refusals, refusalsOf(refused, 3))
    assert.deepEqual(rows.wallet, viewOf(sample.wallet!))
    assert.equal(rows.wallet?.balance, 4n)
    assert.deepEqual(
      rows.transactions.map(({ amount, type }) => [type, amount]),
      [
        ["credit", 5n],
        ["reversal", 101n],
        ["debit", 1n]
      ]
    )
    const open = yield* persistence.openRefusals({ after: { walletId: sample.id, version: -1 }, limit: 1 })
    assert.notEqual(open[0]?.walletId, sample.id)
  })
)

const refusedCreation = contractCase(
  "keeps of a wallet whose creation is refused nothing but refusals and keys, for ever",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const sample = new SampleWallet()
    const creation = sample.create()
    const before = undefined
    assert.deepEqual(yield* persistence.refuse(creation, why), written)
    const undone = sample.commit(undo(creation.events[0]!, before))
    const later = sample.commit({
      _tag: "RefuseTransfer",
      transferId: uniqueId("t"),
      from: "x",
      amount: 1n,
      reason: "closed"
    })
    assert.deepEqual(yield* persistence.write([later]), [{ _tag: "Gap", persistedVersion: 0 }])
    assert.deepEqual(yield* persistence.write([undone, new SampleWallet().create()]), [written, written])
    assert.deepEqual(yield* persistence.write([merged(undone, later)]), [writtenBefore])
    assert.deepEqual(yield* persistence.write([merged(creation, undone, later)]), [writtenBefore])
    assert.deepEqual(yield* persistence.refuse(creation, why), written)
    const rows = yield* rowsOf(sample.id, keysOf(merged(creation, undone, later)))
    assert.deepEqual([rows.wallet, rows.transactions, rows.holds, rows.transfers], [undefined, [], [], []])
    assert.deepEqual(rows.refusals, refusalsOf(creation, 1))
    assert.deepEqual(rows.persisted, { version: 2, eventId: later.events[0]!.id })
    assert.deepEqual([rows.seen.persistedVersion, rows.seen.seen.length], [2, 3])
    assert.deepEqual(
      yield* persistence
        .scanWallets({ after: `${sample.id.slice(0, -1)}`, limit: 1 })
        .pipe(Effect.map((wallets) => wallets.filter(({ id }) => id === sample.id))),
      []
    )
    const foreign = { ...later, events: later.events.map((event) => ({ ...event, id: randomUUID() })) }
    assert.deepEqual(yield* persistence.write([foreign]), [{ _tag: "Diverged", persistedVersion: 2 }])
  })
)

const refusedInTurn = contractCase(
  "refuses one event after the other of a wallet without a row, and of one with",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    for (const withRow of [true, false]) {
      const sample = new SampleWallet()
      const creation = sample.create()
      if (withRow) yield* persistence.write([creation])
      else yield* persistence.refuse(creation, why)
      const [one, two] = [sample.commit(credit(1n)), sample.commit(credit(2n), credit(3n))] as const
      assert.deepEqual(yield* persistence.refuse(one, why), written)
      assert.deepEqual(yield* persistence.refuse(two, why), written)
      assert.equal((yield* persistence.persistedVersions([sample.id])).get(sample.id)?.version, 3)
      assert.deepEqual((yield* persistence.refusals(sample.id)).length, withRow ? 3 : 4)
    }
  })
)

const openPages = contractCase(
  "lists open refusals by wallet and version, from any place on",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const prefix = uniqueId("open")
    for (const name of ["b", "-a", "a"]) {
      const sample = new SampleWallet({ id: `${prefix}${name}` })
      yield* persistence.write([sample.create()])
      yield* persistence.refuse(sample.commit(credit(1n), credit(2n)), why)
    }
    const list = (walletId: string, version: number, limit: number) =>
      Effect.map(persistence.openRefusals({ after: { walletId, version }, limit }), (found) =>
        found.map((refusal) => [refusal.walletId.slice(prefix.length), refusal.version])
      )
    assert.deepEqual(yield* list(prefix, 0, 6), [
      ["-a", 1],
      ["-a", 2],
      ["a", 1],
      ["a", 2],
      ["b", 1],
      ["b", 2]
    ])
    assert.deepEqual(yield* list(`${prefix}-a`, 1, 2), [
      ["-a", 2],
      ["a", 1]
    ])
  })
)

/** A refusal on its way in each of its forms: of a wallet with a row, of a creation, after a creation that was refused. */
const forms = Effect.gen(function* () {
  const persistence = yield* Persistence
  const [plain, anew, refused] = [new SampleWallet(), new SampleWallet(), new SampleWallet()]
  yield* persistence.write([plain.create()])
  yield* persistence.refuse(refused.create(), why)
  return [
    { sample: plain, commit: plain.commit(credit(1n)) },
    { sample: plain, commit: plain.commit(credit(1n), credit(2n)) },
    { sample: anew, commit: anew.commit(anew.creation(), credit(1n)) },
    { sample: refused, commit: refused.commit(credit(1n)) }
  ]
})

const withdrawn = contractCase(
  "writes no refusal that may not be any more, or of which that cannot be told",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const cannotTell = new StoreUnavailable({ store: "log", reason: "it is away", retryAfter: 1 })
    for (const { commit, sample } of yield* forms) {
      const before = yield* rowsOf(sample.id, keysOf(commit))
      assert.deepEqual(yield* persistence.refuse(commit, why, Effect.succeed(false)), { _tag: "Withdrawn" })
      assert.deepEqual(yield* Effect.flip(persistence.refuse(commit, why, Effect.fail(cannotTell))), cannotTell)
      assert.deepEqual(yield* rowsOf(sample.id, keysOf(commit)), before)
      assert.deepEqual(yield* persistence.refuse(commit, why, Effect.succeed(true)), written)
      assert.equal((yield* persistence.persistedVersions([sample.id])).get(sample.id)?.version, commit.wallet.version)
      // It stands already: nobody is asked.
      assert.deepEqual(yield* persistence.refuse(commit, why, Effect.succeed(false)), written)
    }
    const later = new SampleWallet()
    yield* persistence.write([later.create()])
    const next = later.commit(credit(1n))
    const gap = later.commit(credit(2n))
    assert.deepEqual(yield* persistence.refuse(gap, why, Effect.succeed(false)), { _tag: "Gap", persistedVersion: 0 })
    assert.deepEqual(yield* persistence.write([next]), [written])
  })
)

const keepsWaiting = contractCase(
  "keeps who writes or erases the same events waiting while it asks whether it still may",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    for (const { commit, sample } of yield* forms) {
      const asked = yield* Deferred.make<void>()
      const answer = yield* Deferred.make<boolean>()
      const ask = Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(answer))
      const refusing = yield* Effect.forkChild(persistence.refuse(commit, why, ask))
      yield* Deferred.await(asked)
      const writing = yield* Effect.forkChild(persistence.write([commit]))
      // Time enough for one that does not wait; one that does has it whatever comes.
      yield* Effect.timeoutOption(Fiber.await(writing), 100)
      yield* Deferred.succeed(answer, true)
      assert.deepEqual(yield* Fiber.join(refusing), written)
      assert.deepEqual(yield* Fiber.join(writing), [writtenBefore])
      assert.equal((yield* rowsOf(sample.id)).refusals.at(-1)?.eventId, commit.events.at(-1)!.id)
    }
    const sample = new SampleWallet()
    yield* persistence.write([sample.create()])
    const commit = sample.commit(credit(1n))
    const asked = yield* Deferred.make<void>()
    const answer = yield* Deferred.make<boolean>()
    const ask = Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(answer))
    const refusing = yield* Effect.forkChild(persistence.refuse(commit, why, ask))
    yield* Deferred.await(asked)
    const erasing = yield* Effect.forkChild(persistence.erase(sample.id))
    yield* Effect.timeoutOption(Fiber.await(erasing), 100)
    yield* Deferred.succeed(answer, true)
    assert.deepEqual(yield* Fiber.join(refusing), written)
    yield* Fiber.join(erasing)
    assert.deepEqual(yield* persistence.refusals(sample.id), [])
  })
)

const eitherOr = contractCase(
  "lets either the rows or the refusals stand when both are written at the same moment",
  Effect.gen(function* () {
    const persistence = yield* Persistence
    for (let round = 0; round < 10; round++) {
      const sample = new SampleWallet()
      const creation = sample.commit(sample.creation(), credit(7n))
      const commit = round % 2 === 0 ? creation : sample.commit(credit(5n))
      if (commit !== creation) yield* persistence.write([creation])
      const write = persistence.write([commit])
      const refuse = persistence.refuse(commit, why)
      const [writes, refusal] = yield* Effect.all(
        round % 3 === 0 ? [write, refuse] : [Effect.andThen(Effect.yieldNow, write), refuse],
        { concurrency: "unbounded" }
      )
      // Whoever writes what is refused must not take it for accepted.
      assert.deepEqual(writes, [refusal._tag === "Written" ? writtenBefore : written])
      const rows = yield* rowsOf(sample.id)
      const count = rows.transactions.length
      if (refusal._tag === "Written") {
        assert.deepEqual(rows.refusals, refusalsOf(commit))
        assert.equal(count, commit === creation ? 0 : 1)
        assert.equal(rows.wallet === undefined, commit === creation)
      } else {
        assert.deepEqual(refusal, { _tag: "Gap", persistedVersion: sample.version })
        assert.deepEqual(rows.refusals, [])
        assert.deepEqual(
          rows.transactions,
          transactionsOf(sample.wallet!, commit === creation ? creation.events : merged(creation, commit).events)
        )
      }
      assert.equal(rows.persisted?.version, sample.version)
    }
  })
)

export const refusalContract: ReadonlyArray<ContractCase<Persistence>> = [
  takesThePlace,
  repeats,
  keepsTheGuard,
  reversal,
  refusedCreation,
  refusedInTurn,
  openPages,
  withdrawn,
  keepsWaiting,
  eitherOr
]
