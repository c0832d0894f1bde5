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
import * as Option from "effect/Option"
import { CircuitBreaker } from "effect/persistence"
import type * as Scope from "effect/Scope"
import { StoreUnavailable } from "../StoreError.ts"
import { unavailable } from "./Failure.ts"

/** One or two may be a connection that was cut off or a moment's overload. */
const failuresToOpen = 3
const openMillis = 1_000
/** Within the second in which whoever asks has to be told. */
export const signMillis = 700

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

export interface Circuit {
  /** Runs a call, or says at once that it would be of no use. Only `StoreUnavailable` speaks against the server. */
  readonly run: <A, E>(call: Effect.Effect<A, E>) => Effect.Effect<A, E | StoreUnavailable>
  /** Asks for a sign of life, which has to come soon. */
  readonly sign: Effect.Effect<unknown, StoreUnavailable>
}

/** Why nothing can be had of the server; `undefined`: it has answered, whatever it says. */
const causeIn = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  return error instanceof StoreUnavailable ? error.reason : undefined
}

const isRejection = (error: unknown): error is CircuitBreaker.CircuitBreakerError =>
  error instanceof CircuitBreaker.CircuitBreakerError

const retryAfterOf = ({ reason }: CircuitBreaker.CircuitBreakerError): number =>
  reason._tag === "CircuitOpen" ? Math.ceil(Duration.toMillis(reason.retryAfter)) : openMillis

/** `place`: the server's address. `sign`: a small call that any server in order answers at once. */
export const make = Effect.fnUntraced(function* (
  place: string,
  sign: Effect.Effect<unknown, StoreUnavailable>
): Effect.fn.Return<Circuit, never, Scope.Scope> {
  const breaker = yield* CircuitBreaker.make({
    tripPolicy: CircuitBreaker.consecutive(failuresToOpen),
    openDuration: Duration.millis(openMillis)
  }).pipe(Effect.provide(steadyStore))
  /** Why the last call failed; `undefined`: it did not. */
  let cause: string | undefined
  const signOfLife = Effect.timeoutOrElse(sign, {
    duration: Duration.millis(signMillis),
    orElse: () => Effect.fail(unavailable(`${place}: no answer within ${signMillis} ms`))
  })
  const run = <A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, E | StoreUnavailable> =>
    Effect.suspend((): Effect.Effect<A, E | StoreUnavailable> =>
      cause === undefined ? call : Effect.andThen(signOfLife, call)
    ).pipe(
      breaker.execute({
        key: "readModel",
        classify: (exit) => {
          cause = causeIn(exit)
          return cause === undefined ? CircuitBreaker.success : CircuitBreaker.failure()
        }
      }),
      Effect.catchIf(isRejection, (rejection) => Effect.fail(unavailable(cause ?? place, retryAfterOf(rejection))))
    )
  return { run, sign: signOfLife }
})
