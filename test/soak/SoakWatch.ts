/** What is looked at once a second while a soak runs: memory, lag, what the service says of itself, and whether searches find what was told indexed. */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import type { Account, Ledger } from "./Ledger.ts"
import { type Answer, ask, gauge, readiness, type SoakRig } from "./SoakRig.ts"
import type { SoakLoad } from "./SoakLoad.ts"

const lookMillis = 1_000

/** Search that is not further behind is where it should be: the readiness names what is above it. */
const levelSeconds = 5

/** What a tool takes of a load's time, ms, and how much more for each event: 2,000 events/s. */
const toolMillis = 60_000
const toolMillisPerEvent = 0.5

/** Of the whole run: the start is left out, in which caches fill and the compiler works. */
const warmUpShare = 0.1

/** Memory is flat when the median of the later half is at most so many times that of the earlier one. */
export const flatFactor = 1.2

export interface Sample {
  /** `performance.now()`, ms. */
  readonly at: number
  /** Of the service, bytes. */
  readonly resident: number
  readonly heapUsed: number
  /** The index is open and follows the log. */
  readonly isWriting: boolean
  readonly lagSeconds: number
  readonly lagEvents: number
  /** Of the service's readiness. */
  readonly status: string
  readonly search: string
  /** A fault is being made, or not healed yet. */
  readonly inFault: boolean
  /** Events acknowledged so far. */
  readonly events: number
  /** At which the load goes, events per second. */
  readonly rate: number
}

export interface MemoryVerdict {
  /** Medians, bytes. */
  readonly earlier: number
  readonly later: number
  readonly isFlat: boolean
}

const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN

/** Of the halves of a run, but for its start. */
export const judgeMemory = (samples: ReadonlyArray<Pick<Sample, "resident">>): MemoryVerdict => {
  const warm = samples.slice(Math.floor(samples.length * warmUpShare)).map(({ resident }) => resident)
  const middle = warm.length >> 1
  const earlier = median(warm.slice(0, middle))
  const later = median(warm.slice(middle))
  return { earlier, later, isFlat: later <= flatFactor * earlier }
}

const residentOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(Fs.readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]) * 1_024

const textOf = ({ body }: Answer): string => (typeof body === "string" ? body : "")

export class SoakWatch {
  readonly samples: Array<Sample> = []
  /** Name of the fault that is being made or healed. */
  fault: string | undefined
  /** Nothing is in the way of search: what it lacks it has to catch up with. */
  isFree = true
  #least = Number.POSITIVE_INFINITY
  #leastAt = performance.now()
  /** Changes with every fault that begins or is healed. */
  phase = 0
  /** Statuses of searches, by fault; `""`: while there was none. */
  readonly searches = new Map<string, Map<number, number>>()
  slowestSearchMillis = 0
  /** Answers that told `indexed`, and searches that found it at once. */
  readonly indexed = { told: 0, found: 0 }
  readonly problems: Array<string> = []
  readonly #rig: SoakRig
  readonly #ledger: Ledger
  readonly #load: SoakLoad
  #probes = 0

  constructor(rig: SoakRig, load: SoakLoad) {
    this.#rig = rig
    this.#load = load
    this.#ledger = load.ledger
  }

  get last(): Sample | undefined {
    return this.samples.at(-1)
  }

  begin(fault: string): void {
    this.fault = fault
    this.isFree = false
    this.phase++
  }

  undone(): void {
    this.isFree = true
    this.#moved(Number.POSITIVE_INFINITY)
  }

  healed(): void {
    this.fault = undefined
    this.phase++
  }

