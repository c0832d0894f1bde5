/**
 * Holds the OpenAPI document against the recommended rules of Spectral and Redocly: `npm run lint:openapi`. They are
 * 80 MB of packages, so they are run by `npm exec`, which keeps them in npm's cache, and not installed here.
 */
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { document } from "./OpenApiJson.ts"

const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "openapi-lint-"))
const file = Path.join(folder, "openapi.json")
const ruleset = Path.join(folder, "spectral.yaml")
Fs.writeFileSync(file, JSON.stringify(document, null, 2))
Fs.writeFileSync(ruleset, 'extends: ["spectral:oas"]\n')

const linters = [
  ["@stoplight/spectral-cli@6", "spectral", "lint", file, "--ruleset", ruleset, "--fail-severity", "warn"],
  ["@redocly/cli@2", "redocly", "lint", file, "--extends", "recommended", "--max-problems", "1000", "--format", "json"]
] as const

/** Redocly takes warnings for success. */
const warnsIn = (text: string): boolean => /"(?:errors|warnings)":\s*[1-9]/.test(text)

let faults = 0
for (const [packaged, program, ...args] of linters) {
  const said = spawnSync("npm", ["exec", "--yes", `--package=${packaged}`, "--", program, ...args], {
    encoding: "utf8",
    cwd: folder,
    env: { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" },
    maxBuffer: 64 * 1024 * 1024
  })
  const missing = said.error !== undefined || said.status === 127 || /npm (?:ERR!|error)/.test(said.stderr)
  if (missing) {
    console.error(`\n!!! ${program} CANNOT BE RUN, NOT TESTED: npm exec of ${packaged} failed\n${said.stderr}\n`)
    continue
  }
  const failed = said.status !== 0 || warnsIn(said.stdout)
  if (failed) faults++
  console.log(failed ? `${program}: NOT clean\n${said.stdout}` : `${program}: 0 errors, 0 warnings`)
}
Fs.rmSync(folder, { recursive: true })
process.exitCode = faults === 0 ? 0 : 1
