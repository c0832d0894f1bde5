/**
 * From what a wallet did to what its caller is told. Pure: the answer to a replay
 * is made from the log by the same functions as the first answer.
 */
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { RecordedEvent } from "../domain/Event.ts"
import { holdAfter, holdOf } from "../domain/Hold.ts"
import { placedHold } from "../domain/HoldEvents.ts"
import { transactionOf } from "../domain/EventKinds.ts"
import type { Hold, Wallet } from "../domain/Wallet.ts"
import type { WalletView } from "../stores/Persistence.ts"
import type { DryRunAnswer, Durability, TransactionDetails, WalletDetails } from "./EngineApi.ts"
import { transactionDetails } from "./Refunded.ts"

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
