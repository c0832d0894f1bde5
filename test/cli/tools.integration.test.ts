/** The executable from outside: what it prints, how it ends, what it leaves behind. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { SqlDatabase } from "../../src/stores/sql/SqlDatabase.ts"
import { readyDataDir } from "../support/embedded.ts"
import { postgresPresent, TestPostgres } from "../support/postgres.ts"
import { type Environment, npmStart, runWallet, type Service, startService, temporaryFolder } from "./WalletProcess.ts"

const fixture = join(import.meta.dirname, "fixtures/movements.csv")
/** Real data of a bank, beside this repository where it was handed out; not ours to publish. */
const bankSample = resolve(import.meta.dirname, "../../../shared/data/bank-sample.csv")
if (!existsSync(bankSample)) process.stderr.write("\nbank-sample.csv: ABSENT - NOT TESTED: the import of real data\n\n")

/** A migrated, empty data directory, made once. */
const template = mkdtempSync(join(tmpdir(), "wallet-template-"))
beforeAll(() =>
  Effect.gen(function* () {
    cpSync(yield* readyDataDir, template, { recursive: true })
    assert.strictEqual((yield* runWallet(["migrate"], { WALLET_DATA_DIR: template })).code, 0)
  }).pipe(Effect.scoped, Effect.runPromise)
)
afterAll(() => rmSync(template, { recursive: true, force: true }))

const embedded = Effect.map(temporaryFolder, (folder): Environment & { readonly WALLET_DATA_DIR: string } => {
  const dataDir = join(folder, "data")
  cpSync(template, dataDir, { recursive: true })
  return { WALLET_DATA_DIR: dataDir }
})

const empty = Effect.map(temporaryFolder, (folder): Environment => ({ WALLET_DATA_DIR: join(folder, "data") }))

const keyIn = (environment: Environment): string =>
  environment.WALLET_API_KEY ?? readFileSync(join(environment.WALLET_DATA_DIR ?? "", "api-key"), "utf8").trim()

interface RequestOptions {
  readonly body?: unknown
  readonly method?: string
}

const request = (service: Service, environment: Environment, path: string, options: RequestOptions = {}) =>
  Effect.promise(async () => {
    const response = await fetch(service.url + path, {
      method: options.method ?? (options.body === undefined ? "GET" : "POST"),
      headers: {
        authorization: `Bearer ${keyIn(environment)}`,
        "content-type": "application/json",
        "idempotency-key": crypto.randomUUID()
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) })
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  })

const createWallet = (service: Service, environment: Environment, id: string) =>
  request(service, environment, "/v1/wallets", { body: { id, ownerId: "o", currency: "EUR" } })

