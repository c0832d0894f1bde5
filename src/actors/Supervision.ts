/**
 * The fibers of the actors: each works through its mailbox, turn by turn, starts again after a
 * defect, and leaves nobody without an answer, however it ends. A turn is the messages that it has
 * taken from its mailbox, reads and commands, until each has its reply; what fails a turn is the
 * reply to all that is left of it. Callers whose time is up are answered from here, wherever at
 * their wallet they wait.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import { StoreUnavailable } from "../stores/StoreError.ts"
import { notOwner, processCommands } from "./CommandBatch.ts"
import type { Deadlines } from "./Deadlines.ts"
import { type CommandError, OutcomeUnknown, sameFailure } from "./EngineError.ts"
import * as EngineMetrics from "./EngineMetrics.ts"
import { type ActorError, answer, type Envelope, type Inquiry, type MailboxTotals, type Message } from "./Mailbox.ts"
import type { Residency } from "./Residency.ts"
import { type ActorContext, turnSize, type WalletActor } from "./WalletActor.ts"
import { isBehind, load } from "./WalletLoading.ts"

const nothing: ReadonlyArray<never> = []

/** Takes messages in hand: from now on they are replied to by the steps below or by the supervisor. */
export const begin = (actor: WalletActor, messages: ReadonlyArray<Message>): void => {
  const inquiries: Array<Inquiry> = []
  const envelopes: Array<Envelope> = []
  for (const message of messages) {
    if (message._tag === "Inquiry") inquiries.push(message)
    else if (message.stage === "waiting") {
      message.stage = "running"
      envelopes.push(message)
    }
  }
  actor.running = envelopes
  actor.inquiries = inquiries
  actor.lastTurn = messages.length
}

/** Replies to everything that is in hand. A failure is the reply to all that is left. */
export const work = function* (actor: WalletActor, context: ActorContext): Effect.fn.Return<void, ActorError> {
  // Whatever fails below is the reply to these, too: left in the mailbox they would be tried again without a pause.
  actor.takeUrgent()
  // Whatever is in memory may be out of date, and what is read from the log is out of date soon.
  if (context.ownership.epochOf(actor.partition) === undefined) return yield* notOwner(actor)
  if (!actor.loaded) yield* load(actor, context)
  if (actor.inquiries.length > 0) yield* replyToInquiries(actor, context)
  yield* processCommands(actor, context)
  actor.running = nothing
  actor.inquiries = nothing
}

/** After a failure: the same reply to all that is left, each an object of its own. */
export const failAll = (actor: WalletActor, reply: () => Effect.Effect<never, ActorError>): void => {
  for (const inquiry of actor.inquiries) inquiry.resume(reply())
  for (const envelope of actor.running) answer(envelope, reply())
  actor.running = nothing
  actor.inquiries = nothing
  actor.submitted = false
}

/** The state as of the last commit; a read that knows of a later version makes the wallet look again. */
const replyToInquiries = function* (actor: WalletActor, context: ActorContext): Effect.fn.Return<void, CommandError> {
  const wanted = Math.max(...actor.inquiries.map((inquiry) => inquiry.minVersion))
  if (wanted > (actor.wallet?.version ?? -1) && (yield* isBehind(actor, context))) yield* load(actor, context)
  for (const inquiry of actor.inquiries) {
    inquiry.resume(
      actor.wallet !== undefined && actor.wallet.version < inquiry.minVersion
        ? Effect.fail(notYet(actor, inquiry.minVersion))
        : Effect.succeed(actor.wallet)
    )
  }
}

const notYet = (actor: WalletActor, minVersion: number) =>
  new StoreUnavailable({
    store: "log",
    reason: `wallet ${actor.walletId} is at version ${actor.wallet?.version}, not yet at ${minVersion}`,
    retryAfter: 1_000
  })

/**
 * Batches that one actor works through before others get their turn: batches without
 * an append never leave the fiber, and callers who ask again at once would keep it.
 */
const batchesPerTurn = 64

