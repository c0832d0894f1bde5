/**
 * The state of one wallet, as the fold of its events.
 *
 * A `Wallet` is immutable: `evolve` makes the next one. Amounts are `bigint` of
 * minor units, times are milliseconds since the epoch, `version` is the
 * revision of the last event (0-based).
 */
import type * as HashMap from "effect/HashMap"
import * as Schema from "effect/Schema"
import type { OpenHold } from "./Hold.ts"
import type { PreparedLegs } from "./Legs.ts"
import type { Metadata } from "./Limits.ts"
import { FrozenDirection } from "./Rejection.ts"
import type { TransferInFlight } from "./Transfer.ts"
import { Text, Time } from "./WireValues.ts"

export type { Hold, HoldStatus, OpenHold } from "./Hold.ts"
export type { BegunLeg, OwnLeg, PreparedLegs, TransferLeg } from "./Legs.ts"
export type { Transaction, TransactionType } from "./Movement.ts"
export type { Transfer, TransferInFlight, TransferStatus } from "./Transfer.ts"

export const WalletStatus = Schema.Literals(["active", "frozen", "closed"])

export type WalletStatus = typeof WalletStatus.Type

/** What a wallet does not do, and until when. */
export const Freeze = Schema.Struct({
  direction: FrozenDirection,
  reason: Schema.NullOr(Text),
  /** From then on it does not count, whether its end is written or not; `null`: until it is unfrozen. */
  until: Schema.NullOr(Time)
})

export type Freeze = typeof Freeze.Type
export type FreezeDirection = Freeze["direction"]

/** Of one of which nothing more is known than that the wallet is frozen. */
export const plainFreeze: Freeze = { direction: "debits", reason: null, until: null }

export const sameFreeze = (one: Freeze | null, other: Freeze | null): boolean =>
  one === null || other === null
    ? one === other
    : one.direction === other.direction && one.reason === other.reason && one.until === other.until

/** Whether a freeze of `direction` stops what goes `way`. */
export const stops = (direction: FreezeDirection, way: "debits" | "credits"): boolean =>
  direction === "all" || direction === way

export interface Wallet {
  readonly id: string
  readonly ownerId: string
  readonly currency: string
  /** May be negative down to `-overdraftLimit`. */
  readonly balance: bigint
  /** Σ remaining of the open holds, and Σ held in transit of the prepared legs. */
  readonly held: bigint
  readonly overdraftLimit: bigint
  readonly status: WalletStatus
  /** `null` unless the status is `frozen`. */
  readonly freeze: Freeze | null
  readonly version: number
  readonly metadata: Metadata
  readonly createdAt: number
  /** Time of the last event. */
  readonly updatedAt: number
  /** Open holds only, by hold id. */
  readonly holds: HashMap.HashMap<string, OpenHold>
  /** Transfers sent and neither settled nor reversed, by transfer id. */
  readonly transfers: HashMap.HashMap<string, TransferInFlight>
  /** What is prepared of transfers of several legs, by transfer id. */
  readonly prepared: HashMap.HashMap<string, PreparedLegs>
  /** Σ bytes of `holds`, `transfers` and `prepared` in a snapshot, at most (`WalletSize`). */
  readonly openBytes: number
}

/** A wallet as readers see it, without what is open. */
export type WalletView = Omit<Wallet, "holds" | "transfers" | "prepared" | "openBytes">

export const viewOf = ({
  holds: _holds,
  openBytes: _openBytes,
  prepared: _prepared,
  transfers: _transfers,
  ...view
}: Wallet): WalletView => view

/** What can be debited, held or sent now: `balance − held + overdraftLimit`. */
export const available = (wallet: Wallet): bigint => wallet.balance - wallet.held + wallet.overdraftLimit
