/** Commands through the libraries of both checkouts, in turns. */
import * as Effect from "effect/Effect"
import { CostProbe } from "../CostProbe.ts"
import { figureOf, inTurns, type Row, rowOf, type Sample } from "../Figure.ts"
import type { Drive, Totals, WalletNames } from "./AgainstProtocol.ts"
import { type Library, startLibrary } from "./Checkout.ts"
import { type Against, bytesOf, onText, openSides, type Side, type Store } from "./Side.ts"

/** One wallet, or many: what is sent to them. */
export interface LibraryLoad {
  readonly name: string
  readonly store: Store
  readonly kind: "credits" | "transfers into one" | "transfers among many"
  readonly wallets: number
  readonly callers: number
  /** The exponent of Zipf's law; 0: all alike. */
  readonly zipf: number
}

/** Of each source of transfers, minor units: more than it can send. */
const funds = 1_000_000_000n

/** Wallets of this round's own, with what they need. */
const openWallets = Effect.fnUntraced(function* (library: Library, load: LibraryLoad, names: WalletNames) {
  yield* library.ask({ _tag: "Create", ...names })
  if (load.kind !== "credits") yield* library.ask({ _tag: "Fund", ...names, amount: String(funds) })
})

const send = (library: Library, load: LibraryLoad, request: WalletNames & Drive) =>
  load.kind === "credits"
    ? library.ask({ _tag: "Credits", ...request, zipf: load.zipf, keys: "k" })
    : library.ask({ _tag: "Transfers", ...request, into: load.kind === "transfers into one" ? "one" : "many" })

/** Dies when the wallets do not have the money that was sent. */
const check = Effect.fnUntraced(function* (load: LibraryLoad, { balance, first }: Totals, total: number) {
  const opened = load.kind === "credits" ? 0n : funds * BigInt(load.wallets)
  const expected = load.kind === "credits" ? BigInt(total) : opened
  const hot = load.kind === "transfers into one" ? funds + BigInt(total) : undefined
  if (BigInt(balance) !== expected || (hot !== undefined && BigInt(first) !== hot)) {
    return yield* Effect.die(new Error(`${load.name}: ${total} were answered, the wallets have ${balance}`))
  }
})

/** One round: what was sent, until nothing of it is on its way any more, and what it cost. */
const roundOf = Effect.fnUntraced(function* (
  { settings }: Against,
  load: LibraryLoad,
  side: Side,
  library: Library
): Effect.fn.Return<Sample> {
  const probe = yield* CostProbe
  const names = { prefix: `r${side.rounds++}`, count: load.wallets }
  yield* openWallets(library, load, names)
  const opened = load.wallets * (load.kind === "credits" ? 1 : 2)
  let engineCpuMicros = 0
  const { cost, value } = yield* probe.measure(
    Effect.gen(function* () {
      const { millis, rampMillis } = settings
      const sent = yield* send(library, load, { ...names, callers: load.callers, millis, rampMillis })
      const totals = yield* library.ask({ _tag: "Totals", ...names })
      yield* check(load, totals, sent.total)
      const events = totals.events - opened
      side.events += totals.events
      engineCpuMicros = sent.cpuMicros / events
      return { perSecond: sent.perSecond, events }
    })
  )
  return { value, cost: { ...cost, engineCpuMicros } }
})

const rowName = ({ kind, wallets, zipf }: LibraryLoad): string => {
  const many = `${wallets.toLocaleString("en")} wallets`
  if (kind === "transfers among many") return `transfers between ${many}`
  if (kind === "transfers into one") return `transfers from ${many} into one`
  if (wallets === 1) return "one hot wallet"
  return `${many}, ${zipf === 0 ? "uniform" : `Zipf ${zipf.toFixed(1)}`}`
}

/** The rate, and how many bytes an event takes on the disk. */
export const libraryRow = (against: Against, load: LibraryLoad): Effect.Effect<ReadonlyArray<Row>> =>
  Effect.gen(function* () {
    const sides = yield* openSides(against, load.store)
    const before: Array<number> = []
    const [engine, other] = yield* Effect.scoped(
      Effect.gen(function* () {
        const rounds: Array<Effect.Effect<Sample>> = []
        for (const side of sides) {
          const library = yield* startLibrary(side.checkout, side.place)
          before.push(yield* bytesOf(side))
          rounds.push(Effect.suspend(() => roundOf(against, load, side, library)))
        }
        return yield* inTurns("/s", against.settings.rounds, rounds)
      })
    )
    const bytes: Array<number> = []
    for (const [index, side] of sides.entries()) {
      bytes.push(((yield* bytesOf(side)) - (before[index] ?? 0)) / side.events)
    }
    const [ours, theirs] = bytes.map((value) => figureOf("bytes", [value]))
    const { name } = sides[1].checkout
    const row = { name: rowName(load), on: onText(against, load.store), callers: load.callers }
    return [
      rowOf({ ...row, engine: engine!, beside: { name, figure: other! } }),
      rowOf({ ...row, name: `${row.name}: disk per event`, engine: ours!, beside: { name, figure: theirs! } })
    ]
  }).pipe(Effect.scoped)
