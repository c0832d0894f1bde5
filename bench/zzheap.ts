import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Session } from "node:inspector"
import { defaultBounds } from "../src/actors/ActorBounds.ts"
import { defaultPartitions } from "../src/domain/Partition.ts"
import { layerWithParts } from "../src/engine/WalletEngine.ts"
import { engineRound } from "./EngineRounds.ts"
import * as NullStores from "./NullStores.ts"
const which = process.argv[2] ?? "many"
const callers = Number(process.argv[3] ?? 512)
const wallets = 10_000
const session = new Session(); session.connect()
NodeRuntime.runMain(Effect.gen(function* () {
  const one = { callers, distribution: which === "one" ? { _tag: "Uniform", wallets: 1 } : { _tag: "Uniform", wallets } } as never
  const s = { rampMillis: 500, millis: 2000, wallets, rounds: 1 } as never
  yield* engineRound(s, one)
  session.post("HeapProfiler.startSampling", { samplingInterval: 8192, includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true } as never)
  const r = yield* engineRound({ rampMillis: 0, millis: 3000, wallets, rounds: 1 } as never, one)
  session.post("HeapProfiler.stopSampling", (_e, { profile }) => {
    const by = new Map<string, number>(); let tot = 0
    const walk = (n: any) => { const c = n.callFrame; const k = c.functionName + " " + c.url.replace(/.*\/(src|node_modules)\//, "$1/") + ":" + c.lineNumber; by.set(k, (by.get(k) ?? 0) + n.selfSize); tot += n.selfSize; n.children.forEach(walk) }
    walk((profile as any).head)
    const count = Math.round((r as any).value * 3)
    console.log("bytes per credit", Math.round(tot / count), "credits", count)
    ;[...by].sort((a, b) => b[1] - a[1]).slice(0, 50).forEach(([k, v]) => console.log(String(Math.round(v / count)).padStart(6), k))
  })
}).pipe(Effect.provide(Layer.orDie(layerWithParts({ bounds: defaultBounds, partitions: defaultPartitions }).pipe(Layer.provide(NullStores.layer))))) as never)
