/**
 * Gathers the look-ups of keys of all wallets of this node: while one query is on its way
 * those of other wallets wait and go out together with the next one.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import type { KeyLookup } from "../stores/Persistence.ts"
import { Persistence } from "../stores/Persistence.ts"
import type { ReadError } from "../stores/StoreError.ts"
import type { ActorBounds } from "./ActorBounds.ts"
import * as EngineMetrics from "./EngineMetrics.ts"

interface Question {
  readonly walletId: string
  readonly keys: ReadonlyArray<string>
  readonly found: Deferred.Deferred<KeyLookup, ReadError>
}

export class KeyQueries extends Context.Service<
  KeyQueries,
  {
    /** What Persistence has of the keys. The failure of a query is that of all who asked in it. */
    readonly find: (walletId: string, keys: ReadonlyArray<string>) => Effect.Effect<KeyLookup, ReadError>
  }
>()("effect-wallet/actors/KeyQueries") {
  static readonly layer = (bounds: ActorBounds) => Layer.effect(KeyQueries, make(bounds))
}

const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const persistence = yield* Persistence
  const waiting: Array<Question> = []
  /** Open while somebody waits. */
  const asked = Latch.makeUnsafe()

  /** As many as fit; a wallet at most once. */
  const take = (): Array<Question> => {
    const wallets = new Set<string>()
    let keys = 0
    let count = 0
    while (count < waiting.length && count < bounds.keyLookUpWallets) {
      const question = waiting[count]!
      keys += question.keys.length
      if (wallets.has(question.walletId) || (count > 0 && keys > bounds.keyLookUpKeys)) break
      wallets.add(question.walletId)
      count++
    }
    const taken = waiting.splice(0, count)
    if (waiting.length === 0) asked.closeUnsafe()
    return taken
  }

  const ask = Effect.fnUntraced(function* (questions: ReadonlyArray<Question>) {
    if (questions.length === 0) return
    const exit = yield* Effect.exit(persistence.findKeys(questions.map(({ keys, walletId }) => ({ walletId, keys }))))
    yield* Metric.update(EngineMetrics.keyLookUps, 1)
    // One that nobody waits for any more is told in vain.
    for (const [index, question] of questions.entries()) {
      Deferred.doneUnsafe(
        question.found,
        Exit.isSuccess(exit) ? Effect.succeed(exit.value[index]!) : Effect.failCause(exit.cause)
      )
    }
  })

  yield* Effect.forkScoped(
    Effect.forever(
      Effect.andThen(
        asked.await,
        // More wallets may be about to ask in this turn of the event loop.
        Effect.andThen(
          Effect.yieldNow,
          Effect.suspend(() => ask(take()))
        )
      )
    )
  )

  return KeyQueries.of({
    find: (walletId, keys) =>
      Effect.suspend(() => {
        const question: Question = { walletId, keys, found: Deferred.makeUnsafe() }
        waiting.push(question)
        asked.openUnsafe()
        return Effect.onInterrupt(Deferred.await(question.found), () =>
          Effect.sync(() => {
            const index = waiting.indexOf(question)
            if (index >= 0) waiting.splice(index, 1)
          })
        )
      })
  })
})
