/** The commands on one wallet, over the API. */
import type * as Effect from "effect/Effect"
import type { CommandError, TransactionNotFound } from "../actors/EngineError.ts"
import { ownMetadata } from "../domain/Limits.ts"
import type {
  CaptureHoldInput,
  ChangeHoldInput,
  CommandAnswer,
  CommandOptions,
  CreateWalletInput,
  DebitInput,
  EngineCommand,
  EngineCommands,
  FreezeInput,
  HoldInput,
  MovementInput,
  PlaceHoldInput,
  RefundTransactionInput,
  StatusInput,
  UpdateWalletInput
} from "../engine/EngineApi.ts"
import {
  CaptureReply,
  DryCaptureReply,
  DryHoldReply,
  DryTransactionReply,
  DryWalletReply,
  HoldReply,
  TransactionReply,
  WalletReply
} from "../http/api/Schemas.ts"
import { taking } from "../engine/CommandOrigin.ts"
import { commanded, commandFailures, type Either, given, originOf } from "./RemoteCommand.ts"
import { type RemoteService, whole } from "./RemoteService.ts"

type WalletCommands = Omit<EngineCommands, "captureHoldTo" | "beginCaptureHoldTo">

/** Stands for an id that the service makes, where the form of a command asks for one. */
const unknownId = "unknown"

const ofWallet =
  (walletId: string) =>
  ({ wallet }: { readonly wallet: { readonly id: string | null } }): boolean =>
    wallet.id === walletId

/** `undefined`: it counts when it happens. */
const absentIfNull = <A>(value: A | null | undefined): A | undefined => value ?? undefined

/** A command that is no dry run is not answered as one, which the one function below cannot say by its type. */
const offered = <Input extends CommandOptions, Answer, Failure>(
  command: (input: Either<Input>) => Effect.Effect<unknown, Failure>
): EngineCommand<Input, Answer, Failure> => taking(command) as EngineCommand<Input, Answer, Failure>

const wallet = { reply: WalletReply, dry: DryWalletReply, failures: commandFailures } as const
const transaction = { reply: TransactionReply, dry: DryTransactionReply, failures: commandFailures } as const
const hold = { reply: HoldReply, dry: DryHoldReply, failures: commandFailures } as const
const capture = { reply: CaptureReply, dry: DryCaptureReply, failures: commandFailures } as const

const createWallet = (service: RemoteService) => (input: Either<CreateWalletInput>) => {
  const { currency, id, overdraftLimit = 0n, ownerId } = input
  const metadata = ownMetadata(input.metadata)
  // To name a limit is the admin's: none is named where there is none.
  const limit = overdraftLimit === 0n ? undefined : overdraftLimit
  return commanded(service, {
    ...wallet,
    command: { _tag: "CreateWallet", walletId: id ?? unknownId, ownerId, currency, overdraftLimit, metadata },
    origin: originOf(input),
    asked: { walletId: id ?? "" },
    isOurs: ({ wallet }) => id === undefined || wallet.id === id,
    send: ({ headers, query }) =>
      service.client.wallets.create({
        headers,
        query,
        payload: given({ id, ownerId, currency, overdraftLimit: limit, metadata }),
        ...whole
      })
  })
}

const updateWallet = (service: RemoteService) => (input: Either<UpdateWalletInput>) => {
  const { overdraftLimit, walletId } = input
  const metadata = input.metadata === undefined ? undefined : ownMetadata(input.metadata)
  return commanded(service, {
    ...wallet,
    command: {
      _tag: "UpdateWallet",
      walletId,
      overdraftLimit: overdraftLimit ?? null,
      metadata: metadata ?? null
    },
    origin: originOf(input),
    asked: { walletId },
    isOurs: ofWallet(walletId),
    send: ({ query, walletHeaders: headers }) =>
      service.client.wallets.update({
        params: { id: walletId },
        headers,
        query,
        payload: given({ metadata, overdraftLimit }),
        ...whole
      })
  })
}

const freeze = (service: RemoteService) => (input: Either<FreezeInput>) => {
  const { direction, reason = null, until = null, walletId } = input
  return commanded(service, {
    ...wallet,
    command: { _tag: "Freeze", walletId, reason, direction: direction ?? null, until },
    origin: originOf(input),
    asked: { walletId },
    isOurs: ofWallet(walletId),
    send: ({ query, walletHeaders: headers }) =>
      service.client.wallets.freeze({
        params: { id: walletId },
        headers,
        query,
        payload: given({ reason, direction, until }),
        ...whole
      })
  })
}

const statusCommand =
  (service: RemoteService, _tag: "Unfreeze" | "Close") =>
  (input: Either<StatusInput>): Effect.Effect<unknown, CommandError> => {
    const { reason = null, walletId } = input
    const { close, unfreeze } = service.client.wallets
    return commanded(service, {
      ...wallet,
      command: { _tag, walletId, reason },
      origin: originOf(input),
      asked: { walletId },
      isOurs: ofWallet(walletId),
      send: ({ query, walletHeaders: headers }) => {
        const request = { params: { id: walletId }, headers, query, payload: { reason }, ...whole }
        return _tag === "Close" ? close(request) : unfreeze(request)
      }
    })
  }

