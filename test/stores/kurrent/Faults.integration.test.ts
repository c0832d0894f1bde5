/** A KurrentDB that hangs, dies and comes back; answers that are late or lost; owners that were replaced. */
import { assert, describe, it } from "@effect/vitest"
import { jsonEvent, KurrentDBClient } from "@kurrent/kurrentdb-client"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { Commit } from "../../../src/domain/Commit.ts"
import { kurrentFolder, startKurrent } from "../../../bench/servers/KurrentServer.ts"
import { bare } from "../../../src/testing/contract/Observations.ts"
import { credit, SampleWallet, uniquePartition } from "../../../src/testing/contract/SampleWallet.ts"
import { EventStore } from "../../../src/stores/EventStore.ts"
import * as KurrentEventStore from "../../../src/stores/kurrent/KurrentEventStore.ts"
import { freshPrefix, kurrentPresent, sharedKurrent } from "../../support/kurrent.ts"
import { startTcpProxy } from "../../support/tcpProxy.ts"

type Log = EventStore["Service"]

const openLog = Effect.fnUntraced(function* (
  url: Redacted.Redacted,
  options: Partial<KurrentEventStore.KurrentEventStoreOptions> = {}
) {
  const context = yield* Layer.build(Layer.fresh(KurrentEventStore.layer({ prefix: freshPrefix(), ...options, url })))
  return yield* Effect.provideContext(EventStore, context)
})

/** Through a proxy in front of the shared server. */
const throughProxy = Effect.fnUntraced(function* (options: Partial<KurrentEventStore.KurrentEventStoreOptions>) {
  const direct = Redacted.value(yield* sharedKurrent)
  const port = /:(\d+)\?/.exec(direct)?.[1]
  const proxy = yield* startTcpProxy(Number(port))
  const log = yield* openLog(Redacted.make(direct.replace(`:${port}?`, `:${proxy.port}?`)), options)
  return { proxy, log }
})

/** Sends again until there is an answer. */
const untilDecided = (log: Log, commits: ReadonlyArray<Commit>) =>
  log.append(commits).pipe(
    Effect.retry({
      schedule: Schedule.spaced("100 millis"),
      while: ({ _tag }) => _tag === "AppendUnknown" || _tag === "StoreUnavailable"
    })
  )

const versionsOf = (log: Log, sample: SampleWallet) =>
  Effect.map(log.read(sample.id, { after: -1, limit: 10_000 }), (events) => events.map(({ version }) => version))

const upTo = (version: number) => Array.from({ length: version + 1 }, (_, index) => index)

