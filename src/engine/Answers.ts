/**
 * From what a wallet did to what its caller is told. Pure: the answer to a replay
 * is made from the log by the same functions as the first answer.
 */
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { RecordedEvent } from "../domain/Event.ts"
import { holdAfter, holdOf, transactionOf } from "../domain/Projection.ts"
import type { Hold, Transaction, Wallet } from "../domain/Wallet.ts"
import type { WalletView } from "../stores/Persistence.ts"
import type { Durability } from "./EngineApi.ts"

/** A command's effect with what is durable now. */
export interface Effected {
  readonly before: Wallet | undefined
  readonly wallet: Wallet
  readonly events: ReadonlyArray<RecordedEvent>
  readonly durability: Durability
  readonly replayed: boolean
}

export const viewOf = (wallet: Wallet): WalletView => wallet

export const commandAnswer = (effected: Effected) => ({
  wallet: viewOf(effected.wallet),
  durability: effected.durability,
  replayed: effected.replayed
})

export const transactionAnswer = (effected: Effected) => ({
  transaction: transactionMade(effected),
  wallet: viewOf(effected.wallet),
  durability: effected.durability,
  replayed: effected.replayed
})

export const holdAnswer = (effected: Effected) => ({
  hold: holdTouched(effected),
  wallet: viewOf(effected.wallet),
  durability: effected.durability,
  replayed: effected.replayed
})

export const captureAnswer = (effected: Effected) => ({
  hold: holdTouched(effected),
  transaction: transactionMade(effected),
  wallet: viewOf(effected.wallet),
  durability: effected.durability,
  replayed: effected.replayed
})

const transactionMade = (effected: Effected): Transaction => {
  for (const recorded of effected.events) {
    const transaction = transactionOf(recorded, effected.wallet)
    if (transaction !== undefined) return transaction
  }
  return absent(effected, "transaction")
}

const holdTouched = (effected: Effected): Hold => {
  for (const { event } of effected.events) {
    switch (event._tag) {
      case "HoldPlaced":
        return openHold(effected, effected.wallet, event.holdId)
      case "HoldCaptured":
      case "HoldReleased":
      case "HoldExpired":
        return holdAfter(openHold(effected, effected.before, event.holdId), event)
    }
  }
  return absent(effected, "hold")
}

const openHold = (effected: Effected, wallet: Wallet | undefined, holdId: string): Hold =>
  wallet === undefined
    ? absent(effected, "hold")
    : Option.match(HashMap.get(wallet.holds, holdId), {
      onNone: () => absent(effected, "hold"),
      onSome: (hold) => holdOf(wallet.id, hold)
    })

/** A defect: decide and the answers disagree about what a command does. */
const absent = (effected: Effected, what: string): never => {
  throw new Error(`the events of wallet ${effected.wallet.id} at version ${effected.wallet.version} hold no ${what}`)
}
