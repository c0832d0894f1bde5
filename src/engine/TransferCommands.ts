/** Transfers as the engine offers them: checks the form, starts the saga, makes the answer; and the queries of transfers. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import { walletsOf } from "../domain/Legs.ts"
import { malformed } from "../domain/CommandForm.ts"
import { bothInvalid } from "../domain/Decision.ts"
import { ownMetadata } from "../domain/Limits.ts"
import { InvalidRequest, TransferNotFound } from "../domain/Rejection.ts"
import type { SearchProgress } from "../search/SearchProgress.ts"
import { EventStore } from "../stores/EventStore.ts"
import { Persistence } from "../stores/Persistence.ts"
import { type Answered, CommandMetrics } from "./CommandMetrics.ts"
import { tracedTransfer } from "./CommandTrace.ts"
import {
  type IndexDeadline,
  makeDurabilities,
  makeRefundedReads,
  nothingDurable,
  tentative,
  transferDetails
} from "./Answers.ts"
import { type CommandOrigin, keyOf, malformedOrigin, ownLimit, taking } from "./CommandOrigin.ts"
import type {
  Await,
  CommandOptions,
  DryRun,
  DryRunAnswer,
  EngineTransfers,
  LegsTransferInput,
  RefundTransferInput,
  TransferAnswer,
  TransferInput
} from "./EngineApi.ts"
import { asked, wrongId, wrongTransfers } from "./QueryForm.ts"
import { ReadShare } from "./ReadShare.ts"
import { makeBoundedLegs } from "./LegsSteps.ts"
import {
  type AskedTransferRefund,
  askedTransferRefund,
  isBehind,
  makeOriginals,
  malformedTransferRefund,
  type RefundContext,
  refundLooks,
  transferRefund
} from "./RefundCommands.ts"
import type { TransferError, TransferOutcome } from "./TransferRun.ts"
import { tryTransfer } from "./TransferDryRun.ts"
import { type TransferRequest, TransferSaga } from "./TransferSaga.ts"
import { derivedTransferId } from "./TransferSteps.ts"
import { WalletCalls } from "./WalletCalls.ts"

export { derivedTransferId } from "./TransferSteps.ts"

type Answering = Effect.Effect<TransferAnswer | DryRunAnswer<TransferAnswer>, TransferError>

export const make = Effect.fnUntraced(function* (
  bounds: Pick<ActorBounds, "callerWaitMillis">
): Effect.fn.Return<
  EngineTransfers,
  never,
  EventStore | Persistence | TransferSaga | CommandMetrics | ReadShare | SearchProgress | WalletCalls
> {
  const metrics = yield* CommandMetrics
  const clock = yield* Clock.Clock
  const persistence = yield* Persistence
  const saga = yield* TransferSaga
  const share = yield* ReadShare
  const durabilities = yield* makeDurabilities(bounds)

  const calls = yield* WalletCalls
  const originals = makeOriginals({ log: yield* EventStore, persistence, share })
  const bounded = makeBoundedLegs(persistence)

  const counting = (startedAt: number, wanted: Await) => (exit: Exit.Exit<Answered, TransferError>) =>
    Effect.sync(() => metrics.answered("Transfer", startedAt, exit, wanted))

  const beginTransfer: EngineTransfers["beginTransfer"] = taking((input) => {
    const request = requestOf(input, false)
    return request instanceof InvalidRequest ? Effect.fail(request) : begin(request)
  })

  const begin = (request: TransferRequest): ReturnType<EngineTransfers["beginTransfer"]> => {
    const begun = saga.begin(request)
    const walletIds = walletsIn(request.command)
    const timed = (deadline: IndexDeadline) => {
      const count = counting(clock.currentTimeMillisUnsafe(), request.await)
      /** Each caller's own: the run goes on with its transfer, and others may have joined it. */
      const answer = ({ persisted, replayed, transfer }: TransferOutcome) =>
        Effect.map(durabilities.of(persisted, walletIds, deadline), (durability) => ({
          transfer: transferDetails(transfer),
          durability,
          replayed
        }))
      return Effect.onExit(begun, (exit) =>
        Exit.isFailure(exit) ? count(Exit.failCause(exit.cause)) : Effect.void
      ).pipe(Effect.map((ending) => Effect.onExit(Effect.flatMap(ending, answer), count)))
    }
    return Effect.suspend(() => durabilities.timed(request.await, timed))
  }

  /** One whose key was used is asked for again, as its replay: it does nothing that it has not done. */
  const dryRun = (request: TransferRequest): Answering =>
    Effect.flatMap(tryTransfer(calls, bounded, request), (trial): Answering =>
      trial._tag === "Known"
        ? Effect.flatten(begin(request))
        : Effect.succeed(
            tentative(
              { transfer: transferDetails(trial.transfer), durability: nothingDurable, replayed: false },
              "transfer"
            )
          )
    )

  const ask = (request: TransferRequest, isDryRun: boolean): Answering =>
    isDryRun ? dryRun(request) : tracedTransfer(Effect.flatten(begin(request)), request)

  return {
    beginTransfer,
    refundTransfer: taking(refundTransfer({ originals, calls, saga, ask })) as EngineTransfers["refundTransfer"],
    // One that is no dry run is not answered as one, which the function does not say by its type.
    transfer: taking((input: TransferInput | DryRun<TransferInput>): Answering => {
      const isDryRun = input.dryRun ?? false
      const request = requestOf(input, isDryRun)
      if (request instanceof InvalidRequest) return Effect.fail(request)
      return ask(request, isDryRun)
    }) as EngineTransfers["transfer"],
    ...transferQueries({ persistence, saga, share })
  }
})

interface TransferReads {
  readonly persistence: Persistence["Service"]
  readonly saga: TransferSaga["Service"]
  readonly share: ReadShare["Service"]
}

