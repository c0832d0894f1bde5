/**
 * Gathers the commits of all wallets of this node into as few appends as the log
 * can take: while a few appends are in flight the next one fills up. Answers to
 * callers are made after the next append is on its way, so that the log never waits
 * for them.
 *
 * A wallet appends nothing else until the log has decided on its commit
 * (`AppendDecision.ts`). One that was refused by a user's rule travels alone for a while.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { type Commit, eventsWith } from "../domain/Commit.ts"
import { EventStore } from "../stores/EventStore.ts"
import { type Outage, StoreOutages } from "../stores/StoreOutages.ts"
import type { ActorBounds } from "./ActorBounds.ts"
import { AppendActivity } from "./AppendActivity.ts"
import type { WriteOutcome } from "./AppendDecision.ts"
import { appends, appendUntilDecided } from "./AppendDecision.ts"
import * as EngineMetrics from "./EngineMetrics.ts"
import { WritePipeline } from "./WritePipeline.ts"

export class LogWriter extends Context.Service<
  LogWriter,
  {
    /** Answers when the log has decided. At most one commit per wallet at a time, those that belong to another counted. */
    readonly submit: (
      commit: Commit,
      options: {
        /** Not together with other wallets. */
        readonly isolated: boolean
        /** Size of what it carries, roughly. */
        readonly bytes: number
      }
    ) => Effect.Effect<WriteOutcome>
    /** Events that `wallet` comes to by, and that may soon be appended together: what the log can make ready for that, it may. */
    readonly prepare: EventStore["Service"]["prepare"]
    /**
     * Whether what waits fills the next appends: a wallet that decides now would only be busy for longer. Who finds it so
     * waits for `room` first, and decides then on all that has come meanwhile.
     */
    readonly isFull: () => boolean
    /** Waits in line; each is let in once. */
    readonly room: Effect.Effect<void>
    /**
     * Runs `task` once, soon: after the next append is on its way, or at once when
     * there is none to send. For work that the log need not wait for. Must not throw.
     */
    readonly afterSend: (task: () => void) => void
  }
>()("effect-wallet/actors/LogWriter") {
  static readonly layer = (bounds: ActorBounds) => Layer.effect(LogWriter, make(bounds))
}

interface Submission {
  readonly commit: Commit
  readonly bytes: number
  readonly resume: (effect: Effect.Effect<WriteOutcome>) => void
}

const walletsWith = ({ joint }: Commit): number => (joint === undefined ? 1 : 1 + joint.commits.length)

const walletsOf = (commits: ReadonlyArray<Commit>): number =>
  commits.reduce((wallets, commit) => wallets + walletsWith(commit), 0)

/** What waits to be appended. */
class Submissions {
  private readonly gathered: Array<Submission> = []
  /** Of these. */
  private wallets = 0
  private events = 0
  private readonly isolated: Array<Submission> = []
  private isolatedNext = false
  private readonly bounds: ActorBounds

  constructor(bounds: ActorBounds) {
    this.bounds = bounds
  }

  get isEmpty(): boolean {
    return this.gathered.length === 0 && this.isolated.length === 0
  }

  /** Whether what waits may go beside an append in flight: it is many events, or one commit that nobody gathers. */
  mayGoBeside(events: number): boolean {
    return this.events >= events || this.isolated.length > 0
  }

  /** For how many wallets' commits there is room: no more wait than the appends that may be in flight take. */
  get places(): number {
    return this.bounds.appendsInFlight * this.bounds.appendCommits - this.wallets
  }

  add(submission: Submission, isolated: boolean): void {
    ;(isolated ? this.isolated : this.gathered).push(submission)
    if (isolated) return
    this.wallets += walletsWith(submission.commit)
    this.events += eventsWith(submission.commit)
  }

  /** What goes into one append. Everybody's commits and those that travel alone take turns. */
  take(): Array<Submission> {
    const { bounds, gathered, isolated } = this
    if (isolated.length > 0 && (this.isolatedNext || gathered.length === 0)) {
      this.isolatedNext = false
      return isolated.splice(0, 1)
    }
    this.isolatedNext = true
    let events = 0
    let bytes = 0
    let wallets = 0
    let count = 0
    while (count < gathered.length) {
      const submission = gathered[count]!
      const { commit } = submission
      events += eventsWith(commit)
      bytes += submission.bytes
      wallets += walletsWith(commit)
      if (count > 0 && (events > bounds.appendEvents || bytes > bounds.appendBytes || wallets > bounds.appendCommits))
        break
      count++
    }
    const taken = gathered.splice(0, count)
    for (const { commit } of taken) {
      this.wallets -= walletsWith(commit)
      this.events -= eventsWith(commit)
    }
    return taken
  }
}

