/** The engine's commands: checks the form, asks the wallet, makes the answer. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import { hash } from "node:crypto"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import type { CommandError } from "../actors/EngineError.ts"
import { EventIds } from "../actors/EventIds.ts"
import type { Await, Reply, Seen } from "../actors/Mailbox.ts"
import type { WalletHistory } from "../actors/WalletHistory.ts"
import type { WritePipeline } from "../actors/WritePipeline.ts"
import type { ClientCommand } from "../domain/CommandForm.ts"
import { malformed } from "../domain/CommandForm.ts"
import type { RemoteCommand } from "../domain/Command.ts"
import type { Metadata } from "../domain/Limits.ts"
import { isIdempotencyKey, isText, maxTextLength, ownMetadata } from "../domain/Limits.ts"
import { HoldClosed, InvalidRequest } from "../domain/Rejection.ts"
import type { SearchProgress } from "../search/SearchProgress.ts"
import type { EventStore } from "../stores/EventStore.ts"
import { Persistence } from "../stores/Persistence.ts"
import { StoreUnavailable } from "../stores/StoreError.ts"
import type { Effected } from "./Answers.ts"
import { captureAnswer, commandAnswer, holdAnswer, openHolds, transactionAnswer } from "./Answers.ts"
import { type Durabilities, makeDurabilities } from "./Durabilities.ts"
import type { ReplayedEffect } from "./ReplayedReply.ts"
import { makeReplayedReply } from "./ReplayedReply.ts"
import { callBytes, metadataBytes, textBytes, WalletCalls } from "./WalletCalls.ts"
import type { CommandOptions, EngineCommands as Commands, StatusInput } from "./EngineApi.ts"

/** What every command goes through. */
interface CommandContext {
  readonly calls: WalletCalls["Service"]
  readonly persistence: Persistence["Service"]
  readonly replayedReply: (seen: Seen) => Effect.Effect<ReplayedEffect, CommandError>
  readonly nextHoldId: () => string
  readonly durabilities: Durabilities
}

export const make = Effect.fnUntraced(function* (
  bounds: Pick<ActorBounds, "callerWaitMillis">
): Effect.fn.Return<
  Commands,
  never,
  WalletCalls | WalletHistory | WritePipeline | EventStore | Persistence | EventIds | SearchProgress
> {
  const ids = yield* EventIds
  const clock = yield* Clock.Clock
  const context: CommandContext = {
    calls: yield* WalletCalls,
    persistence: yield* Persistence,
    replayedReply: yield* makeReplayedReply,
    nextHoldId: () => ids.next(clock.currentTimeMillisUnsafe()),
    durabilities: yield* makeDurabilities(bounds)
  }
  return {
    createWallet: taking(createWallet(context)),
    updateWallet: taking(updateWallet(context)),
    freeze: taking(statusCommand(context, "Freeze")),
    unfreeze: taking(statusCommand(context, "Unfreeze")),
    close: taking(statusCommand(context, "Close")),
    credit: taking(movementCommand(context, "Credit")),
    debit: taking(movementCommand(context, "Debit")),
    placeHold: taking(placeHold(context)),
    captureHold: taking(captureHold(context)),
    releaseHold: taking(releaseHold(context))
  }
})

/**
 * For callers without types: what is no object at all has no fields to be judged, and what
 * throws when it is read fails its own command, as a defect.
 */
export const taking =
  <Input, A, E>(command: (input: Input) => Effect.Effect<A, E>) =>
  (input: Input): Effect.Effect<A, E | InvalidRequest> => {
    if (typeof input !== "object" || input === null) {
      return Effect.fail(new InvalidRequest({ detail: "a command is an object with its fields" }))
    }
    try {
      return command(input)
    } catch (defect) {
      return Effect.die(defect)
    }
  }

/*
 * Each reads its input once, into a command of its own: what a caller does with the object
 * afterwards changes nothing.
 */

const createWallet =
  (context: CommandContext): Commands["createWallet"] =>
  (input) => {
    const command = {
      _tag: "CreateWallet",
      walletId: input.id ?? derivedWalletId(input.idempotencyKey),
      ownerId: input.ownerId,
      currency: input.currency,
      overdraftLimit: input.overdraftLimit ?? 0n,
      metadata: ownMetadata(input.metadata)
    } as const
    return execute(context, command, input, metadataSize, commandAnswer)
  }

const updateWallet =
  (context: CommandContext): Commands["updateWallet"] =>
  (input) => {
    const { metadata, overdraftLimit = null, walletId } = input
    const own = metadata === undefined ? null : ownMetadata(metadata)
    return execute(
      context,
      { _tag: "UpdateWallet", walletId, overdraftLimit, metadata: own },
      input,
      metadataSize,
      commandAnswer
    )
  }

