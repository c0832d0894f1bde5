/** Wallets' lives written straight into a log, past every engine; and copies of the state in memory. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { assert } from "vitest"
import type { Command } from "../../src/domain/Command.ts"
import { decide, defaultLimits } from "../../src/domain/Decide.ts"
import type { RecordedEvent } from "../../src/domain/Event.ts"
import { fold } from "../../src/domain/Evolve.ts"
import { fingerprintOf } from "../../src/domain/Fingerprint.ts"
import { noMetadata } from "../../src/domain/Limits.ts"
import { isReversible } from "../../src/domain/EventKinds.ts"
import type { Wallet } from "../../src/domain/Wallet.ts"
import { sampleEventId } from "../../src/testing/contract/SampleWallet.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import * as MemoryApiKeyStore from "../../src/stores/memory/MemoryApiKeyStore.ts"
import { MemoryDatabase, type MemoryState } from "../../src/stores/memory/MemoryDatabase.ts"
import * as MemoryEventStore from "../../src/stores/memory/MemoryEventStore.ts"
import * as MemoryPersistence from "../../src/stores/memory/MemoryPersistence.ts"
import * as MemoryReadModel from "../../src/stores/memory/MemoryReadModel.ts"
import { bare } from "../../src/testing/contract/Observations.ts"

export const create = (walletId: string, currency = "EUR", overdraftLimit = 0n): Command => ({
  _tag: "CreateWallet",
  walletId,
  ownerId: `owner-${walletId}`,
  currency,
  overdraftLimit,
  metadata: { tier: "gold", region: "west" }
})
const movement = (walletId: string, amount: bigint) => ({ walletId, amount, reference: null, metadata: noMetadata })
export const credit = (walletId: string, amount: bigint): Command => ({
  _tag: "Credit",
  ...movement(walletId, amount),
  effectiveAt: null
})
export const debit = (walletId: string, amount: bigint): Command => ({
  _tag: "Debit",
  ...movement(walletId, amount),
  effectiveAt: null,
  force: null
})
export const hold = (walletId: string, holdId: string, amount: bigint): Command => ({
  _tag: "PlaceHold",
  ...movement(walletId, amount),
  holdId,
  expiresAt: null
})
export const send = (walletId: string, to: string, transferId: string, amount: bigint): Command => ({
  _tag: "SendTransfer",
  ...movement(walletId, amount),
  transferId,
  to,
  currency: "EUR",
  destination: null,
  effectiveAt: null
})
export const receive = (walletId: string, from: string, transferId: string, amount: bigint): Command => ({
  _tag: "ReceiveTransfer",
  ...movement(walletId, amount),
  transferId,
  from,
  currency: "EUR",
  effectiveAt: null
})

/** What a log is written by: under one claim, one wallet after the other. */
export interface LogBook {
  readonly state: (walletId: string) => Wallet | undefined
  readonly stream: (walletId: string) => ReadonlyArray<RecordedEvent>
  /** Decides and appends, as an actor would; dies when the rules reject it. */
  readonly perform: (command: Command, time?: number) => Effect.Effect<ReadonlyArray<RecordedEvent>>
  /** `false`: the rules reject it. */
  readonly attempt: (command: Command, time?: number) => Effect.Effect<boolean>
  /** Undoes the wallet's event of that version. */
  readonly reverse: (walletId: string, version: number, reason: string, time?: number) => Effect.Effect<boolean>
}

/** Takes partition 0 of the log in context. */
export const openLogBook = Effect.gen(function* (): Effect.fn.Return<LogBook, never, EventStore> {
  const store = yield* EventStore
  const [claim] = yield* Effect.orDie(store.claim({ partitions: [0], owner: "book", time: 0 }))
  const epoch = claim!.epoch
  const streams = new Map<string, Array<RecordedEvent>>()
  const states = new Map<string, Wallet>()

  const attempt = Effect.fnUntraced(function* (command: Command, time = 1000) {
    const { walletId } = command
    const before = states.get(walletId)
    const decided = decide(before, command, { time, limits: defaultLimits })
    if (Result.isFailure(decided)) return false
    if (decided.success.length === 0) return true
    const commandId = sampleEventId(walletId, time)
    const expectedVersion = before?.version ?? -1
    const events = decided.success.map((event, index): RecordedEvent => ({
      id: index === 0 ? commandId : sampleEventId(walletId, time),
      walletId,
      version: expectedVersion + 1 + index,
      time,
      event,
      metadata: {
        commandId,
        key: `c:${commandId}`,
        fingerprint: fingerprintOf(command),
        correlationId: null,
        causationId: null,
        actor: null,
        epoch
      }
    }))
    const wallet = fold(before, events)!
    const outcomes = yield* Effect.orDie(
      store.append([{ walletId, partition: 0, epoch, expectedVersion, events, wallet }])
    )
    assert.deepStrictEqual(bare(outcomes), [{ _tag: "Appended" }])
    states.set(walletId, wallet)
    streams.set(walletId, [...(streams.get(walletId) ?? []), ...events])
    return true
  })

  const stream = (walletId: string) => streams.get(walletId) ?? []
  return {
    state: (walletId) => states.get(walletId),
    stream,
    attempt,
    perform: (command, time) =>
      Effect.map(attempt(command, time), (took) => {
        assert.isTrue(took, `${command._tag} is rejected`)
        return stream(command.walletId)
      }),
    reverse: (walletId, version, reason, time) =>
      attempt(
        {
          _tag: "ReverseOperation",
          walletId,
          operation: stream(walletId)[version]!,
          before: fold(undefined, stream(walletId).slice(0, version)),
          reason
        },
        time
      )
  }
})

