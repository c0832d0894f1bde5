/**
 * Throw-away servers that the bench and the tests start themselves: finding the
 * program, a free port, an account that may run it, ending what was started, and the
 * CPU time that it has used.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { randomInt } from "node:crypto"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Effect from "effect/Effect"

/** The first folder of `folders`, then of the shell's path, that holds all of `programs`. */
export const findPrograms = (programs: ReadonlyArray<string>, folders: ReadonlyArray<string>): string | undefined => {
  const [first = ""] = programs
  const found = spawnSync("sh", ["-c", 'command -v "$1"', "sh", first], { encoding: "utf8" }).stdout ?? ""
  const onPath = found.trim() === "" ? [] : [Path.dirname(found.trim())]
  return [...folders, ...onPath].find((folder) =>
    programs.every((program) => Fs.existsSync(Path.join(folder, program)))
  )
}

/** Below the ports that systems give to connections and to whoever asks for any: another process takes one of those at any time. */
const firstPort = 15_000
const ports = 15_000

const isFree = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const server = Net.createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(true))))
  })

/** A port of 127.0.0.1 that was free a moment ago. */
export const freePort: Effect.Effect<number> = Effect.suspend(() => {
  const port = firstPort + randomInt(ports)
  return Effect.flatMap(isFree(port), (free) => (free ? Effect.succeed(port) : freePort))
})

export interface Account {
  readonly uid?: number
  readonly gid?: number
}

/** Servers refuse root: then they run as `postgres` or `nobody`. */
export const serverAccount = (): Account => {
  if (process.getuid?.() !== 0) return {}
  const lines = Fs.readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
  const line = lines.find(([name]) => name === "postgres") ?? lines.find(([name]) => name === "nobody")
  return line === undefined ? {} : { uid: Number(line[2]), gid: Number(line[3]) }
}

/** An empty folder that the account owns, deleted when the scope closes. */
export const temporaryFolder = (account: Account = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-wallet-"))
      if (account.uid !== undefined) Fs.chownSync(folder, account.uid, account.gid ?? account.uid)
      return folder
    }),
    (folder) => Effect.sync(() => Fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  )

/** Runs a program to its end; dies with what it said when it fails. */
export const run = (program: string, args: ReadonlyArray<string>, account: Account = {}): Effect.Effect<string> =>
  Effect.sync(() => {
    const result = spawnSync(program, args, { ...account, encoding: "utf8", cwd: "/" })
    if (result.status !== 0) throw new Error(`${program} failed: ${result.error ?? result.stderr}`)
    return result.stdout
  })

/** Starts a program and waits until it says `ready`; dies with its output when it ends first. */
export const startUntil = (
  program: string,
  args: ReadonlyArray<string>,
  ready: string,
  account: Account = {}
): Effect.Effect<ChildProcess> =>
  Effect.callback((resume) => {
    const child = spawn(program, args, { ...account, cwd: "/", stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    const listen = (data: Buffer) => {
      if (output === ready) return
      output += data.toString()
      if (!output.includes(ready)) return
      output = ready
      resume(Effect.succeed(child))
    }
    child.stdout.on("data", listen)
    child.stderr.on("data", listen)
    child.once("error", (error) => resume(Effect.die(error)))
    child.once("exit", () => resume(Effect.die(new Error(`${program} ended:\n${output}`))))
  })

/** Sends the signal and waits until the process is gone. */
export const endProcess = (child: ChildProcess, signal: NodeJS.Signals): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill(signal)
  })

/** The processes that `pid` has started. */
export const childrenOf = (pid: number): ReadonlyArray<number> =>
  spawnSync("ps", ["-o", "pid=", "--ppid", String(pid)], { encoding: "utf8" })
    .stdout.split("\n")
    .map(Number)
    .filter((child) => child > 0)

/** Linux shows hundredths of a second, whatever its own clock does. */
const microsPerTick = 10_000

/** Of a process with its children that have ended, in steps of 10 ms. */
const microsWithEnded = (pid: number): number => {
  try {
    const stat = Fs.readFileSync(`/proc/${pid}/stat`, "latin1")
    // The name may hold blanks and parentheses; it ends with the last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) * microsPerTick
  } catch {
    // It has ended: its parent has counted it.
    return 0
  }
}

/** Of a process with one thread, which each of very many may have run for less than a step. */
const microsOfThread = (pid: number): number => {
  try {
    return Number(Fs.readFileSync(`/proc/${pid}/schedstat`, "latin1").split(" ")[0]) / 1_000
  } catch {
    return microsWithEnded(pid)
  }
}

/**
 * Microseconds of a process with all its children, those that have ended too. The children
 * have one thread each, as PostgreSQL's have. `undefined`: not told on this system.
 */
export const cpuMicrosOf = (pid: number): number | undefined =>
  Fs.existsSync("/proc/self/stat")
    ? childrenOf(pid).reduce((sum, child) => sum + microsOfThread(child), microsWithEnded(pid))
    : undefined