const transferQueries = ({
  persistence,
  saga,
  share
}: TransferReads): Pick<EngineTransfers, "getTransfer" | "transfers"> => {
  const refunded = makeRefundedReads(persistence)
  return {
    getTransfer: Effect.fnUntraced(function* (transferId) {
      const detail = wrongId(transferId, "transferId")
      if (detail !== undefined) return yield* new InvalidRequest({ detail })
      // One that was answered as pending may not be persisted yet: its node knows it.
      const carried = saga.carried(transferId)
      const stored = yield* share.query(persistence.transfer(transferId))
      if (stored !== undefined) return (yield* share.query(refunded.ofTransfers([stored])))[0]!
      return carried === undefined ? yield* new TransferNotFound({ transferId }) : transferDetails(carried)
    }),
    transfers: asked(wrongTransfers, (query) =>
      share.query(
        Effect.flatMap(persistence.transfers(query), ({ data, next }) =>
          Effect.map(refunded.ofTransfers(data), (shown) => ({ data: shown, next }))
        )
      )
    )
  }
}

interface RefundCalls extends Pick<RefundContext, "originals" | "calls"> {
  readonly saga: TransferSaga["Service"]
  readonly ask: (request: TransferRequest, isDryRun: boolean) => Answering
}

/** What has moved on since it was looked at is looked at again: no amount was asked for that could be exceeded. */
const isOld = (asked: AskedTransferRefund) => (error: TransferError) =>
  isBehind(error) || (error._tag === "RefundExceeded" && asked.amount === null && error.refundable > 0n)

const refundTransfer =
  ({ ask, calls, originals, saga }: RefundCalls) =>
  (input: RefundTransferInput | DryRun<RefundTransferInput>): Answering => {
    const { dryRun = false, idempotencyKey } = input
    const asked = askedTransferRefund(input)
    const { actor, await: wanted, correlationId, limit, ...origin } = originOf(input)
    const wrong = bothInvalid(
      malformedOrigin({ actor, await: wanted, correlationId, limit, ...origin }),
      malformedTransferRefund(asked)
    )
    if (wrong !== undefined) return Effect.fail(wrong)
    const key = keyOf(idempotencyKey)
    const context: RefundContext = {
      originals,
      calls,
      idOf: (source) => derivedTransferId(source, idempotencyKey ?? ""),
      done: (command) =>
        idempotencyKey === undefined || command._tag !== "SendTransfer"
          ? Effect.undefined
          : saga.done({ ...command, currency: "", destination: null }, key)
    }
    return Effect.flatMap(transferRefund(context, asked), (command) =>
      ask({ command, key, actor, correlationId, limit, await: stepsAwait(wanted) }, dryRun)
    ).pipe(Effect.retry({ times: refundLooks, while: isOld(asked) }))
  }

const walletsIn = (command: TransferRequest["command"]): ReadonlyArray<string> =>
  command._tag === "BeginLegs" ? walletsOf(command.legs) : [command.walletId, command.to]

/** Each step waits until the one before is persisted. */
const stepsAwait = (wanted: Await): TransferRequest["await"] => (wanted === "indexed" ? "indexed" : "persisted")

const originOf = (input: CommandOptions | DryRun<CommandOptions>): CommandOrigin => {
  const { actor = null, await: wanted = "persisted", correlationId = null, dryRun = false, idempotencyKey } = input
  const limit = ownLimit(input.limit)
  return { actor, await: wanted, correlationId, dryRun, idempotencyKey, ifVersion: null, limit }
}

type AnyTransferInput = TransferInput | LegsTransferInput

const askedOf = (input: AnyTransferInput | DryRun<AnyTransferInput>): TransferRequest["command"] | InvalidRequest => {
  const { effectiveAt = null, reference = null } = input
  const metadata = ownMetadata(input.metadata)
  if (!("legs" in input)) {
    const { amount, from, to } = input
    const ofBoth = { transferId: "", to, amount, reference, metadata, effectiveAt }
    return { _tag: "SendTransfer", walletId: from, ...ofBoth, refund: null }
  }
  if ("from" in input || "to" in input || "amount" in input) {
    return new InvalidRequest({ detail: "legs: in place of from, to and amount, not beside them" })
  }
  if (!Array.isArray(input.legs) || input.legs.some((leg: unknown) => typeof leg !== "object" || leg === null)) {
    return new InvalidRequest({ detail: "legs: not a list of legs" })
  }
  const legs = input.legs.map((leg) => ({
    from: leg.from,
    to: leg.to,
    amount: leg.amount,
    reference: leg.reference ?? null,
    metadata: ownMetadata(leg.metadata),
    refund: null
  }))
  const walletId = legs[0]?.from ?? ""
  return { _tag: "BeginLegs", walletId, transferId: "", legs, reference, metadata, effectiveAt, refundOf: null }
}

/** What the saga is asked, with values of its own; or what is wrong, whatever the wallets are. */
const requestOf = (
  input: AnyTransferInput | DryRun<AnyTransferInput>,
  dryRun: boolean
): TransferRequest | InvalidRequest => {
  const { idempotencyKey } = input
  const asked = askedOf(input)
  if (asked instanceof InvalidRequest) return asked
  const origin = { ...originOf(input), dryRun }
  const { actor, await: wanted, correlationId, limit } = origin
  const wrong = bothInvalid(malformedOrigin(origin), malformed(asked))
  if (wrong !== undefined) return wrong
  return {
    // Of a dry run without a key it is not told.
    command: { ...asked, transferId: derivedTransferId(asked.walletId, idempotencyKey ?? "") },
    key: keyOf(idempotencyKey),
    actor,
    correlationId,
    limit,
    await: stepsAwait(wanted)
  }
}
