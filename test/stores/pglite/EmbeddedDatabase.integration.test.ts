import { assert, describe, it, layer } from "@effect/vitest"
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Schedule from "effect/Schedule"
import { SqlClient } from "effect/sql/SqlClient"
import * as TestClock from "effect/testing/TestClock"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { DataDirectory } from "../../../src/stores/pglite/DataDirectory.ts"
import { clientOn, SqlDatabase } from "../../../src/stores/sql/SqlDatabase.ts"
import { checkpointBytes } from "../../../src/stores/pglite/Server.ts"
import { PgliteThread } from "../../../src/stores/pglite/Thread.ts"
import { classifyError } from "../../../src/stores/sql/Failure.ts"
import { startProgram } from "../../support/childProgram.ts"
import { readyDataDir } from "../../support/embedded.ts"
import { temporaryFolder } from "../../../bench/servers/ServerProcess.ts"

const writerProgram = new URL("../../support/embeddedWriter.ts", import.meta.url)

const inFolder = <A, E>(dataDir: string, use: (sql: SqlClient) => Effect.Effect<A, E>) =>
  Effect.flatMap(SqlClient, use).pipe(Effect.provide(SqlDatabase.layerEmbedded({ dataDir })))

/** A client on a thread that the test can end. */
const onThread = Effect.fnUntraced(function* (folder: string | undefined) {
  const thread = yield* PgliteThread.make({ folder, settings: {} })
  const sql: PgClient = yield* clientOn(thread).pipe(Effect.provide(Reactivity.layer))
  return { thread, sql }
})

