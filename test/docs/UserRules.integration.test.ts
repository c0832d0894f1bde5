/** The rules that docs/OPERATIONS.md shows do what it says, and let pass what they must. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Result from "effect/Result"
import { SqlClient } from "effect/sql/SqlClient"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import type { Commit } from "../../src/domain/Commit.ts"
import type { WalletEvent, WalletEventType } from "../../src/domain/Event.ts"
import { verify } from "../../src/engine/verify/Verify.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import {
  capture,
  credit,
  debit,
  placeHold,
  type SampleCommand,
  sampleEventId,
  SampleWallet,
  send
} from "../../src/testing/contract/SampleWallet.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import * as SqlEventStore from "../../src/stores/sql/SqlEventStore.ts"
import { SqlMigrator } from "../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../src/stores/sql/SqlStores.ts"
import { goldenEvents } from "../domain/GoldenEvents.ts"
import { clockAhead, onThisMachine } from "../support/clocks.ts"
import {
  documentedBlocks,
  installDocumentedRules,
  removeDocumentedRules,
  runScript
} from "../support/documentedRules.ts"
import { postgresPresent, TestPostgres } from "../support/postgres.ts"

const monday = Date.UTC(2026, 2, 2, 12)
const sunday = Date.UTC(2026, 2, 1, 12)
const longAgo = Date.UTC(2025, 5, 1, 12)

const database = SqlMigrator.layer.pipe(Layer.provideMerge(TestPostgres.layerDatabase()))

/** How events come to the tables: all of one call in one statement. */
interface Place {
  readonly name: string
  readonly stores: Layer.Layer<EventStore | Persistence | SqlClient, unknown>
  readonly take: (commits: ReadonlyArray<Commit>) => Effect.Effect<unknown, Error, EventStore | Persistence>
}

const logElsewhere = Layer.fresh(SqlEventStore.layer({ persistence: false }).pipe(Layer.provide(database)))

const inOneDatabase = SqlStores.layer().pipe(Layer.provideMerge(database))
const behindLog = Layer.mergeAll(SqlStores.layerBehindLog(), logElsewhere).pipe(Layer.provideMerge(database))

const places: ReadonlyArray<Place> = [
  {
    name: "in one database",
    stores: inOneDatabase,
    take: (commits) => Effect.flatMap(EventStore, (log) => log.append(commits))
  },
  {
    name: "behind a log",
    stores: behindLog,
    take: (commits) => Effect.flatMap(Persistence, (persistence) => persistence.write(commits))
  }
]

/** A wallet that is there, with that much money from before the rules hold; its next events are of `time`. */
const opened = Effect.fnUntraced(function* (take: Place["take"], time: number, balance = 9_000_000n) {
  const sample = new SampleWallet()
  sample.time = longAgo
  yield* take([sample.commit(sample.creation(), credit(balance), placeHold("large", 600_000n))])
  sample.time = time
  return sample
})

/** What the rule says; `undefined`: it lets the commits pass. */
const refusal = Effect.fnUntraced(function* (take: Place["take"], ...commits: ReadonlyArray<Commit>) {
  const result = yield* Effect.result(take(commits))
  if (Result.isSuccess(result)) return undefined
  assert.strictEqual((result.failure as { readonly _tag?: string })._tag, "OperationRefused", result.failure.message)
  return result.failure.message
})

/** What a rule says to commands that come together: those of another wallet are in the same statement. */
const refusalOf = Effect.fnUntraced(function* (
  take: Place["take"],
  time: number,
  ...commands: ReadonlyArray<SampleCommand>
) {
  const sample = yield* opened(take, time)
  const other = new SampleWallet()
  other.time = time
  return yield* refusal(take, other.commit(other.creation(), credit(1n)), sample.commit(...commands))
})

const cap = "amount_is_too_large"
const closed = "no debit on Sundays"
const limit = "no more than 1000000 may leave a wallet in a day"
const holdCap = "no hold above 500000"

const cases: ReadonlyArray<
  readonly [what: string, time: number, commands: ReadonlyArray<SampleCommand>, refused: string | undefined]
