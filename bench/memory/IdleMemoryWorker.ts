/**
 * Measures the memory of idle resident wallets: `node --expose-gc IdleMemoryWorker.ts
 * WALLETS` prints the bytes per wallet. A process of its own, so that nothing else
 * comes and goes in its heap.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { defaultPartitions } from "../../src/domain/Partition.ts"
import { WalletEngine, layerWithParts } from "../../src/engine/WalletEngine.ts"
import { createWallets } from "../EngineRounds.ts"
import * as NullStores from "../NullStores.ts"
import { aliveBytes } from "./MemoryBench.ts"

const program = Effect.gen(function* () {
  const wallets = Number(process.argv[2])
  // The first ones make what is made once: compiled code, shapes, tables that have grown.
  yield* createWallets(1_000)
  const before = yield* aliveBytes
  const ids = yield* createWallets(wallets)
  const after = yield* aliveBytes
  yield* Console.log((after - before) / ids.length)
  // The last one is still there: what was measured was resident.
  const engine = yield* WalletEngine
  yield* Effect.forEach(ids, (walletId) => engine.getWallet({ walletId }), { discard: true })
})

NodeRuntime.runMain(
  program.pipe(
    Effect.provide(
      layerWithParts({
        bounds: { ...defaultBounds, residentBytes: Number.MAX_SAFE_INTEGER, idleMillis: Number.MAX_SAFE_INTEGER },
        partitions: defaultPartitions
      }).pipe(Layer.provide(NullStores.layer))
    )
  )
)