/** Small, fast, the same for the same seed. */
const random = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/**
 * Wallets with every kind of event; answers ids of events that a user's rule can be
 * said to have refused: each was reversed, and nothing was built on it.
 */
export const writeLives = Effect.fnUntraced(function* (
  book: LogBook,
  options: { readonly wallets: number; readonly steps: number; readonly seed: number }
): Effect.fn.Return<ReadonlySet<string>> {
  const next = random(options.seed)
  const refused = new Set<string>()
  const ids = Array.from({ length: options.wallets }, (_, n) => `w${n}`)
  for (const id of ids) {
    yield* book.perform(create(id, "EUR", 50n))
    yield* book.perform(credit(id, 500n))
  }
  for (let step = 0; step < options.steps; step++) {
    const time = 2_000 + step
    const id = ids[next(ids.length)]!
    const other = ids[next(ids.length)]!
    const amount = BigInt(1 + next(30))
    const holdId = `h${next(6)}-${step >> 5}`
    const before = book.state(id)!.version
    const metadata = { step: String(step) }
    const choices: ReadonlyArray<Command> = [
      credit(id, amount),
      debit(id, amount),
      hold(id, holdId, amount),
      { _tag: "CaptureHold", walletId: id, holdId, amount: null, final: next(2) === 0, effectiveAt: null },
      { _tag: "CaptureHold", walletId: id, holdId, amount: 1n, final: next(2) === 0, effectiveAt: null },
      { _tag: "ReleaseHold", walletId: id, holdId },
      { _tag: "UpdateWallet", walletId: id, overdraftLimit: 50n + amount, metadata },
      { _tag: "Freeze", walletId: id, reason: null, direction: null, until: null },
      { _tag: "Unfreeze", walletId: id, reason: "again" },
      send(id, other, `t${step}`, amount)
    ]
    const command = choices[next(choices.length)]!
    if (id === other && command._tag === "SendTransfer") continue
    if (!(yield* book.attempt(command, time))) continue
    if (command._tag === "SendTransfer" && next(4) > 0) {
      const arrived = yield* book.attempt(receive(other, id, `t${step}`, amount), time)
      if (arrived) yield* book.attempt({ _tag: "SettleTransfer", walletId: id, transferId: `t${step}` }, time)
      continue
    }
    const events = book.stream(id).slice(before + 1)
    if (next(5) > 0 || !events.every(({ event }) => isReversible(event))) continue
    for (const { id: eventId, version } of events.toReversed()) {
      if (yield* book.reverse(id, version, `no, ${step}`, time)) refused.add(eventId)
    }
  }
  return refused
})

const mapsOf = <K, V>(maps: Map<string, Map<K, V>>) => new Map(Array.from(maps, ([id, map]) => [id, new Map(map)]))
const listsOf = <A>(lists: Map<string, Array<A>>) => new Map(Array.from(lists, ([id, list]) => [id, [...list]]))

/** A dump: nothing that happens to one shows in the other. */
export const copyOf = (state: MemoryState, changed: Partial<MemoryState> = {}): MemoryState => ({
  ...state,
  log: [...state.log],
  streams: listsOf(state.streams),
  claims: new Map(state.claims),
  snapshots: listsOf(state.snapshots),
  persisted: listsOf(state.persisted),
  wallets: new Map(state.wallets),
  transactions: [...state.transactions],
  transactionsByWallet: listsOf(state.transactionsByWallet),
  holds: mapsOf(state.holds),
  transfers: mapsOf(state.transfers),
  keys: mapsOf(state.keys),
  refusals: listsOf(state.refusals),
  checkpoints: new Map(state.checkpoints),
  apiKeys: new Map(state.apiKeys),
  ...changed
})

