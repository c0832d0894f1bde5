/**
 * `npm run simulate -- --planted`: plants one bug at a time in a copy of the sources and
 * counts the seeds until the simulation finds it. Words after it: only bugs whose name has one of them.
 */
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { type PlantedBug, plantedBugs } from "./plantedBugs.ts"

const root = Path.resolve(import.meta.dirname, "../..")

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

interface Found {
  readonly seeds: number | undefined
  readonly law: string
}

const search = (folder: string): Promise<Found> =>
  new Promise((resolve) => {
    const args = ["src/bin/simulate.ts", "--until-found", "--workers", "1", "--seeds", String(seedsMost), "--json"]
    execFile(process.execPath, args, { cwd: folder, maxBuffer: 1 << 28 }, (error, stdout) => {
      const line = stdout.split("\n").find((one) => one.startsWith("{"))
      if (line === undefined) return resolve({ seeds: undefined, law: String(error).slice(0, 200) })
      const { failed } = JSON.parse(line) as {
        readonly failed: ReadonlyArray<{ readonly seed: number; readonly violations: ReadonlyArray<string> }>
      }
      const [first] = failed
      resolve({ seeds: first?.seed, law: first?.violations[0]?.split("\n")[0] ?? "not found" })
    })
  })

const tryBug = async (planted: PlantedBug): Promise<Found> => {
  const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "planted-"))
  try {
    Fs.cpSync(Path.join(root, "src"), Path.join(folder, "src"), { recursive: true })
    Fs.copyFileSync(Path.join(root, "package.json"), Path.join(folder, "package.json"))
    Fs.symlinkSync(Path.join(root, "node_modules"), Path.join(folder, "node_modules"))
    plant(folder, planted)
    return await search(folder)
  } finally {
    Fs.rmSync(folder, { recursive: true, force: true })
  }
}

const words = process.argv.slice(2)
const waiting = plantedBugs.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)))
let missed = 0

const work = async (): Promise<void> => {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { law, seeds } = await tryBug(next)
    if (seeds === undefined) missed++
    process.stdout.write(
      `${String(seeds ?? "not found").padStart(9)}  ${next.name}\n${"".padStart(11)}${law.slice(0, 160)}\n`
    )
  }
}

process.stdout.write("seeds until found\n")
await Promise.all(Array.from({ length: Math.min(2, Os.availableParallelism()) }, work))
process.exitCode = missed > 0 ? 1 : 0
