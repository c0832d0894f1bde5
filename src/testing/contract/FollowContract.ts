/** Following the log: everything after a position, once, in order, for as long as one likes. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import assert from "node:assert/strict"
import { EventStore, type PositionedEvent } from "../../stores/EventStore.ts"
import { readFrom } from "./AppendContract.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { credit, SampleWallet } from "./SampleWallet.ts"

/** Follows until so many events of the wallets have come; answers all that it saw. */
const followUntil = Effect.fnUntraced(function* (after: bigint, wallets: ReadonlySet<string>, count: number) {
  const log = yield* EventStore
  const seen: Array<PositionedEvent> = []
  let ours = 0
  yield* Stream.runForEachWhile(log.follow(after), (events) =>
    Effect.sync(() => {
      for (const event of events) {
        seen.push(event)
        if (wallets.has(event.recorded.walletId)) ours++
      }
      return ours < count
    })
  )
  return seen
})

const idsOf = (samples: ReadonlyArray<SampleWallet>): ReadonlySet<string> => new Set(samples.map(({ id }) => id))

const versionsOf = (events: ReadonlyArray<PositionedEvent>, sample: SampleWallet) =>
  events.filter(({ recorded }) => recorded.walletId === sample.id).map(({ recorded }) => recorded.version)

const upTo = (version: number) => Array.from({ length: version + 1 }, (_, index) => index)

/** A follower that runs until the scope ends; `take` waits until so many more events of the wallets have come. */
const startFollowing = Effect.fnUntraced(function* (after: bigint, wallets: ReadonlySet<string>) {
  const log = yield* EventStore
  const queue = yield* Queue.unbounded<PositionedEvent>()
  yield* Effect.forkScoped(Stream.runForEach(log.follow(after), (events) => Queue.offerAll(queue, events)))
  const take = Effect.fnUntraced(function* (count: number) {
    const taken: Array<PositionedEvent> = []
    for (let ours = 0; ours < count;) {
      const event = yield* Queue.take(queue)
      taken.push(event)
      if (wallets.has(event.recorded.walletId)) ours++
    }
    return taken
  })
  return { take }
})

const oldThenNew = contractCase(
  "follows from a position: what is there, then what is appended, each event once and in order",
  Effect.gen(function* () {
    const log = yield* EventStore
    const { position } = yield* log.head
    const samples = Array.from({ length: 4 }, () => new SampleWallet())
    yield* log.append(samples.map((sample) => sample.create()))
    const follower = yield* startFollowing(position, idsOf(samples))
    const seen = yield* follower.take(4)
    // Bursts, and waiting for them: the follower is at the head, and falls behind it, in turns.
    for (let burst = 0; burst < 3; burst++) {
      for (let round = 0; round < 10; round++) {
        yield* log.append(samples.map((sample) => sample.commit(credit(1n))))
      }
      seen.push(...(yield* follower.take(40)))
    }
    const last = seen.at(-1)!.position
    const all = (yield* readFrom(position)).filter((event) => event.position <= last)
    assert.deepEqual(
      seen.map((event) => event.position),
      all.map((event) => event.position)
    )
    for (const sample of samples) assert.deepEqual(versionsOf(seen, sample), upTo(30))
  }).pipe(Effect.scoped)
)

const resumed = contractCase(
  "goes on behind any event that it has shown",
  Effect.gen(function* () {
    const log = yield* EventStore
    const { position } = yield* log.head
    const sample = new SampleWallet()
    yield* log.append([sample.commit(sample.creation(), credit(1n), credit(2n), credit(3n))])
    const ours = new Set([sample.id])
    const first = (yield* followUntil(position, ours, 4)).filter(({ recorded }) => recorded.walletId === sample.id)
    for (const event of first.slice(0, -1)) {
      const rest = yield* followUntil(event.position, ours, 3 - event.recorded.version)
      assert.deepEqual(versionsOf(rest, sample), upTo(3).slice(event.recorded.version + 1))
    }
    const before = yield* followUntil(first[1]!.position - 1n, ours, 3)
    assert.deepEqual(versionsOf(before, sample), [1, 2, 3])
  })
)

const waiting = contractCase(
  "waits at the head, and hears of each next event",
  Effect.gen(function* () {
    const log = yield* EventStore
    const { position } = yield* log.head
    const sample = new SampleWallet()
    const follower = yield* startFollowing(position, new Set([sample.id]))
    yield* log.append([sample.create()])
    assert.deepEqual(versionsOf(yield* follower.take(1), sample), [0])
    yield* log.append([sample.commit(credit(1n))])
    assert.deepEqual(versionsOf(yield* follower.take(1), sample), [1])
  }).pipe(Effect.scoped)
)

const beyond = contractCase(
  "fails with PositionGone for a position that the log has not reached",
  Effect.gen(function* () {
    const log = yield* EventStore
    const { position } = yield* log.head
    const error = yield* Effect.flip(Stream.runDrain(log.follow(position + 2n ** 40n)))
    assert.equal(error._tag, "PositionGone")
  })
)

export const followContract: ReadonlyArray<ContractCase<EventStore>> = [oldThenNew, resumed, waiting, beyond]
