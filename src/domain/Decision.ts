/** What goes into a decision beside state and command, and what comes out. */
import type * as Result from "effect/Result"
import type { WalletEvent } from "./Event.ts"
import type { Rejection } from "./Rejection.ts"

/** Bounds of one wallet, by configuration. */
export interface WalletLimits {
  /** Holds open at one time. */
  readonly openHolds: number
  /** Transfers sent and neither settled nor reversed, at one time. */
  readonly transfersInFlight: number
}

/**
 * An open hold or transfer takes up to some 12,000 characters when its
 * metadata is at its bound, well below 1 kB as a rule. 10,000 of each keep the
 * worst wallet at a size that one node can load and save, and are far above what
 * a wallet of one owner needs.
 */
export const defaultLimits: WalletLimits = { openHolds: 10_000, transfersInFlight: 10_000 }

export interface DecideContext {
  /** Milliseconds; not before the wallet's last event. */
  readonly time: number
  readonly limits: WalletLimits
}

export type Decision = Result.Result<ReadonlyArray<WalletEvent>, Rejection>
