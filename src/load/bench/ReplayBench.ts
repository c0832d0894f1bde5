/**
 * How fast PostgreSQL is rebuilt from the log, with `replay --erase`: from the log in
 * the same database, and from KurrentDB; beside a raw read-and-insert program.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import { EventIds } from "../../actors/EventIds.ts"
import type { Commit } from "../../domain/Commit.ts"
import type { RecordedEvent, WalletEvent } from "../../domain/Event.ts"
import { evolve } from "../../domain/Evolve.ts"
import { noMetadata } from "../../domain/Form.ts"
import type { Wallet } from "../../domain/Wallet.ts"
import { replay } from "../../engine/Replay.ts"
import { EventStore } from "../../stores/EventStore.ts"
import * as KurrentEventStore from "../../stores/KurrentEventStore.ts"
import type { Persistence } from "../../stores/Persistence.ts"
import type { ReadModel } from "../../stores/ReadModel.ts"
import { SqlDatabase } from "../../stores/SqlDatabase.ts"
import { SqlMigrator } from "../../stores/SqlMigrator.ts"
import * as SqlStores from "../../stores/SqlStores.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import { databaseConditions } from "./Databases.ts"
import { alternate, rowOf } from "./Figure.ts"
import { append } from "./LimitProgram.ts"
import { prepareRaw, rawKurrentRead, type RawRead, rawSqlRead, replayRaw } from "./ReplayLimit.ts"

type Ports = EventStore | Persistence | ReadModel

/** Events of each wallet: a creation, then credits. */
const eventsPerWallet = 20

/** Appended together, so that the wallets' events lie as they do in a busy log. */
const walletsPerAppend = 500

const created: WalletEvent = {
  _tag: "WalletCreated",
  ownerId: "bench",
  currency: "EUR",
  overdraftLimit: 0n,
  metadata: noMetadata,
  balanceAfter: 0n,
  heldAfter: 0n
}

const creditOf1 = (balanceAfter: bigint): WalletEvent => ({
  _tag: "WalletCredited",
  amount: 1n,
  reference: null,
  metadata: noMetadata,
  balanceAfter,
  heldAfter: 0n
})

/** The next events of a wallet as a commit. */
const commitOf = (
  walletId: string,
  before: Wallet | undefined,
  size: number,
  epoch: number,
  nextId: () => string
): Commit => {
  const expectedVersion = before?.version ?? -1
  const events: Array<RecordedEvent> = []
  let wallet = before
  for (let version = expectedVersion + 1; version <= expectedVersion + size; version++) {
    const id = nextId()
    const metadata = {
      commandId: id,
      key: `c:${id}`,
      fingerprint: "1:credit|1||",
      correlationId: null,
      causationId: null,
      actor: null,
      epoch
    } as const
    const event = version === 0 ? created : creditOf1(BigInt(version))
    const recorded: RecordedEvent = { id, walletId, version, time: 1_000 + version, event, metadata }
    events.push(recorded)
    wallet = evolve(wallet, recorded)
  }
  return { walletId, partition: 0, epoch, expectedVersion, events, wallet: wallet! }
}

/** A log of `wallets` wallets, written in turns of two events. */
const fillLog = Effect.fnUntraced(function* (wallets: number): Effect.fn.Return<number, never, EventStore> {
  const log = yield* EventStore
  const ids = yield* Effect.provide(EventIds, EventIds.layer)
  const [claim] = yield* Effect.orDie(log.claim({ partitions: [0], owner: "bench", time: 0 }))
  const states = new Map<string, Wallet>()
  for (let turn = 0; turn < eventsPerWallet; turn += 2) {
    for (let from = 0; from < wallets; from += walletsPerAppend) {
      const size = Math.min(walletsPerAppend, wallets - from)
      const commits = Array.from({ length: size }, (_, n) => {
        const walletId = `replayed-${from + n}`
        return commitOf(walletId, states.get(walletId), 2, claim!.epoch, () => ids.next(1_000 + turn))
      })
      yield* append(log, commits)
      for (const { wallet } of commits) states.set(wallet.id, wallet)
    }
  }
  return wallets * eventsPerWallet
})

/** Events per second of one run, which must have had all of them. */
const rateOf = <E, R>(events: number, run: Effect.Effect<number, E, R>) =>
  Effect.gen(function* () {
    const startedAt = performance.now()
    const replayed = yield* run
    const seconds = (performance.now() - startedAt) / 1000
    if (replayed < events) return yield* Effect.die(new Error(`${replayed} of ${events} events were replayed`))
    return events / seconds
  }).pipe(Effect.orDie)

const measure = Effect.fnUntraced(function* (
  settings: BenchSettings,
  from: {
    readonly name: string
    readonly on: string
    readonly read: RawRead
    readonly bar?: number
    readonly ratioBar?: number
  }
): Effect.fn.Return<ReturnType<typeof rowOf>, never, Ports | SqlClient> {
  const events = yield* fillLog(settings.wallets)
  const { beside, engine } = yield* alternate({
    unit: "/s",
    rounds: settings.rounds,
    engine: rateOf(
      events,
      Effect.map(replay({ mode: "erase" }), ({ written }) => written)
    ),
    beside: Effect.andThen(prepareRaw, rateOf(events, replayRaw(from.read)))
  })
  const { bar, name, on, ratioBar } = from
  return rowOf({
    name: `${name}, ${events.toLocaleString("en")} events of ${settings.wallets.toLocaleString("en")} wallets`,
    on,
    engine,
    beside: { name: "read and insert", figure: beside },
    ...(bar === undefined ? {} : { bar }),
    ...(ratioBar === undefined ? {} : { ratioBar })
  })
})

const database = (url: Redacted.Redacted, schema: string) => SqlDatabase.layerServer({ url, schema })

/** From the log in the same database. */
export const replaySqlBench = (settings: BenchSettings, url: Redacted.Redacted) =>
  Effect.gen(function* () {
    const on = yield* databaseConditions
    const read = yield* rawSqlRead
    return [yield* measure(settings, { name: "replay from the SQL log", on, read, bar: 50_000 })]
  }).pipe(
    Effect.provide(
      SqlStores.layer().pipe(
        Layer.provide(SqlMigrator.layer),
        Layer.provideMerge(database(url, "replay_sql")),
        Layer.orDie
      )
    )
  )

/** From KurrentDB. */
export const replayKurrentBench = (
  settings: BenchSettings,
  kurrentUrl: Redacted.Redacted,
  url: Redacted.Redacted
): Effect.Effect<ReadonlyArray<ReturnType<typeof rowOf>>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const on = `KurrentDB, ${yield* databaseConditions}`
    const read = yield* rawKurrentRead(kurrentUrl, "replay_bench")
    return [yield* measure(settings, { name: "replay from KurrentDB", on, read, ratioBar: 0.8 })]
  }).pipe(
    Effect.provide(
      Layer.merge(
        SqlStores.layerBehindLog(),
        KurrentEventStore.layer({ url: kurrentUrl, prefix: "replay_bench" })
      ).pipe(Layer.provide(SqlMigrator.layer), Layer.provideMerge(database(url, "replay_kurrent")), Layer.orDie)
    )
  )
