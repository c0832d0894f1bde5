/** Throw-away KurrentDB servers for the bench and the tests: one insecure node, in memory or on disk. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type { ChildProcess } from "node:child_process"
import * as Http from "node:http"
import * as Path from "node:path"
import { endProcess, findPrograms, freePort, startUntil, temporaryFolder } from "./ServerProcess.ts"

/** Where kurrentd is; `undefined`: not on this machine. */
export const kurrentFolder: string | undefined = findPrograms(["kurrentd"], [])

export interface KurrentServer {
  readonly url: Redacted.Redacted
  readonly port: number
  /** As a power cut or the kernel would. In memory nothing is kept. */
  readonly kill: Effect.Effect<void>
  /** The server neither answers nor closes, as a host that hangs. */
  readonly freeze: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
  /** Same port, same data. */
  readonly start: Effect.Effect<void>
}

export interface KurrentServerOptions {
  /** Default `true`: quick, and gone with the process. */
  readonly inMemory?: boolean | undefined
  /** Further options of the server, without the dashes. */
  readonly settings?: Readonly<Record<string, string>> | undefined
}

const argumentsOf = (folder: string, port: number, options: KurrentServerOptions): ReadonlyArray<string> => {
  const settings = {
    "node-ip": "127.0.0.1",
    "node-port": String(port),
    "cluster-size": "1",
    insecure: "true",
    "mem-db": String(options.inMemory ?? true),
    db: Path.join(folder, "data"),
    index: Path.join(folder, "index"),
    log: Path.join(folder, "logs"),
    "run-projections": "None",
    ...options.settings
  }
  return Object.entries(settings).map(([name, value]) => `--${name}=${value}`)
}

/** The HTTP status of a path; `0`: no answer. */
const status = (port: number, path: string): Effect.Effect<number> =>
  Effect.callback((resume) => {
    const request = Http.get({ host: "127.0.0.1", port, path, timeout: 1_000 }, (response) => {
      response.resume()
      resume(Effect.succeed(response.statusCode ?? 0))
    })
    request.on("timeout", () => request.destroy())
    request.on("error", () => resume(Effect.succeed(0)))
    return Effect.sync(() => void request.destroy())
  })

/** Says that it is leader before it takes an append; healthy comes after. */
const whenHealthy = (port: number): Effect.Effect<void> =>
  Effect.repeat(status(port, "/health/live"), {
    schedule: Schedule.spaced("50 millis"),
    until: (answer) => answer === 204
  }).pipe(Effect.asVoid)

/** A server of its own, ended and deleted when the scope closes. Dies when the program is not there. */
export const startKurrent = Effect.fnUntraced(function* (options: KurrentServerOptions = {}) {
  if (kurrentFolder === undefined) return yield* Effect.die(new Error("kurrentd is not on this machine"))
  const program = Path.join(kurrentFolder, "kurrentd")
  const folder = yield* temporaryFolder()
  const port = yield* freePort
  const state: { child: ChildProcess | undefined } = { child: undefined }
  // Telemetry is the one setting that is taken from the environment alone.
  const command = ["KURRENTDB_TELEMETRY_OPTOUT=true", program, ...argumentsOf(folder, port, options)]
  const start = startUntil("env", command, "IS LEADER").pipe(
    Effect.tap(() => whenHealthy(port)),
    Effect.map((child) => {
      state.child = child
    })
  )
  const signal = (name: NodeJS.Signals) => Effect.sync(() => void state.child?.kill(name))
  const kill = Effect.suspend(() => (state.child === undefined ? Effect.void : endProcess(state.child, "SIGKILL")))
  yield* Effect.acquireRelease(start, () => kill)
  const server: KurrentServer = {
    url: Redacted.make(`kurrentdb://127.0.0.1:${port}?tls=false`),
    port,
    kill,
    start,
    freeze: signal("SIGSTOP"),
    thaw: signal("SIGCONT")
  }
  return server
})
