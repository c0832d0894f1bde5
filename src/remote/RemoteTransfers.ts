/** Transfers and captures to other wallets, over the API. */
import * as Effect from "effect/Effect"
import type { CommandError, TransferReversed } from "../actors/EngineError.ts"
import type { ClientCommand } from "../domain/CommandForm.ts"
import { isId, ownMetadata } from "../domain/Limits.ts"
import { InvalidRequest } from "../domain/Rejection.ts"
import type {
  CaptureHoldToInput,
  EngineCommands,
  EngineTransfers,
  LegsTransferInput,
  RefundTransferInput,
  TransferInput
} from "../engine/EngineApi.ts"
import {
  CaptureReply,
  DryCaptureReply,
  DryTransferReply,
  type TransferBody,
  TransferReply
} from "../http/api/Schemas.ts"
import { taking } from "../engine/CommandOrigin.ts"
import { commanded, commandFailures, type Either, given, originOf } from "./RemoteCommand.ts"
import { type RemoteService, whole } from "./RemoteService.ts"

type TransferError = CommandError | TransferReversed

const failures: ReadonlyArray<TransferError["_tag"]> = [...commandFailures, "TransferReversed"]

const transfer = { reply: TransferReply, dry: DryTransferReply, failures } as const

/** What is to be moved: as its form is judged, and as it is sent. */
interface AskedTransfer {
  readonly command: ClientCommand
  readonly payload: typeof TransferBody.Type
  readonly walletId: string
  readonly sources?: ReadonlyArray<string>
}

const askedOf = (input: Either<TransferInput | LegsTransferInput>): AskedTransfer | InvalidRequest => {
  const { effectiveAt = null, reference = null } = input
  const metadata = ownMetadata(input.metadata)
  const note = { reference, metadata, ...(effectiveAt === null ? {} : { effectiveAt }) }
  if (!("legs" in input)) {
    const { amount, from, to } = input
    const command = { walletId: from, transferId: "", to, amount, reference, metadata, effectiveAt, refund: null }
    return { command: { _tag: "SendTransfer", ...command }, payload: { from, to, amount, ...note }, walletId: from }
  }
  if ("from" in input || "to" in input || "amount" in input) {
    return new InvalidRequest({ detail: "legs: in place of from, to and amount, not beside them" })
  }
  if (!Array.isArray(input.legs) || input.legs.some((leg: unknown) => typeof leg !== "object" || leg === null)) {
    return new InvalidRequest({ detail: "legs: not a list of legs" })
  }
  const legs = input.legs.map(({ amount, from, metadata, reference = null, to }) => ({
    from,
    to,
    amount,
    reference,
    metadata: ownMetadata(metadata)
  }))
  const walletId = legs[0]?.from ?? ""
  const common = { walletId, transferId: "", reference, metadata, effectiveAt, refundOf: null }
  return {
    command: { _tag: "BeginLegs", legs: legs.map((leg) => ({ ...leg, refund: null })), ...common },
    payload: { legs, ...note },
    walletId,
    sources: legs.map(({ from }) => from)
  }
}

const send = (service: RemoteService) => (input: Either<TransferInput | LegsTransferInput>) => {
  const asked = askedOf(input)
  if (asked instanceof InvalidRequest) return Effect.fail(asked)
  const { command, payload, sources, walletId } = asked
  return commanded(service, {
    ...transfer,
    command,
    origin: originOf({ ...input, ifVersion: undefined }),
    asked: { walletId, sources },
    isOurs: ({ transfer }) => transfer.legs[0]?.from === walletId,
    send: ({ headers, query }) => service.client.transfers.send({ headers, query, payload, ...whole })
  })
}

