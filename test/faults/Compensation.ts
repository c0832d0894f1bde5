/**
 * A user's rules in PostgreSQL refuse what is in the log: exactly that is undone, also
 * when the service dies between any two steps of it, and a rebuild under the same rules
 * comes to the same. An administrator's mistake undoes nothing, and heals when mended.
 */
import * as Effect from "effect/Effect"
import { runWallet } from "../cli/WalletProcess.ts"
import type { FailPoint } from "./FailPoints.ts"
import { runLoad } from "./FaultClient.ts"
import { type Death, deathsOutcome, dieAndHeal } from "./Kills.ts"
import { warmOf } from "./Outages.ts"
import { execute, metric, type Rig, startRig } from "./Rig.ts"
import type { RunOptions, Scenario } from "./Scenario.ts"
import { closeBooks, underLoad } from "./UnderLoad.ts"
import { addRules, mistakes } from "./UserRules.ts"

const healLimitMillis = 15_000

const points: ReadonlyArray<FailPoint> = [
  "refuse.before",
  "refuse.after",
  "reversal.before",
  "reversal.after",
  "reversalWrite.before",
  "reversalWrite.after"
]

/** Enough for what is allowed; so little that what is not allowed would be missed. */
const funds = "20000"

const environment = { WALLET_COMPENSATIONS_PER_MINUTE: "1000000" }

const replayAll = Effect.fnUntraced(function* (rig: Rig, ...flags: ReadonlyArray<string>) {
  const started = performance.now()
  const { code, stderr, stdout } = yield* runWallet(["replay", ...flags, "--json"], rig.direct)
  if (code !== 0) return yield* Effect.die(new Error(`wallet replay ${flags.join(" ")} ended with ${code}: ${stderr}`))
  const { events, refused } = JSON.parse(stdout) as { readonly events: number; readonly refused: number }
  return { events, refused, millis: Math.round(performance.now() - started) }
})

const compensate = (options: RunOptions) =>
  Effect.gen(function* () {
    const started = performance.now()
    const client = { wallets: 60, connections: 32, forbiddenPercent: 12, funds }
    const rig = yield* startRig({ ...options, environment, client })
    yield* addRules(rig)
    yield* runLoad(rig.client).pipe(
      Effect.timeoutOption(options.seconds * 1_000),
      Effect.ensuring(Effect.sync(() => (rig.client.running = false)))
    )
    yield* closeBooks(rig.client)
    yield* rig.service.kill
    const deaths: Array<Death> = []
    for (let round = 0; round < options.count; round++) {
      for (const point of points) deaths.push(yield* dieAndHeal(rig, point, 1 + rig.client.random(5)))
    }
    const replayed = yield* replayAll(rig, "--erase", "--yes")
    const rebuilt = yield* replayAll(rig, "--rebuild")
    const outcome = yield* deathsOutcome(
      rig,
      {
        scenario: "compensation",
        what: "rules of the user's refuse an eighth of all commands; the service killed between any two steps; rebuilt under the rules",
        started
      },
      deaths
    )
    const broken = [
      ...(outcome.verified.refusals === 0 ? ["nothing was refused"] : []),
      ...(replayed.refused === outcome.verified.refusals ? [] : [`replay refused ${replayed.refused}`]),
      ...(rebuilt.refused === outcome.verified.refusals ? [] : [`the rebuild refused ${rebuilt.refused}`])
    ]
    return {
      ...outcome,
      figures: {
        ...outcome.figures,
        refusals: outcome.verified.refusals,
        "replay under the rules, events/s": Math.round((replayed.events * 1_000) / replayed.millis)
      },
      problems: [...outcome.problems, ...broken]
    }
  })

const mistaken = (options: RunOptions) =>
  Effect.gen(function* () {
    const rig = yield* startRig({ ...options, environment })
    return yield* underLoad(rig, {
      scenario: "mistakes",
      what: `${mistakes.map(({ name }) => name).join(", then ")}, ${options.seconds} s each`,
      warmMillis: warmOf(options.seconds),
      healLimitMillis,
      fault: Effect.gen(function* () {
        for (const { make, mend } of mistakes) {
          yield* execute(rig, ...make)
          yield* Effect.sleep(options.seconds * 1_000)
          yield* execute(rig, ...mend)
          yield* Effect.sleep(1_000)
        }
        return {}
      }),
      healed: Effect.map(metric(rig, "wallet_compensations_total"), (compensations) => ({ compensations })),
      broken: ({ compensations }) => (compensations === 0 ? [] : [`${compensations} compensations`])
    })
  })

export const compensations: ReadonlyArray<Scenario> = [
  {
    name: "compensation",
    summary: "a user's trigger and constraint refuse what is in the log; deaths between any two steps; replay",
    stores: ["both"],
    seconds: 10,
    count: 2,
    run: compensate
  },
  {
    name: "mistakes",
    summary: "a dropped column, a revoked right: nothing is reversed, all heals when mended",
    stores: ["both"],
    seconds: 10,
    count: 0,
    run: mistaken
  }
]
