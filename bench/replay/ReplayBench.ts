/**
 * How fast PostgreSQL is rebuilt from the log, with `replay --erase`: from the log in
 * the same database, from one in another, under a rule that refuses some of it, and from
 * KurrentDB; beside a raw program that reads and writes. And how fast `verify` is.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import { replay } from "../../src/engine/rebuild/Rebuild.ts"
import { verify } from "../../src/engine/verify/Verify.ts"
import type { EventStore } from "../../src/stores/EventStore.ts"
import * as KurrentEventStore from "../../src/stores/kurrent/KurrentEventStore.ts"
import type { Persistence } from "../../src/stores/Persistence.ts"
import type { ReadModel } from "../../src/stores/ReadModel.ts"
import { SqlDatabase } from "../../src/stores/sql/SqlDatabase.ts"
import * as SqlEventStore from "../../src/stores/sql/SqlEventStore.ts"
import { SqlMigrator } from "../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../src/stores/sql/SqlStores.ts"
import type { BenchSettings } from "../BenchSettings.ts"
import { databaseConditions } from "../Databases.ts"
import { alternate, type Row, rowOf } from "../Figure.ts"
import { prepareRaw, rawKurrentRead, type RawRead, rawSqlRead, type RawWrites, replayRaw } from "./ReplayLimit.ts"
import { fillLog, refusedReference } from "./ReplayLog.ts"

type Ports = EventStore | Persistence | ReadModel

/** Events per second of one run, which must have had all of them. */
const rateOf = <E, R>(events: number, run: Effect.Effect<number, E, R>) =>
  Effect.gen(function* () {
    const startedAt = performance.now()
    const replayed = yield* run
    const seconds = (performance.now() - startedAt) / 1000
    if (replayed < events) return yield* Effect.die(new Error(`${replayed} of ${events} events were replayed`))
    return events / seconds
  }).pipe(Effect.orDie)

interface Measured {
  readonly name: string
  readonly on: string
  readonly events: number
  readonly wallets: number
  readonly engine: Effect.Effect<number, never, Ports>
  readonly read: RawRead
  /** What the program beside writes. */
  readonly writes: RawWrites
  readonly bar?: number
  readonly ratioBar?: number
}

const measure = Effect.fnUntraced(function* (
  settings: BenchSettings,
  { engine: run, events, name, on, read, wallets, writes, ...bars }: Measured
): Effect.fn.Return<Row, never, Ports | SqlClient> {
  const { beside, engine } = yield* alternate({
    unit: "/s",
    rounds: settings.rounds,
    engine: run,
    beside: Effect.andThen(prepareRaw, rateOf(events, replayRaw(read, writes)))
  })
  return rowOf({
    name: `${name}, ${events.toLocaleString("en")} events of ${wallets.toLocaleString("en")} wallets`,
    on,
    engine,
    beside: { name: writes === "events" ? "read and insert" : "read and derive", figure: beside },
    ...bars
  })
})

/** Replays everything; answers events per second. `refused`: so many have to be. */
const replaying = (events: number, refused = 0) =>
  rateOf(
    events,
    Effect.map(replay({ mode: "erase" }), (report) => (report.refused === refused ? report.written : 0))
  )

const verifying = (events: number) =>
  rateOf(
    events,
    Effect.map(verify({ lagMillis: 0 }), (report) => (report.differenceCount === 0 ? report.events : 0))
  )

const database = (url: Redacted.Redacted, schema: string) => SqlDatabase.layerServer({ url, schema })

const inOneDatabase = (url: Redacted.Redacted, schema: string) =>
  SqlStores.layer().pipe(
    Layer.provide(SqlMigrator.layerBesideOthers),
    Layer.provideMerge(database(url, schema)),
    Layer.orDie
  )