> = [
  ["a debit at the cap", monday, [debit(500_000n)], undefined],
  ["a debit above the cap", monday, [debit(500_001n)], cap],
  ["a credit at its cap", monday, [credit(10_000_000n)], undefined],
  ["a credit above its cap", monday, [credit(10_000_001n)], cap],
  ["a transfer above the cap", monday, [send("t", "elsewhere", 500_001n)], cap],
  ["a capture above the cap", monday, [capture("large", 500_001n)], cap],
  ["a small one and a large one", monday, [debit(1n), debit(500_001n)], cap],
  ["a debit above the cap, before the rule", longAgo, [debit(500_001n)], undefined],
  ["a debit on a Sunday", sunday, [debit(1n)], closed],
  ["a debit at the end of Saturday", sunday - 12 * 3_600_000 - 1, [debit(1n)], undefined],
  ["a debit at the beginning of Sunday", sunday - 12 * 3_600_000, [debit(1n)], closed],
  ["a debit at the end of Sunday", sunday + 12 * 3_600_000 - 1, [debit(1n)], closed],
  ["a debit at the beginning of Monday", sunday + 12 * 3_600_000, [debit(1n)], undefined],
  [
    "a credit, a capture and a transfer on a Sunday",
    sunday,
    [credit(1n), capture("large", 1n), send("t", "e", 1n)],
    undefined
  ],
  ["a Sunday before the rule", longAgo, [debit(1n)], undefined],
  ["what makes the limit", monday, [debit(500_000n), capture("large", 400_000n), send("t", "e", 100_000n)], undefined],
  [
    "what is one above the limit",
    monday,
    [debit(500_000n), capture("large", 400_000n), send("t", "e", 100_001n)],
    limit
  ],
  ["many small ones in one statement", monday, Array.from({ length: 1_000 }, () => debit(1_001n)), limit],
  ["credits beside the limit", monday, [debit(500_000n), credit(5_000_000n), debit(500_000n)], undefined],
  ["a day before the rule", longAgo, Array.from({ length: 3 }, () => debit(500_000n)), undefined],
  ["a hold at the cap", monday, [placeHold("h", 500_000n)], undefined],
  ["a hold above the cap", monday, [placeHold("h", 500_001n)], holdCap],
  ["a hold above the cap, before the rule", longAgo, [placeHold("h", 500_001n)], undefined],
  ["the release of a hold from before the rule", monday, [{ _tag: "ReleaseHold", holdId: "large" }], undefined]
]

/**
 * Whether one of the rules is about it: refused then, as large as it is and on a Sunday,
 * and let pass otherwise. A new type needs its line, and a golden event.
 */
const isJudged: Readonly<Record<WalletEventType, boolean>> = {
  WalletCreated: false,
  WalletCredited: true,
  WalletDebited: true,
  HoldPlaced: true,
  HoldCaptured: true,
  HoldCapturedTo: true,
  HoldChanged: false,
  HoldReleased: false,
  HoldExpired: false,
  TransferSent: true,
  TransferReceived: false,
  TransferRefused: false,
  TransferSettled: false,
  TransferReversed: false,
  LegsBegun: false,
  LegsPrepared: false,
  LegsRefused: false,
  LegsApplied: false,
  LegsReleased: false,
  LegsSettled: false,
  WalletFrozen: false,
  WalletUnfrozen: false,
  FreezeExpired: false,
  WalletClosed: false,
  OverdraftLimitChanged: false,
  MetadataChanged: false,
  NothingChanged: false,
  OperationReversed: false
}

const huge = 10n ** 29n

/** Larger than any rule allows, where it has an amount. */
const enlarged = (event: WalletEvent): WalletEvent => {
  if ("amount" in event) return { ...event, amount: huge }
  if (event._tag !== "OperationReversed" || event.balanceChange === 0n) return event
  return { ...event, balanceChange: event.balanceChange < 0n ? -huge : huge }
}

/** With the wallet in the place of the first leg's source, which is the home. */
const atHome = (walletId: string, event: WalletEvent): WalletEvent => {
  if (event._tag !== "LegsBegun") return event
  const home = event.legs[0]!.from
  const own = (id: string): string => (id === home ? walletId : id)
  return { ...event, legs: event.legs.map((leg) => ({ ...leg, from: own(leg.from), to: own(leg.to) })) }
}

/** As if the engine had made it: no rule of the domain's is asked. */
const commitOf = (sample: SampleWallet, given: WalletEvent): Commit => {
  const { id: walletId, time, version } = sample
  const event = atHome(walletId, given)
  const id = sampleEventId(walletId, time)
  const metadata = {
    commandId: id,
    key: `e:${id}` as const,
    fingerprint: "f",
    correlationId: null,
    causationId: null,
    actor: null,
    epoch: 0
  }
  return {
    walletId,
    partition: sample.partition,
    epoch: 0,
    expectedVersion: version,
    events: [{ id, walletId, version: version + 1, time, event, metadata }],
    wallet: { ...sample.wallet!, version: version + 1, updatedAt: time }
  }
}

/** A wallet of that day, where what the event ends has begun. */
const openedFor = Effect.fnUntraced(function* (take: Place["take"], event: WalletEvent) {
  const sample = yield* opened(take, sunday)
  if (event._tag !== "LegsApplied") return sample
  yield* take([commitOf(sample, goldenEvents.LegsPrepared!)])
  sample.wallet = { ...sample.wallet!, version: sample.version + 1 }
  return sample
})

