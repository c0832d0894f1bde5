/** Stores that are gone: stopped, killed, both at once; for as long as asked, under load. */
import * as Effect from "effect/Effect"
import { type Rig, startRig, type Stores } from "./Rig.ts"
import type { RunOptions, Scenario } from "./Scenario.ts"
import { underLoad } from "./UnderLoad.ts"

/** A client of KurrentDB finds a server that was started again within some six seconds of it. */
const healLimitMillis = 15_000

const warmMillis = 2_000

/** Load before the fault; for a short fault a shorter one. */
export const warmOf = (seconds: number): number => Math.min(warmMillis, seconds * 300)

const outage =
  (name: string, what: string, fault: (rig: Rig, pause: Effect.Effect<void>) => Effect.Effect<unknown>) =>
  (options: RunOptions) =>
    Effect.gen(function* () {
      const rig = yield* startRig(options)
      return yield* underLoad(rig, {
        scenario: name,
        what: `${what}, ${options.seconds} s, under ${rig.client.options.connections} connections`,
        warmMillis: warmOf(options.seconds),
        healLimitMillis,
        fault: Effect.as(fault(rig, Effect.sleep(options.seconds * 1_000)), {})
      })
    })

const scenario = (
  name: string,
  summary: string,
  stores: ReadonlyArray<Stores>,
  fault: (rig: Rig, pause: Effect.Effect<void>) => Effect.Effect<unknown>
): Scenario => ({ name, summary, stores, seconds: 30, count: 0, run: outage(name, summary, fault) })

/** A server's death and its start on the same data, again and again for as long as `pause` lasts. */
const killAgain = (rig: Rig, pause: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const { kurrent } = rig
    if (kurrent === undefined) return
    const until = yield* Effect.forkChild(pause)
    do {
      yield* kurrent.kill
      yield* Effect.sleep(1_000)
      yield* kurrent.start
      yield* Effect.sleep(3_000)
    } while (until.pollUnsafe() === undefined)
  })

export const outages: ReadonlyArray<Scenario> = [
  scenario("pg-stop-fast", "PostgreSQL stopped (fast)", ["both", "postgres"], ({ postgres }, pause) =>
    postgres.stop("fast").pipe(Effect.andThen(pause), Effect.andThen(postgres.start))
  ),
  scenario("pg-stop-immediate", "PostgreSQL stopped (immediate)", ["both", "postgres"], ({ postgres }, pause) =>
    postgres.stop("immediate").pipe(Effect.andThen(pause), Effect.andThen(postgres.start))
  ),
  scenario("log-kill", "KurrentDB killed and started again, over and over", ["both"], killAgain),
  scenario("log-down", "KurrentDB killed, and gone", ["both"], ({ kurrent }, pause) =>
    kurrent === undefined ? Effect.void : kurrent.kill.pipe(Effect.andThen(pause), Effect.andThen(kurrent.start))
  ),
  scenario("both-kill", "KurrentDB and PostgreSQL killed at once, and gone", ["both"], ({ kurrent, postgres }, pause) =>
    kurrent === undefined
      ? Effect.void
      : Effect.all([kurrent.kill, postgres.kill], { concurrency: 2 }).pipe(
          Effect.andThen(pause),
          Effect.andThen(Effect.all([kurrent.start, postgres.start], { concurrency: 2 }))
        )
  ),
  scenario("log-freeze", "KurrentDB neither answers nor closes", ["both"], ({ kurrent }, pause) =>
    kurrent === undefined ? Effect.void : kurrent.freeze.pipe(Effect.andThen(pause), Effect.andThen(kurrent.thaw))
  )
]