export interface SupervisionOptions {
  readonly context: ActorContext
  readonly residency: Residency
  readonly totals: MailboxTotals
  /** Wallets with callers that wait for Persistence. */
  readonly awaiting: Set<WalletActor>
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
}

/**
 * The steps of an actor's fiber, for `Effect.whileLoop`: one object where three closures would stay in memory. The fiber
 * that has loaded the wallet is not the one that waits: its stack has grown, and would never shrink.
 */
class Turns {
  private readonly actor: WalletActor
  private readonly supervision: Supervision
  private isFirst: boolean
  hasBegun = false
  /** Another fiber goes on. */
  isHandedOver = false

  constructor(actor: WalletActor, supervision: Supervision, isFirst: boolean) {
    this.actor = actor
    this.supervision = supervision
    this.isFirst = isFirst
  }

  while(): boolean {
    this.hasBegun = true
    return !this.isHandedOver && !this.actor.stopped
  }

  body(): Effect.Effect<void> {
    const { actor, supervision } = this
    if (supervision.hasWork(actor)) return supervision.turn(actor)
    if (!this.isFirst) return actor.mailbox.park()
    this.isFirst = false
    this.isHandedOver = supervision.fork(actor, false)
    return Effect.void
  }

  step(): void {}
}

export class Supervision {
  private readonly options: SupervisionOptions

  constructor(options: SupervisionOptions) {
    this.options = options
  }

  /** Into memory and to work. */
  start(actor: WalletActor, now: number): void {
    this.options.residency.enter(actor, now)
    this.fork(actor, true)
  }

  /** `isFirst`: it has to load its wallet. Whether there is a fiber: a node that is closing starts none. */
  fork(actor: WalletActor, isFirst: boolean): boolean {
    const turns = new Turns(actor, this, isFirst)
    const fiber = this.options.fork(
      Effect.onExit(Effect.whileLoop(turns), () =>
        turns.isHandedOver ? Effect.void : Effect.sync(() => this.abandon(actor))
      )
    )
    // It may be scheduled and not begun yet.
    return turns.hasBegun || fiber.pollUnsafe() === undefined
  }

  /** Whether its fiber has something to do before it waits for a message. */
  hasWork(actor: WalletActor): boolean {
    return actor.mailbox.size > 0 || actor.borrowed !== undefined || this.options.residency.busy.has(actor)
  }

  /** Until there is nothing to do. While a fiber waits for a message it holds nothing of this: no generator, no state. */
  turn(actor: WalletActor): Effect.Effect<void> {
    return Effect.catchCause(
      Effect.gen(() => this.run(actor)),
      (cause) => this.failed(actor, cause)
    )
  }

  /** Answers all callers whose time is up. */
  endWaits(deadlines: Deadlines): void {
    for (const actor of this.options.residency.busy) this.endWaitsFor(actor, deadlines)
    this.endPersistenceWaits((envelope) => deadlines.isOver(envelope.offeredAt))
  }

  /** Those who wait for Persistence are told what is true: their command is in the log. */
  endPersistenceWaits(isOver: (envelope: Envelope) => boolean): void {
    const { awaiting } = this.options
    for (const actor of awaiting) {
      actor.pending?.endWaits(isOver)
      if (actor.pending?.isEmpty === true) actor.pending = undefined
      if (actor.pending === undefined) awaiting.delete(actor)
    }
  }

  private *run(actor: WalletActor): Effect.fn.Return<void, ActorError> {
    const { context, residency, totals } = this.options
    const { mailbox } = actor
    let batches = 0
    let letIn = false
    while (!actor.stopped) {
      if (actor.borrowed !== undefined) {
        yield* actor.borrowed.await
        continue
      }
      if (mailbox.size > 0) {
        if (!letIn && context.writer.isFull() && mailbox.mayAppend) {
          actor.inLine = true
          yield* context.writer.room
          actor.inLine = false
          letIn = true
          continue
        }
        letIn = false
        if (++batches % batchesPerTurn === 0) yield* Effect.yieldNow
        begin(actor, totals.take(mailbox, turnSize(actor, context.bounds)))
        yield* work(actor, context)
        continue
      }
      residency.rest(actor)
      return
    }
  }

