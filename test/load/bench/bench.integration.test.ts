import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ChildProcess from "effect/process/ChildProcess"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import { fileURLToPath } from "node:url"
import type { Report } from "../../../src/load/bench/Report.ts"
import { postgresFolder } from "../../../src/load/servers/PostgresServer.ts"
import { partNames } from "../../../src/load/bench/Bench.ts"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const program = fileURLToPath(new URL("../../../src/bin/bench.ts", import.meta.url))

const bench = (...args: ReadonlyArray<string>) =>
  Effect.flatMap(ChildProcessSpawner, (spawner) =>
    spawner.string(ChildProcess.make(process.execPath, [program, ...args], { stderr: "inherit" }))
  ).pipe(Effect.provide(NodeServices.layer))

/** The parts on KurrentDB take minutes for their start alone; they are the same programs over other stores. */
const measured = partNames.filter(
  (part) => !/kurrent|http-postgres|(library|transfers)-embedded|expiry-postgres|baselines-(many|pgledger)/.test(part)
)

describe("npm run bench", () => {
  it.live(
    "measures every kind of part, in quick",
    () =>
      Effect.gen(function* () {
        const only = measured.flatMap((part) => ["--only", part])
        const report = JSON.parse(yield* bench("--quick", "--json", ...only)) as Report
        assert.isBelow(report.skipped.length, measured.length)
        assert.isAbove(report.rows.length, 10)
        for (const { beside, engine, name, ratio } of report.rows) {
          assert.isAtLeast(engine.rounds.length, 1, name)
          assert.isTrue(Number.isFinite(engine.median), name)
          assert.strictEqual(beside === null, ratio === null, name)
        }
        assert.match(report.conditions.date, /^\d{4}-\d\d-\d\dT/)
      }),
    400_000
  )

  it.live(
    "compares two checkouts in turns, as one document of JSON",
    () =>
      Effect.gen(function* () {
        const rows = postgresFolder === undefined ? ["embedded-hot"] : ["hot-64", "transfers-one", "http-4"]
        const only = rows.flatMap((row) => ["--only", row])
        const length = ["--quick", "--seconds", "0.3", "--rounds", "1"]
        const report = JSON.parse(yield* bench("--against", root, ...length, "--json", ...only)) as Report
        assert.strictEqual(report.sides.length, 2)
        assert.strictEqual(report.sides[0]?.revision, report.sides[1]?.revision)
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
      }),
    110_000
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
