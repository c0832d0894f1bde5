/**
 * Work off the hot path that may be left undone: a bounded queue and one writer. What does
 * not fit is skipped, and what fails is the business of the writer: nobody waits for it.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

export interface BackgroundWriter<A> {
  /** `false`: the queue is full, the item is skipped. Synchronous. */
  readonly offer: (item: A) => boolean
  /** Completes when all that was accepted has been written or given up. */
  readonly flush: Effect.Effect<void>
}

/** Writes until the scope ends. `capacity`: items that wait. */
export const make = Effect.fnUntraced(function* <A>(
  capacity: number,
  write: (item: A) => Effect.Effect<void>
): Effect.fn.Return<BackgroundWriter<A>, never, Scope.Scope> {
  const queue = yield* Queue.dropping<A>(capacity)
  const idle = Latch.makeUnsafe(true)
  let unwritten = 0
  const written = Effect.sync(() => {
    if (--unwritten === 0) idle.openUnsafe()
  })
  yield* Effect.forkScoped(
    Effect.forever(Effect.flatMap(Queue.take(queue), (item) => Effect.ensuring(write(item), written)))
  )
  return {
    offer: (item) => {
      if (!Queue.offerUnsafe(queue, item)) return false
      unwritten++
      idle.closeUnsafe()
      return true
    },
    flush: idle.await
  }
})
