/** A clock for those who look at the time and do not wait for it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** The real clock, so much ahead. */
export const clockAhead = (millis: number): Clock.Clock => {
  const real = Effect.runSync(Clock.Clock)
  const nanos = BigInt(millis) * 1_000_000n
  return {
    currentTimeMillisUnsafe: () => real.currentTimeMillisUnsafe() + millis,
    currentTimeMillis: Effect.map(real.currentTimeMillis, (now) => now + millis),
    currentTimeNanosUnsafe: () => real.currentTimeNanosUnsafe() + nanos,
    currentTimeNanos: Effect.map(real.currentTimeNanos, (now) => now + nanos),
    monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe() + nanos,
    monotonicTimeNanos: Effect.map(real.monotonicTimeNanos, (now) => now + nanos),
    sleep: (duration) => real.sleep(duration)
  }
}
