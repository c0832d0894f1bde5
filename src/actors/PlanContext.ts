/** What the actor gives to those who decide at its wallet. */
import type { CommandKey } from "../domain/Event.ts"
import type { Wallet } from "../domain/Wallet.ts"
import type { SeenKey } from "../stores/Persistence.ts"
import type { PlanContext } from "./BatchPlan.ts"
import type { ActorContext, WalletActor } from "./WalletActor.ts"

export interface DecideOptions {
  readonly epoch: number
  readonly now: number
  /** Keys that were looked up. */
  readonly seen?: ReadonlyMap<string, SeenKey> | undefined
  /** The state that is decided on; `undefined`: the committed one. */
  readonly wallet?: Wallet | undefined
}

export const planContext = (
  actor: WalletActor,
  context: ActorContext,
  { epoch, now, seen, wallet = actor.wallet }: DecideOptions
): PlanContext => {
  const keys = actor.keys!
  const { persistedVersion, unpersisted } = actor
  return {
    walletId: actor.walletId,
    now,
    time: Math.max(now, wallet?.updatedAt ?? 0),
    epoch,
    limits: context.bounds.limits,
    nextId: (time) => context.ids.nextOfWallet(time, actor.tag),
    seen: (key: CommandKey) => keys.get(key) ?? seen?.get(key),
    provisional: unpersisted?.provisional,
    undecidedRefunds: unpersisted && {
      persistedVersion,
      isRefused: (refund) => unpersisted.hasRefusedRefund(refund)
    },
    policies: context.policies
  }
}
