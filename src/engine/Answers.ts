/**
 * From what a wallet did to what its caller is told: the answer, what of it is durable, and how much of a
 * transaction or transfer was refunded.
 *
 * The answer is pure: that to a replay is made from the log by the same functions as the first one.
 *
 * What was refunded is asked of Persistence for a whole page at once, so that no row and no document
 * has to change with every refund, and no index is behind with it.
 *
 * Where search reads the rows of Persistence, what is persisted is indexed; where it has an index
 * of its own, that is known only of those who have waited for it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import { elapsedMillis } from "../actors/Deadlines.ts"
import type { Await } from "../actors/Mailbox.ts"
import type { RecordedEvent } from "../domain/Event.ts"
import { transactionOf } from "../domain/EventKinds.ts"
import { holdAfter, holdOf } from "../domain/Hold.ts"
import { placedHold } from "../domain/HoldEvents.ts"
import { refundDirections } from "../domain/Refund.ts"
import type { Hold, Transaction, Transfer, Wallet } from "../domain/Wallet.ts"
import { SearchProgress } from "../search/SearchProgress.ts"
import type { AskedRefunded, Persistence, WalletView } from "../stores/Persistence.ts"
import type { ReadError } from "../stores/StoreError.ts"
import type { DryRunAnswer, Durability, TransactionDetails, TransferDetails, WalletDetails } from "./EngineApi.ts"

/** Of one that is new, or that cannot be refunded: nothing was. */
export const transactionDetails = (transaction: Transaction, refunded = 0n): TransactionDetails => ({
  ...transaction,
  refunded
})

/** `refunded`: by leg; left out: nothing was. */
export const transferDetails = (transfer: Transfer, refunded: ReadonlyArray<bigint> = []): TransferDetails => ({
  ...transfer,
  refunded: transfer.to === null ? null : (refunded[0] ?? 0n),
  legs: transfer.legs.map((leg, index) => ({ ...leg, refunded: refunded[index] ?? 0n }))
})

/** Whether a transaction is a movement of its own, which can be refunded. */
export const isRefundable = ({ transferId, type }: Transaction): boolean =>
  transferId === null && refundDirections[type] !== undefined

const askedOf = (transfer: Transfer): ReadonlyArray<AskedRefunded> =>
  transfer.status === "completed" && transfer.refundOf === null
    ? transfer.legs.map(({ to }, leg) => ({ walletId: to, of: transfer.id, leg }))
    : []

export interface RefundedReads {
  readonly ofTransactions: (
    transactions: ReadonlyArray<Transaction>
  ) => Effect.Effect<ReadonlyArray<TransactionDetails>, ReadError>
  readonly ofTransfers: (transfers: ReadonlyArray<Transfer>) => Effect.Effect<ReadonlyArray<TransferDetails>, ReadError>
}

/** One statement for each list; none where nothing in it can be refunded. */
export const makeRefundedReads = (persistence: Pick<Persistence["Service"], "refunded">): RefundedReads => ({
  ofTransactions: (transactions) => {
    const asked = transactions.flatMap((one): ReadonlyArray<AskedRefunded> =>
      isRefundable(one) ? [{ walletId: one.walletId, of: one.id, leg: 0 }] : []
    )
    if (asked.length === 0) return Effect.succeed(transactions.map((one) => transactionDetails(one)))
    return Effect.map(persistence.refunded(asked), (found) => {
      let next = 0
      return transactions.map((one) =>
        isRefundable(one) ? transactionDetails(one, found[next++]!.refunded) : transactionDetails(one)
      )
    })
  },
  ofTransfers: (transfers) => {
    const asked = transfers.map(askedOf)
    const all = asked.flat()
    if (all.length === 0) return Effect.succeed(transfers.map((one) => transferDetails(one)))
    return Effect.map(persistence.refunded(all), (found) => {
      let next = 0
      return transfers.map((one, index) => {
        const of = asked[index]!.length
        next += of
        return transferDetails(
          one,
          found.slice(next - of, next).map(({ refunded }) => refunded)
        )
      })
    })
  }
})

/** A command's effect with what is durable now. */
export interface Effected {
  /** After the command's last event. */
  readonly wallet: WalletView
  readonly events: ReadonlyArray<RecordedEvent>
  /** A hold as it was before the command; of it only what never changes is used. */
  readonly holdBefore: (holdId: string) => Hold | undefined
  readonly durability: Durability
  readonly replayed: boolean
}

/** The open holds of a state, as `holdBefore` wants them. */
export const openHolds =
  (wallet: Wallet | undefined) =>
  (holdId: string): Hold | undefined => {
    if (wallet === undefined) return undefined
    const hold = Option.getOrUndefined(HashMap.get(wallet.holds, holdId))
    return hold === undefined ? undefined : holdOf(wallet.id, hold)
  }

