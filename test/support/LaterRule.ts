/** Log and rows in two real databases, services over them, and a rule that comes later and refuses what is there. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type { Scope } from "effect/Scope"
import { assert, it } from "@effect/vitest"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { replay } from "../../src/engine/rebuild/Rebuild.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import { SqlDatabase } from "../../src/stores/sql/SqlDatabase.ts"
import * as SqlEventStore from "../../src/stores/sql/SqlEventStore.ts"
import { SqlMigrator } from "../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../src/stores/sql/SqlStores.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import { onThisMachine } from "./clocks.ts"
import { runScript } from "./documentedRules.ts"
import { freshDatabase, TestPostgres } from "./postgres.ts"

const bounds = { ...defaultBounds, persistBlockedMillis: 300, highWatermarkStep: 0 }

export interface Place {
  readonly log: Redacted.Redacted
  readonly rows: Redacted.Redacted
}

export const twoDatabases = Effect.gen(function* () {
  const { url } = yield* TestPostgres
  const place: Place = { log: yield* freshDatabase(url), rows: yield* freshDatabase(url) }
  return place
})

export const migrated = (url: Redacted.Redacted) =>
  Layer.fresh(SqlMigrator.layer.pipe(Layer.provideMerge(SqlDatabase.layerServer({ url }))))

/** The rows as a service reaches them. */
type Reach = (rows: Persistence["Service"]) => Persistence["Service"]

const reached = (reach: Reach) => Layer.effect(Persistence, Effect.map(Persistence, reach))

/** `SqlClient` is that of the rows. */
const storesAt = ({ log, rows }: Place, reach: Reach = (rows) => rows) =>
  Layer.fresh(
    Layer.merge(
      reached(reach).pipe(Layer.provideMerge(SqlStores.layerBehindLog())),
      SqlEventStore.layer({ persistence: false }).pipe(Layer.provide(migrated(log)))
    ).pipe(Layer.provideMerge(migrated(rows)))
  )

type Stores = Layer.Success<ReturnType<typeof storesAt>>

/** A service's life, from its start to its orderly stop. */
export const serve = <A, E>(place: Place, use: Effect.Effect<A, E, WalletEngine | Stores | Scope>, reach?: Reach) =>
  Effect.scoped(use).pipe(
    Effect.provide(
      Layer.fresh(WalletEngine.layer({ bounds, partitions: 4 })).pipe(
        Layer.provide(onThisMachine),
        Layer.provideMerge(storesAt(place, reach))
      )
    ),
    Effect.provide(Logger.layer([]))
  )

export const withStores = <A, E>(place: Place, use: Effect.Effect<A, E, Stores>) => Effect.provide(use, storesAt(place))

export const open = (id: string) =>
  Effect.flatMap(WalletEngine, (engine) =>
    engine.createWallet({ id, ownerId: "o", currency: "EUR", idempotencyKey: `create-${id}` })
  )

export const credit = (walletId: string, amount: bigint, idempotencyKey: string) =>
  Effect.flatMap(WalletEngine, (engine) => engine.credit({ walletId, amount, idempotencyKey }))

/** Does not wait for rows that do not come. */
export const creditCommitted = (walletId: string, amount: bigint, idempotencyKey: string) =>
  Effect.flatMap(WalletEngine, (engine) => engine.credit({ walletId, amount, idempotencyKey, await: "committed" }))

export const addRule = runScript(`
  create schema rules;
  create function rules.refuse_large_credits() returns trigger language plpgsql as
    'begin raise exception ''no credit above 90000''; end';
  create trigger refuse_large_credits before insert on wallet.events for each row
    when (new.type = 'WalletCredited' and new.amount > 90000) execute function rules.refuse_large_credits()`)

export const dropRule = runScript("drop trigger refuse_large_credits on wallet.events; drop schema rules cascade")

export const typesInLog = (walletId: string) =>
  Effect.flatMap(EventStore, (log) =>
    Effect.map(log.read(walletId, { after: -1, limit: 100 }), (events) => events.map(({ event }) => event._tag))
  )

const detail = Effect.flatMap(WalletEngine, (engine) =>
  Effect.map(engine.health, ({ checks }) => checks.find(({ name }) => name === "persistence")?.detail ?? "")
)

export const named =
  /writing of 1 wallets has stopped \(a: .*refuses event 1 \(WalletCredited\) of wallet a, which may have been persisted before and is never reversed; let the rule pass it: .*no credit above 90000/

export const untilDetail = (expected: RegExp) =>
  Effect.repeat(detail, { until: (found) => expected.test(found), schedule: Schedule.spaced(20) }).pipe(
    // For what never comes, not for what is slow: it says then what is there.
    Effect.timeout("10 minutes"),
    Effect.tapError(() => Effect.flatMap(detail, (found) => Effect.sync(() => assert.match(found, expected))))
  )

export const eraseRefused = Effect.gen(function* () {
  const refused = yield* Effect.flip(replay({ mode: "erase" }))
  assert.strictEqual(refused._tag, "ReplayRefused")
  assert.include(refused.message, "event 1 (WalletCredited) of wallet a")
})

export const onPostgres = (name: string, run: Effect.Effect<void, unknown, TestPostgres | Scope>) =>
  it.live(name, () => Effect.scoped(run).pipe(Effect.provide(TestPostgres.layer)))