describe.skipIf(!kurrentPresent)("KurrentDB behind a bad connection", () => {
  it.live("leaves an append unknown that is late, and the same append again settles it once it has landed", () =>
    Effect.gen(function* () {
      const { log, proxy } = yield* throughProxy({ appendTimeoutMillis: 500 })
      const [one, two, other] = [new SampleWallet(), new SampleWallet(), new SampleWallet()] as const
      yield* untilDecided(log, [one.create(), two.create()])
      const commits = [one.commit(credit(1n), credit(2n)), two.commit(credit(3n))]
      yield* proxy.set({ _tag: "Delay", millis: 1_500 })
      assert.strictEqual((yield* Effect.flip(log.append(commits)))._tag, "AppendUnknown")
      yield* proxy.set({ _tag: "Pass" })
      const again = yield* untilDecided(log, commits)
      assert.deepStrictEqual(bare(again), Array(2).fill({ _tag: "Appended" }))
      const mixed = yield* untilDecided(log, [other.create(), commits[1]!])
      assert.deepStrictEqual(bare(mixed), Array(2).fill({ _tag: "Appended" }))
      yield* untilDecided(log, [one.commit(credit(4n))])
      assert.deepStrictEqual(bare(yield* untilDecided(log, commits)), Array(2).fill({ _tag: "Appended" }))
      assert.deepStrictEqual(yield* versionsOf(log, one), [0, 1, 2, 3])
      assert.deepStrictEqual(yield* versionsOf(log, two), [0, 1])
    }).pipe(Effect.scoped)
  )

  it.live("appends once what was sent again while the first try was still on its way", () =>
    Effect.gen(function* () {
      const direct = yield* openLog(yield* sharedKurrent, { prefix: "late_twin" })
      const { log, proxy } = yield* throughProxy({ appendTimeoutMillis: 300, prefix: "late_twin" })
      const sample = new SampleWallet()
      yield* untilDecided(log, [sample.create()])
      const commit = sample.commit(credit(1n))
      yield* proxy.set({ _tag: "Hold" })
      assert.strictEqual((yield* Effect.flip(log.append([commit])))._tag, "AppendUnknown")
      // Nothing to be read of it, and so nothing proved: it lands when the network lets go.
      assert.deepStrictEqual(yield* versionsOf(direct, sample), [0])
      assert.deepStrictEqual(bare(yield* direct.append([commit])), [{ _tag: "Appended" }])
      assert.deepStrictEqual(bare(yield* direct.append([sample.commit(credit(2n))])), [{ _tag: "Appended" }])
      yield* proxy.set({ _tag: "Pass" })
      assert.deepStrictEqual(bare(yield* untilDecided(log, [commit])), [{ _tag: "Appended" }])
      assert.deepStrictEqual(yield* versionsOf(direct, sample), [0, 1, 2])
    }).pipe(Effect.scoped)
  )

  it.live("was not asked to append where no connection could be made", () =>
    Effect.gen(function* () {
      const { log, proxy } = yield* throughProxy({ readTimeoutMillis: 1_000 })
      const sample = new SampleWallet()
      const commit = sample.create()
      yield* proxy.set({ _tag: "Refuse" })
      yield* proxy.drop
      const errors = yield* Effect.forEach(upTo(3), () => Effect.flip(log.append([commit])))
      assert.include(
        errors.map(({ _tag }) => _tag),
        "StoreUnavailable"
      )
      assert.strictEqual((yield* Effect.flip(log.head))._tag, "StoreUnavailable")
      yield* proxy.set({ _tag: "Pass" })
      assert.deepStrictEqual(bare(yield* untilDecided(log, [commit])), [{ _tag: "Appended" }])
      assert.deepStrictEqual(yield* versionsOf(log, sample), [0])
    }).pipe(Effect.scoped)
  )

  it.live("shows a follower every event once, however often its connection breaks", () =>
    Effect.gen(function* () {
      const prefix = freshPrefix()
      const direct = yield* openLog(yield* sharedKurrent, { prefix })
      const { log, proxy } = yield* throughProxy({ prefix, readTimeoutMillis: 1_000 })
      const seen = yield* Queue.unbounded<number>()
      const sample = new SampleWallet()
      yield* Effect.forkScoped(
        Stream.runForEach(log.follow(0n), (events) =>
          Queue.offerAll(
            seen,
            events.map(({ recorded }) => recorded.version)
          )
        )
      )
      const versions: Array<number> = []
      for (let round = 0; round < 6; round++) {
        yield* direct.append([round === 0 ? sample.create() : sample.commit(credit(1n))])
        if (round % 2 === 1) yield* proxy.drop
        yield* direct.append([sample.commit(credit(1n), credit(1n))])
        while (versions.length < 3 * (round + 1)) versions.push(yield* Queue.take(seen))
      }
      assert.deepStrictEqual(versions, upTo(17))
    }).pipe(Effect.scoped)
  )
})

describe.skipIf(!kurrentPresent)("a follower that is slow", () => {
  it.live("falls behind its subscription, and misses nothing", () =>
    Effect.gen(function* () {
      const log = yield* openLog(yield* sharedKurrent)
      const sample = new SampleWallet()
      yield* log.append([sample.create()])
      const versions: Array<number> = []
      const reached = yield* Queue.unbounded<number>()
      const goOn = yield* Deferred.make<void>()
      yield* Effect.forkScoped(
        Stream.runForEach(log.follow(0n), (events) =>
          Effect.gen(function* () {
            versions.push(...events.map(({ recorded }) => recorded.version))
            yield* Queue.offer(reached, versions.length)
            // The second page has come by the subscription; more than it keeps is written meanwhile.
            if (versions.length === 2) yield* Deferred.await(goOn)
          })
        )
      )
      yield* Queue.take(reached)
      yield* log.append([sample.commit(credit(1n))])
      yield* Queue.take(reached)
      const burst = Array.from({ length: 500 }, () => credit(1n))
      for (let round = 0; round < 6; round++) yield* log.append([sample.commit(...burst)])
      yield* Deferred.succeed(goOn, undefined)
      while ((yield* Queue.take(reached)) < 3_002);
      assert.deepStrictEqual(versions, upTo(3_001))
    }).pipe(Effect.scoped)
  )
})

describe.skipIf(!kurrentPresent)("an owner that was replaced", () => {
  it.live("cannot append to a wallet that the new owner has only claimed, because of the claim's check", () =>
    Effect.gen(function* () {
      const url = yield* sharedKurrent
      const prefix = freshPrefix()
      const log = yield* openLog(url, { prefix })
      const partition = uniquePartition()
      const claim = log.claim({ partitions: [partition], owner: "owner", time: 0 })
      yield* claim
      const sample = new SampleWallet({ partition, epoch: 1 })
      yield* log.append([sample.create()])
      yield* claim
      const late = sample.commit(credit(1n))
      assert.deepStrictEqual(yield* log.append([late]), [{ _tag: "Fenced", epoch: 2 }])
      // The proof: the stream itself has nothing against it.
      const client = yield* Effect.acquireRelease(
        Effect.sync(() => KurrentDBClient.connectionString(Redacted.value(url))),
        (client) => Effect.promise(() => client.dispose())
      )
      const streamName = `${prefix}-${sample.id}`
      yield* Effect.promise(() =>
        client.appendRecords(
          [{ streamName, record: jsonEvent({ type: "Late", data: {} }) }],
          [{ type: "stream_state", streamName, expectedState: 0n }]
        )
      )
      assert.strictEqual((yield* Effect.flip(log.read(sample.id, { after: 0, limit: 9 })))._tag, "EventUnreadable")
    }).pipe(Effect.scoped)
  )
})