describe("wallet serve", () => {
  it.live("makes the first admin key, serves, says where, and ends with 0 on SIGTERM", () =>
    Effect.gen(function* () {
      const environment = yield* embedded
      const dataDir = environment.WALLET_DATA_DIR
      const service = yield* startService(environment)
      assert.match(service.url, /^http:\/\/127\.0\.0\.1:\d+$/)
      assert.strictEqual(statSync(join(dataDir, "api-key")).mode & 0o777, 0o600)
      assert.deepStrictEqual(JSON.parse(readFileSync(join(dataDir, "service.json"), "utf8")), {
        pid: service.pid,
        url: service.url
      })
      assert.strictEqual((yield* createWallet(service, environment, "kept")).status, 201)
      // Not a terminal: the secret stays in the file.
      assert.notInclude(service.stderr(), keyIn(environment))
      yield* service.kill("SIGTERM")
      assert.strictEqual(yield* service.exited, 0)
      assert.isFalse(existsSync(join(dataDir, "service.json")))

      const again = yield* startService(environment)
      const found = yield* request(again, environment, "/v1/wallets/kept")
      assert.strictEqual(found.body.ownerId, "o")
      yield* again.kill("SIGINT")
      assert.strictEqual(yield* again.exited, 0)
    })
  )

  it.live("started by npm, gets the signal that npm gets", () =>
    Effect.gen(function* () {
      const environment = yield* embedded
      const service = yield* npmStart(environment)
      yield* service.kill("SIGTERM")
      assert.strictEqual(yield* service.exited, 0)
      assert.isFalse(existsSync(join(environment.WALLET_DATA_DIR, "service.json")))
    })
  )

  it.live("takes the admin key that it is given, in place of one made", () =>
    Effect.gen(function* () {
      const environment = { ...(yield* embedded), WALLET_API_KEY: "a-secret-of-our-own-0123456789" }
      const service = yield* startService(environment)
      assert.strictEqual((yield* request(service, environment, "/v1/keys")).status, 200)
      assert.isFalse(existsSync(join(environment.WALLET_DATA_DIR, "api-key")))
    })
  )

  it.live("does not start beside a service on the same data directory, and names it", () =>
    Effect.gen(function* () {
      const environment = yield* embedded
      const service = yield* startService(environment)
      const second = yield* runWallet(["serve", "--port", "0"], environment)
      assert.strictEqual(second.code, 1)
      assert.match(second.stderr, new RegExp(`in use by process ${service.pid}, listening on ${service.url}\n$`))
    })
  )

  it.live("says in one line that its port is taken", () =>
    Effect.gen(function* () {
      const environment = yield* embedded
      const port = yield* Effect.acquireRelease(
        Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
          const server = createServer().listen(0, "127.0.0.1", () => {
            const address = server.address()
            const taken = typeof address === "object" && address !== null ? address.port : 0
            resume(Effect.succeed({ port: taken, close: () => server.close() }))
          })
        }),
        ({ close }) => Effect.sync(close)
      )
      const run = yield* runWallet(["serve", "--port", String(port.port)], environment)
      assert.strictEqual(run.code, 1)
      assert.strictEqual(
        run.stderr
          .split("\n")
          .filter((line) => line.startsWith("wallet: port"))
          .join(),
        `wallet: port ${port.port} on 127.0.0.1 is in use: stop the other program or set PORT`
      )
    })
  )

  const wrong: ReadonlyArray<readonly [environment: Environment, line: RegExp]> = [
    [{ PORT: "abc" }, /^wallet: PORT is wrong: .+\n$/],
    [{ WALLET_API_KEY: "short" }, /wallet: .*key.*16.*\n$/],
    [{ REDIS_URL: "redis://127.0.0.1" }, /^wallet: REDIS_URL is set, but .+\n$/],
    [{ DATABASE_URL: "postgres://127.0.0.1:1/none" }, /^wallet: [^\n]+\n$/],
    [{ DATABASE_URL: "mysql://127.0.0.1/none" }, /^wallet: [^\n]+\n$/]
  ]
  for (const [environment, line] of wrong) {
    it.live(
      `does not start with ${Object.entries(environment).join().replace(",", "=")}, and says why in one line`,
      () =>
        Effect.gen(function* () {
          const run = yield* runWallet(["serve", "--port", "0"], { ...(yield* embedded), PORT: "0", ...environment })
          assert.strictEqual(run.code, 1)
          const said = run.stderr
            .split("\n")
            .filter((text) => !text.startsWith("{"))
            .join("\n")
          assert.match(said, line)
          assert.notMatch(said, /\n\s+at /)
        })
    )
  }
})

