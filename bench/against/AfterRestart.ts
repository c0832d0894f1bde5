/**
 * Wallets with a past beside fresh ones, both in a process that has just been started:
 * nothing of them is in memory, so every new key has to be told from those of the past.
 */
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import type { BenchSettings } from "../BenchSettings.ts"
import { CostProbe } from "../CostProbe.ts"
import { type Figure, figureOf, figureOfSamples, type Round, type Row, rowOf, type Sample } from "../Figure.ts"
import type { WalletNames } from "./AgainstProtocol.ts"
import { startLibrary } from "./Checkout.ts"
import { type Against, onText, type Side, type Sides, type Store } from "./Side.ts"

export const kinds = ["past", "fresh"] as const
export type Kind = (typeof kinds)[number]

/** Credits that compile the code of the process before it counts: so long, milliseconds. */
export const warmMillis = ({ millis }: BenchSettings): number => Math.min(500, millis)

export interface Credits {
  /** Wallets that are in no round. */
  readonly warm: WalletNames
  readonly wallets: WalletNames
  /** What the wallets have together before. */
  readonly balance: bigint
  readonly callers: number
  readonly zipf: number
}

export interface Credited {
  readonly sample: Sample
  /** What the wallets have together now. */
  readonly balance: bigint
}

/** Credits per second through the library, in a process of its own. Dies when the wallets do not have what was answered. */
export const creditsAfterRestart = (
  { settings }: Against,
  { checkout, place }: Side,
  { balance, callers, wallets, warm, zipf }: Credits
): Effect.Effect<Credited> =>
  Effect.gen(function* () {
    const probe = yield* CostProbe
    const library = yield* startLibrary(checkout, place)
    const { millis, rampMillis } = settings
    // No round replays the one before.
    const keys = `k${randomBytes(3).toString("hex")}-`
    const drive = { _tag: "Credits", callers, zipf, keys, rampMillis } as const
    yield* library.ask({ ...drive, ...warm, millis: warmMillis(settings) })
    let engineCpuMicros = 0
    let expected = balance
    const { cost, value } = yield* probe.measure(
      Effect.map(library.ask({ ...drive, ...wallets, millis }), ({ cpuMicros, perSecond, total }) => {
        engineCpuMicros = cpuMicros / total
        expected += BigInt(total)
        return { perSecond, events: total }
      })
    )
    const after = yield* library.ask({ _tag: "Totals", ...wallets })
    if (BigInt(after.balance) !== expected) {
      return yield* Effect.die(
        new Error(`${wallets.prefix}: ${expected} were answered, the wallets have ${after.balance}`)
      )
    }
    return { sample: { value, cost: { ...cost, engineCpuMicros } }, balance: expected }
  }).pipe(Effect.scoped)

export interface Comparison<R> {
  readonly store: Store
  readonly callers: number
  /** What the report calls the two kinds of wallets. */
  readonly names: Readonly<Record<Kind, string>>
  readonly round: (side: Side, kind: Kind, round: number) => Round<R>
}

type Samples = Readonly<Record<Kind, Array<number | Sample>>>

const measure = Effect.fnUntraced(function* <R>(
  { settings }: Against,
  sides: Sides,
  { round: roundOf }: Comparison<R>
): Effect.fn.Return<ReadonlyArray<Samples>, never, R> {
  const samples = sides.map((): Samples => ({ past: [], fresh: [] }))
  for (let round = 0; round < settings.rounds; round++) {
    for (const [index, side] of sides.entries()) {
      for (const kind of kinds) samples[index]?.[kind].push(yield* roundOf(side, kind, round))
    }
  }
  return samples
})

const ratios = (past: Figure, fresh: Figure): Figure =>
  figureOf(
    "×",
    past.rounds.map((rate, round) => rate / (fresh.rounds[round] ?? Number.NaN))
  )

/** Three rows: the rate of either kind, and how much of the rate of fresh wallets those with a past have. */
export const pastAgainstFresh = Effect.fnUntraced(function* <R>(
  against: Against,
  sides: Sides,
  comparison: Comparison<R>
): Effect.fn.Return<ReadonlyArray<Row>, never, R> {
  const figures = (yield* measure(against, sides, comparison)).map((samples) => {
    const past = figureOfSamples("/s", samples.past)
    const fresh = figureOfSamples("/s", samples.fresh)
    return { past, fresh, ratio: ratios(past, fresh) }
  })
  const { callers, names, store } = comparison
  const row = (name: string, of: Kind | "ratio") =>
    rowOf({
      name,
      on: onText(against, store),
      callers,
      engine: figures[0]![of],
      beside: { name: sides[1].checkout.name, figure: figures[1]![of] }
    })
  return [row(names.past, "past"), row(names.fresh, "fresh"), row(`${names.past}: of the rate of fresh ones`, "ratio")]
})
