/**
 * What keys with a limit of the day have taken from a wallet, where its snapshot does not say: one of an earlier
 * release, or none that says it yet. Then it is folded from the events of the day, once, for the first command that
 * asks; wallets that only other keys use never pay for it.
 */
import * as Effect from "effect/Effect"
import { dayOf, dayStart, foldSpent, type KeySpent, nothingSpent } from "../domain/KeyLimit.ts"
import type { EventUnreadable, ReadError } from "../stores/StoreError.ts"
import { lastBefore } from "./FactsHistory.ts"
import type { Envelope } from "./Mailbox.ts"
import type { ActorContext, WalletActor } from "./WalletActor.ts"

/** Whether a command of the batch cannot be judged without it. */
export const asksSpent = (batch: ReadonlyArray<Envelope>): boolean => {
  for (const { limit } of batch) if (limit !== undefined && limit.perDay !== null) return true
  return false
}

/** On the day of `now`, ms, by the events that the actor's state stands for. */
export const loadSpent = Effect.fnUntraced(function* (
  { wallet, walletId }: WalletActor,
  { history }: ActorContext,
  now: number
): Effect.fn.Return<KeySpent, ReadError | EventUnreadable> {
  if (wallet === undefined || dayOf(now) > dayOf(wallet.updatedAt)) return nothingSpent
  const { updatedAt, version } = wallet
  const after = yield* lastBefore(dayStart(dayOf(updatedAt)), version, (range, use) =>
    history.scan(walletId, range, use)
  )
  let spent = nothingSpent
  yield* history.scan(walletId, { after, upTo: version }, (recorded) => {
    spent = foldSpent(spent, recorded)
  })
  return spent
})
