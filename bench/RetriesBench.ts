/**
 * Replays: a batch of credits again under the same keys, and a single one, beside the first
 * answers; at once, after a change of the wallet's metadata, and after a freeze. (Of making
 * rows again from the log `ReplayBench` tells.)
 */
import * as Effect from "effect/Effect"
import { WalletEngine } from "../src/engine/WalletEngine.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import { databaseConditions, type Installation } from "./Databases.ts"
import { createWallets } from "./EngineRounds.ts"
import { figureOf, type Row, rowOf } from "./Figure.ts"

/** Of one HTTP batch. */
const commands = 1_000

/** Single replays of a round; their median counts. */
const singles = 25

/** What a replay of a batch may take, in first answers. */
const batchBar = 2

/** … and a single one, ms. */
const singleBar = 20

/** What happened between a batch and its replay, in this order on the same wallets. */
const moments = ["at once", "after a change of the metadata", "after a freeze"] as const

interface Round {
  readonly first: number
  /** By moment. */
  readonly again: ReadonlyArray<number>
  readonly single: ReadonlyArray<number>
}

const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const started = performance.now()
    return Effect.map(effect, (value) => ({ value, millis: performance.now() - started }))
  })

/** `wallets`: over how many the batch is spread. */
const round = (wallets: number): Effect.Effect<Round, never, Installation> =>
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const ids = yield* createWallets(wallets)
    const credit = (n: number) => {
      const walletId = ids[n % wallets]!
      return engine.credit({ walletId, amount: BigInt(n + 1), reference: `order ${n}`, idempotencyKey: `k${n}` })
    }
    const batch = Effect.forEach(
      Array.from({ length: commands }, (_, n) => n),
      credit,
      { concurrency: "unbounded" }
    )
    const onAll = <A, E>(change: (walletId: string) => Effect.Effect<A, E>) =>
      Effect.forEach(ids, change, { concurrency: "unbounded", discard: true })
    const between = [
      Effect.void,
      onAll((walletId) => engine.updateWallet({ walletId, metadata: { tier: "gold" }, idempotencyKey: "patch" })),
      onAll((walletId) => engine.freeze({ walletId, idempotencyKey: "freeze" }))
    ]
    const first = yield* timed(batch)
    const again: Array<number> = []
    const single: Array<number> = []
    for (const change of between) {
      yield* change
      const replay = yield* timed(batch)
      for (const [n, { replayed, transaction, wallet }] of replay.value.entries()) {
        const then = first.value[n]!
        if (replayed && transaction.id === then.transaction.id && wallet.version === then.wallet.version) continue
        return yield* Effect.die(new Error(`command ${n} was answered otherwise`))
      }
      again.push(replay.millis)
      const times: Array<number> = []
      for (let n = 0; n < singles; n++) times.push((yield* timed(credit((n * 37) % commands))).millis)
      single.push(times.sort((a, b) => a - b)[singles >> 1]!)
    }
    return { first: first.millis, again, single }
  }).pipe(Effect.orDie)

const rowsOf = (rounds: ReadonlyArray<Round>, on: string, wallets: string): ReadonlyArray<Row> =>
  moments.flatMap((moment, index) => [
    rowOf({
      name: `${commands.toLocaleString("en")} credits of ${wallets} replayed ${moment}`,
      on,
      engine: figureOf(
        "ms",
        rounds.map(({ again }) => again[index]!)
      ),
      beside: {
        name: "their first answers",
        figure: figureOf(
          "ms",
          rounds.map(({ first }) => first)
        )
      },
      ratioBar: batchBar
    }),
    rowOf({
      name: `a single one of them replayed ${moment}`,
      on,
      engine: figureOf(
        "ms",
        rounds.map(({ single }) => single[index]!)
      ),
      bar: singleBar
    })
  ])

export const retriesBench = Effect.fnUntraced(function* (
  settings: BenchSettings
): Effect.fn.Return<ReadonlyArray<Row>, never, Installation> {
  const on = yield* databaseConditions
  const rows: Array<Row> = []
  for (const [wallets, name] of [
    [1, "one wallet"],
    [100, "100 wallets"]
  ] as const) {
    yield* round(wallets)
    const rounds: Array<Round> = []
    for (let n = 0; n < settings.rounds; n++) rounds.push(yield* round(wallets))
    rows.push(...rowsOf(rounds, on, name))
  }
  return rows
})
