/** The pauses between the attempts of one event. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { WebhookBounds } from "./WebhookBounds.ts"

/** Doublings after which a pause is the longest one, however often it failed before. */
const doublings = 24

/** Answers the pause before the next attempt, whole ms, as stores keep times; each time it is asked a longer one. */
export type Backoff = Effect.Effect<number>

const scheduleOf = ({ retryMaxMillis, retryMillis }: WebhookBounds) =>
  Schedule.min([Schedule.exponential(retryMillis, 2), Schedule.spaced(retryMaxMillis)]).pipe(Schedule.jittered)

/** The pauses behind so many failed attempts. */
export const makeBackoff = Effect.fnUntraced(function* (
  bounds: WebhookBounds,
  attempts: number
): Effect.fn.Return<Backoff> {
  const step = yield* Schedule.toStep(scheduleOf(bounds))
  // The schedule has no end, and does not look at the time.
  const next = Effect.map(Effect.orDie(step(0, undefined)), ([, pause]) => Math.round(Duration.toMillis(pause)))
  for (let passed = 0; passed < Math.min(attempts, doublings); passed++) yield* next
  return next
})
