import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { inspectFinding, inspectLines } from "../../src/cli/tools/InspectDocument.ts"
import { storesJson } from "../../src/http/InspectionDocuments.ts"
import { inspect } from "../../src/engine/Inspect.ts"
import { replay } from "../../src/engine/rebuild/Rebuild.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import { create, credit, newState, openLogBook, send, storesOver } from "../support/LogLife.ts"

describe("inspect", () => {
  it.effect("shows the log, the rows behind it, and what is under way", () =>
    Effect.gen(function* () {
      const state = yield* newState({ separate: true })
      yield* Effect.gen(function* () {
        const { perform } = yield* openLogBook
        yield* perform(create("a"), 0)
        yield* perform(credit("a", 100n), 0)
        yield* perform(
          { _tag: "PlaceHold", walletId: "a", amount: 5n, holdId: "h1", expiresAt: 500, reference: null, metadata: {} },
          0
        )
        yield* replay()
        yield* perform(send("a", "b", "t1", 7n), 100)
        yield* perform(credit("a", 1n), 200)
        yield* (yield* Persistence).setCheckpoint("node", 3n)
        yield* TestClock.adjust("2 seconds")
        const report = yield* inspect("a")
        assert.deepStrictEqual([report.lastEvent?.version, report.lastEvent?.type], [4, "WalletCredited"])
        assert.deepStrictEqual(
          [report.state?.balance, report.row?.balance, report.document?.balance],
          [94n, 100n, 100n]
        )
        assert.deepStrictEqual([report.persisted?.version, report.lag], [2, { events: 2, millis: 1_900 }])
        assert.deepStrictEqual(
          report.openHolds.map(({ id, row }) => `${id} ${row}`),
          ["h1 active"]
        )
        assert.deepStrictEqual(
          report.transfersInFlight.map(({ createdAt, id, row }) => `${id} ${createdAt} ${row}`),
          ["t1 100 null"]
        )
        assert.deepInclude(report.checkpoints, { owner: "node", position: 3n })
        assert.strictEqual(report.node, null, "no service was asked")
        const lines = inspectLines(storesJson(report))
        assert.include(lines, "PostgreSQL: version 2, 2 events (1900 ms) behind the log")
        assert.include(lines, "  h1: 5 remaining, expires 1970-01-01T00:00:00.500Z, 1500 ms OVERDUE, row active")
        assert.include(lines, "  t1: 7 to b, for 1900 ms, row none")
      }).pipe(Effect.provide(storesOver(state)))
    })
  )

  it.effect("shows the snapshots and refusals, and a wallet that no store knows", () =>
    Effect.gen(function* () {
      const state = yield* newState({
        separate: true,
        rule: ({ events }) => (events.some(({ version }) => version === 1) ? "no" : undefined)
      })
      yield* Effect.gen(function* () {
        const book = yield* openLogBook
        yield* book.perform(create("a"), 0)
        yield* book.perform(credit("a", 100n), 0)
        yield* book.reverse("a", 1, "no credit", 0)
        yield* replay()
        state.snapshots.set(
          "a",
          [0, 1].map((version) => ({ walletId: "a", version, time: 0, data: "unreadable" }))
        )
        const report = yield* inspect("a")
        assert.deepStrictEqual(
          report.snapshots.map(({ version }) => version),
          [1, 0]
        )
        assert.deepStrictEqual(
          report.refusals.map(({ reason, reversedVersion, version }) => [version, reason, reversedVersion]),
          [[1, "no credit", 2]]
        )
        const nobody = yield* inspect("nobody")
        assert.deepStrictEqual(
          [nobody.lastEvent, nobody.persisted, nobody.row, nobody.document],
          [null, null, null, null]
        )
        assert.isAbove(inspectLines(storesJson(nobody)).length, 5)
      }).pipe(Effect.provide(storesOver(state)))
    })
  )

  it.effect("says of rows that are ahead of the log, or of another one, that they are", () =>
    Effect.gen(function* () {
      const state = yield* newState({ separate: true })
      yield* Effect.gen(function* () {
        const { perform } = yield* openLogBook
        yield* perform(create("a"), 0)
        yield* perform(credit("a", 100n), 0)
        yield* perform(credit("a", 1n), 0)
        yield* replay()
        assert.isUndefined(inspectFinding(storesJson(yield* inspect("a"))))
        const events = state.streams.get("a")!
        const [last] = events.splice(2)
        const put = yield* inspect("a")
        assert.deepStrictEqual([put.ahead, put.diverged, put.lag.events], [1, false, 0])
        const lines = inspectLines(storesJson(put))
        assert.include(lines, "PostgreSQL: version 2, 1 event AHEAD of the log, which was put back, or is another one")
        assert.include(inspectFinding(storesJson(put)), "1 event AHEAD of the log")
        events.push({ ...last!, id: "00000000-0000-4000-8000-000000000000" })
        const other = yield* inspect("a")
        assert.deepStrictEqual([other.ahead, other.diverged], [0, true])
        assert.include(inspectFinding(storesJson(other)), "with ANOTHER event than the log's")
      }).pipe(Effect.provide(storesOver(state)))
    })
  )

  it.effect("knows a reversal that the log has, also before its row has come", () =>
    Effect.gen(function* () {
      const state = yield* newState({
        separate: true,
        rule: ({ events }) => (events.some(({ version }) => version === 1) ? "no" : undefined)
      })
      yield* Effect.gen(function* () {
        const book = yield* openLogBook
        yield* book.perform(create("a"), 0)
        yield* book.perform(credit("a", 100n), 0)
        yield* book.reverse("a", 1, "no credit", 0)
        yield* replay()
        // As the rows are until that of the reversal has come.
        state.refusals.set(
          "a",
          state.refusals.get("a")!.map((refusal) => ({ ...refusal, reversedVersion: null }))
        )
        const lines = inspectLines(storesJson(yield* inspect("a")))
        assert.include(lines, "refused: event 1, reversed by event 2, whose row has not come yet: no credit")
        state.streams.get("a")!.splice(2)
        const open = inspectLines(storesJson(yield* inspect("a")))
        assert.include(open, "refused: event 1, not reversed yet: no credit")
      }).pipe(Effect.provide(storesOver(state)))
    })
  )

  it.effect("within a service also shows the wallet's actor", () =>
    Effect.gen(function* () {
      const state = yield* newState({ separate: true })
      yield* Effect.gen(function* () {
        const engine = yield* WalletEngine
        yield* engine.createWallet({ id: "a", ownerId: "o", currency: "EUR", idempotencyKey: "1" })
        const { node } = yield* inspect("a")
        assert.deepStrictEqual(
          [node?.epoch, node?.actor?.version, node?.actor?.persistedVersion, node?.actor?.parked, node?.blocked],
          [1, 0, 0, false, null]
        )
        assert.strictEqual(node?.pipeline?.queuedEvents, 0)
        assert.strictEqual((yield* inspect("b")).node?.actor, null)
      }).pipe(
        Effect.provide(
          Layer.fresh(WalletEngine.layer({ bounds: defaultBounds, partitions: 4 })).pipe(
            Layer.provideMerge(storesOver(state))
          )
        )
      )
    })
  )
})