const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const { append, head, prepare } = yield* EventStore
  const outage = (yield* StoreOutages.current).of("log")
  const sender = new AppendSender({
    append,
    bounds,
    outage,
    pipeline: yield* WritePipeline,
    clock: yield* Clock.Clock,
    activity: yield* AppendActivity,
    measure: measuring(yield* Effect.context<never>())
  })
  yield* Effect.forkScoped(sender.run)
  const look = Effect.andThen(
    Effect.sync(() => sender.look()),
    noticeReturn(outage, head)
  )
  yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced(lookMillis)))
  return LogWriter.of({
    submit: (commit, { bytes, isolated }) =>
      Effect.callback<WriteOutcome>((resume) => sender.submit({ commit, bytes, resume }, isolated)),
    prepare,
    isFull: () => sender.isFull,
    room: sender.room,
    afterSend: (task) => sender.afterSend(task)
  })
})

/** Between two looks at whether an append is stuck, and whether an outage is over though nobody appends, ms. */
const lookMillis = 1_000

/** After so long without a failed append the log itself is asked, ms: while they fail, reading it would prove nothing. */
const quietMillis = 5_000

const noticeReturn = (outage: Outage, head: EventStore["Service"]["head"]): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (!outage.isOn || outage.quietMillis < quietMillis) return Effect.void
    return Effect.ignore(Effect.andThen(Effect.timeout(head, lookMillis), outage.answered(appends)))
  })

interface SenderOptions {
  readonly outage: Outage
  readonly append: EventStore["Service"]["append"]
  readonly bounds: ActorBounds
  readonly pipeline: WritePipeline["Service"]
  readonly clock: Clock.Clock
  readonly activity: AppendActivity["Service"]
  readonly measure: ReturnType<typeof measuring>
}

/** Sends what the wallets submit as soon as there is a place in flight, and hands out what has become of it. */
class AppendSender {
  private readonly options: SenderOptions
  private readonly submissions: Submissions
  private readonly tasks = new Tasks()
  /** Wallets that wait until what they would submit is sent soon; the first in line first. */
  private readonly line = new Set<(effect: Effect.Effect<void>) => void>()
  /** The appends in flight, oldest first, each with the look before it began. */
  private readonly inFlight = new Set<{ readonly look: number }>()
  private looks = 0
  /** While outcomes are handed out, what the wallets submit and put off waits for the end of it. */
  private distributing = false
  private wake: ((effect: Effect.Effect<boolean>) => void) | undefined = undefined

  constructor(options: SenderOptions) {
    this.options = options
    this.submissions = new Submissions(options.bounds)
  }

  submit(submission: Submission, isolated: boolean): void {
    this.submissions.add(submission, isolated)
    if (!this.distributing && this.canSend) this.signal(true)
  }

  get isFull(): boolean {
    return this.line.size > 0 || this.submissions.places <= 0
  }

  readonly room: Effect.Effect<void> = Effect.callback<void>((resume) => {
    this.line.add(resume)
    return Effect.sync(() => void this.line.delete(resume))
  })

  /** Lets in whom there is room for: each would fill a place. Whether it was anybody. */
  private letIn(): boolean {
    let places = this.submissions.places
    if (this.line.size === 0 || places <= 0) return false
    for (const resume of this.line) {
      if (places-- === 0) break
      this.line.delete(resume)
      resume(Effect.void)
    }
    return true
  }

  afterSend(task: () => void): void {
    this.tasks.add(task)
    if (this.wake !== undefined && !this.distributing) this.tasks.run()
  }

  /** For ever. */
  get run(): Effect.Effect<never> {
    return Effect.ensuring(
      this.loop,
      Effect.sync(() => this.tasks.run())
    )
  }

  private readonly loop: Effect.Effect<never> = Effect.gen({ self: this }, function* () {
    const { submissions, tasks } = this
    while (true) {
      if (!this.canSend) {
        tasks.run()
        // Who is let in may have nothing to append: then there is room for the next.
        if (this.letIn() || (!this.canSend && (yield* this.park))) yield* Effect.yieldNow
        continue
      }
      yield* Effect.forkChild(this.write(submissions.take()), { startImmediately: true })
      // The driver writes to its socket at the end of this turn of the event loop: only then is the append on its way.
      if (!tasks.isEmpty) yield* Effect.yieldNow
      tasks.run()
    }
  })

  private get canSend(): boolean {
    const { inFlight, options, submissions } = this
    if (inFlight.size === 0 || submissions.isEmpty) return !submissions.isEmpty
    const { bounds, pipeline } = options
    const enough = pipeline.separate || this.isStuck ? 1 : bounds.besideEvents
    return inFlight.size < bounds.appendsInFlight && submissions.mayGoBeside(enough)
  }

