/**
 * The service killed between two steps of its write pipeline, and started again by
 * nothing but a supervisor: what it left behind is finished without anybody asking.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { openWork } from "./Audit.ts"
import { runLoad } from "./FaultClient.ts"
import { failCountVariable, type FailPoint, failPointVariable } from "./FailPoints.ts"
import { type Outcome, promisesBroken } from "./Outcome.ts"
import { directStores, type Rig, startRig } from "./Rig.ts"
import type { RunOptions, Scenario } from "./Scenario.ts"
import { auditOf, closeBooks, converge, endService } from "./UnderLoad.ts"

/** From the start of the process on, as the bar says: a single node needs no lease to run out. */
const healLimitMillis = 5_000

const mortalProgram = new URL("./failPointService.ts", import.meta.url)

/** A service that has not died by itself after so long is killed wherever it is, ms. */
const patienceMillis = 20_000

const pipelinePoints: ReadonlyArray<FailPoint> = [
  "append.before",
  "append.after",
  "write.before",
  "write.after",
  "sent.after",
  "received.after",
  "snapshot.before",
  "snapshot.after",
  "refuse.before",
  "refuse.after",
  "reversal.before",
  "reversal.after",
  "reversalWrite.before",
  "reversalWrite.after"
]

/** Such points exist only where a rule of the user's refuses something. */
const needsRule = (point: FailPoint): boolean => point.startsWith("refuse.") || point.startsWith("reversal")

export interface Death {
  readonly point: FailPoint
  readonly count: number
  /** It was reached, and the service died there. */
  readonly reached: boolean
  /** From the new process's readiness to equal stores, with nobody asking for anything, ms. */
  readonly healMillis: number
  /** What was never finished. */
  readonly open: ReadonlyArray<string>
}

/** Load on a service that dies at the point. */
const dieAt = Effect.fnUntraced(function* (rig: Rig, point: FailPoint, count: number) {
  const { client } = rig
  const service = yield* rig.service.start({
    program: mortalProgram,
    environment: { [failPointVariable]: point, [failCountVariable]: String(count), WALLET_SNAPSHOT_EVENTS: "20" }
  })
  client.url = new URL(service.url)
  const load = yield* Effect.forkChild(runLoad(client))
  const died = yield* Effect.timeoutOption(service.exited, patienceMillis)
  client.running = false
  yield* rig.service.kill
  yield* Fiber.join(load)
  return died._tag === "Some"
})

/** Nobody sends anything until the stores are level again: from the new process's start on. */
const healAlone = Effect.fnUntraced(
  function* (rig: Rig) {
    // What the dead service had sent lands before the next one takes its claims: looked at from there on.
    const started = performance.now()
    const service = yield* rig.service.start()
    rig.client.url = new URL(service.url)
    const ready = performance.now()
    let open = yield* openWork
    while (open.length > 0 && performance.now() - ready < patienceMillis) {
      yield* Effect.sleep(20)
      open = yield* openWork
    }
    const now = performance.now()
    return { startMillis: Math.round(ready - started), healMillis: Math.round(now - ready), open }
  },
  (heal, rig) => heal.pipe(Effect.provide(directStores(rig)), Effect.orDie)
)

/** One death and what follows; open commands are settled before the next. */
export const dieAndHeal = Effect.fnUntraced(function* (
  rig: Rig,
  point: FailPoint,
  count: number
): Effect.fn.Return<Death> {
  const reached = yield* dieAt(rig, point, count)
  const { healMillis, open, startMillis } = yield* healAlone(rig)
  yield* Effect.logDebug(`${point} ${count}: reached ${reached}, up in ${startMillis} ms, healed in ${healMillis} ms`)
  const closed = yield* closeBooks(rig.client)
  yield* rig.service.kill
  return { point, count, reached, healMillis, open: closed ? open : [...open, "some commands were never settled"] }
})

/** What the deaths have shown, with the audit of all of them. */
export const deathsOutcome = Effect.fnUntraced(function* (
  rig: Rig,
  about: { readonly scenario: string; readonly what: string; readonly started: number },
  deaths: ReadonlyArray<Death>
): Effect.fn.Return<Outcome> {
  const { client } = rig
  const service = yield* rig.service.start()
  client.url = new URL(service.url)
  yield* closeBooks(client)
  const { verified } = yield* converge(rig)
  const verdict = yield* auditOf(rig)
  const healMillis = Math.max(...deaths.map((death) => death.healMillis))
  const unreached = deaths.filter(({ reached }) => !reached)
  return {
    scenario: about.scenario,
    what: about.what,
    stores: rig.stores,
    seed: client.options.seed,
    connections: client.options.connections,
    verdict,
    verified,
    healMillis,
    durationMillis: Math.round(performance.now() - about.started),
    answers: client.answers,
    slowestMillis: client.slowest,
    resident: { start: 0, most: 0 },
    figures: {
      deaths: deaths.length,
      "heal by point, ms": deaths.map(({ count, healMillis, point }) => `${point} ${count}: ${healMillis}`).join("; ")
    },
    problems: [
      ...promisesBroken(verdict, verified, { millis: healMillis, limit: healLimitMillis }),
      ...unreached.map(({ count, point }) => `${point} was not reached ${count} times`),
      ...deaths.flatMap(({ open, point }) => open.map((text) => `after ${point}: ${text}`)),
      ...(yield* endService(rig))
    ]
  }
})

const points = (stores: Rig["stores"]): ReadonlyArray<FailPoint> =>
  pipelinePoints.filter((point) => !needsRule(point) && (stores === "both" || !point.startsWith("write.")))

const run = (options: RunOptions) =>
  Effect.gen(function* () {
    const started = performance.now()
    const rig = yield* startRig({ ...options, client: { wallets: 60, connections: 32 } })
    yield* rig.service.kill
    const deaths: Array<Death> = []
    for (let round = 0; round < options.count; round++) {
      for (const point of points(options.stores)) {
        const most = point.startsWith("snapshot") ? 5 : 40
        deaths.push(yield* dieAndHeal(rig, point, 1 + rig.client.random(most)))
      }
    }
    return yield* deathsOutcome(
      rig,
      { scenario: "kill", what: "the service killed between two steps of its pipeline, under load", started },
      deaths
    )
  })

export const kills: ReadonlyArray<Scenario> = [
  {
    name: "kill",
    summary: "the service killed between any two steps of its pipeline, and started again",
    stores: ["both", "postgres"],
    seconds: 0,
    count: 2,
    run
  }
]
