/** One of the threads that send a load together: sends its turns, says how it goes, and at the end what it has counted. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { CommandLedger } from "./CommandLedger.ts"
import { layerHttp } from "./HttpTarget.ts"
import { drawsOf, sendTurn, startWatch } from "./Load.ts"
import { LoadTarget } from "./LoadTarget.ts"
import type { ThreadMessage, ThreadStart } from "./LoadThreads.ts"
import { Operations, RunNames } from "./Operations.ts"
import { Pacer } from "./Pacer.ts"
import { Tally } from "./Tally.ts"

const tellProgress = Effect.fnUntraced(function* (tally: Tally, say: (message: ThreadMessage) => void) {
  for (let [answered, failures] = [0, 0]; ;) {
    yield* Effect.sleep("1 second")
    const recent = tally.takeRecent().pack()
    say({ _tag: "Progress", answered: tally.answered - answered, failures: tally.failures - failures, recent })
    answered = tally.answered
    failures = tally.failures
  }
})

/** `begun`: completes when all threads are to begin. */
export const runThread = (
  { from, options, target, turn }: ThreadStart,
  begun: Effect.Effect<void>,
  say: (message: ThreadMessage) => void
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { distribution, phases, run, seed } = options
    const ledger = new CommandLedger(distribution.wallets, yield* drawsOf(seed, `sample ${turn.index}`))
    const operations = new Operations(yield* LoadTarget, ledger, new RunNames(run))
    const tally = new Tally(phases)
    say({ _tag: "Ready" })
    yield* begun
    const elapsed = yield* startWatch
    yield* Effect.raceFirst(sendTurn(options, turn, from, { tally, operations, elapsed }), tellProgress(tally, say))
    say({ _tag: "Done", tally: tally.pack(), ledger: ledger.pack() })
  }).pipe(
    Effect.provide(
      Layer.merge(
        layerHttp({ ...target, url: new URL(target.url), apiKey: Redacted.make(target.apiKey) }),
        Pacer.layerThread
      )
    )
  )
