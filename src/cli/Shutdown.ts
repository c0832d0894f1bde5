/**
 * What the exit code is when a signal ends the process: 130 while a tool is at work,
 * 0 for a service, whose normal end is to be stopped.
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
