/**
 * Releases holds whose time is over. A hold cannot be captured from `expiresAt` on,
 * whatever this does; this makes its money available again.
 *
 * Rejected: a timer per resident hold, which a wallet out of memory does not have, so that
 * the sweep is needed anyway.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import type { CommandError } from "../actors/EngineError.ts"
import type { DueHold } from "../stores/Persistence.ts"
import { Persistence } from "../stores/Persistence.ts"
import { callBytes } from "./CallSize.ts"
import * as SagaMetrics from "../actors/SagaMetrics.ts"
import { makeSweeper } from "../actors/Sweeper.ts"
import { WalletCalls } from "./WalletCalls.ts"

/** One node of an installation is enough for it. */
export const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const persistence = yield* Persistence
  const calls = yield* WalletCalls

  /**
   * `false`: captured or released meanwhile, or not yet due by the wallet's own time, or
   * Persistence has not got it yet: a later look tells.
   */
  const expire = ({ holdId, walletId }: DueHold): Effect.Effect<boolean, CommandError> =>
    calls
      .ask({
        command: { _tag: "ExpireHold", walletId, holdId },
        key: `e:expire:${holdId}`,
        actor: null,
        correlationId: null,
        await: "persisted",
        bytes: callBytes
      })
      .pipe(
        Effect.tap((reply) => (reply._tag === "Done" ? Metric.update(SagaMetrics.holdsExpired, 1) : Effect.void)),
        Effect.map((reply) => reply.persisted),
        Effect.catchTag(["HoldNotFound", "InvalidRequest"], () => Effect.succeed(false))
      )

  return makeSweeper(bounds, {
    name: "hold expiry",
    intervalMillis: bounds.holdSweepMillis,
    find: (limit) => Effect.flatMap(Clock.currentTimeMillis, (now) => persistence.dueHolds({ now, limit })),
    idOf: ({ holdId }) => holdId,
    handle: expire
  })
})
