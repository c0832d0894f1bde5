/**
 * All kinds of events, subject by subject (`EventKind.ts` says what there is to say of one): what `evolve` and
 * reversals go by, and what readers see of events, the transactions, holds and transfers that they make. Stores
 * write these rows, answers show them; both take them from here, so that they cannot differ.
 */
import type { Commit } from "./Commit.ts"
import type { RecordedEvent, WalletEvent } from "./Event.ts"
import type { EventKind, EventKinds } from "./EventKind.ts"
import { type HoldChange, holdProgressed, type HoldTerms } from "./Hold.ts"
import { holdEvents } from "./HoldEvents.ts"
import type { LegsChange } from "./Legs.ts"
import { legsEvents } from "./LegsEvents.ts"
import { lifecycleEvents } from "./LifecycleRules.ts"
import { movementEvents } from "./MovementRules.ts"
import { refundEvents } from "./RefundRules.ts"
import { reversalEvents } from "./ReversalRules.ts"
import { type TransferChange, transferChanged } from "./Transfer.ts"
import { transferEvents } from "./TransferRules.ts"
import type { Transaction } from "./Wallet.ts"

const eventKinds: EventKinds<WalletEvent> = {
  ...movementEvents,
  ...transferEvents,
  ...legsEvents,
  ...holdEvents,
  ...lifecycleEvents,
  ...refundEvents,
  ...reversalEvents
}

const { WalletCredited: credited, WalletDebited: debited } = movementEvents

/**
 * Its own kind. Nearly all events are credits and debits, and a look-up in a table of
 * twenty-one costs as much as the rest of `evolve` (20 ns): so those two come first.
 */
export const kindOf = <E extends WalletEvent>(event: E): EventKind<E> => {
  const tag = event._tag
  const kind = tag === "WalletCredited" ? credited : tag === "WalletDebited" ? debited : eventKinds[tag]
  // The table ties each event to its own entry; TypeScript cannot follow the pair.
  return kind as unknown as EventKind<E>
}

/** Signed change of the wallet's balance by this event, minor units. */
export const balanceChange = (event: WalletEvent): bigint => kindOf(event).balanceChange(event)

/** Whether a user's rule can have it reversed. */
export const isReversible = (event: WalletEvent): boolean => kindOf(event).reversible !== undefined

/**
 * The transaction that an event makes, `undefined` when it moves no money.
 * `wallet`: whose event it is, before or after (a currency never changes).
 */
export const transactionOf = (
  recorded: RecordedEvent,
  wallet: { readonly currency: string }
): Transaction | undefined => {
  const event = recorded.event
  return kindOf(event).transaction?.(recorded, wallet, event)
}

/** All transactions that an event makes, in their order: of a transfer of several legs by leg. */
export const transactionsOf = (
  recorded: RecordedEvent,
  wallet: { readonly currency: string }
): ReadonlyArray<Transaction> => {
  const event = recorded.event
  const kind = kindOf(event)
  if (kind.transactions !== undefined) return kind.transactions(recorded, wallet, event)
  const transaction = kind.transaction?.(recorded, wallet, event)
  return transaction === undefined ? noChanges : [transaction]
}

const noChanges: ReadonlyArray<never> = []

/** One change per hold that the commit's events touch, in the order of first touch. */
export const holdChanges = (commit: Pick<Commit, "events">): ReadonlyArray<HoldChange> => {
  let changes: Map<string, HoldChange> | undefined
  for (const recorded of commit.events) {
    const change = kindOf(recorded.event).holdChange?.(recorded, recorded.event)
    if (change === undefined) continue
    changes ??= new Map()
    if (change._tag === "Placed") {
      changes.set(change.hold.id, change)
      continue
    }
    const earlier = changes.get(change.holdId)
    changes.set(
      change.holdId,
      earlier?._tag === "Placed"
        ? { _tag: "Placed", version: earlier.version, hold: holdProgressed(earlier.hold, change) }
        : withTerms(change, earlier?.terms)
    )
  }
  return changes === undefined ? noChanges : Array.from(changes.values())
}

/** Terms that have changed stay so. */
const withTerms = (
  change: Extract<HoldChange, { readonly _tag: "Changed" }>,
  terms: HoldTerms | undefined
): HoldChange => (terms === undefined || change.terms !== undefined ? change : { ...change, terms })

/** One change per transfer that the commit's events touch at its source, in the order of first touch. */
export const transferChanges = (commit: Pick<Commit, "events">): ReadonlyArray<TransferChange> => {
  let changes: Map<string, TransferChange> | undefined
  for (const recorded of commit.events) {
    const change = kindOf(recorded.event).transferChange?.(recorded, recorded.event)
    if (change === undefined) continue
    changes ??= new Map()
    if (change._tag === "Sent") {
      changes.set(change.transfer.id, change)
      continue
    }
    const earlier = changes.get(change.transferId)
    changes.set(change.transferId, earlier === undefined ? change : merged(earlier, change))
  }
  return changes === undefined ? noChanges : Array.from(changes.values())
}

type ChangedTransfer = Extract<TransferChange, { readonly _tag: "Changed" }>

const merged = (earlier: TransferChange, change: ChangedTransfer): TransferChange => {
  if (earlier._tag === "Changed") return { ...change, updatedAt: change.updatedAt ?? earlier.updatedAt }
  return { ...earlier, transfer: transferChanged(earlier.transfer, change) }
}

/** One change per transfer of several legs of which the commit's events are, at whichever wallet, in the order of first touch. */
export const legsChanges = (commit: Pick<Commit, "events">): ReadonlyArray<LegsChange> => {
  let changes: Map<string, LegsChange> | undefined
  for (const recorded of commit.events) {
    const change = kindOf(recorded.event).legsChange?.(recorded, recorded.event)
    if (change === undefined) continue
    changes ??= new Map()
    const earlier = changes.get(change.transferId)
    const isNew = earlier?._tag === "Prepared"
    if (isNew && change._tag === "Released") changes.delete(change.transferId)
    else changes.set(change.transferId, isNew && change._tag === "Applied" ? { ...change, prepared: true } : change)
  }
  return changes === undefined ? noChanges : Array.from(changes.values())
}
