/** Stores that answer two seconds late: the service keeps its bounds, and what needs no store is answered as ever. */
import * as Effect from "effect/Effect"
import type { TcpProxy } from "../support/tcpProxy.ts"
import { type Rig, startRig } from "./Rig.ts"
import type { RunOptions, Scenario } from "./Scenario.ts"
import { warmOf } from "./Outages.ts"
import { underLoad } from "./UnderLoad.ts"

/** Each way, so that a write takes two seconds. */
const delayMillis = 1_000

const healLimitMillis = 20_000

/** The bounds allow more; so much is what 64 callers can bring about, MB. */
const mostMegabytes = 600

const scenario = (
  name: string,
  summary: string,
  stores: Scenario["stores"],
  of: (rig: Rig) => TcpProxy | undefined
): Scenario => ({
  name,
  summary,
  stores,
  seconds: 30,
  count: 0,
  run: (options: RunOptions) =>
    Effect.gen(function* () {
      // Callers who wait for the log alone fill the way to PostgreSQL.
      const rig = yield* startRig({ ...options, client: { awaits: ["committed", "persisted"], connections: 256 } })
      const proxy = of(rig)
      return yield* underLoad(rig, {
        scenario: name,
        what: `${summary}, ${options.seconds} s, under ${rig.client.options.connections} connections`,
        warmMillis: warmOf(options.seconds),
        healLimitMillis,
        fault:
          proxy === undefined
            ? Effect.succeed({})
            : proxy
                .set({ _tag: "Delay", millis: delayMillis })
                .pipe(
                  Effect.andThen(Effect.sleep(options.seconds * 1_000)),
                  Effect.andThen(proxy.set({ _tag: "Pass" })),
                  Effect.as({})
                ),
        broken: (_, most) => (most > mostMegabytes ? [`${most} MB, allowed are ${mostMegabytes}`] : [])
      })
    })
})

export const slowStores: ReadonlyArray<Scenario> = [
  scenario("pg-slow", "every write to PostgreSQL takes 2 s", ["both", "postgres"], (rig) => rig.postgresProxy),
  scenario("log-slow", "every append to KurrentDB takes 2 s", ["both"], (rig) => rig.kurrentProxy)
]