const restoredKinds: Readonly<Record<Extract<WalletEvent, { _tag: "OperationReversed" }>["restored"]["_tag"], true>> = {
  Nothing: true,
  Hold: true,
  NoHold: true,
  Transfer: true,
  NoTransfer: true,
  NoLegs: true,
  NoCapture: true,
  Status: true,
  OverdraftLimit: true,
  Metadata: true
}

const engineOver = (stores: typeof behindLog | typeof inOneDatabase) =>
  WalletEngine.layer({ bounds: defaultBounds, partitions: 4 }).pipe(
    Layer.provide(onThisMachine),
    Layer.provideMerge(stores as typeof inOneDatabase)
  )

it("the document has the schema, a cap, Sundays, a daily limit, a cap on holds, and how to remove them", () => {
  assert.lengthOf(documentedBlocks, 6)
  const types = new Set(Object.values(goldenEvents).map(({ _tag }) => _tag))
  assert.deepStrictEqual([...types].sort(), Object.keys(isJudged).sort() as ReadonlyArray<WalletEventType>)
  const kinds = Object.values(goldenEvents).flatMap((event) =>
    event._tag === "OperationReversed" ? [event.restored._tag] : []
  )
  assert.deepStrictEqual([...new Set(kinds)].sort(), Object.keys(restoredKinds).sort() as typeof kinds)
})

describe.skipIf(!postgresPresent).each(places)("the documented rules, $name", ({ stores, take }) => {
  const withRules = (name: string, run: Effect.Effect<void, unknown, EventStore | Persistence | SqlClient>) =>
    it.live(name, () => Effect.provide(Effect.andThen(installDocumentedRules, run), stores))

  withRules(
    "judge what they are about, and nothing else",
    Effect.gen(function* () {
      for (const [what, time, commands, expected] of cases) {
        const found = yield* refusalOf(take, time, ...commands)
        if (expected === undefined) assert.isUndefined(found, what)
        else assert.include(found ?? "let pass", expected, what)
      }
    })
  )

  withRules(
    "let every fact of the engine's own pass, however large and on a Sunday",
    Effect.gen(function* () {
      for (const [name, event] of Object.entries(goldenEvents)) {
        const found = yield* refusal(take, commitOf(yield* openedFor(take, event), enlarged(event)))
        assert.strictEqual(found !== undefined, isJudged[event._tag], `${name}: ${found}`)
      }
      // As they are, but for the day.
      for (const [name, event] of Object.entries(goldenEvents)) {
        const small = "amount" in event ? { ...event, amount: 1n } : event
        const found = yield* refusal(take, commitOf(yield* openedFor(take, event), small))
        assert.strictEqual(found !== undefined, event._tag === "WalletDebited", `${name}: ${found}`)
      }
    })
  )

  withRules(
    "count a day over many statements, begin anew with the next, and forget what was refused",
    Effect.gen(function* () {
      const sample = yield* opened(take, monday)
      assert.isUndefined(yield* refusal(take, sample.commit(debit(500_000n), debit(400_000n))))
      const before = sample.wallet
      assert.include(yield* refusal(take, sample.commit(debit(100_001n))), limit)
      sample.wallet = before
      assert.isUndefined(yield* refusal(take, sample.commit(debit(99_999n))))
      assert.isUndefined(yield* refusal(take, sample.commit(debit(1n))))
      const full = sample.wallet
      assert.include(yield* refusal(take, sample.commit(debit(1n))), limit)
      sample.wallet = full
      sample.time = monday + 12 * 3_600_000
      assert.isUndefined(yield* refusal(take, sample.commit(debit(500_000n), debit(500_000n))))
      // A statement that goes over midnight.
      const [first, second] = [yield* opened(take, monday), yield* opened(take, monday)]
      const over = [first.commit(debit(500_000n), debit(500_000n)), second.commit(debit(500_000n), debit(500_000n))]
      first.time = second.time = monday + 12 * 3_600_000
      const next = first.commit(debit(500_000n), debit(500_000n))
      const joined = {
        ...next,
        expectedVersion: over[0]!.expectedVersion,
        events: [...over[0]!.events, ...next.events]
      }
      assert.isUndefined(yield* refusal(take, joined, over[1]!))
      assert.include(yield* refusal(take, first.commit(debit(1n))), limit)
    })
  )

  withRules(
    "can be removed, and put there again",
    Effect.gen(function* () {
      yield* removeDocumentedRules
      const sample = yield* opened(take, sunday)
      assert.isUndefined(yield* refusal(take, sample.commit(debit(500_001n), debit(500_001n))))
      yield* installDocumentedRules
      assert.include(yield* refusal(take, sample.commit(debit(1n))), closed)
    })
  )
})

