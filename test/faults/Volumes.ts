/** Many commands: a rebuild of PostgreSQL while more come, and a backlog that is worked off while more come. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { existsSync } from "node:fs"
import { join, resolve } from "node:path"
import { runWallet } from "../cli/WalletProcess.ts"
import { type FaultClient, movementKinds, runLoad, sendOne, withConnection } from "./FaultClient.ts"
import { type Outcome, promisesBroken } from "./Outcome.ts"
import { warmOf } from "./Outages.ts"
import { asAdmin, execute, type Rig, startRig } from "./Rig.ts"
import type { RunOptions, Scenario } from "./Scenario.ts"
import { auditOf, closeBooks, converge, endService, underLoad, watchMemory } from "./UnderLoad.ts"

/** Real data of a bank, beside this repository where it was handed out; not ours to publish. */
const bankSample = resolve(import.meta.dirname, "../../../shared/data/bank-sample.csv")
const madeUpSample = join(import.meta.dirname, "../cli/fixtures/movements.csv")

/** What is derived from the log. Where that is elsewhere, the events are a copy. */
const derived = (rig: Rig): ReadonlyArray<string> => [
  "wallets",
  "holds",
  "transfers",
  "refusals",
  "checkpoints",
  ...(rig.stores === "both" ? ["events"] : [])
]

const perSecond = (count: number, millis: number): number => Math.round((count * 1_000) / Math.max(1, millis))

const runTool = Effect.fnUntraced(function* (rig: Rig, args: ReadonlyArray<string>) {
  const started = performance.now()
  const { code, stderr, stdout } = yield* runWallet([...args, "--json"], rig.direct)
  if (code !== 0) return yield* Effect.die(new Error(`wallet ${args.join(" ")} ended with ${code}: ${stderr}${stdout}`))
  return { report: JSON.parse(stdout) as Record<string, number>, millis: Math.round(performance.now() - started) }
})

const importSample = Effect.fnUntraced(function* (rig: Rig) {
  const file = existsSync(bankSample) ? bankSample : madeUpSample
  const { report } = yield* runTool(rig, ["import", file, "--url", rig.service.current.url])
  return `${report["imported"]} rows of ${file === bankSample ? "a real bank" : "a made-up file"}, ${report["balancesChecked"]} balances agree`
})

const mixedRun = Effect.fnUntraced(function* (rig: Rig, count: number) {
  const { client } = rig
  const imported = yield* importSample(rig)
  const before = performance.now()
  yield* runLoad(client, count)
  const loadMillis = performance.now() - before
  client.running = false
  const first = yield* converge(rig)
  const load = yield* Effect.forkChild(runLoad(client))
  yield* Effect.sleep(1_000)
  client.phase = "fault"
  const truncated = performance.now()
  const sentBefore = client.commands.length
  yield* execute(
    rig,
    `truncate ${derived(rig)
      .map((table) => `wallet.${table}`)
      .join(", ")}`
  )
  const { millis, report } = yield* runTool(rig, ["replay"])
  const replayed = performance.now()
  const sentMeanwhile = client.commands.length - sentBefore
  client.phase = "after"
  yield* Effect.sleep(1_000)
  client.running = false
  yield* Fiber.join(load)
  const closed = yield* closeBooks(client)
  const second = yield* converge(rig, 30_000)
  return {
    closed,
    verified: second.verified,
    firstDifferences: first.verified.found,
    healMillis: Math.round(replayed - truncated),
    figures: {
      import: imported,
      "commands/s": perSecond(count, loadMillis),
      "verify before, ms": first.verified.millis,
      "replay, events": report["events"] ?? 0,
      "replay, ms": millis,
      "replay, events/s": perSecond(report["events"] ?? 0, millis),
      "commands/s meanwhile": perSecond(sentMeanwhile, replayed - truncated),
      "verify clean after ms": second.millis
    }
  }
})

const mixed = (options: RunOptions) =>
  Effect.gen(function* (): Effect.fn.Return<Outcome, never, Scope.Scope> {
    const started = performance.now()
    const rig = yield* startRig({ ...options, client: { wallets: 1_000, connections: 128, batchPercent: 20 } })
    const { client } = rig
    const memory = yield* watchMemory(rig)
    const { closed, figures, firstDifferences, healMillis, verified } = yield* mixedRun(rig, options.count)
    const verdict = yield* auditOf(rig)
    return {
      scenario: "mixed",
      what: `${options.count.toLocaleString("en")} mixed commands, then all rows truncated and replayed while more come`,
      stores: rig.stores,
      seed: options.seed,
      connections: client.options.connections,
      verdict,
      verified,
      healMillis,
      durationMillis: Math.round(performance.now() - started),
      answers: client.answers,
      slowestMillis: client.slowest,
      resident: memory,
      figures,
      problems: [
        ...promisesBroken(verdict, verified, { millis: healMillis, limit: Number.POSITIVE_INFINITY }),
        ...firstDifferences.map((text) => `before the replay: ${text}`),
        ...(closed ? [] : ["some commands were never settled"]),
        ...(yield* endService(rig))
      ]
    }
  })

