/** The service as a role that may not change the schema, on what its owner has migrated. */
import { assert, describe, it } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { documentedScript, runScript } from "../support/documentedRules.ts"
import { postgresPresent, TestPostgres } from "../support/postgres.ts"
import { type Environment, runWallet, type Service, startService } from "./WalletProcess.ts"

const apiKey = "an-admin-key-of-the-test"

/** The documented roles under names of their own: roles are the server's, and others test there too. */
const documentedRoles = Effect.gen(function* () {
  const { url } = yield* TestPostgres
  const address = new URL(Redacted.value(url))
  const database = address.pathname.slice(1)
  const named = (role: "owner" | "service") => `${database}_${role}`
  const script = documentedScript("Roles")
    .replaceAll("wallet_owner", named("owner"))
    .replaceAll("wallet_service", named("service"))
  const asAdmin = (use: Effect.Effect<unknown, unknown, SqlClient>) =>
    Effect.orDie(Effect.provide(use, PgClient.layer({ url, maxConnections: 1 })))
  yield* Effect.acquireRelease(asAdmin(runScript(script)), () =>
    asAdmin(
      runScript(`drop owned by ${named("service")}, ${named("owner")} cascade;
        drop role ${named("service")}; drop role ${named("owner")};`)
    )
  )
  const environmentOf = (role: "owner" | "service"): Environment => {
    address.username = named(role)
    return { DATABASE_URL: address.href, WALLET_API_KEY: apiKey }
  }
  return { owner: environmentOf("owner"), service: environmentOf("service"), serviceRole: named("service") }
})

let calls = 0
const call = (service: Service, path: string, body?: unknown) =>
  Effect.promise(async () => {
    const response = await fetch(`${service.url}${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: {
        authorization: `Bearer ${apiKey}`,
        "content-type": "application/json",
        "idempotency-key": `call-${calls++}`
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  })

const posts = (service: Service, path: string, body: unknown) =>
  Effect.map(call(service, path, body), ({ body, status }) => {
    assert.strictEqual(status, 201, JSON.stringify(body))
  })

describe.skipIf(!postgresPresent)("two roles", () => {
  it.live(
    "serves with rights on data alone what the owner has migrated, and says when there is nothing migrated yet",
    () =>
      Effect.gen(function* () {
        const { owner, service: environment, serviceRole } = yield* documentedRoles
        const early = yield* runWallet(["serve", "--port", "0"], environment)
        assert.strictEqual(early.code, 1)
        assert.include(
          early.stderr,
          `migration 1 (events) has not run, and the role ${serviceRole} may not change the schema wallet`
        )

        assert.strictEqual((yield* runWallet(["migrate"], owner)).code, 0)
        const service = yield* startService(environment)
        for (const id of ["from", "to"]) {
          yield* posts(service, "/v1/wallets", { id, ownerId: "o", currency: "EUR", metadata: { a: "b" } })
          yield* posts(service, `/v1/wallets/${id}/credit`, { amount: "100", reference: "words to find" })
        }
        yield* posts(service, "/v1/wallets/from/holds", { amount: "10" })
        yield* posts(service, "/v1/transfers", { from: "from", to: "to", amount: "20" })
        yield* posts(service, "/v1/keys", { name: "reader", scopes: ["wallets:read"] })
        assert.strictEqual((yield* call(service, "/v1/transactions?q=words")).status, 200)
        yield* service.kill("SIGTERM")
        assert.strictEqual(yield* service.exited, 0)

        // The tools need no more: they write what is derived.
        for (const tool of [["verify"], ["replay", "--rebuild"], ["verify"]]) {
          const { code, stderr, stdout } = yield* runWallet(tool, environment)
          assert.strictEqual(code, 0, `${tool.join(" ")}: ${stdout}${stderr}`)
        }

        // Tables are emptied by their owner alone, and what is refused has done nothing.
        const erase = ["replay", "--erase", "--yes"]
        const refused = yield* runWallet(erase, environment)
        assert.strictEqual(refused.code, 3)
        assert.include(refused.stderr, "permission denied for table")
        for (const [tool, role] of [
          [["verify"], environment],
          [erase, owner],
          [["verify"], environment]
        ] as const) {
          const { code, stderr, stdout } = yield* runWallet(tool, role)
          assert.strictEqual(code, 0, `${tool.join(" ")}: ${stdout}${stderr}`)
        }

        const { url } = yield* TestPostgres
        const forget = Effect.flatMap(SqlClient, (sql) => sql`delete from wallet.migrations where id = 4`)
        yield* Effect.provide(forget, PgClient.layer({ url, maxConnections: 1 }))
        const behind = yield* runWallet(["serve", "--port", "0"], environment)
        assert.strictEqual(behind.code, 1)
        assert.include(
          behind.stderr,
          `migration 4 (installation) has not run, and the role ${serviceRole} may not change the schema wallet: ` +
            "run `wallet migrate` as its owner"
        )
      }).pipe(Effect.scoped, Effect.provide(TestPostgres.layer)),
    900_000
  )
})
