/** Throw-away PostgreSQL servers for the bench and the tests, with what a fault test does to them. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { ChildProcess } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import {
  childrenOf,
  endProcess,
  findPrograms,
  freePort,
  run,
  serverAccount,
  startUntil,
  temporaryFolder
} from "./ServerProcess.ts"

const debianFolders = (): ReadonlyArray<string> => Fs.globSync("/usr/lib/postgresql/*/bin").sort().toReversed()

/** Where PostgreSQL's programs are; `undefined`: not on this machine. */
export const postgresFolder: string | undefined = findPrograms(["initdb", "postgres"], debianFolders())

/** Whether a module that `shared_preload_libraries` can name is there: one that is not stops the server's start. */
export const hasPostgresModule = (name: string): boolean =>
  postgresFolder !== undefined &&
  ["../lib", "../lib/postgresql", "../lib64/pgsql"].some((folder) =>
    Fs.existsSync(Path.join(Fs.realpathSync(postgresFolder), folder, `${name}.so`))
  )

export interface PostgresServer {
  readonly url: Redacted.Redacted
  readonly port: number
  /** Of the server itself, while it runs; its sessions are its children. */
  readonly processId: Effect.Effect<number | undefined>
  /** As a power cut or the kernel would: the server and all its backends at once. */
  readonly kill: Effect.Effect<void>
  /** `fast` rolls back and checkpoints; `immediate` does neither. */
  readonly stop: (mode: "fast" | "immediate") => Effect.Effect<void>
  /** Same port, same data. */
  readonly start: Effect.Effect<void>
  /** Stopped, and started as a standby that has nobody to follow: it answers, and refuses to write. */
  readonly demote: Effect.Effect<void>
  /** A standby becomes the primary, its connections stay. */
  readonly promote: Effect.Effect<void>
}

export interface PostgresServerOptions {
  /** Default `off`: quick, and no test cuts the power. */
  readonly fsync?: boolean | undefined
  readonly settings?: Readonly<Record<string, string>> | undefined
}

const argumentsOf = (data: string, port: number, options: PostgresServerOptions): ReadonlyArray<string> => {
  const settings = {
    port: String(port),
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    fsync: options.fsync === true ? "on" : "off",
    shared_buffers: "256MB",
    max_connections: "200",
    ...options.settings
  }
  return ["-D", data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])]
}

/** A server of its own, stopped and deleted when the scope closes. Dies when the programs are not there. */
export const startPostgres = Effect.fnUntraced(function* (options: PostgresServerOptions = {}) {
  const bin = postgresFolder
  if (bin === undefined) return yield* Effect.die(new Error("PostgreSQL is not on this machine"))
  const account = serverAccount()
  const folder = yield* temporaryFolder(account)
  const data = Path.join(folder, "data")
  const port = yield* freePort
  yield* run(
    Path.join(bin, "initdb"),
    ["-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-locale", "--no-sync"],
    account
  )
  const state: { child: ChildProcess | undefined } = { child: undefined }
  const end = (signal: NodeJS.Signals) =>
    Effect.suspend(() => (state.child === undefined ? Effect.void : endProcess(state.child, signal)))
  const startAs = (ready: string) =>
    Effect.map(startUntil(Path.join(bin, "postgres"), argumentsOf(data, port, options), ready, account), (child) => {
      state.child = child
    })
  const start = startAs("database system is ready to accept connections")
  const server: PostgresServer = {
    url: Redacted.make(`postgres://postgres@127.0.0.1:${port}/postgres`),
    port,
    processId: Effect.sync(() => state.child?.pid),
    start,
    stop: (mode) => end(mode === "fast" ? "SIGINT" : "SIGQUIT"),
    demote: end("SIGINT").pipe(
      Effect.andThen(Effect.sync(() => Fs.writeFileSync(Path.join(data, "standby.signal"), ""))),
      Effect.andThen(startAs("database system is ready to accept read-only connections"))
    ),
    promote: Effect.asVoid(run(Path.join(bin, "pg_ctl"), ["promote", "-w", "-D", data], account)),
    kill: Effect.andThen(
      Effect.sync(() => {
        // Its backends first: left alone they would end their statements and keep the memory of the dead server.
        for (const pid of state.child?.pid === undefined ? [] : childrenOf(state.child.pid)) {
          try {
            process.kill(pid, "SIGKILL")
          } catch {
            // It has ended by itself.
          }
        }
      }),
      end("SIGKILL")
    )
  }
  yield* Effect.acquireRelease(start, () => end("SIGQUIT"))
  return server
})
