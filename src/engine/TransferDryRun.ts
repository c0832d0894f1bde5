/**
 * What a transfer would come to: its two wallets are asked, one after the other, what they would
 * say to its first two steps, and nothing is sent.
 */
import * as Effect from "effect/Effect"
import type { CommandError } from "../actors/EngineError.ts"
import { OutcomeUnknown, TransferReversed } from "../actors/EngineError.ts"
import { noKey } from "../actors/Mailbox.ts"
import type { Transfer } from "../domain/Wallet.ts"
import type { TransferRequest } from "./TransferSaga.ts"
import { examine, isRefusal, noteBytes, reversalReason, sentTransfer } from "./TransferSteps.ts"
import { callBytes, type WalletCalls } from "./WalletCalls.ts"

/** `Known`: the key was used. What became of it then is told by asking for the transfer once more. */
export type TransferTrial = { readonly _tag: "Known" } | { readonly _tag: "Tried"; readonly transfer: Transfer }

const known: TransferTrial = { _tag: "Known" }

/** The id of the transfer that is told is not to be shown: there is none. */
export const tryTransfer = (
  calls: WalletCalls["Service"],
  { actor, await: wanted, command, correlationId, key }: TransferRequest
): Effect.Effect<TransferTrial, CommandError | TransferReversed> => {
  const { to, walletId: from } = command
  const origin = {
    actor,
    correlationId,
    await: wanted,
    ifVersion: null,
    dryRun: true,
    bytes: callBytes + noteBytes(command)
  }
  const send = Effect.flatMap(examine(calls, from, to), (destination) =>
    calls.ask({ ...origin, command: { ...command, ...destination }, key })
  )
  return Effect.flatMap(send, (reply): Effect.Effect<TransferTrial, CommandError | TransferReversed> => {
    if (reply._tag === "Seen" || reply.replayed) return Effect.succeed(known)
    for (const recorded of reply.events) {
      if (recorded.event._tag === "TransferSent") return arrive(calls, origin, sentTransfer(recorded, recorded.event))
    }
    return Effect.fail(new OutcomeUnknown({ walletId: from, retryAfter: 1_000 }))
  })
}

const arrive = (
  calls: WalletCalls["Service"],
  origin: Omit<Parameters<WalletCalls["Service"]["ask"]>[0], "command" | "key">,
  transfer: Transfer
): Effect.Effect<TransferTrial, CommandError | TransferReversed> => {
  const { amount, currency, effectiveAt, from, id: transferId, metadata, reference, to: walletId } = transfer
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
      Effect.catch((error) =>
        Effect.fail(
          isRefusal(error)
            ? new TransferReversed({ transferId, reason: reversalReason(error), replayed: false })
            : error
        )
      )
    )
}
