import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { SqlClient } from "effect/sql/SqlClient"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Queue from "effect/Queue"
import { DataDirectory } from "../../../src/stores/pglite/DataDirectory.ts"
import { SqlDatabase } from "../../../src/stores/sql/SqlDatabase.ts"
import { startProgram } from "../../support/childProgram.ts"
import { temporaryFolder } from "../../../bench/servers/ServerProcess.ts"

const holderProgram = new URL("../../support/directoryHolder.ts", import.meta.url)

const modeOf = (path: string): string => (Fs.statSync(path).mode & 0o777).toString(8)

describe("DataDirectory", () => {
  it.effect("makes the directory for its owner alone", () =>
    Effect.gen(function* () {
      const dataDir = Path.join(yield* temporaryFolder(), "a", "b")
      const directory = yield* DataDirectory.make(dataDir)
      assert.strictEqual(directory.path, dataDir)
      assert.strictEqual(modeOf(dataDir), "700")
      const files = Fs.readdirSync(dataDir)
      assert.includeMembers(files, ["lock", "service.json"])
      for (const file of files) assert.strictEqual(modeOf(Path.join(dataDir, file)), "600")
    })
  )

  it.effect("says why it cannot be had, and has nothing of it then", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryFolder()
      const [note, file, link] = ["note", "file", "link"].map((name) => Path.join(dataDir, name)) as [
        string,
        string,
        string
      ]
      Fs.mkdirSync(Path.join(note, "service.json"), { recursive: true })
      Fs.writeFileSync(file, "")
      Fs.symlinkSync(Path.join(dataDir, "nowhere"), link)
      const cases: ReadonlyArray<readonly [string, RegExp]> = [
        [note, /EISDIR/],
        [file, /it is a file/],
        [Path.join(file, "below"), /ENOTDIR/],
        [link, /ENOENT/],
        ...(Fs.existsSync("/proc/self") ? [["/proc/effect-wallet/data", /ENOENT/] as const] : [])
      ]
      for (const [path, reason] of cases) {
        const error = yield* Effect.flip(Effect.scoped(DataDirectory.make(path)))
        assert.strictEqual(error._tag, "DataDirectoryUnusable", path)
        assert.match(error.message, reason)
        assert.isUndefined(yield* DataDirectory.occupant(path))
      }
    })
  )

  it.effect("refuses a second engine of the same process, and keeps refusing after that", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryFolder()
      yield* DataDirectory.make(dataDir)
      for (let i = 0; i < 3; i++) {
        const error = yield* Effect.flip(Effect.scoped(DataDirectory.make(dataDir)))
        assert.strictEqual(error._tag, "DataDirectoryInUse")
        assert.strictEqual(error.message, `the data directory ${dataDir} is in use by process ${process.pid}`)
      }
      // The refused ones must not have dropped this process's lock for others.
      const other = yield* startProgram(holderProgram, dataDir)
      assert.strictEqual(yield* Queue.take(other.lines), "DataDirectoryInUse")
    })
  )

  it.effect("tells where the service listens while it does, and frees the directory with its scope", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryFolder()
      assert.isUndefined(yield* DataDirectory.occupant(dataDir))
      yield* Effect.scoped(
        Effect.gen(function* () {
          const directory = yield* DataDirectory.make(dataDir)
          assert.deepStrictEqual(yield* DataDirectory.occupant(dataDir), { pid: process.pid, url: null })
          yield* Effect.scoped(
            Effect.gen(function* () {
              yield* directory.announce("http://127.0.0.1:3000")
              assert.deepStrictEqual(yield* DataDirectory.occupant(dataDir), {
                pid: process.pid,
                url: "http://127.0.0.1:3000"
              })
            })
          )
          assert.deepStrictEqual(yield* DataDirectory.occupant(dataDir), { pid: process.pid, url: null })
        })
      )
      assert.isUndefined(yield* DataDirectory.occupant(dataDir))
      assert.deepStrictEqual(Fs.readdirSync(dataDir), ["lock"])
      yield* DataDirectory.make(dataDir)
    })
  )

  it.effect("finds the process that has it, and is free as soon as that one is killed", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryFolder()
      const holder = yield* startProgram(holderProgram, dataDir)
      assert.strictEqual(yield* Queue.take(holder.lines), "held")
      const error = yield* Effect.flip(DataDirectory.make(dataDir))
      assert.strictEqual(
        error.message,
        `the data directory ${dataDir} is in use by process ${holder.pid}, listening on http://127.0.0.1:4711`
      )
      yield* holder.signal("SIGKILL")
      // What it said about itself is still there, and is not believed.
      assert.isTrue(Fs.existsSync(Path.join(dataDir, "service.json")))
      assert.isUndefined(yield* DataDirectory.occupant(dataDir))
      yield* DataDirectory.make(dataDir)
      assert.deepStrictEqual(yield* DataDirectory.occupant(dataDir), { pid: process.pid, url: null })
    })
  )

  it.effect("lets exactly one of several starts at once have it", () =>
    Effect.gen(function* () {
      const dataDir = Path.join(yield* temporaryFolder(), "new")
      const starts = yield* Effect.all(Array.from({ length: 6 }, () => startProgram(holderProgram, dataDir)))
      const said = yield* Effect.forEach(starts, ({ lines }) => Queue.take(lines), { concurrency: "unbounded" })
      assert.deepStrictEqual(said.sort(), [...Array.from({ length: 5 }, () => "DataDirectoryInUse"), "held"])
    })
  )

  it.effect("says what is wrong with a path that is no directory", () =>
    Effect.gen(function* () {
      const file = Path.join(yield* temporaryFolder(), "file")
      Fs.writeFileSync(file, "")
      const error = yield* Effect.flip(DataDirectory.make(file))
      assert.strictEqual(error._tag, "DataDirectoryUnusable")
      assert.include(error.message, "cannot be used: it is a file (WALLET_DATA_DIR)")
      assert.isUndefined(yield* DataDirectory.occupant(file))
    })
  )
})

