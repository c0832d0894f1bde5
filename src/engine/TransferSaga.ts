/**
 * Carries transfers from their source to their destination and tells the source how
 * it went. No locks: a wallet is only ever asked, one step after the other, so
 * transfers to and fro, rings and chains cannot wait for one another.
 *
 * Where log and rows are one database and all its wallets are here and idle, the source has taken all
 * steps together with the first (`actors/JointTransfers.ts`), and there is nothing to carry.
 *
 * A transfer runs in a fiber of its own: a caller that goes away interrupts nothing.
 * What a crash or a store that is away leaves in flight is taken up again when its
 * source comes into memory, or by the sweeper (`Sweepers.ts`), here or on another
 * node; the keys of the steps make the second time harmless.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import * as Deadlines from "../actors/Deadlines.ts"
import type { CommandError } from "../actors/EngineError.ts"
import { MailboxFull, OutcomeUnknown } from "../actors/EngineError.ts"
import * as EngineMetrics from "../actors/EngineMetrics.ts"
import type { OpenTransfer } from "../actors/WalletActor.ts"
import { WalletRegistry } from "../actors/WalletRegistry.ts"
import type { BeginLegs, CaptureHoldTo, SendTransfer } from "../domain/Command.ts"
import type { CommandKey, RecordedEvent } from "../domain/Event.ts"
import { dayOnly } from "../domain/KeyLimit.ts"
import { completed } from "../domain/Transfer.ts"
import type { Transfer, Wallet } from "../domain/Wallet.ts"
import { Persistence } from "../stores/Persistence.ts"
import { StoreUnavailable } from "../stores/StoreError.ts"
import { stepsAfter } from "../domain/StepCommands.ts"
import { CommandMetrics } from "./CommandMetrics.ts"
import { type LegsSteps, makeBoundedLegs, makeLegsSteps, openTransfer } from "./LegsSteps.ts"
import { makeReplayedReply } from "./PastCommands.ts"
import type { Attempt, RunOptions, TransferError, TransferOutcome } from "./TransferRun.ts"
import { conclude, concludeLegs, left, TransferCaller, TransferRun } from "./TransferRun.ts"
import type { Sent, SourceEffect, TransferOrigin, TransferSteps, Wallets } from "./TransferSteps.ts"
import { engineOrigin, isPassing, makeTransferSteps, makeWallets, noteBytes, pendingTransfer } from "./TransferSteps.ts"
import { callBytes, WalletCalls } from "./WalletCalls.ts"

export interface TransferRequest extends TransferOrigin {
  /** What the source is to be asked, but for what the other wallets are. */
  readonly command:
    | Omit<SendTransfer, "currency" | "destination">
    | Omit<CaptureHoldTo, "currency" | "destination">
    | Omit<BeginLegs, "parties">
}

/** How a transfer goes, with one leg or several. */
interface Way {
  /** Step 1. */
  readonly send: Effect.Effect<Sent, CommandError>
  /** All steps after it. */
  readonly conclude: Conclude
}

type Conclude = (run: TransferRun, options: RunOptions) => Effect.Effect<void, CommandError>

/** A stop waits so long for the transfers on their way; what is left is taken up after the next start. */
const drainMillis = 2_000

/** Pauses between tries of a step: 20 ms, doubling, at most 1 s. */
const retryPause = Schedule.min([Schedule.exponential("20 millis"), Schedule.spaced("1 second")]).pipe(
  Schedule.jittered
)

export class TransferSaga extends Context.Service<
  TransferSaga,
  {
    /**
     * Completes when the source's owner has the command in line, behind all that was
     * sent to it before; the inner effect is the answer, within the caller's wait.
     */
    readonly begin: (
      request: TransferRequest
    ) => Effect.Effect<Effect.Effect<TransferOutcome, TransferError>, CommandError>
    /**
     * One try to bring a transfer in flight to its end. `false`: it is not in flight at
     * its source, or already on its way here. Fails with what stopped it.
     */
    readonly resume: (walletId: string, transferId: string) => Effect.Effect<boolean, CommandError>
    /** What the source of one that its destination has is, once it knows that. */
    readonly settled: (transfer: Transfer) => Effect.Effect<SourceEffect, CommandError>
    /**
     * What that command has done at its wallet under this key; `undefined`: nothing, as the wallet itself knows.
     * Nothing is done by it now.
     */
    readonly done: (
      command: SendTransfer,
      key: CommandKey
    ) => Effect.Effect<ReadonlyArray<RecordedEvent> | undefined, CommandError>
    /** A transfer that this node carries, as far as it has come. */
    readonly carried: (transferId: string) => Transfer | undefined
  }
