/**
 * A load as people ask for it: so many callers, a mix of commands over so many
 * wallets, for so long. Reports the rate, the latencies of each kind and how the
 * commands were answered.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { LatencyHistogram } from "./LatencyHistogram.ts"
import { type LoadCommand, type LoadReply, LoadTarget } from "./LoadTarget.ts"
import { type Distribution, walletChoice, weightedChoice } from "./WalletChoice.ts"

/**
 * `hold`: a hold is placed and then captured, two commands. `order`: one is placed, raised, and captured in part to
 * another wallet, the rest released, three. `transfer`: to another wallet. `legs`: a transfer of two legs among three
 * wallets. `refund`: a credit, of which a part is given back, two.
 */
export const loadKinds = ["credit", "debit", "hold", "order", "transfer", "legs", "refund", "read"] as const
export type LoadKind = (typeof loadKinds)[number]

export interface LoadOptions {
  /** 1–10,000; each waits for its reply before it sends again. */
  readonly callers: number
  readonly distribution: Distribution
  /** Weights, not all zero. */
  readonly mix: Readonly<Record<LoadKind, number>>
  /** Sent and not counted, milliseconds. */
  readonly warmupMillis: number
  /** Milliseconds. */
  readonly millis: number
  /** Distinguishes this run: its wallets are `load-<run>-<n>`. 1–40 characters of an id. */
  readonly run: string
  /** About once a second. */
  readonly onProgress: (progress: LoadProgress) => Effect.Effect<void>
}

export interface LoadProgress {
  /** Replies so far. */
  readonly answers: number
  readonly elapsedMillis: number
}

/** Milliseconds, at most 4 % too high. */
export interface Latency {
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

export interface LoadReport {
  /** Counted, milliseconds. */
  readonly millis: number
  readonly commands: number
  readonly perSecond: number
  readonly latency: Latency
  readonly kinds: ReadonlyArray<{ readonly kind: LoadKind; readonly commands: number; readonly latency: Latency }>
  /** By code; `ok`: done. */
  readonly answers: Readonly<Record<string, number>>
}

/** A wallet of the load could not be made: there is nothing to measure. */
export class LoadImpossible extends Schema.TaggedError<LoadImpossible>()("LoadImpossible", { code: Schema.String }) {
  override get message(): string {
    return `the load's wallets cannot be made: ${this.code}`
  }
}

const currency = "EUR"

/** So that debits and holds have money to take for as long as a load runs. */
const openingBalance = 1_000_000_000_000n

const latencyOf = (histogram: LatencyHistogram): Latency => ({
  p50: histogram.percentile(0.5) / 1_000,
  p95: histogram.percentile(0.95) / 1_000,
  p99: histogram.percentile(0.99) / 1_000,
  max: histogram.max / 1_000
})

/** Milliseconds, monotonic. */
type Now = () => number

const monotonicNow: Effect.Effect<Now> = Effect.clockWith((clock) =>
  Effect.succeed(() => Number(clock.monotonicTimeNanosUnsafe()) / 1e6)
)

/** What a run counts. */
class Tally {
  readonly all = new LatencyHistogram()
  readonly kinds = new Map(loadKinds.map((kind) => [kind, new LatencyHistogram()]))
  readonly answers = new Map<string, number>()
  readonly startedAt: number
  readonly from: number
  readonly until: number
  answered = 0

  constructor({ millis, warmupMillis }: LoadOptions, now: number) {
    this.startedAt = now
    this.from = this.startedAt + warmupMillis
    this.until = this.from + millis
  }

  record(kind: LoadKind, code: string, sentAt: number, now: number): void {
    this.answered++
    if (now < this.from || now >= this.until) return
    const micros = (now - sentAt) * 1_000
    this.all.record(micros)
    this.kinds.get(kind)?.record(micros)
    this.answers.set(code, (this.answers.get(code) ?? 0) + 1)
  }

