/** What was asked and answered in a run, and everything that happened between: material for the checks and for a reader. */
import type { WalletView } from "../../stores/Persistence.ts"
import type { FreezeDirection, Hold, Transaction, Transfer } from "../../domain/Wallet.ts"
import type { Metadata } from "../../domain/Limits.ts"
import { textOf } from "./PlainData.ts"

export interface AskedLeg {
  readonly from: string
  readonly to: string
  readonly amount: bigint
  readonly reference: string | null
}

/** What a client wants, in its own words. */
export type Operation =
  | {
      readonly kind: "create"
      readonly walletId: string
      readonly ownerId: string
      readonly currency: string
      readonly overdraftLimit: bigint
      readonly metadata: Metadata
    }
  | {
      readonly kind: "credit" | "debit"
      readonly walletId: string
      readonly amount: bigint
      readonly reference: string | null
      readonly effectiveAt: number | null
      readonly metadata: Metadata
      /** Of a debit: whether or not there are funds. */
      readonly force: boolean
    }
  | {
      readonly kind: "hold"
      readonly walletId: string
      readonly amount: bigint
      readonly expiresAt: number | null
      readonly reference: string | null
    }
  | {
      readonly kind: "capture"
      readonly walletId: string
      readonly holdId: string
      readonly amount: bigint | null
      readonly final: boolean
      readonly effectiveAt: number | null
      /** `null`: out of the installation. */
      readonly to: string | null
    }
  | {
      readonly kind: "change"
      readonly walletId: string
      readonly holdId: string
      readonly amount: bigint | null
      /** `undefined`: it stays. */
      readonly expiresAt: number | null | undefined
    }
  | {
      readonly kind: "freeze"
      readonly walletId: string
      readonly reason: string | null
      readonly direction: FreezeDirection
      readonly until: number | null
    }
  | { readonly kind: "release"; readonly walletId: string; readonly holdId: string }
  | { readonly kind: "unfreeze" | "close"; readonly walletId: string; readonly reason: string | null }
  | {
      readonly kind: "update"
      readonly walletId: string
      readonly overdraftLimit: bigint | null
      readonly metadata: Metadata | null
    }
  | {
      readonly kind: "transfer"
      readonly walletId: string
      readonly to: string
      readonly amount: bigint
      readonly reference: string | null
      readonly effectiveAt: number | null
    }
  | {
      readonly kind: "legs"
      /** The home. */
      readonly walletId: string
      readonly legs: ReadonlyArray<AskedLeg>
      readonly reference: string | null
    }
  | {
      readonly kind: "refund"
      /** That made the transaction. */
      readonly walletId: string
      readonly transactionId: string
      /** `null`: all that is left. */
      readonly amount: bigint | null
      readonly reference: string | null
      readonly effectiveAt: number | null
    }
  | {
      readonly kind: "refundTransfer"
      /** That received it, or its leg, or the first of its legs. */
      readonly walletId: string
      readonly transferId: string
      readonly leg: number | null
      readonly amount: bigint | null
      readonly reference: string | null
    }
  | { readonly kind: "read"; readonly walletId: string; readonly minVersion: number }
  | { readonly kind: "past"; readonly walletId: string; readonly atVersion: number }

/** What an engine's answer says, whichever command it was. */
export interface Told {
  readonly wallet?: WalletView
  readonly transaction?: Transaction
  readonly hold?: Hold
  readonly transfer?: Transfer
  readonly replayed?: boolean
  readonly dryRun?: boolean | undefined
  readonly durability?: { readonly committed: boolean; readonly persisted: boolean; readonly indexed: boolean }
}

export type Outcome =
  | { readonly _tag: "Done"; readonly told: Told }
  | { readonly _tag: "Failed"; readonly error: { readonly _tag: string; readonly message: string } }
  /** The engine threw. */
  | { readonly _tag: "Died"; readonly message: string }
  /** The caller has waited long enough, or the node is gone. */
  | { readonly _tag: "Lost" }

/** What was true at the moment of an answer, looked up in the stores themselves. */
export interface TruthAtAnswer {
  /** Time of the answer, ms of the world. */
  readonly time: number
  /** Versions of all wallets in the log. */
  readonly versions: ReadonlyMap<string, number>
  /** Versions of all wallets in Persistence. */
  readonly persisted: ReadonlyMap<string, number>
}

/** What a node that is replaced may not know. */
export interface Supersession {
  /** The place in the log from which on others may have appended. */
  readonly from: number
  /** Versions that somebody had been told of by then. */
  readonly told: ReadonlyMap<string, number>
}

/** One try of one operation by one client. */
export interface Attempt {
  readonly number: number
  readonly client: string
  readonly key: string
  readonly operation: Operation
  readonly await: "committed" | "persisted"
  /** It was asked as a dry run; without a key its name is one that no command has. */
  readonly dryRun: boolean
  /** The version that the wallet had to be at; `undefined`: whichever. */
  readonly ifVersion: number | undefined
  readonly node: string
  readonly calledAt: number
  /** Its node has never seen the store's clock. */
  readonly clockUnknown: boolean
  /** Versions of all wallets in the log when it was called. */
  readonly versionsBefore: ReadonlyMap<string, number>
  /** What had its rows when it was made: less than before where an operator has put rows back, or a rule refused it. */
  readonly rowsBefore: ReadonlyMap<string, number>
  /** Versions that somebody had been told of when it was called. */
  readonly toldBefore: ReadonlyMap<string, number>
  /** The claim that replaced its node before the answer; `undefined`: its node owns the wallets. */
  stale: Supersession | undefined
  outcome: Outcome | undefined
  truth: TruthAtAnswer | undefined
}

export class History {
  readonly attempts: Array<Attempt> = []
  readonly lines: Array<string> = []
  /** The last version of each wallet that somebody was told of. */
  readonly told = new Map<string, number>()
  /** By position − 1: when the event came into the log, ms of the world. */
  readonly landedAt: Array<number> = []
  /** Laws that were broken while the run went on. */
  readonly violations: Array<string> = []

  note(time: number, who: string, what: string): void {
    this.lines.push(`${String(time).padStart(7)} ${who.padEnd(8)} ${what}`)
  }

  violated(law: string): void {
    this.violations.push(law)
  }
}

export const describeOperation = ({ kind, ...rest }: Operation): string => `${kind} ${textOf(rest)}`

export const describeOutcome = (outcome: Outcome): string => {
  switch (outcome._tag) {
    case "Done": {
      const { dryRun, durability, hold, replayed, transaction, transfer, wallet } = outcome.told
      return textOf({
        ...(wallet && { version: wallet.version, balance: wallet.balance, held: wallet.held, status: wallet.status }),
        ...(dryRun === true && { dryRun }),
        ...(transaction && { transaction: transaction.id?.slice(-6) }),
        ...(hold && { hold: hold.id, holdStatus: hold.status, remaining: hold.remaining }),
        ...(transfer && { transfer: transfer.id, transferStatus: transfer.status }),
        ...(durability && { persisted: durability.persisted }),
        ...(replayed === true && { replayed })
      })
    }
    case "Failed":
      return `${outcome.error._tag}: ${outcome.error.message}`
    case "Died":
      return `threw ${outcome.message}`
    case "Lost":
      return "no answer"
  }
}
