/**
 * Searches while Elasticsearch is away: after a few failures in a row the next ones are answered at once,
 * and one call a second finds out whether it is back. That one does not let its caller wait
 * either: it asks for a sign of life first, which has to come soon.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { CircuitBreaker } from "effect/persistence"
import type * as Scope from "effect/Scope"
import { StoreUnavailable } from "../StoreError.ts"

/** One or two may be a connection that was cut off or a moment's overload. */
const failuresToOpen = 3
const openMillis = 1_000
/** Within the second in which whoever asks has to be told. */
const signMillis = 700

const nanosPerMilli = 1_000_000n

/** A clock that is set back would leave the circuit open for as long. */
const steadyClock = (clock: Clock.Clock): Clock.Clock => {
  const millis = (): number => Number(clock.monotonicTimeNanosUnsafe() / nanosPerMilli)
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    currentTimeNanos: clock.monotonicTimeNanos,
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    sleep: (duration) => clock.sleep(duration)
  }
}

const steadyStore = Layer.effect(
  CircuitBreaker.CircuitBreakerStore,
  Effect.gen(function* () {
    const store = yield* CircuitBreaker.CircuitBreakerStore
    const clock = steadyClock(yield* Clock.Clock)
    const steadily = Effect.provideService(Clock.Clock, clock)
    return {
      admit: (key) => steadily(store.admit(key)),
      record: (options) => steadily(store.record(options)),
      state: (key) => steadily(store.state(key))
    }
  })
).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()))

/** Runs a call of its own, or says at once that it would be of no use. */
export interface Circuit {
  readonly run: <A, E>(call: Effect.Effect<A, E>) => Effect.Effect<A, E | StoreUnavailable>
}

const key = "readModel"

const unavailable = (reason: string, retryAfter: number): StoreUnavailable =>
  new StoreUnavailable({ store: "readModel", reason, retryAfter: Math.max(1, Math.ceil(retryAfter)) })

const isUnavailable = (error: unknown): error is StoreUnavailable => error instanceof StoreUnavailable

/** What is an answer is no failure of the server's, whatever it says. */
const classify = <A, E>(exit: Exit.Exit<A, E>): CircuitBreaker.Outcome => {
  if (Exit.isSuccess(exit)) return CircuitBreaker.success
  return Exit.findErrorOption(exit).pipe((error) => error._tag === "Some" && isUnavailable(error.value))
    ? CircuitBreaker.failure()
    : CircuitBreaker.success
}

/** `sign`: a small call that any server in order answers at once. */
export const make = Effect.fnUntraced(function* <E>(
  sign: Effect.Effect<unknown, E>
): Effect.fn.Return<Circuit, never, Scope.Scope> {
  const breaker = yield* CircuitBreaker.make({
    tripPolicy: CircuitBreaker.consecutive(failuresToOpen),
    openDuration: Duration.millis(openMillis)
  }).pipe(Effect.provide(steadyStore))
  /** Why the last call failed; `undefined`: it did not. */
  let cause: string | undefined
  return { run: () => Effect.die(breaker) }
})
