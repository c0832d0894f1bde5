/** Writes snapshots off the hot path: a bounded queue and one writer; what does not fit is skipped. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Queue from "effect/Queue"
import { EventStore } from "../stores/EventStore.ts"
import type { ActorBounds } from "./ActorBounds.ts"
import * as EngineMetrics from "./EngineMetrics.ts"
import type { WalletMemory } from "./WalletSnapshot.ts"
import * as WalletSnapshot from "./WalletSnapshot.ts"

export class Snapshots extends Context.Service<
  Snapshots,
  {
    /** `false`: the queue is full, try again at a later version. Synchronous. */
    readonly offer: (memory: WalletMemory) => boolean
    /** Waits until all that was offered is written, or skipped because the store refused it. */
    readonly flush: Effect.Effect<void>
  }
>()("effect-wallet/actors/Snapshots") {
  static readonly layer = (bounds: ActorBounds) => Layer.effect(Snapshots, make(bounds))
}

const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const log = yield* EventStore
  const queue = yield* Queue.dropping<WalletMemory>(bounds.snapshotQueue)
  let unwritten = 0
  const flushed: Array<(effect: Effect.Effect<void>) => void> = []

  const save = (memory: WalletMemory) =>
    Effect.suspend(() => log.saveSnapshot(WalletSnapshot.encode(memory))).pipe(
      Effect.andThen(Metric.update(EngineMetrics.snapshots, 1)),
      Effect.catchCause((cause) =>
        // Nothing is lost: the log has every event, the next activation reads a longer tail.
        Effect.logWarning(`the snapshot of wallet ${memory.wallet.id} was not written`, cause).pipe(
          Effect.annotateLogs({ walletId: memory.wallet.id })
        )
      ),
      Effect.ensuring(
        Effect.sync(() => {
          unwritten--
          if (unwritten === 0) for (const resume of flushed.splice(0)) resume(Effect.void)
        })
      )
    )

  yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(queue), save)))

  return Snapshots.of({
    offer: (memory) => {
      const accepted = Queue.offerUnsafe(queue, memory)
      if (accepted) unwritten++
      return accepted
    },
    flush: Effect.callback<void>((resume) => {
      if (unwritten === 0) resume(Effect.void)
      else flushed.push(resume)
    })
  })
})
