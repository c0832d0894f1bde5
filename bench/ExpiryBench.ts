/**
 * Very many holds that expire in the same second: how long until the last of them has
 * released its money, and what other commands feel of it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { WalletEngine } from "../src/engine/WalletEngine.ts"
import { Persistence } from "../src/stores/Persistence.ts"
import { LatencyHistogram } from "../src/load/LatencyHistogram.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import { databaseConditions, type Installation } from "./Databases.ts"
import { createWallets } from "./EngineRounds.ts"
import { figureOf, type Row, rowOf } from "./Figure.ts"

const holdsPerWallet = 10

/** Callers of the other commands: enough to notice, few enough that they do not wait for one another. */
const otherCallers = 32

/** Pause of such a caller between two commands, ms: some thousands of commands a second together. */
const thinkMillis = 5

/** Nothing is waited for longer than this, ms. */
const patienceMillis = 60_000

interface Round {
  /** From the instant on at which the holds expire, ms. */
  readonly expired: number
  /** 99th percentiles of the other commands, ms. */
  readonly before: number
  readonly meanwhile: number
}

/** Until the instant, ms since the epoch. */
const waitUntil = (instant: number) =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.sleep(Math.max(0, instant - now)))

/** Credits to wallets of their own, for as long as they are let; each latency goes to the histogram of its time. */
const otherCommands = Effect.fnUntraced(function* (current: () => LatencyHistogram) {
  const engine = yield* WalletEngine
  const ids = yield* createWallets(otherCallers)
  let n = 0
  const caller = (walletId: string) =>
    Effect.forever(
      Effect.gen(function* () {
        const started = performance.now()
        yield* engine.credit({ walletId, amount: 1n, idempotencyKey: `o${n++}` })
        current().record((performance.now() - started) * 1_000)
        yield* Effect.sleep(thinkMillis)
      })
    )
  return yield* Effect.forkChild(Effect.forEach(ids, caller, { concurrency: "unbounded", discard: true }))
})

const placeHolds = Effect.fnUntraced(function* (ids: ReadonlyArray<string>, expiresAt: number) {
  const engine = yield* WalletEngine
  const place = (walletId: string) =>
    Effect.andThen(
      engine.credit({ walletId, amount: 100n, idempotencyKey: "fund" }),
      Effect.forEach(Array.from({ length: holdsPerWallet }), (_, n) =>
        engine.placeHold({ walletId, amount: 1n, expiresAt, idempotencyKey: `h${n}` })
      )
    )
  yield* Effect.forEach(ids, place, { concurrency: "unbounded", discard: true })
})

const round = (settings: BenchSettings): Effect.Effect<Round, never, Installation> =>
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const persistence = yield* Persistence
    const ids = yield* createWallets(Math.ceil(settings.expiringHolds / holdsPerWallet))
    const expiresAt = (yield* Clock.currentTimeMillis) + settings.expiryLeadMillis
    yield* placeHolds(ids, expiresAt)
    const [before, meanwhile] = [new LatencyHistogram(), new LatencyHistogram()]
    let current = before
    const others = yield* otherCommands(() => current)
    if ((yield* Clock.currentTimeMillis) > expiresAt) {
      return yield* Effect.die(new Error("the holds were not placed in time"))
    }
    yield* waitUntil(expiresAt)
    current = meanwhile
    for (;;) {
      const due = yield* persistence.dueHolds({ now: expiresAt, limit: 1 })
      const late = (yield* Clock.currentTimeMillis) - expiresAt
      if (late > patienceMillis) return yield* Effect.die(new Error("the holds have not expired"))
      if (due.length === 0) {
        const expired = late
        yield* Fiber.interrupt(others)
        const wallets = yield* Effect.forEach(ids, (walletId) => engine.getWallet({ walletId }))
        if (wallets.some(({ held }) => held !== 0n)) return yield* Effect.die(new Error("money is still held"))
        return { expired, before: before.percentile(0.99) / 1_000, meanwhile: meanwhile.percentile(0.99) / 1_000 }
      }
      yield* Effect.sleep("20 millis")
    }
  }).pipe(Effect.orDie)

export const expiryBench = Effect.fnUntraced(function* (
  settings: BenchSettings
): Effect.fn.Return<ReadonlyArray<Row>, never, Installation> {
  const on = yield* databaseConditions
  yield* round(settings)
  const rounds: Array<Round> = []
  for (let n = 0; n < settings.rounds; n++) rounds.push(yield* round(settings))
  const holds = settings.expiringHolds.toLocaleString("en")
  const figure = (of: (round: Round) => number) => figureOf("ms", rounds.map(of))
  return [
    rowOf({
      name: `${holds} holds that expire at one instant, until the last of them has`,
      on,
      engine: figure(({ expired }) => expired),
      bar: 5_000
    }),
    rowOf({
      name: "p99 of other commands meanwhile",
      on,
      engine: figure(({ meanwhile }) => meanwhile),
      beside: { name: "before", figure: figure(({ before }) => before) }
    })
  ]
})
