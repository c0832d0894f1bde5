/** The contract of an engine where it really works: on each kind of store, behind a real service, and in a cluster. */
import { layer } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe } from "vitest"
import { freePort } from "../../bench/servers/ServerProcess.ts"
import * as ClusterEngine from "../../src/cluster/ClusterEngine.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import { engineContract } from "../../src/testing/contract/EngineContract.ts"
import { startService } from "../cli/WalletProcess.ts"
import { type ClusterRig, makeRig, startNodes } from "../cluster/ClusterRig.ts"
import { defaultClient } from "../faults/FaultClient.ts"
import { migratedDataDir } from "../support/embedded.ts"
import { postgresPresent, TestPostgres } from "../support/postgres.ts"
import { redisPresent } from "../support/redis.ts"
import { runEngineContract } from "./engineContract.ts"

const { apiKey } = defaultClient

runEngineContract(
  "embedded",
  Layer.unwrap(Effect.map(migratedDataDir, (dataDir) => WalletEngine.layerEmbedded({ dataDir })))
)

describe.skipIf(!postgresPresent)("on PostgreSQL", () => {
  runEngineContract(
    "PostgreSQL",
    Layer.unwrap(Effect.map(TestPostgres, ({ url }) => WalletEngine.layerPostgres({ url }))).pipe(
      Layer.provide(TestPostgres.layer)
    )
  )
})

runEngineContract(
  "remote, a service with an embedded database in a process of its own",
  Layer.unwrap(
    Effect.gen(function* () {
      const dataDir = yield* migratedDataDir
      const { url } = yield* startService({ WALLET_DATA_DIR: dataDir, WALLET_API_KEY: apiKey })
      return WalletEngine.layerRemote({ url, apiKey })
    })
  )
)

class Rig extends Context.Service<Rig, ClusterRig>()("test/remote/Rig") {
  /** Two nodes as processes. */
  static readonly layer = Layer.effect(
    Rig,
    Effect.tap(makeRig({ stores: "postgres", nodes: 2 }), (rig) => startNodes(rig))
  )
}

/** A node of the same installation in this process, which owns its share. */
const ownNode = Layer.unwrap(
  Effect.gen(function* () {
    const { direct, redis } = yield* Rig
    const port = yield* freePort
    const env = {
      ...direct,
      REDIS_URL: `redis://127.0.0.1:${redis.port}`,
      WALLET_CLUSTER_ADDRESS: `127.0.0.1:${port}`,
      WALLET_CLUSTER_LISTEN: `127.0.0.1:${port}`
    }
    return ClusterEngine.layerConfig().pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env }))))
  })
)

describe.skipIf(!postgresPresent || !redisPresent)("in a cluster", () => {
  layer(Rig.layer, { excludeTestServices: true, timeout: 900_000 })("of two nodes", (it) => {
    it.layer(
      Layer.unwrap(Effect.map(Rig, ({ nodes: [first] }) => WalletEngine.layerRemote({ url: first!.url, apiKey }))),
      { timeout: 900_000 }
    )("remote, one of them", (it) => {
      for (const { name, run } of engineContract) it.effect(name, () => run)
    })

    it.layer(ownNode, { timeout: 900_000 })("and a third in this process", (it) => {
      for (const { name, run } of engineContract) it.effect(name, () => run)
    })
  })
})
