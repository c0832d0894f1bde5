/** The engine's commands: checks the form, asks the wallet, makes the answer. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import { hash } from "node:crypto"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import type { CommandError, TransactionNotFound } from "../actors/EngineError.ts"
import { EventIds } from "../actors/EventIds.ts"
import type { Reply, Seen } from "../actors/Mailbox.ts"
import type { WalletHistory } from "../actors/WalletHistory.ts"
import type { ClientCommand } from "../domain/CommandForm.ts"
import { malformed } from "../domain/CommandForm.ts"
import type { RemoteCommand } from "../domain/Command.ts"
import { bothInvalid } from "../domain/Decision.ts"
import type { Metadata } from "../domain/Limits.ts"
import { isIdempotencyKey, ownMetadata } from "../domain/Limits.ts"
import { HoldClosed } from "../domain/Rejection.ts"
import type { SearchProgress } from "../search/SearchProgress.ts"
import type { WritePipeline } from "../actors/WritePipeline.ts"
import { EventStore } from "../stores/EventStore.ts"
import { Persistence } from "../stores/Persistence.ts"
import { StoreUnavailable } from "../stores/StoreError.ts"
import {
  captureAnswer,
  commandAnswer,
  type Durabilities,
  type Effected,
  holdAnswer,
  makeDurabilities,
  nothingDurable,
  openHolds,
  tentative,
  transactionAnswer
} from "./Answers.ts"
import { beginCaptureTo, captureTo } from "./CaptureTo.ts"
import { type CommandOrigin, keyOf, malformedOrigin, ownLimit, taking } from "./CommandOrigin.ts"
import { ReadShare } from "./ReadShare.ts"
import {
  askedTransactionRefund,
  isBehind,
  makeOriginals,
  malformedRefund,
  type Originals,
  refundLooks,
  transactionRefund
} from "./RefundCommands.ts"
import { makeBoundedLegs } from "./LegsSteps.ts"
import { makeReplayedReply, type ReplayedEffect } from "./PastCommands.ts"
import type { TransferError } from "./TransferRun.ts"
import { TransferSaga } from "./TransferSaga.ts"
import { callBytes, metadataBytes, textBytes, WalletCalls } from "./WalletCalls.ts"
import type {
  CaptureAnswer,
  CaptureHoldInput,
  CaptureHoldToInput,
  ChangeHoldInput,
  CommandAnswer,
  CommandOptions,
  CreateWalletInput,
  DebitInput,
  DryRun,
  DryRunAnswer,
  EngineCommand,
  EngineCommands as Commands,
  FreezeInput,
  HoldAnswer,
  HoldInput,
  MovementInput,
  PlaceHoldInput,
  RefundTransactionInput,
  StatusInput,
  TransactionAnswer,
  UpdateWalletInput
} from "./EngineApi.ts"

/** What every command goes through. */
interface CommandContext {
  readonly calls: WalletCalls["Service"]
  readonly persistence: Persistence["Service"]
  readonly replayedReply: (seen: Seen) => Effect.Effect<ReplayedEffect, CommandError>
  readonly nextId: () => string
  readonly durabilities: Durabilities
  readonly originals: Originals
}

