import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import type { Commit } from "../../../src/domain/Commit.ts"
import { replay, type ReplayOptions, type ReplayProgress, replayWallet } from "../../../src/engine/rebuild/Rebuild.ts"
import { catchUpOwner } from "../../../src/engine/rebuild/LogRebuild.ts"
import { verify } from "../../../src/engine/verify/Verify.ts"
import { unfilledOwner } from "../../../src/pipeline/StoreIdentity.ts"
import { EventStore } from "../../../src/stores/EventStore.ts"
import type { MemoryState } from "../../../src/stores/memory/MemoryDatabase.ts"
import { Persistence } from "../../../src/stores/Persistence.ts"
import { StoreUnavailable } from "../../../src/stores/StoreError.ts"
import {
  copyOf,
  create,
  credit,
  newState,
  openLogBook,
  rowsOf,
  storesOver,
  withoutRows,
  writeLives
} from "../../support/LogLife.ts"

const lives = { wallets: 12, steps: 400, seed: 7 }

/** A log with its rows, as appends have written them. */
const installed = Effect.gen(function* () {
  const state = yield* newState()
  yield* Effect.flatMap(openLogBook, (book) => writeLives(book, lives)).pipe(Effect.provide(storesOver(state)))
  return state
})

const small: ReplayOptions = { pageEvents: 37 }

const replayOver = (state: MemoryState, options: ReplayOptions = small) =>
  Effect.provide(replay({ ...small, ...options }), storesOver(state))

const differencesOf = (state: MemoryState) =>
  Effect.map(Effect.provide(verify({ lagMillis: 0 }), storesOver(state)), ({ differences }) => differences)

/** Refuses every commit with one of these events. */
const refusing =
  (ids: ReadonlySet<string>) =>
  (commit: Commit): string | undefined =>
    commit.events.some(({ id }) => ids.has(id)) ? "a rule says no" : undefined

