/**
 * One transfer on its way on this node: how far it has come, who waits for it, and the two
 * steps that bring it to its end.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { CommandError } from "../actors/EngineError.ts"
import { OperationReversed, OutcomeUnknown, sameFailure, TransferReversed } from "../actors/EngineError.ts"
import type { KeyLimit } from "../domain/KeyLimit.ts"
import type { LegTransactions } from "../domain/Legs.ts"
import { completed, sourceOf } from "../domain/Transfer.ts"
import { otherParties, transactionsIn } from "../domain/StepCommands.ts"
import type { Transfer } from "../domain/Wallet.ts"
import { concurrentWallets, type LegsSteps, type Promised } from "./LegsSteps.ts"
import type { Sent, SourceEffect, TransferOrigin, TransferSteps } from "./TransferSteps.ts"

export interface TransferOutcome {
  /** `completed`, or `pending` when the caller's wait ended first. */
  readonly transfer: Transfer
  /** Whether Persistence has what the status says. */
  readonly persisted: boolean
  readonly replayed: boolean
  /** Of a capture: what its source did. */
  readonly source?: SourceEffect | undefined
}

export type TransferError = CommandError | TransferReversed

/**
 * How a run has ended, for those who wait for it. `Left`: the transfer has not ended, the
 * sweeper goes on with it. `Failed`: there is nothing to go on with, and what happened cannot
 * be told.
 */
export type Ending =
  | {
      readonly _tag: "Completed"
      readonly transfer: Transfer
      /** Of one leg: of the transaction at its destination. */
      readonly receivedId?: string
    }
  | { readonly _tag: "Reversed"; readonly transferId: string; readonly reason: string; readonly leg?: number | null }
  | { readonly _tag: "Left" }
  | { readonly _tag: "Failed"; readonly error: CommandError }

/** A caller. Answered once, by whoever comes first: the run's end or the end of its wait. */
export class TransferCaller {
  /** When it came, ms. */
  readonly since: number
  /** Step 1 has taken place. */
  sent: Sent | undefined = undefined
  private readonly answer = Deferred.makeUnsafe<TransferOutcome, TransferError>()
  private readonly waiting: Set<TransferCaller>

  /** `waiting`: it is in there until it is answered. */
  constructor(since: number, waiting: Set<TransferCaller>) {
    this.since = since
    this.waiting = waiting
    waiting.add(this)
  }

  tell(answer: Effect.Effect<TransferOutcome, TransferError>): void {
    // Before it is told: what it does next may ask how many wait.
    this.waiting.delete(this)
    Deferred.doneUnsafe(this.answer, answer)
  }

  /** Tells it how the run of a transfer that was sent has ended. */
  tellEnding(ending: Ending): void {
    this.tell(answerTo(this.sent!, ending))
  }

  readonly wait: Effect.Effect<TransferOutcome, TransferError> = Deferred.await(this.answer)
}

/** Whoever asks for the same transfer while it is on its way joins its run. */
export class TransferRun {
  /** As far as it has come. */
  transfer: Transfer
  private readonly callers: Array<TransferCaller> = []
  private ending: Ending | undefined = undefined

  constructor(transfer: Transfer) {
    this.transfer = transfer
  }

  /** `caller`: its step 1 has taken place. */
  join(caller: TransferCaller): void {
    if (this.ending === undefined) this.callers.push(caller)
    else caller.tellEnding(this.ending)
  }

  /** Only the first counts: a transfer that has arrived may still be on its way to being settled. */
  end(ending: Ending): void {
    if (this.ending !== undefined) return
    this.ending = ending
    for (const caller of this.callers) caller.tellEnding(ending)
  }
}

/** Takes a step, and again where that may help. */
export type Attempt = <A>(step: Effect.Effect<A, CommandError>) => Effect.Effect<A, CommandError>

/** How far one run of the steps goes, and how hard it tries. */
export interface RunOptions {
  /** `false`: it has ended at the source; the steps only tell how. */
  readonly inFlight: boolean
  readonly wanted: TransferOrigin["await"]
  readonly attempt: Attempt
  /** What the key that has begun several legs may take out of the other wallets. */
  readonly limit: KeyLimit | undefined
}

