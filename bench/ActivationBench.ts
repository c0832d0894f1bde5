/**
 * Whether loading a wallet depends on its history: two wallets, one with a long
 * history, both with the same tail after their last snapshot, are activated in turn.
 * Only one wallet may be resident, so each read evicts the other one.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { defaultBounds } from "../src/actors/ActorBounds.ts"
import { EventIds } from "../src/actors/EventIds.ts"
import { KeyFilterBudget } from "../src/actors/KeyFilter.ts"
import { KeyWindow } from "../src/actors/KeyWindow.ts"
import { Ownership } from "../src/actors/Ownership.ts"
import { encodeSnapshot } from "../src/actors/Snapshots.ts"
import type { RecordedEvent } from "../src/domain/Event.ts"
import { evolve } from "../src/domain/Evolve.ts"
import { partitionOf } from "../src/domain/Partition.ts"
import type { Wallet } from "../src/domain/Wallet.ts"
import { WalletEngine } from "../src/engine/WalletEngine.ts"
import { EventStore } from "../src/stores/EventStore.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import { databaseConditions, type InstallationLayer } from "./Databases.ts"
import { figureOf, rowOf } from "./Figure.ts"
import { append, created, creditOf1, metadataOf } from "./LogCommits.ts"

const shortHistory = 1_000
/** Events after the last snapshot, in both wallets. */
const tail = 500
const eventsPerAppend = 4_000

/** One wallet resident; no snapshot when it leaves, so that the tail stays as it is. */
const bounds = { ...defaultBounds, residentBytes: 1, snapshotMinimumEvents: Number.MAX_SAFE_INTEGER }

/** Writes `history + tail` events with a snapshot every 1,000 events up to `history`, as the engine does. */
const writeHistory = Effect.fnUntraced(function* (walletId: string, history: number) {
  const log = yield* EventStore
  const ids = yield* EventIds
  const ownership = yield* Ownership
  const time = yield* Clock.currentTimeMillis
  const partition = partitionOf(walletId, ownership.partitions)
  const epoch = ownership.epochOf(partition) ?? 0
  const keys = new KeyWindow(bounds.keysInMemory, new KeyFilterBudget(bounds.keyFilterBytes))
  let wallet: Wallet | undefined = undefined
  let events: Array<RecordedEvent> = []
  for (let version = 0; version < history + tail; version++) {
    const id = ids.next(time)
    const recorded: RecordedEvent = {
      id,
      walletId,
      version,
      time,
      event: version === 0 ? created : creditOf1(BigInt(version)),
      metadata: metadataOf(id, `c:k${version}`, epoch)
    }
    const next: Wallet = evolve(wallet, recorded)
    wallet = next
    keys.add(recorded)
    events.push(recorded)
    const reached = version + 1
    const snapshotDue = reached <= history && reached % bounds.snapshotEvents === 0
    if (events.length === eventsPerAppend || snapshotDue || reached === history + tail) {
      yield* append(log, [
        { walletId, partition, epoch, expectedVersion: version - events.length, events, wallet: next }
      ])
      events = []
    }
    if (snapshotDue) {
      yield* log.saveSnapshot(
        encodeSnapshot({ wallet: next, profileVersion: 0, keys: keys.state(bounds.keysInSnapshot) })
      )
    }
  }
}, Effect.orDie)

const activate = Effect.fnUntraced(function* (walletId: string) {
  const engine = yield* WalletEngine
  // The wallet read before comes to rest: only an idle one can be evicted.
  yield* Effect.sleep("2 millis")
  const startedAt = performance.now()
  yield* engine.getWallet({ walletId })
  return performance.now() - startedAt
}, Effect.orDie)

/** Counts what is loaded, to be sure that every read was an activation. */
const countingLoads = (loads: { count: number }) => (log: EventStore["Service"]) =>
  EventStore.of({
    ...log,
    loadSnapshot: (walletId, bound) => {
      loads.count++
      return log.loadSnapshot(walletId, bound)
    }
  })

const measure = Effect.fnUntraced(function* (settings: BenchSettings, loads: { count: number }) {
  const { activations, longHistory } = settings
  yield* writeHistory("short", shortHistory)
  yield* writeHistory("long", longHistory)
  // A few that are thrown away: statements are prepared, pages are read.
  for (let i = 0; i < 5; i++) yield* Effect.andThen(activate("short"), activate("long"))
  loads.count = 0
  const short: Array<number> = []
  const long: Array<number> = []
  for (let i = 0; i < activations; i++) {
    short.push(yield* activate("short"))
    long.push(yield* activate("long"))
  }
  if (loads.count !== 2 * activations) {
    return yield* Effect.die(new Error(`${2 * activations} reads made ${loads.count} activations`))
  }
  return [
    rowOf({
      name: `activation, ${longHistory.toLocaleString("en")} events, ${tail} after the snapshot`,
      on: yield* databaseConditions,
      engine: figureOf("ms", long),
      beside: { name: `${shortHistory.toLocaleString("en")} events`, figure: figureOf("ms", short) },
      ratioBar: 1.5
    })
  ]
})

export const activationBench = (settings: BenchSettings, installation: InstallationLayer) => {
  const loads = { count: 0 }
  return measure(settings, loads).pipe(
    Effect.provide(installation({ bounds, decorateLog: countingLoads(loads) })),
    Effect.withSpan("ActivationBench.run")
  )
}
