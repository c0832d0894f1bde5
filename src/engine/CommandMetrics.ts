/**
 * What commands came to and how long they took, as their wallets' owner saw it: from
 * the offer to the answer. Kept in plain numbers, because it runs for every command
 * (well below 100 ns each); the metrics are read from them.
 *
 * A command of the cluster is counted once, by the node that owns its wallet.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Metric from "effect/Metric"
import type { CommandError, TransferReversed } from "../actors/EngineError.ts"
import type { Await } from "../actors/Mailbox.ts"
import { commandCases } from "../domain/Command.ts"
import { FastCounter, FastHistogram, removeWithScope } from "./FastCounter.ts"

/**
 * - `ok`, `replayed`: it took place, now or by an earlier try with its key;
 * - `rejected`: by a rule of ours or of the user's;
 * - `unavailable`: it did not take place and may be sent again;
 * - `unknown`: only a retry with its key tells;
 * - `failed`: a defect, of ours or in what is stored.
 */
export type ResultClass = "ok" | "replayed" | "rejected" | "unavailable" | "unknown" | "failed"

/** Seconds; resolution is a millisecond. */
export const commandSeconds: ReadonlyArray<number> = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]

export type CountedError = CommandError | TransferReversed

export const classOf = (code: CountedError["_tag"]): ResultClass => {
  switch (code) {
    case "StoreUnavailable":
    case "MailboxFull":
      return "unavailable"
    case "OutcomeUnknown":
      return "unknown"
    case "StoreDefect":
    case "EventUnreadable":
      return "failed"
    default:
      return "rejected"
  }
}

export interface Outcome {
  readonly result: ResultClass
  /** The error's tag; `""` for what took place. */
  readonly code: string
}

const ok: Outcome = { result: "ok", code: "" }
const replayed: Outcome = { result: "replayed", code: "" }
const undecided: Outcome = { result: "unknown", code: "Undecided" }

/** What an answer says of its command. */
export type Answered = { readonly replayed: boolean } | { readonly _tag: "Seen" }

export const outcomeOf = (exit: Exit.Exit<Answered, CountedError>): Outcome => {
  if (Exit.isSuccess(exit)) return !("replayed" in exit.value) || exit.value.replayed ? replayed : ok
  for (const reason of exit.cause.reasons) {
    if (reason._tag === "Fail") return { result: classOf(reason.error._tag), code: reason.error._tag }
    if (reason._tag === "Interrupt") return { result: "unknown", code: "Interrupted" }
  }
  return { result: "failed", code: "Defect" }
}

const outcomeCounter = (register: Registrar, kind: string, { code, result }: Outcome): FastCounter => {
  const tally = new FastCounter()
  register(tally, "wallet_commands_total", "Commands answered, by what they came to", {
    kind,
    result,
    ...(code === "" ? {} : { code })
  })
  return tally
}

/** An alert waits for the first of these. */
const alertingOutcomes: ReadonlyArray<Outcome> = [
  { result: "unavailable", code: "StoreUnavailable" },
  { result: "unavailable", code: "MailboxFull" },
  { result: "failed", code: "StoreDefect" },
  { result: "failed", code: "EventUnreadable" },
  { result: "failed", code: "Defect" },
  { result: "unknown", code: "OutcomeUnknown" },
  { result: "unknown", code: "Interrupted" },
  { result: "unknown", code: "Undecided" }
]

/** Of all kinds, from the start and at zero: the first of them is an increase, which an alert can see. */
const makeAlerting = (register: Registrar) => {
  const kinds = new Map(
    [...Object.keys(commandCases), "Transfer"].map((kind) => [
      kind,
      new Map(alertingOutcomes.map((outcome) => [outcome.code, outcomeCounter(register, snakeCase(kind), outcome)]))
    ])
  )
  return (kind: string): ReadonlyMap<string, FastCounter> => kinds.get(kind) ?? new Map<string, FastCounter>()
}

/** All that is counted of one kind of command. */
class KindTallies {
  /** By code, else by result. */
  readonly counts: Map<string, FastCounter>
  readonly times = new Map<ResultClass, FastHistogram>()
  /** The usual outcome, by the shortest way. */
  readonly okCount: FastCounter
  readonly okTime: FastHistogram
  private readonly register: Registrar
  private readonly kind: string

  /** `alerting`: those that are there already. */
  constructor(kind: string, register: Registrar, alerting: ReadonlyMap<string, FastCounter>) {
    this.kind = kind
    this.register = register
    this.counts = new Map(alerting)
    this.okCount = this.count(ok)
    this.okTime = this.time("ok")
  }

