/**
 * `npm run simulate -- --planted`: plants one bug at a time in a copy of the sources and
 * counts the seeds until the simulation finds it, or sees that unit tests do. Words after it: only bugs whose name has one of them.
 */
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import type { PlantedBug } from "./plantedBug.ts"
import { plantedBugs } from "./plantedBugs.ts"

const root = Path.resolve(import.meta.dirname, "../../..")

/** A bug that is not found by then shows a hole in the checks. */
const seedsMost = 2_000

const plant = (folder: string, { name, replacements }: PlantedBug): void => {
  for (const { by, file, text } of replacements) {
    const path = Path.join(folder, file)
    const source = Fs.readFileSync(path, "utf8")
    if (source.split(text).length !== 2) throw new Error(`${name}: the text to be replaced is not once in ${file}`)
    Fs.writeFileSync(
      path,
      source.replace(text, () => by)
    )
  }
}

const searchByTests = (folder: string, file: string): Promise<Found> =>
  new Promise((resolve) => {
    const report = Path.join(folder, "found.json")
    const options = ["--project", "unit", "--reporter", "json", "--outputFile", report]
    const args = ["node_modules/vitest/vitest.mjs", "run", ...options, file]
    execFile(process.execPath, args, { cwd: folder, maxBuffer: 1 << 28 }, (error) => {
      if (!Fs.existsSync(report)) return resolve({ found: undefined, law: String(error).slice(0, 200) })
      const { testResults } = JSON.parse(Fs.readFileSync(report, "utf8")) as TestReport
      const failed = testResults
        .flatMap(({ assertionResults }) => assertionResults)
        .find(({ status }) => status === "failed")
      resolve({ found: failed === undefined ? undefined : "tests", law: failed?.fullName ?? "not found" })
    })
  })

interface TestReport {
  readonly testResults: ReadonlyArray<{
    readonly assertionResults: ReadonlyArray<{ readonly status: string; readonly fullName: string }>
  }>
}

interface Found {
  /** How many seeds it took, or that tests found it. */
  readonly found: number | "tests" | undefined
  readonly law: string
}

const search = (folder: string): Promise<Found> =>
  new Promise((resolve) => {
    const args = ["src/bin/simulate.ts", "--until-found", "--workers", "1", "--seeds", String(seedsMost), "--json"]
    execFile(process.execPath, args, { cwd: folder, maxBuffer: 1 << 28 }, (error, stdout) => {
      const line = stdout.split("\n").find((one) => one.startsWith("{"))
      if (line === undefined) return resolve({ found: undefined, law: String(error).slice(0, 200) })
      const { failed } = JSON.parse(line) as {
        readonly failed: ReadonlyArray<{ readonly seed: number; readonly violations: ReadonlyArray<string> }>
      }
      const [first] = failed
      resolve({ found: first?.seed, law: first?.violations[0]?.split("\n")[0] ?? "not found" })
    })
  })

const tryBug = async (planted: PlantedBug): Promise<Found> => {
  const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "planted-"))
  try {
    Fs.cpSync(Path.join(root, "src"), Path.join(folder, "src"), { recursive: true })
    for (const name of ["test", "bench", "sql"])
      Fs.cpSync(Path.join(root, name), Path.join(folder, name), { recursive: true })
    for (const name of ["package.json", "tsconfig.json", "vitest.config.ts"]) {
      Fs.copyFileSync(Path.join(root, name), Path.join(folder, name))
    }
    Fs.symlinkSync(Path.join(root, "node_modules"), Path.join(folder, "node_modules"))
    plant(folder, planted)
    return await (planted.foundBy === undefined ? search(folder) : searchByTests(folder, planted.foundBy))
  } finally {
    Fs.rmSync(folder, { recursive: true, force: true })
  }
}

const words = process.argv.slice(2)
const waiting = plantedBugs.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)))
let missed = 0

const work = async (): Promise<void> => {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { found, law } = await tryBug(next)
    if (found === undefined) missed++
    process.stdout.write(
      `${String(found ?? "not found").padStart(9)}  ${next.name}\n${"".padStart(11)}${law.slice(0, 160)}\n`
    )
  }
}

process.stdout.write("seeds until found\n")
await Promise.all(Array.from({ length: Math.min(2, Os.availableParallelism()) }, work))
process.exitCode = missed > 0 ? 1 : 0
