/**
 * An owner that was frozen, wakes up and appends what it had decided: the log refuses it,
 * whether the new owner has written the wallet or has only claimed its partition. And what
 * each of the two checks is worth, by taking the claim's out.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Commit } from "../../src/domain/Commit.ts"
import { bare } from "../../src/testing/contract/Observations.ts"
import { credit, SampleWallet } from "../../src/testing/contract/SampleWallet.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import * as KurrentEventStore from "../../src/stores/kurrent/KurrentEventStore.ts"
import { SqlDatabase } from "../../src/stores/sql/SqlDatabase.ts"
import * as SqlEventStore from "../../src/stores/sql/SqlEventStore.ts"
import { SqlMigrator } from "../../src/stores/sql/SqlMigrator.ts"
import { freshPrefix, kurrentPresent, sharedKurrent } from "../support/kurrent.ts"
import { postgresPresent, TestPostgres } from "../support/postgres.ts"

type Log = EventStore["Service"]

const partition = 3

/** What the old owner had decided before it was frozen, and what is in the log when it wakes up. */
const frozen = Effect.fnUntraced(function* (old: Log, young: Log) {
  const claim = (log: Log, owner: string) => log.claim({ partitions: [partition], owner, time: 1 })
  const [before] = yield* claim(old, "old")
  const { epoch } = before!
  const written = new SampleWallet({ partition, epoch })
  const untouched = new SampleWallet({ partition, epoch })
  yield* old.append([written.create(), untouched.create()])
  const [onWritten, onUntouched] = [written.commit(credit(1n)), untouched.commit(credit(1n))]
  const [after] = yield* claim(young, "young")
  // As if the old owner's commit were not there: it is not.
  const foreign = { ...onWritten, epoch: after!.epoch, events: onWritten.events.map(anew) }
  assert.deepStrictEqual(bare(yield* young.append([foreign])), [{ _tag: "Appended" }])
  return { standing: after!.epoch, onWritten, onUntouched, untouched }
})

const anew = (event: Commit["events"][number]) => ({ ...event, id: crypto.randomUUID() })

type TwoLogs = Effect.Effect<readonly [old: Log, young: Log], unknown, Scope.Scope>

const suite = (name: string, present: boolean, logs: TwoLogs) =>
  describe.skipIf(!present)(`a frozen owner that wakes up, on ${name}`, () => {
    it.live("is refused on a wallet that the new owner has written, and on one that it has only claimed", () =>
      Effect.gen(function* () {
        const [old, young] = yield* logs
        const { onUntouched, onWritten, standing, untouched } = yield* frozen(old, young)
        const fenced = { _tag: "Fenced", epoch: standing } as const
        assert.deepStrictEqual(bare(yield* old.append([onUntouched])), [fenced])
        assert.deepStrictEqual(bare(yield* old.append([onWritten])), [fenced])
        assert.deepStrictEqual(bare(yield* old.append([onUntouched, onWritten])), [fenced, fenced])
        assert.strictEqual((yield* young.read(untouched.id, { after: -1, limit: 9 })).length, 1, "only its creation")
      }).pipe(Effect.scoped)
    )

    it.live("would write the wallet that is only claimed, if the append did not check the claim", () =>
      Effect.gen(function* () {
        const [old, young] = yield* logs
        const { onUntouched, onWritten, standing } = yield* frozen(old, young)
        /** With a check that always holds. */
        const unchecked = (commit: Commit) => ({ ...commit, epoch: standing })
        assert.deepStrictEqual(
          (yield* old.append([unchecked(onWritten)])).map(({ _tag }) => _tag),
          ["Conflict"],
          "its revision still protects what was written"
        )
        assert.deepStrictEqual(bare(yield* old.append([unchecked(onUntouched)])), [{ _tag: "Appended" }])
      }).pipe(Effect.scoped)
    )
  })

const sqlLogs: TwoLogs = Effect.gen(function* () {
  const database = yield* Layer.build(
    SqlMigrator.layer.pipe(Layer.provideMerge(TestPostgres.layerDatabase()), Layer.fresh)
  )
  const { url } = Context.get(database, TestPostgres)
  const node = Effect.gen(function* () {
    const sql = yield* Layer.build(Layer.fresh(SqlDatabase.layerServer({ url })))
    return yield* Effect.provideContext(SqlEventStore.make(), sql)
  })
  return [yield* node, yield* node] as const
})

const kurrentLogs: TwoLogs = Effect.gen(function* () {
  const url = yield* sharedKurrent
  const prefix = freshPrefix()
  const node = Effect.map(Layer.build(Layer.fresh(KurrentEventStore.layer({ url, prefix }))), (services) =>
    Context.get(services, EventStore)
  )
  return [yield* node, yield* node] as const
})

suite("PostgreSQL", postgresPresent, sqlLogs)
suite("KurrentDB", kurrentPresent, kurrentLogs)
