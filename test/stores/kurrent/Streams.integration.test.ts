/** What is particular to KurrentDB: names, limits, neighbours on the server, streams that somebody has meddled with. */
import { assert, describe, it } from "@effect/vitest"
import { jsonEvent, KurrentDBClient } from "@kurrent/kurrentdb-client"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { startKurrent } from "../../../bench/servers/KurrentServer.ts"
import { bare } from "../../../src/testing/contract/Observations.ts"
import { credit, SampleWallet, uniqueId, uniquePartition } from "../../../src/testing/contract/SampleWallet.ts"
import { EventStore } from "../../../src/stores/EventStore.ts"
import { appendByClient } from "../../../src/stores/kurrent/Call.ts"
import * as KurrentEventStore from "../../../src/stores/kurrent/KurrentEventStore.ts"
import * as KurrentNames from "../../../src/stores/kurrent/Names.ts"
import { recordsOf } from "../../../src/stores/kurrent/Records.ts"
import { freshPrefix, kurrentPresent, sharedKurrent } from "../../support/kurrent.ts"

type Log = EventStore["Service"]

/** An installation's log, until the scope ends. */
const openLog = Effect.fnUntraced(function* (
  url: Redacted.Redacted,
  prefix: string,
  options: Partial<KurrentEventStore.KurrentEventStoreOptions> = {}
) {
  const context = yield* Layer.build(Layer.fresh(KurrentEventStore.layer({ ...options, url, prefix })))
  return yield* Effect.provideContext(EventStore, context)
})

const openClient = (url: Redacted.Redacted) =>
  Effect.acquireRelease(
    Effect.sync(() => KurrentDBClient.connectionString(Redacted.value(url))),
    (client) => Effect.promise(() => client.dispose())
  )

interface Place {
  readonly log: Log
  readonly url: Redacted.Redacted
  readonly prefix: string
  readonly client: KurrentDBClient
}

const onFreshLog = (name: string, run: (place: Place) => Effect.Effect<void, unknown>) =>
  it.live(name, () =>
    Effect.gen(function* () {
      const url = yield* sharedKurrent
      const prefix = freshPrefix()
      yield* run({ url, prefix, log: yield* openLog(url, prefix), client: yield* openClient(url) })
    }).pipe(Effect.scoped)
  )

const bystander = (stream: string, client: KurrentDBClient, events: number) =>
  Effect.promise(() =>
    client.appendToStream(
      stream,
      Array.from({ length: events }, () => jsonEvent({ type: "SomebodyElses", data: { of: "no concern" } }))
    )
  )

