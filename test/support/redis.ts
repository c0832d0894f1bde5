/** The Redis server that a run shares. */
import * as Effect from "effect/Effect"
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