describe("the tools", () => {
  it.live("migrate runs each migration once", () =>
    Effect.gen(function* () {
      const environment = yield* empty
      const first = JSON.parse((yield* runWallet(["migrate", "--json"], environment)).stdout)
      assert.isAbove(first.applied.length, 0)
      const second = JSON.parse((yield* runWallet(["migrate", "--json"], environment)).stdout)
      assert.deepStrictEqual(second, { applied: [], current: first.current })
    })
  )

  it.live("import a file once, however often they run, and verify what is there", () =>
    Effect.gen(function* () {
      const environment = yield* embedded
      const first = yield* runWallet(["import", fixture, "--json"], environment)
      assert.strictEqual(first.code, 0)
      const { balancesChecked, imported, known, rows, walletsCreated } = JSON.parse(first.stdout)
      assert.deepStrictEqual(
        { rows, imported, known, walletsCreated, balancesChecked },
        { rows: 5, imported: 5, known: 0, walletsCreated: 2, balancesChecked: 5 }
      )
      const second = yield* runWallet(["import", fixture], environment)
      assert.match(second.stdout, /^5 rows: 0 new, 5 there already; 0 wallets created, 5 balances checked/)
      const verified = yield* runWallet(["verify", "--json"], environment)
      assert.strictEqual(verified.code, 0)
      const { differenceCount, transactions, wallets } = JSON.parse(verified.stdout)
      assert.deepStrictEqual(
        { differenceCount, transactions, wallets },
        { differenceCount: 0, transactions: 5, wallets: 2 }
      )
    })
  )

  it.live.skipIf(!existsSync(bankSample))("import a real bank's movements with the balances that it recorded", () =>
    Effect.gen(function* () {
      const environment = yield* embedded
      const first = yield* runWallet(["import", bankSample, "--json"], environment)
      assert.strictEqual(first.code, 0, first.stderr)
      const report = JSON.parse(first.stdout)
      assert.deepStrictEqual([report.rows, report.imported, report.balancesChecked], [100, 100, 100])
      const second = JSON.parse((yield* runWallet(["import", bankSample, "--json"], environment)).stdout)
      assert.deepStrictEqual([second.rows, second.imported, second.known], [100, 0, 100])
      assert.strictEqual((yield* runWallet(["verify"], environment)).code, 0)
    })
  )

  it.live("exit with 1 and name the row where an import does not fit", () =>
    Effect.gen(function* () {
      const environment = yield* embedded
      const text = yield* runWallet(["import", fixture, "--exponent", "EUR=1"], environment)
      assert.strictEqual(text.code, 1)
      assert.include(text.stderr, 'row 1 (line 2): amount: "100.00" has more than 1 decimals')
      const json = yield* runWallet(["import", fixture, "--exponent", "EUR=1", "--json"], environment)
      assert.strictEqual(json.code, 1)
      assert.strictEqual(JSON.parse(json.stdout).error.code, "RowRefused")
    })
  )

  it.live("exit with 2 when they are called wrongly", () =>
    Effect.gen(function* () {
      const environment = yield* embedded
      for (const args of [
        ["bogus"],
        ["verify", "--bogus"],
        ["import"],
        ["import", "x", "--map", "y"],
        ["keys", "create"],
        ["replay", "--from", "-1"],
        ["replay", "--erase", "--rebuild"],
        ["replay", "--erase"],
        ["inspect"],
        ["inspect", "a b"]
      ]) {
        assert.strictEqual((yield* runWallet(args, environment)).code, 2, args.join(" "))
      }
    })
  )

  it.live("work through the service that has the data directory open", () =>
    Effect.gen(function* () {
      const environment = yield* embedded
      const service = yield* startService(environment)
      const imported = yield* runWallet(["import", fixture, "--json"], environment)
      assert.strictEqual(imported.code, 0, imported.stderr)
      const report = JSON.parse(imported.stdout)
      assert.deepInclude(report, { rows: 5, imported: 5, known: 0, walletsCreated: 2, balancesChecked: 5 })
      const again = JSON.parse((yield* runWallet(["import", fixture, "--json"], environment)).stdout)
      assert.deepStrictEqual([again.imported, again.known, again.walletsCreated], [0, 5, 0])
      assert.strictEqual((yield* request(service, environment, "/v1/wallets/alpha")).body.balance, "7500")

      const verified = yield* runWallet(["verify"], environment)
      assert.strictEqual(verified.code, 0, verified.stderr)
      assert.match(verified.stdout, /^compared 2 wallets: 7 events, 5 transactions[^]*no differences\n$/)
      assert.include(verified.stderr, `working through the service at ${service.url}`)
    })
  )

  it.live("replay and inspect, on the data directory and through the service that has it open", () =>
    Effect.gen(function* () {
      const environment = yield* embedded
      assert.strictEqual((yield* runWallet(["import", fixture], environment)).code, 0)
      const json = (args: ReadonlyArray<string>) =>
        Effect.map(runWallet([...args, "--json"], environment), ({ code, stderr, stdout }) => {
          assert.strictEqual(code, 0, stderr)
          return JSON.parse(stdout)
        })
      const erased = yield* json(["replay", "--erase", "--yes"])
      assert.deepStrictEqual([erased.mode, erased.events, erased.written], ["erase", 7, 7])
      const alone = yield* json(["inspect", "alpha"])
      assert.strictEqual(alone.node, null)
      assert.strictEqual(alone.log.lastEvent.version, 3)
      assert.deepStrictEqual(alone.persistence.wallet, alone.log.wallet)
      assert.deepStrictEqual(alone.readModel.wallet, alone.log.wallet)
      const nobody = yield* runWallet(["inspect", "nobody"], environment)
      assert.strictEqual(nobody.code, 1)
      assert.strictEqual(nobody.stderr, "wallet: no store knows wallet nobody\n")

      const service = yield* startService(environment)
      const body = { amount: "5" }
      assert.strictEqual((yield* request(service, environment, "/v1/wallets/alpha/credit", { body })).status, 201)
      const asked = JSON.parse((yield* runWallet(["inspect", "alpha", "--json"], environment)).stdout)
      assert.deepStrictEqual([asked.node.actor.version, asked.node.actor.waiting], [4, 0])
      assert.isNumber(asked.node.epoch)
      assert.strictEqual((yield* json(["replay", "--erase", "--yes"])).written, 8)
      // Its commands go on after it.
      assert.strictEqual((yield* request(service, environment, "/v1/wallets/alpha/credit", { body })).status, 201)
      const one = yield* json(["replay", "--wallet", "alpha"])
      assert.deepStrictEqual([one.walletId, one.events], ["alpha", 6])
      const text = yield* runWallet(["inspect", "alpha"], environment)
      assert.match(text.stdout, /^PostgreSQL {2}5 +active/m)
    })
  )

  it.live("drive a service and count its answers, and ask before they touch the stores themselves", () =>
    Effect.gen(function* () {
      const environment = yield* embedded
      const args = ["load", "--seconds", "1", "--warmup", "0", "--callers", "4", "--wallets", "3", "--json"]
      const alone = yield* runWallet(args, environment)
      assert.strictEqual(alone.code, 1)
      assert.strictEqual(JSON.parse(alone.stdout).error.code, "ServiceAbsent")
      yield* startService(environment)
      // A busy machine may do little in a second: runs until there is something to look at.
      const { accepted, check, sent } = yield* Effect.repeat(
        Effect.map(runWallet(args, environment), (run) => {
          assert.strictEqual(run.code, 0, run.stderr)
          return JSON.parse(run.stdout)
        }),
        { until: (report) => report.sent > 10 }
      )
      assert.isAbove(sent, 10)
      assert.strictEqual(accepted, sent)
      assert.isTrue(check.ok)
    })
  )

  it.live("make keys that work at once, list them and revoke them, with a service and without", () =>
    Effect.gen(function* () {
      const environment = yield* embedded
      const before = JSON.parse(
        (yield* runWallet(["keys", "create", "ops", "--scope", "admin", "--json"], environment)).stdout
      )
      const reader = { ...environment, WALLET_API_KEY: before.secret }
      const service = yield* startService(environment)
      const made = JSON.parse(
        (yield* runWallet(["keys", "create", "web", "--scope", "wallets:read", "--json"], reader)).stdout
      )
      assert.deepStrictEqual(made.scopes, ["wallets:read"])
      const web = { WALLET_API_KEY: made.secret }
      assert.strictEqual((yield* request(service, web, "/v1/wallets")).status, 200)
      const listed = JSON.parse((yield* runWallet(["keys", "list", "--json"], reader)).stdout)
      assert.deepStrictEqual(
        listed.data.map((key: { readonly name: string }) => key.name),
        ["web", "ops"]
      )
      assert.notInclude(JSON.stringify(listed), made.secret)
      assert.strictEqual((yield* runWallet(["keys", "revoke", made.id], reader)).code, 0)
      assert.strictEqual((yield* request(service, web, "/v1/wallets")).status, 401)
      const stranger = yield* runWallet(["keys", "create", "more", "--scope", "admin"], {
        ...environment,
        WALLET_API_KEY: "not-a-key-of-this-service"
      })
      assert.strictEqual(stranger.code, 1)
      assert.match(
        stranger.stderr,
        /set WALLET_API_KEY to an admin key of its own, or stop the service and repeat this/
      )
      const unknown = yield* runWallet(["keys", "revoke", made.id], reader)
      assert.strictEqual(unknown.code, 1)
      assert.strictEqual(unknown.stderr, `wallet: there is no key ${made.id}\n`)
    })
  )

  it.live("let only an admin verify through a service", () =>
    Effect.gen(function* () {
      const environment = yield* embedded
      const service = yield* startService(environment)
      const body = { name: "reader", scopes: ["wallets:read"] }
      const made = yield* request(service, environment, "/v1/keys", { body })
      const reader = { WALLET_API_KEY: String(made.body.secret) }
      assert.strictEqual((yield* request(service, reader, "/v1/verify", { method: "POST" })).status, 403)
      const stranger = { WALLET_API_KEY: "ew_nobody" }
      assert.strictEqual((yield* request(service, stranger, "/v1/verify", { method: "POST" })).status, 401)
      const run = yield* runWallet(["verify"], { ...environment, WALLET_API_KEY: "ew_nobody" })
      assert.strictEqual(run.code, 3)
      assert.include(run.stderr, "could not verify: it answered 401")
      for (const [path, method] of [
        ["/v1/replay", "POST"],
        ["/v1/wallets/a/inspect", "GET"]
      ] as const) {
        assert.strictEqual((yield* request(service, reader, path, { method })).status, 403)
        assert.strictEqual((yield* request(service, stranger, path, { method })).status, 401)
      }
      const wrong = yield* request(service, environment, "/v1/replay", { body: { mode: "append" } })
      assert.strictEqual(wrong.status, 400)
    })
  )
})

