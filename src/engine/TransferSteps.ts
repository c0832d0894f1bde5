/**
 * The steps of a transfer, each a command to one of its two wallets. The log is the
 * journal: every step has a key of its own, so a step that is taken again, by a retry,
 * by another node or after a crash, finds what it did the first time.
 *
 *   send (source) → arrive (destination): received or refused → end (source): settled or reversed
 *
 * A step fails with what stopped it; nothing here tries again.
 */
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import { hash } from "node:crypto"
import type { CommandError } from "../actors/EngineError.ts"
import { type OperationReversed, OutcomeUnknown } from "../actors/EngineError.ts"
import type { Await, Reply, Seen } from "../actors/Mailbox.ts"
import type { CaptureHoldTo, SendTransfer } from "../domain/Command.ts"
import type { RemoteCommand } from "../domain/Command.ts"
import type { CommandKey, RecordedEvent } from "../domain/Event.ts"
import type { KeyLimit } from "../domain/KeyLimit.ts"
import { sentTransfer } from "../domain/TransferRules.ts"
import { type Completion, singleLeg, sourceOf } from "../domain/Transfer.ts"
import { arriveKey, endKey, receiving, settling } from "../domain/StepCommands.ts"
import type { Transfer, TransferInFlight, TransferLeg, Wallet } from "../domain/Wallet.ts"
import { StoreUnavailable } from "../stores/StoreError.ts"
import { type Effected, openHolds } from "./Answers.ts"
import type { BoundedLegs } from "./LegsSteps.ts"
import type { WalletCalls } from "./WalletCalls.ts"
import { callBytes, metadataBytes, textBytes } from "./WalletCalls.ts"

/** Who asks for a transfer, and how far the steps are waited for. */
export interface TransferOrigin {
  readonly key: CommandKey
  readonly actor: string | null
  readonly correlationId: string | null
  /** Of the key that asks. */
  readonly limit?: KeyLimit | undefined
  readonly await: Exclude<Await, "committed">
  /** The version that the source has to be at; `null` or left out: whichever. */
  readonly ifVersion?: number | null
}

/** What the source did, now or earlier, for the answer to a capture. */
export type SourceEffect = Pick<Effected, "wallet" | "events" | "holdBefore">

/** Step 1 has taken place, now or earlier. */
export interface Sent {
  /** As it was then: pending. */
  readonly transfer: Transfer
  /** Of the event that sent it. */
  readonly eventId: string
  /** `false`: it has ended at the source since. */
  readonly inFlight: boolean
  /** Step 2 may follow. */
  readonly persisted: boolean
  readonly replayed: boolean
  /** All steps have taken place together. `undefined`: the others are still to be taken. */
  readonly completion: Completion | undefined
  /** Of several legs: what the key that has begun them may take out of the other wallets. */
  readonly limit?: KeyLimit | undefined
  /** Of a capture. */
  readonly source?: SourceEffect
}

/** What the destination has on record, for ever; persisted there. */
export type Arrival =
  | { readonly _tag: "Received"; readonly time: number; readonly transactionId: string }
  | { readonly _tag: "Refused"; readonly reason: string }

/** The money is back. */
export interface Returned {
  readonly reason: string
  readonly time: number
}

/** The engine itself asks; as far as the next step needs it. */
export const engineOrigin = { actor: null, correlationId: null, await: "persisted" } as const

/** The way to the wallets, as the steps need it. */
export interface Wallets {
  readonly ask: (
    command: RemoteCommand,
    key: CommandKey,
    options: Pick<TransferOrigin, "actor" | "correlationId" | "limit" | "await" | "ifVersion">,
    bytes?: number
  ) => Effect.Effect<Reply, CommandError>
  /** The legs of a wallet with what bounds those that are refunds, as it is now. */
  readonly bounded: BoundedLegs
  /** The events behind an answer: what a command did now, or what the log says that it did before. */
  readonly eventsOf: (reply: Reply) => Effect.Effect<ReadonlyArray<RecordedEvent>, CommandError>
  /** The same with the wallet and its holds, as of then. */
  readonly effectOf: (reply: Reply) => Effect.Effect<SourceEffect, CommandError>
}