/** Events of all wallets that PostgreSQL has. */
const persistedEvents = (rig: Rig) =>
  Effect.map(
    asAdmin(rig, (sql) => sql<{ readonly events: string | null }>`select sum(version + 1) events from wallets`),
    ([row]) => Number(row?.events ?? 0)
  )

const eventsInLog = (client: FaultClient): number =>
  client.commands.reduce((sum, { view }) => sum + (view._tag === "Acknowledged" ? 1 : 0), 0)

/** Fewer than this are on their way in any case. */
const noBacklog = 500

/** How many times faster than new events come a backlog has to shrink. */
const leastRatio = 1.3

const durableMillis = 2_000

/** From the moment on that PostgreSQL is back: until what is missing is what is always on its way. */
const workOff = Effect.fnUntraced(function* (rig: Rig) {
  const started = performance.now()
  const [first, logFirst] = [yield* persistedEvents(rig), eventsInLog(rig.client)]
  let [now, logNow] = [first, logFirst]
  while (logNow - now > noBacklog && performance.now() - started < 120_000) {
    yield* Effect.sleep(100)
    now = yield* persistedEvents(rig)
    logNow = eventsInLog(rig.client)
  }
  const millis = performance.now() - started
  const [drained, arrived] = [perSecond(now - first, millis), perSecond(logNow - logFirst, millis)]
  return { backlog: logFirst - first, millis: Math.round(millis), drained, arrived }
})

/** Until a new command is told persisted, and the ones after it are, too. */
const durableAgain = Effect.fnUntraced(function* (client: FaultClient) {
  const started = performance.now()
  return yield* withConnection(client, (connection) =>
    Effect.gen(function* () {
      let since = performance.now()
      for (let whole = 0; whole < 20;) {
        const command = client.next(true)
        yield* sendOne(client, connection, command, "persisted")
        const { view } = command
        if (view._tag === "Rejected") continue
        if (view._tag === "Acknowledged" && view.persisted) whole++
        else {
          whole = 0
          since = performance.now()
        }
      }
      return Math.round(since - started)
    })
  )
})

const recovery = (options: RunOptions) =>
  Effect.gen(function* () {
    const client = { kinds: movementKinds, awaits: ["committed"] as const, batchPercent: 0, wallets: 500 }
    const rig = yield* startRig({ ...options, client })
    const { postgres } = rig
    return yield* underLoad(rig, {
      scenario: "recovery",
      what: `PostgreSQL away ${options.seconds} s while commands are committed, and the backlog worked off while more come`,
      warmMillis: warmOf(options.seconds),
      healLimitMillis: 60_000,
      fault: Effect.gen(function* () {
        yield* postgres.stop("fast")
        yield* Effect.sleep(options.seconds * 1_000)
        yield* postgres.start
        const { arrived, backlog, drained, millis } = yield* workOff(rig)
        const durable = yield* durableAgain(rig.client)
        return {
          backlog,
          "worked off in ms": millis,
          "drained/s": drained,
          "arrived/s": arrived,
          ratio: Math.round((drained / Math.max(1, arrived)) * 100) / 100,
          "durable again after ms": durable
        }
      }),
      broken: ({ "durable again after ms": durable, ratio }) => [
        ...(Number(ratio) < leastRatio ? [`drains ${ratio} × as fast as more comes, ${leastRatio} is promised`] : []),
        ...(Number(durable) > durableMillis ? [`durable again after ${durable} ms`] : [])
      ]
    })
  })

export const volumes: ReadonlyArray<Scenario> = [
  {
    name: "mixed",
    summary: "a bank's file and many mixed commands; all rows truncated and replayed while more come",
    stores: ["both"],
    seconds: 0,
    count: 100_000,
    run: mixed
  },
  {
    name: "recovery",
    summary: "a backlog worked off while more come",
    stores: ["both"],
    seconds: 30,
    count: 0,
    run: recovery
  }
]
