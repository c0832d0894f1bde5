/**
 * The time by which the engine judges: that of the machine's clock, as long as it is sound.
 *
 * A clock is not sound when it steps, by more than `clockSkewMillis` against the monotonic
 * one, or stands so far beside the store's clock. Then time goes on from the last sound one
 * by the monotonic clock, at the start from the store's, and nothing expires; the wall clock is taken
 * again when it and the store's agree. So it is after a machine has slept, too: the step is
 * noticed, the store is asked, and its clock has gone on as well.
 *
 * Everything of the engine reads this clock ({@link SoundClock.provide}). What waits measures
 * by it as well, and has to bear that it is set back: rarely, but by hours.
 *
 * Rejected: to believe the monotonic clock alone, which stands still while a machine sleeps;
 * and the store's time for every command, which is a question each.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { Persistence } from "../stores/Persistence.ts"
import type { ActorBounds } from "./ActorBounds.ts"
import * as EngineMetrics from "./EngineMetrics.ts"

/** A reading this close to one that was checked is not checked again, ms: far less than a step that counts. */
const uncheckedMillis = 1_000

/** How fast the wall clock may go away from the monotonic one and be followed: twice what NTP slews. */
const slew = 0.001

/** An answer that took longer says too little of the moment, ms. */
const answerMillis = 2_000

type Bounds = Pick<ActorBounds, "clockSkewMillis" | "clockLookMillis">

export class SoundClock extends Context.Service<
  SoundClock,
  {
    /** Milliseconds. Synchronous; as cheap as the wall clock while that is sound. */
    readonly now: () => number
    /** Why the wall clock is not believed; `undefined`: it is sound. While it is not, nothing may expire. */
    readonly doubt: () => string | undefined
    /** The same time as a clock, for all that reads one. */
    readonly clock: Clock.Clock
  }
>()("effect-wallet/actors/SoundClock") {
  /** Compares the clock with the store's at the start, and every `clockLookMillis` from then on. */
  static readonly layer = (bounds: Bounds): Layer.Layer<SoundClock, never, Persistence> =>
    Layer.effect(SoundClock, make(bounds))

  /** `layer` with this clock in the place of the ambient one; gives the {@link SoundClock}, too. */
  static readonly provide =
    (bounds: Bounds) =>
    <A, E, R>(layer: Layer.Layer<A, E, R>) =>
      layer.pipe(
        Layer.provide(
          Layer.effect(
            Clock.Clock,
            Effect.map(SoundClock, ({ clock }) => clock)
          )
        ),
        Layer.provideMerge(SoundClock.layer(bounds))
      )
}

const make = Effect.fnUntraced(function* (bounds: Bounds) {
  const persistence = yield* Persistence
  const wall = yield* Clock.Clock
  const wake = Latch.makeUnsafe(false)
  const keeper = new Timekeeper(wall, bounds.clockSkewMillis, () => wake.openUnsafe())
  /** What was logged, and is not over. */
  let reported: string | undefined

  /** The store is asked for its time; one that is away has nothing to say. */
  const look = Effect.gen(function* () {
    const sentAt = keeper.elapsed()
    const answer = yield* Effect.option(Effect.timeout(persistence.now, answerMillis))
    if (answer._tag === "None") return
    const offset = keeper.compare(answer.value, keeper.elapsed() - sentAt)
    yield* Metric.update(EngineMetrics.clockOffset, offset / 1_000)
  })

  const lookAndReport = Effect.gen(function* () {
    wake.closeUnsafe()
    const noticed = keeper.doubt
    yield* Effect.catchDefect(look, (defect) => Effect.logError("the store's clock: a defect", defect))
    const doubt = keeper.doubt
    if (doubt === reported || (doubt !== undefined && reported !== undefined)) {
      if (doubt === undefined && noticed !== undefined && noticed !== notCompared) {
        yield* Metric.update(EngineMetrics.clockUnsound, 1)
        yield* Effect.logInfo(`this node's clock: ${noticed}; the store's clock agrees, and it is taken`)
      }
      return
    }
    reported = doubt
    if (doubt === undefined) return yield* Effect.logInfo("this node's clock is sound again")
    yield* Metric.update(EngineMetrics.clockUnsound, 1)
    yield* Effect.logWarning(
      `this node's clock is not sound: ${doubt}; the engine goes on with the last sound time or the store's, ` +
        "and nothing expires until the two clocks agree"
    )
  })

  yield* lookAndReport
  // Whoever reads the time opens the latch, and is not to run the look.
  const rest = Effect.andThen(Effect.timeoutOption(wake.await, bounds.clockLookMillis), Effect.yieldNow)
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(rest, lookAndReport)))
  return SoundClock.of({
    now: () => keeper.now(),
    doubt: () => keeper.doubt,
    clock: clockOf(keeper, wall)
  })
})