  report(millis: number): LoadReport {
    const commands = this.all.count
    return {
      millis,
      commands,
      perSecond: (commands * 1_000) / millis,
      latency: latencyOf(this.all),
      kinds: [...this.kinds]
        .filter(([, histogram]) => histogram.count > 0)
        .map(([kind, histogram]) => ({ kind, commands: histogram.count, latency: latencyOf(histogram) })),
      answers: Object.fromEntries([...this.answers].sort(([, a], [, b]) => b - a))
    }
  }
}

/** Wallets with money in them, their ids. */
const makeWallets = Effect.fnUntraced(function* ({ callers, distribution, run }: LoadOptions) {
  const target = yield* LoadTarget
  const ids = Array.from({ length: distribution.wallets }, (_, index) => `load-${run}-${index}`)
  let next = 0
  const make = Effect.fnUntraced(function* (caller: number, walletId: string) {
    const created = yield* target.send(caller, { _tag: "Create", walletId, currency }, `create-${walletId}`)
    if (created.code !== "ok") return yield* new LoadImpossible({ code: created.code })
    const opening = { _tag: "Credit", walletId, amount: openingBalance } as const
    const credited = yield* target.send(caller, opening, `open-${walletId}`)
    if (credited.code !== "ok") return yield* new LoadImpossible({ code: credited.code })
  })
  const maker = Effect.fnUntraced(function* (caller: number) {
    for (let walletId = ids[next++]; walletId !== undefined; walletId = ids[next++]) yield* make(caller, walletId)
  })
  const makers = Array.from({ length: Math.min(callers, ids.length) }, (_, caller) => maker(caller))
  yield* Effect.all(makers, { concurrency: "unbounded", discard: true })
  return ids
})

type Send = (caller: number, kind: LoadKind, command: LoadCommand) => Effect.Effect<LoadReply>

/** Sends what a kind consists of. `others`: two more wallets, where there are as many. */
const stepOf = (send: Send, others: (walletId: string) => ReadonlyArray<string>) =>
  Effect.fnUntraced(function* (caller: number, kind: LoadKind, walletId: string): Effect.fn.Return<LoadReply> {
    switch (kind) {
      case "credit":
        return yield* send(caller, kind, { _tag: "Credit", walletId, amount: 1n })
      case "debit":
        return yield* send(caller, kind, { _tag: "Debit", walletId, amount: 1n })
      case "read":
        return yield* send(caller, kind, { _tag: "Read", walletId })
      case "transfer": {
        const [to = walletId] = others(walletId)
        return yield* send(caller, kind, { _tag: "Transfer", walletId, to, amount: 1n })
      }
      case "refund": {
        const credited = yield* send(caller, kind, { _tag: "Credit", walletId, amount: 2n })
        if (credited.made === undefined) return credited
        return yield* send(caller, kind, { _tag: "Refund", walletId, transactionId: credited.made, amount: 1n })
      }
      case "legs": {
        const [second = walletId, third = second] = others(walletId)
        // Of two wallets it goes there and back.
        const last = third === second ? walletId : third
        return yield* send(caller, kind, { _tag: "Legs", walletId, through: second, to: last, amount: 1n })
      }
      case "hold": {
        const placed = yield* send(caller, kind, { _tag: "Hold", walletId, amount: 1n })
        if (placed.made === undefined) return placed
        return yield* send(caller, kind, { _tag: "Capture", walletId, holdId: placed.made })
      }
      case "order": {
        const [to = walletId] = others(walletId)
        const { code, made: holdId } = yield* send(caller, kind, { _tag: "Hold", walletId, amount: 2n })
        // A single wallet has nobody to pay.
        if (holdId === undefined || to === walletId) return { code, made: holdId }
        yield* send(caller, kind, { _tag: "ChangeHold", walletId, holdId, amount: 3n })
        return yield* send(caller, kind, { _tag: "CaptureTo", walletId, holdId, to, amount: 1n })
      }
    }
  })

/** Runs the load against the {@link LoadTarget}. Refused commands are counted, not failed with. */
export const runLoad = Effect.fnUntraced(function* (options: LoadOptions) {
  const target = yield* LoadTarget
  const ids = yield* makeWallets(options)
  const chooseWallet = yield* walletChoice(options.distribution, options.run)
  const chooseKind = yield* weightedChoice(
    loadKinds.map((kind) => options.mix[kind]),
    options.run
  )
  const now = yield* monotonicNow
  const tally = new Tally(options, now())
  let keys = 0

  const send = Effect.fnUntraced(function* (caller: number, kind: LoadKind, command: LoadCommand) {
    const sentAt = now()
    const reply = yield* target.send(caller, command, `${options.run}-${keys++}`)
    tally.record(kind, reply.code, sentAt, now())
    return reply
  })

  /** Others than that one, which follow a chosen one in the list. */
  const others = (walletId: string): ReadonlyArray<string> => {
    const from = chooseWallet()
    return [0, 1, 2]
      .map((step) => ids[(from + step) % ids.length]!)
      .filter((id) => id !== walletId)
      .slice(0, 2)
  }

  const step = stepOf(send, others)

  const caller = Effect.fnUntraced(function* (number: number) {
    while (now() < tally.until) {
      const { code } = yield* step(number, loadKinds[chooseKind()] ?? "credit", ids[chooseWallet()] ?? "")
      // Nobody answers: a pause, so that the load does not become a storm of connections.
      if (code === "ConnectionBroken") yield* Effect.sleep("100 millis")
    }
  })

  const progress = Effect.suspend(() =>
    options.onProgress({ answers: tally.answered, elapsedMillis: now() - tally.startedAt })
  )
  yield* Effect.all(
    Array.from({ length: options.callers }, (_, number) => caller(number)),
    { concurrency: "unbounded", discard: true }
  ).pipe(Effect.raceFirst(Effect.forever(Effect.delay(progress, "1 second"))))
  return tally.report(options.millis)
})

const millisText = (millis: number): string => (millis < 10 ? millis.toFixed(2) : millis.toFixed(0))

/** The report as lines for people. */
export const loadLines = (report: LoadReport): ReadonlyArray<string> => {
  const line = (name: string, commands: number, { max, p50, p95, p99 }: Latency) => {
    const rate = Math.round((commands * 1_000) / report.millis).toLocaleString("en")
    return (
      `${name.padEnd(8)} ${`${rate}/s`.padStart(10)}  ms: ` +
      `p50 ${millisText(p50)}, p95 ${millisText(p95)}, p99 ${millisText(p99)}, max ${millisText(max)}`
    )
  }
  return [
    ...report.kinds.map(({ commands, kind, latency }) => line(kind, commands, latency)),
    line("all", report.commands, report.latency),
    `answers: ${Object.entries(report.answers)
      .map(([code, count]) => `${count.toLocaleString("en")} ${code}`)
      .join(", ")}`
  ]
}

/** Parses `credit=80,debit=20`; what is not named weighs nothing. `undefined`: it says nothing sensible. */
export const parseMix = (text: string): LoadOptions["mix"] | undefined => {
  const mix = { credit: 0, debit: 0, hold: 0, order: 0, transfer: 0, legs: 0, refund: 0, read: 0 }
  for (const part of text.split(",")) {
    const [name = "", weight = "", ...rest] = part.split("=")
    const kind = loadKinds.find((kind) => kind === name.trim())
    if (kind === undefined || rest.length > 0 || !/^\d{1,6}$/.test(weight.trim())) return undefined
    mix[kind] = Number(weight)
  }
  return loadKinds.some((kind) => mix[kind] > 0) ? mix : undefined
}
