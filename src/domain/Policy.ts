/**
 * Policies: rules of an installation's own, which the owner of a wallet asks after the rules of the
 * engine (`Decide.ts`). This is their form, and what of each command they are asked.
 *
 * Policies are pure. Asked are commands of clients, and what a transfer of others wants of a wallet
 * before it is decided; never what the engine does by itself, what has been decided, replays and rebuilds.
 */
import * as HashMap from "effect/HashMap"
import type {
  CaptureHold,
  CaptureHoldTo,
  ChangeHold,
  Close,
  Command,
  CreateWallet,
  Credit,
  Debit,
  FreezeCommand,
  PlaceHold,
  ReceiveTransfer,
  ReleaseHold,
  SendTransfer,
  Unfreeze,
  UpdateWallet
} from "./Command.ts"
import type { RecordedEvent } from "./Event.ts"
import type { Fact } from "./Fact.ts"
import { legsChange, type OwnLeg, ownLegs } from "./Legs.ts"
import type { Wallet } from "./Wallet.ts"

/** The number of the leg, from 0; `null`: the transfer has one only. */
interface OfLeg {
  readonly leg: number | null
}

/** What a policy is asked. Of several legs each one by itself, as a transfer sent or received. */
export type PolicyCommand =
  | CreateWallet
  | UpdateWallet
  | FreezeCommand
  | Unfreeze
  | Close
  | Credit
  | Debit
  | PlaceHold
  | CaptureHold
  | Omit<CaptureHoldTo, "currency" | "destination">
  | ChangeHold
  | ReleaseHold
  | (Omit<SendTransfer, "currency" | "destination"> & OfLeg)
  | (Omit<ReceiveTransfer, "currency"> & OfLeg)

/** Why not: at most 255 characters, for the caller to read. */
export interface PolicyRejection {
  readonly reason: string
}

/**
 * What a policy knows of a wallet's past: folded from its events, each once and in order, and kept
 * with the wallet and its snapshots. Plain data; `fold` answers a new value and changes nothing.
 */
export interface PolicyFacts<Facts extends Fact> {
  /** Before the first event. */
  readonly initial: Facts
  fold(facts: Facts, recorded: RecordedEvent): Facts
  /** The facts take at most so many bytes as JSON, 65,536 at most; an event with which they would take more is a defect. */
  readonly maxBytes: number
  /**
   * Events older than the wallet's last one by more than this, ms, make no difference to what is
   * judged from then on; absent: all do. A new version folds no more than these.
   */
  readonly reachMillis?: number | undefined
}

/** One rule, with what it needs to know. Of several the first to reject has said it. */
export interface Policy<Facts extends Fact = null> {
  /** In answers, and in snapshots: 1 to 64 characters, no two of an engine the same. */
  readonly name: string
  /** Of `facts`, 1 to 64 characters: where it is another one, they are folded anew from the wallet's history. */
  readonly version: string
  /** Absent: it needs none, and is asked with `null`. */
  readonly facts?: PolicyFacts<Facts> | undefined
  /**
   * `undefined`: nothing against it. The engine's own rules have accepted the command. `wallet` is the state before it,
   * `undefined` of one to be created; of several legs as the legs before leave it, which are then among those
   * `prepared`. `now` is the time that the command's events will have, ms: never before the wallet's last event.
   * Synchronous and quick: the wallet, and others of the node, wait. What throws fails its command, as `PolicyDefect`.
   */
  judge(wallet: Wallet | undefined, command: PolicyCommand, now: number, facts: Facts): PolicyRejection | undefined
}

/** One that an engine is given: whatever its facts are. */
export type AnyPolicy = Policy<Fact>

/** What a policy is asked of a command at once. */
export interface PolicyQuestion {
  readonly wallet: Wallet | undefined
  readonly command: PolicyCommand
}

const nothing: ReadonlyArray<never> = []

/** All that policies are asked of a command that the rules have accepted; none of what the engine does by itself. */
export const questionsOf = (wallet: Wallet | undefined, command: Command): ReadonlyArray<PolicyQuestion> => {
  switch (command._tag) {
    case "CreateWallet":
    case "UpdateWallet":
    case "Freeze":
    case "Unfreeze":
    case "Close":
    case "Credit":
    case "Debit":
    case "PlaceHold":
    case "CaptureHold":
    case "ChangeHold":
    case "ReleaseHold":
      return [{ wallet, command }]
    case "CaptureHoldTo": {
      const { currency: _currency, destination: _destination, ...captured } = command
      return [{ wallet, command: captured }]
    }
    case "SendTransfer": {
      const { currency: _currency, destination: _destination, ...sent } = command
      return [{ wallet, command: { ...sent, leg: null } }]
    }
    case "ReceiveTransfer": {
      const { currency: _currency, ...received } = command
      return [{ wallet, command: { ...received, leg: null } }]
    }
    case "BeginLegs":
      return legByLeg(wallet!, { ...command, home: command.walletId, legs: ownLegs(command.walletId, command.legs) })
    case "PrepareLegs":
      return legByLeg(wallet!, command)
    case "ExpireFreeze":
    case "ExpireHold":
    case "RefuseTransfer":
    case "SettleTransfer":
    case "ReverseTransfer":
    case "RefuseLegs":
    case "ApplyLegs":
    case "ReleaseLegs":
    case "SettleLegs":
    case "ReverseOperation":
      return nothing
  }
}