>()("effect-wallet/engine/TransferSaga") {
  static readonly layer = (bounds: ActorBounds, options: SagaOptions = { alone: true }) =>
    Layer.effect(TransferSaga, make(bounds, options))
}

export interface SagaOptions {
  /** `false`: another node may carry a transfer that this one knows nothing of. */
  readonly alone: boolean
}

interface Steps {
  readonly steps: TransferSteps
  readonly legs: LegsSteps
}

const concludeOne =
  (steps: TransferSteps): Conclude =>
  (run, options) =>
    conclude(steps, run, options)

const concludeSeveral =
  (legs: LegsSteps): Conclude =>
  (run, options) =>
    concludeLegs(legs, run, options)

/** `undefined`: nothing of it is left to do at this wallet. */
const openIn = ({ legs, steps }: Steps, source: Wallet, transferId: string) => {
  const inFlight = Option.getOrUndefined(HashMap.get(source.transfers, transferId))
  if (inFlight !== undefined)
    return { transfer: pendingTransfer(source, inFlight), conclude: concludeOne(steps), limit: undefined }
  const prepared = Option.getOrUndefined(HashMap.get(source.prepared, transferId))
  const transfer = prepared && openTransfer(prepared)
  const keyLimit = prepared?.begun?.keyLimit ?? null
  const limit = keyLimit === null ? undefined : dayOnly(keyLimit)
  return transfer && { transfer, conclude: concludeSeveral(legs), limit }
}

/** What the other wallets are is asked here: a part of step 1. */
const wayOf = ({ legs, steps }: Steps, request: TransferRequest): Effect.Effect<Way, CommandError> => {
  const { command } = request
  if (command._tag === "BeginLegs") {
    return Effect.map(legs.examine(command.legs, steps.stateOf), (parties) => ({
      send: legs.begin({ ...command, parties }, request),
      conclude: concludeSeveral(legs)
    }))
  }
  const { to, walletId } = command
  return Effect.map(steps.examine(walletId, to), (destination) => ({
    send:
      command._tag === "CaptureHoldTo"
        ? steps.captureTo({ ...command, ...destination }, request)
        : steps.send({ ...command, ...destination }, request),
    conclude: concludeOne(steps)
  }))
}

const patiently = ({ sagaRetryMillis }: ActorBounds): Attempt => {
  const schedule = retryPause.pipe(Schedule.upTo({ duration: sagaRetryMillis }))
  // A schedule is set up only where the first try has failed.
  return (step) =>
    Effect.catch(step, (error) =>
      isPassing(error) ? Effect.retry(step, { schedule, while: isPassing }) : Effect.fail(error)
    )
}

