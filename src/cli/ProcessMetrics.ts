/**
 * Metrics of the process, read when somebody looks at them, by the names that
 * Prometheus' clients share; and the engine's counters at zero, so that the first
 * event of a kind is an increase, which an alert can see.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { readdirSync } from "node:fs"
import { performance } from "node:perf_hooks"
import * as Process from "node:process"
import { getHeapStatistics } from "node:v8"
import * as EngineMetrics from "../actors/EngineMetrics.ts"
import { FastHistogram, removeWithScope } from "../engine/FastCounter.ts"

interface Reading {
  readonly name: string
  readonly description: string
  readonly read: () => number
}

/** Linux tells; elsewhere there is no such series. */
const openFiles = (): number | undefined => {
  try {
    return readdirSync("/proc/self/fd").length
  } catch {
    return undefined
  }
}

const gauges: ReadonlyArray<Reading> = [
  {
    name: "process_resident_memory_bytes",
    description: "Memory of the process in RAM",
    read: () => Process.memoryUsage.rss()
  },
  {
    name: "nodejs_heap_size_used_bytes",
    description: "Heap in use, as of now",
    read: () => Process.memoryUsage().heapUsed
  },
  {
    name: "nodejs_heap_size_total_bytes",
    description: "Heap taken from the system",
    read: () => Process.memoryUsage().heapTotal
  },
  {
    name: "nodejs_heap_size_limit_bytes",
    description: "Heap that the process may take; at it the process ends",
    read: () => getHeapStatistics().heap_size_limit
  },
  {
    name: "nodejs_external_memory_bytes",
    description: "Memory of buffers and of what is bound to the heap",
    read: () => Process.memoryUsage().external
  },
  {
    name: "process_start_time_seconds",
    description: "When the process began, since the epoch",
    read: () => performance.timeOrigin / 1_000
  },
  ...(openFiles() === undefined
    ? []
    : [{ name: "process_open_fds", description: "Open files and sockets", read: () => openFiles() ?? 0 }])
]

const counters: ReadonlyArray<Reading> = [
  {
    name: "process_cpu_seconds_total",
    description: "Time of all threads on the processor, of user and system",
    read: () => {
      const { system, user } = Process.cpuUsage()
      return (system + user) / 1e6
    }
  },
  {
    name: "nodejs_eventloop_active_seconds_total",
    description: "Time that the event loop had something to do; a rate of 1 is all it can",
    read: () => performance.eventLoopUtilization().active / 1_000
  }
]

/** Seconds. */
const delaySeconds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5]

/** Milliseconds between two looks at the event loop's delay. */
const lookMillis = 50

const ignored = () => undefined

const registerAll = Effect.gen(function* () {
  const context = yield* Effect.context<never>()
  const registrations = [
    ...gauges.map(({ description, name, read }) =>
      Metric.registerUnsafe(Metric.gauge(name, { description }), context, {
        get: () => ({ value: read() }),
        update: ignored,
        modify: ignored
      })
    ),
    ...counters.map(({ description, name, read }) =>
      Metric.registerUnsafe(Metric.counter(name, { description, incremental: true }), context, {
        get: () => ({ count: read(), incremental: true }),
        update: ignored,
        modify: ignored
      })
    )
  ]
  const delay = new FastHistogram(delaySeconds)
  const name = "nodejs_eventloop_delay_seconds"
  registrations.push(delay.register(context, { name, description: "How late timers are" }))
  yield* removeWithScope(registrations)
  return delay
})

/** A timer that sees how late it is. */
const watchDelay = Effect.fnUntraced(function* (delay: FastHistogram) {
  const clock = yield* Clock.Clock
  while (true) {
    const due = clock.currentTimeNanosUnsafe() + BigInt(lookMillis * 1_000_000)
    yield* Effect.sleep(lookMillis)
    delay.record(Math.max(0, Number(clock.currentTimeNanosUnsafe() - due) / 1e9))
  }
})

/** To be looked at is enough for those that know their words. */
const atZero = (metric: (typeof EngineMetrics)[keyof typeof EngineMetrics]): Effect.Effect<unknown> =>
  metric.type === "Counter"
    ? Metric.update(metric as Metric.Counter<number>, 0)
    : metric.type === "Frequency"
      ? Metric.value(metric as Metric.Frequency)
      : Effect.void

const countersAtZero = Effect.andThen(
  Effect.forEach(Object.values(EngineMetrics), atZero, { discard: true }),
  // The only gauge of things that come and go which nobody sets before the first of them.
  Metric.modify(EngineMetrics.openFeeds, 0)
)

/** As long as the scope lasts. */
export const processMetrics: Layer.Layer<never> = Layer.effectDiscard(
  Effect.gen(function* () {
    yield* countersAtZero
    yield* Effect.forkScoped(watchDelay(yield* registerAll))
  })
)