  /** An append that is not answered must not hold back those of others for as long as it may last. */
  look(): void {
    this.looks++
    if (this.isStuck && this.canSend) this.signal(false)
  }

  /** Whether an append has been in flight from one look to the next. */
  private get isStuck(): boolean {
    for (const { look } of this.inFlight) return this.looks - look > 1
    return false
  }

  /**
   * Answers whether more may be ready in this turn of the event loop. (Beside a `Latch` one
   * would have to keep that, and whether the loop waits at it.)
   */
  private readonly park = Effect.callback<boolean>((resume) => {
    // Looks again: between the loop's own look and this step its fiber may have given way to a wallet.
    if (this.canSend || !this.tasks.isEmpty) resume(Effect.succeed(true))
    else this.wake = resume
  })

  private signal(moreMayCome: boolean): void {
    const { wake } = this
    if (wake === undefined) return
    this.wake = undefined
    wake(Effect.succeed(moreMayCome))
  }

  private write(batch: ReadonlyArray<Submission>): Effect.Effect<void> {
    const { activity, append, bounds, clock, measure, outage, pipeline } = this.options
    const startedAt = clock.currentTimeMillisUnsafe()
    const landed = pipeline.appending()
    const commits = batch.map(({ commit }) => commit)
    const wallets = walletsOf(commits)
    activity.appending(commits, startedAt)
    const flight = { look: this.looks }
    this.inFlight.add(flight)
    let undecided = batch.length
    /** Nobody else's append waits for these. */
    const stranded = new Set<Submission>()
    /** How many keep the append's place among those in flight. */
    let holding = batch.length
    const letGo = (count: number) => {
      holding -= count
      if (holding === 0 && count > 0) this.inFlight.delete(flight)
      this.signal(false)
    }
    return appendUntilDecided(batch, {
      append,
      outage,
      retryMillis: bounds.appendRetryMillis,
      decided: (part, outcomes) => {
        undecided -= part.length
        const isOver = undecided === 0
        if (isOver) measure.append(wallets, clock.currentTimeMillisUnsafe() - startedAt)
        measure.outcomes(part, outcomes)
        this.distribute(part, outcomes)
        if (pipeline.separate) landed(appended(part, outcomes), isOver)
        letGo(stranded.has(part[0]!) ? 0 : part.length)
      },
      stranded: (submission) => {
        if (stranded.has(submission)) return
        stranded.add(submission)
        letGo(1)
      }
    })
  }

  /** Each wallet moves its state and, if its mailbox has filled, submits its next commit right here. */
  private distribute(part: ReadonlyArray<Submission>, outcomes: ReadonlyArray<WriteOutcome>): void {
    this.distributing = true
    for (let i = 0; i < part.length; i++) part[i]!.resume(Effect.succeed(outcomes[i]!))
    this.distributing = false
  }
}

/** What was put off until an append is on its way. */
class Tasks {
  private due: Array<() => void> = []

  get isEmpty(): boolean {
    return this.due.length === 0
  }

  add(task: () => void): void {
    this.due.push(task)
  }

  /** Answering callers makes new commands, whose wallets may add tasks. */
  run(): void {
    while (this.due.length > 0) {
      const { due } = this
      this.due = []
      for (const task of due) task()
    }
  }
}

/** What of an append is in the log. */
const appended = (part: ReadonlyArray<Submission>, outcomes: ReadonlyArray<WriteOutcome>) =>
  part.flatMap(({ commit }, index) => {
    const outcome = outcomes[index]!
    return outcome._tag === "Appended" ? [{ commit, position: outcome.position }] : []
  })

/** Updates the metrics: per append and part of it, never per command. */
const measuring = (context: Context.Context<never>) => ({
  /** It is over; `millis` with all its tries. */
  append: (wallets: number, millis: number): void => {
    EngineMetrics.appendBatch.updateUnsafe(wallets, context)
    EngineMetrics.appendSeconds.updateUnsafe(millis / 1_000, context)
  },
  outcomes: (part: ReadonlyArray<Submission>, outcomes: ReadonlyArray<WriteOutcome>): void => {
    let committed = 0
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome._tag === "Appended") committed += walletsWith(part[index]!.commit)
      // Of what belongs together: what was against the one.
      else
        EngineMetrics.appendOutcomes.updateUnsafe(
          (outcome._tag === "Withheld" ? outcome.because : outcome)._tag,
          context
        )
    }
    EngineMetrics.commitsAppended.updateUnsafe(committed, context)
  }
})
