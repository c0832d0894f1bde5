/**
 * Measures what resident wallets take, for `ResidentMemory.integration.test.ts`: `node --expose-gc
 * residentMemory.ts` prints per kind of wallet the estimate and the growth of the heap, as
 * lines of JSON. A process of its own, so that nothing else comes and goes in its heap.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { createWallets } from "../../bench/EngineRounds.ts"
import { aliveBytes } from "../../bench/memory/MemoryBench.ts"
import * as NullStores from "../../bench/NullStores.ts"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { WalletRegistry } from "../../src/actors/WalletRegistry.ts"
import { defaultPartitions } from "../../src/domain/Partition.ts"
import { WalletEngine, layerWithParts } from "../../src/engine/WalletEngine.ts"

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

const spread = { concurrency: 256, discard: true } as const

/** As a client sends them: 36 characters. */
const key = (walletId: string, n: number) => `${walletId}-${n}`.padEnd(36, "k")

/** Pairs of metadata with so many characters in each value. */
const pairs = (count: number, length: number, tag: string) =>
  Object.fromEntries(numbers(count).map((n) => [`name ${n}`, tag.padEnd(length, "x")]))

interface Kind {
  readonly name: string
  readonly wallets: number
  readonly fill: (walletId: string) => Effect.Effect<void, unknown, WalletEngine>
}

const holds = (count: number, note: (tag: string) => object) => (walletId: string) =>
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    yield* engine.credit({ walletId, amount: 1_000_000_000n, idempotencyKey: key(walletId, 0) })
    const place = (n: number) =>
      engine.placeHold({
        walletId,
        amount: BigInt(n + 1),
        idempotencyKey: key(walletId, n + 1),
        ...note(`${walletId} ${n}`)
      })
    yield* Effect.forEach(numbers(count), place, spread)
  })

const kinds: ReadonlyArray<Kind> = [
  { name: "idle", wallets: 4_000, fill: () => Effect.void },
  {
    name: "1,024 keys",
    wallets: 60,
    fill: (walletId) =>
      Effect.flatMap(WalletEngine, (engine) =>
        Effect.forEach(
          numbers(1_100),
          (n) => engine.credit({ walletId, amount: 1n, idempotencyKey: key(walletId, n) }),
          spread
        )
      )
  },
  { name: "1,000 holds", wallets: 10, fill: holds(1_000, () => ({})) },
  { name: "10,000 holds", wallets: 1, fill: holds(10_000, () => ({})) },
  {
    name: "200 holds with notes",
    wallets: 30,
    fill: holds(200, (tag) => ({ reference: tag.padEnd(60, "r"), metadata: pairs(5, 100, tag), expiresAt: 4e12 }))
  },
  {
    name: "metadata",
    wallets: 500,
    fill: (walletId) =>
      Effect.flatMap(WalletEngine, (engine) =>
        engine.updateWallet({ walletId, metadata: pairs(20, 400, walletId), idempotencyKey: "metadata" })
      )
  }
]

const measure = Effect.fnUntraced(function* ({ fill, name, wallets }: Kind) {
  const registry = yield* WalletRegistry
  const before = [yield* aliveBytes, registry.load().residentBytes] as const
  const ids = yield* createWallets(wallets)
  yield* Effect.forEach(ids, fill, { concurrency: 8, discard: true })
  const real = (yield* aliveBytes) - before[0]
  const estimate = registry.load().residentBytes - before[1]
  yield* Console.log(JSON.stringify({ name, wallets, real: real / wallets, estimate: estimate / wallets }))
  // They are still there: what was measured was resident.
  const engine = yield* WalletEngine
  yield* Effect.forEach(ids, (walletId) => engine.getWallet({ walletId }), { discard: true })
})

const unbounded = { residentBytes: Number.MAX_SAFE_INTEGER, idleMillis: Number.MAX_SAFE_INTEGER, keyFilterBytes: 0 }

const program = Effect.gen(function* () {
  // The first ones make what is made once: compiled code, shapes, tables that have grown.
  for (const { fill } of kinds) yield* Effect.forEach(yield* createWallets(2), fill, { discard: true })
  for (const kind of kinds) yield* measure(kind)
})

NodeRuntime.runMain(
  program.pipe(
    Effect.provide(
      layerWithParts({ bounds: { ...defaultBounds, ...unbounded }, partitions: defaultPartitions }).pipe(
        Layer.provide(NullStores.layer)
      )
    ),
    Effect.orDie,
    Effect.provideService(Logger.LogToStderr, true)
  )
)
