/**
 * Takes up the transfers that a crash, a stop or an outage has left in flight, so that
 * each of them ends without a human.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import { Persistence } from "../stores/Persistence.ts"
import { makeSweeper } from "../actors/Sweeper.ts"
import { TransferSaga } from "./TransferSaga.ts"

/** One node of an installation is enough for it. */
export const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const persistence = yield* Persistence
  const saga = yield* TransferSaga
  return makeSweeper(bounds, {
    name: "transfers in flight",
    intervalMillis: bounds.transferSweepMillis,
    find: (limit) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        persistence.openTransfers({ before: now - bounds.transferSweepAgeMillis, limit })
      ),
    idOf: ({ transferId }) => transferId,
    handle: ({ transferId, walletId }) => saga.resume(walletId, transferId)
  })
})
