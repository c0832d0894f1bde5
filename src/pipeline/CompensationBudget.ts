/** So many compensations in one minute, then none until the next start: a rule that refuses that much is a mistake. */
import type * as Clock from "effect/Clock"

export class CompensationBudget {
  private readonly clock: Clock.Clock
  private readonly perMinute: number
  private minute = 0
  private taken = 0
  isStopped = false

  constructor(clock: Clock.Clock, perMinute: number) {
    this.clock = clock
    this.perMinute = perMinute
  }

  /** `false`: there are no more. */
  take(): boolean {
    const minute = Math.floor(this.clock.currentTimeMillisUnsafe() / 60_000)
    if (minute !== this.minute) {
      this.minute = minute
      this.taken = 0
    }
    if (this.taken >= this.perMinute) this.isStopped = true
    else this.taken++
    return !this.isStopped
  }
}