  /** A typed failure is the answer of all in hand. A defect restarts the actor: its state comes from the log again. */
  private readonly failed = Effect.fnUntraced(function* (actor: WalletActor, cause: Cause.Cause<ActorError>) {
    const error = Cause.findErrorOption(cause)
    if (Option.isSome(error)) return failAll(actor, () => Effect.fail(sameFailure(error.value)))
    yield* Effect.logError(`wallet ${actor.walletId}: a defect; its actor starts again from the log`, cause).pipe(
      Effect.annotateLogs({ walletId: actor.walletId })
    )
    yield* Metric.update(EngineMetrics.restarts, 1)
    actor.loaded = false
    const isUnknown = actor.submitted
    failAll(actor, () => (isUnknown ? Effect.fail(outcomeUnknown(actor)) : Effect.die(Cause.squash(cause))))
  })

  /** However the fiber ends, nobody is left waiting at a mailbox that nobody reads. */
  private abandon(actor: WalletActor): void {
    const { residency, totals } = this.options
    actor.keys?.release()
    residency.remove(actor)
    for (const envelope of actor.mailbox.takeUrgent()) answer(envelope, Effect.fail(stopping()))
    actor.replyToLast()
    actor.pending?.endWaits(() => true)
    const unknown = unknownKeys(actor)
    failAll(actor, () => Effect.fail(unknown.size > 0 ? outcomeUnknown(actor) : stopping()))
    for (const message of totals.take(actor.mailbox, Number.MAX_SAFE_INTEGER)) {
      if (message._tag === "Inquiry") message.resume(Effect.fail(stopping()))
      else answer(message, Effect.fail(unknown.has(message.key) ? outcomeUnknown(actor) : stopping()))
    }
    residency.removed(actor)
  }

  /**
   * Of one wallet. A caller still in the mailbox will not be worked for: nothing can have
   * happened, but by an earlier try with the same key.
   */
  private endWaitsFor(actor: WalletActor, deadlines: Deadlines): void {
    const isOver = ({ offeredAt, stage }: Envelope) => stage !== "answered" && deadlines.isOver(offeredAt)
    const running = actor.running.filter(isOver)
    const waiting: Array<Envelope> = []
    for (const message of actor.mailbox.waiting) {
      if (message._tag === "Inquiry" || message.stage === "answered") continue
      if (!isOver(message)) break
      waiting.push(message)
    }
    if (running.length === 0 && waiting.length === 0) return
    const parked = actor.isParked
    const late = () => Effect.fail(tooLate(parked ? "persistence" : "log", actor.walletId))
    const unknown = unknownKeys(actor)
    // All of them before the first is told: what that one does next may make the wallet go on with the others.
    for (const envelope of [...running, ...waiting]) envelope.stage = "answered"
    for (const envelope of running) {
      envelope.resume(parked || envelope.dryRun ? late() : Effect.fail(outcomeUnknown(actor)))
    }
    for (const envelope of waiting) {
      envelope.resume(unknown.has(envelope.key) ? Effect.fail(outcomeUnknown(actor)) : late())
    }
    if (parked && running.length > 0) actor.unpark()
  }
}

export const stopping = () => new StoreUnavailable({ store: "log", reason: "this node is stopping", retryAfter: 1_000 })

/** Of a caller who waited in vain, and whose command has surely had no effect. */
export const tooLate = (store: "log" | "persistence", walletId: string) =>
  new StoreUnavailable({ store, reason: `wallet ${walletId} did not get to it in time`, retryAfter: 1_000 })

const outcomeUnknown = (actor: WalletActor) => new OutcomeUnknown({ walletId: actor.walletId, retryAfter: 1_000 })

/** Keys of commands that may be in the log without an answer yet. */
const unknownKeys = (actor: WalletActor): ReadonlySet<string> =>
  new Set(actor.submitted ? actor.running.map((envelope) => envelope.key) : [])
