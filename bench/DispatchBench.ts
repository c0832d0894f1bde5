/**
 * What the engine itself costs, over stores that keep nothing.
 *
 * - *Round trip*: a command that changes nothing goes into the wallet's mailbox, is
 *   looked up by its key and decided by the wallet's fiber, and its answer wakes the
 *   caller's fiber. That is a dispatch to an actor, with reply.
 * - *Read*: `getWallet` of a resident wallet, which needs no mailbox.
 * - *Credit*: all of a command but the log.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { defaultBounds } from "../src/actors/ActorBounds.ts"
import type { EventIds } from "../src/actors/EventIds.ts"
import { defaultPartitions } from "../src/domain/Partition.ts"
import { WalletEngine, layerWithParts } from "../src/engine/WalletEngine.ts"
import { runFibers } from "./ClosedLoop.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import { createWallets, engineRound } from "./EngineRounds.ts"
import { type Row, repeat, type Round, rowOf } from "./Figure.ts"
import { oneWallet } from "./LibraryBench.ts"
import * as NullStores from "./NullStores.ts"

const callers = 512

/** Calls per second of `call` on one wallet. */
const round = (
  settings: BenchSettings,
  call: (engine: WalletEngine["Service"], walletId: string, n: number) => Effect.Effect<unknown, unknown>
): Round<WalletEngine | EventIds> =>
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const [walletId = ""] = yield* createWallets(1)
    const result = yield* runFibers({ ...settings, callers }, (n) => call(engine, walletId, n))
    return result.perSecond
  }).pipe(Effect.orDie)

const cells = (settings: BenchSettings) => {
  const { manyCallers, wallets } = settings
  return [
    {
      name: `round trip to an actor (a command that changes nothing), ${callers} callers`,
      bar: 400_000,
      round: round(settings, (engine, walletId, n) => engine.unfreeze({ walletId, idempotencyKey: `k${n}` }))
    },
    {
      name: `read of a resident wallet, ${callers} callers`,
      round: round(settings, (engine, walletId) => engine.getWallet({ walletId }))
    },
    {
      name: `credit to one wallet, ${callers} callers`,
      round: engineRound(settings, { callers, distribution: oneWallet })
    },
    {
      name: `credit, ${wallets.toLocaleString("en")} wallets, uniform, ${manyCallers.toLocaleString("en")} callers`,
      round: engineRound(settings, { callers: manyCallers, distribution: { _tag: "Uniform", wallets } })
    }
  ]
}

export const dispatchBench = Effect.fnUntraced(
  function* (settings: BenchSettings) {
    const rows: Array<Row> = []
    for (const { bar, name, round } of cells(settings)) {
      const engine = yield* repeat("/s", settings.rounds, round)
      rows.push(rowOf({ name, on: "no stores", engine, ...(bar === undefined ? {} : { bar }) }))
    }
    return rows
  },
  Effect.provide(
    Layer.orDie(
      layerWithParts({ bounds: defaultBounds, partitions: defaultPartitions }).pipe(Layer.provide(NullStores.layer))
    )
  )
)