describe.skipIf(!postgresPresent)("the documented rules", () => {
  it.live("let rows be written again, and count them once", () =>
    Effect.gen(function* () {
      yield* installDocumentedRules
      const persistence = yield* Persistence
      const take = places[1]!.take
      const sample = new SampleWallet()
      sample.time = longAgo
      const commits = [sample.commit(sample.creation(), credit(9_000_000n), debit(5_000_000n))]
      for (sample.time = monday; sample.time < monday + 3 * 86_400_000; sample.time += 86_400_000) {
        commits.push(sample.commit(debit(500_000n)), sample.commit(debit(400_000n)))
      }
      sample.time -= 86_400_000
      for (const commit of commits) yield* take([commit])
      const rewrite = Effect.forEach(commits, (commit) => persistence.write([commit]), { discard: true })
      yield* persistence.rebuild([sample.id], rewrite)
      yield* persistence.erase(sample.id)
      yield* rewrite
      assert.isUndefined(yield* refusal(take, sample.commit(debit(100_000n))))
      assert.include(yield* refusal(take, sample.commit(debit(1n))), limit)
    }).pipe(Effect.provide(behindLog))
  )

  it.live("work for a role that may write the tables and nothing else", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const role = `role_${Math.random().toString(36).slice(2)}`
      yield* installDocumentedRules
      yield* runScript(`create role ${role}; grant usage on schema wallet to ${role};
        grant select, insert, update on all tables in schema wallet to ${role}`)
      const sample = yield* opened(places[0]!.take, monday)
      const commit = sample.commit(debit(500_000n))
      const refused = sql.withTransaction(
        Effect.gen(function* () {
          yield* sql.unsafe(`set local role ${role}`)
          yield* places[0]!.take([commit])
          const more = sample.commit(debit(500_000n), debit(1n))
          return yield* sql.withTransaction(places[0]!.take([more])).pipe(Effect.flip)
        })
      )
      assert.include((yield* refused).message, limit)
      yield* runScript(`drop owned by ${role}; drop role ${role}`)
    }).pipe(Effect.provide(inOneDatabase))
  )
})

const eachEngine = [
  { name: "in one database", stores: inOneDatabase, refused: "OperationRefused" },
  { name: "behind a log", stores: behindLog, refused: "OperationReversed" }
] as const

describe.skipIf(!postgresPresent).each(eachEngine)("an engine under the documented rules, $name", (place) => {
  it.live("refuses exactly what is too much, of many commands at once, and has nothing to warn of", () =>
    Effect.gen(function* () {
      yield* installDocumentedRules
      const engine = yield* WalletEngine
      for (const id of ["a", "b"]) {
        yield* engine.createWallet({ id, ownerId: "o", currency: "EUR", idempotencyKey: `create-${id}` })
        yield* engine.credit({ walletId: id, amount: 9_000_000n, idempotencyKey: `credit-${id}` })
      }
      const debits = yield* Effect.forEach(
        Array.from({ length: 30 }, (_, n) => n),
        (n) => Effect.result(engine.debit({ walletId: "a", amount: 100_000n, idempotencyKey: `debit-${n}` })),
        { concurrency: 30 }
      )
      const failures = debits.flatMap((one) => (Result.isFailure(one) ? [one.failure] : []))
      assert.lengthOf(failures, 20)
      for (const failure of failures) {
        assert.strictEqual(failure._tag, place.refused)
        assert.include(failure.message, limit)
      }
      const sent = yield* Effect.flip(engine.transfer({ from: "a", to: "b", amount: 1n, idempotencyKey: "t" }))
      assert.include(sent.message, limit)
      // Only the receipt is refused: the money comes back, and no rule stands in its way.
      yield* runScript(`create function no_receipt() returns trigger language plpgsql as
        'begin raise exception ''a takes nothing''; end';
        create trigger no_receipt before insert on wallet.events for each row
          when (new.type = 'TransferReceived' and new.wallet_id = 'a') execute function no_receipt()`)
      const back = yield* Effect.flip(
        engine.transfer({ from: "b", to: "a", amount: 500_000n, idempotencyKey: "back", await: "persisted" })
      )
      assert.strictEqual(back._tag, "TransferReversed")
      assert.strictEqual((yield* engine.getWallet({ walletId: "b" })).balance, 9_000_000n)
      const report = yield* verify({ lagMillis: 0 })
      assert.deepStrictEqual(report.differences, [])
      assert.deepStrictEqual(report.warnings, [])
    }).pipe(
      Effect.provide(engineOver(place.stores)),
      Effect.provide(Logger.layer([])),
      Effect.provideService(Clock.Clock, clockAhead(monday - Effect.runSync(Clock.currentTimeMillis)))
    )
  )
})
