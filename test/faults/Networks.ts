/** What networks do between the service and its stores: cuts, half-closes, delays, answers that are lost after the write. */
import * as Effect from "effect/Effect"
import type { ProxyMode, TcpProxy } from "../support/tcpProxy.ts"
import { type Rig, startRig } from "./Rig.ts"
import type { RunOptions, Scenario } from "./Scenario.ts"
import { underLoad } from "./UnderLoad.ts"
import { warmOf } from "./Outages.ts"

const healLimitMillis = 15_000

type Trouble = (proxy: TcpProxy, random: (below: number) => number) => Effect.Effect<unknown>

const forAWhile =
  (mode: ProxyMode, millis: number): Trouble =>
  (proxy) =>
    Effect.andThen(proxy.set(mode), Effect.sleep(millis))

/** In the middle of whatever is being written. */
const cut: Trouble = (proxy, random) => Effect.andThen(Effect.sleep(random(30)), proxy.drop)

const halfClose: Trouble = (proxy) => proxy.halfClose

/** The write is done, its answer thrown away, and then the connection breaks. */
const loseAnswers: Trouble = (proxy) =>
  proxy
    .set({ _tag: "SwallowAnswers" })
    .pipe(Effect.andThen(Effect.timeoutOption(proxy.swallowed, 1_000)), Effect.andThen(proxy.drop))

const cutAnswer: Trouble = (proxy, random) =>
  Effect.andThen(proxy.set({ _tag: "CutAnswers", afterBytes: 1 + random(200) }), Effect.sleep(200))

const refuse: Trouble = (proxy) =>
  proxy.set({ _tag: "Refuse" }).pipe(Effect.andThen(proxy.drop), Effect.andThen(Effect.sleep(300)))

const troubles: Readonly<Record<string, Trouble>> = {
  cut,
  "half-close": halfClose,
  delay: forAWhile({ _tag: "Delay", millis: 300 }, 1_000),
  silence: forAWhile({ _tag: "Hold" }, 1_000),
  "lost answer": loseAnswers,
  "cut answer": cutAnswer,
  refused: refuse
}

/** One trouble after the other, each once at least, until the time is up. */
const trouble = (rig: Rig, proxies: ReadonlyArray<TcpProxy>, millis: number) =>
  Effect.gen(function* () {
    const { random } = rig.client
    const names = Object.keys(troubles)
    const until = performance.now() + millis
    let count = 0
    while (performance.now() < until || count < names.length) {
      const name = names[count % names.length]!
      const proxy = proxies[random(proxies.length)]!
      yield* troubles[name]!(proxy, random)
      yield* proxy.set({ _tag: "Pass" })
      yield* Effect.sleep(random(400))
      count++
    }
    return { troubles: count, of: names.join(", ") }
  })

const scenario = (
  name: string,
  summary: string,
  stores: Scenario["stores"],
  of: (rig: Rig) => ReadonlyArray<TcpProxy | undefined>
): Scenario => ({
  name,
  summary,
  stores,
  seconds: 30,
  count: 0,
  run: (options: RunOptions) =>
    Effect.gen(function* () {
      const rig = yield* startRig(options)
      const proxies = of(rig).filter((proxy) => proxy !== undefined)
      return yield* underLoad(rig, {
        scenario: name,
        what: `${summary}, ${options.seconds} s`,
        warmMillis: warmOf(options.seconds),
        healLimitMillis,
        fault: trouble(rig, proxies, options.seconds * 1_000)
      })
    })
})

export const networks: ReadonlyArray<Scenario> = [
  scenario("pg-network", "a bad network before PostgreSQL", ["both", "postgres"], (rig) => [rig.postgresProxy]),
  scenario("log-network", "a bad network before KurrentDB", ["both"], (rig) => [rig.kurrentProxy]),
  scenario("both-network", "a bad network before both stores", ["both"], (rig) => [rig.postgresProxy, rig.kurrentProxy])
]