export const make = Effect.fnUntraced(function* (
  bounds: Pick<ActorBounds, "callerWaitMillis">
): Effect.fn.Return<
  Commands,
  never,
  | TransferSaga
  | WalletCalls
  | WalletHistory
  | WritePipeline
  | EventStore
  | Persistence
  | EventIds
  | ReadShare
  | SearchProgress
> {
  const ids = yield* EventIds
  const clock = yield* Clock.Clock
  const persistence = yield* Persistence
  const calls = yield* WalletCalls
  const context: CommandContext = {
    calls,
    persistence,
    originals: makeOriginals({ log: yield* EventStore, persistence, share: yield* ReadShare }),
    replayedReply: yield* makeReplayedReply,
    nextId: () => ids.next(clock.currentTimeMillisUnsafe()),
    durabilities: yield* makeDurabilities(bounds)
  }
  const captures = {
    calls: context.calls,
    durabilities: context.durabilities,
    saga: yield* TransferSaga,
    bounded: makeBoundedLegs(persistence)
  }
  return {
    createWallet: offered(createWallet(context)),
    updateWallet: offered(updateWallet(context)),
    freeze: offered(freeze(context)),
    unfreeze: offered(statusCommand(context, "Unfreeze")),
    close: offered(statusCommand(context, "Close")),
    credit: offered(credit(context)),
    debit: offered(debit(context)),
    placeHold: offered(placeHold(context)),
    captureHold: offered(captureHold(context)),
    captureHoldTo: taking((input: Parameters<ReturnType<typeof captureTo>>[0]) =>
      tellClosedHold(context, captureTo(captures)(input))
    ) as Commands["captureHoldTo"],
    beginCaptureHoldTo: taking((input: CaptureHoldToInput) =>
      Effect.map(beginCaptureTo(captures)(input), (ending) => tellClosedHold(context, ending))
    ),
    changeHold: offered(changeHold(context)),
    releaseHold: offered(releaseHold(context)),
    // As with the others below: what the function does not say by its type.
    refundTransaction: taking(refundTransaction(context)) as Commands["refundTransaction"]
  }
})

type Asked<Input extends CommandOptions> = Input | DryRun<Input>

type Answering<Answer> = Effect.Effect<Answer | DryRunAnswer<Answer>, CommandError>

/** A command that is no dry run is not answered as one, which the one function below cannot say by its type. */
const offered = <Input extends CommandOptions, Answer>(
  command: (input: Asked<Input>) => Answering<Answer>
): EngineCommand<Input, Answer> => taking(command) as EngineCommand<Input, Answer>

/*
 * Each reads its input once, into a command of its own: what a caller does with the object
 * afterwards changes nothing.
 */

const createWallet =
  (context: CommandContext) =>
  (input: Asked<CreateWalletInput>): Answering<CommandAnswer> => {
    const { dryRun, id, idempotencyKey } = input
    // Without a key any id that nobody has will do: it is not told.
    const derivedFrom = idempotencyKey ?? (dryRun === true ? context.nextId() : undefined)
    const command = {
      _tag: "CreateWallet",
      walletId: id ?? derivedWalletId(derivedFrom!),
      ownerId: input.ownerId,
      currency: input.currency,
      overdraftLimit: input.overdraftLimit ?? 0n,
      metadata: ownMetadata(input.metadata)
    } as const
    const made = id === undefined ? "wallet" : undefined
    return execute(context, command, input, { sizeOf: metadataSize, answerOf: commandAnswer, made })
  }

const updateWallet =
  (context: CommandContext) =>
  (input: Asked<UpdateWalletInput>): Answering<CommandAnswer> => {
    const { metadata, overdraftLimit = null, walletId } = input
    const own = metadata === undefined ? null : ownMetadata(metadata)
    const command = { _tag: "UpdateWallet", walletId, overdraftLimit, metadata: own } as const
    return execute(context, command, input, { sizeOf: metadataSize, answerOf: commandAnswer })
  }

const statusCommand =
  (context: CommandContext, _tag: "Unfreeze" | "Close") =>
  (input: Asked<StatusInput>): Answering<CommandAnswer> => {
    const { reason = null, walletId } = input
    return execute(context, { _tag, walletId, reason }, input, { sizeOf: reasonSize, answerOf: commandAnswer })
  }

const freeze =
  (context: CommandContext) =>
  (input: Asked<FreezeInput>): Answering<CommandAnswer> => {
    const { direction = null, reason = null, until = null, walletId } = input
    const command = { _tag: "Freeze", walletId, reason, direction, until } as const
    return execute(context, command, input, { sizeOf: reasonSize, answerOf: commandAnswer })
  }

const credit =
  (context: CommandContext) =>
  (input: Asked<MovementInput>): Answering<TransactionAnswer> => {
    const { amount, effectiveAt = null, reference = null, walletId } = input
    const metadata = ownMetadata(input.metadata)
    const command = { _tag: "Credit", walletId, amount, reference, metadata, effectiveAt } as const
    return execute(context, command, input, movementForm)
  }

