/** The real `wallet` executable as a child process. */
import * as Effect from "effect/Effect"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

const root = resolve(import.meta.dirname, "../..")
export const executable = join(root, "src/bin/wallet.ts")

/** Where processes of tests keep what they compiled, if anywhere. */
export const compileCache: Readonly<Record<string, string>> =
  process.env.NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE }

export type Environment = Readonly<Record<string, string>>

/** Only what the process needs: nothing of this run's configuration. */
const environmentOf = (given: Environment): Environment => ({
  PATH: process.env.PATH ?? "",
  HOME: process.env.HOME ?? "",
  ...compileCache,
  NO_COLOR: "1",
  ...given
})

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const start = (
  args: ReadonlyArray<string>,
  environment: Environment,
  [program, ...before]: readonly [string, ...ReadonlyArray<string>] = [process.execPath, executable]
): ChildProcess =>
  spawn(program, [...before, ...args], {
    cwd: root,
    env: environmentOf(environment),
    stdio: ["ignore", "pipe", "pipe"]
  })

const collect = (stream: NodeJS.ReadableStream | null): { text: string } => {
  const collected = { text: "" }
  stream?.setEncoding("utf8").on("data", (chunk: string) => (collected.text += chunk))
  return collected
}

/** Runs a command to its end. */
export const runWallet = (args: ReadonlyArray<string>, environment: Environment): Effect.Effect<Finished> =>
  Effect.callback<Finished>((resume) => {
    const child = start(args, environment)
    const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)]
    child.once("close", (code) => resume(Effect.succeed({ code, stdout: stdout.text, stderr: stderr.text })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

export interface Service {
  readonly url: string
  readonly pid: number
  readonly kill: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Completes with the exit code; `null`: killed. */
  readonly exited: Effect.Effect<number | null>
  readonly stderr: () => string
}

/**
 * `wallet serve` on a free port, until the scope closes; dies with what it said when it does not get to listen.
 * `program`: another executable that understands the same.
 */
export const startService = (environment: Environment, program?: URL) =>
  started(() =>
    start(
      ["serve", "--port", "0", "--json"],
      environment,
      program === undefined ? undefined : [process.execPath, fileURLToPath(program)]
    )
  )

/** The same by `npm start`, as the README says. */
export const npmStart = (environment: Environment) =>
  started(() => start(["--port", "0", "--json"], environment, ["npm", "start", "--silent", "--"]))

const started = (spawned: () => ChildProcess) =>
  Effect.acquireRelease(
    Effect.callback<Service>((resume) => {
      const child = spawned()
      const stderr = collect(child.stderr)
      const ended = new Promise<number | null>((done) => child.once("close", done))
      const lines = createInterface({ input: child.stdout ?? process.stdin })
      child.once("close", () => resume(Effect.die(new Error(`wallet serve ended: ${stderr.text}`))))
      lines.on("line", (line) => {
        const { url } = JSON.parse(line) as { readonly url?: string }
        if (url === undefined) return
        resume(
          Effect.succeed({
            url,
            pid: child.pid ?? 0,
            kill: (signal) => Effect.sync(() => void child.kill(signal)),
            exited: Effect.promise(() => ended),
            stderr: () => stderr.text
          })
        )
      })
    }),
    (service) => Effect.andThen(service.kill("SIGKILL"), service.exited)
  )

/** A folder that is gone when the scope closes. */
export const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "wallet-cli-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)
