/** Clocks for those who look at the time and do not wait for it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Persistence } from "../../src/stores/Persistence.ts"

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

/** The real clock, whose monotonic time stands, and goes on when it is told to. */
export const clockToPush = () => {
  const real = Effect.runSync(Clock.Clock)
  let nanos = 0n
  const monotonic = () => nanos
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => real.currentTimeMillisUnsafe(),
    currentTimeMillis: real.currentTimeMillis,
    currentTimeNanosUnsafe: () => real.currentTimeNanosUnsafe(),
    currentTimeNanos: real.currentTimeNanos,
    monotonicTimeNanosUnsafe: monotonic,
    monotonicTimeNanos: Effect.sync(monotonic),
    sleep: (duration) => real.sleep(duration)
  }
  return { clock, push: (millis: number) => void (nanos += BigInt(millis) * 1_000_000n) }
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

/** A machine's clock on top of another one, which says the truth: it can be set. */
export interface MachineClock extends Clock.Clock {
  /** How far the wall clock is ahead, ms; the monotonic one goes on. */
  ahead: number
}

export const machineClock = (truth: Clock.Clock, ahead = 0): MachineClock => {
  const millis = () => truth.currentTimeMillisUnsafe() + machine.ahead
  const nanos = () => BigInt(Math.floor(millis())) * 1_000_000n
  const machine: MachineClock = {
    ahead,
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: () => truth.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: truth.monotonicTimeNanos,
    sleep: (duration) => truth.sleep(duration)
  }
  return machine
}

/** The store is on this machine, and has its clock. */
export const onThisMachine: Layer.Layer<Persistence, never, Persistence> = Layer.effect(
  Persistence,
  Effect.map(Persistence, (persistence) => Persistence.of({ ...persistence, now: Clock.currentTimeMillis }))
)
