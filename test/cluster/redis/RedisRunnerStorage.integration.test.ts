/** The contract of `RunnerStorage` on a real Redis. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { runnerStorageContract } from "../../../src/testing/contract/RunnerStorageContract.ts"
import { RedisRunnerStorage } from "../../../src/cluster.ts"
import { redisPresent, sharedRedis } from "../../support/redis.ts"

describe.skipIf(!redisPresent)("leases on Redis", () => {
  const leaseMillis = 1_200
  const cases = runnerStorageContract({
    leaseMillis,
    process: ({ cluster }) =>
      Layer.unwrap(
        Effect.map(sharedRedis, (url) =>
          RedisRunnerStorage.layer({
            url: Redacted.make(url),
            clusterName: cluster,
            leaseMillis,
            commandTimeoutMillis: 390
          })
        )
      )
  })
  for (const { name, run } of cases) it.live(name, () => Effect.provide(run, Logger.layer([])))
})
