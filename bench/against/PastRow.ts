/**
 * The rows of credits once more, for wallets with a past: beside as many fresh ones, both
 * after a restart, under the same callers.
 *
 * A past for 10,000 wallets would be a hundred million events. So there are as many
 * wallets with a past as `pastEvents` gives `pastKeys` each, and their past is written
 * once for a side and a store, through its library. Rows and rounds share those wallets:
 * one that a round before has credited has more keys behind it, never fewer, and nothing
 * of it is in the memory of the process that comes after. Fresh wallets are new to each
 * round.
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import type { BenchSettings } from "../BenchSettings.ts"
import type { Row, Sample } from "../Figure.ts"
import { creditRound, creditTo, load, startService } from "../HttpService.ts"
import { settled } from "../SideDatabase.ts"
import { creditsAfterRestart, type Kind, kinds, pastAgainstFresh, warmMillis } from "./AfterRestart.ts"
import { namesOf, type WalletNames } from "./AgainstProtocol.ts"
import { startLibrary } from "./Checkout.ts"
import { type Against, openSides, type Pasts, type Side, type Sides, type Store } from "./Side.ts"

export interface PastLoad {
  readonly name: string
  readonly through: "library" | "HTTP"
  readonly store: Store
  /** One of the wallets with a past, another one in each round, or all of them. */
  readonly wallets: "one" | "all"
  /** Over HTTP: connections. */
  readonly callers: number
  /** The exponent of Zipf's law; 0: all alike. */
  readonly zipf: number
}

const pastWallets = ({ pastEvents, pastKeys }: BenchSettings): number => Math.max(1, Math.floor(pastEvents / pastKeys))

const allOf = (prefix: string, settings: BenchSettings): WalletNames => ({ prefix, count: pastWallets(settings) })

const warmOf = (settings: BenchSettings) => allOf("warm", settings)

const writePast = (settings: BenchSettings, { checkout, place }: Side) =>
  Effect.gen(function* () {
    const library = yield* startLibrary(checkout, place)
    const past = allOf("past", settings)
    yield* library.ask({ _tag: "Create", ...warmOf(settings) })
    yield* library.ask({ _tag: "Create", ...past })
    yield* library.ask({ _tag: "History", ...past, keys: settings.pastKeys })
  }).pipe(Effect.scoped)

const openPast = Effect.fnUntraced(function* (against: Omit<Against, "pasts">, store: Store) {
  const sides: Sides = yield* openSides(against, store, "past")
  for (const side of sides) {
    yield* writePast(against.settings, side)
    // What the server would sweep and write out later, it would in the rounds.
    if (side.place._tag === "Server") yield* settled(side.place.url)
  }
  return sides
})

/** Both stores' sides with their past, written when a row first asks; gone with the scope. */
export const makePasts = Effect.fnUntraced(function* (
  against: Omit<Against, "pasts">
): Effect.fn.Return<Pasts, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const cached = (store: Store) => Effect.cached(Scope.provide(openPast(against, store), scope))
  return { server: yield* cached("server"), folder: yield* cached("folder") }
})

const freshOf = ({ name, wallets }: PastLoad, settings: BenchSettings, round: number): WalletNames => ({
  prefix: `fresh-${name}-${round}`,
  count: wallets === "one" ? 1 : pastWallets(settings)
})

const pastOf = ({ wallets }: PastLoad, settings: BenchSettings, side: Side): WalletNames =>
  wallets === "all"
    ? allOf("past", settings)
    : { prefix: "past", from: side.rounds++ % pastWallets(settings), count: 1 }

/** What a row needs of a side. */
interface Prepared {
  /** Of each round. */
  readonly rounds: ReadonlyArray<Readonly<Record<Kind, WalletNames>>>
  /** What wallets have together, by the id of the first. */
  readonly balances: Map<string, bigint>
}

const firstOf = (wallets: WalletNames): string => namesOf(wallets)[0] ?? ""

/** In a process that has ended when the first round begins. */
const prepare = ({ settings }: Against, side: Side, row: PastLoad) =>
  Effect.gen(function* () {
    const library = yield* startLibrary(side.checkout, side.place)
    const prepared = { rounds: [] as Array<Readonly<Record<Kind, WalletNames>>>, balances: new Map<string, bigint>() }
    for (let round = 0; round < settings.rounds; round++) {
      const wallets = { past: pastOf(row, settings, side), fresh: freshOf(row, settings, round) }
      prepared.rounds.push(wallets)
      yield* library.ask({ _tag: "Create", ...wallets.fresh })
      const { balance } = yield* library.ask({ _tag: "Totals", ...wallets.past })
      prepared.balances.set(firstOf(wallets.past), BigInt(balance))
    }
    return prepared satisfies Prepared
  }).pipe(Effect.scoped)