  count(outcome: Outcome): FastCounter {
    const key = outcome.code === "" ? outcome.result : outcome.code
    let tally = this.counts.get(key)
    if (tally === undefined) this.counts.set(key, (tally = outcomeCounter(this.register, this.kind, outcome)))
    return tally
  }

  time(result: ResultClass): FastHistogram {
    let tally = this.times.get(result)
    if (tally === undefined) {
      this.times.set(result, (tally = new FastHistogram(commandSeconds)))
      this.register(tally, "wallet_command_duration_seconds", "Time from a command's offer to its answer", {
        kind: this.kind,
        result
      })
    }
    return tally
  }
}

type Registrar = (
  tally: FastCounter | FastHistogram,
  name: string,
  description: string,
  labels: Readonly<Record<string, string>>
) => void

/** Of clients' commands that took place, by how far they asked to wait. */
const waitTallies = (register: Registrar): Readonly<Record<Await, FastHistogram>> => {
  const waits = {
    committed: new FastHistogram(commandSeconds),
    persisted: new FastHistogram(commandSeconds),
    indexed: new FastHistogram(commandSeconds)
  }
  for (const [wanted, tally] of Object.entries(waits)) {
    const description = "Time from the offer to the owner's answer of clients' commands, by how far they asked to wait"
    register(tally, "wallet_await_duration_seconds", description, { await: wanted })
  }
  return waits
}

/** `PlaceHold` → `place_hold`. */
export const snakeCase = (tag: string): string => tag.replace(/(?<=.)[A-Z]/g, "_$&").toLowerCase()

/**
 * The answers of a batch come in one go, and reading the clock costs more than all the
 * rest here: one reading serves the answers of one turn, though no more than these, as
 * each of them may run its caller.
 */
const answersPerReading = 64

/** Milliseconds, at most the time of {@link answersPerReading} answers old. */
const sharedClock = (clock: Clock.Clock): (() => number) => {
  let now = 0
  let left = 0
  const forget = () => {
    left = 0
  }
  return () => {
    if (left === 0) {
      now = clock.currentTimeMillisUnsafe()
      left = answersPerReading
      queueMicrotask(forget)
    }
    left--
    return now
  }
}

/** Kinds that are there from the start, so that their first command is seen as an increase. */
const kindsAtStart = [
  "CreateWallet",
  "Credit",
  "Debit",
  "PlaceHold",
  "CaptureHold",
  "CaptureHoldTo",
  "ChangeHold",
  "ReleaseHold",
  "Transfer"
]

export class CommandMetrics extends Context.Service<
  CommandMetrics,
  {
    /**
     * Counts one answer. `kind`: the command's tag; `startedAt`: by the clock, ms; `wanted`: how far a client asked
     * to wait, `undefined` for what is none of a client's commands. Synchronous.
     */
    readonly answered: (
      kind: string,
      startedAt: number,
      answer: Effect.Effect<Answered, CountedError>,
      wanted?: Await
    ) => void
  }
>()("effect-wallet/engine/CommandMetrics") {
  /** Its series are there as long as its scope; of two in one registry the later one is seen. */
  static readonly layer = Layer.effect(
    CommandMetrics,
    Effect.gen(function* () {
      const context = yield* Effect.context<never>()
      const now = sharedClock(yield* Clock.Clock)
      const registrations: Array<Metric.Registration> = []
      const register: Registrar = (tally, name, description, labels) => {
        registrations.push(tally.register(context, { name, description, labels }))
      }
      yield* removeWithScope(registrations)
      const alertingOf = makeAlerting(register)
      const kinds = new Map<string, KindTallies>()
      const talliesOf = (kind: string): KindTallies => {
        let tallies = kinds.get(kind)
        if (tallies === undefined)
          kinds.set(kind, (tallies = new KindTallies(snakeCase(kind), register, alertingOf(kind))))
        return tallies
      }
      kindsAtStart.forEach(talliesOf)
      const waits = waitTallies(register)
      return CommandMetrics.of({
        answered: (kind, startedAt, answer, wanted) => {
          const tallies = talliesOf(kind)
          // A clock that was set back must not make a time negative.
          const seconds = Math.max(0, now() - startedAt) / 1_000
          // The type is wider than what comes: an answer is made by `succeed`, `fail` or `die`.
          const outcome = Exit.isExit(answer) ? outcomeOf(answer as Exit.Exit<Answered, CountedError>) : undecided
          if (outcome === ok) {
            tallies.okCount.value++
            tallies.okTime.record(seconds)
            if (wanted !== undefined) waits[wanted].record(seconds)
          } else {
            tallies.count(outcome).value++
            tallies.time(outcome.result).record(seconds)
          }
        }
      })
    })
  )
}
