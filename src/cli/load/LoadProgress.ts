/** The line on standard error that tells how a load goes: drawn over itself on a terminal, else one every few seconds. */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import type { LoadProgress } from "../../load/Load.ts"
import { makeProgress } from "../Output.ts"

/** Between two lines where they are not drawn over each other, milliseconds. */
const lineMillis = 5_000

export const progressText = (progress: LoadProgress): string => {
  switch (progress._tag) {
    case "Wallets":
      return `load: ${progress.made.toLocaleString("en")} of ${progress.wallets.toLocaleString("en")} wallets made`
    case "Check":
      return "load: checking what the service has kept"
    case "Load": {
      const { elapsedMillis, failures, p99, perSecond, totalMillis } = progress
      const rest = Math.round((totalMillis - elapsedMillis) / 1_000)
      const rate = Math.round(perSecond).toLocaleString("en")
      const left = rest >= 0 ? `${rest} s left` : "waiting for what is late"
      return `load: ${rate}/s, p99 ${p99.toFixed(1)} ms, ${failures.toLocaleString("en")} errors, ${left}`
    }
  }
}

/** Standard output is left alone: with `--json` it is the document's. */
export const makeLoadProgress = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  if (yield* stdio.stderrIsTerminal) {
    const line = yield* makeProgress(false)
    return { show: (progress: LoadProgress) => line.show(progressText(progress)), clear: line.clear }
  }
  let shownAt = -Infinity
  let shown = ""
  const show = Effect.fnUntraced(function* (progress: LoadProgress) {
    const now = yield* Clock.currentTimeMillis
    if (progress._tag === shown && now - shownAt < lineMillis) return
    shown = progress._tag
    shownAt = now
    yield* Console.error(progressText(progress))
  })
  return { show, clear: Effect.void }
})
