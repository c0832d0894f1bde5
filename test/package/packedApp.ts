/** The package as users get it: packed and installed in an empty folder, with the tools that look at it. */
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { promisify } from "node:util"

const run = promisify(execFile)
const maxBuffer = 64 * 1024 * 1024

export const root = resolve(import.meta.dirname, "../..")

/** Without the variables that npm sets for the scripts of this repository. */
export const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_|^WALLET_|^DATABASE_URL$|^NODE_OPTIONS$/i.test(name))
)

export interface PackedApp {
  /** The folder that holds all of it, to be removed. */
  readonly folder: string
  readonly app: string
  readonly tarball: string
  readonly tarballBytes: number
  /** Paths in the tarball. */
  readonly packed: ReadonlyArray<string>
  /** Runs in the app's folder; fails with what was said, where the program fails. */
  readonly inApp: (command: string, ...args: ReadonlyArray<string>) => Promise<string>
}

/** Pinned to what is checked: another release of a tool may find other things. */
const tools = ["typescript-5@npm:typescript@~5.9.3", "publint@~0.3.15", "@arethetypeswrong/cli@~0.18.2"]

export const packApp = async (): Promise<PackedApp> => {
  const folder = mkdtempSync(join(tmpdir(), "wallet-package-"))
  const app = join(folder, "app")
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], {
    cwd: root,
    env: environment,
    maxBuffer
  })
  const [tarball] = Object.values(JSON.parse(stdout.slice(stdout.search(/^[[{]/m)))) as ReadonlyArray<{
    readonly filename: string
    readonly size: number
    readonly files: ReadonlyArray<{ readonly path: string }>
  }>
  if (tarball === undefined) throw new Error(`nothing was packed: ${stdout}`)
  const inApp = async (command: string, ...args: ReadonlyArray<string>): Promise<string> =>
    run(command, args, { cwd: app, env: environment, maxBuffer }).then(
      ({ stdout }) => stdout,
      (failure: { readonly stdout?: string; readonly stderr?: string }) => {
        throw new Error(`${command} ${args.join(" ")}\n${failure.stdout}\n${failure.stderr}`)
      }
    )
  mkdirSync(app)
  writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }))
  const path = join(folder, tarball.filename)
  await inApp("npm", "install", "--no-audit", "--no-fund", path, ...tools)
  return {
    folder,
    app,
    tarball: path,
    tarballBytes: tarball.size,
    packed: tarball.files.map((file) => file.path),
    inApp
  }
}
