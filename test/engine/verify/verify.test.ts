import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import type { Commit } from "../../../src/domain/Commit.ts"
import { fold } from "../../../src/domain/Evolve.ts"
import { replay } from "../../../src/engine/rebuild/Rebuild.ts"
import { verify } from "../../../src/engine/verify/Verify.ts"
import { EventStore } from "../../../src/stores/EventStore.ts"
import { MemoryDatabase, type MemoryState } from "../../../src/stores/memory/MemoryDatabase.ts"
import { Persistence } from "../../../src/stores/Persistence.ts"
import {
  copyOf,
  create,
  credit,
  filled,
  movingAtEachLook,
  newState,
  openLogBook,
  receive,
  rowsOf,
  send,
  storesOver,
  withoutRows,
  writeLives
} from "../../support/LogLife.ts"

/** Far in the past on the test clock's scale: keys count as young. */
const noLag = { lagMillis: 0 }

const stores = Layer.unwrap(Effect.map(newState(), storesOver))

/** Fills, damages, verifies: the differences as `store what`. */
const found = (damage: (state: MemoryState) => void) =>
  Effect.gen(function* () {
    yield* filled
    damage(yield* MemoryDatabase)
    const report = yield* verify(noLag)
    return report.differences.map((one) => `${one.walletId} ${one.store} ${one.what}`)
  }).pipe(Effect.provide(stores))

/** The same where the log lives elsewhere, so that transactions and keys have rows of their own. */
const foundBehindLog = (damage: (state: MemoryState) => void) =>
  Effect.gen(function* () {
    const state = yield* newState({ separate: true })
    return yield* Effect.gen(function* () {
      yield* filled
      yield* replay()
      damage(state)
      const report = yield* verify(noLag)
      return report.differences.map((one) => `${one.walletId} ${one.store} ${one.what}`)
    }).pipe(Effect.provide(storesOver(state)))
  })

