/**
 * The stores as a node reaches them: every call takes time and may go wrong, and what was
 * sent lands whether or not the node lives to hear of it.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Commit } from "../../domain/Commit.ts"
import { EventStore, type AppendError, type AppendOutcome } from "../../stores/EventStore.ts"
import { Persistence } from "../../stores/Persistence.ts"
import { AppendUnknown, StoreDefect, StoreUnavailable } from "../../stores/StoreError.ts"
import type { Fault, Step } from "./Faults.ts"
import { writeForeign } from "./ForeignWriter.ts"
import { drawFault, type Trial } from "./Trial.ts"
import type { Life } from "./World.ts"

/** The node that calls, as far as faults need it. */
export interface Caller {
  readonly life: Life
  /** The process is gone. */
  readonly kill: () => void
  /** Another node starts beside this one, unless others do; answers whether it does. */
  readonly takeOver: () => boolean
}

interface Call<A, E> {
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

const away = (store: "log" | "persistence") => new StoreUnavailable({ store, reason: "it is away", retryAfter: 100 })

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
class Passage<A, E> {
  private readonly trial: Trial
  private readonly caller: Caller
  private readonly call: Call<A, E>
  private readonly resume: (effect: Effect.Effect<A, E | StoreUnavailable | StoreDefect>) => void

