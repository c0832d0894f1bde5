/** Stores that do not fit together stop the start, in one line that says what to run, before anything is changed. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type { CommandKey } from "../../src/domain/Event.ts"
import * as StoreIdentity from "../../src/pipeline/StoreIdentity.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import { MemoryDatabase, type MemoryState } from "../../src/stores/memory/MemoryDatabase.ts"
import * as MemoryPersistence from "../../src/stores/memory/MemoryPersistence.ts"
import * as MemoryReadModel from "../../src/stores/memory/MemoryReadModel.ts"
import { eraseAll } from "../../src/stores/memory/Rows.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import { ReadModel } from "../../src/stores/ReadModel.ts"
import { create, credit, foreignCredit, writeForeign } from "../support/EngineCalls.ts"
import type { Installation } from "../support/Installation.ts"
import { install, until } from "../support/Installation.ts"
import { assertEqual, pass } from "../support/Separate.ts"

const messageOf = Effect.fnUntraced(function* (installation: Installation) {
  const exit = yield* Effect.exit(installation.start())
  if (Exit.isSuccess(exit)) return "started"
  const error = Cause.squash(exit.cause)
  return error instanceof Error ? error.message : String(error)
})

/** An installation with two wallets, stopped; and how often its partitions were claimed. */
const stopped = Effect.gen(function* () {
  const installation = yield* install({ separate: true })
  const node = yield* installation.start()
  for (const id of ["a", "b"]) yield* create(node, id)
  for (let n = 0; n < 3; n++) yield* credit(node, "a", 1n, `${n}`)
  yield* node.stop
  return installation
})

/** The log loses its last events, as one does that is put back to an earlier copy. */
const putBack = (state: MemoryState, events: number): void => {
  for (const { recorded } of state.log.splice(-events)) state.streams.get(recorded.walletId)!.length = recorded.version
}

describe("a start", () => {
  it.effect("with the rows of another log stops, and claims nothing from whoever runs there", () =>
    Effect.gen(function* () {
      const installation = yield* stopped
      const { state } = installation
      const claims = [...state.claims]
      state.persistedLog = "another"
      const message = yield* messageOf(installation)
      assert.match(message, /the rows of log another, but this log is .*: .* by: wallet replay --erase$/)
      assert.deepStrictEqual([...state.claims], claims)
      assert.strictEqual(state.persistedLog, "another")
    })
  )

  it.effect("with a log put back to an earlier copy stops, and names wallet, version and what to run", () =>
    Effect.gen(function* () {
      const installation = yield* stopped
      putBack(installation.state, 1)
      assert.match(
        yield* messageOf(installation),
        /PostgreSQL has event 3 of wallet a, which the log does not have: .* by: wallet replay --erase$/
      )
    })
  )

  it.effect("is not stopped by what another node writes meanwhile", () =>
    Effect.gen(function* () {
      const installation = yield* stopped
      const { log, state } = installation
      const persistence = MemoryPersistence.make(state)
      /** Another node commits, and leaves its checkpoint. */
      const another = (key: CommandKey) =>
        Effect.gen(function* () {
          yield* writeForeign(installation, foreignCredit("a", 1n), key)
          yield* persistence.setCheckpoint("another", (yield* log.head).position)
        })
      const stores = Layer.mergeAll(
        Layer.succeed(EventStore, {
          ...log,
          writesPersistence: false,
          head: Effect.tap(log.head, () => Effect.orDie(another("c:x")))
        }),
        Layer.succeed(Persistence, {
          ...persistence,
          checkpoints: Effect.tap(persistence.checkpoints, () => Effect.orDie(another("c:y")))
        }),
        Layer.effect(ReadModel, Effect.map(MemoryDatabase, MemoryReadModel.make)).pipe(
          Layer.provide(Layer.succeed(MemoryDatabase, state))
        )
      )
      yield* Layer.build(StoreIdentity.layer.pipe(Layer.provide(stores)))
      assert.isAtLeast(state.log.length, 7, "both have come in between")
    }).pipe(Effect.scoped)
  )

  it.effect("finds by the checkpoints that the log was put back where no row shows it", () =>
    Effect.gen(function* () {
      const installation = yield* stopped
      const { state } = installation
      putBack(state, 1)
      const row = state.wallets.get("a")!
      state.wallets.set("a", { ...row, wallet: { ...row.wallet, version: 2 } })
      state.transactions.pop()
      assert.match(
        yield* messageOf(installation),
        /PostgreSQL has the log up to position 5, but the log ends at 4: .* by: wallet replay --erase$/
      )
    })
  )

  it.effect("adopts the log where Persistence is new, and believes no checkpoint of one who was still writing", () =>
    Effect.gen(function* () {
      const installation = yield* stopped
      const { state } = installation
      eraseAll(state)
      state.checkpoints.set("late", 5n)
      const node = yield* installation.start()
      yield* until(() => state.persisted.get("a")?.length === 4, "all is there again")
      yield* until(() => state.checkpoints.size === 1, "one checkpoint")
      assert.strictEqual(state.persistedLog, state.logId)
      yield* pass(1)
      yield* assertEqual(installation, node, ["a", "b"])
    })
  )
})