describe("replay", () => {
  for (const separate of [true, false]) {
    const where = separate ? "behind a log of its own" : "in the log's database"

    it.effect(`writes from nothing the rows that appends have written, ${where}`, () =>
      Effect.gen(function* () {
        const original = yield* installed
        const state = withoutRows(original, { separate })
        const report = yield* replayOver(state)
        assert.deepStrictEqual(rowsOf(state), rowsOf(original))
        assert.deepStrictEqual(yield* differencesOf(state), [])
        assert.strictEqual(report.events, original.log.length)
        assert.strictEqual(report.written, original.log.length)
        assert.isFalse(report.resumed)
      })
    )

    it.effect(`does the same with states that it cannot keep, ${where}`, () =>
      Effect.gen(function* () {
        const original = yield* installed
        const state = withoutRows(original, { separate })
        yield* replayOver(state, { walletsInMemory: 2, pageEvents: 11 })
        assert.deepStrictEqual(rowsOf(state), rowsOf(original))
      })
    )

    it.effect(`writes only what is behind, ${where}`, () =>
      Effect.gen(function* () {
        const original = yield* installed
        const state = copyOf(original, { separate })
        assert.strictEqual((yield* replayOver(state)).written, 0)
        yield* Effect.provide(
          Effect.flatMap(Persistence, (persistence) => persistence.erase("w3")),
          storesOver(state)
        )
        const report = yield* replayOver(state)
        assert.strictEqual(report.written, original.streams.get("w3")?.length)
        assert.deepStrictEqual(rowsOf(state), rowsOf(original))
      })
    )

    it.effect(`erases first when it is asked to, also rows of wallets that the log does not know, ${where}`, () =>
      Effect.gen(function* () {
        const original = yield* installed
        const state = copyOf(original, { separate })
        state.wallets.set("stranger", state.wallets.get("w1")!)
        state.transactionsByWallet.get("w2")!.pop()
        const report = yield* replayOver(state, { mode: "erase" })
        assert.strictEqual(report.written, original.log.length)
        assert.deepStrictEqual(rowsOf(state), rowsOf(original))
      })
    )

    it.effect(`rebuilds damaged rows in place, ${where}`, () =>
      Effect.gen(function* () {
        const original = yield* installed
        const state = copyOf(original, { separate })
        state.transactionsByWallet.get("w2")!.pop()
        const row = state.wallets.get("w5")!
        state.wallets.set("w5", { ...row, wallet: { ...row.wallet, balance: row.wallet.balance + 1n } })
        assert.strictEqual((yield* replayOver(state)).written, 0)
        yield* replayOver(state, { mode: "rebuild" })
        assert.deepStrictEqual(rowsOf(state), rowsOf(original))
      })
    )

    it.effect(`replaces the rows of one wallet and of no other, ${where}`, () =>
      Effect.gen(function* () {
        const original = yield* installed
        const state = copyOf(original, { separate })
        for (const id of ["w2", "w4"]) {
          state.transactionsByWallet.get(id)!.pop()
          const row = state.wallets.get(id)!
          state.wallets.set(id, { ...row, wallet: { ...row.wallet, held: row.wallet.held + 1n } })
        }
        const report = yield* Effect.provide(replayWallet("w2"), storesOver(state))
        assert.strictEqual(report.written, original.streams.get("w2")?.length)
        assert.deepStrictEqual(state.transactionsByWallet.get("w2"), original.transactionsByWallet.get("w2"))
        assert.deepStrictEqual(state.wallets.get("w2"), original.wallets.get("w2"))
        const differing = new Set((yield* differencesOf(state)).map(({ walletId }) => walletId))
        assert.deepStrictEqual([...differing], ["w4"])
      })
    )
  }

  it.effect("gives the refusals back of what a user's rule had refused and the log has reversed", () =>
    Effect.gen(function* () {
      const original = yield* newState()
      const refused = yield* Effect.flatMap(openLogBook, (book) => writeLives(book, lives)).pipe(
        Effect.provide(storesOver(original))
      )
      assert.isAbove(refused.size, 10)
      for (const mode of ["catchUp", "rebuild"] as const) {
        const state = withoutRows(original, { separate: true, rule: refusing(refused) })
        const report = yield* replayOver(state, { mode })
        const refusals = [...state.refusals.values()].flat()
        assert.deepStrictEqual(new Set(refusals.map(({ eventId }) => eventId)), refused)
        assert.isTrue(
          refusals.every(({ reason, reversedVersion }) => reason.startsWith("no, ") && reversedVersion !== null)
        )
        assert.strictEqual(report.refused, refused.size)
        assert.deepStrictEqual(yield* differencesOf(state), [])
      }
    })
  )

  it.effect(
    "accepts what was refused once and reversed, where the rule refuses it no more, however pages are cut",
    () =>
      Effect.gen(function* () {
        const original = yield* newState()
        const reversed = yield* Effect.flatMap(openLogBook, (book) => writeLives(book, lives)).pipe(
          Effect.provide(storesOver(original))
        )
        // A rule refuses commands, all their events.
        const commandOf = new Map(original.log.map(({ recorded }) => [recorded.id, recorded.metadata.commandId]))
        const commands = [...new Set(Array.from(reversed, (id) => commandOf.get(id)!))]
        const refusedCommands = new Set(commands.filter((_, index) => index % 3 > 0))
        const refused = new Set(Array.from(reversed).filter((id) => refusedCommands.has(commandOf.get(id)!)))
        const apart = withoutRows(original, { separate: true, rule: refusing(refused) })
        yield* replayOver(apart, { pageEvents: 10_000 })
        for (const pageEvents of [1, 2, 13, 100]) {
          const state = withoutRows(original, { separate: true, rule: refusing(refused) })
          const report = yield* replayOver(state, { pageEvents })
          const refusals = [...state.refusals.values()].flat()
          assert.deepStrictEqual(new Set(refusals.map(({ eventId }) => eventId)), refused)
          assert.strictEqual(report.refused, refused.size)
          assert.deepStrictEqual(rowsOf(state), rowsOf(apart))
          assert.deepStrictEqual(yield* differencesOf(state), [])
        }
      })
  )

  it.effect("tries each reversed command once, and reads the log for none that its pages tell of", () =>
    Effect.gen(function* () {
      const original = yield* newState()
      const refused = yield* Effect.flatMap(openLogBook, (book) => writeLives(book, lives)).pipe(
        Effect.provide(storesOver(original))
      )
      const state = withoutRows(original, { separate: true, rule: refusing(refused) })
      const counts = { writes: 0, reads: 0 }
      yield* Effect.gen(function* () {
        const persistence = yield* Persistence
        const log = yield* EventStore
        const counting = Persistence.of({
          ...persistence,
          write: (commits, checkpoint) => {
            counts.writes += 1
            return persistence.write(commits, checkpoint)
          }
        })
        const counted = EventStore.of({
          ...log,
          read: (walletId, options) => {
            counts.reads += 1
            return log.read(walletId, options)
          }
        })
        yield* replay({ mode: "erase", pageEvents: 10_000 }).pipe(
          Effect.provideService(Persistence, counting),
          Effect.provideService(EventStore, counted)
        )
      }).pipe(Effect.provide(storesOver(state)))
      assert.strictEqual(counts.reads, 0)
      // Each refused one, the first page, and the rounds between them.
      assert.isAbove(refused.size, 10)
      assert.isBelow(counts.writes, refused.size * 2 + 2)
    })
  )

  it.effect("leaves a wallet whose creation was refused without rows", () =>
    Effect.gen(function* () {
      const original = yield* newState()
      yield* Effect.gen(function* () {
        const book = yield* openLogBook
        yield* book.perform(create("never"))
        yield* book.reverse("never", 0, "no such wallet here")
        yield* book.perform(create("other"))
      }).pipe(Effect.provide(storesOver(original)))
      const created = original.streams.get("never")![0]!.id
      const state = withoutRows(original, { separate: true, rule: refusing(new Set([created])) })
      yield* replayOver(state)
      assert.deepStrictEqual([...state.wallets.keys()], ["other"])
      assert.strictEqual(state.refusals.get("never")?.[0]?.reversedVersion, 1)
      assert.deepStrictEqual(yield* differencesOf(state), [])
    })
  )

  it.effect("stops at an event that a rule refuses and nobody has reversed, and names it", () =>
    Effect.gen(function* () {
      const original = yield* newState()
      yield* Effect.gen(function* () {
        const book = yield* openLogBook
        yield* book.perform(create("a"))
        yield* book.perform(create("b"))
        yield* book.perform(credit("a", 5n))
        yield* book.perform(credit("b", 7n))
        yield* book.perform(credit("a", 6n))
      }).pipe(Effect.provide(storesOver(original)))
      const unlucky = original.streams.get("a")![2]!.id
      const state = withoutRows(original, { separate: true, rule: refusing(new Set([unlucky])) })
      const failure = yield* Effect.flip(replayOver(state))
      assert.strictEqual(failure._tag, "ReplayRefused")
      assert.include(failure.message, "event 2 (WalletCredited) of wallet a")
      // What is before it is there; and the log is as it was.
      assert.strictEqual(state.wallets.get("a")?.wallet.balance, 5n)
      assert.strictEqual(state.log.length, original.log.length)
      const again = yield* Effect.flip(replayOver(state, { mode: "rebuild" }))
      assert.strictEqual(again._tag, "ReplayRefused")
      assert.strictEqual(state.wallets.get("a")?.wallet.balance, 5n, "as it was before the rebuild")
    })
  )

  it.effect("goes on where it was cut off, with its checkpoint, and begins anew when it is told to", () =>
    Effect.gen(function* () {
      const original = yield* installed
      const state = withoutRows(original, { separate: true })
      const cut = Effect.gen(function* () {
        const persistence = yield* Persistence
        let writes = 0
        const failing = Persistence.of({
          ...persistence,
          write: (commits, checkpoint) =>
            ++writes > 4 ? Effect.die(new Error("killed")) : persistence.write(commits, checkpoint)
        })
        return yield* Effect.exit(Effect.provideService(replay({ ...small, mode: "erase" }), Persistence, failing))
      }).pipe(Effect.provide(storesOver(state)))
      assert.strictEqual((yield* cut)._tag, "Failure")
      assert.strictEqual(state.checkpoints.get(catchUpOwner), BigInt(4 * 37))
      const seen: Array<ReplayProgress> = []
      const report = yield* replayOver(copyOf(state), {
        onProgress: (progress) => Effect.sync(() => void seen.push(progress))
      })
      assert.isTrue(report.resumed)
      assert.strictEqual(report.from, BigInt(4 * 37))
      assert.strictEqual(report.written, original.log.length - 4 * 37)
      assert.strictEqual(seen.at(-1)?.position, report.position)
      const anew = yield* replayOver(state, { restart: true })
      assert.isFalse(anew.resumed)
      assert.strictEqual(anew.events, original.log.length)
      assert.deepStrictEqual(rowsOf(state), rowsOf(original))
      assert.isFalse(state.checkpoints.has(catchUpOwner))
      assert.strictEqual(
        state.checkpoints.get("replayed"),
        BigInt(original.log.length),
        "where the next start may begin"
      )
    })
  )

  it.effect("from a position, brings up whole wallets that it meets there", () =>
    Effect.gen(function* () {
      const original = yield* installed
      const state = withoutRows(original, { separate: true })
      const from = BigInt(original.log.length - 1)
      const last = original.log.at(-1)!.recorded.walletId
      yield* replayOver(state, { from })
      assert.deepStrictEqual([...state.wallets.keys()], [last])
      assert.deepStrictEqual(state.wallets.get(last)?.wallet, original.wallets.get(last)?.wallet)
      assert.deepStrictEqual([...state.checkpoints], [[unfilledOwner, 0n]], "what is before it was not looked at")
    })
  )

  it.effect("waits for a store that is away for a moment", () =>
    Effect.gen(function* () {
      const original = yield* installed
      const state = withoutRows(original, { separate: true })
      const away = new StoreUnavailable({ store: "persistence", reason: "away", retryAfter: 1 })
      yield* Effect.gen(function* () {
        const persistence = yield* Persistence
        let calls = 0
        const failing = Persistence.of({
          ...persistence,
          write: (commits, checkpoint) =>
            ++calls % 3 === 0 ? Effect.fail(away) : persistence.write(commits, checkpoint)
        })
        const replaying = yield* Effect.forkChild(Effect.provideService(replay(small), Persistence, failing))
        // Each failure costs one pause of a tenth of a second.
        for (let turn = 0; turn < 1_000 && replaying.pollUnsafe() === undefined; turn++) {
          yield* TestClock.adjust("100 millis")
        }
        yield* Fiber.join(replaying)
      }).pipe(Effect.provide(storesOver(state)))
      assert.deepStrictEqual(rowsOf(state), rowsOf(original))
    })
  )

  it.effect("names a wallet whose rows are of another history, and mends it one by one", () =>
    Effect.gen(function* () {
      const original = yield* installed
      const state = copyOf(original, { separate: true })
      const ids = state.persisted.get("w6")!
      ids[ids.length - 1] = crypto.randomUUID()
      const failure = yield* Effect.flip(replayOver(state))
      assert.strictEqual(failure._tag, "ReplayDiverged")
      assert.include(failure.message, "wallet replay --wallet w6")
      yield* Effect.provide(replayWallet("w6"), storesOver(state))
      yield* replayOver(state)
      assert.deepStrictEqual(rowsOf(state), rowsOf(original))
    })
  )

  it.effect("leaves the rows alone that a service writes meanwhile, and needs none of its own for them", () =>
    Effect.gen(function* () {
      const state = yield* newState({ separate: true })
      yield* Effect.gen(function* () {
        const log = yield* EventStore
        const persistence = yield* Persistence
        const book = yield* openLogBook
        yield* writeLives(book, lives)
        // Every write of the replay is preceded by one of the service: the same wallet, further on.
        const beside = Persistence.of({
          ...persistence,
          write: (commits, checkpoint) =>
            Effect.gen(function* () {
              const { walletId } = commits[0]!
              yield* book.perform(credit(walletId, 1n), 9_000)
              yield* replayWallet(walletId).pipe(
                Effect.provideService(Persistence, persistence),
                Effect.provideService(EventStore, log)
              )
              return yield* persistence.write(commits, checkpoint)
            }) as ReturnType<typeof persistence.write>
        })
        yield* Effect.provideService(replay(small), Persistence, beside)
      }).pipe(Effect.provide(storesOver(state)))
      assert.deepStrictEqual(yield* differencesOf(state), [])
    })
  )
})
