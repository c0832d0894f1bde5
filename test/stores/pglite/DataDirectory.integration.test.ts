import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Queue from "effect/Queue"
import { DataDirectory } from "../../../src/stores/pglite/DataDirectory.ts"
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
      assert.include(error.message, "EEXIST")
      assert.isUndefined(yield* DataDirectory.occupant(file))
    })
  )
})