const send =
  ({ ask, eventsOf }: Wallets) =>
  (command: SendTransfer, origin: TransferOrigin): Effect.Effect<Sent, CommandError> =>
    Effect.flatMap(ask(command, origin.key, origin, noteBytes(command)), (reply) =>
      Effect.flatMap(eventsOf(reply), (events) => {
        for (const recorded of events) {
          if (recorded.event._tag !== "TransferSent") continue
          return Effect.succeed({
            transfer: sentTransfer(recorded, recorded.event),
            eventId: recorded.id,
            inFlight: reply._tag === "Done" || HashMap.has(reply.current.transfers, recorded.event.transferId),
            persisted: reply.persisted,
            replayed: reply._tag === "Seen" || reply.replayed,
            completion: completionIn(reply)
          })
        }
        return notTold(command.walletId)
      })
    )

/** Of a transfer that came to its end together with its first step. */
export const completionIn = (reply: Reply): Completion | undefined =>
  reply._tag === "Done" ? reply.completion : undefined

const captureTo =
  ({ ask, effectOf }: Wallets) =>
  (command: CaptureHoldTo, origin: TransferOrigin): Effect.Effect<Sent, CommandError> =>
    Effect.flatMap(ask(command, origin.key, origin), (reply) =>
      Effect.flatMap(effectOf(reply), (source) => {
        for (const recorded of source.events) {
          if (recorded.event._tag !== "HoldCapturedTo") continue
          return Effect.succeed({
            transfer: sentTransfer(recorded, recorded.event),
            eventId: recorded.id,
            inFlight: reply._tag === "Done" || HashMap.has(reply.current.transfers, recorded.event.transferId),
            persisted: reply.persisted,
            replayed: reply._tag === "Seen" || reply.replayed,
            completion: completionIn(reply),
            source
          })
        }
        return notTold(command.walletId)
      })
    )

const receive = (
  { ask }: Wallets,
  transfer: Transfer,
  wanted: TransferOrigin["await"]
): Effect.Effect<Reply, CommandError> => {
  const origin = { ...engineOrigin, await: wanted }
  return ask(receiving(transfer), arriveKey(transfer), origin, noteBytes(transfer))
}

const refuse = ({ ask }: Wallets, transfer: Transfer, reason: string): Effect.Effect<Reply, CommandError> => {
  const { id: transferId } = transfer
  const { amount, from, to: walletId } = legOf(transfer)
  return ask({ _tag: "RefuseTransfer", walletId, transferId, from, amount, reason }, arriveKey(transfer), engineOrigin)
}

const arrivalOf = ({ eventsOf }: Wallets, transfer: Transfer, reply: Reply): Effect.Effect<Arrival, CommandError> => {
  const { to: walletId } = legOf(transfer)
  // It may still be refused there; asked again, it waits for that again.
  if (!reply.persisted) return Effect.fail(notYetPersisted(walletId))
  return Effect.flatMap(eventsOf(reply), (events): Effect.Effect<Arrival, CommandError> => {
    for (const { event, id, time } of events) {
      if (event._tag === "TransferReceived") return Effect.succeed({ _tag: "Received", time, transactionId: id })
      if (event._tag === "TransferRefused") return Effect.succeed({ _tag: "Refused", reason: event.reason })
    }
    return notTold(walletId)
  })
}

/**
 * One question, one key: whatever the destination has answered first is the answer for
 * ever. Its rules' rejection is put on record there before it counts, or a later
 * attempt might be received after the money has gone back. A receipt whose rows were
 * refused for good, and which was undone, is on record already.
 */