const credit = (service: RemoteService) => (input: Either<MovementInput>) => {
  const { amount, effectiveAt = null, reference = null, walletId } = input
  const metadata = ownMetadata(input.metadata)
  return commanded(service, {
    ...transaction,
    command: { _tag: "Credit", walletId, amount, reference, metadata, effectiveAt },
    origin: originOf(input),
    asked: { walletId },
    isOurs: ofWallet(walletId),
    send: ({ query, walletHeaders: headers }) =>
      service.client.wallets.credit({
        params: { id: walletId },
        headers,
        query,
        payload: given({ amount, reference, metadata, effectiveAt: absentIfNull(effectiveAt) }),
        ...whole
      })
  })
}

const debit = (service: RemoteService) => (input: Either<DebitInput>) => {
  const { amount, effectiveAt = null, force, reference = null, walletId } = input
  const metadata = ownMetadata(input.metadata)
  return commanded(service, {
    ...transaction,
    command: { _tag: "Debit", walletId, amount, reference, metadata, effectiveAt, force: force ?? null },
    origin: originOf(input),
    asked: { walletId },
    isOurs: ofWallet(walletId),
    send: ({ query, walletHeaders: headers }) =>
      service.client.wallets.debit({
        params: { id: walletId },
        headers,
        query,
        payload: given({ amount, reference, metadata, effectiveAt: absentIfNull(effectiveAt), force }),
        ...whole
      })
  })
}

const placeHold = (service: RemoteService) => (input: Either<PlaceHoldInput>) => {
  const { amount, expiresAt = null, reference = null, walletId } = input
  const metadata = ownMetadata(input.metadata)
  return commanded(service, {
    ...hold,
    command: { _tag: "PlaceHold", walletId, holdId: unknownId, amount, expiresAt, reference, metadata },
    origin: originOf(input),
    asked: { walletId },
    isOurs: ofWallet(walletId),
    send: ({ query, walletHeaders: headers }) =>
      service.client.holds.place({
        params: { id: walletId },
        headers,
        query,
        payload: { amount, expiresAt, reference, metadata },
        ...whole
      })
  })
}

const captureHold = (service: RemoteService) => (input: Either<CaptureHoldInput>) => {
  const { amount = null, effectiveAt = null, final = false, holdId, walletId } = input
  return commanded(service, {
    ...capture,
    command: { _tag: "CaptureHold", walletId, holdId, amount, final, effectiveAt },
    origin: originOf(input),
    asked: { walletId, holdId },
    isOurs: ofWallet(walletId),
    send: ({ query, walletHeaders: headers }) =>
      service.client.holds.capture({
        params: { id: walletId, holdId },
        headers,
        query,
        payload: given({ amount: absentIfNull(amount), final, effectiveAt: absentIfNull(effectiveAt) }),
        ...whole
      })
  })
}

const changeHold = (service: RemoteService) => (input: Either<ChangeHoldInput>) => {
  const { amount, expiresAt, holdId, walletId } = input
  const expiry = expiresAt === undefined ? null : { at: expiresAt }
  return commanded(service, {
    ...hold,
    command: { _tag: "ChangeHold", walletId, holdId, amount: amount ?? null, expiry },
    origin: originOf(input),
    asked: { walletId, holdId },
    isOurs: ofWallet(walletId),
    send: ({ query, walletHeaders: headers }) =>
      service.client.holds.change({
        params: { id: walletId, holdId },
        headers,
        query,
        payload: given({ amount, expiresAt }),
        ...whole
      })
  })
}

const releaseHold = (service: RemoteService) => (input: Either<HoldInput>) => {
  const { holdId, walletId } = input
  return commanded(service, {
    ...hold,
    command: { _tag: "ReleaseHold", walletId, holdId },
    origin: originOf(input),
    asked: { walletId, holdId },
    isOurs: ofWallet(walletId),
    send: ({ query, walletHeaders: headers }) =>
      service.client.holds.release({ params: { id: walletId, holdId }, headers, query, ...whole })
  })
}

const refundTransaction =
  (service: RemoteService) =>
  (input: Either<RefundTransactionInput>): Effect.Effect<unknown, CommandError | TransactionNotFound> => {
    const { amount = null, effectiveAt = null, reference = null, transactionId, walletId } = input
    const metadata = ownMetadata(input.metadata)
    return commanded(service, {
      ...transaction,
      failures: [...commandFailures, "TransactionNotFound"],
      command: {
        _tag: "RefundTransaction",
        walletId: walletId ?? unknownId,
        transactionId,
        amount,
        reference,
        metadata,
        effectiveAt,
        direction: "in",
        bound: { amount: 0n, refunded: 0n, version: 0 }
      },
      origin: originOf(input),
      asked: { walletId: walletId ?? "", transactionId },
      isOurs: ({ transaction }) => transaction.refundOf === transactionId,
      send: ({ query, walletHeaders: headers }) =>
        service.client.transactions.refund({
          params: { id: transactionId },
          headers,
          query,
          payload: given({
            amount: absentIfNull(amount),
            reference,
            metadata,
            effectiveAt: absentIfNull(effectiveAt),
            walletId
          }),
          ...whole
        })
    })
  }

export const makeCommands = (service: RemoteService): WalletCommands => ({
  createWallet: offered<CreateWalletInput, CommandAnswer, CommandError>(createWallet(service)),
  updateWallet: offered(updateWallet(service)),
  freeze: offered(freeze(service)),
  unfreeze: offered(statusCommand(service, "Unfreeze")),
  close: offered(statusCommand(service, "Close")),
  credit: offered(credit(service)),
  debit: offered(debit(service)),
  placeHold: offered(placeHold(service)),
  captureHold: offered(captureHold(service)),
  changeHold: offered(changeHold(service)),
  releaseHold: offered(releaseHold(service)),
  refundTransaction: offered(refundTransaction(service))
})
