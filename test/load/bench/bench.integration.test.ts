import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ChildProcess from "effect/process/ChildProcess"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import { fileURLToPath } from "node:url"
import type { Report } from "../../../src/load/bench/Report.ts"
import { partNames } from "../../../src/load/bench/Bench.ts"

const program = fileURLToPath(new URL("../../../src/bin/bench.ts", import.meta.url))

const bench = (...args: ReadonlyArray<string>) =>
  Effect.flatMap(ChildProcessSpawner, (spawner) =>
    spawner.string(ChildProcess.make(process.execPath, [program, ...args], { stderr: "inherit" }))
  ).pipe(Effect.provide(NodeServices.layer))

/** The parts on KurrentDB take minutes for their start alone; they are the same programs over other stores. */
const measured = partNames.filter(
  (part) => !/kurrent|http-postgres|(library|transfers)-embedded|expiry-postgres/.test(part)
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
    280_000
  )

  it.live("prints a table with its conditions", () =>
    Effect.gen(function* () {
      const output = yield* bench("--quick", "--only", "memory")
      assert.match(output, /Node \d+.* cores/)
      assert.match(output, /\| idle resident wallet.*\| \d+ B +\|/)
    })
  )

  it.live("refuses a part that there is not", () =>
    Effect.gen(function* () {
      const spawner = yield* ChildProcessSpawner
      const command = ChildProcess.make(process.execPath, [program, "--only", "everything"], { stdout: "ignore" })
      assert.strictEqual(yield* spawner.exitCode(command), 1)
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
