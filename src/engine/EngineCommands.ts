/** The engine's commands: checks the form, asks the wallet, makes the answer. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import { hash } from "node:crypto"
import type { CommandError } from "../actors/EngineError.ts"
import { EventIds } from "../actors/EventIds.ts"
import type { Seen } from "../actors/Mailbox.ts"
import type { WalletHistory } from "../actors/WalletHistory.ts"
import type { WritePipeline } from "../actors/WritePipeline.ts"
import type { RemoteCommand } from "../domain/Command.ts"
import type { Metadata } from "../domain/Limits.ts"
import { isId, isIdempotencyKey, isText, noMetadata } from "../domain/Limits.ts"
import { HoldClosed, InvalidRequest } from "../domain/Rejection.ts"
import { Persistence } from "../stores/Persistence.ts"
import { StoreUnavailable } from "../stores/StoreError.ts"
import type { Effected } from "./Answers.ts"
import { captureAnswer, commandAnswer, holdAnswer, openHolds, transactionAnswer } from "./Answers.ts"
import type { ReplayedEffect } from "./ReplayedReply.ts"
import { makeReplayedReply } from "./ReplayedReply.ts"
import { callBytes, metadataBytes, textBytes, WalletCalls } from "./WalletCalls.ts"
import type { CommandOptions, Durability, EngineCommands as Commands, StatusInput } from "./EngineApi.ts"

const durable: Durability = Object.freeze({ committed: true, persisted: true, indexed: true })
const committed: Durability = Object.freeze({ committed: true, persisted: false, indexed: false })

/** Search reads the rows of Persistence: what is persisted is indexed. */
export const durabilityOf = (persisted: boolean): Durability => (persisted ? durable : committed)

/** What every command goes through. */
interface CommandContext {
  readonly calls: WalletCalls["Service"]
  readonly persistence: Persistence["Service"]
  readonly replayedReply: (seen: Seen) => Effect.Effect<ReplayedEffect, CommandError>
  readonly nextHoldId: () => string
}

export const make = Effect.fnUntraced(function* (): Effect.fn.Return<
  Commands,
  never,
  WalletCalls | WalletHistory | WritePipeline | Persistence | EventIds
> {
  const ids = yield* EventIds
  const clock = yield* Clock.Clock
  const context: CommandContext = {
    calls: yield* WalletCalls,
    persistence: yield* Persistence,
    replayedReply: yield* makeReplayedReply,
    nextHoldId: () => ids.next(clock.currentTimeMillisUnsafe())
  }
  return {
    createWallet: createWallet(context),
    updateWallet: updateWallet(context),
    freeze: statusCommand(context, "Freeze"),
    unfreeze: statusCommand(context, "Unfreeze"),
    close: statusCommand(context, "Close"),
    credit: movementCommand(context, "Credit"),
    debit: movementCommand(context, "Debit"),
    placeHold: placeHold(context),
    captureHold: captureHold(context),
    releaseHold: releaseHold(context)
  }
})

const createWallet =
  (context: CommandContext): Commands["createWallet"] =>
  (input) => {
    const walletId = input.id ?? derivedWalletId(input.idempotencyKey)
    const metadata = metadataOf(input.metadata)
    const overdraftLimit = input.overdraftLimit ?? 0n
    return execute(
      context,
      { _tag: "CreateWallet", walletId, ownerId: input.ownerId, currency: input.currency, overdraftLimit, metadata },
      input,
      metadataBytes(metadata),
      commandAnswer
    )
  }

const updateWallet =
  (context: CommandContext): Commands["updateWallet"] =>
  (input) => {
    const metadata = input.metadata === undefined ? null : metadataOf(input.metadata)
    const overdraftLimit = input.overdraftLimit ?? null
    return execute(
      context,
      { _tag: "UpdateWallet", walletId: input.walletId, overdraftLimit, metadata },
      input,
      metadata === null ? 0 : metadataBytes(metadata),
      commandAnswer
    )
  }

const statusCommand = (context: CommandContext, _tag: "Freeze" | "Unfreeze" | "Close") => (input: StatusInput) => {
  const reason = input.reason ?? null
  return execute(context, { _tag, walletId: input.walletId, reason }, input, textBytes(reason), commandAnswer)
}

