/**
 * This checkout against another one of the same project: every row in turns, each side in
 * processes and places of its own. A change shows itself in one run, whatever the machine
 * does that day.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import { BenchServers } from "../BenchServers.ts"
import type { BenchSettings } from "../BenchSettings.ts"
import * as CostProbe from "../CostProbe.ts"
import { type Row, withPairs } from "../Figure.ts"
import { conditionsOf, type Report, type Skipped } from "../Report.ts"
import { serverConditions } from "../SideDatabase.ts"
import { type Checkout, revisionOf, thisCheckout } from "./Checkout.ts"
import { httpRow } from "./HttpRow.ts"
import { type LibraryLoad, libraryRow } from "./LibraryRow.ts"
import { historyRow, makePasts, type PastLoad, pastRow } from "./PastRow.ts"
import type { Against } from "./Side.ts"

export const againstNames = [
  "hot-1",
  "hot-8",
  "hot-64",
  "hot-512",
  "hot-2048",
  "many-1",
  "many-32",
  "many-256",
  "many-uniform",
  "many-zipf",
  "embedded-hot",
  "embedded-many",
  "transfers-many",
  "transfers-one",
  "http-4",
  "http-32",
  "http-256",
  "http-hot-32",
  "http-hot-256",
  "http-many-256",
  "http-transfers-1",
  "http-transfers-32",
  "http-transfers-256",
  "http-batch-hot",
  "http-batch-spread",
  "http-batch-transfers",
  "history-postgres",
  "history-embedded",
  "past-hot-1",
  "past-hot-8",
  "past-hot-64",
  "past-hot-512",
  "past-hot-2048",
  "past-many-1",
  "past-many-32",
  "past-many-256",
  "past-many-uniform",
  "past-many-zipf",
  "past-http-4",
  "past-http-32",
  "past-http-256",
  "past-http-hot-32",
  "past-http-hot-256",
  "past-http-many-256",
  "past-embedded-hot",
  "past-embedded-many"
] as const
export type AgainstName = (typeof againstNames)[number]

export const againstGroups = ["hot", "many", "embedded", "transfers", "http", "history", "past"] as const

/** The rows under the names of rows and groups; none given: all. */
export const againstRows = (given: ReadonlyArray<string>): ReadonlyArray<AgainstName> =>
  againstNames.filter((row) => given.length === 0 || given.some((name) => row === name || row.startsWith(`${name}-`)))

type Measure = (against: Against) => Effect.Effect<ReadonlyArray<Row>, never, ChildProcessSpawner>

const library =
  (load: (wallets: number) => Partial<LibraryLoad>): Measure =>
  (against) =>
    libraryRow(against, {
      name: "credits",
      store: "server",
      kind: "credits",
      wallets: 1,
      callers: 512,
      zipf: 0,
      ...load(against.settings.wallets)
    })

const past =
  (name: AgainstName, load: Partial<PastLoad>): Measure =>
  (against) =>
    pastRow(against, { name, through: "library", store: "server", wallets: "all", callers: 512, zipf: 0, ...load })

