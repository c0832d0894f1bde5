/**
 * How long a caller waits. Nobody waits longer than `callerWaitMillis` for an answer, wherever
 * the command is by then: in a mailbox, on its way to the log, before Persistence, on its way
 * to another node, in a transfer. Each of these places knows what is true at that moment and
 * tells it; when the time has come they know from here.
 *
 * Rejected: a timer for each caller, which costs as much as a command. The places are asked
 * four times a second to look through their callers, so a wait may last that much longer.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { ActorBounds } from "./ActorBounds.ts"

/** Between two looks for callers whose time is up. */
const lookInterval = "250 millis"

/** Who has waited long enough, as of one look. */
export class Deadlines {
  /** Whoever came before this has waited its time, ms. */
  private readonly before: number

  constructor(now: number, callerWaitMillis: number) {
    this.before = now - callerWaitMillis
  }

  /** `since`: when the caller came, by the node's clock, ms. `graceMillis`: it is left so much longer. */
  isOver(since: number, graceMillis = 0): boolean {
    return since + graceMillis < this.before
  }
}

/** Calls `endWaits` at every look, for as long as the scope lasts. It must not fail and must not wait. */
export const enforce = (
  { callerWaitMillis }: Pick<ActorBounds, "callerWaitMillis">,
  endWaits: (deadlines: Deadlines) => Effect.Effect<void>
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.clockWith((clock) => {
    const look = Effect.suspend(() => endWaits(new Deadlines(clock.currentTimeMillisUnsafe(), callerWaitMillis)))
    return Effect.asVoid(Effect.forkScoped(Effect.repeat(look, Schedule.spaced(lookInterval))))
  })
