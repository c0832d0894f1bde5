import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type { Command } from "../../src/domain/Command.ts"
import { decide, defaultLimits } from "../../src/domain/Decide.ts"
import type { RecordedEvent } from "../../src/domain/Event.ts"
import { evolve, fold } from "../../src/domain/Evolve.ts"
import { fingerprintOf } from "../../src/domain/Fingerprint.ts"
import { noMetadata } from "../../src/domain/Form.ts"
import { verify } from "../../src/engine/Verify.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import * as MemoryApiKeyStore from "../../src/stores/MemoryApiKeyStore.ts"
import { MemoryDatabase, type MemoryState } from "../../src/stores/MemoryDatabase.ts"
import * as MemoryEventStore from "../../src/stores/MemoryEventStore.ts"
import * as MemoryPersistence from "../../src/stores/MemoryPersistence.ts"
import * as MemoryReadModel from "../../src/stores/MemoryReadModel.ts"
import { Persistence } from "../../src/stores/Persistence.ts"

const stores = Layer.fresh(
  Layer.mergeAll(MemoryEventStore.layer, MemoryPersistence.layer, MemoryReadModel.layer, MemoryApiKeyStore.layer).pipe(
    Layer.provideMerge(MemoryDatabase.layer())
  )
)

/** Far in the past on the test clock's scale: keys count as young. */
const noLag = { lagMillis: 0 }

let ids = 0
const nextId = (): string => `00000000-0000-7000-8000-${String(++ids).padStart(12, "0")}`

/** Decides and appends one command, as an actor would. */
const perform = Effect.fnUntraced(function* (command: Command, time = 1000) {
  const store = yield* EventStore
  const state = fold(undefined, yield* store.read(command.walletId, { after: -1, limit: 10_000 }))
  const events = Result.getOrThrow(decide(state, command, { time, limits: defaultLimits }))
  const key = `c:k${++ids}` as const
  const version = state?.version ?? -1
  const recorded: ReadonlyArray<RecordedEvent> = events.map((event, index) => ({
    id: nextId(),
    walletId: command.walletId,
    version: version + 1 + index,
    time,
    event,
    metadata: {
      commandId: `c${ids}`,
      key,
      fingerprint: fingerprintOf(command),
      correlationId: null,
      causationId: null,
      actor: null,
      epoch: 0
    }
  }))
  const wallet = recorded.reduce(evolve, state as never)
  const outcomes = yield* store.append([
    { walletId: command.walletId, partition: 0, epoch: 0, expectedVersion: version, events: recorded, wallet }
  ])
  assert.deepStrictEqual(outcomes, [{ _tag: "Appended" }])
})

const create = (walletId: string, currency = "EUR"): Command => ({
  _tag: "CreateWallet",
  walletId,
  ownerId: `owner-${walletId}`,
  currency,
  overdraftLimit: 0n,
  metadata: { tier: "gold", region: "west" }
})
const movement = (walletId: string, amount: bigint) => ({ walletId, amount, reference: null, metadata: noMetadata })
const credit = (walletId: string, amount: bigint): Command => ({ _tag: "Credit", ...movement(walletId, amount) })
const debit = (walletId: string, amount: bigint): Command => ({ _tag: "Debit", ...movement(walletId, amount) })
const hold = (walletId: string, holdId: string, amount: bigint): Command => ({
  _tag: "PlaceHold",
  ...movement(walletId, amount),
  holdId,
  expiresAt: null
})

/** Two wallets with every kind of row. */
const filled = Effect.gen(function* () {
  yield* perform(create("a"))
  yield* perform(create("b-1", "CZK"))
  yield* perform(credit("a", 1000n))
  yield* perform(debit("a", 100n))
  yield* perform(credit("b-1", 7n))
  yield* perform(hold("a", "h1", 50n))
  yield* perform(hold("a", "h2", 60n))
  yield* perform(hold("a", "h3", 70n))
  yield* perform({ _tag: "CaptureHold", walletId: "a", holdId: "h1", amount: 20n, final: true })
  yield* perform({ _tag: "ReleaseHold", walletId: "a", holdId: "h2" })
  yield* perform({ _tag: "UpdateWallet", walletId: "a", overdraftLimit: 5n, metadata: { region: "east" } })
})

/** Fills, damages, verifies: the differences as `store what`. */
const found = (damage: (state: MemoryState) => void) =>
  Effect.gen(function* () {
    yield* filled
    damage(yield* MemoryDatabase)
    const report = yield* verify(noLag)
    return report.differences.map((one) => `${one.walletId} ${one.store} ${one.what}`)
  }).pipe(Effect.provide(stores))

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
      for (let n = 0; n < 7; n++) yield* perform(create(`w${n}`))
      for (let n = 0; n < 7; n++) yield* perform(credit(`w${n}`, BigInt(n + 1)))
      const report = yield* verify({ ...noLag, walletsPerPass: 2 })
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
      const differences = yield* found((state) => {
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
      const differences = yield* found((state) => {
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
      for (let n = 0; n < 5; n++) yield* perform(create(`w${n}`))
      const state = yield* MemoryDatabase
      state.wallets.clear()
      const report = yield* verify({ ...noLag, maxDifferences: 2 })
      assert.strictEqual(report.differenceCount, 5)
      assert.strictEqual(report.differences.length, 2)
    }).pipe(Effect.provide(stores))
  )

  it.effect("reports nothing false about a wallet that moves while it is compared", () =>
    Effect.gen(function* () {
      yield* filled
      const persistence = yield* Persistence
      const store = yield* EventStore
      // Every look at the rows is followed by a move: a release, a credit, a new hold.
      let moves = 0
      const move = Effect.suspend(() => {
        moves += 1
        if (moves === 1) return perform({ _tag: "ReleaseHold", walletId: "a", holdId: "h3" })
        return moves < 20 ? perform(hold("a", `m${moves}`, 1n)) : Effect.void
      }).pipe(Effect.provideService(EventStore, store))
      const moving = Persistence.of({
        ...persistence,
        wallet: (id) => Effect.tap(persistence.wallet(id), () => (id === "a" ? Effect.orDie(move) : Effect.void))
      })
      const report = yield* verify({ lagMillis: 1000 }).pipe(Effect.provideService(Persistence, moving))
      assert.isAbove(moves, 3)
      assert.deepStrictEqual(report.differences, [])
    }).pipe(Effect.provide(stores))
  )
})