describe.skipIf(!kurrentPresent)("streams on KurrentDB", () => {
  onFreshLog("keeps wallets apart whose ids differ in case alone, in one append, too", ({ log }) =>
    Effect.gen(function* () {
      const id = uniqueId("wallet")
      const samples = [id, id.toUpperCase(), `W${id.slice(1)}`].map((id) => new SampleWallet({ id }))
      const outcomes = yield* log.append(samples.map((sample) => sample.commit(sample.creation(), credit(1n))))
      assert.deepStrictEqual(bare(outcomes), Array(3).fill({ _tag: "Appended" }))
      for (const sample of samples) {
        const events = yield* log.read(sample.id, { after: -1, limit: 9 })
        assert.deepStrictEqual(
          events.map(({ metadata, walletId }) => [walletId, metadata.key.slice(0, 2)]),
          Array(2).fill([sample.id, "c:"])
        )
      }
    })
  )

  onFreshLog("appends under two epochs of one partition at once only under the one that stands", ({ log }) =>
    Effect.gen(function* () {
      const partition = uniquePartition()
      for (let i = 0; i < 2; i++) yield* log.claim({ partitions: [partition], owner: "test", time: 0 })
      const [old, standing] = [1, 2].map((epoch) => new SampleWallet({ partition, epoch })) as [
        SampleWallet,
        SampleWallet
      ]
      assert.deepStrictEqual(bare(yield* log.append([old.create(), standing.create()])), [
        { _tag: "Fenced", epoch: 2 },
        { _tag: "Appended" }
      ])
    })
  )

  onFreshLog("gives partitions that two owners claim at the same moment to both in turn", ({ log, prefix, url }) =>
    Effect.gen(function* () {
      const other = yield* openLog(url, prefix)
      const partitions = Array.from({ length: 200 }, (_, partition) => partition)
      const claims = yield* Effect.all(
        [log, other, log, other].map((of, index) => of.claim({ partitions, owner: `owner ${index}`, time: 0 })),
        { concurrency: "unbounded" }
      )
      for (const partition of [0, 77, 199]) {
        assert.deepStrictEqual(claims.map((claim) => claim[partition]!.epoch).sort(), [1, 2, 3, 4])
      }
    }).pipe(Effect.scoped)
  )

  onFreshLog("gives all partitions to an owner that has never heard of them", ({ log, prefix, url }) =>
    Effect.gen(function* () {
      const partitions = Array.from({ length: 1_024 }, (_, partition) => partition)
      yield* log.claim({ partitions, owner: "first", time: 0 })
      const successor = yield* openLog(url, prefix)
      const claims = yield* successor.claim({ partitions, owner: "second", time: 0 })
      assert.deepStrictEqual(
        claims,
        partitions.map((partition) => ({ partition, epoch: 2 }))
      )
    }).pipe(Effect.scoped)
  )

  onFreshLog("fences 256 wallets of an old owner at once, whose successor has moved all of them", ({ log }) =>
    Effect.gen(function* () {
      const samples = Array.from({ length: 256 }, (_, partition) => {
        const id = uniqueId("wallet")
        return new SampleWallet({ id: id + "x".repeat(64 - id.length), partition, epoch: 1 })
      })
      const partitions = samples.map(({ partition }) => partition)
      yield* log.claim({ partitions, owner: "first", time: 0 })
      const created = samples.map((sample) => sample.create())
      yield* log.append(created)
      yield* log.claim({ partitions, owner: "second", time: 0 })
      const twin = (sample: SampleWallet) => ({ ...sample.commit(credit(1n)), epoch: 2 })
      yield* log.append(samples.map(twin))
      const old = created.map((commit, index) => ({
        ...commit,
        expectedVersion: 0,
        events: commit.events.map((event) => ({ ...event, id: crypto.randomUUID(), version: 1 })),
        epoch: index === 0 ? 2 : 1
      }))
      const outcomes = yield* log.append(old)
      assert.deepStrictEqual(outcomes[0], { _tag: "Conflict" })
      assert.deepStrictEqual(outcomes.slice(1), Array(255).fill({ _tag: "Fenced", epoch: 2 }))
      assert.deepStrictEqual(bare(yield* log.append(created)), Array(256).fill({ _tag: "Appended" }))
    })
  )

  onFreshLog("is one log to all that open it, and another one under another prefix", ({ log, prefix, url }) =>
    Effect.gen(function* () {
      const { logId } = yield* log.head
      assert.strictEqual((yield* (yield* openLog(url, prefix)).head).logId, logId)
      const other = yield* openLog(url, freshPrefix())
      assert.notStrictEqual((yield* other.head).logId, logId)
      assert.deepStrictEqual(yield* other.readAll({ after: 0n, limit: 10 }), [])
      assert.strictEqual((yield* other.head).position, 0n)
    }).pipe(Effect.scoped)
  )

  onFreshLog("reads full pages over the events of others, and never takes them for its end", ({ client, log }) =>
    Effect.gen(function* () {
      const foreign = uniqueId("bystander")
      const sample = new SampleWallet()
      yield* log.append([sample.create()])
      for (let round = 0; round < 4; round++) {
        yield* bystander(foreign, client, 1_500)
        yield* log.append([sample.commit(credit(1n), credit(2n))])
      }
      const { position } = yield* log.head
      yield* bystander(foreign, client, 1_500)
      assert.strictEqual((yield* log.head).position, position)
      const versions: Array<number> = []
      let after = 0n
      for (let pages = 0; pages < 3; pages++) {
        const page = yield* log.readAll({ after, limit: 3 })
        assert.lengthOf(page, 3)
        versions.push(...page.map(({ recorded }) => recorded.version))
        after = page.at(-1)!.position
      }
      assert.deepStrictEqual(versions, [0, 1, 2, 3, 4, 5, 6, 7, 8])
      assert.strictEqual(after, position)
      assert.deepStrictEqual(yield* log.readAll({ after, limit: 3 }), [])
      yield* log.append([sample.commit(credit(3n))])
      assert.lengthOf(yield* log.readAll({ after, limit: 3 }), 1)
      assert.isTrue((yield* log.head).position > position)
    })
  )

  onFreshLog("refuses numbers that are no positions, to pages and to followers", ({ log }) =>
    Effect.gen(function* () {
      const sample = new SampleWallet()
      yield* log.append([sample.commit(sample.creation(), ...Array.from({ length: 20 }, () => credit(1n)))])
      const [first] = yield* log.readAll({ after: 0n, limit: 1 })
      const astray = first!.position + 8n
      const page = yield* Effect.flip(log.readAll({ after: astray, limit: 5 }))
      assert.strictEqual(page._tag, "StoreDefect")
      const followed = yield* Effect.flip(Stream.runDrain(log.follow(astray)))
      assert.strictEqual(followed._tag, "PositionGone")
    })
  )

  onFreshLog("says which event of which wallet it cannot read", ({ client, log, prefix }) =>
    Effect.gen(function* () {
      const sample = new SampleWallet()
      yield* log.append([sample.create()])
      yield* bystander(`${prefix}-${sample.id}`, client, 1)
      const error = yield* Effect.flip(log.read(sample.id, { after: -1, limit: 9 }))
      assert.isTrue(error._tag === "EventUnreadable")
      assert.deepInclude({ ...error }, { walletId: sample.id, version: 1, type: "SomebodyElses" })
      assert.strictEqual((yield* Effect.flip(log.readAll({ after: 0n, limit: 9 })))._tag, "EventUnreadable")
    })
  )

  onFreshLog("says so when a wallet's stream was deleted, truncated or tombstoned", ({ client, log, prefix }) =>
    Effect.gen(function* () {
      const [gone, cut, dead, well] = Array.from({ length: 4 }, () => new SampleWallet()) as [
        SampleWallet,
        SampleWallet,
        SampleWallet,
        SampleWallet
      ]
      const samples = [gone, cut, dead, well]
      yield* log.append(samples.map((sample) => sample.commit(sample.creation(), credit(1n), credit(2n))))
      const stream = ({ id }: SampleWallet) => `${prefix}-${id}`
      yield* Effect.promise(() => client.deleteStream(stream(gone)))
      yield* Effect.promise(() => client.setStreamMetadata(stream(cut), { truncateBefore: 1 }))
      yield* Effect.promise(() => client.tombstoneStream(stream(dead)))
      for (const [sample, words] of [
        [gone, "was deleted"],
        [cut, "version 0 is missing"],
        [dead, "stream-deleted"]
      ] as const) {
        const error = yield* Effect.flip(log.read(sample.id, { after: -1, limit: 9 }))
        assert.strictEqual(error._tag, "StoreDefect")
        assert.include(error.message, words)
        assert.include(error.message, sample.id)
      }
      assert.deepStrictEqual(yield* log.read(uniqueId("nobody"), { after: -1, limit: 9 }), [])
      const late = yield* Effect.flip(log.append([well.commit(credit(3n)), dead.commit(credit(3n))]))
      assert.strictEqual(late._tag, "StoreDefect")
      assert.include(late.message, stream(dead))
      assert.lengthOf(yield* log.read(well.id, { after: -1, limit: 9 }), 3)
      const reborn = yield* Effect.flip(log.append([new SampleWallet({ id: gone.id }).create()]))
      assert.include(reborn.message, "has ended at revision 3")
    })
  )

  onFreshLog("keeps what the client's own encoder sends as what ours sends", ({ client, log, prefix }) =>
    Effect.gen(function* () {
      const names = KurrentNames.make(prefix)
      const sample = new SampleWallet()
      const commit = sample.commit(sample.creation(), credit(3n, "Žofie 🐎", { ключ: "a" }))
      const checks = [{ stream: names.wallet(sample.id), state: "no_stream" as const }]
      yield* Effect.promise(() => appendByClient(client, recordsOf(names, [commit]), checks))
      assert.deepStrictEqual(yield* log.read(sample.id, { after: -1, limit: 9 }), commit.events)
      assert.deepStrictEqual(bare(yield* log.append([commit])), [{ _tag: "Appended" }])
    })
  )

  onFreshLog("does not let a slow writer's snapshot stand behind a newer one", ({ log }) =>
    Effect.gen(function* () {
      const walletId = uniqueId("wallet")
      const save = (version: number) => log.saveSnapshot({ walletId, version, time: version, data: `"${version}"` })
      for (const version of [10, 30, 20, 40, 25, 50]) yield* save(version)
      const found = yield* Effect.forEach([9, 10, 29, 30, 39, 45, 99], (version) =>
        Effect.map(log.loadSnapshot(walletId, { version }), (snapshot) => snapshot?.version)
      )
      assert.deepStrictEqual(found, [undefined, 10, 10, 30, 30, 40, 50])
      yield* Effect.all(
        [60, 61, 62, 63].map((version) => save(version)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual((yield* log.loadSnapshot(walletId))?.version, 63)
    })
  )

  it.live("splits an append that is too large for the server, and refuses only what is too large by itself", () =>
    Effect.gen(function* () {
      const server = yield* startKurrent({ settings: { "max-append-size": "60000", "max-append-event-size": "9000" } })
      const log = yield* openLog(server.url, freshPrefix())
      const samples = Array.from({ length: 60 }, () => new SampleWallet())
      const movements = Array.from({ length: 5 }, () => credit(1n, "x".repeat(255)))
      const outcomes = yield* log.append(samples.map((sample) => sample.commit(sample.creation(), ...movements)))
      assert.deepStrictEqual(bare(outcomes), Array(60).fill({ _tag: "Appended" }))
      const [small, large, huge] = [new SampleWallet(), new SampleWallet(), new SampleWallet()] as const
      const commits = [
        small.create(),
        large.commit(large.creation(), ...Array.from({ length: 200 }, () => credit(1n, "y".repeat(255))))
      ]
      const tooLarge = yield* Effect.flip(log.append(commits))
      assert.strictEqual(tooLarge._tag, "StoreDefect")
      assert.include(tooLarge.message, large.id)
      assert.deepStrictEqual(yield* log.read(small.id, { after: -1, limit: 9 }), [])
      assert.deepStrictEqual(bare(yield* log.append(commits.slice(0, 1))), [{ _tag: "Appended" }])
      const metadata = Object.fromEntries(Array.from({ length: 19 }, (_, index) => [`k${index}`, "z".repeat(512)]))
      const oneEvent = yield* Effect.flip(log.append([huge.commit(huge.creation(), credit(1n, null, metadata))]))
      assert.strictEqual(oneEvent._tag, "StoreDefect")
      assert.include(oneEvent.message, huge.id)
    }).pipe(Effect.scoped)
  )

  it.live("never repeats a connection string that it cannot read", () =>
    Effect.gen(function* () {
      for (const url of ["kurrentdb://admin:hunter2@host:port?tls=perhaps", "hunter2", "postgres://u:hunter2@h/db"]) {
        const error = yield* Effect.flip(openLog(Redacted.make(url), "wallet"))
        assert.strictEqual(error._tag, "StoreDefect")
        assert.notInclude(JSON.stringify([error.message, error]), "hunter2")
      }
      const prefixed = yield* Effect.flip(openLog(Redacted.make("kurrentdb://127.0.0.1:1?tls=false"), "a-b"))
      assert.include(prefixed.message, "no prefix")
    }).pipe(Effect.scoped)
  )
})
