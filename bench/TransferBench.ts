/**
 * Transfers beside credits in the same run: between many wallets, and from many into
 * one. A transfer is three events in two streams, a credit is one. Then what one
 * transfer costs the stores.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { eventsWith } from "../src/domain/Commit.ts"
import { maxTime } from "../src/domain/Limits.ts"
import { WalletEngine } from "../src/engine/WalletEngine.ts"
import { Persistence } from "../src/stores/Persistence.ts"
import { SqlDatabase } from "../src/stores/sql/SqlDatabase.ts"
import { runFibers } from "./ClosedLoop.ts"
import { walletChoice } from "../src/load/WalletChoice.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import { CostProbe } from "./CostProbe.ts"
import { databaseConditions, type Installation, type InstallationLayer, type Product } from "./Databases.ts"
import { createWallets, engineRound } from "./EngineRounds.ts"
import { alternate, figureOf, type Round, type Row, rowOf, type Sample } from "./Figure.ts"

/** Of each source at the start, minor units: more than it can send. */
const funds = 1_000_000_000n

/** A transfer is answered before its source is told; that may last so long after the last answer. */
const settleMillis = 30_000

type Course = "among many" | "into one" | "in two legs"

interface Counted extends Sample {
  /** Transfers, all of them answered and settled. */
  readonly total: number
}

/** Until every source has been told how its transfers went; dies when that takes too long. */
const settled = Effect.gen(function* () {
  const persistence = yield* Persistence
  const until = (yield* Clock.currentTimeMillis) + settleMillis
  while ((yield* persistence.openTransfers({ before: maxTime, limit: 1 })).length > 0) {
    if ((yield* Clock.currentTimeMillis) > until) return yield* Effect.die(new Error("transfers have not been settled"))
    yield* Effect.sleep("5 millis")
  }
})

interface Book {
  readonly sources: ReadonlyArray<string>
  /** Empty; where all goes that goes into one. */
  readonly hot: string
}

/** Wallets of this round's own, the sources with money. */
const openBook: (settings: BenchSettings) => Effect.Effect<Book, never, Installation> = Effect.fnUntraced(function* ({
  wallets
}) {
  const engine = yield* WalletEngine
  const [hot = "", ...sources] = yield* createWallets(wallets + 1)
  yield* Effect.forEach(sources, (walletId) => engine.credit({ walletId, amount: funds, idempotencyKey: "fund" }), {
    concurrency: "unbounded",
    discard: true
  })
  return { sources, hot }
}, Effect.orDie)

/** Events of a book before its first transfer: creations, and what funded the sources. */
const openingEvents = ({ sources }: Book): number => 2 * sources.length + 1

/** Transfers of 1 per second, answered and persisted. Dies when one fails, or when the money is not where it was sent. */
const sendTransfers = Effect.fnUntraced(function* (
  settings: BenchSettings,
  { callers, course }: TransferLoad,
  book: Book
) {
  const engine = yield* WalletEngine
  const probe = yield* CostProbe
  const { hot, sources } = book
  const count = sources.length
  const choose = yield* walletChoice({ _tag: "Uniform", wallets: count }, "transfers")
  let total = 0
  const sample = yield* probe.measure(
    Effect.gen(function* () {
      const result = yield* runFibers({ ...settings, callers }, (n) => {
        const source = choose()
        const from = sources[source]!
        const other = sources[(source + 1 + (choose() % (count - 1))) % count]!
        const idempotencyKey = `t${n}`
        if (course === "in two legs") {
          const third = sources[(source + 1 + (choose() % (count - 1))) % count]!
          const legs = [other, third].map((to) => ({ from, to, amount: 1n }))
          return engine.transfer({ legs, idempotencyKey })
        }
        return engine.transfer({ from, to: course === "into one" ? hot : other, amount: 1n, idempotencyKey })
      })
      total = result.total
      yield* settled
      const wallets = yield* Effect.forEach([...sources, hot], (walletId) => engine.getWallet({ walletId }))
      const money = wallets.reduce((sum, { balance }) => sum + balance, 0n)
      const received = wallets.at(-1)?.balance
      if (money !== funds * BigInt(count) || received !== (course === "into one" ? BigInt(total) : 0n)) {
        const found = `the wallets have ${money}, the hot one ${received}`
        return yield* Effect.die(new Error(`after ${total} transfers ${found}`))
      }
      const events = wallets.reduce((sum, { version }) => sum + version + 1, 0) - openingEvents(book)
      return { perSecond: result.perSecond, events }
    })
  )
  return { ...sample, total } satisfies Counted
}, Effect.orDie)

