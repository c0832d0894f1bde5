import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ChildProcess from "effect/process/ChildProcess"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import type { Report } from "../../bench/Report.ts"
import { postgresFolder } from "../../bench/servers/PostgresServer.ts"
import { temporaryFolder } from "../../bench/servers/ServerProcess.ts"
import { partNames } from "../../bench/Bench.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const program = fileURLToPath(new URL("../../bench/main.ts", import.meta.url))

const bench = (...args: ReadonlyArray<string>) =>
  Effect.flatMap(ChildProcessSpawner, (spawner) =>
    spawner.string(ChildProcess.make(process.execPath, [program, ...args], { stderr: "inherit" }))
  ).pipe(Effect.provide(NodeServices.layer))

/** What it says on either stream. */
const spoken = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const spawner = yield* ChildProcessSpawner
    const handle = yield* spawner.spawn(ChildProcess.make(process.execPath, [program, ...args]))
    const text = (stream: typeof handle.stdout) => Stream.mkString(Stream.decodeText(stream))
    const [stdout, stderr] = yield* Effect.all([text(handle.stdout), text(handle.stderr)], { concurrency: 2 })
    assert.strictEqual(yield* handle.exitCode, 0, stderr)
    return { stdout, stderr }
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

const libraryMark = "the library of the other checkout"
const serviceMark = "the service of the other checkout"

/** This checkout in another folder, which says when its library or its service is used. */
const otherCheckout = Effect.map(temporaryFolder(), (folder) => {
  const ours = (path: string) => JSON.stringify(pathToFileURL(Path.join(root, path)).href)
  const write = (path: string, text: string) => {
    Fs.mkdirSync(Path.join(folder, Path.dirname(path)), { recursive: true })
    Fs.writeFileSync(Path.join(folder, path), text)
  }
  write("package.json", JSON.stringify({ name: "effect-wallet", type: "module", exports: "./index.js" }))
  write("index.js", `console.log("${libraryMark}")\nexport * from ${ours("src/index.ts")}\n`)
  write("src/bin/wallet.ts", `console.error("${serviceMark}")\nawait import(${ours("src/bin/wallet.ts")})\n`)
  Fs.symlinkSync(Path.join(root, "node_modules"), Path.join(folder, "node_modules"))
  return folder
})

/**
 * The parts on KurrentDB take minutes for their start alone; they are the same programs over other stores.
 * A service is measured against another checkout's below. What else is left out takes long, and its programs are
 * those of the parts that are run: the limit program has a test of its own, as have the open loads.
 */
const measured = partNames.filter(
  (part) =>
    !/kurrent|embedded|^http|^latency|^library|^encoding|append-cost|replay|expiry|keys|baselines-(many|pgledger)/.test(
      part
    )
)

