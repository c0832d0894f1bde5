/**
 * Keeps deliveries from taking the thread and the store that commands need. While wallets have commands in hand, each
 * start of a delivery rests for as many times as long as a delivery keeps the thread, and the checkpoints of the node's
 * endpoints are some time apart. An idle node is all theirs.
 *
 * Rejected: a fixed rate of deliveries, which is right on one machine only.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { WalletRegistry } from "../actors/WalletRegistry.ts"
import type { WebhookBounds } from "./WebhookBounds.ts"

/** Of one node: all its endpoints together. */
export interface Pace {
  /** A delivery begins with it. */
  readonly delivery: Effect.Effect<void>
  /** … and a checkpoint. */
  readonly checkpoint: Effect.Effect<void>
}

/** Timers are no finer, ms: shorter rests are added up. */
const shortestRestMillis = 1

const unpaced: Pace = { delivery: Effect.void, checkpoint: Effect.void }

/** `costMillis`: what a delivery keeps the thread. */
export const makePace = Effect.fnUntraced(function* (
  { checkpointRestMillis, restFactor }: Pick<WebhookBounds, "checkpointRestMillis" | "restFactor">,
  costMillis: () => number
): Effect.fn.Return<Pace> {
  // An engine that is elsewhere has a thread of its own.
  const registry = yield* Effect.serviceOption(WalletRegistry)
  if (registry._tag === "None") return unpaced
  const { load } = registry.value
  let owed = 0

  const rest = Effect.suspend(() => {
    owed += restFactor * costMillis()
    if (owed < shortestRestMillis) return Effect.void
    const millis = owed
    owed = 0
    return Effect.sleep(millis)
  })

  /** One at a time, while the node is busy. */
  const paced = Effect.fnUntraced(function* (rest: Effect.Effect<void>) {
    const oneAtATime = (yield* Semaphore.make(1)).withPermits(1)
    return Effect.suspend(() => (load().busyWallets > 0 ? oneAtATime(rest) : Effect.void))
  })

  return { delivery: yield* paced(rest), checkpoint: yield* paced(Effect.sleep(checkpointRestMillis)) }
})