/** What is wrong with the names of what is refunded. */
const wrongNames = ({
  leg,
  transferId,
  walletId
}: Pick<RefundTransferInput, "leg" | "transferId" | "walletId">): InvalidRequest | undefined => {
  if (!isId(transferId)) return new InvalidRequest({ detail: "transferId: not an id" })
  if (walletId !== undefined && !isId(walletId)) return new InvalidRequest({ detail: "walletId: not an id" })
  return leg === undefined || (Number.isSafeInteger(leg) && leg >= 0)
    ? undefined
    : new InvalidRequest({ detail: "leg: not the number of a leg" })
}

const refund = (service: RemoteService) => (input: Either<RefundTransferInput>) => {
  const { amount, effectiveAt = null, leg, reference = null, transferId, walletId } = input
  const metadata = ownMetadata(input.metadata)
  return commanded(service, {
    ...transfer,
    command: {
      _tag: "SendTransfer",
      walletId: "unknown",
      to: "unknown",
      transferId: "",
      amount: amount ?? 1n,
      reference,
      metadata,
      effectiveAt,
      refund: null
    },
    wrong: wrongNames({ leg, transferId, walletId }),
    origin: originOf({ ...input, ifVersion: undefined }),
    asked: { walletId: walletId ?? "", transferId },
    isOurs: ({ transfer }) => transfer.refundOf === transferId,
    send: ({ headers, query }) =>
      service.client.transfers.refund({
        params: { id: transferId },
        headers,
        query,
        payload: given({ amount, reference, metadata, effectiveAt: effectiveAt ?? undefined, leg, walletId }),
        ...whole
      })
  })
}

/** A capture with `to` answers its transfer as well. */
const hasTransfer = (answer: typeof CaptureReply.Type | typeof DryCaptureReply.Type): boolean =>
  answer.transfer !== undefined

const captureTo = (service: RemoteService) => (input: Either<CaptureHoldToInput>) => {
  const { amount = null, effectiveAt = null, final = false, holdId, to, walletId } = input
  return commanded(service, {
    reply: CaptureReply,
    dry: DryCaptureReply,
    failures,
    command: { _tag: "CaptureHoldTo", walletId, holdId, transferId: "", to, amount, final, effectiveAt },
    origin: originOf(input),
    asked: { walletId, holdId },
    isOurs: (answer) => answer.wallet.id === walletId && hasTransfer(answer),
    send: ({ query, walletHeaders: headers }) =>
      service.client.holds.capture({
        params: { id: walletId, holdId },
        headers,
        query,
        payload: given({ amount: amount ?? undefined, final, to, effectiveAt: effectiveAt ?? undefined }),
        ...whole
      })
  })
}

/**
 * For callers that keep an order. The API tells nothing before the answer: when that is there, the command was in line at
 * its wallet before whatever is sent from then on. Only a malformed one fails before.
 */
const begun =
  <Input, A>(command: (input: Input) => Effect.Effect<A, TransferError>) =>
  (input: Input): Effect.Effect<Effect.Effect<A, TransferError>, CommandError> =>
    Effect.matchEffect(command(input), {
      onFailure: (failure) =>
        failure._tag === "InvalidRequest" ? Effect.fail(failure) : Effect.succeed(Effect.fail(failure)),
      onSuccess: (answer) => Effect.succeed(Effect.succeed(answer))
    })

export const makeTransfers = (
  service: RemoteService
): Pick<EngineTransfers, "transfer" | "refundTransfer" | "beginTransfer"> &
  Pick<EngineCommands, "captureHoldTo" | "beginCaptureHoldTo"> => {
  // What is no dry run is not answered as one, which the functions above cannot say by their types.
  const transfer = taking(send(service)) as EngineTransfers["transfer"]
  const captureHoldTo = taking(captureTo(service)) as EngineCommands["captureHoldTo"]
  return {
    transfer,
    refundTransfer: taking(refund(service)) as EngineTransfers["refundTransfer"],
    beginTransfer: begun((input: TransferInput | LegsTransferInput) => transfer(input)),
    captureHoldTo,
    beginCaptureHoldTo: begun((input: CaptureHoldToInput) => captureHoldTo(input))
  }
}
