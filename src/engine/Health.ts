/**
 * Whether commands can be served, and what is not as it should be: for a balancer and for whoever is on call. And, for
 * the metrics, whether each store is away, read when somebody looks at them.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Result from "effect/Result"
import type { Ownership } from "../actors/Ownership.ts"
import type { SoundClock } from "../actors/SoundClock.ts"
import type { UnloadedWallets, UnloadedWallet } from "../actors/UnloadedWallets.ts"
import type { PipelineLoad, WritePipeline } from "../actors/WritePipeline.ts"
import type { SearchLoad, SearchProgress } from "../search/SearchProgress.ts"
import type { EventStore } from "../stores/EventStore.ts"
import { type StoreName, StoreUnavailable } from "../stores/StoreError.ts"
import { type Outage, StoreOutages } from "../stores/StoreOutages.ts"
import type { EngineHealth } from "./EngineApi.ts"
import { removeWithScope } from "./FastCounter.ts"

type Check = EngineHealth["checks"][number]

/** Rows this far behind the log are worth a word, ms. */
const worthAWord = 5_000

/** Names of wallets that are told; the log has them all. */
const namedWallets = 3

const sameDatabase = (name: Check["name"], logOk: boolean): Check => ({
  name,
  status: logOk ? "ok" : name === "persistence" ? "down" : "degraded",
  detail: "in the log's database"
})

const named = (wallets: ReadonlyArray<UnloadedWallet>): string =>
  wallets
    .slice(0, namedWallets)
    .map(({ reason, walletId }) => `${walletId}: ${reason}`)
    .join("; ")

const detailOf = (load: PipelineLoad, place: Outage): string | null => {
  const details: Array<string> = []
  // The log may be what the rows wait for.
  if (load.failure !== undefined) {
    details.push(load.failure.includes("the log store") ? load.failure : place.line(load.failure))
  }
  if (load.lagMillis > worthAWord) details.push(`${load.lagMillis} ms behind the log, ${load.queuedEvents} events`)
  if (load.blocked.length > 0) {
    details.push(`writing of ${load.blocked.length} wallets has stopped (${named(load.blocked)})`)
  }
  if (load.compensationsStopped) details.push("compensations have stopped: there were too many in a minute")
  return details.length === 0 ? null : details.join("; ")
}

/** Search has an index of its own: no command waits for it. */
const ofIndex = (load: SearchLoad): Check => {
  const details: Array<string> = []
  if (load.trouble !== undefined) details.push(load.trouble)
  if (load.lagMillis > worthAWord) details.push(`${load.lagMillis} ms behind the log`)
  if (load.deadLetters > 0) details.push(`${load.deadLetters} documents were refused, see "wallet verify"`)
  if (load.outdated !== undefined) details.push(load.outdated)
  return {
    name: "readModel",
    status: details.length === 0 ? "ok" : "degraded",
    detail: details.length === 0 ? null : details.join("; ")
  }
}

/** What waits behind the log delays nobody until the queue is full: then no new command is taken. */
const ofPipeline = (
  pipeline: WritePipeline["Service"],
  place: Outage
): { readonly persistence: Check; readonly readModel: Check } => {
  const detail = detailOf(pipeline.load(), place)
  const isFull = pipeline.refusal() !== undefined
  return {
    persistence: { name: "persistence", status: isFull ? "down" : detail === null ? "ok" : "degraded", detail },
    readModel: {
      name: "readModel",
      status: detail === null ? "ok" : "degraded",
      detail: "reads the rows of persistence"
    }
  }
}

const noAnswer = new StoreUnavailable({ store: "log", reason: "no answer within 2 s", retryAfter: 1_000 })

interface HealthSources {
  readonly log: EventStore["Service"]
  readonly ownership: Ownership["Service"]
  readonly pipeline: WritePipeline["Service"]
  readonly unloaded: UnloadedWallets["Service"]
  readonly search: SearchProgress["Service"]
  readonly clock: SoundClock["Service"]
  /** Know where the stores are. */
  readonly outages: StoreOutages["Service"]
}

/** All others are served. */
const ofLog = (failure: string | undefined, unloaded: ReadonlyArray<UnloadedWallet>): Check => {
  if (failure !== undefined) return { name: "log", status: "down", detail: failure }
  if (unloaded.length === 0) return { name: "log", status: "ok", detail: null }
  const detail = `${unloaded.length} wallets cannot be loaded (${named(unloaded)})`
  return { name: "log", status: "degraded", detail }
}

export const health = ({
  clock,
  log,
  outages,
  ownership,
  pipeline,
  search,
  unloaded
}: HealthSources): Effect.Effect<EngineHealth> =>
  Effect.gen(function* () {
    const answered = yield* Effect.result(
      Effect.timeoutOrElse(log.head, { duration: "2 seconds", orElse: () => Effect.fail(noAnswer) })
    )
    const logOk = Result.isSuccess(answered)
    let owned = 0
    for (let partition = 0; partition < ownership.partitions; partition++) {
      if (ownership.epochOf(partition) !== undefined) owned++
    }
    const doubt = ownership.doubt?.()
    const owns = owned > 0 && doubt === undefined
    const trouble = ownership.trouble?.()
    const share = `${owned} of ${ownership.partitions} partitions`
    // A look at the time is what notices a step.
    clock.now()
    const unsound = clock.doubt() ?? null
    const { persistence, readModel } = pipeline.separate
      ? ofPipeline(pipeline, outages.of("persistence"))
      : { persistence: sameDatabase("persistence", logOk), readModel: sameDatabase("readModel", logOk) }
    return {
      ready: logOk && owns && pipeline.refusal() === undefined,
      checks: [
        ofLog(logOk ? undefined : outages.of("log").line(answered.failure.message), unloaded.all()),
        {
          name: "ownership",
          status: !owns ? "down" : trouble === undefined ? "ok" : "degraded",
          detail: doubt ?? (trouble === undefined ? share : `${share}; ${trouble}`)
        },
        persistence,
        search.index === undefined ? readModel : ofIndex(search.index.load()),
        { name: "clock", status: unsound === null ? "ok" : "degraded", detail: unsound }
      ]
    }
  })

/** Those of every node; leases have metrics of their own, where there are any. */
const stores: ReadonlyArray<StoreName> = ["log", "persistence", "readModel", "keys"]

const description =
  "1 while the store is away: from the first that it did not serve until all whom it did not serve are"

const ignored = () => undefined

/** The series `wallet_store_away` of each store, from the start. Stores in one place are away together. */
export const storeMetrics = Layer.effectDiscard(
  Effect.gen(function* () {
    const outages = yield* StoreOutages.current
    const context = yield* Effect.context<never>()
    const registrations = stores.map((store) => {
      const outage = outages.of(store)
      return Metric.registerUnsafe(Metric.gauge("wallet_store_away", { description, attributes: { store } }), context, {
        get: () => ({ value: outage.isOn ? 1 : 0 }),
        update: ignored,
        modify: ignored
      })
    })
    yield* removeWithScope(registrations)
  })
)
