import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { defaultBounds } from "../src/actors/ActorBounds.ts"
import { defaultPartitions } from "../src/domain/Partition.ts"
import { layerWithParts } from "../src/engine/WalletEngine.ts"
import { engineRound } from "./EngineRounds.ts"
import * as NullStores from "./NullStores.ts"
const which = process.argv[2] ?? "many"
const callers = Number(process.argv[3] ?? 512)
const seconds = Number(process.argv[4] ?? 4)
const wallets = 10_000
NodeRuntime.runMain(Effect.gen(function* () {
  const s = { rampMillis: 1500, millis: seconds * 1000, wallets, rounds: 1 } as never
  const one = { callers, distribution: which === "one" ? { _tag: "Uniform", wallets: 1 } : { _tag: "Uniform", wallets } } as never
  for (let i = 0; i < 2; i++) {
    const cpu = process.cpuUsage()
    const t = performance.now()
    const r = (yield* engineRound(s, one)).value
    console.log(which, callers, Math.round(r as number), "/s", (1e6 / (r as number)).toFixed(1), "us")
  }
}).pipe(Effect.provide(Layer.orDie(layerWithParts({ bounds: defaultBounds, partitions: defaultPartitions }).pipe(Layer.provide(NullStores.layer))))) as never)
