/** Verify by slices: moving wallets, bounds, and what the fold finds where an event is one row for log and view. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { RecordedEvent, WalletEvent } from "../../../src/domain/Event.ts"
import type { VerifyBounds, VerifyProgress } from "../../../src/engine/verify/Options.ts"
import { verify } from "../../../src/engine/verify/Verify.ts"
import { Persistence } from "../../../src/stores/Persistence.ts"
import {
  create,
  credit,
  filled,
  movingAtEachLook,
  newState,
  openLogBook,
  storesOver,
  writeLives
} from "../../support/LogLife.ts"

const noLag = { lagMillis: 0 }

const stores = Layer.unwrap(Effect.map(newState(), storesOver))

describe("verify by slices", () => {
  it.effect("reports nothing false about a wallet that moves while it is compared, by slices", () =>
    Effect.gen(function* () {
      const { counts, moving } = yield* movingAtEachLook
      const bounds = { walletsPerSlice: 1, pageEvents: 2 }
      const report = yield* verify({ lagMillis: 0, bounds }).pipe(Effect.provideService(Persistence, moving))
      assert.isAtLeast(counts.moves, 2)
      assert.deepStrictEqual(report.differences, [])
      assert.strictEqual(report.conservation.find(({ currency }) => currency === "EUR")?.balances, 880n)
    }).pipe(Effect.provide(stores))
  )

  it.effect("compares in full what looked wrong by slices, also while it goes on moving", () =>
    Effect.gen(function* () {
      const { counts, moving } = yield* movingAtEachLook
      const rowScan = moving.rowScan!
      // As if the row had been read between two other looks.
      const hasty = Persistence.of({
        ...moving,
        rowScan: {
          ...rowScan,
          rows: (range, maxRows) =>
            Effect.map(rowScan.rows(range, maxRows), (rows) => ({
              ...rows,
              wallets: rows.wallets.map((one) => (one.walletId === "a" ? { ...one, holds: one.holds.slice(1) } : one))
            }))
        }
      })
      const report = yield* verify({ lagMillis: 1000 }).pipe(Effect.provideService(Persistence, hasty))
      assert.isAbove(counts.moves, 3)
      assert.deepStrictEqual(report.differences, [])
      assert.strictEqual(report.wallets, 2)
    }).pipe(Effect.provide(stores))
  )

  it.effect("reports the same in small slices, several at a time, and within small bounds", () =>
    Effect.gen(function* () {
      const state = yield* newState()
      yield* Effect.gen(function* () {
        yield* Effect.flatMap(openLogBook, (book) => writeLives(book, { wallets: 8, steps: 300, seed: 3 }))
        state.holds.get("w3")!.clear()
        const row = state.wallets.get("w5")!
        state.wallets.set("w5", { ...row, wallet: { ...row.wallet, held: row.wallet.held + 1n } })
        state.wallets.set("zz", { ...row, wallet: { ...row.wallet, id: "zz" } })
        const of = (bounds: Partial<VerifyBounds>) =>
          Effect.map(
            verify({ ...noLag, bounds }),
            ({ durationMillis: _, differences, searched: _searched, ...rest }) => ({
              ...rest,
              differences: differences.map((one) => JSON.stringify(one)).sort()
            })
          )
        const one = yield* of({ slices: 1 })
        assert.isAbove(one.differenceCount, 3)
        assert.deepStrictEqual(yield* of({ slices: 4, walletsPerSlice: 1 }), one)
        assert.deepStrictEqual(yield* of({ slices: 2, walletsPerSlice: 3, pageEvents: 7, sliceRows: 5 }), one)
        assert.deepStrictEqual(yield* of({ pageEvents: 1, sliceRows: 1 }), one)
      }).pipe(Effect.provide(storesOver(state)))
    })
  )

  it.effect("holds every event against the fold: amounts, held sums, keys, ids, reversals, funds", () =>
    Effect.gen(function* () {
      const damaged = (change: (recorded: RecordedEvent, stream: ReadonlyArray<RecordedEvent>) => RecordedEvent) =>
        Effect.gen(function* () {
          const state = yield* newState()
          return yield* Effect.gen(function* () {
            yield* filled
            const stream = state.streams.get("a")!
            for (const [version, recorded] of Array.from(stream).entries()) {
              const changed = change(recorded, stream)
              stream[version] = changed
              const at = state.log.findIndex((one) => one.recorded === recorded)
              state.log[at] = { position: BigInt(at + 1), recorded: changed }
            }
            const report = yield* verify(noLag)
            return report.differences.map(({ what }) => what)
          }).pipe(Effect.provide(storesOver(state)))
        })
      const at = (version: number, change: (event: WalletEvent) => object) => (recorded: RecordedEvent) =>
        recorded.version === version
          ? { ...recorded, event: { ...recorded.event, ...change(recorded.event) } as WalletEvent }
          : recorded
      const find = Effect.fnUntraced(function* (what: string, change: Parameters<typeof damaged>[0]) {
        assert.include(yield* damaged(change), what)
      })
      yield* find(
        "balance after event 1",
        at(1, () => ({ amount: 999n }))
      )
      yield* find(
        "held after event 3",
        at(3, () => ({ heldAfter: 49n }))
      )
      yield* find(
        "available after event 2",
        at(2, () => ({ amount: 1100n, balanceAfter: -100n }))
      )
      yield* find(
        "hold h9 of event 6",
        at(6, () => ({ holdId: "h9" }))
      )
      yield* find(
        "captured of event 6",
        at(6, () => ({ capturedAfter: 21n }))
      )
      yield* find(
        "released of event 7",
        at(7, () => ({ amount: 61n }))
      )
      yield* find("key of event 2", (recorded, stream) =>
        recorded.version === 2
          ? { ...recorded, metadata: { ...recorded.metadata, key: stream[1]!.metadata.key } }
          : recorded
      )
      yield* find("key of event 9", (recorded) =>
        recorded.version === 9 ? { ...recorded, metadata: { ...recorded.metadata, key: "c:other" } } : recorded
      )
      yield* find("id of event 2", (recorded, stream) =>
        recorded.version === 2 ? { ...recorded, id: stream[1]!.id } : recorded
      )
      yield* find("time of event 2", (recorded) => (recorded.version === 2 ? { ...recorded, time: 1 } : recorded))
      yield* find("version", (recorded) => (recorded.version === 2 ? { ...recorded, version: 3 } : recorded))
    })
  )

  it.effect("holds a reversal against the event that it undoes, however far back that is", () =>
    Effect.gen(function* () {
      const state = yield* newState()
      yield* Effect.gen(function* () {
        const book = yield* openLogBook
        yield* book.perform(create("a"))
        yield* book.perform(credit("a", 5n))
        for (let n = 0; n < 1_100; n++) yield* book.perform(credit("a", 1n))
        yield* book.reverse("a", 1, "no")
        assert.deepStrictEqual((yield* verify(noLag)).differences, [])
        const stream = state.streams.get("a")!
        const changed = { ...stream[1]!, event: { ...stream[1]!.event, amount: 6n, balanceAfter: 6n } as WalletEvent }
        stream[1] = changed
        state.log[1] = { position: 2n, recorded: changed }
        const { differences } = yield* verify({ ...noLag, walletId: "a" })
        assert.includeMembers(
          differences.map(({ what }) => what),
          ["reversal of event 1 by event 1102"]
        )
      }).pipe(Effect.provide(storesOver(state)))
    })
  )

  it.effect("tells how far it is, up to the head", () =>
    Effect.gen(function* () {
      yield* Effect.flatMap(openLogBook, (book) => writeLives(book, { wallets: 8, steps: 100, seed: 3 }))
      const seen: Array<VerifyProgress> = []
      const bounds = { walletsPerSlice: 2, pageEvents: 20 }
      const onProgress = (progress: VerifyProgress) => Effect.sync(() => void seen.push(progress))
      const report = yield* verify({ ...noLag, bounds, onProgress })
      const positions = seen.map(({ position }) => position)
      assert.isAbove(seen.length, 4)
      assert.deepStrictEqual(
        positions,
        [...positions].sort((a, b) => Number(a - b))
      )
      assert.strictEqual(seen.at(-1)?.position, report.position)
      assert.strictEqual(seen.at(-1)?.wallets, 8)
    }).pipe(Effect.provide(stores))
  )
})