/** The runs of this node: one per transfer while it is on its way. */
const makeTransferRuns = (
  { legs, steps }: Steps,
  bounds: ActorBounds,
  /** Of a transfer that came to its end together with its first step. */
  completedAtOnce: (transfer: Transfer, since: number) => void
) => {
  const runs = new Map<string, TransferRun>()
  const patient = patiently(bounds)

  const withRun = (
    run: TransferRun,
    inFlight: boolean,
    effect: Effect.Effect<void, CommandError>
  ): Effect.Effect<void, CommandError> => {
    runs.set(run.transfer.id, run)
    return Effect.onExit(effect, (exit) => {
      runs.delete(run.transfer.id)
      const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
      // Undone before its step 2, or it has ended before and the log does not say how now.
      const isOver = error !== undefined && (!inFlight || error._tag === "OperationReversed")
      run.end(isOver ? { _tag: "Failed", error } : left)
      return Effect.void
    })
  }

  /** Step 1 again until its rows are persisted: for so long step 2 must not be taken. */
  const persist = ({ send }: Way, { command }: TransferRequest) =>
    patient(Effect.flatMap(send, (sent) => (sent.persisted ? Effect.void : notYet(command))))

  /** The steps after the first, by whoever carries the transfer already or else here. */
  const carry = (way: Way, request: TransferRequest, sent: Sent, caller: TransferCaller) => {
    const { inFlight, persisted, transfer } = sent
    caller.sent = sent
    if (sent.completion !== undefined) {
      if (!sent.replayed) completedAtOnce(transfer, caller.since)
      caller.tellEnding({ _tag: "Completed", transfer: completed(transfer, sent.completion) })
      return Effect.void
    }
    const known = runs.get(transfer.id)
    const run = known ?? new TransferRun(transfer)
    run.join(caller)
    if (known !== undefined) return Effect.void
    const { limit } = sent
    const rest = way.conclude(run, { inFlight, wanted: request.await, attempt: patient, limit })
    return withRun(run, inFlight, persisted ? rest : Effect.andThen(persist(way, request), rest))
  }

  /** Brings one in flight to its end, unless it is on its way here already. */
  const takeUp = Effect.fnUntraced(function* (
    attempt: Attempt,
    walletId: string,
    transferId: string
  ): Effect.fn.Return<boolean, CommandError> {
    if (runs.has(transferId)) return false
    const source = yield* steps.stateOf(walletId)
    const open = source === undefined ? undefined : openIn({ legs, steps }, source, transferId)
    if (open === undefined || runs.has(transferId)) return false
    const run = new TransferRun(open.transfer)
    const { limit } = open
    yield* withRun(run, true, open.conclude(run, { inFlight: true, wanted: "persisted", attempt, limit }))
    return true
  })

  const resume: TransferSaga["Service"]["resume"] = (walletId, transferId) =>
    takeUp((step) => step, walletId, transferId)

  /**
   * Of a source that has come into memory. One that cannot be brought to its end now is
   * the sweeper's, which says why; so are those above the bound.
   */
  const resumeAll = (walletId: string, transferIds: ReadonlyArray<string>): Effect.Effect<void> =>
    Effect.forEach(
      transferIds,
      (transferId) =>
        runs.size < bounds.transfersCarried
          ? takeUp(patient, walletId, transferId).pipe(
              Effect.ignore,
              Effect.catchCause((cause) => reportDefect(walletId, transferId, cause))
            )
          : Effect.void,
      { concurrency: bounds.sweepConcurrency, discard: true }
    )

  return { runs, carry, resume, resumeAll }
}

/** A time that is still to come is of a bad clock, and tells no age. */
const isDue = ({ createdAt }: OpenTransfer, now: number, patienceMillis: number): boolean =>
  createdAt <= now - patienceMillis || createdAt > now

const makeDone =
  (calls: WalletCalls["Service"], { eventsOf }: Wallets): TransferSaga["Service"]["done"] =>
  (command, key) => {
    const { actor, correlationId } = engineOrigin
    const call = { command, key, actor, correlationId, await: "committed", ifVersion: null, dryRun: true } as const
    return Effect.flatMap(calls.ask({ ...call, bytes: callBytes + noteBytes(command) }), (reply) =>
      reply._tag === "Seen" || reply.replayed ? eventsOf(reply) : Effect.undefined
    )
  }

