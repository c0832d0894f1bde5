/**
 * The frame of most scenarios: a load, a fault in the middle of it, the time until all
 * is well again, and then what was told against what is there.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { audit, verifyNow, type Verified } from "./Audit.ts"
import type { Claimed, FaultClient } from "./FaultClient.ts"
import { runLoad, sendAgain, settleOpen } from "./FaultClient.ts"
import { type Outcome, promisesBroken } from "./Outcome.ts"
import { asAdmin, directStores, readiness, residentMegabytes, type Rig } from "./Rig.ts"

export interface LoadPlan {
  readonly scenario: string
  readonly what: string
  /** Completes when the fault is over. What it answers is printed with the figures. */
  readonly fault: Effect.Effect<Readonly<Record<string, number | string>>>
  /** Load before the fault, and after it is healed, ms. */
  readonly warmMillis: number
  /** From the end of the fault, ms. */
  readonly healLimitMillis: number
  /** Runs once all is well, with the load still on. */
  readonly healed?: Effect.Effect<Readonly<Record<string, number | string>>>
  /** Further promises, from the figures. */
  readonly broken?: (figures: Readonly<Record<string, number | string>>, most: number) => ReadonlyArray<string>
}

/** All answers have been whole for so long: that is well, ms. */
const quietMillis = 1_000

/** Nothing is waited for longer than this. */
const patienceMillis = 90_000

/** Until the service calls itself well and has given whole answers alone for a second; since when, as ms after `since`. */
const whenHealed = Effect.fnUntraced(function* (rig: Rig, since: number) {
  const { client } = rig
  let wellSince: number | undefined
  while (performance.now() - since < patienceMillis) {
    const said = yield* readiness(rig)
    const isWell = said === "ok"
    if (!isWell) yield* Effect.logDebug(`the service says: ${said}`)
    const now = performance.now()
    wellSince = isWell ? (wellSince ?? now) : undefined
    const lastPoor = Math.max(client.lastPoor, since)
    if (wellSince !== undefined && client.lastFull > since && now - lastPoor >= quietMillis) {
      return Math.round(Math.max(lastPoor, wellSince) - since)
    }
    yield* Effect.sleep(50)
  }
  return patienceMillis
})

/** The most that the service's process has had, for as long as it is watched. */
export const watchMemory = Effect.fnUntraced(function* (rig: Rig) {
  const memory = { start: yield* residentMegabytes(rig), most: 0 }
  const look = Effect.map(residentMegabytes(rig), (now) => {
    memory.most = Math.max(memory.most, now)
  })
  yield* Effect.forkChild(Effect.forever(Effect.andThen(look, Effect.sleep(250))))
  return memory
})

/** One of so many answers that say `persisted` is held against PostgreSQL. */
const sampledAnswers = 50

/** Asks PostgreSQL itself about some of the answers that said that it has it; where it cannot be asked, nobody is. */
export const watchPersisted = Effect.fnUntraced(function* (rig: Rig) {
  const { client } = rig
  const waiting: Array<Claimed> = []
  const checked = { count: 0 }
  client.onPersisted = (claimed) => {
    if (client.random(sampledAnswers) === 0 && waiting.length < 100) waiting.push(claimed)
  }
  const look = Effect.suspend(() => {
    const claims = waiting.splice(0)
    if (claims.length === 0) return Effect.void
    const ids = claims.map(({ walletId }) => walletId)
    return asAdmin(
      rig,
      (sql) => sql<{ readonly id: string; readonly version: string | number }>`
      select id, version from wallets where id in ${sql.in(ids)}`
    ).pipe(
      Effect.map((rows) => {
        const versions = new Map(rows.map(({ id, version }) => [id, Number(version)]))
        for (const { version, walletId } of claims) {
          checked.count++
          if ((versions.get(walletId) ?? -1) >= version) continue
          client.say({ kind: "credit", key: "", walletId }, `version ${version} was told persisted, and is not there`)
        }
      }),
      Effect.catchDefect(() => Effect.void)
    )
  })
  yield* Effect.forkChild(Effect.forever(Effect.andThen(look, Effect.sleep(200))))
  return checked
})

/** Until the stores tell the same, which the service has to see to by itself. */
export const converge = Effect.fnUntraced(function* (rig: Rig, limitMillis = 10_000) {
  const started = performance.now()
  const last = yield* Effect.gen(function* () {
    let report: Verified = yield* verifyNow
    while (report.differences > 0 && performance.now() - started < limitMillis) {
      yield* Effect.sleep(200)
      report = yield* verifyNow
    }
    return report
  }).pipe(Effect.provide(directStores(rig)), Effect.orDie)
  return { verified: last, millis: Math.round(performance.now() - started) }
})

export const auditOf = (rig: Rig) => audit(rig.client).pipe(Effect.provide(directStores(rig)), Effect.orDie)

/** After the load: everything asked about is told, samples are told once more; `false`: it never was. */
export const closeBooks = (client: FaultClient): Effect.Effect<boolean> =>
  Effect.andThen(settleOpen(client), sendAgain(client, 200)).pipe(
    Effect.timeoutOption(patienceMillis),
    Effect.map((done) => done._tag === "Some")
  )

/** SIGTERM, in time and with exit code 0. */
export const endService = Effect.fnUntraced(function* (rig: Rig) {
  const { exited, kill } = rig.service.current
  yield* kill("SIGTERM")
  const code = yield* exited
  yield* rig.service.kill
  return code === 0 ? [] : [`the service ended with ${code}`]
})

export const underLoad = Effect.fnUntraced(function* (rig: Rig, plan: LoadPlan): Effect.fn.Return<Outcome> {
  const { client } = rig
  const started = performance.now()
  const memory = yield* watchMemory(rig)
  const checked = yield* watchPersisted(rig)
  const load = yield* Effect.forkChild(runLoad(client))
  yield* Effect.sleep(plan.warmMillis)
  client.phase = "fault"
  yield* Effect.logDebug(`${plan.scenario}: the fault begins`)
  const faultFigures = yield* plan.fault
  const mended = performance.now()
  client.phase = "after"
  yield* Effect.logDebug(`${plan.scenario}: the fault is over`, faultFigures, client.answers)
  const healMillis = yield* whenHealed(rig, mended)
  yield* Effect.logDebug(`${plan.scenario}: healed after ${healMillis} ms`)
  const healedFigures = plan.healed === undefined ? {} : yield* plan.healed
  yield* Effect.sleep(plan.warmMillis)
  client.running = false
  yield* Fiber.join(load)
  yield* Effect.logDebug(`${plan.scenario}: the load has ended`)
  const closed = yield* closeBooks(client)
  yield* Effect.logDebug(`${plan.scenario}: every command has its answer: ${closed}`)
  const { millis, verified } = yield* converge(rig)
  const verdict = yield* auditOf(rig)
  const figures = {
    ...faultFigures,
    ...healedFigures,
    "persisted answers held against PostgreSQL": checked.count,
    "verify clean after ms": millis
  }
  const problems = [
    ...promisesBroken(verdict, verified, { millis: healMillis, limit: plan.healLimitMillis }),
    ...(closed ? [] : ["some commands were never settled"]),
    ...(plan.broken?.(figures, memory.most) ?? []),
    ...(yield* endService(rig))
  ]
  return {
    scenario: plan.scenario,
    what: plan.what,
    stores: rig.stores,
    seed: client.options.seed,
    connections: client.options.connections,
    verdict,
    verified,
    healMillis,
    durationMillis: Math.round(performance.now() - started),
    answers: client.answers,
    slowestMillis: client.slowest,
    resident: memory,
    figures,
    problems
  }
})
