/**
 * The steps of a transfer of several legs, each a command to one of its wallets, and what bounds the
 * legs that are refunds, for the wallets that send them. As with one leg the log is the journal, and
 * every step has a key of its own.
 *
 *   begin (home) → prepare (every other wallet): prepared or refused → decide (home): applied or released
 *     → tell (every other wallet that has prepared) → settle (home)
 *
 * A step fails with what stopped it; nothing here tries again.
 */
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import type { CommandError } from "../actors/EngineError.ts"
import type { Reply } from "../actors/Mailbox.ts"
import type { BeginLegs, PrepareLegs } from "../domain/Command.ts"
import type { LegsApplied, RecordedEvent } from "../domain/Event.ts"
import { dayOnly, type KeyLimit } from "../domain/KeyLimit.ts"
import { type LegParty, type LegTransactions, type OwnLeg, type PreparedLegs, walletsOf } from "../domain/Legs.ts"
import {
  applying,
  begunTransfer,
  decidedKey,
  endKey,
  ofSeveral,
  type Party,
  prepareKey,
  preparing,
  settleKey,
  settlingLegs
} from "../domain/StepCommands.ts"
import { sourceOf, transferChanged, withTransactions } from "../domain/Transfer.ts"
import { available, type Transfer, type Wallet } from "../domain/Wallet.ts"
import type { Persistence } from "../stores/Persistence.ts"
import { StoreUnavailable } from "../stores/StoreError.ts"
import {
  completionIn,
  engineOrigin,
  isRefusal,
  noteBytes,
  notTold,
  notYetPersisted,
  type Sent,
  type TransferOrigin,
  type Wallets
} from "./TransferSteps.ts"

/** The legs of one wallet as it is asked to promise them. */
export type BoundedLegs = (
  walletId: string,
  legs: ReadonlyArray<OwnLeg>
) => Effect.Effect<PrepareLegs["legs"], CommandError>

/** All refunds of a transfer are of one other. */
export const makeBoundedLegs = ({
  refunded,
  transfer
}: Pick<Persistence["Service"], "refunded" | "transfer">): BoundedLegs =>
  Effect.fnUntraced(function* (walletId, legs) {
    const asked = legs.flatMap(({ refund }) => (refund === null ? [] : [{ walletId, ...refund }]))
    const [first] = asked
    if (first === undefined) return legs.map((one) => ({ ...one, refund: null }))
    const original = yield* transfer(first.of)
    if (original === undefined) {
      const reason = `transfer ${first.of} may not be persisted yet`
      return yield* new StoreUnavailable({ store: "persistence", reason, retryAfter: 1_000 })
    }
    const found = (yield* refunded(asked)).values()
    return legs.map(({ refund, ...one }) => {
      if (refund === null) return { ...one, refund }
      const { amount } = original.legs[refund.leg]!
      return { ...one, refund: { ...refund, bound: { ...found.next().value!, amount } } }
    })
  })

/** What a wallet has on record, for ever; persisted there. */
export type Promised =
  | { readonly _tag: "Prepared"; readonly walletId: string }
  | { readonly _tag: "Refused"; readonly leg: number; readonly reason: string }

/** The decision on record at the home. */
export type Decided =
  | { readonly _tag: "Applied"; readonly recorded: RecordedEvent; readonly event: LegsApplied }
  | { readonly _tag: "Released"; readonly leg: number; readonly reason: string }

export interface LegsSteps {
  /** What the wallets but the home are: a part of the command that goes there. */
  readonly examine: (
    legs: BeginLegs["legs"],
    stateOf: (walletId: string) => Effect.Effect<Wallet | undefined, CommandError>
  ) => Effect.Effect<ReadonlyArray<LegParty>, CommandError>
  /** Step 1. */
  readonly begin: (command: BeginLegs, origin: TransferOrigin) => Effect.Effect<Sent, CommandError>
  /** Step 2, at one wallet. `limit`: of the key that has begun it. */
  readonly prepare: (
    transfer: Transfer,
    party: Party,
    limit: KeyLimit | undefined
  ) => Effect.Effect<Promised, CommandError>
  /** Step 3. */
  readonly decide: (
    transfer: Transfer,
    refused: { readonly leg: number; readonly reason: string } | undefined
  ) => Effect.Effect<Decided, CommandError>
  /** Step 4 at one wallet that has prepared; answers what it has on record. */
  readonly tell: (
    transfer: Transfer,
    walletId: string,
    refused?: { readonly leg: number; readonly reason: string }
  ) => Effect.Effect<RecordedEvent, CommandError>
  /** Step 5; answers the transfer as it is from then on. */
  readonly settle: (
    transfer: Transfer,
    transactions: ReadonlyArray<LegTransactions>,
    wanted: TransferOrigin["await"]
  ) => Effect.Effect<Transfer, CommandError>
}

