/**
 * How long a caller waits. Nobody waits longer than `callerWaitMillis` for an answer, wherever
 * the command is by then: in a mailbox, on its way to the log, before Persistence, on its way
 * to another node, in a transfer. Each of these places knows what is true at that moment and
 * tells it; when the time has come they know from here.
 *
 * Rejected: a timer for each caller, which costs as much as a command. The places are asked
 * four times a second to look through their callers, so a wait may last that much longer.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { ActorBounds } from "./ActorBounds.ts"

/** For durations, ms: a clock that is set changes none of them. */
export const elapsedMillis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

/** Between two looks for callers whose time is up. */
const lookInterval = "250 millis"

/** Who has waited long enough, as of one look. */
export class Deadlines {
  /** Whoever came before this has waited its time, ms. */
  private readonly before: number
  /** Who came after this came before the clock was set back, ms. */
  private readonly after: number

  constructor(now: number, callerWaitMillis: number) {
    this.before = now - callerWaitMillis
    this.after = now + callerWaitMillis
  }

  /**
   * `since`: when the caller came, by the node's clock, ms. `graceMillis`: it is left so much
   * longer. Who comes a whole wait later than now came before the clock was set back: nobody
   * knows how long ago, and it might wait for hours.
   */
  isOver(since: number, graceMillis = 0): boolean {
    return since + graceMillis < this.before || since > this.after
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
