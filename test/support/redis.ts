/** The Redis server that a run shares. */
import * as Effect from "effect/Effect"
import { Redis } from "ioredis"
import { inject } from "vitest"
import { redisFolder, startRedis } from "../../src/load/servers/RedisServer.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** The run's shared server; `null`: absent; `undefined`: the run has no global set-up. */
    redisUrl: string | null | undefined
  }
}

/** Whether tests against Redis can run: `describe.skipIf(!redisPresent)`. */
export const redisPresent: boolean = typeof inject("redisUrl") === "string" || redisFolder !== undefined

/** The server that the run shares, or one of the scope's own. Keys are to be prefixed: others use it too. */
export const sharedRedis = Effect.suspend(() => {
  const shared = inject("redisUrl")
  return typeof shared === "string" ? Effect.succeed(shared) : Effect.map(startRedis, (server) => server.url)
})

/** A bare client, to look at the server behind a test's back. */
export const bareRedis = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new Redis(url)),
    (redis) => Effect.sync(() => redis.disconnect())
  )

/** The commands that clients send from now on, those of scripts left out, as `name argument…`. */
export const watchRedis = Effect.fnUntraced(function* (url: string) {
  const redis = yield* bareRedis(url)
  const monitor = yield* Effect.acquireRelease(
    Effect.promise(() => redis.monitor()),
    (monitor) => Effect.sync(() => monitor.disconnect())
  )
  const commands: Array<string> = []
  monitor.on("monitor", (_time: string, args: ReadonlyArray<string>, source: string) => {
    if (source !== "lua") commands.push(args.join(" "))
  })
  return commands
})
