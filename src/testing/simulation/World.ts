/**
 * Virtual time and the order of everything: one queue of events by time, one queue of
 * fiber tasks, both run by one loop. No real timer, promise or event loop takes part, so
 * a run is a function of its seed.
 *
 * What belongs to a process lives as long as its {@link Life}: of a process that was
 * killed no task and no timer runs any more, at whatever place it was.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Scheduler from "effect/Scheduler"
import { IdTails } from "../../actors/EventIds.ts"
import type { SeededRandom } from "./SeededRandom.ts"

/** A process: a node or the clients' side. */
export interface Life {
  readonly name: string
  alive: boolean
  /** It has started. */
  up: boolean
  /** How far its clock is before the true time, ms; the monotonic one goes right. */
  clockAhead: number
  /** It has started without having seen the store's clock: how far off its own is it could not know. */
  clockUnknown: boolean
  /** Operations after which a fiber gives way to the others; `undefined`: as often as usual. */
  readonly preemption: number | undefined
}

interface TimedEvent {
  readonly at: number
  readonly number: number
  run: (() => void) | undefined
}

interface Task {
  readonly life: Life
  readonly run: () => void
  readonly priority: number
}

/** A run in which time does not pass any more is a run that never ends. */
const tasksPerInstant = 20_000

/** When the simulated world begins, ms: any time will do, as long as it is always the same. */
const beginning = 1_900_000_000_000

export class World {
  now = beginning
  private events: Array<TimedEvent> = []
  private made = 0
  private tasks: Array<Task> = []

  /** Since the beginning, ms. */
  get elapsed(): number {
    return this.now - beginning
  }

  /** Runs `run` when so many ms have passed; answers how to take it back. */
  after(millis: number, run: () => void): () => void {
    const event: TimedEvent = { at: this.now + Math.max(0, Math.ceil(millis)), number: this.made++, run }
    this.push(event)
    return () => {
      event.run = undefined
    }
  }

  enqueue(life: Life, run: () => void, priority: number): void {
    this.tasks.push({ life, run, priority })
  }

  /** Lets time pass until `done`, at most so many ms; answers whether it was done. */
  run(done: () => boolean, limitMillis: number): boolean {
    const end = this.now + limitMillis
    while (true) {
      this.settle()
      if (done()) return true
      const next = this.events[0]
      if (next === undefined || next.at > end) {
        this.now = end
        return done()
      }
      this.pop()
      this.now = next.at
      next.run?.()
    }
  }

  /** Runs the tasks that are ready, and those that they make ready. */
  private settle(): void {
    let count = 0
    while (this.tasks.length > 0) {
      const batch = this.tasks
      this.tasks = []
      if (batch.some(({ priority }) => priority !== 0)) batch.sort((a, b) => a.priority - b.priority)
      for (const { life, run } of batch) if (life.alive) run()
      count += batch.length
      if (count > tasksPerInstant) throw new Error("fibers run for ever without any time passing")
    }
  }

  private push(event: TimedEvent): void {
    const heap = this.events
    let at = heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(heap[at]!, heap[parent]!)) break
      swap(heap, at, parent)
      at = parent
    }
  }

  private pop(): void {
    const heap = this.events
    const last = heap.pop()!
    if (heap.length === 0) return
    heap[0] = last
    let at = 0
    while (true) {
      const left = 2 * at + 1
      let least = at
      if (left < heap.length && isBefore(heap[left]!, heap[least]!)) least = left
      if (left + 1 < heap.length && isBefore(heap[left + 1]!, heap[least]!)) least = left + 1
      if (least === at) return
      swap(heap, at, least)
      at = least
    }
  }
}

const isBefore = (a: TimedEvent, b: TimedEvent): boolean => a.at < b.at || (a.at === b.at && a.number < b.number)

const swap = (heap: Array<TimedEvent>, a: number, b: number): void => {
  const kept = heap[a]!
  heap[a] = heap[b]!
  heap[b] = kept
}

const usualOperations = 2_048

/** To give way and to come back takes operations, too: with fewer a fiber would never get on. */
const fewestOperations = 4

/** Fibers of one process, on the world's queue. */
const schedulerOf = (world: World, life: Life, random: SeededRandom): Scheduler.Scheduler => {
  let operations = usualOperations
  const redraw = () => {
    if (life.preemption !== undefined) operations = random.between(fewestOperations, life.preemption)
  }
  redraw()
  return {
    executionMode: "async",
    shouldYield: (fiber) => {
      if (fiber.currentOpCount < operations) return false
      redraw()
      return true
    },
    makeDispatcher: () => ({
      scheduleTask: (task, priority) => world.enqueue(life, task, priority),
      flush: () => undefined
    })
  }
}

/** The clock of a process. */
export const clockOf = (world: World, life: Pick<Life, "alive" | "clockAhead">): Clock.Clock => {
  const millis = () => world.now + life.clockAhead
  const nanos = () => BigInt(millis()) * 1_000_000n
  const monotonic = () => BigInt(world.now) * 1_000_000n
  return {
    currentTimeMillisUnsafe: millis,
    currentTimeMillis: Effect.sync(millis),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: monotonic,
    monotonicTimeNanos: Effect.sync(monotonic),
    sleep: (duration) =>
      Effect.callback<void>((resume) => {
        const cancel = world.after(Duration.toMillis(duration), () => {
          if (life.alive) resume(Effect.void)
        })
        return Effect.sync(cancel)
      })
  }
}

/** What a process runs on: its fibers, its clock, its chance and its log. */
export const processContext = (
  world: World,
  life: Life,
  random: SeededRandom,
  log: (level: string, message: string) => void
): Context.Context<never> => {
  const logger = Logger.make(({ logLevel, message }) => log(logLevel, String(message)))
  return Context.empty().pipe(
    Context.add(Scheduler.Scheduler, schedulerOf(world, life, random)),
    Context.add(Clock.Clock, clockOf(world, life)),
    Context.add(Random.Random, {
      nextIntUnsafe: () => random.bits(),
      nextDoubleUnsafe: () => random.fraction()
    }),
    Context.add(References.CurrentLoggers, new Set([logger])),
    Context.add(References.MinimumLogLevel, "Warn"),
    Context.add(IdTails, () => random.idTail())
  )
}