interface WalletLegs {
  readonly walletId: string
  readonly transferId: string
  readonly home: string
  readonly legs: ReadonlyArray<OwnLeg>
  readonly effectiveAt: number | null
}

const legByLeg = (wallet: Wallet, asked: WalletLegs): ReadonlyArray<PolicyQuestion> =>
  asked.legs.map((leg, index) => ({
    wallet: index === 0 ? wallet : afterLegs(wallet, asked, asked.legs.slice(0, index)),
    command: ofLeg(asked, leg)
  }))

const ofLeg = (
  { effectiveAt, transferId, walletId }: WalletLegs,
  { amount, counterparty, leg, metadata, reference, side }: OwnLeg
): PolicyCommand => {
  const common = { walletId, transferId, amount, reference, metadata, effectiveAt, leg }
  return side === "sent"
    ? { _tag: "SendTransfer", ...common, to: counterparty }
    : { _tag: "ReceiveTransfer", ...common, from: counterparty }
}

/** Their money has moved, and their transfer is not decided. */
const afterLegs = (
  wallet: Wallet,
  { effectiveAt, home, transferId }: WalletLegs,
  legs: ReadonlyArray<OwnLeg>
): Wallet => ({
  ...wallet,
  balance: wallet.balance + legsChange(legs),
  prepared: HashMap.set(wallet.prepared, transferId, {
    id: transferId,
    home,
    legs,
    held: 0n,
    room: 0n,
    effectiveAt,
    createdAt: wallet.updatedAt,
    begun: null,
    decision: null
  })
})

/** What leaves the wallet when the command is done, minor units: a debit, a capture, what is sent; else `0n`. */
export const spentBy = (wallet: Wallet | undefined, command: PolicyCommand): bigint => {
  switch (command._tag) {
    case "Debit":
    case "SendTransfer":
      return command.amount
    case "CaptureHold":
    case "CaptureHoldTo":
      return command.amount ?? holdIn(wallet, command.holdId)?.remaining ?? 0n
    case "CreateWallet":
    case "UpdateWallet":
    case "Freeze":
    case "Unfreeze":
    case "Close":
    case "Credit":
    case "PlaceHold":
    case "ChangeHold":
    case "ReleaseHold":
    case "ReceiveTransfer":
      return 0n
  }
}

/** What is held more when the command is done, minor units: a hold that is placed or raised; else `0n`. */
export const heldBy = (wallet: Wallet | undefined, command: PolicyCommand): bigint => {
  if (command._tag === "PlaceHold") return command.amount
  if (command._tag !== "ChangeHold" || command.amount === null) return 0n
  const raised = command.amount - (holdIn(wallet, command.holdId)?.amount ?? command.amount)
  return raised > 0n ? raised : 0n
}

const holdIn = (wallet: Wallet | undefined, holdId: string) => {
  const hold = wallet === undefined ? undefined : HashMap.get(wallet.holds, holdId)
  return hold?._tag === "Some" ? hold.value : undefined
}

/** What has left the wallet by the event, minor units: a debit, a capture, what was sent; else `0n`. What came back later is in it. */
export const spentIn = ({ event }: RecordedEvent): bigint => {
  switch (event._tag) {
    case "WalletDebited":
    case "HoldCaptured":
    case "HoldCapturedTo":
    case "TransferSent":
      return event.amount
    case "LegsApplied":
      return sentIn(event.legs)
    case "WalletCreated":
    case "WalletFrozen":
    case "WalletUnfrozen":
    case "FreezeExpired":
    case "WalletClosed":
    case "OverdraftLimitChanged":
    case "MetadataChanged":
    case "NothingChanged":
    case "WalletCredited":
    case "HoldPlaced":
    case "HoldChanged":
    case "HoldReleased":
    case "HoldExpired":
    case "TransferReceived":
    case "TransferRefused":
    case "TransferSettled":
    case "TransferReversed":
    case "LegsBegun":
    case "LegsPrepared":
    case "LegsRefused":
    case "LegsReleased":
    case "LegsSettled":
    case "OperationReversed":
      return 0n
  }
}

/** What the wallet has promised to legs that are not decided, minor units: it may leave at any time, and nobody is asked then. */
export const promisedBy = ({ prepared }: Wallet): bigint => {
  if (HashMap.isEmpty(prepared)) return 0n
  let sum = 0n
  for (const { decision, legs } of HashMap.values(prepared)) if (decision === null) sum += sentIn(legs)
  return sum
}

const sentIn = (legs: ReadonlyArray<OwnLeg>): bigint => {
  let sum = 0n
  for (const { amount, side } of legs) if (side === "sent") sum += amount
  return sum
}