const rows: Readonly<Record<AgainstName, Measure>> = {
  "hot-1": library(() => ({ callers: 1 })),
  "hot-8": library(() => ({ callers: 8 })),
  "hot-64": library(() => ({ callers: 64 })),
  "hot-512": library(() => ({ callers: 512 })),
  "hot-2048": library(() => ({ callers: 2_048 })),
  "many-1": library((wallets) => ({ wallets, callers: 1 })),
  "many-32": library((wallets) => ({ wallets, callers: 32 })),
  "many-256": library((wallets) => ({ wallets, callers: 256 })),
  "many-uniform": library((wallets) => ({ wallets })),
  "many-zipf": library((wallets) => ({ wallets, zipf: 1 })),
  "embedded-hot": library(() => ({ store: "folder" })),
  "embedded-many": library((wallets) => ({ store: "folder", wallets })),
  "transfers-many": library((wallets) => ({ kind: "transfers among many", wallets })),
  "transfers-one": library((wallets) => ({ kind: "transfers into one", wallets: wallets + 1 })),
  "http-4": (against) => httpRow(against, { connections: 4, wallets: 10_000 }),
  "http-32": (against) => httpRow(against, { connections: 32, wallets: 10_000 }),
  "http-256": (against) => httpRow(against, { connections: 256, wallets: 1_000 }),
  "http-hot-32": (against) => httpRow(against, { connections: 32, wallets: 1 }),
  "http-hot-256": (against) => httpRow(against, { connections: 256, wallets: 1 }),
  "http-many-256": (against) => httpRow(against, { connections: 256, wallets: 10_000 }),
  "http-transfers-1": (against) => httpRow(against, { kind: "transfer", connections: 1, wallets: 10_000 }),
  "http-transfers-32": (against) => httpRow(against, { kind: "transfer", connections: 32, wallets: 10_000 }),
  "http-transfers-256": (against) => httpRow(against, { kind: "transfer", connections: 256, wallets: 10_000 }),
  "http-batch-hot": (against) => httpRow(against, { kind: "credits to one in batches", connections: 4, wallets: 1 }),
  "http-batch-spread": (against) => httpRow(against, { kind: "credits in batches", connections: 4, wallets: 10_000 }),
  "http-batch-transfers": (against) =>
    httpRow(against, { kind: "transfers in batches", connections: 4, wallets: 10_000 }),
  "history-postgres": (against) => historyRow(against, "server"),
  "history-embedded": (against) => historyRow(against, "folder"),
  "past-hot-1": past("past-hot-1", { wallets: "one", callers: 1 }),
  "past-hot-8": past("past-hot-8", { wallets: "one", callers: 8 }),
  "past-hot-64": past("past-hot-64", { wallets: "one", callers: 64 }),
  "past-hot-512": past("past-hot-512", { wallets: "one" }),
  "past-hot-2048": past("past-hot-2048", { wallets: "one", callers: 2_048 }),
  "past-many-1": past("past-many-1", { callers: 1 }),
  "past-many-32": past("past-many-32", { callers: 32 }),
  "past-many-256": past("past-many-256", { callers: 256 }),
  "past-many-uniform": past("past-many-uniform", {}),
  "past-many-zipf": past("past-many-zipf", { zipf: 1 }),
  "past-http-4": past("past-http-4", { through: "HTTP", callers: 4 }),
  "past-http-32": past("past-http-32", { through: "HTTP", callers: 32 }),
  "past-http-256": past("past-http-256", { through: "HTTP", callers: 256 }),
  "past-http-hot-32": past("past-http-hot-32", { through: "HTTP", wallets: "one", callers: 32 }),
  "past-http-hot-256": past("past-http-hot-256", { through: "HTTP", wallets: "one", callers: 256 }),
  "past-http-many-256": past("past-http-many-256", { through: "HTTP", callers: 256 }),
  "past-embedded-hot": past("past-embedded-hot", { store: "folder", wallets: "one" }),
  "past-embedded-many": past("past-embedded-many", { store: "folder" })
}

/** Runs the rows that are asked for; says on standard error where it is. */
export const runAgainst = Effect.fnUntraced(function* (
  settings: BenchSettings,
  folder: string,
  only: ReadonlyArray<AgainstName>
) {
  const other: Checkout = { name: folder, folder }
  const server = yield* (yield* BenchServers).postgres
  const withoutPasts = {
    settings,
    checkouts: [thisCheckout, other],
    server,
    serverConditions: server === undefined ? "PostgreSQL" : yield* serverConditions(server.url)
  } as const
  const against: Against = { ...withoutPasts, pasts: yield* makePasts(withoutPasts) }
  const measured: Array<Row> = []
  const skipped: Array<Skipped> = []
  for (const name of only) {
    if (server === undefined && !name.includes("embedded")) {
      skipped.push({ part: name, reason: "PostgreSQL is not on this machine" })
      continue
    }
    yield* Console.error(`bench: ${name} …`)
    const row = rows[name](against)
    const withoutServer = server === undefined || name.includes("embedded")
    const found = yield* withoutServer ? row : Effect.provide(row, CostProbe.layer(server))
    measured.push(...found.map(withPairs))
  }
  const sides = against.checkouts.map((checkout) => ({ name: checkout.name, revision: revisionOf(checkout) }))
  return { conditions: yield* conditionsOf(settings), sides, rows: measured, skipped } satisfies Report
}, Effect.scoped)