  constructor(
    trial: Trial,
    caller: Caller,
    call: Call<A, E>,
    resume: (effect: Effect.Effect<A, E | StoreUnavailable | StoreDefect>) => void
  ) {
    this.trial = trial
    this.caller = caller
    this.call = call
    this.resume = resume
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
      if (!writeForeign(trial, trial.random.pick(call.commits!).walletId)) trial.table.count("conflict", call.step, -1)
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

export const gatedStores = (trial: Trial, caller: Caller) => {
  const gate = <A, E>(call: Call<A, E>): Effect.Effect<A, E | StoreUnavailable | StoreDefect> =>
    Effect.callback((resume) => {
      if (caller.life.alive)
        new Passage(trial, caller, call, resume).go(drawFault(trial, caller.life, call.step, call.store))
    })
  const reading = <A, E>(step: Step, store: "log" | "persistence", what: string, effect: Effect.Effect<A, E>) =>
    gate<A, E | StoreUnavailable>({ step, store, what: () => what, effect, lost: away(store) })
  return {
    log: gatedLog(trial, gate, reading),
    persistence: gatedPersistence(trial, gate, reading)
  }
}

type Gate = <A, E>(call: Call<A, E>) => Effect.Effect<A, E | StoreUnavailable | StoreDefect>
type Reading = <A, E>(
  step: Step,
  store: "log" | "persistence",
  what: string,
  effect: Effect.Effect<A, E>
) => Effect.Effect<A, E | StoreUnavailable | StoreDefect>

const describeCommits = (commits: ReadonlyArray<Commit>): string =>
  commits
    .map(
      ({ epoch, events, expectedVersion, unsureKeys, walletId }) =>
        `${walletId}@${expectedVersion}+${events.map(({ event, metadata }) => `${event._tag}(${metadata.key})`).join("+")}` +
        ` #${epoch}` +
        (unsureKeys === undefined || unsureKeys.length === 0 ? "" : ` unsure of ${unsureKeys.join(" ")}`)
    )
    .join(", ")

const gatedLog = (trial: Trial, gate: Gate, reading: Reading): EventStore["Service"] => {
  const inner = trial.log
  return EventStore.of({
    writesPersistence: inner.writesPersistence,
    append: (commits) =>
      gate<Effect.Success<ReturnType<typeof inner.append>>, AppendError>({
        step: "append",
        store: "log",
        what: () => describeCommits(commits),
        effect: inner.append(commits),
        lost: new AppendUnknown({ reason: "the answer was lost" }),
        commits,
        done: (exit) => {
          countRefused(trial, "append", exit)
          countDoubts(trial, commits, exit)
        }
      }),
    read: (walletId, options) =>
      reading("read", "log", `${walletId} after ${options.after}`, inner.read(walletId, options)),
    readAll: (options) => reading("readAll", "log", `after ${options.after}`, inner.readAll(options)),
    follow: inner.follow,
    head: reading("head", "log", "", inner.head),
    saveSnapshot: (snapshot) =>
      gate({
        step: "saveSnapshot",
        store: "log",
        what: () => `${snapshot.walletId}@${snapshot.version}`,
        effect: inner.saveSnapshot(snapshot),
        lost: away("log")
      }),
    loadSnapshot: (walletId, bound) => reading("loadSnapshot", "log", walletId, inner.loadSnapshot(walletId, bound)),
    claim: (request) =>
      gate({
        step: "claim",
        store: "log",
        what: () => `by ${request.owner.slice(-6)}`,
        effect: inner.claim(request),
        lost: away("log"),
        done: (exit) => {
          if (Exit.isSuccess(exit)) trial.monitor.claimed(request.owner, exit.value)
        }
      })
  })
}

const countDoubts = (
  { doubts }: Trial,
  commits: ReadonlyArray<Commit>,
  exit: Exit.Exit<ReadonlyArray<AppendOutcome>, unknown>
): void => {
  if (Exit.isFailure(exit)) return
  for (const [index, { unsureKeys = [] }] of commits.entries()) {
    if (unsureKeys.length > 0) doubts.unsure++
    if (exit.value[index]!._tag === "KeySeen") doubts.seen++
  }
}

const countRefused = (trial: Trial, step: Step, exit: Exit.Exit<unknown, unknown>): void => {
  if (Exit.isSuccess(exit)) return
  const refused = exit.cause.reasons.some(
    (reason) => reason._tag === "Fail" && (reason.error as { readonly _tag?: string })._tag === "OperationRefused"
  )
  if (refused) trial.table.count("refused", step)
}

const gatedPersistence = (trial: Trial, gate: Gate, reading: Reading): Persistence["Service"] => {
  const inner = trial.persistence
  const lost = away("persistence")
  const marked = () => trial.monitor.marked()
  return Persistence.of({
    ...inner,
    write: (commits, checkpoint) =>
      gate({
        step: "write",
        store: "persistence",
        what: () => `${describeCommits(commits)} checkpoint ${checkpoint?.position}`,
        effect: inner.write(commits, checkpoint),
        lost,
        done: (exit) => {
          countRefused(trial, "write", exit)
          marked()
        }
      }),
    refuse: (commit, refusal) =>
      gate({
        step: "refuse",
        store: "persistence",
        what: () => describeCommits([commit]),
        effect: inner.refuse(commit, refusal),
        lost
      }),
    openRefusals: (options) => reading("openRefusals", "persistence", "", inner.openRefusals(options)),
    refusals: (walletId) => reading("refusals", "persistence", walletId, inner.refusals(walletId)),
    persistedVersions: (walletIds) =>
      reading("persistedVersions", "persistence", walletIds.join(" "), inner.persistedVersions(walletIds)),
    checkpoints: reading("checkpoints", "persistence", "", inner.checkpoints),
    setCheckpoint: (owner, position) =>
      gate({
        step: "setCheckpoint",
        store: "persistence",
        what: () => `${owner.slice(-6)} ${position}`,
        effect: inner.setCheckpoint(owner, position),
        lost,
        done: marked
      }),
    logId: reading("logId", "persistence", "", inner.logId),
    adoptLog: (logId) =>
      gate({ step: "adoptLog", store: "persistence", what: () => logId, effect: inner.adoptLog(logId), lost }),
    findKeys: (asked) => {
      if (asked.length > 1) trial.doubts.gathered++
      const what = asked.map(({ keys, walletId }) => `${walletId} ${keys.join(" ")}`).join(", ")
      return reading("findKeys", "persistence", what, inner.findKeys(asked))
    },
    saveKeySegment: (segment) =>
      gate({
        step: "saveKeySegment",
        store: "persistence",
        what: () => `${segment.walletId}@${segment.fromVersion}..${segment.toVersion}`,
        effect: inner.saveKeySegment(segment),
        lost
      }),
    keySegments: (walletId, options) =>
      reading("keySegments", "persistence", `${walletId} from ${options.from}`, inner.keySegments(walletId, options)),
    hold: (walletId, holdId) => reading("hold", "persistence", `${walletId} ${holdId}`, inner.hold(walletId, holdId)),
    openTransfers: (options) => reading("openTransfers", "persistence", "", inner.openTransfers(options)),
    dueHolds: (options) => reading("dueHolds", "persistence", "", inner.dueHolds(options))
  })
}