describe("a data directory that somebody has meddled with", () => {
  it.effect("keeps the rights of a folder that was there, and what is put into it is its owner's alone", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryFolder()
      Fs.chmodSync(dataDir, 0o755)
      yield* Effect.scoped(DataDirectory.make(dataDir))
      assert.strictEqual(modeOf(dataDir), "755")
      assert.strictEqual(modeOf(Path.join(dataDir, "lock")), "600")
    })
  )

  for (const [what, meddle] of [
    ["deleted", (lock: string) => Fs.rmSync(lock)],
    [
      "replaced",
      (lock: string) => {
        Fs.writeFileSync(`${lock}.new`, "")
        Fs.renameSync(`${lock}.new`, lock)
      }
    ]
  ] as const) {
    it.live(`is lost when its lock file is ${what}`, () =>
      Effect.gen(function* () {
        const dataDir = yield* temporaryFolder()
        const directory = yield* DataDirectory.make(dataDir)
        const lost = yield* Effect.forkChild(directory.lost)
        assert.isUndefined(lost.pollUnsafe())
        meddle(Path.join(dataDir, "lock"))
        assert.include(yield* Fiber.join(lost), `the lock file of the data directory ${dataDir} was deleted`)
      })
    )
  }

  it.live("is not given to a second process while the first still runs without its lock file", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryFolder()
      const holder = yield* startProgram(holderProgram, dataDir)
      assert.strictEqual(yield* Queue.take(holder.lines), "held")
      Fs.rmSync(Path.join(dataDir, "lock"))
      for (let time = 0; time < 2; time++) {
        const error = yield* Effect.flip(DataDirectory.make(dataDir))
        assert.strictEqual(error._tag, "DataDirectoryInUse")
      }
      yield* holder.signal("SIGKILL")
      yield* DataDirectory.make(dataDir)
    })
  )
})

describe("the folder of the embedded database", () => {
  const open = (dataDir: string) => Effect.scoped(Layer.build(SqlDatabase.layerEmbedded({ dataDir })))

  for (const mark of ["PG_VERSION", "global/pg_control"]) {
    it.live(`without its ${mark} is refused, and left as it is`, () =>
      Effect.gen(function* () {
        const dataDir = yield* temporaryFolder()
        yield* open(dataDir)
        const folder = Path.join(dataDir, "pg")
        assert.strictEqual(modeOf(folder), "700")
        Fs.rmSync(Path.join(folder, mark))
        const before = Fs.readdirSync(folder, { recursive: true }).sort()
        const error = yield* Effect.flip(open(dataDir))
        assert.strictEqual(error._tag, "EmbeddedDatabaseFailed")
        assert.include(error.message, `not a whole database (${mark} is missing): nothing was changed`)
        assert.deepStrictEqual(Fs.readdirSync(folder, { recursive: true }).sort(), before)
      })
    )
  }

  it.live("is made in an empty one, and refused in one of something else", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryFolder()
      Fs.mkdirSync(Path.join(dataDir, "pg"))
      yield* open(dataDir)
      assert.isTrue(Fs.existsSync(Path.join(dataDir, "pg", "PG_VERSION")))
      const other = yield* temporaryFolder()
      Fs.mkdirSync(Path.join(other, "pg"))
      Fs.writeFileSync(Path.join(other, "pg", "letters.txt"), "")
      assert.include((yield* Effect.flip(open(other))).message, "not a whole database")
      assert.deepStrictEqual(Fs.readdirSync(Path.join(other, "pg")), ["letters.txt"])
    })
  )

  it.live("is no longer written once its lock is gone", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporaryFolder()
      yield* Effect.gen(function* () {
        const sql = yield* SqlClient
        yield* sql`select 1`
        Fs.rmSync(Path.join(dataDir, "lock"))
        const refused = yield* sql`select 1`.pipe(
          Effect.flip,
          Effect.retry({ schedule: Schedule.spaced("20 millis"), while: () => true })
        )
        assert.strictEqual(refused._tag, "SqlError")
        for (let time = 0; time < 3; time++) yield* Effect.flip(sql`select 1`)
      }).pipe(Effect.provide(SqlDatabase.layerEmbedded({ dataDir })))
    })
  )
})
