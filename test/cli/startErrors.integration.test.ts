/**
 * What a start that cannot go on says: one line that names the variable, the address, the
 * cause and what to do. The real executable on a real server.
 */
import { assert, describe, it } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import { postgresFolder, startPostgres } from "../../bench/servers/PostgresServer.ts"
import { freePort, serverAccount, temporaryFolder } from "../../bench/servers/ServerProcess.ts"
import { loadServiceConfig } from "../../src/cli/ServiceConfig.ts"
import { storesLayer } from "../../src/engine/EngineStores.ts"
import { readyDataDir } from "../support/embedded.ts"
import { type Environment, runWallet } from "./WalletProcess.ts"

interface Case {
  readonly name: string
  readonly environment: Environment
  readonly args?: ReadonlyArray<string>
  /** The line, whole; a `RegExp` where the system has a word in it. */
  readonly says: string | RegExp
}

const secret = "not-to-be-read-anywhere"

/** Lines on standard error that are no log lines. */
const saidBy = (stderr: string): ReadonlyArray<string> =>
  stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"))

/** In this process, by the way that every command takes; what the executable makes of a failure is tested apart. */
const refusedStores = Effect.fnUntraced(function* ({ environment, name, says }: Case) {
  const error = yield* loadServiceConfig.pipe(
    Effect.flatMap(({ engine }) => Effect.scoped(Layer.build(Layer.fresh(storesLayer(engine.stores))))),
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: { ...environment } }))),
    Effect.flip
  )
  assert.notInclude(error.message, secret, name)
  assert.notInclude(error.message, "\n", name)
  if (typeof says === "string") assert.strictEqual(error.message, says, name)
  else assert.match(error.message, says, name)
})

const refused = Effect.fnUntraced(function* ({ args = ["serve", "--port", "0"], environment, name, says }: Case) {
  const { code, stderr, stdout } = yield* runWallet(args, environment)
  assert.isAbove(code ?? 0, 0, `${name}: ${stdout}`)
  assert.notInclude(stderr, secret, name)
  const lines = saidBy(stderr)
  assert.strictEqual(lines.length, 1, `${name}: ${stderr}`)
  if (typeof says === "string") assert.strictEqual(lines[0], `wallet: ${says}`, name)
  else assert.match(lines[0]!, says, name)
})

const allRefused = (cases: ReadonlyArray<Case>) => Effect.forEach(cases, refused, { concurrency: 2, discard: true })

const allStoresRefused = (cases: ReadonlyArray<Case>) => Effect.forEach(cases, refusedStores, { discard: true })

/** Passwords count for all but the administrator. */
const serverWithPasswords = Effect.gen(function* () {
  const folder = yield* temporaryFolder(serverAccount())
  const file = Path.join(folder, "pg_hba.conf")
  const rules = ["host all postgres 127.0.0.1/32 trust", "host all all 127.0.0.1/32 scram-sha-256", ""]
  Fs.writeFileSync(file, rules.join("\n"), { mode: 0o644 })
  const server = yield* startPostgres({ settings: { hba_file: file } })
  yield* Effect.forEach(
    [
      `create role app login password '${secret}'`,
      "create database app",
      "create database latin encoding 'LATIN1' template template0",
      "create database bytes encoding 'SQL_ASCII' template template0",
      "create database made"
    ],
    (statement) => Effect.flatMap(SqlClient, (sql) => sql.unsafe(statement)),
    { discard: true }
  ).pipe(Effect.provide(PgClient.layer({ url: server.url, maxConnections: 1 })), Effect.orDie)
  return server
})