describe("verify", () => {
  it.effect("finds nothing wrong with an untouched installation and counts what it compared", () =>
    Effect.gen(function* () {
      yield* filled
      const report = yield* verify(noLag)
      assert.deepStrictEqual(report.differences, [])
      assert.strictEqual(report.differenceCount, 0)
      const { events, holds, keys, position, transactions, wallets } = report
      assert.deepStrictEqual(
        { events, holds, keys, position, transactions, wallets },
        { events: 12, holds: 3, keys: 11, position: 12n, transactions: 4, wallets: 2 }
      )
      assert.deepStrictEqual(
        report.conservation.map(({ balances, captures, credits, currency, debits }) => ({
          balances,
          captures,
          credits,
          currency,
          debits
        })),
        [
          { balances: 7n, captures: 0n, credits: 7n, currency: "CZK", debits: 0n },
          { balances: 880n, captures: 20n, credits: 1000n, currency: "EUR", debits: 100n }
        ]
      )
    }).pipe(Effect.provide(stores))
  )

  it.effect("is clean on an empty installation", () =>
    Effect.gen(function* () {
      const report = yield* verify(noLag)
      assert.strictEqual(report.differenceCount, 0)
      assert.strictEqual(report.position, 0n)
    }).pipe(Effect.provide(stores))
  )

  it.effect("takes several passes over the log when the wallets are more than one pass holds", () =>
    Effect.gen(function* () {
      const { perform } = yield* openLogBook
      for (let n = 0; n < 7; n++) yield* perform(create(`w${n}`))
      for (let n = 0; n < 7; n++) yield* perform(credit(`w${n}`, BigInt(n + 1)))
      const { scan: _scan, ...log } = yield* EventStore
      const report = yield* Effect.provideService(verify({ ...noLag, walletsPerPass: 2 }), EventStore, log)
      assert.deepStrictEqual(report.differences, [])
      assert.strictEqual(report.wallets, 7)
      assert.strictEqual(report.events, 14)
      assert.strictEqual(report.conservation[0]?.balances, 28n)
    }).pipe(Effect.provide(stores))
  )

  it.effect("names a wallet row that differs, in store and search", () =>
    Effect.gen(function* () {
      const differences = yield* found((state) => {
        const entry = state.wallets.get("a")
        if (entry !== undefined) state.wallets.set("a", { ...entry, wallet: { ...entry.wallet, balance: 881n } })
      })
      assert.deepStrictEqual(differences, ["a persistence wallet row", "a readModel wallet by its id"])
    })
  )

  it.effect("names a wallet row that is gone", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* found((state) => state.wallets.delete("b-1")), ["b-1 persistence version"])
    })
  )

  it.effect("names a row that the log does not know", () =>
    Effect.gen(function* () {
      const differences = yield* found((state) => {
        const entry = state.wallets.get("a")
        if (entry !== undefined) state.wallets.set("zz", { ...entry, wallet: { ...entry.wallet, id: "zz" } })
      })
      assert.deepStrictEqual(differences, ["zz persistence wallet row"])
    })
  )

  it.effect("names a row ahead of the log", () =>
    Effect.gen(function* () {
      const differences = yield* found((state) => {
        const entry = state.wallets.get("b-1")
        if (entry !== undefined) state.wallets.set("b-1", { ...entry, wallet: { ...entry.wallet, version: 2 } })
      })
      assert.deepStrictEqual(differences, ["b-1 persistence version"])
    })
  )

  it.effect("names a transaction that is gone, altered or too many", () =>
    Effect.gen(function* () {
      const differences = yield* foundBehindLog((state) => {
        const rows = state.transactionsByWallet.get("a") ?? []
        const [first, second, third] = rows
        if (first === undefined || second === undefined || third === undefined) throw new Error("no rows")
        rows.splice(0, 3, { ...first, amount: 999n }, { ...third, version: 3 }, third)
        assert.strictEqual(second.version, 2)
      })
      assert.deepStrictEqual(differences, [
        "a persistence transaction of event 1",
        "a persistence transaction of event 2",
        "a persistence transaction of event 3"
      ])
    })
  )

  it.effect("names holds that are gone, altered or too many", () =>
    Effect.gen(function* () {
      const differences = yield* found((state) => {
        const rows = state.holds.get("a")
        const [h1, h3] = [rows?.get("h1"), rows?.get("h3")]
        if (rows === undefined || h1 === undefined || h3 === undefined) throw new Error("no rows")
        rows.set("h1", { ...h1, hold: { ...h1.hold, status: "released" } })
        rows.set("h3", { ...h3, hold: { ...h3.hold, remaining: 69n } })
        rows.set("h9", { ...h3, hold: { ...h3.hold, id: "h9" } })
        rows.delete("h2")
      })
      assert.deepStrictEqual([...differences].sort(), [
        "a persistence hold h1",
        "a persistence hold h2",
        "a persistence hold h3",
        "a persistence hold h9"
      ])
    })
  )

  it.effect("names a key that is gone or belongs to another version", () =>
    Effect.gen(function* () {
      const differences = yield* foundBehindLog((state) => {
        const keys = state.keys.get("b-1")
        const [first, second] = [...(keys?.values() ?? [])]
        if (keys === undefined || first === undefined || second === undefined) throw new Error("no keys")
        keys.delete(first.key)
        keys.set(second.key, { ...second, version: 5 })
      })
      assert.deepStrictEqual(differences, ["b-1 persistence key of event 0", "b-1 persistence key of event 1"])
    })
  )

  it.effect("names a balance in the log that does not add up, and the currency that is not conserved", () =>
    Effect.gen(function* () {
      const differences = yield* found((state) => {
        const stream = state.streams.get("b-1")
        const last = stream?.[1]
        if (stream === undefined || last === undefined) throw new Error("no stream")
        const damaged = { ...last, event: { ...last.event, balanceAfter: 8n } }
        stream[1] = damaged
        const at = state.log.findIndex((one) => one.recorded === last)
        state.log[at] = { position: BigInt(at + 1), recorded: damaged }
      })
      assert.includeMembers(differences, [
        "b-1 log balance after event 1",
        "null log conservation of CZK at position 12"
      ])
    })
  )

  it.effect("counts all differences but keeps only so many", () =>
    Effect.gen(function* () {
      const { perform } = yield* openLogBook
      for (let n = 0; n < 5; n++) yield* perform(create(`w${n}`))
      const state = yield* MemoryDatabase
      state.wallets.clear()
      const report = yield* verify({ ...noLag, maxDifferences: 2 })
      assert.strictEqual(report.differenceCount, 5)
      assert.strictEqual(report.differences.length, 2)
    }).pipe(Effect.provide(stores))
  )

  it.effect("reports nothing false about a wallet that moves while it is compared, wallet by wallet", () =>
    Effect.gen(function* () {
      const { counts, moving } = yield* movingAtEachLook
      const { scan: _scan, ...log } = yield* EventStore
      const report = yield* verify({ lagMillis: 1000 }).pipe(
        Effect.provideService(Persistence, moving),
        Effect.provideService(EventStore, log)
      )
      assert.isAbove(counts.moves, 3)
      assert.deepStrictEqual(report.differences, [])
    }).pipe(Effect.provide(stores))
  )

  it.effect("compares the transfers of their sources", () =>
    Effect.gen(function* () {
      const state = yield* newState()
      yield* Effect.gen(function* () {
        const { perform } = yield* openLogBook
        for (const id of ["a", "b"]) yield* perform(create(id))
        yield* perform(credit("a", 100n))
        for (const [n, amount] of [10n, 20n, 30n].entries()) yield* perform(send("a", "b", `t${n}`, amount))
        yield* perform(receive("b", "a", "t0", 10n))
        yield* perform({ _tag: "SettleTransfer", walletId: "a", transferId: "t0" })
        yield* perform({ _tag: "ReverseTransfer", walletId: "a", transferId: "t1", reason: "closed" })
        const clean = yield* verify(noLag)
        assert.deepStrictEqual(clean.differences, [])
        assert.strictEqual(clean.transfers, 3)
        assert.strictEqual(clean.conservation[0]?.balances, 70n)
        const rows = state.transfers.get("a")!
        const [t0, t1] = [rows.get("t0")!, rows.get("t1")!]
        rows.set("t0", { ...t0, transfer: { ...t0.transfer, status: "pending" } })
        rows.delete("t1")
        rows.set("t9", { ...t1, transfer: { ...t1.transfer, id: "t9" } })
        const { differences } = yield* verify(noLag)
        assert.deepStrictEqual(differences.map(({ what }) => what).sort(), [
          "transfer t0",
          "transfer t1",
          "transfer t9"
        ])
      }).pipe(Effect.provide(storesOver(state)))
    })
  )

  it.effect("calls rows behind the log a lag while the events are young, and a difference later", () =>
    Effect.gen(function* () {
      const state = yield* newState({ separate: true })
      yield* Effect.gen(function* () {
        const { perform } = yield* openLogBook
        const persistence = yield* Persistence
        const [created] = yield* perform(create("a"), 0)
        const wallet = { walletId: "a", partition: 0, epoch: 1, expectedVersion: -1, events: [created!] }
        yield* persistence.write([{ ...wallet, wallet: fold(undefined, [created!])! }])
        yield* perform(credit("a", 5n), 0)
        yield* perform(create("new"), 0)
        const young = yield* verify({ lagMillis: 1_000 })
        assert.deepStrictEqual(young.differences, [])
        assert.strictEqual(young.lagging, 2)
        yield* TestClock.adjust("2 seconds")
        const old = yield* verify({ lagMillis: 1_000 })
        assert.strictEqual(old.lagging, 0)
        assert.deepStrictEqual(
          old.differences.map(({ found, walletId }) => `${walletId} ${found}`),
          ["a 0", "new no row"]
        )
      }).pipe(Effect.provide(storesOver(state)))
    })
  )

  it.effect("knows what refused events leave: a place, their keys, and the reversal", () =>
    Effect.gen(function* () {
      const { refused, state } = yield* refusedLives
      const report = yield* Effect.provide(verify(noLag), storesOver(state))
      assert.deepStrictEqual(report.differences, [])
      assert.strictEqual(report.refusals, refused.size)
      assert.strictEqual(report.openRefusals, 0)
    })
  )

  it.effect("names rows of a refused event, and a refusal without its reversal", () =>
    Effect.gen(function* () {
      const { state } = yield* refusedLives
      const credited = [...state.refusals.values()]
        .flat()
        .find(({ version, walletId }) => state.streams.get(walletId)![version]!.event._tag === "WalletCredited")!
      const { version, walletId } = credited
      const { event, id, time } = state.streams.get(walletId)![version]!
      const transactions = state.transactionsByWallet.get(walletId)!
      transactions.push({
        ...transactions[0]!,
        id,
        version,
        createdAt: time,
        amount: 1n,
        balanceAfter: event.balanceAfter
      })
      transactions.sort((a, b) => a.version - b.version)
      const refusals = state.refusals.get(walletId)!
      refusals[refusals.indexOf(credited)] = { ...credited, reversedVersion: null }
      const { differences } = yield* Effect.provide(verify(noLag), storesOver(state))
      assert.deepStrictEqual(
        differences.map(({ what, walletId }) => `${walletId} ${what}`),
        [`${walletId} transaction of event ${version}`, `${walletId} reversal of event ${version}`]
      )
    })
  )

  it.effect("reports a refusal that nobody reverses, once it is old", () =>
    Effect.gen(function* () {
      const rule = ({ events }: Commit) =>
        events.some(({ event }) => event._tag === "WalletCredited") ? "no" : undefined
      const state = yield* newState({ separate: true, rule })
      yield* Effect.gen(function* () {
        const { perform, stream } = yield* openLogBook
        const persistence = yield* Persistence
        yield* perform(create("a"), 0)
        yield* replay()
        yield* perform(credit("a", 5n), 0)
        const [before, event] = stream("a")
        const wallet = fold(undefined, [before!, event!])!
        const commit: Commit = { walletId: "a", partition: 0, epoch: 1, expectedVersion: 0, events: [event!], wallet }
        yield* persistence.refuse(commit, { reason: "no", time: 0 })
        const young = yield* verify({ lagMillis: 1_000 })
        assert.deepStrictEqual([young.differenceCount, young.openRefusals], [0, 1])
        yield* TestClock.adjust("2 seconds")
        const old = yield* verify({ lagMillis: 1_000 })
        assert.deepStrictEqual(
          old.differences.map(({ found, what }) => `${what}: ${found}`),
          ["reversal of event 1: none"]
        )
        // Only its owner can reverse it: a repair leaves it.
        const repaired = yield* verify({ lagMillis: 1_000, repair: true })
        assert.deepStrictEqual(
          repaired.differences.map(({ what }) => what),
          ["reversal of event 1", "repair"]
        )
      }).pipe(Effect.provide(storesOver(state)))
    })
  )

  it.effect("names a log that is not that of the rows, and checkpoints beyond its head", () =>
    Effect.gen(function* () {
      const { state } = yield* refusedLives
      state.checkpoints.set("somebody", BigInt(state.log.length + 1))
      const beyond = yield* Effect.provide(verify(noLag), storesOver(state))
      assert.deepStrictEqual(
        beyond.differences.map(({ what }) => what),
        ["checkpoint of somebody"]
      )
      state.checkpoints.clear()
      const other = copyOf(state, { logId: crypto.randomUUID() })
      const report = yield* Effect.provide(verify({ ...noLag, repair: true }), storesOver(other))
      assert.deepStrictEqual(
        report.differences.map(({ what }) => what),
        ["id of the log"]
      )
    })
  )

  it.effect("repairs the wallets that differ, and no other", () =>
    Effect.gen(function* () {
      const { state } = yield* refusedLives
      const original = copyOf(state)
      const row = state.wallets.get("w1")!
      state.wallets.set("w1", { ...row, wallet: { ...row.wallet, balance: 0n } })
      state.transactionsByWallet.get("w2")!.pop()
      state.holds.delete("w3")
      const rebuilt: Array<string> = []
      const report = yield* Effect.gen(function* () {
        const persistence = yield* Persistence
        const watched = Persistence.of({
          ...persistence,
          rebuild: (ids, rewrite) => {
            rebuilt.push(...ids)
            return persistence.rebuild(ids, rewrite)
          }
        })
        return yield* Effect.provideService(verify({ ...noLag, repair: true }), Persistence, watched)
      }).pipe(Effect.provide(storesOver(state)))
      assert.deepStrictEqual([...rebuilt].sort(), ["w1", "w2", "w3"])
      assert.strictEqual(report.repaired, 3)
      assert.strictEqual(report.differenceCount, 0)
      assert.deepStrictEqual(rowsOf(state), rowsOf(original))
    })
  )

  it.effect("does not repair rows that know more than the log", () =>
    Effect.gen(function* () {
      const { state } = yield* refusedLives
      const last = state.log.at(-1)!.recorded
      state.checkpoints.clear()
      const shorter = copyOf(state)
      shorter.log.pop()
      shorter.streams.get(last.walletId)!.pop()
      const report = yield* Effect.provide(verify({ ...noLag, repair: true }), storesOver(shorter))
      assert.deepStrictEqual(
        report.differences.map(({ what, walletId }) => `${walletId} ${what}`),
        [`${last.walletId} version`, `${last.walletId} repair`]
      )
      assert.include(report.differences[1]!.found, `wallet replay --wallet ${last.walletId}`)
      assert.deepStrictEqual(rowsOf(shorter), rowsOf(state))
    })
  )

  it.effect("compares one wallet alone", () =>
    Effect.gen(function* () {
      const { state } = yield* refusedLives
      state.transactionsByWallet.get("w2")!.pop()
      const of = (walletId: string) => Effect.provide(verify({ ...noLag, walletId }), storesOver(state))
      assert.strictEqual((yield* of("w1")).differenceCount, 0)
      assert.strictEqual((yield* of("w2")).differenceCount, 1)
      const nobody = yield* of("nobody")
      assert.deepStrictEqual([nobody.wallets, nobody.differenceCount], [0, 0])
    })
  )
})

/** Many wallets behind a log of its own, some of whose events a rule has refused. */
const refusedLives = Effect.gen(function* () {
  const written = yield* newState()
  const refused = yield* Effect.flatMap(openLogBook, (book) =>
    writeLives(book, { wallets: 8, steps: 300, seed: 3 })
  ).pipe(Effect.provide(storesOver(written)))
  const rule = ({ events }: Commit) => (events.some(({ id }) => refused.has(id)) ? "no" : undefined)
  const state = withoutRows(written, { separate: true, rule })
  yield* Effect.provide(replay(), storesOver(state))
  return { state, refused }
})