describe("npm run bench", () => {
  it.live(
    "measures every kind of part, in quick",
    () =>
      Effect.gen(function* () {
        const only = measured.flatMap((part) => ["--only", part])
        const report = JSON.parse(yield* bench("--quick", "--json", ...only)) as Report
        assert.isBelow(report.skipped.length, measured.length)
        assert.isAbove(report.rows.length, postgresFolder === undefined ? 1 : 8)
        for (const { beside, engine, name, ratio } of report.rows) {
          assert.isAtLeast(engine.rounds.length, 1, name)
          assert.isTrue(Number.isFinite(engine.median), name)
          assert.strictEqual(beside === null, ratio === null, name)
        }
        assert.match(report.conditions.date, /^\d{4}-\d\d-\d\dT/)
      }),
    900_000
  )

  it.live(
    "compares two checkouts in turns by their public doors, as one document of JSON",
    () =>
      Effect.gen(function* () {
        const other = yield* otherCheckout
        const rows = postgresFolder === undefined ? ["embedded-hot"] : ["hot-64", "http-4"]
        const only = rows.flatMap((row) => ["--only", row])
        const length = ["--quick", "--seconds", "0.3", "--rounds", "1"]
        const { stderr, stdout } = yield* spoken("--against", other, ...length, "--json", ...only)
        const report = JSON.parse(stdout) as Report
        assert.deepStrictEqual(
          report.sides.map(({ name }) => name),
          ["this checkout", other]
        )
        assert.deepStrictEqual(report.skipped, [])
        assert.isAtLeast(report.rows.length, rows.length)
        for (const { beside, engine, name } of report.rows) {
          assert.strictEqual(engine.rounds.length, 1, name)
          assert.isAbove(engine.median, 0, name)
          assert.isAbove(beside?.figure.median ?? 0, 0, name)
          if (postgresFolder === undefined || engine.unit !== "/s") continue
          // Nothing can be written without a byte of the server's log.
          for (const figure of [engine, beside?.figure]) assert.isAbove(figure?.cost?.walBytes ?? 0, 0, name)
        }
        // Once for each row: the other side, and it alone.
        assert.strictEqual(stderr.split(libraryMark).length - 1, rows.filter((row) => row !== "http-4").length)
        assert.strictEqual(stderr.split(serviceMark).length - 1, rows.filter((row) => row === "http-4").length)
      }),
    900_000
  )

  it.live(
    "measures wallets with a past beside as many fresh ones, on both sides",
    () =>
      Effect.gen(function* () {
        const rows = postgresFolder === undefined ? ["past-embedded-hot"] : ["past-http-4"]
        const only = rows.flatMap((row) => ["--only", row])
        const length = ["--quick", "--seconds", "0.3", "--rounds", "1"]
        const report = JSON.parse(yield* bench("--against", root, ...length, "--json", ...only)) as Report
        assert.deepStrictEqual(report.skipped, [])
        assert.lengthOf(report.rows, 3 * rows.length)
        for (let at = 0; at < report.rows.length; at += 3) {
          const [past, fresh, ratio] = report.rows.slice(at, at + 3)
          assert.match(past!.name, /\b100 keys\b.*after a restart/)
          assert.match(fresh!.name, /\bfresh\b.*after a restart/)
          assert.strictEqual(ratio!.name, `${past!.name}: of the rate of fresh ones`)
          for (const side of ["engine", "beside"] as const) {
            const [ofPast, ofFresh, ofRatio] = [past!, fresh!, ratio!].map((row) =>
              side === "engine" ? row.engine : row.beside!.figure
            )
            assert.deepStrictEqual(
              ofRatio!.rounds,
              ofPast!.rounds.map((rate, round) => rate / ofFresh!.rounds[round]!)
            )
            assert.lengthOf(ofRatio!.rounds, 1)
            assert.isAbove(ofPast!.least, 0)
          }
        }
      }),
    900_000
  )

  it.live("prints a table with its conditions", () =>
    Effect.gen(function* () {
      const output = yield* bench("--quick", "--only", "memory")
      assert.match(output, /Node \d+.* cores/)
      assert.match(output, /\| idle resident wallet.*\| \d+ B +\|/)
    })
  )

  for (const { args, what } of [
    { what: "a part that there is not", args: ["--only", "everything"] },
    { what: "a row of one checkout for two", args: ["--only", "dispatch", "--against", root] },
    { what: "a row of two checkouts for one", args: ["--only", "hot-8"] },
    { what: "a folder that is no checkout", args: ["--against", fileURLToPath(new URL(".", import.meta.url))] },
    { what: "no rounds", args: ["--rounds", "0"] },
    { what: "rounds of no length", args: ["--seconds", "0"] }
  ]) {
    it.live(`refuses ${what}`, () =>
      Effect.gen(function* () {
        const spawner = yield* ChildProcessSpawner
        const streams = { stdout: "ignore", stderr: "ignore" } as const
        const command = ChildProcess.make(process.execPath, [program, ...args], streams)
        assert.strictEqual(yield* spawner.exitCode(command), 1)
      }).pipe(Effect.provide(NodeServices.layer))
    )
  }
})
