/** Appends over a connection that breaks: whatever the answer was, the same append again settles it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { bare } from "../../../src/testing/contract/Observations.ts"
import { credit, SampleWallet } from "../../../src/testing/contract/SampleWallet.ts"
import { EventStore } from "../../../src/stores/EventStore.ts"
import { SqlDatabase } from "../../../src/stores/sql/SqlDatabase.ts"
import * as SqlEventStore from "../../../src/stores/sql/SqlEventStore.ts"
import { SqlMigrator } from "../../../src/stores/sql/SqlMigrator.ts"
import { postgresPresent, TestPostgres } from "../../support/postgres.ts"
import { startTcpProxy, type TcpProxy } from "../../support/tcpProxy.ts"

const throughProxy = (
  name: string,
  run: (proxy: TcpProxy, log: EventStore["Service"]) => Effect.Effect<void, unknown>
) =>
  it.live(name, () =>
    Effect.gen(function* () {
      const { url } = yield* TestPostgres
      const direct = new URL(Redacted.value(url))
      const proxy = yield* startTcpProxy(Number(direct.port))
      direct.port = String(proxy.port)
      const database = SqlDatabase.layerServer({ url: Redacted.make(direct.href), maxConnections: 2 })
      const context = yield* Layer.build(
        SqlEventStore.layer({ appendTimeoutMillis: 1_000 }).pipe(Layer.provide(database))
      )
      yield* Effect.provideContext(
        Effect.flatMap(EventStore, (log) => run(proxy, log)),
        context
      )
    }).pipe(Effect.scoped, Effect.provide(SqlMigrator.layer.pipe(Layer.provideMerge(TestPostgres.layerDatabase()))))
  )

/** Sends again until there is an answer. */
const untilDecided = (log: EventStore["Service"], commits: Parameters<EventStore["Service"]["append"]>[0]) =>
  log
    .append(commits)
    .pipe(Effect.retry({ times: 50, while: ({ _tag }) => _tag === "AppendUnknown" || _tag === "StoreUnavailable" }))

describe.skipIf(!postgresPresent)("an append over a bad connection", () => {
  throughProxy("is unknown when its answer is lost, and was done once", (proxy, log) =>
    Effect.gen(function* () {
      const sample = new SampleWallet()
      yield* log.append([sample.create()])
      const commit = sample.commit(credit(1n), credit(2n))
      yield* proxy.set({ _tag: "SwallowAnswers" })
      const appending = yield* Effect.forkChild(Effect.flip(log.append([commit])))
      yield* proxy.swallowed
      yield* proxy.drop
      assert.strictEqual((yield* Fiber.join(appending))._tag, "AppendUnknown")
      yield* proxy.set({ _tag: "Pass" })
      assert.deepStrictEqual(bare(yield* untilDecided(log, [commit])), [{ _tag: "Appended" }])
      assert.deepStrictEqual(bare(yield* untilDecided(log, [sample.commit(credit(3n))])), [{ _tag: "Appended" }])
      assert.lengthOf(yield* log.read(sample.id, { after: -1, limit: 9 }), 4)
    })
  )

  throughProxy("is done exactly once however often the connection breaks in the middle of an answer", (proxy, log) =>
    Effect.gen(function* () {
      const samples = Array.from({ length: 5 }, () => new SampleWallet())
      yield* log.append(samples.map((sample) => sample.create()))
      for (let round = 0; round < 10; round++) {
        const commits = samples.map((sample) => sample.commit(credit(1n)))
        yield* proxy.set({ _tag: "CutAnswers", afterBytes: round * 7 })
        yield* Effect.exit(log.append(commits))
        yield* proxy.set({ _tag: "Pass" })
        const outcomes = yield* untilDecided(log, commits)
        assert.deepStrictEqual(
          bare(outcomes),
          commits.map(() => ({ _tag: "Appended" as const }))
        )
      }
      for (const sample of samples) {
        const versions = (yield* log.read(sample.id, { after: -1, limit: 99 })).map(({ version }) => version)
        assert.deepStrictEqual(
          versions,
          Array.from({ length: 11 }, (_, version) => version)
        )
      }
    })
  )

  throughProxy("was not done where no connection could be made", (proxy, log) =>
    Effect.gen(function* () {
      yield* proxy.set({ _tag: "Refuse" })
      const error = yield* Effect.flip(log.append([new SampleWallet().create()]))
      assert.strictEqual(error._tag, "StoreUnavailable")
    })
  )
})
