/**
 * The service for as long as is asked for under a constant load, with faults of search drawn from a seed, each healed before
 * the next; then what was told is held against what is there.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { ElasticsearchServerOptions } from "../../bench/servers/ElasticsearchServer.ts"
import { HttpConnection } from "../../src/load/HttpConnection.ts"
import { makeRandom } from "../cli/KillClient.ts"
import { Ledger } from "./Ledger.ts"
import { auditSoak, type Verified } from "./SoakAudit.ts"
import { makeFault, rewritesAll, type SoakFault } from "./SoakFaults.ts"
import { pacing } from "./Pace.ts"
import { accountsFor, SoakLoad } from "./SoakLoad.ts"
import { readiness, type SoakRig, startSoakRig } from "./SoakRig.ts"
import { flatFactor, judgeMemory, type MemoryVerdict, type Sample, SoakWatch } from "./SoakWatch.ts"

export interface SoakOptions {
  readonly seed: number
  /** Of the load at least; it ends when all faults are healed, too. */
  readonly millis: number
  /** Events per second. */
  readonly rate: number
  readonly wallets: number
  /** Drawn from these, each once before any comes again. */
  readonly kinds: ReadonlyArray<SoakFault>
  readonly faults: number
  /** How long a fault lasts that goes on for a while, ms. */
  readonly holdMillis: number
  readonly elasticsearch: ElasticsearchServerOptions
  /** Whether memory has to be flat; a short run is the start of a process. */
  readonly judgesMemory: boolean
  /** Told of each fault once it is healed. */
  readonly tell: (line: string) => Effect.Effect<void>
}

export interface FaultRecord {
  readonly fault: SoakFault
  /** From its beginning, ms since the start of the load: until it was undone, and until search was level again. */
  readonly startedAt: number
  readonly undoneMillis: number
  readonly healedMillis: number
  /** Events acknowledged meanwhile, per second. */
  readonly eventsPerSecond: number
  /** The oldest event that search did not have, s. */
  readonly lagSeconds: number
  readonly problems: ReadonlyArray<string>
}

export interface SoakOutcome {
  readonly faults: ReadonlyArray<FaultRecord>
  readonly events: number
  readonly commands: number
  /** Of the load, ms. */
  readonly loadMillis: number
  readonly again: SoakLoad["again"]
  /** Of a batch, ms. */
  readonly latency: { readonly p50: number; readonly p99: number }
  readonly longestGapMillis: number
  readonly memory: MemoryVerdict
  readonly indexed: SoakWatch["indexed"]
  readonly searches: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly slowestSearchMillis: number
  readonly verified: Verified
  readonly samples: ReadonlyArray<Sample>
  /** What is not as promised; empty: all is well. */
  readonly problems: ReadonlyArray<string>
}

/** Load before the first fault and after the last, ms. */
const edgeMillis = 5_000

/** After a fault search has to come on, and must not stand still for so long, ms. The load goes slower before. */
const standstillMillis = 300_000

/** What a tool may take, ms, and how much more for each event: many times what it does on a machine of its own. */
const toolMillis = 1_200_000
const toolMillisPerEvent = 2

/** So many looks in a row have to find it well. */
const wellLooks = 3

/** What is open after the load has to be told within this, ms. */
const settleMillis = 120_000

/** In an order of the seed's; but those that write all of the log again come first, while it is short. */
export const drawFaults = (seed: number, kinds: ReadonlyArray<SoakFault>, count: number): ReadonlyArray<SoakFault> => {
  const random = makeRandom(seed)
  const drawn: Array<SoakFault> = []
  while (drawn.length < count && kinds.length > 0) {
    const bag = [...kinds]
    while (bag.length > 0) drawn.push(...bag.splice(random(bag.length), 1))
  }
  const faults = drawn.slice(0, count)
  return [...faults.filter((one) => rewritesAll.includes(one)), ...faults.filter((one) => !rewritesAll.includes(one))]
}

