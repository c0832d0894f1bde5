/**
 * How fast a soak goes: at the rate that was asked for where the machine can, and slower where it cannot. A rate is too high
 * when commands wait to be sent, when a rebuild does not gain on it, and when search, with nothing in its way, does not come on.
 */
import * as Effect from "effect/Effect"
import type { SoakLoad } from "./SoakLoad.ts"
import type { SoakWatch } from "./SoakWatch.ts"

const lookMillis = 5_000

/** Search that has not come nearer to the log for so long needs a slower load, ms. */
const slowMillis = 20_000

const slower = 0.75
const faster = 1.1

/** Of the rate that was asked for. */
const leastShare = 0.02

/** For ever. */
export const pacing = (load: SoakLoad, watch: SoakWatch): Effect.Effect<never> => {
  const most = load.rate
  const look = Effect.sync(() => {
    const isTooMuch = load.isLate || watch.isToolSlow || watch.standstillMillis > slowMillis
    load.isLate = false
    load.rate = Math.min(most, Math.max(most * leastShare, load.rate * (isTooMuch ? slower : faster)))
  })
  return Effect.forever(Effect.andThen(Effect.sleep(lookMillis), look))
}