/** Wallets that are looked at, or asked, at once. */
export const concurrentWallets = 32

export const examine: LegsSteps["examine"] = (legs, stateOf) =>
  Effect.forEach(
    walletsOf(legs).slice(1),
    (walletId) =>
      Effect.map(stateOf(walletId), (wallet): LegParty =>
        wallet === undefined
          ? { walletId, currency: "", status: "missing", freeze: null, available: 0n }
          : {
              walletId,
              currency: wallet.currency,
              status: wallet.status,
              freeze: wallet.freeze,
              available: available(wallet)
            }
      ),
    { concurrency: concurrentWallets }
  )

const begin =
  ({ ask, eventsOf }: Wallets): LegsSteps["begin"] =>
  (command, origin) =>
    Effect.flatMap(ask(command, origin.key, origin, legsBytes(command)), (reply) =>
      Effect.flatMap(eventsOf(reply), (events) => {
        for (const recorded of events) {
          if (recorded.event._tag !== "LegsBegun") continue
          return Effect.succeed({
            transfer: begunTransfer(recorded, recorded.event),
            eventId: recorded.id,
            inFlight: reply._tag === "Done" || HashMap.has(reply.current.prepared, recorded.event.transferId),
            persisted: reply.persisted,
            replayed: reply._tag === "Seen" || reply.replayed,
            completion: completionIn(reply),
            limit: limitOf(recorded)
          })
        }
        return notTold(command.walletId)
      })
    )

const limitOf = ({ metadata: { keyLimit } }: RecordedEvent): KeyLimit | undefined => keyLimit && dayOnly(keyLimit)

export const legsBytes = ({ legs, ...note }: Pick<BeginLegs, "legs" | "metadata" | "reference">): number =>
  legs.reduce((bytes, leg) => bytes + legBytes + noteBytes(leg), noteBytes(note))

/** Of a leg beside its free texts. */
const legBytes = 160

/** The events of an answer that has come as far as the next step needs. */
const persistedEvents = (
  { eventsOf }: Wallets,
  walletId: string,
  reply: Reply
): Effect.Effect<ReadonlyArray<RecordedEvent>, CommandError> =>
  reply.persisted ? eventsOf(reply) : Effect.fail(notYetPersisted(walletId))

const promisedIn = (walletId: string, events: ReadonlyArray<RecordedEvent>): Effect.Effect<Promised, CommandError> => {
  for (const { event } of events) {
    if (event._tag === "LegsPrepared") return Effect.succeed({ _tag: "Prepared", walletId })
    if (event._tag === "LegsRefused") {
      return Effect.succeed({ _tag: "Refused", leg: event.leg, reason: event.reason })
    }
  }
  return notTold(walletId)
}

/** As with one leg: whatever the wallet has answered first is its answer for ever, also its rules' rejection. */
const prepare =
  (wallets: Wallets): LegsSteps["prepare"] =>
  (transfer, { legs, walletId }, limit) => {
    const { id: transferId } = transfer
    const home = sourceOf(transfer)
    const key = prepareKey(transfer)
    const first = legs[0]!.leg
    const bytes = legs.reduce((sum, leg) => sum + legBytes + noteBytes(leg), 0)
    const ask = Effect.flatMap(wallets.bounded(walletId, legs), (bounded) =>
      wallets.ask(preparing(transfer, walletId, bounded), key, { ...engineOrigin, limit }, bytes)
    )
    const promised = (reply: Reply) =>
      Effect.flatMap(persistedEvents(wallets, walletId, reply), (events) => promisedIn(walletId, events))
    const refuse = (leg: number, reason: string) =>
      Effect.flatMap(
        wallets.ask({ _tag: "RefuseLegs", walletId, transferId, home, leg, reason }, key, engineOrigin),
        promised
      )
    return Effect.catch(Effect.flatMap(ask, promised), (error) => {
      // Refused for good by a rule of the user's, and undone: on record already.
      if (error._tag === "OperationReversed") {
        return Effect.succeed<Promised>({ _tag: "Refused", leg: first, reason: error.reason })
      }
      if (!isRefusal(error)) return Effect.fail(error)
      return Effect.catchTag(
        refuse(legOf(error) ?? first, `${error._tag}: ${error.message}`),
        "OperationReversed",
        ({ reason }) => Effect.succeed<Promised>({ _tag: "Refused", leg: first, reason })
      )
    })
  }