const rowNames = ["persisted", "wallets", "transactionsByWallet", "holds", "transfers", "keys", "refusals"] as const

/** The rows, with the log's own parts of another state: a database put back, or a log. */
export const withRowsOf = (state: MemoryState, rows: MemoryState): MemoryState => {
  const from = copyOf(rows)
  const kept = Object.fromEntries(rowNames.map((name) => [name, from[name]]))
  const { checkpoints, persistedLog, persistedPosition, transactions } = from
  return copyOf(state, { ...kept, checkpoints, persistedLog, persistedPosition, transactions } as Partial<MemoryState>)
}

/** No rows at all. */
export const withoutRows = (state: MemoryState, changed: Partial<MemoryState> = {}): MemoryState =>
  copyOf(state, {
    ...Object.fromEntries(rowNames.map((name) => [name, new Map()])),
    transactions: [],
    checkpoints: new Map(),
    persistedLog: undefined,
    persistedPosition: 0n,
    ...changed
  })

/** Rows as a reader sees them, whatever their places in the lists over all wallets. */
export const rowsOf = (state: MemoryState) => ({
  wallets: Object.fromEntries(Array.from(state.wallets, ([id, { wallet }]) => [id, wallet])),
  transactions: Object.fromEntries(state.transactionsByWallet),
  holds: Object.fromEntries(Array.from(state.holds, ([id, holds]) => [id, Object.fromEntries(holds)])),
  transfers: Object.fromEntries(
    Array.from(state.transfers, ([id, sent]) => [
      id,
      Object.fromEntries(Array.from(sent, ([transferId, { transfer }]) => [transferId, transfer]))
    ])
  ),
  keys: Object.fromEntries(Array.from(state.keys, ([id, keys]) => [id, Object.fromEntries(keys)])),
  persisted: Object.fromEntries(state.persisted)
})

/** All ports over one state. */
export const storesOver = (state: MemoryState) =>
  Layer.fresh(
    Layer.mergeAll(MemoryEventStore.layer, MemoryPersistence.layer, MemoryReadModel.layer, MemoryApiKeyStore.layer)
  ).pipe(Layer.provideMerge(Layer.succeed(MemoryDatabase, state)))

/** A new, empty state. */
export const newState = (options: Parameters<typeof MemoryDatabase.layer>[0] = {}) =>
  Effect.provide(Effect.service(MemoryDatabase), Layer.fresh(MemoryDatabase.layer(options)))

/** Two wallets with every kind of row. */
export const filled = Effect.gen(function* () {
  const book = yield* openLogBook
  const { perform } = book
  yield* perform(create("a"))
  yield* perform(create("b-1", "CZK"))
  yield* perform(credit("a", 1000n))
  yield* perform(debit("a", 100n))
  yield* perform(credit("b-1", 7n))
  yield* perform(hold("a", "h1", 50n))
  yield* perform(hold("a", "h2", 60n))
  yield* perform(hold("a", "h3", 70n))
  yield* perform({ _tag: "CaptureHold", walletId: "a", holdId: "h1", amount: 20n, final: true, effectiveAt: null })
  yield* perform({ _tag: "ReleaseHold", walletId: "a", holdId: "h2" })
  yield* perform({ _tag: "UpdateWallet", walletId: "a", overdraftLimit: 5n, metadata: { region: "east" } })
  return book
})

/** Every look at the rows of wallet `a` is followed by a move: a release, then new holds. */
export const movingAtEachLook = Effect.gen(function* () {
  const { perform } = yield* filled
  const persistence = yield* Persistence
  const counts = { moves: 0 }
  const move = Effect.suspend(() => {
    counts.moves += 1
    if (counts.moves === 1) return perform({ _tag: "ReleaseHold", walletId: "a", holdId: "h3" })
    return counts.moves < 20 ? perform(hold("a", `m${counts.moves}`, 1n)) : Effect.void
  })
  const rowScan = persistence.rowScan!
  const moving = Persistence.of({
    ...persistence,
    wallet: (id) => Effect.tap(persistence.wallet(id), () => (id === "a" ? move : Effect.void)),
    rowScan: { ...rowScan, rows: (range, maxRows) => Effect.tap(rowScan.rows(range, maxRows), () => move) }
  })
  return { counts, moving }
})
