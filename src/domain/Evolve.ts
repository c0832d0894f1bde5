/**
 * `evolve`: the next state of a wallet from its state and one event of its log.
 *
 * Total over every event that `decide` can emit. It never judges: what is in the
 * log has happened. A stream that does not begin with WalletCreated, or that has
 * a gap, is no stream of ours; that is a defect and is thrown as one.
 */
import type { RecordedEvent } from "./Event.ts"
import { kindOf } from "./EventKinds.ts"
import type { Wallet } from "./Wallet.ts"
import { created } from "./WalletState.ts"

/** The state after `recorded`. Amounts in minor units, times in milliseconds. */
export const evolve = (wallet: Wallet | undefined, recorded: RecordedEvent): Wallet => {
  const event = recorded.event
  if (recorded.version !== (wallet === undefined ? 0 : wallet.version + 1)) {
    throw new Error(`event ${recorded.version} of wallet ${recorded.walletId} does not continue its state`)
  }
  if (wallet === undefined) {
    if (event._tag === "WalletCreated") return created(recorded, event)
    throw new Error(`the stream of wallet ${recorded.walletId} begins with ${event._tag}`)
  }
  return kindOf(event).evolve(wallet, recorded, event)
}

/** The state after all of `events`, which continue `wallet` without a gap. */
export const fold = (wallet: Wallet | undefined, events: ReadonlyArray<RecordedEvent>): Wallet | undefined => {
  let state = wallet
  for (const recorded of events) state = evolve(state, recorded)
  return state
}
