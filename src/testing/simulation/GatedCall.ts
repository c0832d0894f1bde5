/** One call of a node to a store, and every way that it can go: each fault is one of them. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { allMembers, type Commit } from "../../domain/Commit.ts"
import { StoreDefect, StoreUnavailable } from "../../stores/StoreError.ts"
import type { Fault, Step } from "./Faults.ts"
import { writeForeign } from "./ForeignWriter.ts"
import type { Trial } from "./Trial.ts"
import type { Life } from "./World.ts"

/** The node that calls, as far as faults need it. */
export interface Caller {
  readonly life: Life
  /** The process is gone. */
  readonly kill: () => void
  /** Another node starts beside this one, unless others do; answers whether it does. */
  readonly takeOver: () => boolean
}

export interface GatedCall<A, E> {
  readonly step: Step
  readonly store: "log" | "persistence"
  readonly what: () => string
  readonly effect: Effect.Effect<A, E>
  /** What the caller is told when the answer is lost. */
  readonly lost: E
  readonly commits?: ReadonlyArray<Commit>
  /** Looks at what was done. */
  readonly done?: (exit: Exit.Exit<A, E>) => void
}

export const away = (store: "log" | "persistence") =>
  new StoreUnavailable({ store, reason: "it is away", retryAfter: 100 })

/** Without a stack: where the simulation stood is of no interest, and a history must be the same twice. */
const thrown = new Error("the driver throws")
thrown.stack = "Error: the driver throws"

const outcomeText = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isFailure(exit)) {
    const [reason] = exit.cause.reasons
    return reason?._tag === "Fail" ? String((reason.error as Error).message) : "died"
  }
  const value = exit.value
  if (!Array.isArray(value)) return "done"
  return (
    value
      .map((one: { readonly _tag?: string }) => one._tag ?? "")
      .join(" ")
      .trim() || `${value.length} items`
  )
}

/** Writes, whose every call a reader of the history wants to see. */
const telling: ReadonlySet<Step> = new Set<Step>(["append", "claim", "write", "refuse", "adoptLog"])

/** One call on its way: each fault is a way that it can go. */
export class Passage<A, E> {
  private readonly trial: Trial
  private readonly caller: Caller
  private readonly call: GatedCall<A, E>
  private readonly resume: (effect: Effect.Effect<A, E | StoreUnavailable | StoreDefect>) => void
  /** Of the store that was there when it was sent. */
  private readonly losses: number

  constructor(
    trial: Trial,
    caller: Caller,
    call: GatedCall<A, E>,
    resume: (effect: Effect.Effect<A, E | StoreUnavailable | StoreDefect>) => void
  ) {
    this.trial = trial
    this.caller = caller
    this.call = call
    this.resume = resume
    this.losses = trial.losses
  }

  note(what: string): void {
    this.trial.history.note(this.trial.world.elapsed, this.caller.life.name, what)
  }

  go(fault: Fault | undefined): void {
    if (fault === undefined) this.normally(this.latency(), this.latency())
    else {
      this.note(`${this.call.step} ${this.call.what()}: ${fault}`)
      ways[fault](this)
    }
  }

  latency(): number {
    const { calm, random, plan } = this.trial
    return random.fraction() * (calm ? 1 : plan.storeMillis)
  }

  /** Some time after everybody has stopped waiting. */
  later(): number {
    return this.trial.random.fraction() * 4_000
  }

  execute(): Exit.Exit<A, E> {
    const { call, trial } = this
    if (call.store === "persistence" && this.losses !== trial.losses) return Exit.fail(call.lost)
    const exit = Effect.runSyncExit(call.effect)
    call.done?.(exit)
    trial.monitor.appended(trial.world.now)
    if (telling.has(call.step)) this.note(`${call.step} ${call.what()} → ${outcomeText(exit)}`)
    return exit
  }

  answer(millis: number, effect: Effect.Effect<A, E | StoreUnavailable | StoreDefect>): void {
    this.trial.world.after(millis, () => {
      if (this.caller.life.alive) this.resume(effect)
    })
  }

  after(millis: number, run: () => void): void {
    this.trial.world.after(millis, run)
  }

  normally(before: number, after: number): void {
    this.after(before, () => this.answer(after, this.execute()))
  }

  fail(error: E | StoreUnavailable | StoreDefect): void {
    this.answer(this.latency(), Effect.fail(error))
  }

  /** Done, whatever the caller is then told. */
  doneBut(effect: Effect.Effect<never, E>): void {
    this.after(this.latency(), () => {
      this.execute()
      this.answer(this.latency(), effect)
    })
  }

  get unavailable(): StoreUnavailable {
    return away(this.call.store)
  }

  get lost(): E {
    return this.call.lost
  }

  get store(): "log" | "persistence" {
    return this.call.store
  }

  kill(): void {
    this.caller.kill()
  }

  slowly(): void {
    if (this.trial.random.chance(0.5)) this.normally(this.later(), this.latency())
    else this.normally(this.latency(), this.later())
  }

  meetForeigner(): void {
    const { call, trial } = this
    this.after(this.latency(), () => {
      if (!writeForeign(trial, trial.random.pick(allMembers(call.commits!)).walletId))
        trial.table.count("conflict", call.step, -1)
      this.answer(this.latency(), this.execute())
    })
  }

  meetSuccessor(): void {
    if (!this.caller.takeOver()) this.trial.table.count("takeover", this.call.step, -1)
    this.normally(this.trial.random.between(0, 400), this.latency())
  }
}

type Way = <A, E>(passage: Passage<A, E>) => void

const fails: Way = (passage) => passage.fail(passage.unavailable)

const ways: Readonly<Record<Fault, Way>> = {
  away: fails,
  outage: fails,
  lostRequest: (passage) => passage.fail(passage.lost),
  defect: (passage) => passage.fail(new StoreDefect({ store: passage.store, reason: "it is at fault" })),
  throws: (passage) => passage.answer(passage.latency(), Effect.die(thrown)),
  lostAnswer: (passage) => passage.doneBut(Effect.fail(passage.lost)),
  throwsAfter: (passage) => passage.doneBut(Effect.die(thrown)),
  late: (passage) => {
    passage.fail(passage.lost)
    passage.after(passage.later(), () => passage.execute())
  },
  slow: (passage) => passage.slowly(),
  hangs: (passage) => passage.after(passage.latency(), () => passage.execute()),
  conflict: (passage) => passage.meetForeigner(),
  takeover: (passage) => passage.meetSuccessor(),
  refused: (passage) => passage.normally(passage.latency(), passage.latency()),
  crashBefore: (passage) => passage.after(passage.latency(), () => passage.kill()),
  crashAfter: (passage) =>
    passage.after(passage.latency(), () => {
      passage.execute()
      passage.kill()
    }),
  crashLate: (passage) => {
    passage.after(passage.latency(), () => passage.kill())
    passage.after(passage.later(), () => passage.execute())
  }
}