const arrive =
  (wallets: Wallets) =>
  (transfer: Transfer, wanted: TransferOrigin["await"]): Effect.Effect<Arrival, CommandError> =>
    Effect.catch(
      Effect.flatMap(receive(wallets, transfer, wanted), (reply) => arrivalOf(wallets, transfer, reply)),
      (error) => {
        if (error._tag === "OperationReversed") return refusedFor(error)
        return isRefusal(error)
          ? refuse(wallets, transfer, reversalReason(error)).pipe(
              Effect.flatMap((reply) => arrivalOf(wallets, transfer, reply)),
              Effect.catchTag("OperationReversed", refusedFor)
            )
          : Effect.fail(error)
      }
    )

const settle = ({ ask }: Wallets, transfer: Transfer): Effect.Effect<Reply, CommandError> =>
  ask(settling(transfer), endKey(transfer), engineOrigin)

const returnFunds = ({ ask, eventsOf }: Wallets) =>
  Effect.fnUntraced(function* (transfer: Transfer, reason: string): Effect.fn.Return<Returned, CommandError> {
    const { id: transferId } = transfer
    const walletId = sourceOf(transfer)
    const reply = yield* ask({ _tag: "ReverseTransfer", walletId, transferId, reason }, endKey(transfer), engineOrigin)
    for (const { event, time } of yield* eventsOf(reply)) {
      if (event._tag === "TransferReversed") return { reason: event.reason, time }
    }
    return yield* notTold(walletId)
  })

export interface TransferSteps {
  /** A wallet now; `undefined`: there is none. */
  readonly stateOf: (walletId: string) => Effect.Effect<Wallet | undefined, CommandError>
  /** What the destination is: a part of the command that goes to the source. */
  readonly examine: (
    from: string,
    to: string
  ) => Effect.Effect<Pick<SendTransfer, "currency" | "destination">, CommandError>
  /** Step 1. */
  readonly send: (command: SendTransfer, origin: TransferOrigin) => Effect.Effect<Sent, CommandError>
  /** Step 2. */
  readonly arrive: (transfer: Transfer, wanted: TransferOrigin["await"]) => Effect.Effect<Arrival, CommandError>
  /** Step 1 of a capture. */
  readonly captureTo: (command: CaptureHoldTo, origin: TransferOrigin) => Effect.Effect<Sent, CommandError>
  /** Step 3 after a receipt. */
  readonly settle: (transfer: Transfer) => Effect.Effect<void, CommandError>
  /** The same; answers what the source is after it. */
  readonly settled: (transfer: Transfer) => Effect.Effect<SourceEffect, CommandError>
  /** Step 3 after a refusal. */
  readonly returnFunds: (transfer: Transfer, reason: string) => Effect.Effect<Returned, CommandError>
}

/** To itself: the rules say so, whatever the wallet is. */
export const examine = (
  calls: WalletCalls["Service"],
  from: string,
  to: string
): ReturnType<TransferSteps["examine"]> =>
  from === to
    ? Effect.succeed({ currency: "", destination: null })
    : Effect.map(calls.current(to, -1), (wallet) =>
        wallet === undefined
          ? { currency: "", destination: "missing" }
          : { currency: wallet.currency, destination: wallet.status === "closed" ? "closed" : null }
      )

export const makeWallets = (
  calls: WalletCalls["Service"],
  /** What a command did earlier; fails when it was undone since. */
  replayedReply: (seen: Seen) => Effect.Effect<SourceEffect, CommandError>,
  bounded: BoundedLegs
): Wallets => ({
  bounded,
  // Ids of transfers never wear out, so neither may the keys of their steps.
  ask: (command, key, { actor, correlationId, limit, await: wanted, ifVersion = null }, bytes = 0) =>
    Effect.catchTag(
      calls.ask({
        command,
        key,
        actor,
        correlationId,
        limit,
        await: wanted,
        ifVersion,
        dryRun: false,
        bytes: callBytes + bytes
      }),
      "TransferNotFound",
      // The transfer is there. A wallet that does not know it is asked where it was replaced, and does not know that yet.
      () => notTold(command.walletId)
    ),
  eventsOf: (reply) =>
    reply._tag === "Done" ? Effect.succeed(reply.events) : Effect.map(replayedReply(reply), ({ events }) => events),
  effectOf: (reply) =>
    reply._tag === "Done"
      ? Effect.succeed({ wallet: reply.wallet, events: reply.events, holdBefore: openHolds(reply.before) })
      : replayedReply(reply)
})

