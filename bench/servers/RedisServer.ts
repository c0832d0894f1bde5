/** Throw-away Redis servers for the bench and the tests. */
import * as Effect from "effect/Effect"
import type { ChildProcess } from "node:child_process"
import * as Path from "node:path"
import { endProcess, findPrograms, freePort, startUntil, temporaryFolder } from "./ServerProcess.ts"

/** Where redis-server is; `undefined`: not on this machine. */
export const redisFolder: string | undefined = findPrograms(["redis-server"], [])

export interface RedisServer {
  readonly url: string
  readonly port: number
  /** As the kernel would. Nothing is kept. */
  readonly kill: Effect.Effect<void>
  /** The server neither answers nor closes, as a host that hangs. */
  readonly freeze: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
  /** Same port, empty. */
  readonly start: Effect.Effect<void>
}

/** A server of its own, in memory, ended when the scope closes. Dies when the program is not there. */
export const startRedis = Effect.gen(function* () {
  if (redisFolder === undefined) return yield* Effect.die(new Error("redis-server is not on this machine"))
  const program = Path.join(redisFolder, "redis-server")
  const folder = yield* temporaryFolder()
  const port = yield* freePort
  const settings = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
  const state: { child: ChildProcess | undefined } = { child: undefined }
  const start = Effect.map(startUntil(program, settings, "Ready to accept connections"), (child) => {
    state.child = child
  })
  const signal = (name: NodeJS.Signals) => Effect.sync(() => void state.child?.kill(name))
  const kill = Effect.suspend(() => (state.child === undefined ? Effect.void : endProcess(state.child, "SIGKILL")))
  yield* Effect.acquireRelease(start, () => kill)
  const server: RedisServer = {
    url: `redis://127.0.0.1:${port}`,
    port,
    kill,
    start,
    freeze: signal("SIGSTOP"),
    thaw: signal("SIGCONT")
  }
  return server
})
