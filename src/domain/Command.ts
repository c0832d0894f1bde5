/**
 * Commands: what callers and the engine ask of a wallet, by subject. Plain data; a
 * command's time and the ids it introduces come in with it, so that `decide` stays pure.
 */
import type { RecordedEvent } from "./Event.ts"
import { HoldCommand } from "./Hold.ts"
import { LegsCommand } from "./Legs.ts"
import { LifecycleCommand } from "./Lifecycle.ts"
import { MovementCommand } from "./Movement.ts"
import { TransferCommand } from "./Transfer.ts"
import type { Wallet } from "./Wallet.ts"

export type { CaptureHold, CaptureHoldTo, ChangeHold, ExpireHold, PlaceHold, ReleaseHold } from "./Hold.ts"
export type { ApplyLegs, BeginLegs, PrepareLegs, RefuseLegs, ReleaseLegs, SettleLegs } from "./Legs.ts"
export type { Close, CreateWallet, ExpireFreeze, FreezeCommand, Unfreeze, UpdateWallet } from "./Lifecycle.ts"
export type { Credit, Debit } from "./Movement.ts"
export type { ReceiveTransfer, RefuseTransfer, ReverseTransfer, SendTransfer, SettleTransfer } from "./Transfer.ts"

/** All but the reversal of an operation, which the owner asks of itself; they travel between nodes. */
export type RemoteCommand = LifecycleCommand | MovementCommand | HoldCommand | TransferCommand | LegsCommand

/** The schema of each. */
export const commandCases = {
  ...LifecycleCommand.cases,
  ...MovementCommand.cases,
  ...HoldCommand.cases,
  ...TransferCommand.cases,
  ...LegsCommand.cases
}

/** Compensation of exactly one event that Persistence has refused; internal, on no API. */
export interface ReverseOperation {
  readonly _tag: "ReverseOperation"
  readonly walletId: string
  readonly operation: RecordedEvent
  /**
   * The state before the operation, folded from the log (`undefined` for
   * WalletCreated): what it closed or replaced is restored from here, because
   * neither the event nor the state after it has it any more.
   */
  readonly before: Wallet | undefined
  readonly reason: string
}

export type Command = RemoteCommand | ReverseOperation