  #moved(lagEvents: number): void {
    this.#least = lagEvents
    this.#leastAt = performance.now()
  }

  /** For how long search has not come nearer to the log than it had been, with nothing in its way, ms. */
  get standstillMillis(): number {
    return this.isFree ? performance.now() - this.#leastAt : 0
  }

  /** A tool has been at work for longer than it takes where it has some room: it does not gain on the load. */
  get isToolSlow(): boolean {
    const { toolSince } = this.#rig
    return (
      toolSince !== undefined && performance.now() - toolSince > toolMillis + this.#ledger.events * toolMillisPerEvent
    )
  }

  #progress({ isWriting, lagEvents, lagSeconds }: Sample): void {
    if (!isWriting) return
    if (lagEvents < this.#least) this.#moved(lagEvents)
    // Level, as good as it gets.
    if (lagSeconds < levelSeconds) this.#moved(lagEvents)
  }

  readonly look = Effect.gen({ self: this }, function* () {
    const metrics = textOf(yield* ask(this.#rig, "/metrics"))
    const said = yield* readiness(this.#rig)
    const sample: Sample = {
      at: performance.now(),
      resident: residentOf(this.#rig.service.pid),
      heapUsed: gauge(metrics, "nodejs_heap_size_used_bytes"),
      isWriting: gauge(metrics, "wallet_search_writer") === 1,
      // None before anything is written.
      lagSeconds: gauge(metrics, "wallet_search_lag_seconds") || 0,
      lagEvents: gauge(metrics, "wallet_search_lag_events") || 0,
      ...said,
      inFault: this.fault !== undefined,
      events: this.#ledger.events,
      rate: this.#load.rate
    }
    this.samples.push(sample)
    this.#progress(sample)
  })

  /** For ever. */
  readonly looking = Effect.forever(Effect.andThen(this.look, Effect.sleep(lookMillis)))

  #searched({ millis, status }: Answer): void {
    const fault = this.fault ?? ""
    const statuses = this.searches.get(fault) ?? new Map<number, number>()
    this.searches.set(fault, statuses.set(status, (statuses.get(status) ?? 0) + 1))
    this.slowestSearchMillis = Math.max(this.slowestSearchMillis, millis)
    if (status === 500) this.problems.push(`a search was answered 500${fault === "" ? "" : ` during ${fault}`}`)
  }

  /** A credit that waits for search, and the search for it. Only without any fault the one promises the other. */
  readonly #probe = Effect.gen({ self: this }, function* () {
    const { phase } = this
    const account = this.#load.account()
    const reference = `probe ${this.#probes}`
    const { body, status } = yield* this.#credit(account, reference)
    const { durability } = body as { readonly durability?: { readonly indexed: boolean } }
    const found = yield* ask(this.#rig, `/v1/transactions?reference=${encodeURIComponent(reference)}`)
    this.#searched(found)
    if (status > 299 || durability?.indexed !== true || this.phase !== phase || this.fault !== undefined) return
    this.indexed.told++
    const { data } = found.body as { readonly data?: ReadonlyArray<unknown> }
    if (data?.length === 1) this.indexed.found++
    else
      this.problems.push(
        `${reference} of ${account.id} was told indexed, and its search was answered ${found.status}, ${data?.length} found`
      )
  })

  /** Told done in the end: the account counts it. */
  #credit(account: Account, reference: string): Effect.Effect<Answer> {
    const key = `probe-${this.#probes++}`
    const path = `/v1/wallets/${account.id}/credit?await=indexed`
    const send = ask(this.#rig, path, { key, body: { amount: "1", reference } })
    return Effect.repeat(
      Effect.tap(send, ({ status }) => (isForNow(status) ? Effect.sleep(lookMillis) : Effect.void)),
      {
        until: ({ status }) => !isForNow(status)
      }
    ).pipe(
      Effect.tap(({ body, status }) =>
        Effect.sync(() => {
          if (status < 300) this.#ledger.acknowledged({ kind: "credit", account, amount: 1n, item: key }, undefined)
          else this.problems.push(`${key} was answered ${status} ${JSON.stringify(body)}`)
        })
      )
    )
  }

  /** Until `isOver`. */
  probing(isOver: () => boolean): Effect.Effect<void> {
    return Effect.repeat(Effect.andThen(this.#probe, Effect.sleep(lookMillis / 2)), { until: isOver }).pipe(
      Effect.asVoid
    )
  }
}

/** To be sent again. */
const isForNow = (status: number): boolean => status === 0 || status === 429 || status === 503