/** A server that is none: it hangs up on whoever calls. */
const hangingUp = Effect.acquireRelease(
  Effect.callback<Net.Server>((resume) => {
    const server = Net.createServer((socket) => socket.destroy())
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => server.close())
)

const portOf = (server: Net.Server): number => (server.address() as Net.AddressInfo).port

describe.skipIf(postgresFolder === undefined)("a start on a database that cannot be used", () => {
  it.live(
    "says where it is, why, and what to do",
    () =>
      Effect.gen(function* () {
        const { port } = yield* serverWithPasswords
        const closed = yield* freePort
        const other = portOf(yield* hangingUp)
        const at = (url: string): Environment => ({ DATABASE_URL: url })
        const place = (where: string, database: string, role: string) =>
          `PostgreSQL at ${where} (database ${database}, role ${role}) cannot be used:`
        const app = `app:${secret}`
        const made = `postgres://${app}@127.0.0.1:${port}/made`
        yield* Effect.flatMap(SqlClient, (sql) => sql.unsafe("create schema wallet")).pipe(
          Effect.provide(
            PgClient.layer({ host: "127.0.0.1", port, username: "postgres", database: "made", maxConnections: 1 })
          ),
          Effect.orDie
        )
        yield* allStoresRefused([
          {
            name: "wrong port",
            environment: at(`postgres://${app}@127.0.0.1:${closed}/app`),
            says:
              `${place(`127.0.0.1:${closed}`, "app", "app")} connect ECONNREFUSED 127.0.0.1:${closed}; ` +
              "nothing listens there: check host and port, and that the server runs (DATABASE_URL)"
          },
          {
            name: "wrong port of a host with two addresses",
            environment: at(`postgres://${app}@localhost:${closed}/app`),
            says: new RegExp(
              `^PostgreSQL at localhost:${closed} \\(database app, role app\\) cannot be used: ` +
                "connect ECONNREFUSED \\S+; nothing listens there: .* \\(DATABASE_URL\\)$"
            )
          },
          {
            name: "another server's port",
            environment: at(`postgres://${app}@127.0.0.1:${other}/app`),
            says: new RegExp(
              `^PostgreSQL at 127\\.0\\.0\\.1:${other} .* cannot be used: .*; .*this is PostgreSQL's port \\(DATABASE_URL\\)$`
            )
          },
          {
            name: "unknown host",
            environment: at(`postgres://${app}@no-such-host.invalid:5432/app`),
            says: /^PostgreSQL at no-such-host\.invalid:5432 .* cannot be used: getaddrinfo E\w+ no-such-host\.invalid; .*check its name.* \(DATABASE_URL\)$/
          },
          {
            name: "unknown database",
            environment: at(`postgres://${app}@127.0.0.1:${port}/none`),
            says:
              `${place(`127.0.0.1:${port}`, "none", "app")} database "none" does not exist; ` +
              "check its name, or make it: CREATE DATABASE ... ENCODING 'UTF8' (DATABASE_URL) (SQLSTATE 3D000)"
          },
          {
            name: "unknown role",
            environment: at(`postgres://nobody:${secret}@127.0.0.1:${port}/app`),
            says:
              `${place(`127.0.0.1:${port}`, "app", "nobody")} password authentication failed for user "nobody"; ` +
              "check the password, and the role (DATABASE_URL) (SQLSTATE 28P01)"
          },
          {
            name: "wrong password",
            environment: at(`postgres://app:${secret}-2@127.0.0.1:${port}/app`),
            says:
              `${place(`127.0.0.1:${port}`, "app", "app")} password authentication failed for user "app"; ` +
              "check the password, and the role (DATABASE_URL) (SQLSTATE 28P01)"
          },
          {
            name: "no password",
            environment: at(`postgres://app@127.0.0.1:${port}/app`),
            says:
              `${place(`127.0.0.1:${port}`, "app", "app")} The server requested password authentication; ` +
              "give the password in the URL (DATABASE_URL)"
          },
          {
            name: "TLS that the server has not",
            environment: at(`postgres://${app}@127.0.0.1:${port}/app?sslmode=require`),
            says: new RegExp(`^PostgreSQL at 127\\.0\\.0\\.1:${port} .*check sslmode in the URL \\(DATABASE_URL\\)$`)
          },
          {
            name: "no right to make a schema",
            environment: at(`postgres://${app}@127.0.0.1:${port}/app`),
            says:
              "there is no schema wallet, and the role app may not make it: GRANT CREATE ON DATABASE app TO app, " +
              "or run `wallet migrate` as a role that may"
          },
          {
            name: "no right to make tables",
            environment: at(made),
            says:
              "migration 1 (events) has not run, and the role app may not change the schema wallet: " +
              "run `wallet migrate` as its owner"
          },
          ...["latin", "bytes"].map((database) => ({
            name: `a database with another encoding (${database})`,
            environment: at(`postgres://postgres@127.0.0.1:${port}/${database}`),
            says: new RegExp(
              `^PostgreSQL at 127\\.0\\.0\\.1:${port} \\(database ${database}, role postgres\\): .*server_encoding is ${database === "latin" ? "LATIN1" : "SQL_ASCII"} and must be UTF8` +
                ".*: make a database with the encoding UTF8"
            )
          }))
        ])
        yield* allRefused(
          ["serve", "verify", "inspect", "keys"].map((tool) => ({
            name: `wrong port, wallet ${tool}`,
            args: [tool, ...(tool === "inspect" ? ["a"] : tool === "keys" ? ["list"] : [])],
            environment: at(`postgres://${app}@127.0.0.1:${closed}/app`),
            says: new RegExp(
              `^wallet: PostgreSQL at 127\\.0\\.0\\.1:${closed} .*nothing listens there: .* \\(DATABASE_URL\\)$`
            )
          }))
        )
      }).pipe(Effect.scoped),
    900_000
  )
})

describe("a start with a variable that cannot be", () => {
  it.live(
    "names it, and never its value",
    () =>
      Effect.gen(function* () {
        const dataDir = Path.join(yield* temporaryFolder(), "data")
        const taken = portOf(yield* hangingUp)
        const file = Path.join(yield* temporaryFolder(), "file")
        Fs.writeFileSync(file, "")
        const wrong = (variable: string, value: string, says: string): Case => ({
          name: `${variable}=${value}`,
          environment: { WALLET_DATA_DIR: dataDir, [variable]: value },
          says
        })
        const database = "expected postgres://host:port/database, with user:password@ before the host"
        const kurrent = "expected kurrentdb://host:2113?tls=false or kurrentdb+discover://host:2113"
        yield* allStoresRefused([
          wrong("DATABASE_URL", `mysql://u:${secret}@h:3306/d`, `DATABASE_URL is wrong: ${database}`),
          wrong("DATABASE_URL", `host=h password=${secret}`, `DATABASE_URL is wrong: ${database}`),
          wrong("KURRENTDB_URL", `http://u:${secret}@h:2113`, `KURRENTDB_URL is wrong: ${kurrent}`),
          wrong("KURRENTDB_URL", "h:2113", `KURRENTDB_URL is wrong: ${kurrent}`),
          wrong(
            "WALLET_KURRENTDB_PREFIX",
            "My-Wallet",
            "WALLET_KURRENTDB_PREFIX is wrong: expected a lower-case letter, then letters, digits and _, at most 32 characters"
          ),
          wrong(
            "REDIS_URL",
            `127.0.0.1:6379?password=${secret}`,
            "REDIS_URL is wrong: expected redis://host:6379 or rediss://host:6379"
          ),
          wrong(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "localhost:4318",
            "OTEL_EXPORTER_OTLP_ENDPOINT is wrong: expected http://host:4318 or https://host:4318"
          ),
          wrong("WALLET_DATA_DIR", file, `the data directory ${file} cannot be used: it is a file (WALLET_DATA_DIR)`)
        ])
        yield* allRefused([
          wrong("DATABASE_URL", `mysql://u:${secret}@h:3306/d`, `DATABASE_URL is wrong: ${database}`),
          wrong(
            "WALLET_API_KEY",
            "short",
            "the configured API key must have 16 to 255 visible ASCII characters (WALLET_API_KEY)"
          ),
          {
            name: "port in use",
            args: ["serve", "--host", "127.0.0.1", "--port", String(taken)],
            // Without a key of the caller's the first start makes one, and says where it is.
            environment: { WALLET_DATA_DIR: yield* readyDataDir, WALLET_API_KEY: "a-key-of-the-caller" },
            says: `port ${taken} on 127.0.0.1 is in use: stop the other program or set PORT`
          }
        ])
      }).pipe(Effect.scoped),
    900_000
  )
})