const statusCommand = (context: CommandContext, _tag: "Freeze" | "Unfreeze" | "Close") => (input: StatusInput) => {
  const { reason = null, walletId } = input
  return execute(context, { _tag, walletId, reason }, input, reasonSize, commandAnswer)
}

const movementCommand =
  (context: CommandContext, _tag: "Credit" | "Debit"): Commands["credit"] =>
  (input) => {
    const { amount, reference = null, walletId } = input
    const metadata = ownMetadata(input.metadata)
    return execute(context, { _tag, walletId, amount, reference, metadata }, input, noteSize, transactionAnswer)
  }

const placeHold =
  (context: CommandContext): Commands["placeHold"] =>
  (input) => {
    const { amount, expiresAt = null, reference = null, walletId } = input
    const metadata = ownMetadata(input.metadata)
    const holdId = context.nextHoldId()
    return execute(
      context,
      { _tag: "PlaceHold", walletId, holdId, amount, expiresAt, reference, metadata },
      input,
      noteSize,
      holdAnswer
    )
  }

const captureHold =
  (context: CommandContext): Commands["captureHold"] =>
  (input) => {
    const { amount = null, final = false, holdId, walletId } = input
    const command = { _tag: "CaptureHold", walletId, holdId, amount, final } as const
    return tellClosedHold(context, execute(context, command, input, noSize, captureAnswer))
  }

const releaseHold =
  (context: CommandContext): Commands["releaseHold"] =>
  (input) => {
    const { holdId, walletId } = input
    const command = { _tag: "ReleaseHold", walletId, holdId } as const
    return tellClosedHold(context, execute(context, command, input, noSize, holdAnswer))
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

/** Asks the wallet, and makes the answer from what it did, now or earlier. `sizeOf`: of a command in good form. */
const execute = <C extends ClientCommand & RemoteCommand, A>(
  { calls, durabilities, replayedReply }: CommandContext,
  command: C,
  options: CommandOptions,
  sizeOf: (command: C) => number,
  answerOf: (effected: Effected) => A
): Effect.Effect<A, CommandError> => {
  const { actor = null, await: wanted = "persisted", correlationId = null, idempotencyKey } = options
  const wrong = malformedOrigin(idempotencyKey, wanted, actor, correlationId) ?? malformed(command)
  if (wrong !== undefined) return Effect.fail(wrong)
  const walletIds = [command.walletId]
  const asked = calls.ask({
    command,
    key: `c:${idempotencyKey}`,
    actor,
    correlationId,
    await: wanted,
    bytes: callBytes + sizeOf(command)
  })
  return durabilities.timed(wanted, (deadline) =>
    Effect.flatMap(asked, (reply) => {
      const since = firstVersion(reply)
      const durable = durabilities.of(reply.persisted, walletIds, deadline, since)
      return reply._tag === "Done"
        ? Effect.map(durable, (durability) =>
            answerOf({
              wallet: reply.wallet,
              events: reply.events,
              holdBefore: openHolds(reply.before),
              durability,
              replayed: reply.replayed
            })
          )
        : Effect.flatMap(replayedReply(reply), (past) =>
            Effect.map(durable, (durability) => answerOf({ ...past, durability, replayed: true }))
          )
    })
  )
}

/** Of the command's first event, or of the one before it: a command has two at most. */
const firstVersion = (reply: Reply): number =>
  reply._tag === "Seen" ? reply.version - 1 : (reply.events[0]?.version ?? reply.wallet.version)

/** A wallet knows its open holds only; Persistence tells a closed hold from one that never was. */
const tellClosedHold = <A>(context: CommandContext, effect: Effect.Effect<A, CommandError>) =>
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
  { calls, persistence }: CommandContext,
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

const isOrigin = (text: string | null): boolean => text === null || isText(text, maxTextLength)

/** What is wrong with the key, with how far to wait, or with who asks and whence. */
export const malformedOrigin = (
  idempotencyKey: string,
  wanted: Await,
  actor: string | null,
  correlationId: string | null
): InvalidRequest | undefined => {
  if (!isIdempotencyKey(idempotencyKey)) {
    return new InvalidRequest({ detail: "idempotencyKey must be 1 to 255 visible ASCII characters" })
  }
  if (wanted !== "persisted" && wanted !== "committed" && wanted !== "indexed") {
    return new InvalidRequest({ detail: "await must be committed, persisted or indexed" })
  }
  if (!isOrigin(actor)) return new InvalidRequest({ detail: "actor must be a text of at most 255" })
  return isOrigin(correlationId)
    ? undefined
    : new InvalidRequest({ detail: "correlationId must be a text of at most 255" })
}