const createWallets = (rig: SoakRig, { accounts }: Ledger) =>
  Effect.forEach(
    Array.from({ length: 8 }, (_, caller) => accounts.filter((_account, place) => place % 8 === caller)),
    (own) =>
      Effect.acquireUseRelease(
        Effect.sync(() => new HttpConnection(new URL(rig.service.url))),
        (connection) =>
          Effect.forEach(
            own,
            ({ id, ownerId }) =>
              connection.request(
                `POST /v1/wallets HTTP/1.1\r\nhost: ${new URL(rig.service.url).host}\r\nauthorization: Bearer ${rig.apiKey}\r\n` +
                  `content-type: application/json\r\nidempotency-key: create-${id}\r\n`,
                JSON.stringify({ id, ownerId, currency: "EUR", metadata: { plan: "soak" } })
              ),
            { discard: true }
          ),
        (connection) => Effect.sync(() => connection.close())
      ),
    { concurrency: 8, discard: true }
  ).pipe(
    Effect.mapError(({ reason }) => new Error(reason)),
    Effect.orDie
  )

/** Until search has what the log has and the service calls itself well; `false`: it does not come to that. */
const untilLevel = Effect.fnUntraced(function* (watch: SoakWatch) {
  let seen = watch.samples.length
  let well = 0
  while (well < wellLooks && watch.standstillMillis < standstillMillis) {
    yield* Effect.sleep(100)
    for (; seen < watch.samples.length; seen++) {
      const { isWriting, status } = watch.samples[seen]!
      well = isWriting && status === "ok" ? well + 1 : 0
    }
  }
  return well >= wellLooks
})

const toolLimitMillis = ({ events }: Ledger): number => toolMillis + toolMillisPerEvent * events

interface Soak {
  readonly options: SoakOptions
  readonly rig: SoakRig
  readonly ledger: Ledger
  readonly watch: SoakWatch
  readonly startedAt: number
}

const oneFault = Effect.fnUntraced(function* (soak: Soak, fault: SoakFault) {
  const { ledger, options, rig, watch } = soak
  const began = performance.now()
  const [eventsBefore, samplesBefore] = [ledger.events, watch.samples.length]
  watch.begin(fault)
  const made = yield* makeFault(rig, fault, {
    holdMillis: options.holdMillis,
    toolLimitMillis: toolLimitMillis(ledger)
  })
  const undone = performance.now()
  watch.undone()
  yield* Effect.forEach(made, (problem) => options.tell(`BROKEN: ${fault}: ${problem}`), { discard: true })
  const isLevel = yield* untilLevel(watch)
  const healed = performance.now()
  if (isLevel) watch.healed()
  const said = isLevel ? "" : (yield* readiness(rig)).search
  const record: FaultRecord = {
    fault,
    startedAt: Math.round(began - soak.startedAt),
    undoneMillis: Math.round(undone - began),
    healedMillis: Math.round(healed - began),
    eventsPerSecond: ((ledger.events - eventsBefore) * 1_000) / (healed - began),
    lagSeconds: Math.max(0, ...watch.samples.slice(samplesBefore).map(({ lagSeconds }) => lagSeconds)),
    problems: [
      ...made.map((problem) => `${fault}: ${problem}`),
      ...(isLevel ? [] : [`${fault}: search does not come on: ${said}`])
    ]
  }
  yield* options.tell(
    `${fault}: undone after ${(record.undoneMillis / 1_000).toFixed(1)} s, level after ${(record.healedMillis / 1_000).toFixed(1)} s, ` +
      `lag at most ${record.lagSeconds.toFixed(1)} s, ${Math.round(record.eventsPerSecond)} events/s meanwhile` +
      (isLevel ? "" : `; BROKEN: it does not come on: ${said}`)
  )
  return { record, isLevel }
})

/** Spread over the time, each when the one before is healed. One that does not heal is the last. */
const allFaults = Effect.fnUntraced(function* (soak: Soak) {
  const { options, startedAt } = soak
  const records: Array<FaultRecord> = []
  const faults = drawFaults(options.seed, options.kinds, options.faults)
  for (const [place, fault] of faults.entries()) {
    const due = startedAt + edgeMillis + (place * (options.millis - 2 * edgeMillis)) / faults.length
    yield* Effect.sleep(Math.max(0, due - performance.now()))
    const { isLevel, record } = yield* oneFault(soak, fault)
    records.push(record)
    if (!isLevel) break
  }
  const left = Math.max(edgeMillis, startedAt + options.millis - performance.now())
  yield* Effect.sleep(left)
  return records
})

