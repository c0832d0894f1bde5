/** One wallet's comparison while it is under way: what it works on and what it has found. */
import type { RecordedEvent } from "../../domain/Event.ts"
import type { Transaction } from "../../domain/Wallet.ts"
import type { EventStore } from "../../stores/EventStore.ts"
import type { Persistence, Refusal } from "../../stores/Persistence.ts"
import type { ReadModel } from "../../stores/ReadModel.ts"
import type { SearchIndex } from "../../stores/SearchIndex.ts"
import type { EventUnreadable, ReadError } from "../../stores/StoreError.ts"
import { startFold, type WalletFold } from "./Fold.ts"
import { type Difference, type VerifyCounts, zeroCounts } from "./Report.ts"

export interface VerifyStores {
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly readModel: ReadModel["Service"]
  /** Where search has an index of its own. */
  readonly index?: SearchIndex["Service"] | undefined
}

export interface VerifyWalletOptions {
  /** How long a derived store may lag behind the log before that is a difference, milliseconds. */
  readonly lagMillis: number
}

export interface WalletFindings {
  readonly counts: VerifyCounts
  readonly differences: ReadonlyArray<Difference>
}

export type VerifyError = ReadError | EventUnreadable

/** Events and rows per read: about a megabyte at most in memory. */
export const pageSize = 500

/** What is known of a refused event that was met. */
export interface MetRefusal {
  readonly time: number
  /** Of its OperationReversed, once that was met, too. */
  reversedVersion: number | undefined
}

export interface Walk {
  readonly stores: VerifyStores
  readonly options: VerifyWalletOptions
  readonly fold: WalletFold
  readonly counts: VerifyCounts
  readonly differences: Array<Difference>
  /** Rows of holds and transfers that are not as expected, by kind and id, unless the wallet has moved. */
  readonly suspects: Map<string, Difference>
  /** By version, as Persistence last told them: complete up to the version of the row read before. */
  refusals: ReadonlyMap<number, Refusal>
  /** Refused events that the fold has passed, by version. */
  readonly met: Map<number, MetRefusal>
  /** Rows of closed holds and transfers compared before the final scan. */
  readonly lookedUp: { holds: number; transfers: number }
  /** The last event of the page before: its command may go on in the next. */
  lastKeyed: RecordedEvent | undefined
  newestTransaction: Transaction | undefined
}

export const startWalk = (stores: VerifyStores, walletId: string, options: VerifyWalletOptions): Walk => ({
  stores,
  options,
  fold: startFold(walletId),
  counts: { ...zeroCounts(), wallets: 1 },
  differences: [],
  suspects: new Map(),
  refusals: new Map(),
  met: new Map(),
  lookedUp: { holds: 0, transfers: 0 },
  lastKeyed: undefined,
  newestTransaction: undefined
})

export const inRows = (
  walk: Walk,
  what: string,
  sides: { readonly expected: string; readonly found: string }
): Difference => ({ walletId: walk.fold.walletId, store: "persistence", what, ...sides })
