/** The fence between two nodes: two adapters with connections of their own, on one PostgreSQL. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { credit, SampleWallet } from "../../../src/testing/contract/SampleWallet.ts"
import { SqlDatabase } from "../../../src/stores/sql/SqlDatabase.ts"
import { bare } from "../../../src/testing/contract/Observations.ts"
import * as SqlEventStore from "../../../src/stores/sql/SqlEventStore.ts"
import { makeFence } from "../../../src/stores/sql/Append.ts"
import { SqlMigrator } from "../../../src/stores/sql/SqlMigrator.ts"
import { postgresPresent, TestPostgres } from "../../support/postgres.ts"

const partition = 7

/** A process of its own: its own connections, its own knowledge of the claims. */
const node = Effect.gen(function* () {
  const { url } = yield* TestPostgres
  const context = yield* Layer.build(Layer.fresh(SqlDatabase.layerServer({ url })))
  return yield* Effect.provideContext(
    Effect.gen(function* () {
      return { log: yield* SqlEventStore.make(), sql: yield* SqlClient }
    }),
    context
  )
})

type Node = Effect.Success<typeof node>

const claimBy = ({ log }: Node, owner: string) => log.claim({ partitions: [partition], owner, time: 1 })

/** Waits until another session waits for a lock. */
const somebodyWaits = ({ sql }: Node) =>
  sql<{ readonly waiting: number }>`
    select count(*)::int as waiting from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`.pipe(
    Effect.map((rows) => rows[0]!.waiting > 0),
    Effect.repeat({ until: (waiting) => waiting })
  )

const database = Layer.provideMerge(
  SqlMigrator.layer.pipe(Layer.provideMerge(TestPostgres.layerDatabase())),
  Layer.empty
)

const onTwoNodes = (name: string, run: (old: Node, young: Node) => Effect.Effect<void, unknown>) =>
  it.live(name, () =>
    Effect.gen(function* () {
      yield* Effect.asVoid(run(yield* node, yield* node))
    }).pipe(Effect.scoped, Effect.provide(database))
  )

describe.skipIf(!postgresPresent)("the fence between two nodes", () => {
  onTwoNodes("fences an append that is in flight while the claim commits", (old, young) =>
    Effect.gen(function* () {
      yield* claimBy(old, "old")
      const sample = new SampleWallet({ partition, epoch: 1 })
      yield* old.log.append([sample.create()])
      const claimed = yield* Deferred.make<void>()
      const mayCommit = yield* Deferred.make<void>()
      const claiming = yield* Effect.forkChild(
        young.sql.withTransaction(
          Effect.gen(function* () {
            yield* makeFence(young.sql).claim({ partitions: [partition], owner: "young", time: 2 })
            yield* Deferred.succeed(claimed, undefined)
            yield* Deferred.await(mayCommit)
          })
        )
      )
      yield* Deferred.await(claimed)
      const untouched = new SampleWallet({ partition, epoch: 1 })
      const appending = yield* Effect.forkChild(old.log.append([sample.commit(credit(1n)), untouched.create()]))
      yield* somebodyWaits(young)
      yield* Deferred.succeed(mayCommit, undefined)
      yield* Fiber.join(claiming)
      assert.deepStrictEqual(yield* Fiber.join(appending), [
        { _tag: "Fenced", epoch: 2 },
        { _tag: "Fenced", epoch: 2 }
      ])
      assert.lengthOf(yield* young.log.read(sample.id, { after: -1, limit: 9 }), 1)
      assert.lengthOf(yield* young.log.read(untouched.id, { after: -1, limit: 9 }), 0)
      assert.strictEqual((yield* young.log.head).position, 1n)
    })
  )

  onTwoNodes("shows the new owner whatever the old one still got in", (old, young) =>
    Effect.gen(function* () {
      yield* claimBy(old, "old")
      const sample = new SampleWallet({ partition, epoch: 1 })
      const appended = yield* Deferred.make<void>()
      const mayCommit = yield* Deferred.make<void>()
      const appending = yield* Effect.forkChild(
        old.sql.withTransaction(
          Effect.gen(function* () {
            assert.deepStrictEqual(bare(yield* old.log.append([sample.create()])), [{ _tag: "Appended" }])
            yield* Deferred.succeed(appended, undefined)
            yield* Deferred.await(mayCommit)
          })
        )
      )
      yield* Deferred.await(appended)
      const claiming = yield* Effect.forkChild(claimBy(young, "young"))
      yield* somebodyWaits(old)
      yield* Deferred.succeed(mayCommit, undefined)
      yield* Fiber.join(appending)
      assert.deepStrictEqual(yield* Fiber.join(claiming), [{ partition, epoch: 2 }])
      assert.lengthOf(yield* young.log.read(sample.id, { after: -1, limit: 9 }), 1)
    })
  )

  onTwoNodes("fences a node that has not heard of the claim, on wallets that nobody has touched", (old, young) =>
    Effect.gen(function* () {
      yield* claimBy(old, "old")
      yield* old.log.append([new SampleWallet({ partition, epoch: 1 }).create()])
      yield* claimBy(young, "young")
      const late = new SampleWallet({ partition, epoch: 1 })
      assert.deepStrictEqual(bare(yield* old.log.append([late.create()])), [{ _tag: "Fenced", epoch: 2 }])
      assert.lengthOf(yield* young.log.read(late.id, { after: -1, limit: 9 }), 0)
    })
  )

  onTwoNodes("lets a node that has not heard of a claim elsewhere go on", (one, other) =>
    Effect.gen(function* () {
      yield* claimBy(one, "one")
      const sample = new SampleWallet({ partition, epoch: 1 })
      yield* one.log.append([sample.create()])
      yield* other.log.claim({ partitions: [8, 9], owner: "other", time: 2 })
      const mixed = [sample.commit(credit(1n)), new SampleWallet({ partition: 8, epoch: 0 }).create()]
      assert.deepStrictEqual(bare(yield* one.log.append(mixed)), [{ _tag: "Appended" }, { _tag: "Fenced", epoch: 1 }])
    })
  )

  onTwoNodes("lets the owner append through an adapter that has not heard of its claim", (one, other) =>
    Effect.gen(function* () {
      yield* claimBy(one, "one")
      yield* claimBy(other, "one, by another adapter")
      const sample = new SampleWallet({ partition, epoch: 2 })
      assert.deepStrictEqual(bare(yield* one.log.append([sample.create()])), [{ _tag: "Appended" }])
    })
  )

  onTwoNodes("answers Appended to a fenced node for what it had appended before", (old, young) =>
    Effect.gen(function* () {
      yield* claimBy(old, "old")
      const sample = new SampleWallet({ partition, epoch: 1 })
      const first = sample.create()
      yield* old.log.append([first])
      yield* claimBy(young, "young")
      assert.deepStrictEqual(bare(yield* old.log.append([first])), [{ _tag: "Appended" }])
    })
  )
})
