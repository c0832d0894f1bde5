/**
 * What a transfer would come to: its wallets are asked, one after the other, what they would say to
 * its first two steps, and nothing is sent.
 */
import * as Effect from "effect/Effect"
import type { CommandError } from "../actors/EngineError.ts"
import { OutcomeUnknown, TransferReversed } from "../actors/EngineError.ts"
import { noKey, type Reply } from "../actors/Mailbox.ts"
import type { RemoteCommand } from "../domain/Command.ts"
import { begunTransfer, otherParties } from "../domain/StepCommands.ts"
import { sourceOf } from "../domain/Transfer.ts"
import type { Transfer } from "../domain/Wallet.ts"
import { type BoundedLegs, examine as examineLegs, legsBytes } from "./LegsSteps.ts"
import type { TransferRequest } from "./TransferSaga.ts"
import { sentTransfer } from "../domain/TransferRules.ts"
import { openHolds } from "./Answers.ts"
import { examine, isRefusal, legOf, noteBytes, reversalReason, type SourceEffect } from "./TransferSteps.ts"
import { callBytes, type WalletCalls } from "./WalletCalls.ts"

/** `Known`: the key was used. What became of it then is told by asking for the transfer once more. */
export type TransferTrial =
  | { readonly _tag: "Known" }
  | { readonly _tag: "Tried"; readonly transfer: Transfer; readonly source?: SourceEffect }

const known: TransferTrial = { _tag: "Known" }

type Trial = Effect.Effect<TransferTrial, CommandError | TransferReversed>
type Origin = Omit<Parameters<WalletCalls["Service"]["ask"]>[0], "command" | "key">

const noteBytesOf = (command: TransferRequest["command"]): number => {
  switch (command._tag) {
    case "BeginLegs":
      return legsBytes(command)
    case "SendTransfer":
      return noteBytes(command)
    case "CaptureHoldTo":
      return 0
  }
}

/** The id of the transfer that is told is not to be shown: there is none. */
export const tryTransfer = (calls: WalletCalls["Service"], bounded: BoundedLegs, request: TransferRequest): Trial => {
  const { actor, await: wanted, command, correlationId, ifVersion = null, key, limit } = request
  const origin = {
    actor,
    correlationId,
    limit,
    await: wanted,
    ifVersion: null,
    dryRun: true,
    bytes: callBytes + noteBytesOf(command)
  }
  const { walletId } = command
  const asked = (given: RemoteCommand, next: (reply: Extract<Reply, { readonly _tag: "Done" }>) => Trial): Trial =>
    Effect.flatMap(calls.ask({ ...origin, ifVersion, command: given, key }), (reply) =>
      reply._tag === "Seen" || reply.replayed ? Effect.succeed(known) : next(reply)
    )
  const notTold: Trial = Effect.fail(new OutcomeUnknown({ walletId, retryAfter: 1_000 }))
  if (command._tag === "BeginLegs") {
    return Effect.flatMap(
      examineLegs(command.legs, (party) => calls.current(party, -1)),
      (parties) =>
        asked({ ...command, parties }, ({ events }) => {
          for (const recorded of events) {
            const { event } = recorded
            if (event._tag === "LegsBegun") return prepare(calls, bounded, origin, begunTransfer(recorded, event))
          }
          return notTold
        })
    )
  }
  return Effect.flatMap(examine(calls, walletId, command.to), (destination) =>
    asked({ ...command, ...destination }, ({ before, events, wallet }) => {
      for (const recorded of events) {
        const { event } = recorded
        if (event._tag === "TransferSent") return arrive(calls, origin, sentTransfer(recorded, event))
        if (event._tag !== "HoldCapturedTo") continue
        const source = { wallet, events, holdBefore: openHolds(before) }
        return Effect.map(arrive(calls, origin, sentTransfer(recorded, event)), (trial) => ({ ...trial, source }))
      }
      return notTold
    })
  )
}

const reversed = (transferId: string, error: CommandError): Effect.Effect<never, CommandError | TransferReversed> => {
  if (!isRefusal(error)) return Effect.fail(error)
  const leg = "leg" in error ? error.leg : undefined
  const reason = reversalReason(error)
  return Effect.fail(new TransferReversed({ transferId, reason, replayed: false, ...(leg !== undefined && { leg }) }))
}

/** What the other wallets would promise, one after the other. */
const prepare = (calls: WalletCalls["Service"], bounded: BoundedLegs, origin: Origin, transfer: Transfer): Trial => {
  const { effectiveAt, id: transferId } = transfer
  const home = sourceOf(transfer)
  const asked = Effect.forEach(otherParties(transfer), ({ legs, walletId }) => {
    const { currency } = transfer.legs[legs[0]!.leg]!
    return Effect.flatMap(bounded(walletId, legs), (given) => {
      const command = { _tag: "PrepareLegs", walletId, transferId, home, currency, legs: given, effectiveAt } as const
      return calls.ask({ ...origin, command, key: noKey })
    })
  })
  return asked.pipe(
    Effect.map((): TransferTrial => ({ _tag: "Tried", transfer: { ...transfer, status: "completed" } })),
    Effect.catch((error) => reversed(transferId, error))
  )
}

const arrive = (calls: WalletCalls["Service"], origin: Origin, transfer: Transfer): Trial => {
  const { effectiveAt, id: transferId } = transfer
  const { amount, currency, from, metadata, reference, to: walletId } = legOf(transfer)
  return calls
    .ask({
      ...origin,
      command: {
        _tag: "ReceiveTransfer",
        walletId,
        transferId,
        from,
        amount,
        currency,
        reference,
        metadata,
        effectiveAt
      },
      key: noKey
    })
    .pipe(
      Effect.map((reply): TransferTrial => {
        const updatedAt = reply._tag === "Done" ? reply.wallet.updatedAt : transfer.updatedAt
        return { _tag: "Tried", transfer: { ...transfer, status: "completed", updatedAt } }
      }),
      Effect.catch((error) => reversed(transferId, error))
    )
}