/** Steps 2 and 3. Whoever waits is told after the money has arrived, or is back. */
export const conclude = (
  steps: TransferSteps,
  run: TransferRun,
  { attempt, inFlight, wanted }: RunOptions
): Effect.Effect<void, CommandError> => {
  const { transfer } = run
  return Effect.flatMap(attempt(steps.arrive(transfer, wanted)), (arrival) => {
    if (arrival._tag === "Received") {
      run.transfer = { ...transfer, status: "completed", updatedAt: arrival.time }
      run.end({ _tag: "Completed", transfer: run.transfer, receivedId: arrival.transactionId })
      return inFlight ? attempt(steps.settle(transfer)) : Effect.void
    }
    return Effect.map(attempt(steps.returnFunds(transfer, arrival.reason)), ({ reason, time }) => {
      run.transfer = { ...transfer, status: "reversed", reason, updatedAt: time }
      run.end({ _tag: "Reversed", transferId: transfer.id, reason })
    })
  })
}

const atOnce = { concurrency: concurrentWallets }

/** Steps 2 to 5 of several legs. Whoever waits is told when all its wallets know. */
export const concludeLegs = Effect.fnUntraced(function* (
  steps: LegsSteps,
  run: TransferRun,
  { attempt, inFlight, limit, wanted }: RunOptions
): Effect.fn.Return<void, CommandError> {
  const { transfer } = run
  // Of one that is settled its home tells how, whatever it is asked.
  const transactions = inFlight ? yield* carryLegs(steps, transfer, attempt, limit) : []
  const ended = yield* attempt(steps.settle(transfer, transactions, wanted))
  if (!inFlight && ended.status === "completed") {
    // Its rows may have been lost since, and be back at the home alone.
    yield* Effect.forEach(otherParties(transfer), ({ walletId }) => attempt(steps.tell(transfer, walletId)), atOnce)
  }
  run.transfer = ended
  run.end(
    ended.status === "completed"
      ? { _tag: "Completed", transfer: ended }
      : { _tag: "Reversed", transferId: ended.id, reason: ended.reason ?? "", leg: ended.leg }
  )
})

const lowestLeg = (promised: ReadonlyArray<Promised>): Extract<Promised, { readonly _tag: "Refused" }> | undefined =>
  promised.flatMap((one) => (one._tag === "Refused" ? [one] : [])).sort((a, b) => a.leg - b.leg)[0]

/**
 * Up to where all wallets know; answers the transactions, by leg. The decision waits for all answers, also
 * after a refusal: a promise that is made after it would be kept for ever.
 */
const carryLegs = Effect.fnUntraced(function* (
  steps: LegsSteps,
  transfer: Transfer,
  attempt: Attempt,
  limit: KeyLimit | undefined
): Effect.fn.Return<ReadonlyArray<LegTransactions>, CommandError> {
  const promised = yield* Effect.forEach(
    otherParties(transfer),
    (party) => attempt(steps.prepare(transfer, party, limit)),
    atOnce
  )
  const decided = yield* attempt(steps.decide(transfer, lowestLeg(promised)))
  const told = yield* Effect.forEach(
    promised.flatMap((one) => (one._tag === "Prepared" ? [one.walletId] : [])),
    (walletId) => attempt(steps.tell(transfer, walletId, decided._tag === "Applied" ? undefined : decided)),
    atOnce
  )
  return decided._tag === "Applied" ? transactionsIn(transfer, [decided.recorded, ...told]) : []
})

/** Not brought to its end here. */
export const left: Ending = { _tag: "Left" }

/** `sent`: the id of the transaction at its source. */
const withReceived = (
  { receivedId, transfer }: Extract<Ending, { readonly _tag: "Completed" }>,
  sent: string
): Transfer =>
  receivedId === undefined
    ? transfer
    : completed(transfer, {
        updatedAt: transfer.updatedAt,
        transactions: [{ sent, received: receivedId }]
      })

const answerTo = (
  { eventId, inFlight, persisted, replayed, source, transfer }: Sent,
  ending: Ending
): Effect.Effect<TransferOutcome, TransferError> => {
  switch (ending._tag) {
    case "Completed":
      return Effect.succeed({ transfer: withReceived(ending, eventId), persisted: true, replayed, source })
    case "Reversed": {
      const { leg, reason, transferId } = ending
      return Effect.fail(
        new TransferReversed({ transferId, reason, replayed, ...(typeof leg === "number" ? { leg } : {}) })
      )
    }
    case "Failed":
      // Step 1 may have been asked again meanwhile: whether this is a replay is the caller's own affair.
      return Effect.fail(
        ending.error._tag === "OperationReversed"
          ? new OperationReversed({ walletId: ending.error.walletId, reason: ending.error.reason, replayed })
          : sameFailure(ending.error)
      )
    case "Left":
      return inFlight
        ? Effect.succeed({ transfer, persisted, replayed, source })
        : // It has ended before, but how cannot be told now.
          Effect.fail(new OutcomeUnknown({ walletId: sourceOf(transfer), retryAfter: 1_000 }))
  }
}