export const notCompared = "it could not be compared with the store's clock yet"

class Timekeeper {
  /** `undefined`: the wall clock is sound. */
  doubt: string | undefined = notCompared
  private readonly wall: Clock.Clock
  private readonly toleranceMillis: number
  private readonly doubted: () => void
  private hasBeenSound = false
  /** Sound time is this long before the monotonic one, ms. */
  private base: number
  /** By how much it was ahead of the store's clock when the two last agreed, ms. */
  private ahead = 0
  /** Of the last reading that was checked: by the wall clock, and by the monotonic one, ms. */
  private checkedWall: number
  private checkedElapsed: number

  constructor(wall: Clock.Clock, toleranceMillis: number, doubted: () => void) {
    this.wall = wall
    this.toleranceMillis = toleranceMillis
    this.doubted = doubted
    this.checkedWall = wall.currentTimeMillisUnsafe()
    this.checkedElapsed = this.elapsed()
    this.base = this.checkedWall - this.checkedElapsed
  }

  /** By the monotonic clock, ms. */
  elapsed(): number {
    return Number(this.wall.monotonicTimeNanosUnsafe()) / 1e6
  }

  now(): number {
    if (this.doubt !== undefined) return Math.floor(this.base + this.elapsed())
    const wall = this.wall.currentTimeMillisUnsafe()
    const since = wall - this.checkedWall
    return since >= 0 && since < uncheckedMillis ? wall : this.check(wall)
  }

  private check(wall: number): number {
    const elapsed = this.elapsed()
    const step = wall - (this.base + elapsed)
    // Two steps that are small enough each may lead too far away from the store's clock.
    if (Math.max(Math.abs(step), Math.abs(this.ahead + step)) > this.toleranceMillis) {
      this.doubt = `it has stepped by ${Math.round(step)} ms`
      this.doubted()
      return Math.floor(this.base + elapsed)
    }
    const slewed = Math.max(0, elapsed - this.checkedElapsed) * slew
    this.base += Math.min(slewed, Math.max(-slewed, step))
    this.checkedWall = wall
    this.checkedElapsed = elapsed
    return wall
  }

  /** With the store's time, whose answer took so long, ms. Answers how far the wall clock is ahead, ms. */
  compare(storeTime: number, tookMillis: number): number {
    const wall = this.wall.currentTimeMillisUnsafe()
    const elapsed = this.elapsed()
    const time = storeTime + tookMillis / 2
    const ahead = wall - time
    if (Math.abs(ahead) <= this.toleranceMillis) {
      this.doubt = undefined
      this.base = wall - elapsed
      this.ahead = ahead
      this.checkedWall = wall
      this.checkedElapsed = elapsed
      this.hasBeenSound = true
    } else {
      const [beside, of] = ahead > 0 ? [ahead, "ahead of"] : [-ahead, "behind"]
      this.doubt = `it is ${Math.round(beside)} ms ${of} the store's clock`
      // Until then the store knows better; from then on it may be the store's that is wrong.
      if (!this.hasBeenSound) this.base = time - elapsed
    }
    return ahead
  }
}

const clockOf = (keeper: Timekeeper, wall: Clock.Clock): Clock.Clock => {
  const millis = () => keeper.now()
  const nanos = () => {
    const time = keeper.now()
    return keeper.doubt === undefined ? wall.currentTimeNanosUnsafe() : BigInt(time) * 1_000_000n
  }
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: () => wall.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: wall.monotonicTimeNanos,
    sleep: (duration) => wall.sleep(duration)
  }
}
