/**
 * How long after its commit an event is found by a search: events are committed at a constant rate, a process of its own
 * follows the log, and searches count what they find. The commits, those searches and all servers share the machine.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { EventIds } from "../../src/actors/EventIds.ts"
import { walletTag } from "../../src/domain/WalletTag.ts"
import type { Wallet } from "../../src/domain/Wallet.ts"
import { LatencyHistogram } from "../../src/load/LatencyHistogram.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import type { BenchSettings } from "../BenchSettings.ts"
import { figureOf, rowOf } from "../Figure.ts"
import { append } from "../LogCommits.ts"
import { startModule } from "../NodeProcess.ts"
import { commitOf } from "../replay/ReplayLog.ts"
import { sent } from "./BareBulks.ts"
import { type SearchPlace, sqlStores } from "./SearchStores.ts"

/** The events go to these wallets in turns. */
const wallets = 1_000

/** Between two appends, and between two searches, milliseconds. */
const tickMillis = 20

/** All that was committed has to be found within this, milliseconds. */
const endMillis = 60_000

/** Events that were committed together. */
interface Committed {
  /** Of the run, with these. */
  readonly events: number
  readonly at: number
}

const walletIds = Array.from({ length: wallets }, (_, n) => `lagging-${n}`)

/** Appends the next event of so many wallets, one each. */
const makeFeed = Effect.gen(function* () {
  const log = yield* EventStore
  const ids = yield* Effect.provide(EventIds, EventIds.layer)
  const [claim] = yield* Effect.orDie(log.claim({ partitions: [0], owner: "lag", time: 0 }))
  const states = new Map<string, Wallet>()
  let next = 0
  return (events: number) =>
    Effect.suspend(() => {
      const commits = Array.from({ length: events }, () => {
        const walletId = walletIds[next++ % wallets]!
        const tag = walletTag(walletId)
        const nextId = (time: number) => ids.nextOfWallet(time, tag)
        return commitOf(walletId, states.get(walletId), { size: 1, epoch: claim!.epoch, refuses: false, nextId })
      })
      for (const { wallet } of commits) states.set(wallet.id, wallet)
      return append(log, commits)
    })
})

type Feed = Effect.Success<typeof makeFeed>

/** Transactions that a search finds now. */
const foundIn = ({ elasticsearch, prefix }: SearchPlace) =>
  Effect.map(
    sent(elasticsearch, "GET", `/${prefix}-transactions/_count?filter_path=count`),
    (said) => (JSON.parse(said) as { readonly count: number }).count
  )

/** Commits at that rate, each tick what is due since the last one, until the time is over. */
const commitFor = Effect.fnUntraced(function* (
  feed: Feed,
  { millis, perSecond }: { readonly millis: number; readonly perSecond: number },
  committed: Array<Committed>
) {
  const startedAt = performance.now()
  let events = 0
  for (;;) {
    const elapsed = performance.now() - startedAt
    if (elapsed > millis) return
    const due = Math.min(wallets, Math.floor((elapsed * perSecond) / 1_000) - events)
    if (due > 0) {
      yield* feed(due)
      events += due
      committed.push({ events, at: performance.now() })
    }
    yield* Effect.sleep(tickMillis)
  }
})

interface LagOptions {
  readonly perSecond: number
  readonly millis: number
  readonly awaited: boolean
}

const lagOf = Effect.fnUntraced(function* (place: SearchPlace, feed: Feed, { awaited, millis, perSecond }: LagOptions) {
  yield* startModule("bench/search/LagWorker", [JSON.stringify({ ...place, awaited })])
  const before = yield* foundIn(place)
  const committed: Array<Committed> = []
  const histogram = new LatencyHistogram()
  let seen = 0
  let isOver = false
  const searching = Effect.gen(function* () {
    let lastAt = performance.now()
    for (;;) {
      const found = (yield* foundIn(place)) - before
      const now = performance.now()
      for (; seen < committed.length && committed[seen]!.events <= found; seen++) {
        lastAt = now
        const { at, events } = committed[seen]!
        const many = events - (committed[seen - 1]?.events ?? 0)
        for (let event = 0; event < many; event++) histogram.record((now - at) * 1_000)
      }
      if (isOver && seen === committed.length) return
      if (now - lastAt > endMillis) return yield* Effect.die(new Error(`${found} events are found and no more`))
      yield* Effect.sleep(tickMillis)
    }
  })
  const commits = Effect.map(commitFor(feed, { millis, perSecond }, committed), () => {
    isOver = true
  })
  yield* Effect.all([commits, searching], { concurrency: 2, discard: true })
  return {
    p50: histogram.percentile(0.5) / 1_000,
    p99: histogram.percentile(0.99) / 1_000,
    perSecond: (histogram.count * 1_000) / millis
  }
}, Effect.scoped)

/** `perSecond`: events. */
export const lagRows = Effect.fnUntraced(
  function* (
    { lagMillis, rounds }: BenchSettings,
    { on, perSecond, place }: { readonly on: string; readonly place: SearchPlace; readonly perSecond: number }
  ) {
    const feed = yield* makeFeed
    // Those that create the wallets make no transactions.
    yield* feed(wallets)
    const rows = []
    for (const awaited of [false, true]) {
      const round = lagOf(place, feed, { awaited, perSecond, millis: lagMillis })
      const lags = yield* Effect.all(Array.from({ length: rounds }, () => round))
      const of = (name: "p50" | "p99" | "perSecond") => lags.map((lag) => lag[name])
      const rate = Math.round(figureOf("/s", of("perSecond")).median).toLocaleString("en")
      const how = `at ${rate} events/s${awaited ? ", somebody always waits" : ""}`
      for (const [name, bar] of [
        ["p50", 300],
        ["p99", 1_500]
      ] as const) {
        rows.push(rowOf({ name: `from commit to found, ${name}, ${how}`, on, engine: figureOf("ms", of(name)), bar }))
      }
    }
    return rows
  },
  (effect, _, { place }) => Effect.provide(effect, Layer.fresh(sqlStores(place)))
)
