/** The Redis server that a run shares. */
import * as Effect from "effect/Effect"
import { Redis } from "ioredis"
import * as Net from "node:net"
import { inject } from "vitest"
import { redisFolder, startRedis } from "../../bench/servers/RedisServer.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** The run's shared server; `null`: absent; `undefined`: the run has no global set-up. */
    redisUrl: string | null | undefined
  }
}

/** Whether tests against Redis can run: `describe.skipIf(!redisPresent)`. */
export const redisPresent: boolean = typeof inject("redisUrl") === "string" || redisFolder !== undefined

/** A server of the scope's own, to freeze, kill and start. Another process may have been quicker to take its port. */
export const ownRedis = startRedis.pipe(Effect.sandbox, Effect.retry({ times: 3 }), Effect.orDie)

/** The server that the run shares, or one of the scope's own. Keys are to be prefixed: others use it too. */
export const sharedRedis = Effect.suspend(() => {
  const shared = inject("redisUrl")
  return typeof shared === "string" ? Effect.succeed(shared) : Effect.map(ownRedis, (server) => server.url)
})

/** A bare client, to look at the server behind a test's back. */
export const bareRedis = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const redis = new Redis(url)
      // Each failed command says so itself.
      redis.on("error", () => undefined)
      return redis
    }),
    (redis) => Effect.sync(() => redis.disconnect())
  )

/**
 * The commands that clients send from now on, those of scripts left out, each as the server
 * prints it. By a socket of its own: ioredis takes what it monitors for answers when
 * others connect at the same time.
 */
export const watchRedis = Effect.fnUntraced(function* (url: string) {
  const { port } = new URL(url)
  const commands: Array<string> = []
  yield* Effect.acquireRelease(
    Effect.callback<Net.Socket>((resume) => {
      const socket = Net.connect(Number(port), "127.0.0.1", () => socket.write("MONITOR\r\n"))
      let rest = ""
      socket.on("data", (data) => {
        const lines = (rest + data.toString()).split("\r\n")
        rest = lines.pop() ?? ""
        for (const line of lines) {
          if (line === "+OK") resume(Effect.succeed(socket))
          else if (!/^\+[\d.]+ \[\d+ lua\]/.test(line)) commands.push(line.replace(/^.*?\] /, "").replaceAll('"', ""))
        }
      })
      socket.once("error", (error) => resume(Effect.die(error)))
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )
  return commands
})