export const makeTransferSteps = (calls: WalletCalls["Service"], wallets: Wallets): TransferSteps => {
  const stateOf: TransferSteps["stateOf"] = (walletId) => calls.current(walletId, -1)
  return {
    stateOf,
    examine: (from, to) => examine(calls, from, to),
    send: send(wallets),
    arrive: arrive(wallets),
    captureTo: captureTo(wallets),
    settle: (transfer) => Effect.asVoid(settle(wallets, transfer)),
    settled: (transfer) => Effect.flatMap(settle(wallets, transfer), wallets.effectOf),
    returnFunds: returnFunds(wallets)
  }
}

/**
 * Of a transfer: from its source and the key, so that a retry, on whichever node,
 * means the same transfer. `t_` and 128 bits of the SHA-256; frozen.
 */
export const derivedTransferId = (from: string, idempotencyKey: string): string =>
  `t_${hash("sha256", `transfer:${from}:${idempotencyKey}`, "base64url").slice(0, 22)}`

/** A transfer in flight, as its source knows it. */
export const pendingTransfer = (source: Wallet, inFlight: TransferInFlight): Transfer => ({
  id: inFlight.id,
  from: source.id,
  to: inFlight.to,
  amount: inFlight.amount,
  currency: source.currency,
  legs: singleLeg({ ...inFlight, from: source.id, currency: source.currency }),
  status: "pending",
  reason: null,
  leg: null,
  reference: inFlight.reference,
  metadata: inFlight.metadata,
  refundOf: inFlight.refund?.of ?? null,
  createdAt: inFlight.createdAt,
  effectiveAt: inFlight.effectiveAt ?? inFlight.createdAt,
  updatedAt: inFlight.createdAt
})

export const legOf = ({ legs }: Transfer): TransferLeg => legs[0]!

const refusedFor = ({ reason }: OperationReversed): Effect.Effect<Arrival> =>
  Effect.succeed({ _tag: "Refused", reason })

/** The key was seen, so the log has the event: a log that does not answer it has not answered yet. */
export const notTold = (walletId: string): Effect.Effect<never, CommandError> =>
  Effect.fail(new OutcomeUnknown({ walletId, retryAfter: 1_000 }))

/** What may pass: the same step again may succeed. */
export const isPassing = (error: CommandError): boolean =>
  error._tag === "StoreUnavailable" || error._tag === "MailboxFull" || error._tag === "OutcomeUnknown"

/** What the source is told of the destination's rejection. */
export const reversalReason = (error: CommandError): string => `${error._tag}: ${error.message}`

/**
 * Whether the destination, or a wallet of several legs, or a rule of the user's over it, says no. So does a policy that
 * throws: it would throw again, and the transfer never end. What is not in this
 * list says nothing about the transfer: to take it for a no would send the money back.
 */
export const isRefusal = (error: CommandError): boolean => {
  switch (error._tag) {
    case "WalletNotFound":
    case "InsufficientFunds":
    case "WalletClosed":
    case "WalletFrozen":
    case "CurrencyMismatch":
    case "InvalidRequest":
    case "LimitExceeded":
    case "PolicyRejected":
    case "PolicyDefect":
    case "KeyLimitExceeded":
    case "RefundExceeded":
    case "OperationRefused":
      return true
    default:
      return false
  }
}

export const notYetPersisted = (walletId: string) =>
  new StoreUnavailable({
    store: "persistence",
    reason: `a step of a transfer is not yet persisted at wallet ${walletId}`,
    retryAfter: 1_000
  })

export const noteBytes = ({ metadata, reference }: Pick<Transfer, "metadata" | "reference">): number =>
  textBytes(reference) + metadataBytes(metadata)
