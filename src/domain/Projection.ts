/**
 * What readers see of events: the transactions, holds and transfers that they make.
 * Stores write these rows, answers show them; both take them from here, so that
 * they cannot differ. What each event does to them its subject says (`EventKind.ts`).
 */
import type { Commit } from "./Commit.ts"
import type { RecordedEvent } from "./Event.ts"
import { kindOf } from "./EventKinds.ts"
import { type HoldChange, holdProgressed } from "./Hold.ts"
import type { TransferChange } from "./Transfer.ts"
import type { Transaction } from "./Wallet.ts"

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
        : change
    )
  }
  return changes === undefined ? noChanges : Array.from(changes.values())
}

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
  const { reason, status } = change
  if (earlier._tag === "Changed") return { ...change, updatedAt: change.updatedAt ?? earlier.updatedAt }
  const updatedAt = change.updatedAt ?? earlier.transfer.updatedAt
  return { ...earlier, transfer: { ...earlier.transfer, status, reason, updatedAt } }
}