const debit =
  (context: CommandContext) =>
  (input: Asked<DebitInput>): Answering<TransactionAnswer> => {
    const { amount, effectiveAt = null, force = null, reference = null, walletId } = input
    const metadata = ownMetadata(input.metadata)
    const command = { _tag: "Debit", walletId, amount, reference, metadata, effectiveAt, force } as const
    return execute(context, command, input, movementForm)
  }

const placeHold =
  (context: CommandContext) =>
  (input: Asked<PlaceHoldInput>): Answering<HoldAnswer> => {
    const { amount, expiresAt = null, reference = null, walletId } = input
    const metadata = ownMetadata(input.metadata)
    const holdId = context.nextId()
    const command = { _tag: "PlaceHold", walletId, holdId, amount, expiresAt, reference, metadata } as const
    return execute(context, command, input, { sizeOf: noteSize, answerOf: holdAnswer, made: "hold" })
  }

const captureHold =
  (context: CommandContext) =>
  (input: Asked<CaptureHoldInput>): Answering<CaptureAnswer> => {
    const { amount = null, effectiveAt = null, final = false, holdId, walletId } = input
    const command = { _tag: "CaptureHold", walletId, holdId, amount, final, effectiveAt } as const
    return tellClosedHold(context, execute(context, command, input, { sizeOf: noSize, answerOf: captureAnswer }))
  }

const changeHold =
  (context: CommandContext) =>
  (input: Asked<ChangeHoldInput>): Answering<HoldAnswer> => {
    const { amount = null, expiresAt, holdId, walletId } = input
    const expiry = expiresAt === undefined ? null : { at: expiresAt }
    const command = { _tag: "ChangeHold", walletId, holdId, amount, expiry } as const
    return tellClosedHold(context, execute(context, command, input, { sizeOf: noSize, answerOf: holdAnswer }))
  }

const releaseHold =
  (context: CommandContext) =>
  (input: Asked<HoldInput>): Answering<HoldAnswer> => {
    const { holdId, walletId } = input
    const command = { _tag: "ReleaseHold", walletId, holdId } as const
    return tellClosedHold(context, execute(context, command, input, { sizeOf: noSize, answerOf: holdAnswer }))
  }

/** A look at the original and at what is left of it comes before the wallet is asked; what is out of date is looked at again. */
const refundTransaction =
  (context: CommandContext) =>
  (
    input: Asked<RefundTransactionInput>
  ): Effect.Effect<TransactionAnswer | DryRunAnswer<TransactionAnswer>, CommandError | TransactionNotFound> => {
    const asked = askedTransactionRefund(input)
    const { actor, await: wanted, correlationId, dryRun, idempotencyKey, ifVersion, limit } = input
    const options = { actor, await: wanted, correlationId, dryRun, idempotencyKey, ifVersion, limit: ownLimit(limit) }
    const wrong = bothInvalid(malformedOrigin(originOf(options)), malformedRefund(asked))
    if (wrong !== undefined) return Effect.fail(wrong)
    return Effect.flatMap(transactionRefund(context.originals, asked), (command) =>
      execute(context, command, options, movementForm)
    ).pipe(Effect.retry({ times: refundLooks, while: isBehind }))
  }

// What the free texts of a command take in a mailbox, bytes.

const noSize = (): number => 0
const reasonSize = ({ reason }: { readonly reason: string | null }): number => textBytes(reason)
const metadataSize = ({ metadata }: { readonly metadata: Metadata | null }): number =>
  metadata === null ? 0 : metadataBytes(metadata)
const noteSize = ({
  metadata,
  reference
}: {
  readonly reference: string | null
  readonly metadata: Metadata
}): number => textBytes(reference) + metadataBytes(metadata)

/** Of a command in good form. */
interface CommandForm<C, A> {
  readonly sizeOf: (command: C) => number
  readonly answerOf: (effected: Effected) => A
  /** What it makes, with an id of the engine's. */
  readonly made?: "wallet" | "hold" | undefined
}

const movementForm = { sizeOf: noteSize, answerOf: transactionAnswer }

/** What a command, or a dry run of one, is asked with. */
interface AskedOptions extends Omit<CommandOptions, "dryRun" | "idempotencyKey"> {
  readonly dryRun?: boolean | undefined
  readonly idempotencyKey?: string | undefined
  readonly ifVersion?: number | undefined
}