/** What a caller is shown of a state or of a row: an object of its own, without what only the engine needs. */
export const detailsOf = (wallet: WalletView): WalletDetails => ({
  id: wallet.id,
  ownerId: wallet.ownerId,
  currency: wallet.currency,
  balance: wallet.balance,
  held: wallet.held,
  available: wallet.balance - wallet.held + wallet.overdraftLimit,
  overdraftLimit: wallet.overdraftLimit,
  status: wallet.status,
  freeze: wallet.freeze === null ? null : { ...wallet.freeze },
  version: wallet.version,
  metadata: wallet.metadata,
  createdAt: wallet.createdAt,
  updatedAt: wallet.updatedAt
})

export const commandAnswer = (effected: Effected) => ({
  wallet: detailsOf(effected.wallet),
  durability: effected.durability,
  replayed: effected.replayed
})

export const transactionAnswer = (effected: Effected) => ({
  transaction: transactionMade(effected),
  wallet: detailsOf(effected.wallet),
  durability: effected.durability,
  replayed: effected.replayed
})

export const holdAnswer = (effected: Effected) => ({
  hold: holdTouched(effected),
  wallet: detailsOf(effected.wallet),
  durability: effected.durability,
  replayed: effected.replayed
})

export const captureAnswer = (effected: Effected) => ({
  hold: holdTouched(effected),
  transaction: transactionMade(effected),
  wallet: detailsOf(effected.wallet),
  durability: effected.durability,
  replayed: effected.replayed
})

/** Of a dry run: without the ids that are not there. `made`: what the command would make, beside a transaction. */
export const tentative = <Answer extends object>(answer: Answer, made: "wallet" | "hold" | "transfer" | undefined) => {
  const shown: Record<string, unknown> = { ...answer, dryRun: true }
  for (const name of ["transaction", made] as const) {
    if (name !== undefined && name in shown) shown[name] = { ...(shown[name] as object), id: null }
  }
  return shown as DryRunAnswer<Answer>
}

const transactionMade = (effected: Effected): TransactionDetails => {
  for (const recorded of effected.events) {
    const transaction = transactionOf(recorded, effected.wallet)
    if (transaction !== undefined) return transactionDetails(transaction)
  }
  return absent(effected, "transaction")
}

const holdTouched = (effected: Effected): Hold => {
  for (const recorded of effected.events) {
    const { event } = recorded
    switch (event._tag) {
      case "HoldPlaced":
        return placedHold(recorded, event)
      case "HoldCaptured":
      case "HoldCapturedTo":
      case "HoldChanged":
      case "HoldReleased":
      case "HoldExpired": {
        const hold = effected.holdBefore(event.holdId)
        return hold === undefined ? absent(effected, "hold") : holdAfter(hold, event)
      }
    }
  }
  return absent(effected, "hold")
}

/** A defect: decide and the answers disagree about what a command does. */
const absent = (effected: Effected, what: string): never => {
  throw new Error(`the events of wallet ${effected.wallet.id} at version ${effected.wallet.version} hold no ${what}`)
}

const indexed: Durability = Object.freeze({ committed: true, persisted: true, indexed: true })
const persisted: Durability = Object.freeze({ committed: true, persisted: true, indexed: false })
/** Of a dry run. */
export const nothingDurable: Durability = Object.freeze({ committed: false, persisted: false, indexed: false })
const committed: Durability = Object.freeze({ committed: true, persisted: false, indexed: false })

/** Of a caller who waits for the index: until when, by the clock that never goes back. Of others `undefined`. */
export type IndexDeadline = number | undefined

export interface Durabilities {
  /** Of a call that begins now. */
  readonly timed: <A, E>(wanted: Await, call: (deadline: IndexDeadline) => Effect.Effect<A, E>) => Effect.Effect<A, E>
  /**
   * When it is committed, in these wallets, as of the version `since` or a later one; waits for the index as long as the
   * caller's wait goes.
   */
  readonly of: (
    isPersisted: boolean,
    walletIds: ReadonlyArray<string>,
    deadline: IndexDeadline,
    since?: number
  ) => Effect.Effect<Durability>
}

export const makeDurabilities = Effect.fnUntraced(function* ({
  callerWaitMillis
}: Pick<ActorBounds, "callerWaitMillis">): Effect.fn.Return<Durabilities, never, SearchProgress> {
  const { index } = yield* SearchProgress
  const clock = yield* Clock.Clock
  return {
    timed: (wanted, call) =>
      wanted === "indexed" && index !== undefined
        ? Effect.suspend(() => call(elapsedMillis(clock) + callerWaitMillis))
        : call(undefined),
    of: (isPersisted, walletIds, deadline, since) => {
      if (!isPersisted) return Effect.succeed(committed)
      if (index === undefined) return Effect.succeed(indexed)
      // While the index is known to be away nobody waits: who waits keeps room from other commands.
      if (deadline === undefined || index.load().trouble !== undefined) return Effect.succeed(persisted)
      return Effect.suspend(() =>
        Effect.map(
          Effect.timeoutOption(index.shows(walletIds, since), Math.max(0, deadline - elapsedMillis(clock))),
          Option.match({ onNone: () => persisted, onSome: (isShown) => (isShown ? indexed : persisted) })
        )
      )
    }
  }
})
