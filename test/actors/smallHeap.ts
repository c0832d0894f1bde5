/**
 * Programs for a small heap (`ResidentMemory.integration.test.ts`): `smallHeap.ts keys WALLETS` and
 * `smallHeap.ts holds FOLDER`. Each prints a line of JSON when it comes to its end.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { createWallets } from "../../bench/EngineRounds.ts"
import * as NullStores from "../../bench/NullStores.ts"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { WalletRegistry } from "../../src/actors/WalletRegistry.ts"
import { defaultPartitions } from "../../src/domain/Partition.ts"
import { WalletEngine, layerWithParts } from "../../src/engine/WalletEngine.ts"

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

const keysPerWallet = 1_024

/** What they may take together, bytes: some forty of them. */
const budget = 8 * 1024 * 1024

/** Wallets that each remember as many keys as they may, of 36 characters; more than fit into the budget. */
const keys = (wallets: number) =>
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const registry = yield* WalletRegistry
    let most = 0
    for (let n = 0; n < wallets; n++) {
      const [walletId] = yield* createWallets(1)
      const credit = (k: number) =>
        engine.credit({ walletId: walletId!, amount: 1n, idempotencyKey: `${walletId}-${k}`.padEnd(36, "k") })
      yield* Effect.forEach(numbers(keysPerWallet), credit, { concurrency: "unbounded", discard: true })
      most = Math.max(most, registry.load().residentBytes)
    }
    const { residentBytes, residentWallets } = registry.load()
    yield* Console.log(JSON.stringify({ most, residentBytes, residentWallets, budget }))
  }).pipe(
    Effect.provide(
      layerWithParts({
        bounds: { ...defaultBounds, residentBytes: budget, keyFilterBytes: 0 },
        partitions: defaultPartitions
      }).pipe(Layer.provide(NullStores.layer))
    )
  )

const holdsPerWallet = 10_000

/** Two wallets of ten thousand open holds, on embedded stores; then both come back into memory. */
const holds = (dataDir: string) => {
  const ids = ["a", "b"]
  const inProcess = <A, E>(use: (engine: WalletEngine["Service"]) => Effect.Effect<A, E>) =>
    Effect.flatMap(WalletEngine, use).pipe(Effect.provide(Layer.fresh(WalletEngine.layerEmbedded({ dataDir }))))
  const fill = (engine: WalletEngine["Service"], walletId: string) =>
    Effect.gen(function* () {
      yield* engine.createWallet({ id: walletId, ownerId: "o", currency: "EUR", idempotencyKey: "create" })
      yield* engine.credit({ walletId, amount: BigInt(holdsPerWallet), idempotencyKey: "fund" })
      const place = (n: number) => engine.placeHold({ walletId, amount: 1n, idempotencyKey: `hold-${n}` })
      yield* Effect.forEach(numbers(holdsPerWallet), place, { concurrency: 1_000, discard: true })
    })
  return Effect.gen(function* () {
    yield* inProcess((engine) => Effect.forEach(ids, (id) => fill(engine, id), { concurrency: 2, discard: true }))
    const held = yield* inProcess((engine) =>
      Effect.forEach(ids, (walletId) =>
        Effect.andThen(
          engine.placeHold({ walletId, amount: 1n, idempotencyKey: "hold-0" }),
          Effect.map(engine.getWallet({ walletId }), (wallet) => Number(wallet.held))
        )
      )
    )
    yield* Console.log(JSON.stringify({ held }))
  })
}

const [program, argument = ""] = process.argv.slice(2)
NodeRuntime.runMain(
  Effect.orDie(program === "keys" ? keys(Number(argument)) : holds(argument)).pipe(
    Effect.provideService(References.MinimumLogLevel, "Warn"),
    // On a busy machine a store may be told of as slow: that is no line of JSON.
    Effect.provideService(Logger.LogToStderr, true)
  )
)
