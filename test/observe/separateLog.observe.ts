/** A log of its own with PostgreSQL behind it: what a real Prometheus sees of its rows, and of the faults of PostgreSQL. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import { startPostgres } from "../../bench/servers/PostgresServer.ts"
import { ruleFile } from "../../deploy/observe/source/Rules.ts"
import { startService } from "../cli/WalletProcess.ts"
import { postgresPresent } from "../support/postgres.ts"
import { prometheusPresent, sayAbsent, shortened, startPrometheus } from "../support/prometheus.ts"
import { callOf, keepAsking } from "./Calls.ts"
import { panelsWith, stillEmptyPanels } from "./PanelCheck.ts"

sayAbsent("rows behind a log of their own, on dashboards and by alerts")

const apiKey = "an-admin-key-of-the-observation"

/** A rule of a user's, and a right that is missing. */
const rule = [
  `create function public.no_gifts() returns trigger language plpgsql as $$
   begin raise exception 'no gifts'; end $$`,
  `create trigger no_gifts before insert on wallet.events for each row
   when (new.type = 'WalletCredited' and new.reference = 'gift') execute function public.no_gifts()`
]

/** Raises another SQLSTATE than a refusal's: a defect, for one wallet. */
const defect = [
  `create function public.broken() returns trigger language plpgsql as $$
   begin raise exception 'broken' using errcode = 'XX001'; end $$`,
  `create trigger broken before insert on wallet.events for each row
   when (new.wallet_id = 'unlucky' and new.version = 1) execute function public.broken()`
]

describe.skipIf(!prometheusPresent || !postgresPresent)("rows behind a log of their own", () => {
  it.live("are shown on their panels, and their faults by their alerts", () =>
    Effect.gen(function* () {
      const postgres = yield* startPostgres()
      const execute = (...statements: ReadonlyArray<string>) =>
        Effect.flatMap(SqlClient, (sql) =>
          Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
        ).pipe(Effect.provide(PgClient.layer({ url: postgres.url, maxConnections: 1 })), Effect.orDie)
      const service = yield* startService(
        { DATABASE_URL: Redacted.value(postgres.url), WALLET_API_KEY: apiKey },
        new URL("separateLogService.ts", import.meta.url)
      )
      const call = callOf(() => service.url, apiKey)
      for (const id of ["busy", "unlucky"])
        assert.strictEqual((yield* call("/v1/wallets", { id, ownerId: "o", currency: "EUR" })).status, 201)
      const prometheus = yield* startPrometheus({ urls: [service.url], rules: shortened(ruleFile) })
      yield* keepAsking(call("/v1/wallets/busy/credit?await=committed", { amount: "1" }))
      yield* prometheus.until("rate(wallet_persist_events_count[30s]) > 0")
      assert.deepStrictEqual(yield* prometheus.ruleErrors, [])
      assert.isAbove(panelsWith(["separateLog"]), 5)
      assert.deepStrictEqual(yield* stillEmptyPanels(prometheus, ["separateLog"]), [])

      yield* execute(...rule)
      const refused = yield* call("/v1/wallets/busy/credit", { amount: "1", reference: "gift" })
      assert.strictEqual(refused.status, 422, refused.text)
      yield* prometheus.untilFires("WalletCompensations")

      yield* execute(...defect)
      yield* call("/v1/wallets/unlucky/credit?await=committed", { amount: "1" })
      yield* prometheus.untilFires("WalletPersistenceBlocked")
      yield* execute("drop trigger broken on wallet.events")
      yield* prometheus.untilQuiet("WalletPersistenceBlocked")

      // Half a minute behind, by the rule's own number.
      yield* postgres.stop("immediate")
      yield* prometheus.untilFires("WalletPersistenceBehind")
      yield* postgres.start
      yield* prometheus.untilQuiet("WalletPersistenceBehind")
    }).pipe(Effect.scoped)
  )
})