export interface TransferLoad {
  readonly course: Course
  readonly callers: number
}

/** What an event cost is of each of the events that a transfer makes. */
export const transferRound = (settings: BenchSettings, load: TransferLoad): Round<Installation> =>
  Effect.flatMap(openBook(settings), (book) => sendTransfers(settings, load, book))

interface Touched {
  /** Written rows: inserted or updated. */
  readonly rows: number
  readonly transactions: number
}

/** A server collects its counts from idle sessions within a second. */
const untilCounted = "2 seconds"

const touched = Effect.gen(function* (): Effect.fn.Return<Touched, never, SqlClient | SqlDatabase> {
  const sql = yield* SqlClient
  const { schema } = yield* SqlDatabase
  yield* Effect.sleep(untilCounted)
  const [tables] = yield* Effect.orDie(sql<{ readonly rows: string | null }>`
    select sum(n_tup_ins + n_tup_upd)::text as rows from pg_stat_user_tables where schemaname = ${schema}`)
  const [database] = yield* Effect.orDie(sql<{ readonly transactions: string }>`
    select xact_commit::text as transactions from pg_stat_database where datname = current_database()`)
  return { rows: Number(tables?.rows ?? 0), transactions: Number(database?.transactions ?? 0) }
})

/** Appends so far, of the layer that {@link counting} has made. */
interface Appends {
  calls: number
  events: number
}

/** The installation with a count of what reaches its log. */
const counting = (installation: InstallationLayer, appends: Appends) =>
  installation({
    decorateLog: (log) => ({
      ...log,
      append: (commits) => {
        appends.calls++
        for (const commit of commits) appends.events += eventsWith(commit)
        return log.append(commits)
      }
    })
  })

/** What the stores did for the transfers of one round, per transfer. */
const costRows = Effect.fnUntraced(function* (
  settings: BenchSettings,
  on: string,
  appends: Appends
): Effect.fn.Return<ReadonlyArray<Row>, never, Installation> {
  const { embedded } = yield* SqlDatabase
  const book = yield* openBook(settings)
  const [before, calls, events] = [yield* touched, appends.calls, appends.events]
  const { total } = yield* sendTransfers(settings, { course: "among many", callers: settings.manyCallers }, book)
  const cost = (name: string, value: number) =>
    rowOf({ name: `one transfer of these: ${name}`, on, engine: figureOf("each", [value / total]) })
  const ofLog = [cost("events", appends.events - events), cost("appends to the log", appends.calls - calls)]
  // PGlite does not count.
  if (embedded) return ofLog
  const after = yield* touched
  return [
    ...ofLog,
    cost("rows written in PostgreSQL", after.rows - before.rows),
    cost("transactions of PostgreSQL", after.transactions - before.transactions)
  ]
})

export const transferBench = (settings: BenchSettings, product: Product, installation: InstallationLayer) => {
  const appends: Appends = { calls: 0, events: 0 }
  return Effect.gen(function* (): Effect.fn.Return<ReadonlyArray<Row>, never, Installation> {
    const database = yield* databaseConditions
    const on = product === "KurrentDB" ? `KurrentDB 26.1 on disk, ${database}` : database
    const many = `${settings.wallets.toLocaleString("en")} wallets`
    const credits = engineRound(settings, {
      callers: settings.manyCallers,
      distribution: { _tag: "Uniform", wallets: settings.wallets }
    })
    const rows: Array<Row> = []
    for (const course of ["among many", "into one"] as const) {
      const { beside, engine } = yield* alternate({
        unit: "/s",
        rounds: settings.rounds,
        engine: transferRound(settings, { course, callers: settings.manyCallers }),
        beside: credits
      })
      rows.push(
        rowOf({
          name: course === "among many" ? `transfers between ${many}` : `transfers from ${many} into one`,
          on,
          callers: settings.manyCallers,
          engine,
          beside: { name: `credits to ${many}`, figure: beside },
          ratioBar: 0.5
        })
      )
    }
    const legs = yield* alternate({
      unit: "/s",
      rounds: settings.rounds,
      engine: transferRound(settings, { course: "in two legs", callers: settings.manyCallers }),
      beside: transferRound(settings, { course: "among many", callers: settings.manyCallers })
    })
    rows.push(
      rowOf({
        name: `transfers in two legs between ${many}`,
        on,
        callers: settings.manyCallers,
        engine: legs.engine,
        beside: { name: "transfers in one leg", figure: legs.beside },
        ratioBar: 0.5
      })
    )
    return [...rows, ...(yield* costRows(settings, on, appends))]
  }).pipe(Effect.provide(counting(installation, appends)))
}
