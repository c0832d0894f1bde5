/** Clocks for those who look at the time and do not wait for it. */
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

/** A clock that stands; who waits by it waits in real time. */
export const clockStopped = (millis: number): Clock.Clock => {
  const real = Effect.runSync(Clock.Clock)
  const nanos = BigInt(millis) * 1_000_000n
  return {
    currentTimeMillisUnsafe: () => millis,
    currentTimeMillis: Effect.succeed(millis),
    currentTimeNanosUnsafe: () => nanos,
    currentTimeNanos: Effect.succeed(nanos),
    monotonicTimeNanosUnsafe: () => nanos,
    monotonicTimeNanos: Effect.succeed(nanos),
    sleep: (duration) => real.sleep(duration)
  }
}

/**
 * A clock whose monotonic time is a millisecond further at each look, so that what is done
 * for a time is done for a number of looks, however fast the machine. The rest is real.
 */
export const clockOfLooks = (): Clock.Clock => {
  const real = Effect.runSync(Clock.Clock)
  let looks = 0n
  const look = () => ++looks * 1_000_000n
  return {
    currentTimeMillisUnsafe: () => real.currentTimeMillisUnsafe(),
    currentTimeMillis: real.currentTimeMillis,
    currentTimeNanosUnsafe: () => real.currentTimeNanosUnsafe(),
    currentTimeNanos: real.currentTimeNanos,
    monotonicTimeNanosUnsafe: look,
    monotonicTimeNanos: Effect.sync(look),
    sleep: (duration) => real.sleep(duration)
  }
}
