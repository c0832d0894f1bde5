/** Reads a wallet's latest state from the log into its actor. */
import type * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import type { TransferInFlight, Wallet } from "../domain/Wallet.ts"
import { StoreUnavailable } from "../stores/StoreError.ts"
import type { CommandError } from "./EngineError.ts"
import { aheadOfLog, loadUndecided } from "./Undecided.ts"
import type { UnpersistedEvents } from "./UnpersistedEvents.ts"
import type { ActorContext, WalletActor } from "./WalletActor.ts"

/** Loads of one activation: more than two mean that Persistence has what the log does not have. */
const loadTries = 3

/** Loads the latest state from the log. */
export const load = function* (actor: WalletActor, context: ActorContext): Effect.fn.Return<void, CommandError> {
  actor.loaded = false
  for (let tries = 0; tries < loadTries; tries++) {
    actor.keys?.release()
    const loaded = yield* context.loading(context.history.load(actor.walletId))
    actor.wallet = loaded.wallet
    actor.keys = loaded.keys
    actor.profileVersion = loaded.profileVersion
    actor.snapshotVersion = loaded.snapshotVersion
    // A later version may have come to Persistence after this was read from the log.
    if (!context.pipeline.separate || (yield* loadUndecided(actor, context))) {
      actor.loaded = true
      if (actor.wallet !== undefined && HashMap.size(actor.wallet.transfers) > 0) {
        context.transfersFound(actor.walletId, sentForGood(actor.wallet, actor.unpersisted))
      }
      return
    }
  }
  return yield* aheadOfLog(actor.walletId, actor.wallet?.version)
}

/** Transfers in flight but for those whose sending may still be undone. */
const sentForGood = (wallet: Wallet, unpersisted: UnpersistedEvents | undefined): ReadonlyArray<TransferInFlight> =>
  Array.from(HashMap.values(wallet.transfers)).filter(({ id }) => unpersisted?.provisional.hasSent(id) !== true)

export const contended = (actor: WalletActor) =>
  new StoreUnavailable({
    store: "log",
    reason: `another writer keeps changing wallet ${actor.walletId}`,
    retryAfter: 1_000
  })