describe.skipIf(!postgresPresent)("on PostgreSQL", () => {
  const postgres = Effect.map(TestPostgres, ({ url }): Environment => ({
    DATABASE_URL: Redacted.value(url),
    WALLET_API_KEY: "a-secret-of-our-own-0123456789"
  }))

  it.live("a service that another one has replaced says FENCED and ends with 1", () =>
    Effect.gen(function* () {
      const environment = yield* postgres
      const first = yield* startService(environment)
      assert.strictEqual((yield* createWallet(first, environment, "a")).status, 201)
      const second = yield* startService(environment)
      assert.strictEqual((yield* createWallet(second, environment, "b")).status, 201)
      const refused = yield* createWallet(first, environment, "c")
      assert.strictEqual(refused.status, 503)
      assert.strictEqual(yield* first.exited, 1)
      assert.match(first.stderr(), /^wallet: FENCED: .+$/m)
      assert.strictEqual((yield* request(second, environment, "/v1/wallets/c")).status, 404)
    }).pipe(Effect.provide(TestPostgres.layer))
  )

  it.live("import does not take a database from its service, unless it is asked to", () =>
    Effect.gen(function* () {
      const environment = yield* postgres
      const service = yield* startService(environment)
      const refused = yield* runWallet(["import", fixture], environment)
      assert.strictEqual(refused.code, 1)
      assert.match(refused.stderr, /^wallet: a service seems to run on this database \(\d+ connections\): .+\n$/)
      assert.strictEqual((yield* createWallet(service, environment, "still")).status, 201)
      const taken = yield* runWallet(["import", fixture, "--takeover"], environment)
      assert.strictEqual(taken.code, 0, taken.stderr)
      assert.strictEqual((yield* createWallet(service, environment, "late")).status, 503)
      assert.strictEqual(yield* service.exited, 1)
      const free = yield* runWallet(["import", fixture, "--json"], environment)
      assert.strictEqual(JSON.parse(free.stdout).known, 5)
    }).pipe(Effect.provide(TestPostgres.layer))
  )

  it.live("verify beside a running service names what somebody has altered", () =>
    Effect.gen(function* () {
      const environment = yield* postgres
      const service = yield* startService(environment)
      const imported = yield* runWallet(["import", fixture, "--url", service.url], environment)
      assert.strictEqual(imported.code, 0, imported.stderr)
      const clean = yield* runWallet(["verify"], environment)
      assert.strictEqual(clean.code, 0, clean.stderr)
      yield* alter(environment)
      const damaged = yield* runWallet(["verify", "--json"], environment)
      assert.strictEqual(damaged.code, 1)
      const { differences } = JSON.parse(damaged.stdout)
      assert.includeMembers(
        differences.map(
          (one: { walletId: string; store: string; what: string }) => `${one.walletId} ${one.store} ${one.what}`
        ),
        ["alpha persistence wallet row", "beta persistence wallet row"]
      )
      const repaired = yield* runWallet(["verify", "--repair", "--json"], environment)
      assert.strictEqual(repaired.code, 0, repaired.stderr)
      assert.strictEqual(JSON.parse(repaired.stdout).repaired, 2)
      assert.strictEqual((yield* runWallet(["verify"], environment)).code, 0)
      // The service was not disturbed by any of it.
      assert.strictEqual((yield* createWallet(service, environment, "c")).status, 201)
    }).pipe(Effect.provide(TestPostgres.layer))
  )
})

/** What no user of the engine can do. */
const alter = (environment: Environment) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    yield* sql`update wallets set balance = balance + 1 where id = 'alpha'`
    yield* sql`update wallets set overdraft_limit = 5 where id = 'beta'`
    // The events are the log.
    yield* Effect.flip(sql`delete from events where wallet_id = 'beta' and version = 2`)
  }).pipe(Effect.provide(SqlDatabase.layerServer({ url: Redacted.make(environment.DATABASE_URL ?? "") })))