/** The load with its faults, until all that was sent is told done. */
const underLoad = Effect.fnUntraced(function* (soak: Soak, load: SoakLoad) {
  const { options, watch } = soak
  let isOver = false
  const loading = yield* Effect.forkChild(load.run)
  const probing = yield* Effect.forkChild(watch.probing(() => isOver))
  const minute = Effect.suspend(() => {
    const last = watch.last
    const megabytes = Math.round((last?.resident ?? 0) / 1_048_576)
    return options.tell(
      `${Math.round((performance.now() - soak.startedAt) / 1_000)} s: ${soak.ledger.events} events, now ${Math.round(load.rate)}/s, ` +
        `lag ${last?.lagSeconds.toFixed(1)} s, ${last?.lagEvents} events, ${megabytes} MB, ${last?.status} ${last?.search}`
    )
  })
  const pace = yield* Effect.forkChild(pacing(load, watch))
  const telling = yield* Effect.forkChild(Effect.forever(Effect.andThen(Effect.sleep(60_000), minute)))
  const faults = yield* allFaults(soak)
  yield* Fiber.interruptAll([telling, pace])
  const loadMillis = performance.now() - soak.startedAt
  load.stop()
  isOver = true
  const told = yield* Effect.timeoutOption(Effect.all([Fiber.join(loading), Fiber.join(probing)]), settleMillis)
  return { faults, loadMillis, isSettled: told._tag === "Some" }
})

const memoryProblems = (
  { judgesMemory }: SoakOptions,
  { earlier, isFlat, later }: MemoryVerdict
): ReadonlyArray<string> =>
  judgesMemory && !isFlat
    ? [
        `memory is not flat: ${later} bytes in the later half, ${earlier} in the earlier one, allowed are ${flatFactor} ×`
      ]
    : []

/** SIGTERM, in time and with exit code 0. */
const end = Effect.fnUntraced(function* ({ service }: SoakRig) {
  yield* service.kill("SIGTERM")
  const code = yield* service.exited
  return code === 0 ? [] : [`the service ended with ${code}`]
})

export const runSoak = Effect.fnUntraced(function* (
  options: SoakOptions
): Effect.fn.Return<SoakOutcome, never, Scope.Scope> {
  const rig = yield* startSoakRig(options.elasticsearch)
  const ledger = new Ledger(accountsFor(options))
  const load = new SoakLoad(rig, ledger, options)
  yield* createWallets(rig, ledger)
  yield* load.fund
  const watch = new SoakWatch(rig, load)
  const looking = yield* Effect.forkChild(watch.looking)
  yield* options.tell(
    `${options.wallets} wallets at ${rig.service.url}; faults: ${drawFaults(options.seed, options.kinds, options.faults).join(", ")}`
  )
  // So that no fault meets a server that is still starting.
  const isStarted = yield* untilLevel(watch)
  const soak: Soak = { options, rig, ledger, watch, startedAt: performance.now() }
  const { faults, isSettled, loadMillis } = yield* underLoad(soak, load)
  const isLevel = yield* untilLevel(watch)
  yield* Fiber.interrupt(looking)
  yield* options.tell("the load has ended; wallet verify")
  const audited = yield* auditSoak(rig, ledger, toolLimitMillis(ledger))
  const memory = judgeMemory(watch.samples)
  return {
    faults,
    events: ledger.events,
    commands: ledger.commands,
    loadMillis,
    again: load.again,
    latency: { p50: load.latency.percentile(0.5) / 1_000, p99: load.latency.percentile(0.99) / 1_000 },
    longestGapMillis: Math.round(load.longestGapMillis),
    memory,
    indexed: watch.indexed,
    searches: Object.fromEntries([...watch.searches].map(([fault, counts]) => [fault, Object.fromEntries(counts)])),
    slowestSearchMillis: Math.round(watch.slowestSearchMillis),
    verified: audited.verified,
    samples: watch.samples,
    problems: [
      ...faults.flatMap(({ problems }) => problems),
      ...(faults.length < options.faults ? [`${faults.length} of ${options.faults} faults were made`] : []),
      ...(isStarted ? [] : ["search was not level before the load"]),
      ...(isSettled ? [] : ["some commands were never told done"]),
      ...(isLevel ? [] : ["search was not level at the end"]),
      ...load.wrong,
      ...watch.problems.slice(0, 20),
      ...audited.problems,
      ...memoryProblems(options, memory),
      ...(yield* end(rig))
    ]
  }
})