/** Over the service, started anew. */
const httpAfterRestart = (
  { settings }: Against,
  { checkout, place }: Side,
  connections: number,
  wallets: WalletNames
): Effect.Effect<Sample, never, ChildProcessSpawner> =>
  Effect.gen(function* () {
    const service = yield* startService(checkout, place)
    const warm = creditTo(namesOf(warmOf(settings)), service)
    yield* load({ ...settings, millis: warmMillis(settings) }, service, { ...warm, connections })
    return yield* creditRound(settings, service, namesOf(wallets), connections)
  }).pipe(Effect.scoped)

/** How many wallets there are, and how long their past is: the same in every row, and said in each. */
const rowNames = ({ callers, through, wallets, zipf }: PastLoad, settings: BenchSettings) => {
  const count = pastWallets(settings).toLocaleString("en")
  const keys = settings.pastKeys.toLocaleString("en")
  const [past, fresh] =
    wallets === "one"
      ? [`one hot wallet with ${keys} keys`, "one fresh hot wallet"]
      : [`${count} wallets with ${keys} keys each`, `${count} fresh wallets`]
  const spread = zipf === 0 ? "uniform" : `Zipf ${zipf.toFixed(1)}`
  const how = wallets === "one" ? "" : `, ${through === "HTTP" ? `${callers} connections` : spread}`
  const name = (which: string) => `${through === "HTTP" ? "HTTP credit, " : ""}${which}, after a restart${how}`
  return { past: name(past), fresh: name(fresh) }
}

export const pastRow = Effect.fnUntraced(function* (
  against: Against,
  row: PastLoad
): Effect.fn.Return<ReadonlyArray<Row>, never, ChildProcessSpawner> {
  const { settings } = against
  const { callers, store, through, zipf } = row
  const sides = yield* against.pasts[store]
  const prepared = new Map<Side, Prepared>()
  for (const side of sides) prepared.set(side, yield* prepare(against, side, row))
  return yield* pastAgainstFresh<ChildProcessSpawner>(against, sides, {
    store,
    callers,
    names: rowNames(row, settings),
    round: (side, kind, round) => {
      const { balances, rounds } = prepared.get(side)!
      const wallets = rounds[round]![kind]
      if (through === "HTTP") return httpAfterRestart(against, side, callers, wallets)
      const balance = balances.get(firstOf(wallets)) ?? 0n
      const credits = { warm: warmOf(settings), wallets, balance, callers, zipf }
      return Effect.map(creditsAfterRestart(against, side, credits), ({ balance, sample }) => {
        balances.set(firstOf(wallets), balance)
        return sample
      })
    }
  })
})

/** Of the rows of history. */
const historyWallets = 20

const historyCallers = 512

const historyOf = (prefix: string): WalletNames => ({ prefix, count: historyWallets })

const historyWarm = historyOf("warm")

const writeHistory = ({ settings: { pastKeys, rounds } }: Against, { checkout, place }: Side) =>
  Effect.gen(function* () {
    const library = yield* startLibrary(checkout, place)
    yield* library.ask({ _tag: "Create", ...historyWarm })
    for (let round = 0; round < rounds; round++) {
      for (const kind of kinds) yield* library.ask({ _tag: "Create", ...historyOf(`${kind}${round}`) })
      yield* library.ask({ _tag: "History", ...historyOf(`past${round}`), keys: pastKeys })
    }
  }).pipe(Effect.scoped)

/** Each round has wallets that nobody has touched since their past was written, before the first round. */
export const historyRow = (against: Against, store: Store): Effect.Effect<ReadonlyArray<Row>> =>
  Effect.gen(function* () {
    const sides = yield* openSides(against, store)
    for (const side of sides) yield* writeHistory(against, side)
    const keys = against.settings.pastKeys.toLocaleString("en")
    return yield* pastAgainstFresh(against, sides, {
      store,
      callers: historyCallers,
      names: {
        past: `${historyWallets} wallets with ${keys} keys each, after a restart`,
        fresh: `${historyWallets} fresh wallets, after a restart`
      },
      round: (side, kind, round) =>
        Effect.map(
          creditsAfterRestart(against, side, {
            warm: historyWarm,
            wallets: historyOf(`${kind}${round}`),
            balance: kind === "past" ? BigInt(historyWallets * against.settings.pastKeys) : 0n,
            callers: historyCallers,
            zipf: 0
          }),
          ({ sample }) => sample
        )
    })
  }).pipe(Effect.scoped)