/** The rows in a schema of their own, of a log in another one. */
const besideLog = (url: Redacted.Redacted, schema: string) =>
  Layer.merge(
    SqlStores.layerBehindLog().pipe(
      Layer.provide(SqlMigrator.layerBesideOthers),
      Layer.provideMerge(database(url, `${schema}_copy`))
    ),
    SqlEventStore.layer({ persistence: false }).pipe(Layer.provide(database(url, schema)))
  ).pipe(Layer.orDie)

/** The rule that refuses what was refused before. */
const refuse = Effect.flatMap(SqlClient, (sql) =>
  Effect.orDie(
    Effect.forEach(
      [
        `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not here'; end $$`,
        `create trigger refuse before insert on events for each row when (new.reference = '${refusedReference}')
         execute function refuse()`
      ],
      (statement) => sql.unsafe(statement),
      { discard: true }
    )
  )
)

/** From the log in the same database: replay and verify. */
const fromOwnLog = (settings: BenchSettings, url: Redacted.Redacted) =>
  Effect.gen(function* () {
    const on = yield* databaseConditions
    const read = yield* rawSqlRead
    const { wallets } = settings
    const events = yield* fillLog(wallets)
    const of = { on, events, wallets, read, writes: "wallets", bar: 50_000 } as const
    return [
      yield* measure(settings, { ...of, name: "replay from the SQL log", engine: replaying(events) }),
      yield* measure(settings, { ...of, name: "verify on the SQL log", engine: verifying(events) })
    ]
  }).pipe(Effect.provide(inOneDatabase(url, "replay_sql")))

/** From a log in another schema, whose rows are a copy. `refuses`: under a rule. */
const fromOtherLog = (settings: BenchSettings, url: Redacted.Redacted, refuses: boolean) => {
  const schema = refuses ? "replay_refused" : "replay_sql"
  const { wallets } = settings
  const filled = fillLog(wallets, refuses).pipe(Effect.provide(Layer.fresh(inOneDatabase(url, schema))))
  return Effect.gen(function* () {
    const events = refuses ? yield* filled : wallets * 24
    const on = yield* databaseConditions
    const read = yield* Effect.provide(rawSqlRead, yield* Effect.orDie(Layer.build(database(url, schema))))
    if (refuses) yield* refuse
    const engine = replaying(events, refuses ? events / 12 : 0)
    const name = refuses ? "replay of a copy under a rule that refuses 8 %" : "replay of a copy from a SQL log"
    const of = {
      name,
      on,
      events,
      wallets,
      engine,
      read,
      writes: "events",
      ...(refuses ? { bar: 5_000 } : {})
    } as const
    return [yield* measure(settings, of)]
  }).pipe(Effect.scoped, Effect.provide(besideLog(url, schema)))
}

/** From a log in PostgreSQL, the same database or another one. */
export const replaySqlBench = (settings: BenchSettings, url: Redacted.Redacted) =>
  Effect.gen(function* () {
    const own = yield* fromOwnLog(settings, url)
    const copy = yield* fromOtherLog(settings, url, false)
    const refused = yield* fromOtherLog(settings, url, true)
    return [...own, ...copy, ...refused]
  })

/** From KurrentDB. */
export const replayKurrentBench = (
  settings: BenchSettings,
  kurrentUrl: Redacted.Redacted,
  url: Redacted.Redacted
): Effect.Effect<ReadonlyArray<Row>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const on = `KurrentDB, ${yield* databaseConditions}`
    const read = yield* rawKurrentRead(kurrentUrl, "replay_bench")
    const { wallets } = settings
    const events = yield* fillLog(wallets)
    const of = { on, events, wallets, read, writes: "events", ratioBar: 0.8 } as const
    return [yield* measure(settings, { ...of, name: "replay from KurrentDB", engine: replaying(events) })]
  }).pipe(
    Effect.provide(
      Layer.merge(
        SqlStores.layerBehindLog(),
        KurrentEventStore.layer({ url: kurrentUrl, prefix: "replay_bench" })
      ).pipe(
        Layer.provide(SqlMigrator.layerBesideOthers),
        Layer.provideMerge(database(url, "replay_kurrent")),
        Layer.orDie
      )
    )
  )
