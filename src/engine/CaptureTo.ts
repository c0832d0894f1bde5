/**
 * Captures whose money goes to another wallet: one command, a transfer that begins at a hold. Checks
 * the form, starts the saga, and makes the answer of what the source did.
 */
import * as Effect from "effect/Effect"
import { type CommandError, OutcomeUnknown } from "../actors/EngineError.ts"
import { malformed } from "../domain/CommandForm.ts"
import { bothInvalid } from "../domain/Decision.ts"
import type { HoldCapturedTo } from "../domain/Event.ts"
import { InvalidRequest } from "../domain/Rejection.ts"
import type { Transfer } from "../domain/Wallet.ts"
import { captureAnswer, type Durabilities, nothingDurable, tentative, transferDetails } from "./Answers.ts"
import { tracedTransfer } from "./CommandTrace.ts"
import type { CaptureHoldToInput, CaptureToAnswer, DryRun, DryRunAnswer, Durability } from "./EngineApi.ts"
import { keyOf, malformedOrigin, ownLimit } from "./CommandOrigin.ts"
import type { BoundedLegs } from "./LegsSteps.ts"
import { tryTransfer } from "./TransferDryRun.ts"
import type { TransferError, TransferOutcome } from "./TransferRun.ts"
import type { TransferRequest, TransferSaga } from "./TransferSaga.ts"
import { derivedTransferId, type SourceEffect } from "./TransferSteps.ts"
import type { WalletCalls } from "./WalletCalls.ts"

interface CaptureContext {
  readonly calls: WalletCalls["Service"]
  readonly saga: TransferSaga["Service"]
  readonly durabilities: Durabilities
  readonly bounded: BoundedLegs
}

type Asked = CaptureHoldToInput | DryRun<CaptureHoldToInput>

const requestOf = (input: Asked, dryRun: boolean): TransferRequest | InvalidRequest => {
  const { actor = null, await: wanted = "persisted", correlationId = null, idempotencyKey, ifVersion = null } = input
  const { amount = null, effectiveAt = null, final = false, holdId, to, walletId } = input
  const asked = { _tag: "CaptureHoldTo", walletId, holdId, transferId: "", to, amount, final, effectiveAt } as const
  const limit = ownLimit(input.limit)
  const origin = { actor, await: wanted, correlationId, dryRun, idempotencyKey, ifVersion, limit }
  const wrong = bothInvalid(malformedOrigin(origin), malformed(asked))
  if (wrong !== undefined) return wrong
  return {
    // Of a dry run without a key it is not told.
    command: { ...asked, transferId: derivedTransferId(walletId, idempotencyKey ?? "") },
    key: keyOf(idempotencyKey),
    actor,
    correlationId,
    limit,
    await: wanted === "indexed" ? "indexed" : "persisted",
    ifVersion
  }
}

const capturedIn = ({ events }: SourceEffect): HoldCapturedTo | undefined => {
  for (const { event } of events) if (event._tag === "HoldCapturedTo") return event
  return undefined
}

const answerOf = (
  source: SourceEffect,
  wallet: SourceEffect["wallet"],
  {
    durability,
    replayed,
    transfer
  }: { readonly durability: Durability } & Pick<TransferOutcome, "replayed" | "transfer">
): CaptureToAnswer => {
  const { hold, transaction, wallet: shown } = captureAnswer({ ...source, wallet, durability, replayed })
  return { hold, transaction, transfer: transferDetails(transfer), wallet: shown, durability, replayed }
}

/** What a final capture releases is free once the source knows that the destination has received. */
const settledWallet = (
  { saga }: CaptureContext,
  transfer: Transfer,
  source: SourceEffect
): Effect.Effect<SourceEffect["wallet"], CommandError> =>
  transfer.status === "completed" && (capturedIn(source)?.rest ?? 0n) > 0n
    ? Effect.map(saga.settled(transfer), ({ wallet }) => wallet).pipe(
        // The money is there: only how the source is after it cannot be told now. The run meets what stops it, too, and says it.
        Effect.catch(() => Effect.fail(new OutcomeUnknown({ walletId: source.wallet.id, retryAfter: 1_000 })))
      )
    : Effect.succeed(source.wallet)

/** A defect: the saga tells of every capture what its source did. */
const withSource = ({ source }: Pick<TransferOutcome, "source">): SourceEffect => {
  if (source === undefined) throw new Error("a capture without what its source did")
  return source
}

const begin = (context: CaptureContext, request: TransferRequest & { readonly command: { readonly to: string } }) => {
  const { durabilities, saga } = context
  const walletIds = [request.command.walletId, request.command.to]
  return durabilities.timed(request.await, (deadline) => {
    const answer = Effect.fnUntraced(function* (
      outcome: TransferOutcome
    ): Effect.fn.Return<CaptureToAnswer, TransferError> {
      const source = withSource(outcome)
      const wallet = yield* settledWallet(context, outcome.transfer, source)
      const durability = yield* durabilities.of(outcome.persisted, walletIds, deadline)
      return answerOf(source, wallet, { ...outcome, durability })
    })
    return Effect.map(saga.begin(request), (ending) => Effect.flatMap(ending, answer))
  })
}

const isCapture = (
  request: TransferRequest
): request is TransferRequest & { readonly command: { readonly to: string } } => "to" in request.command

type Begun = Effect.Effect<Effect.Effect<CaptureToAnswer, TransferError>, CommandError>

export const beginCaptureTo =
  (context: CaptureContext) =>
  (input: CaptureHoldToInput): Begun => {
    const request = requestOf(input, false)
    if (request instanceof InvalidRequest) return Effect.fail(request)
    return isCapture(request) ? Effect.suspend(() => begin(context, request)) : Effect.die(request)
  }

type Answering = Effect.Effect<CaptureToAnswer | DryRunAnswer<CaptureToAnswer>, TransferError>

/** Of a dry run: with what a final capture would release. */
const triedAnswer = (transfer: Transfer, source: SourceEffect): DryRunAnswer<CaptureToAnswer> => {
  const { held, ...wallet } = source.wallet
  const rest = capturedIn(source)?.rest ?? 0n
  const outcome = { transfer, durability: nothingDurable, replayed: false }
  const answer = tentative(answerOf(source, { ...wallet, held: held - rest }, outcome), "transfer")
  return { ...answer, transaction: { ...answer.transaction, transferId: null } }
}

export const captureTo =
  (context: CaptureContext) =>
  (input: Asked): Answering => {
    const isDryRun = input.dryRun ?? false
    const request = requestOf(input, isDryRun)
    if (request instanceof InvalidRequest) return Effect.fail(request)
    if (!isCapture(request)) return Effect.die(request)
    if (!isDryRun) {
      return tracedTransfer(Effect.flatten(Effect.suspend(() => begin(context, request))), request)
    }
    return Effect.flatMap(tryTransfer(context.calls, context.bounded, request), (trial): Answering =>
      // One whose key was used is asked for again, as its replay: it does nothing that it has not done.
      trial._tag === "Known"
        ? Effect.flatten(Effect.suspend(() => begin(context, request)))
        : Effect.succeed(triedAnswer(trial.transfer, withSource(trial)))
    )
  }
