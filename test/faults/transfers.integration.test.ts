/** The short form of `npm run faults -- --scenario transfers`, on one database: a few kills of the real service. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { InspectDocument } from "../../src/cli/tools/InspectDocument.ts"
import { storesLayer } from "../../src/engine/EngineStores.ts"
import { migratedDataDir } from "../support/embedded.ts"
import { postgresPresent, TestPostgres } from "../support/postgres.ts"
import { audit, verifyNow } from "./Audit.ts"
import { defaultClient, FaultClient, openWallets } from "./FaultClient.ts"
import { countLegs } from "./LegsLog.ts"
import { ServiceSlot } from "./Rig.ts"
import { countTransfers, type TransferKills, transfersBroken, transfersUnderKills } from "./Transfers.ts"

const wallets = 100

/** A transfer that has arrived is completed; its source is told by the sweeper when a kill came between. */
const untilSourcesAreTold = ({ options, url, wallets: ids }: FaultClient): Effect.Effect<void> =>
  Effect.promise(async (signal) => {
    for (const id of ids) {
      const answer = await fetch(new URL(`/v1/wallets/${id}/inspect`, url), {
        headers: { authorization: `Bearer ${options.apiKey}` },
        signal
      })
      const { legsPreparedCount, transfersInFlightCount } = (await answer.json()) as InspectDocument
      if (transfersInFlightCount + legsPreparedCount > 0) return false
    }
    return true
  }).pipe(Effect.delay("100 millis"), Effect.repeat({ until: (told) => told }), Effect.asVoid)

/** On PostgreSQL, or else embedded in the folder. */
const transfersSurvive = Effect.fnUntraced(function* (
  databaseUrl: Option.Option<Redacted.Redacted>,
  plan: TransferKills
) {
  const dataDir = yield* migratedDataDir
  const slot = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new ServiceSlot({
          WALLET_API_KEY: defaultClient.apiKey,
          WALLET_LOG_LEVEL: "Warn",
          WALLET_DATA_DIR: dataDir,
          ...Option.match(databaseUrl, { onNone: () => ({}), onSome: (url) => ({ DATABASE_URL: Redacted.value(url) }) })
        })
    ),
    (service) => service.kill
  )
  const client = new FaultClient({ ...defaultClient, wallets, seed: 20_260_102 }, (yield* slot.start()).url)
  yield* openWallets(client)
  // How soon all has ended is for the long form to judge, on a machine of its own.
  yield* transfersUnderKills(client, slot, plan)
  yield* untilSourcesAreTold(client)
  // Nothing runs any more: an embedded database is one process's.
  yield* slot.current.kill("SIGTERM")
  assert.strictEqual(yield* slot.current.exited, 0)
  yield* slot.kill
  const stores = {
    kurrentUrl: Option.none(),
    kurrentPrefix: "",
    databaseUrl,
    dataDir,
    schema: "wallet",
    maxConnections: 2
  }
  yield* Effect.gen(function* () {
    const verdict = yield* audit(client)
    assert.deepInclude(verdict, { lost: 0, doubled: 0, untrue: 0, open: 0 }, verdict.complaints.join("\n"))
    const counts = yield* countTransfers
    assert.deepStrictEqual(transfersBroken(counts, BigInt(defaultClient.funds) * BigInt(wallets)), [])
    if (plan.legs === undefined) {
      assert.deepInclude(counts, { sent: plan.count, received: plan.count, settled: plan.count })
    } else {
      assert.deepInclude(yield* countLegs, { begun: plan.count, completed: plan.count, broken: [] })
    }
    assert.deepInclude(yield* verifyNow, { differences: 0 })
  }).pipe(Effect.provide(storesLayer(stores)))
}, Effect.scoped)

/** Seconds on a quiet machine. */
const patience = 300_000

describe("transfers over HTTP while the service is killed", () => {
  it.live.skipIf(!postgresPresent)(
    "all end once, on PostgreSQL",
    () =>
      Effect.gen(function* () {
        const { url } = yield* TestPostgres
        yield* transfersSurvive(Option.some(url), { count: 2_000, kills: 3 })
      }).pipe(Effect.provide(TestPostgres.layer)),
    patience
  )

  it.live.skipIf(!postgresPresent)(
    "all of several legs end once, at all of their wallets, on PostgreSQL",
    () =>
      Effect.gen(function* () {
        const { url } = yield* TestPostgres
        yield* transfersSurvive(Option.some(url), { count: 500, kills: 3, legs: 10 })
      }).pipe(Effect.provide(TestPostgres.layer)),
    patience
  )

  it.live("all end once, embedded", () => transfersSurvive(Option.none(), { count: 400, kills: 1 }), patience)
})