describe("EmbeddedDatabase in a folder", () => {
  it.effect("keeps every answered row through kill -9, twice", () =>
    Effect.gen(function* () {
      const dataDir = yield* readyDataDir
      let answered = -1
      for (let round = 0; round < 2; round++) {
        const writer = yield* startProgram(writerProgram, dataDir)
        const goal = answered + 2_000
        while (answered < goal) answered = Number(yield* Queue.take(writer.lines))
        yield* writer.signal("SIGKILL")
      }
      const [found] = yield* inFolder(
        dataDir,
        (sql) =>
          sql<{ readonly rows: bigint; readonly last: bigint }>`select count(*) as rows, max(n) as last from rows`
      )
      assert.isAtLeast(Number(found?.last), answered)
      assert.strictEqual(found?.rows, (found?.last ?? 0n) + 1n)
    })
  )

  it.effect("keeps what it holds over a clean stop, and is one process's at a time", () =>
    Effect.gen(function* () {
      const dataDir = yield* readyDataDir
      yield* inFolder(dataDir, (sql) =>
        Effect.gen(function* () {
          yield* sql`create table public.notes (text text)`
          yield* sql`insert into public.notes values ('kept')`
          const error = yield* Effect.flip(inFolder(dataDir, (again) => again`select 1`))
          assert.strictEqual(error._tag, "DataDirectoryInUse")
        })
      )
      assert.isUndefined(yield* DataDirectory.occupant(dataDir))
      assert.deepStrictEqual(yield* inFolder(dataDir, (sql) => sql`select text from public.notes`), [{ text: "kept" }])
    })
  )

  it.effect("starts over when a first start was cut in the middle", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryFolder()
      Fs.mkdirSync(Path.join(dataDir, "pg.new", "base"), { recursive: true })
      Fs.writeFileSync(Path.join(dataDir, "pg.new", "PG_VERSION"), "18\n")
      assert.deepStrictEqual(yield* inFolder(dataDir, (sql) => sql`select 1 as one`), [{ one: 1 }])
      assert.deepStrictEqual(Fs.readdirSync(dataDir).sort(), ["lock", "pg"])
    })
  )

  it.effect("says in one line why a damaged folder cannot be opened", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryFolder()
      Fs.mkdirSync(Path.join(dataDir, "pg"))
      Fs.writeFileSync(Path.join(dataDir, "pg", "PG_VERSION"), "9\n")
      const error = yield* Effect.flip(inFolder(dataDir, (sql) => sql`select 1`))
      assert.strictEqual(error._tag, "EmbeddedDatabaseFailed")
      assert.include(error.message, `the embedded database in ${Path.join(dataDir, "pg")} cannot be opened`)
      assert.notInclude(error.message, "\n")
      assert.match(error.message, /; put it back from a backup, or move it away to begin with an empty one$/)
      assert.isUndefined(yield* DataDirectory.occupant(dataDir))
    })
  )

  it.effect("says what to do when PGlite itself gives up on what is there, or it is a file", () =>
    Effect.gen(function* () {
      const dataDir = yield* readyDataDir
      Fs.truncateSync(Path.join(dataDir, "pg", "global", "pg_control"), 0)
      const damaged = yield* Effect.flip(inFolder(dataDir, (sql) => sql`select 1`))
      assert.match(
        damaged.message,
        /PGlite gives up on it .*: it is damaged, .*; put it back from a backup, or move it away/
      )
      const other = yield* temporaryFolder()
      Fs.writeFileSync(Path.join(other, "pg"), "")
      const file = yield* Effect.flip(inFolder(other, (sql) => sql`select 1`))
      assert.match(file.message, /it is a file: nothing was changed; put it back from a backup/)
    })
  )

  it.effect("bounds its write-ahead log", () =>
    Effect.gen(function* () {
      const dataDir = yield* readyDataDir
      const wal = () =>
        Fs.globSync(Path.join(dataDir, "pg", "pg_wal", "*")).reduce((bytes, file) => bytes + Fs.statSync(file).size, 0)
      yield* inFolder(dataDir, (sql) =>
        Effect.gen(function* () {
          yield* sql`create table public.filler (text text)`
          const texts = Array.from({ length: 2_000 }, (_, i) => `${i}`.padEnd(500, "x"))
          for (let i = 0; i < 220; i++) yield* sql`insert into public.filler select unnest(${texts}::text[])`
          const [written] = yield* sql<{ readonly bytes: string }>`
            select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::text as bytes`
          assert.isAbove(Number(written?.bytes), 3 * checkpointBytes)
          // Up to two checkpoints' worth, the segment being written and the folder itself.
          assert.isBelow(wal(), 2.5 * checkpointBytes)
          const [planned] = yield* sql<{ readonly rows: number }>`
            select reltuples::int as rows from pg_class where relname = 'filler'`
          assert.isAbove(planned?.rows ?? 0, 50_000)
        })
      )
    })
  )

  it.effect("fails what is in flight when its thread dies as a lost connection and opens the database again", () =>
    Effect.gen(function* () {
      const { sql, thread } = yield* onThread(Path.join(yield* readyDataDir, "pg"))
      yield* sql`create table rows (n int)`
      yield* sql`insert into rows values (1)`
      const inFlight = yield* Effect.forkChild(Effect.flip(sql`insert into rows select 2 from pg_sleep(600)`), {
        startImmediately: true
      })
      yield* thread.terminate
      const { kind, outcome } = classifyError(yield* Fiber.join(inFlight))
      assert.deepStrictEqual({ kind, outcome }, { kind: "transient", outcome: "unknown" })
      assert.deepStrictEqual(yield* sql`select n from rows`, [{ n: 1 }])
    })
  )

  it.effect("refuses for good when its thread dies and it was in memory", () =>
    Effect.gen(function* () {
      const { sql, thread } = yield* onThread(undefined)
      yield* sql`select 1`
      yield* thread.terminate
      const { kind, outcome, reason } = classifyError(yield* Effect.flip(sql`select 1`))
      assert.deepStrictEqual(
        { kind, outcome, reason },
        { kind: "transient", outcome: "notExecuted", reason: "the database in memory was lost with its thread" }
      )
    })
  )

  it.effect("fails statements while it cannot be opened after its thread died, and serves as soon as it can", () =>
    Effect.gen(function* () {
      const folder = Path.join(yield* readyDataDir, "pg")
      const { sql, thread } = yield* onThread(folder)
      yield* sql`create table rows as select 1 as n`
      const version = Path.join(folder, "PG_VERSION")
      const right = Fs.readFileSync(version)
      Fs.writeFileSync(version, "9\n")
      yield* thread.terminate
      const { kind, outcome } = classifyError(yield* Effect.flip(sql`select n from rows`))
      assert.deepStrictEqual({ kind, outcome }, { kind: "transient", outcome: "notExecuted" })
      Fs.writeFileSync(version, right)
      const rows = yield* Effect.retry(sql`select n from rows`, Schedule.recurs(5))
      assert.deepStrictEqual(rows, [{ n: 1 }])
    })
  )

  it.effect("ends a statement that goes on long after its caller has left, and recovers", () =>
    Effect.gen(function* () {
      const { sql } = yield* onThread(Path.join(yield* readyDataDir, "pg"))
      yield* sql`create table rows as select 1 as n`
      const endless = yield* Effect.forkChild(sql`select pg_sleep(3600)`, { startImmediately: true })
      // The driver gives the session up after five seconds of its own.
      yield* Fiber.interrupt(endless)
      const next = yield* Effect.forkChild(Effect.retry(sql`select n from rows`, Schedule.recurs(5)), {
        startImmediately: true
      })
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* Fiber.join(next), [{ n: 1 }])
    })
  )

  it.effect("closes in order: the next one finds the folder free and clean at once", () =>
    Effect.gen(function* () {
      const dataDir = yield* readyDataDir
      for (let i = 0; i < 3; i++) {
        const context = yield* Effect.scoped(Layer.build(SqlDatabase.layerEmbedded({ dataDir })))
        assert.isDefined(Context.get(context, SqlClient))
      }
      assert.isFalse(Fs.existsSync(Path.join(dataDir, "service.json")))
    })
  )
})