const movementCommand =
  (context: CommandContext, _tag: "Credit" | "Debit"): Commands["credit"] =>
  (input) => {
    const reference = input.reference ?? null
    const metadata = metadataOf(input.metadata)
    return execute(
      context,
      { _tag, walletId: input.walletId, amount: input.amount, reference, metadata },
      input,
      textBytes(reference) + metadataBytes(metadata),
      transactionAnswer
    )
  }

const placeHold =
  (context: CommandContext): Commands["placeHold"] =>
  (input) => {
    const reference = input.reference ?? null
    const metadata = metadataOf(input.metadata)
    return execute(
      context,
      {
        _tag: "PlaceHold",
        walletId: input.walletId,
        holdId: context.nextHoldId(),
        amount: input.amount,
        expiresAt: input.expiresAt ?? null,
        reference,
        metadata
      },
      input,
      textBytes(reference) + metadataBytes(metadata),
      holdAnswer
    )
  }

const captureHold =
  (context: CommandContext): Commands["captureHold"] =>
  (input) => {
    const { holdId, walletId } = input
    const amount = input.amount ?? null
    const final = input.final ?? false
    const command = { _tag: "CaptureHold", walletId, holdId, amount, final } as const
    return tellClosedHold(context, execute(context, command, input, 0, captureAnswer))
  }

const releaseHold =
  (context: CommandContext): Commands["releaseHold"] =>
  (input) => {
    const { holdId, walletId } = input
    return tellClosedHold(context, execute(context, { _tag: "ReleaseHold", walletId, holdId }, input, 0, holdAnswer))
  }

/** Asks the wallet, and makes the answer from what it did, now or earlier. `bytes`: of the command's free texts. */
const execute = <A>(
  { calls, replayedReply }: CommandContext,
  command: RemoteCommand,
  options: CommandOptions,
  bytes: number,
  answerOf: (effected: Effected) => A
): Effect.Effect<A, CommandError> => {
  const malformed = malformedCommand(command, options)
  if (malformed !== undefined) return Effect.fail(new InvalidRequest({ detail: malformed }))
  const asked = calls.ask({
    command,
    key: `c:${options.idempotencyKey}`,
    actor: options.actor ?? null,
    correlationId: options.correlationId ?? null,
    await: options.await ?? "persisted",
    bytes: callBytes + bytes
  })
  return Effect.flatMap(asked, (reply) =>
    reply._tag === "Done"
      ? Effect.sync(() =>
          answerOf({
            wallet: reply.wallet,
            events: reply.events,
            holdBefore: openHolds(reply.before),
            durability: durabilityOf(reply.persisted),
            replayed: reply.replayed
          })
        )
      : Effect.map(replayedReply(reply), (past) =>
          answerOf({ ...past, durability: durabilityOf(reply.persisted), replayed: true })
        )
  )
}

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

/** Of a wallet created without an id, so that a retry meets the same one. `w_` and 128 bits of the key's SHA-256; frozen. */
export const derivedWalletId = (idempotencyKey: string): string =>
  `w_${hash("sha256", `wallet:${idempotencyKey}`, "base64url").slice(0, 22)}`

/** What must be right before a wallet can be asked at all; the rest is `decide`'s. */
const malformedCommand = (command: RemoteCommand, options: CommandOptions): string | undefined => {
  if (!isIdempotencyKey(options.idempotencyKey)) return "idempotencyKey must be 1 to 255 visible ASCII characters"
  if (!isId(command.walletId)) return "the wallet's id must be 1 to 64 of A-Z a-z 0-9 _ -"
  if ("holdId" in command && !isId(command.holdId)) return "holdId must be 1 to 64 of A-Z a-z 0-9 _ -"
  return malformedOrigin(options)
}

/** Who asks, and whence. */
export const malformedOrigin = (options: CommandOptions): string | undefined => {
  if (options.actor !== undefined && !isText(options.actor, 255)) return "actor must be a text of at most 255"
  if (options.correlationId !== undefined && !isText(options.correlationId, 255)) {
    return "correlationId must be a text of at most 255"
  }
  return undefined
}

export const metadataOf = (metadata: Metadata | undefined): Metadata => {
  if (metadata === undefined) return noMetadata
  // A copy: what has been recorded does not change when the caller's object does.
  for (const _ in metadata) return Object.freeze({ ...metadata })
  return noMetadata
}
