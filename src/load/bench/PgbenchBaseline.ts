/**
 * The usual way, by PostgreSQL's own load generator: a transaction that locks the
 * account's row, inserts the movement and updates the balance. Prepared statements,
 * 32 clients, on the same server as the engine beside it.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { type PostgresServer, postgresFolder } from "../servers/PostgresServer.ts"
import { findPrograms, temporaryFolder } from "../servers/ServerProcess.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import { runProgram } from "./NodeProcess.ts"

/** Where pgbench is; `undefined`: not on this machine. */
export const pgbenchFolder: string | undefined = findPrograms(
  ["pgbench"],
  postgresFolder === undefined ? [] : [postgresFolder]
)

export const pgbenchClients = 32

/** Accounts and their movements, keyed and indexed as such tables are. */
const tables = (accounts: number): ReadonlyArray<string> => [
  "set client_min_messages = warning",
  "drop table if exists bench_movements, bench_accounts",
  "create table bench_accounts (id int primary key, balance numeric not null, version bigint not null)",
  `create table bench_movements (
    id bigint generated always as identity primary key,
    account_id int not null,
    amount numeric not null,
    balance_after numeric not null,
    created_at timestamptz not null default now()
  )`,
  "create index on bench_movements (account_id, id)",
  `insert into bench_accounts select id, 0, 0 from generate_series(1, ${accounts}) id`,
  "vacuum analyze bench_accounts"
]

const script = (accounts: number): string => `
\\set id random(1, ${accounts})
BEGIN;
SELECT balance, version FROM bench_accounts WHERE id = :id FOR UPDATE;
INSERT INTO bench_movements (account_id, amount, balance_after) VALUES (:id, 1, 1);
UPDATE bench_accounts SET balance = balance + 1, version = version + 1 WHERE id = :id;
COMMIT;
`

const connection = (server: PostgresServer): ReadonlyArray<string> =>
  `-h 127.0.0.1 -p ${server.port} -U postgres -n`.split(" ")

/** Transactions per second, connections already open. */
export const pgbenchRound = Effect.fnUntraced(function* (
  settings: BenchSettings,
  server: PostgresServer,
  accounts: number
) {
  if (pgbenchFolder === undefined || postgresFolder === undefined) {
    return yield* Effect.die(new Error("pgbench is not on this machine"))
  }
  const folder = yield* temporaryFolder()
  const file = Path.join(folder, "movement.sql")
  yield* Effect.sync(() => Fs.writeFileSync(file, script(accounts)))
  yield* runProgram(Path.join(pgbenchFolder, "pgbench"), [
    ...connection(server),
    "-f",
    yield* tablesScript(folder, accounts),
    "-t",
    "1",
    "postgres"
  ])
  const seconds = Math.max(1, Math.ceil(settings.millis / 1_000))
  const output = yield* runProgram(Path.join(pgbenchFolder, "pgbench"), [
    ...connection(server),
    ...`-M prepared -c ${pgbenchClients} -j 2 -T ${seconds} -f`.split(" "),
    file,
    "postgres"
  ])
  const [, tps] = /^tps = ([\d.]+) \(without initial connection time\)/m.exec(output) ?? []
  if (tps === undefined) return yield* Effect.die(new Error(`pgbench printed no rate:\n${output}`))
  return Number(tps)
}, Effect.scoped)

/** pgbench makes the tables too: then nothing else is needed that may not be there. */
const tablesScript = (folder: string, accounts: number) =>
  Effect.sync(() => {
    const file = Path.join(folder, "tables.sql")
    Fs.writeFileSync(
      file,
      tables(accounts)
        .map((statement) => `${statement.replace(/\s+/g, " ")};\n`)
        .join("")
    )
    return file
  })