const make = Effect.fnUntraced(function* (bounds: ActorBounds, { alone }: SagaOptions) {
  const registry = yield* WalletRegistry
  const replayedReply = yield* makeReplayedReply
  const calls = yield* WalletCalls
  const wallets = makeWallets(calls, replayedReply, makeBoundedLegs(yield* Persistence))
  const clock = yield* Clock.Clock
  const steps: Steps = { steps: makeTransferSteps(calls, wallets), legs: makeLegsSteps(wallets) }
  const metrics = yield* CommandMetrics
  const { runs, carry, resume, resumeAll } = makeTransferRuns(steps, bounds, (transfer, since) => {
    for (const kind of stepsAfter(transfer)) metrics.answered(kind, since, done)
  })
  const fibers = yield* FiberSet.make<void>()
  const fork = yield* FiberSet.runtime(fibers)()
  const waiting = new Set<TransferCaller>()
  let running = 0
  let accepting = true

  /** A typed failure is the caller's answer, or the sweeper meets it again and says so. */
  const run = (way: Way, request: TransferRequest, caller: TransferCaller) =>
    Effect.onExit(
      Effect.flatMap(way.send, (sent) => carry(way, request, sent, caller)),
      (exit) => {
        const { command } = request
        running--
        if (caller.sent === undefined && Exit.isFailure(exit)) caller.tell(notSent(command.walletId, exit.cause))
        return Exit.isFailure(exit) && Cause.hasDies(exit.cause)
          ? reportDefect(command.walletId, command.transferId, exit.cause)
          : Effect.void
      }
    )

  const refuse = (walletId: string): CommandError | undefined => {
    if (!accepting) return stopping()
    return Math.max(running, waiting.size) < bounds.transfersCarried
      ? undefined
      : new MailboxFull({ walletId, retryAfter: 1_000 })
  }

  const begin: TransferSaga["Service"]["begin"] = (request) =>
    Effect.suspend(() => {
      const { walletId } = request.command
      const since = clock.currentTimeMillisUnsafe()
      return Effect.flatMap(wayOf(steps, request), (way) => {
        const refusal = refuse(walletId)
        if (refusal !== undefined) return Effect.fail(refusal)
        const caller = new TransferCaller(since, waiting)
        running++
        // Runs at once, up to the place where the command is in line at its source.
        fork(run(way, request, caller))
        return Effect.succeed(caller.wait)
      })
    })

  // A young one in a cluster is still with the node that began it: if not, the sweeper finds it.
  const patienceMillis = alone ? 0 : bounds.transferSweepAgeMillis
  registry.onTransfersFound((walletId, found) => {
    if (!accepting) return
    const now = clock.currentTimeMillisUnsafe()
    const ids = found.flatMap((one) => (isDue(one, now, patienceMillis) && !runs.has(one.id) ? [one.id] : []))
    if (ids.length > 0) fork(resumeAll(walletId, ids))
  })

  /** Tells those whose time is up what is true. A caller whose command is not sent is told by its step. */
  yield* Deadlines.enforce(bounds, (deadlines) => {
    for (const caller of waiting) {
      if (caller.sent !== undefined && deadlines.isOver(caller.since)) caller.tellEnding(left)
    }
    return Metric.update(EngineMetrics.transfersCarried, runs.size)
  })

  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      accepting = false
      return Effect.timeoutOption(FiberSet.awaitEmpty(fibers), drainMillis)
    })
  )

  const carried = (transferId: string) => runs.get(transferId)?.transfer
  return TransferSaga.of({ begin, resume, settled: steps.steps.settled, done: makeDone(calls, wallets), carried })
})

const done = Exit.succeed({ replayed: false })

const reportDefect = (walletId: string, transferId: string, cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.logError(`transfer ${transferId}: a defect`, cause).pipe(Effect.annotateLogs({ walletId, transferId }))

const stopping = () => new StoreUnavailable({ store: "log", reason: "this node is stopping", retryAfter: 1_000 })

const notYet = ({ walletId }: TransferRequest["command"]) =>
  Effect.fail(
    new StoreUnavailable({
      store: "persistence",
      reason: `wallet ${walletId} is not yet persisted`,
      retryAfter: 1_000
    })
  )

/** A stop interrupts: whether the source has the command is then not known. */
const notSent = (walletId: string, cause: Cause.Cause<CommandError>): Effect.Effect<never, CommandError> =>
  Cause.hasInterrupts(cause)
    ? Effect.fail(new OutcomeUnknown({ walletId, retryAfter: 1_000 }))
    : Effect.failCause(cause)
