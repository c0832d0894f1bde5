/**
 * The real service killed after each step of a transfer, on PostgreSQL alone and on
 * KurrentDB with PostgreSQL behind it: the next start ends the transfer by itself, and
 * the caller's retry is told how.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import { storesLayer } from "../../src/engine/EngineStores.ts"
import { type Environment, type Service, startService, temporaryFolder } from "../cli/WalletProcess.ts"
import { freshPrefix, kurrentPresent, sharedKurrent } from "../support/kurrent.ts"
import { postgresPresent, TestPostgres } from "../support/postgres.ts"
import { verifyNow } from "./Audit.ts"
import { type FailPoint, failPointVariable } from "./FailPoints.ts"
import { countTransfers, transfersBroken } from "./Transfers.ts"

const mortalProgram = new URL("./failPointService.ts", import.meta.url)
const apiKey = "a-secret-of-our-own-0123456789"

interface Answer {
  readonly status: number
  readonly replayed: string | null
  readonly body: {
    readonly code?: string
    readonly data?: ReadonlyArray<unknown>
    readonly transfer?: { readonly status: string }
  }
}

/** `undefined`: the service died over it. */
const call = (service: Service, method: string, path: string, key?: string, body?: object) =>
  Effect.promise((signal) =>
    fetch(service.url + path, {
      method,
      headers: {
        authorization: `Bearer ${apiKey}`,
        "content-type": "application/json",
        ...(key === undefined ? {} : { "idempotency-key": key })
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal
    }).then(
      async (answer): Promise<Answer> => ({
        status: answer.status,
        replayed: answer.headers.get("idempotency-replayed"),
        body: (await answer.json()) as Answer["body"]
      }),
      () => undefined
    )
  )

/** One process after the other, each to die at a point, or not at all. */
const makeSlot = Effect.fnUntraced(function* (environment: Environment) {
  const outer = yield* Effect.scope
  let scope: Scope.Closeable | undefined
  return Effect.fnUntraced(function* (point: FailPoint | undefined) {
    if (scope !== undefined) yield* Scope.close(scope, Exit.void)
    scope = yield* Scope.fork(outer)
    const armed = point === undefined ? environment : { ...environment, [failPointVariable]: point }
    return yield* Scope.provide(startService(armed, mortalProgram), scope)
  })
})

/** A rule of the user's: it does not want money under this reference. */
const refuseUnwanted = (url: Redacted.Redacted) =>
  Effect.flatMap(SqlClient, (sql) =>
    Effect.andThen(
      sql`create function public.unwanted() returns trigger language plpgsql as $$
          begin
            if new.type = 'TransferReceived' and new.reference = 'unwanted' then raise exception 'not this money'; end if;
            return new;
          end $$`,
      sql`create trigger unwanted before insert on wallet.events for each row execute function public.unwanted()`
    )
  ).pipe(Effect.provide(PgClient.layer({ url, maxConnections: 1 })), Effect.orDie)

interface Death {
  readonly point: FailPoint
  readonly unwanted?: true
  /** What the caller's retry finds after the next start. */
  readonly outcome: "new" | "completed" | "reversed"
}

/** In such an order that what one start ends does not pass the point that the next transfer is to die at. */
const deaths = (separate: boolean): ReadonlyArray<Death> => [
  { point: "sent.before", outcome: "new" },
  { point: "sent.after", outcome: "completed" },
  { point: "returned.after", unwanted: true, outcome: "reversed" },
  { point: "received.after", outcome: "completed" },
  // Where PostgreSQL is behind the log, the receipt is in the log, and reversed there.
  { point: separate ? "reversal.after" : "notWanted.after", unwanted: true, outcome: "reversed" },
  { point: "settled.after", outcome: "completed" }
]

/** Until the service shows no transfer that has not ended. */
const ended = (service: Service) =>
  Effect.gen(function* () {
    for (;;) {
      const open = yield* call(service, "GET", "/v1/transfers?status=pending&limit=1")
      if (open?.status === 200 && open.body.data?.length === 0) return
      yield* Effect.sleep(20)
    }
  }).pipe(Effect.timeout("30 seconds"))

const transfer = (service: Service, key: string, { unwanted }: Pick<Death, "unwanted">) => {
  const body = { from: "a", to: "b", amount: "7", reference: unwanted === true ? "unwanted" : "wanted" }
  return call(service, "POST", "/v1/transfers", key, body)
}

const dieAtEachStep = Effect.fnUntraced(function* (databaseUrl: Redacted.Redacted, kurrentUrl?: Redacted.Redacted) {
  const kurrentPrefix = freshPrefix()
  const start = yield* makeSlot({
    WALLET_API_KEY: apiKey,
    WALLET_LOG_LEVEL: "Warn",
    WALLET_DATA_DIR: yield* temporaryFolder,
    DATABASE_URL: Redacted.value(databaseUrl),
    ...(kurrentUrl === undefined
      ? {}
      : { KURRENTDB_URL: Redacted.value(kurrentUrl), WALLET_KURRENTDB_PREFIX: kurrentPrefix })
  })
  const steps = deaths(kurrentUrl !== undefined)
  let service = yield* start(steps[0]!.point)
  yield* refuseUnwanted(databaseUrl)
  for (const id of ["a", "b"]) {
    const made = yield* call(service, "POST", "/v1/wallets", `create-${id}`, { id, ownerId: "o", currency: "EUR" })
    const funded = yield* call(service, "POST", `/v1/wallets/${id}/credit`, "fund", { amount: "100" })
    assert.deepStrictEqual([made?.status, funded?.status], [201, 201])
  }
  for (const [n, death] of steps.entries()) {
    const { point } = death
    // It may be told before the service dies: its source is told behind the answer.
    const told = yield* transfer(service, point, death)
    if (point !== "settled.after") assert.isUndefined(told, point)
    assert.isNull(yield* service.exited, point)
    service = yield* start(steps[n + 1]?.point)
    yield* ended(service)
    // Sent for the first time it would be the next one to die.
    if (death.outcome === "new") continue
    const again = yield* transfer(service, point, death)
    assert.deepStrictEqual(
      [again?.status, again?.replayed, again?.body.transfer?.status ?? again?.body.code],
      death.outcome === "completed" ? [201, "true", "completed"] : [422, "true", "TransferReversed"],
      point
    )
  }
  yield* service.kill("SIGTERM")
  yield* service.exited
  const completed = steps.filter((death) => death.outcome === "completed").length
  const reversed = steps.filter((death) => death.outcome === "reversed").length
  yield* Effect.gen(function* () {
    const counts = yield* countTransfers
    assert.deepStrictEqual(transfersBroken(counts, 200n), [])
    assert.deepInclude(counts, { sent: completed + reversed, settled: completed, reversed, undone: 0, inTransit: 0n })
    assert.deepInclude(yield* verifyNow, { differences: 0 })
  }).pipe(
    Effect.provide(
      storesLayer({
        kurrentUrl: Option.fromUndefinedOr(kurrentUrl),
        kurrentPrefix,
        databaseUrl: Option.some(databaseUrl),
        dataDir: "",
        schema: "wallet",
        maxConnections: 2
      })
    )
  )
}, Effect.scoped)

/** Seven starts each: seconds on a quiet machine. */
const patience = 300_000

describe("a transfer whose service is killed after any of its steps ends after the next start", () => {
  it.live.skipIf(!postgresPresent)(
    "on PostgreSQL",
    () => Effect.flatMap(TestPostgres, ({ url }) => dieAtEachStep(url)).pipe(Effect.provide(TestPostgres.layer)),
    patience
  )

  it.live.skipIf(!postgresPresent || !kurrentPresent)(
    "on KurrentDB with PostgreSQL behind it",
    () =>
      Effect.gen(function* () {
        const { url } = yield* TestPostgres
        yield* dieAtEachStep(url, yield* sharedKurrent)
      }).pipe(Effect.scoped, Effect.provide(TestPostgres.layer)),
    patience
  )
})
