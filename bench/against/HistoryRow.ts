/**
 * Wallets with a long past against fresh ones, both after a restart: nothing of them is
 * in memory, so every new key has to be told from those of the past. Each round has a
 * process of its own and wallets that nobody has touched since; the past is written
 * through the library, before the first round.
 */
import * as Effect from "effect/Effect"
import { figureOf, type Figure, type Row, rowOf } from "../Figure.ts"
import { startLibrary } from "./Checkout.ts"
import { type Against, onText, openSides, type Side, type Store } from "./Side.ts"

const wallets = 20

const callers = 512

/** Keys of each wallet's past; less where the bench is in a hurry. */
const fullKeys = 10_000

const keysOf = ({ settings: { longHistory } }: Against): number => Math.min(fullKeys, longHistory / 100)

const pastPrefix = (round: number) => `past${round}`
const freshPrefix = (round: number) => `fresh${round}`
/** Compiles the code of the process before it counts; its wallets are in no round. */
const warmPrefix = "warm"

const writePast = (against: Against, { checkout, place }: Side) =>
  Effect.gen(function* () {
    const library = yield* startLibrary(checkout, place)
    yield* library.ask({ _tag: "Create", prefix: warmPrefix, count: wallets })
    for (let round = 0; round < against.settings.rounds; round++) {
      yield* library.ask({ _tag: "Create", prefix: freshPrefix(round), count: wallets })
      yield* library.ask({ _tag: "Create", prefix: pastPrefix(round), count: wallets })
      yield* library.ask({ _tag: "History", prefix: pastPrefix(round), count: wallets, keys: keysOf(against) })
    }
  }).pipe(Effect.scoped)

/** Credits per second in a process that has just been started. */
const afterRestart = ({ settings }: Against, { checkout, place }: Side, prefix: string) =>
  Effect.gen(function* () {
    const library = yield* startLibrary(checkout, place)
    const { millis, rampMillis } = settings
    const drive = { _tag: "Credits", count: wallets, callers, zipf: 0, rampMillis } as const
    yield* library.ask({ ...drive, prefix: warmPrefix, millis: Math.min(500, millis) })
    const { perSecond } = yield* library.ask({ ...drive, prefix, millis })
    return perSecond
  }).pipe(Effect.scoped)

interface Rates {
  readonly past: Array<number>
  readonly fresh: Array<number>
}

const measure = Effect.fnUntraced(function* (against: Against, sides: ReadonlyArray<Side>) {
  const rates = sides.map((): Rates => ({ past: [], fresh: [] }))
  for (let round = 0; round < against.settings.rounds; round++) {
    for (const [index, side] of sides.entries()) {
      rates[index]?.past.push(yield* afterRestart(against, side, pastPrefix(round)))
      rates[index]?.fresh.push(yield* afterRestart(against, side, freshPrefix(round)))
    }
  }
  return rates
})

const ratios = ({ fresh, past }: Rates): Figure =>
  figureOf(
    "×",
    past.map((rate, round) => rate / (fresh[round] ?? Number.NaN))
  )

export const historyRow = (against: Against, store: Store): Effect.Effect<ReadonlyArray<Row>> =>
  Effect.gen(function* () {
    const sides = yield* openSides(against, store)
    for (const side of sides) yield* writePast(against, side)
    const [ours, theirs] = (yield* measure(against, sides)) as [Rates, Rates]
    const past = `${wallets} wallets with ${keysOf(against).toLocaleString("en")} keys each, after a restart`
    const other = sides[1].checkout.name
    const row = (name: string, of: (rates: Rates) => Figure) =>
      rowOf({
        name,
        on: onText(against, store),
        callers,
        engine: of(ours),
        beside: { name: other, figure: of(theirs) }
      })
    return [
      row(past, (rates) => figureOf("/s", rates.past)),
      row(`${wallets} fresh wallets, after a restart`, (rates) => figureOf("/s", rates.fresh)),
      row(`${past}: of the rate of fresh ones`, ratios)
    ]
  }).pipe(Effect.scoped)
