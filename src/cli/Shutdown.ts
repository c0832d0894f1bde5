/**
 * What the exit code is when a signal ends the process: 130 while a tool is at work,
 * 0 once a service serves, for then being stopped is its normal end.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

export class Shutdown extends Context.Service<
  Shutdown,
  {
    /** From now on a signal is the normal end. */
    readonly expected: Effect.Effect<void>
  }
>()("effect-wallet/cli/Shutdown") {}
