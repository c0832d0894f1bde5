/** All kinds of events, subject by subject: what `evolve`, reversals and the rows of readers go by. */
import type { WalletEvent } from "./Event.ts"
import type { EventKind, EventKinds } from "./EventKind.ts"
import { holdEvents } from "./HoldEvents.ts"
import { legsEvents } from "./LegsEvents.ts"
import { lifecycleEvents } from "./LifecycleRules.ts"
import { movementEvents } from "./MovementRules.ts"
import { reversalEvents } from "./ReversalRules.ts"
import { transferEvents } from "./TransferRules.ts"

const eventKinds: EventKinds<WalletEvent> = {
  ...movementEvents,
  ...transferEvents,
  ...legsEvents,
  ...holdEvents,
  ...lifecycleEvents,
  ...reversalEvents
}

const { WalletCredited: credited, WalletDebited: debited } = movementEvents

/**
 * Its own kind. Nearly all events are credits and debits, and a look-up in a table of
 * nineteen costs as much as the rest of `evolve` (20 ns): so those two come first.
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