const originOf = (options: AskedOptions): CommandOrigin => {
  const { actor = null, await: wanted = "persisted", correlationId = null, dryRun = false } = options
  const { idempotencyKey, ifVersion = null, limit } = options
  return { actor, await: wanted, correlationId, dryRun, idempotencyKey, ifVersion, limit: ownLimit(limit) }
}

/** Asks the wallet, and makes the answer from what it did, now or earlier. */
const execute = <C extends ClientCommand & RemoteCommand, A extends object>(
  { calls, durabilities, replayedReply }: CommandContext,
  command: C,
  options: AskedOptions,
  { answerOf, made, sizeOf }: CommandForm<C, A>
): Answering<A> => {
  const origin = originOf(options)
  const { actor, await: wanted, correlationId, dryRun, idempotencyKey, ifVersion, limit } = origin
  const wrong = bothInvalid(malformedOrigin(origin), malformed(command))
  if (wrong !== undefined) return Effect.fail(wrong)
  const walletIds = [command.walletId]
  const bytes = callBytes + sizeOf(command)
  const key = keyOf(idempotencyKey)
  const asked = calls.ask({ command, key, actor, correlationId, limit, await: wanted, ifVersion, dryRun, bytes })
  return durabilities.timed(wanted, (deadline) =>
    Effect.flatMap(asked, (reply): Answering<A> => {
      const durable = durabilities.of(reply.persisted, walletIds, deadline, firstVersion(reply))
      if (reply._tag === "Seen") {
        return Effect.flatMap(replayedReply(reply), (past) =>
          Effect.map(durable, (durability) => answerOf({ ...past, durability, replayed: true }))
        )
      }
      const { before, events, replayed, wallet } = reply
      const effected = { wallet, events, holdBefore: openHolds(before), replayed }
      return dryRun && !replayed
        ? Effect.succeed(tentative(answerOf({ ...effected, durability: nothingDurable }), made))
        : Effect.map(durable, (durability) => answerOf({ ...effected, durability }))
    })
  )
}

/** Of the command's first event, or of the one before it: a command has two at most. */
const firstVersion = (reply: Reply): number =>
  reply._tag === "Seen" ? reply.version - 1 : (reply.events[0]?.version ?? reply.wallet.version)

/** A wallet knows its open holds only; Persistence tells a closed hold from one that never was. */
const tellClosedHold = <A, E extends TransferError>(
  context: Pick<CommandContext, "calls" | "persistence">,
  effect: Effect.Effect<A, CommandError | E>
): Effect.Effect<A, CommandError | E> =>
  Effect.catchTag(effect, "HoldNotFound", (error) =>
    Effect.flatMap(context.persistence.hold(error.walletId, error.holdId), (hold) => {
      if (hold === undefined) return Effect.fail(error)
      return hold.status === "active"
        ? tellUnknownHold(context, error.walletId, error.holdId)
        : Effect.fail(new HoldClosed({ walletId: error.walletId, holdId: error.holdId }))
    })
  )

/**
 * What is open in Persistence and not at its wallet was closed since; or another node
 * has replaced this one, placed the hold, and this one does not know it yet.
 */
const tellUnknownHold = Effect.fnUntraced(function* (
  { calls, persistence }: Pick<CommandContext, "calls" | "persistence">,
  walletId: string,
  holdId: string
): Effect.fn.Return<never, CommandError> {
  const persisted = yield* persistence.persistedVersions([walletId])
  const wallet = yield* calls.current(walletId, persisted.get(walletId)?.version ?? -1)
  if (wallet === undefined || !HashMap.has(wallet.holds, holdId)) return yield* new HoldClosed({ walletId, holdId })
  return yield* new StoreUnavailable({
    store: "log",
    reason: `this node was behind with wallet ${walletId}`,
    retryAfter: 1_000
  })
})

/**
 * Of a wallet created without an id, so that a retry meets the same one. `w_` and 128 bits of
 * the key's SHA-256; frozen. Of a malformed key none is made: its command is refused.
 */
export const derivedWalletId = (idempotencyKey: string): string =>
  isIdempotencyKey(idempotencyKey) ? `w_${hash("sha256", `wallet:${idempotencyKey}`, "base64url").slice(0, 22)}` : ""