const legOf = (error: CommandError): number | undefined => ("leg" in error ? error.leg : undefined)

const outcome = (
  transfer: Transfer,
  walletId: string,
  refused: { readonly leg: number; readonly reason: string } | undefined
) =>
  refused === undefined
    ? applying(transfer, walletId)
    : ({ _tag: "ReleaseLegs", walletId, transferId: transfer.id, reason: refused.reason, leg: refused.leg } as const)

const decidedIn = (walletId: string, events: ReadonlyArray<RecordedEvent>): Effect.Effect<Decided, CommandError> => {
  for (const recorded of events) {
    const { event } = recorded
    if (event._tag === "LegsApplied") return Effect.succeed({ _tag: "Applied", recorded, event })
    if (event._tag === "LegsReleased") {
      return Effect.succeed({ _tag: "Released", leg: event.leg, reason: event.reason })
    }
  }
  return notTold(walletId)
}

const decide =
  (wallets: Wallets): LegsSteps["decide"] =>
  (transfer, refused) => {
    const walletId = sourceOf(transfer)
    return Effect.flatMap(wallets.ask(outcome(transfer, walletId, refused), endKey(transfer), engineOrigin), (reply) =>
      Effect.flatMap(persistedEvents(wallets, walletId, reply), (events) => decidedIn(walletId, events))
    )
  }

const tell =
  (wallets: Wallets): LegsSteps["tell"] =>
  (transfer, walletId, refused) => {
    const key = decidedKey(transfer)
    return Effect.flatMap(wallets.ask(outcome(transfer, walletId, refused), key, engineOrigin), (reply) =>
      Effect.flatMap(persistedEvents(wallets, walletId, reply), (events) => {
        const recorded = events.find(({ event }) => event._tag === "LegsApplied" || event._tag === "LegsReleased")
        return recorded === undefined ? notTold(walletId) : Effect.succeed(recorded)
      })
    )
  }

const settle =
  (wallets: Wallets): LegsSteps["settle"] =>
  (transfer, transactions, wanted) => {
    const walletId = sourceOf(transfer)
    const command = settlingLegs(transfer, transactions)
    return Effect.flatMap(wallets.ask(command, settleKey(transfer), { ...engineOrigin, await: wanted }), (reply) =>
      Effect.flatMap(persistedEvents(wallets, walletId, reply), (events) => {
        for (const { event, time } of events) {
          if (event._tag !== "LegsSettled") continue
          const { leg, reason, transactions: made, transferId } = event
          const status = reason === null ? "completed" : "reversed"
          return Effect.succeed(
            transferChanged(transfer, {
              _tag: "Changed",
              walletId,
              transferId,
              status,
              reason,
              leg,
              transactions: made,
              updatedAt: time
            })
          )
        }
        return notTold(walletId)
      })
    )
  }

export const makeLegsSteps = (wallets: Wallets): LegsSteps => ({
  examine,
  begin: begin(wallets),
  prepare: prepare(wallets),
  decide: decide(wallets),
  tell: tell(wallets),
  settle: settle(wallets)
})

/** One that is not settled, as its home knows it; `undefined`: another wallet's. */
export const openTransfer = ({ begun, createdAt, effectiveAt, id }: PreparedLegs): Transfer | undefined =>
  begun === null
    ? undefined
    : {
        ...ofSeveral,
        id,
        legs: begun.legs.map((leg) => withTransactions(leg, undefined)),
        status: "pending",
        reference: begun.reference,
        metadata: begun.metadata,
        refundOf: begun.refundOf,
        createdAt,
        effectiveAt: effectiveAt ?? createdAt,
        updatedAt: createdAt
      }
