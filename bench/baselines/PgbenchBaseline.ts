/**
 * The usual ways in PostgreSQL alone, by its own load generator with prepared statements
 * and a session for each caller: a transaction that locks the account's row, one
 * statement that updates and inserts, and pgledger, whose SQL is no part of this project.
 * Each round has tables of its own.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { type PostgresServer, postgresFolder } from "../servers/PostgresServer.ts"
import { findPrograms, temporaryFolder } from "../servers/ServerProcess.ts"
import type { BenchSettings } from "../BenchSettings.ts"
import { CostProbe } from "../CostProbe.ts"
import { runProgram } from "../NodeProcess.ts"
import { databaseOf, emptied } from "../SideDatabase.ts"

const folderOf = (program: string): string | undefined =>
  findPrograms([program], postgresFolder === undefined ? [] : [postgresFolder])

/** Where pgbench is; `undefined`: not on this machine. */
export const pgbenchFolder: string | undefined = folderOf("pgbench")

/** Where psql is, which reads SQL files as they are; `undefined`: not on this machine. */
const psqlFolder: string | undefined = folderOf("psql")

/** One of the usual ways. */
export interface PgbenchScript {
  /** SQL files to be read first. */
  readonly files: ReadonlyArray<string>
  /** A statement a line is made of each. */
  readonly tables: ReadonlyArray<string>
  /** What a caller sends again and again. */
  readonly script: string
}

/** Accounts and their movements, keyed and indexed as such tables are. */
const tables = (accounts: number): ReadonlyArray<string> => [
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

/** A transaction of five statements, each sent on its own, as an application does that decides in between. */
export const selectForUpdate = (accounts: number): PgbenchScript => ({
  files: [],
  tables: tables(accounts),
  script: `
\\set id random(1, ${accounts})
BEGIN;
SELECT balance, version FROM bench_accounts WHERE id = :id FOR UPDATE;
INSERT INTO bench_movements (account_id, amount, balance_after) VALUES (:id, 1, 1);
UPDATE bench_accounts SET balance = balance + 1, version = version + 1 WHERE id = :id;
COMMIT;
`
})

/** The least that PostgreSQL can be asked: the row is locked while one statement runs and is flushed. */
export const oneStatement = (accounts: number): PgbenchScript => ({
  files: [],
  tables: tables(accounts),
  script: `
\\set id random(1, ${accounts})
WITH moved AS (
  UPDATE bench_accounts SET balance = balance + 1, version = version + 1 WHERE id = :id RETURNING id, balance
)
INSERT INTO bench_movements (account_id, amount, balance_after) SELECT id, 1, balance FROM moved;
`
})

/** Why pgledger cannot be measured; `undefined`: it can. */
export const pgledgerMissing = (folder: string | null): string | undefined => {
  if (folder === null) return "no --pgledger folder with its SQL"
  if (psqlFolder === undefined) return "psql is not on this machine"
  return Fs.existsSync(Path.join(folder, "pgledger.sql")) ? undefined : `${folder} has no pgledger.sql`
}

/** Transfers by pgledger's own function, among its accounts or from all others into the first. */
export const pgledgerTransfers = (folder: string, accounts: number, into: "many" | "one"): PgbenchScript => ({
  files: [...Fs.globSync(Path.join(folder, "vendor/**/*.sql")).toSorted(), Path.join(folder, "pgledger.sql")],
  tables: [
    "create table bench_accounts (n int primary key, id text not null)",
    `insert into bench_accounts select n, (select id from pgledger_create_account('account ' || n, 'EUR'))
      from generate_series(1, ${accounts}) n`,
    "vacuum analyze"
  ],
  script: `
\\set from random(2, ${accounts})
\\set to ${into === "one" ? "1" : `1 + (:from + random(0, ${accounts - 2})) % ${accounts}`}
SELECT id FROM pgledger_create_transfer((SELECT id FROM bench_accounts WHERE n = :from), (SELECT id FROM bench_accounts WHERE n = :to), 1);
`
})

const connection = (server: PostgresServer): ReadonlyArray<string> =>
  `-h 127.0.0.1 -p ${server.port} -U postgres`.split(" ")

const written = (folder: string, name: string, text: string) =>
  Effect.sync(() => {
    const file = Path.join(folder, name)
    Fs.writeFileSync(file, text)
    return file
  })

const database = "bench_usual"

/** pgbench makes the tables too: then psql is needed for pgledger alone. */
const prepare = Effect.fnUntraced(function* (
  bin: string,
  server: PostgresServer,
  { files, tables }: PgbenchScript,
  folder: string
) {
  if (psqlFolder !== undefined && files.length > 0) {
    const read = files.flatMap((file) => ["-f", file])
    const args = [...connection(server), "-q", "-X", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1", ...read, database]
    yield* runProgram(Path.join(psqlFolder, "psql"), args)
  }
  const text = tables.map((statement) => `${statement.replace(/\s+/g, " ")};\n`).join("")
  const file = yield* written(folder, "tables.sql", text)
  yield* runProgram(Path.join(bin, "pgbench"), [...connection(server), "-n", "-f", file, "-t", "1", database])
})

const numberAfter = (output: string, pattern: RegExp) => {
  const [, text] = pattern.exec(output) ?? []
  return text === undefined
    ? Effect.die(new Error(`pgbench printed no ${pattern.source}:\n${output}`))
    : Effect.succeed(Number(text))
}

/**
 * pgbench's clock runs while it connects, and its rate does not count that: so many
 * sessions more of them take a second more, also where something else is running.
 */
const sessionsPerSecond = 128

/** Transactions per second of so many callers, connections already open; whole seconds. */
export const pgbenchRound = Effect.fnUntraced(function* (
  settings: BenchSettings,
  server: PostgresServer,
  script: PgbenchScript,
  callers: number
) {
  const bin = pgbenchFolder
  if (bin === undefined) return yield* Effect.die(new Error("pgbench is not on this machine"))
  const probe = yield* CostProbe
  const folder = yield* temporaryFolder()
  const file = yield* written(folder, "caller.sql", script.script)
  yield* emptied(yield* databaseOf(server, database))
  yield* prepare(bin, server, script, folder)
  const seconds = Math.ceil(settings.millis / 1_000) + Math.floor(callers / sessionsPerSecond)
  const load = `-n -M prepared -c ${callers} -j ${Math.min(2, callers)} -T ${seconds} -f`.split(" ")
  return yield* probe.measure(
    Effect.gen(function* () {
      const output = yield* runProgram(Path.join(bin, "pgbench"), [...connection(server), ...load, file, database])
      const perSecond = yield* numberAfter(output, /^tps = ([\d.]+) \(without initial connection time\)/m)
      const events = yield* numberAfter(output, /^number of transactions actually processed: (\d+)/m)
      return { perSecond, events }
    })
  )
}, Effect.scoped)