layer(SqlDatabase.layerEmbedded({ dataDir: "memory://" }))("EmbeddedDatabase's session", (it) => {
  it.effect("finds only its own schema, and says so when it is missing", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const error = yield* Effect.flip(sql`create table lost (id int)`)
      assert.strictEqual(classifyError(error).sqlState, "3F000")
      yield* sql`create schema wallet`
      yield* sql`create table found (id int)`
      assert.deepStrictEqual(yield* sql`select schemaname from pg_tables where tablename = 'found'`, [
        { schemaname: "wallet" }
      ])
    })
  )

  it.effect("carries parameters and rows of megabytes, whatever frames they come in", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const text = "ä€😀".repeat(700_000)
      assert.deepStrictEqual(yield* sql`select ${text}::text as text`, [{ text }])
      const rows = yield* sql<{ readonly n: number }>`select n, repeat('y', 100) as y from generate_series(1, 60000) n`
      assert.strictEqual(rows.at(-1)?.n, 60_000)
      const texts = Array.from({ length: 20_000 }, (_, i) => `text ${i}`)
      assert.deepStrictEqual(yield* sql`select count(distinct t) as n from unnest(${texts}::text[]) t`, [
        { n: 20_000n }
      ])
    })
  )

  it.effect("serves many callers in turn, each transaction alone", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`create table public.counter as select 0 as n`
      const increment = sql.withTransaction(
        Effect.gen(function* () {
          const [row] = yield* sql<{ readonly n: number }>`select n from public.counter`
          yield* Effect.yieldNow
          yield* sql`update public.counter set n = ${(row?.n ?? 0) + 1}`
        })
      )
      yield* Effect.all(
        Array.from({ length: 50 }, () => increment),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(yield* sql`select n from public.counter`, [{ n: 50 }])
    })
  )

  it.effect("goes on after a refused statement and rolls back what was interrupted", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`create table public.kept (n int primary key)`
      assert.strictEqual((yield* Effect.flip(sql`select * from nowhere`)).reason._tag, "SqlSyntaxError")
      const half = sql.withTransaction(Effect.andThen(sql`insert into public.kept values (1)`, Effect.never))
      const fiber = yield* Effect.forkChild(half, { startImmediately: true })
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      yield* sql`insert into public.kept values (2)`
      assert.deepStrictEqual(yield* sql`select n from public.kept`, [{ n: 2 }])
    })
  )
})
