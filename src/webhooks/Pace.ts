/**
 * Keeps deliveries from taking the thread that commands need: while wallets have commands in hand, each start of a
 * delivery rests for as many times as long as a delivery keeps the thread. An idle node is all theirs.
 *
 * Rejected: a fixed rate, which is right on one machine only.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { WalletRegistry } from "../actors/WalletRegistry.ts"
import type { WebhookBounds } from "./WebhookBounds.ts"

/** Timers are no finer, ms: shorter rests are added up. */
const shortestRestMillis = 1

/** Of one node: all its deliveries begin with it. `costMillis`: what one keeps the thread. */
export const makePace = Effect.fnUntraced(function* (
  { restFactor }: WebhookBounds,
  costMillis: () => number
): Effect.fn.Return<Effect.Effect<void>> {
  // An engine that is elsewhere has a thread of its own.
  const registry = yield* Effect.serviceOption(WalletRegistry)
  if (registry._tag === "None") return Effect.void
  const oneAtATime = (yield* Semaphore.make(1)).withPermits(1)
  let owed = 0

  const rest = Effect.suspend(() => {
    owed += restFactor * costMillis()
    if (owed < shortestRestMillis) return Effect.void
    const millis = owed
    owed = 0
    return Effect.sleep(millis)
  })

  return Effect.suspend(() => (registry.value.load().busyWallets > 0 ? oneAtATime(rest) : Effect.void))
})
