/**
 * Counts and histograms in plain numbers, for what happens too often for a `Metric`
 * update each: a count costs an addition, a histogram a short search. They are
 * registered as metrics once and read when somebody looks at the metrics.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

export interface Labels {
  readonly [name: string]: string
}

/** Whether series stay when what counted them has ended: for an export that comes after that. */
export const KeepsSeries = Context.Reference<boolean>("effect-wallet/engine/FastCounter/KeepsSeries", {
  defaultValue: () => false
})

/** Series that go with the scope, unless they are kept. What is added to the list later goes, too. */
export const removeWithScope = (registrations: ReadonlyArray<Metric.Registration>) =>
  Effect.flatMap(KeepsSeries, (keeps) =>
    keeps
      ? Effect.void
      : Effect.addFinalizer(() =>
          Effect.sync(() => {
            for (const registration of registrations) registration.remove()
          })
        )
  )

interface Description {
  /** By Prometheus' conventions: the unit in the name, `_total` behind a counter's. */
  readonly name: string
  readonly description: string
  readonly labels?: Labels | undefined
}

const ignored = () => undefined

/** A counter; `value` may be added to directly. */
export class FastCounter {
  value = 0

  /** Shows it among the metrics of `context`. */
  register(context: Context.Context<never>, { description, labels, name }: Description): Metric.Registration {
    const metric = Metric.counter(name, { description, attributes: labels, incremental: true })
    const get = () => ({ count: this.value, incremental: true })
    return Metric.registerUnsafe(metric, context, { get, update: ignored, modify: ignored })
  }
}

/** A histogram with few, fixed buckets. */
export class FastHistogram {
  readonly boundaries: ReadonlyArray<number>
  /** One for each boundary, and one for what is above the last. */
  private readonly buckets: Float64Array
  private sum = 0
  private min = Number.POSITIVE_INFINITY
  private max = Number.NEGATIVE_INFINITY

  /** `boundaries`: ascending; about a dozen, since the search goes one by one. */
  constructor(boundaries: ReadonlyArray<number>) {
    this.boundaries = boundaries
    this.buckets = new Float64Array(boundaries.length + 1)
  }

  record(value: number): void {
    const { boundaries } = this
    let bucket = 0
    while (bucket < boundaries.length && value > boundaries[bucket]!) bucket++
    this.buckets[bucket]!++
    this.sum += value
    if (value < this.min) this.min = value
    if (value > this.max) this.max = value
  }

  /** As `Metric` has it: each bucket includes the ones before. */
  get state(): Metric.HistogramState {
    let count = 0
    const buckets = this.boundaries.map((boundary, index): [number, number] => {
      count += this.buckets[index]!
      return [boundary, count]
    })
    count += this.buckets[this.boundaries.length]!
    const { max, min, sum } = this
    return count === 0 ? { buckets, count, sum, min: 0, max: 0 } : { buckets, count, sum, min, max }
  }

  /** Shows it among the metrics of `context`. */
  register(context: Context.Context<never>, { description, labels, name }: Description): Metric.Registration {
    const metric = Metric.histogram(name, { description, attributes: labels, boundaries: this.boundaries })
    return Metric.registerUnsafe(metric, context, { get: () => this.state, update: ignored, modify: ignored })
  }
}