describe.skipIf(kurrentFolder === undefined)("a KurrentDB that dies", () => {
  it.live("loses no acknowledged append and doubles none, when it is killed and started again under load", () =>
    Effect.gen(function* () {
      const server = yield* startKurrent({ inMemory: false })
      const log = yield* openLog(server.url)
      const partitions = Array.from({ length: 8 }, (_, partition) => partition)
      yield* log.claim({ partitions, owner: "test", time: 0 })
      const samples = partitions.map((partition) => new SampleWallet({ partition, epoch: 1 }))
      yield* log.append(samples.map((sample) => sample.create()))
      const seen = yield* Queue.unbounded<string>()
      yield* Effect.forkScoped(
        Stream.runForEach(log.follow(0n), (events) =>
          Queue.offerAll(
            seen,
            events.map(({ recorded }) => `${recorded.walletId} ${recorded.version}`)
          )
        )
      )
      const acknowledged = yield* Queue.unbounded<number>()
      const outcomes: Array<string> = []
      const rounds = 60
      const writers = [0, 1].map((writer) =>
        Effect.gen(function* () {
          const own = samples.slice(writer * 4, writer * 4 + 4)
          for (let round = 0; round < rounds; round++) {
            const decided = yield* untilDecided(
              log,
              own.map((sample) => sample.commit(credit(1n)))
            )
            outcomes.push(...decided.map(({ _tag }) => _tag))
            yield* Queue.offer(acknowledged, round)
          }
        })
      )
      const writing = yield* Effect.forkChild(Effect.all(writers, { concurrency: 2 }))
      for (const after of [30, 30]) {
        yield* Queue.takeN(acknowledged, after)
        yield* server.kill
        yield* server.start
      }
      yield* Fiber.join(writing)
      assert.deepStrictEqual(outcomes, Array(8 * rounds).fill("Appended"))
      for (const sample of samples) assert.deepStrictEqual(yield* versionsOf(log, sample), upTo(rounds))
      const followed = yield* Queue.takeN(seen, 8 * (rounds + 1))
      assert.strictEqual(new Set(followed).size, 8 * (rounds + 1))
      for (const { id } of samples) {
        assert.deepStrictEqual(
          followed.filter((event) => event.startsWith(id)),
          upTo(rounds).map((version) => `${id} ${version}`)
        )
      }
    }).pipe(Effect.scoped)
  )

  it.live("is waited for at the start, and not for ever", () =>
    Effect.gen(function* () {
      const server = yield* startKurrent({ inMemory: false })
      const prefix = freshPrefix()
      const { logId } = yield* Effect.scoped(Effect.flatMap(openLog(server.url, { prefix }), (log) => log.head))
      yield* server.kill
      const away = openLog(server.url, { prefix, readTimeoutMillis: 300, startTimeoutMillis: 600 })
      assert.strictEqual((yield* Effect.flip(away))._tag, "StoreUnavailable")
      const opening = yield* Effect.forkChild(openLog(server.url, { prefix }), { startImmediately: true })
      yield* server.start
      const log = yield* Fiber.join(opening)
      assert.strictEqual((yield* log.head).logId, logId)
    }).pipe(Effect.scoped)
  )

  it.live("is unavailable to readers while it hangs, and an append that it had taken is settled after it", () =>
    Effect.gen(function* () {
      const server = yield* startKurrent()
      const log = yield* openLog(server.url, { appendTimeoutMillis: 500, readTimeoutMillis: 500 })
      const sample = new SampleWallet()
      yield* untilDecided(log, [sample.create()])
      const commit = sample.commit(credit(1n))
      yield* server.freeze
      assert.strictEqual((yield* Effect.flip(log.append([commit])))._tag, "AppendUnknown")
      assert.strictEqual((yield* Effect.flip(log.read(sample.id, { after: -1, limit: 9 })))._tag, "StoreUnavailable")
      assert.strictEqual((yield* Effect.flip(log.head))._tag, "StoreUnavailable")
      assert.strictEqual((yield* Effect.flip(log.readAll({ after: 0n, limit: 9 })))._tag, "StoreUnavailable")
      yield* server.thaw
      assert.deepStrictEqual(bare(yield* untilDecided(log, [commit])), [{ _tag: "Appended" }])
      const patient = Schedule.spaced("100 millis")
      assert.isTrue((yield* Effect.retry(log.head, patient)).position > 0n)
      assert.lengthOf(yield* Effect.retry(log.readAll({ after: 0n, limit: 9 }), patient), 2)
    }).pipe(Effect.scoped)
  )
})
