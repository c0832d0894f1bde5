/**
 * Measures what credits leave in V8's old generation though nothing needs it any more, for
 * `OldGarbage.integration.test.ts`: `node --expose-gc oldGarbage.ts WALLETS` prints the bytes a credit that only a full
 * collection has found. A process of its own, so that nothing else comes and goes in its heap, or teaches V8 about lifetimes.
 */
import "../../src/bin/noPretenuring.ts"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { GCProfiler, getHeapSpaceStatistics } from "node:v8"
import { createWallets } from "../../bench/EngineRounds.ts"
import * as NullStores from "../../bench/NullStores.ts"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { defaultPartitions } from "../../src/domain/Partition.ts"
import { WalletEngine, layerWithParts } from "../../src/engine/WalletEngine.ts"

const wallets = Number(process.argv[2])

const callers = 64

const credits = 60_000

const oldBytes = (): number => {
  let bytes = 0
  for (const { space_name, space_used_size } of getHeapSpaceStatistics()) {
    if (!space_name.startsWith("new_")) bytes += space_used_size
  }
  return bytes
}

const collect = (): void => {
  if (globalThis.gc === undefined) throw new Error("start node with --expose-gc")
  globalThis.gc()
}

const measure = Effect.gen(function* () {
  const engine = yield* WalletEngine
  const ids = yield* createWallets(wallets)
  let next = 0
  const send = Effect.fnUntraced(function* (until: number) {
    while (next < until) {
      const n = next++
      // Each wallet rests as long as it can.
      yield* engine.credit({ walletId: ids[n % wallets]!, amount: 1n, idempotencyKey: `key-${n}` })
    }
  })
  const all = (until: number) =>
    Effect.all(
      Array.from({ length: callers }, () => send(until)),
      { concurrency: "unbounded", discard: true }
    )
  // Compiled code, shapes, what V8 has learnt of lifetimes.
  yield* all(credits)
  collect()
  collect()
  const profiler = new GCProfiler()
  profiler.start()
  yield* all(2 * credits)
  const collections = profiler.stop()?.statistics ?? []
  const before = oldBytes()
  if (collections.length === 0 || collections.some(({ gcType }) => gcType !== "Scavenge")) {
    return yield* Effect.die(new Error("not only young collections: what was found by then is not counted"))
  }
  collect()
  yield* Console.log(Math.round((before - oldBytes()) / credits))
})

NodeRuntime.runMain(
  measure.pipe(
    Effect.provide(
      layerWithParts({ bounds: defaultBounds, partitions: defaultPartitions }).pipe(Layer.provide(NullStores.layer))
    ),
    Effect.orDie,
    Effect.provideService(Logger.LogToStderr, true)
  )
)
