/**
 * What the engine looks for again and again: transfers that nobody carries, and holds and freezes
 * whose time is over. One node of an installation is enough for each: the single node runs all
 * for as long as the layer lasts, a cluster runs them as singletons.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import type { CommandError } from "../actors/EngineError.ts"
import * as EngineMetrics from "../actors/EngineMetrics.ts"
import { SoundClock } from "../actors/SoundClock.ts"
import { makeSweeper } from "../actors/Sweeper.ts"
import type { RemoteCommand } from "../domain/Command.ts"
import type { CommandKey } from "../domain/Event.ts"
import type { DueFreeze, DueHold } from "../stores/Persistence.ts"
import { Persistence } from "../stores/Persistence.ts"
import { StoreOutages } from "../stores/StoreOutages.ts"
import { TransferSaga } from "./TransferSaga.ts"
import { callBytes, WalletCalls } from "./WalletCalls.ts"

/**
 * Rows know of something that a wallet knows nothing of. Its owner may be one that another has taken the place of, and
 * that has appended nothing since: then it looks into the log again. `false`: a later look tells.
 */
const lookAgain = (calls: WalletCalls["Service"], { persistedVersions }: Persistence["Service"]) =>
  Effect.fnUntraced(function* (walletId: string): Effect.fn.Return<boolean, CommandError> {
    const persisted = (yield* persistedVersions([walletId])).get(walletId)
    if (persisted !== undefined) yield* calls.current(walletId, persisted.version)
    return false
  })

/**
 * Takes up the transfers that a crash, a stop or an outage has left in flight, so that
 * each of them ends without a human.
 */
export const transfersInFlight = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const persistence = yield* Persistence
  const saga = yield* TransferSaga
  const look = lookAgain(yield* WalletCalls, persistence)
  const clock = yield* SoundClock
  const outages = yield* StoreOutages.current
  return makeSweeper(bounds, {
    name: "transfers in flight",
    outages,
    intervalMillis: bounds.transferSweepMillis,
    find: (limit) =>
      Effect.suspend(() => {
        const now = clock.now()
        return persistence.openTransfers({ before: now - bounds.transferSweepAgeMillis, after: now, limit })
      }),
    idOf: ({ transferId }) => transferId,
    handle: ({ transferId, walletId }) =>
      Effect.flatMap(saga.resume(walletId, transferId), (resumed) => (resumed ? Effect.succeed(true) : look(walletId)))
  })
})

/** What a sweeper asks of a wallet, in the engine's own name. */
const askOf = (calls: WalletCalls["Service"], command: RemoteCommand, key: CommandKey) =>
  calls.ask({
    command,
    key,
    actor: null,
    correlationId: null,
    await: "persisted",
    ifVersion: null,
    dryRun: false,
    bytes: callBytes
  })

/** A clock in doubt tells of nothing that its time is over. */
const whenSound = <A, E>(
  clock: SoundClock["Service"],
  find: (now: number) => Effect.Effect<ReadonlyArray<A>, E>
): Effect.Effect<ReadonlyArray<A>, E> =>
  Effect.suspend(() => {
    const now = clock.now()
    return clock.doubt() === undefined ? find(now) : Effect.succeed([])
  })

/**
 * Releases holds whose time is over. A hold cannot be captured from `expiresAt` on,
 * whatever this does; this makes its money available again.
 *
 * Rejected: a timer per resident hold, which a wallet out of memory does not have, so that
 * the sweep is needed anyway.
 */
export const dueHolds = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const persistence = yield* Persistence
  const calls = yield* WalletCalls
  const look = lookAgain(calls, persistence)
  const clock = yield* SoundClock
  const outages = yield* StoreOutages.current

  /**
   * `false`: captured or released meanwhile, or not yet due by the wallet's own time, or
   * Persistence has not got it yet: a later look tells.
   */
  const expire = ({ holdId, walletId }: DueHold): Effect.Effect<boolean, CommandError> =>
    askOf(calls, { _tag: "ExpireHold", walletId, holdId }, `e:expire:${holdId}`).pipe(
      Effect.tap((reply) => (reply._tag === "Done" ? Metric.update(EngineMetrics.holdsExpired, 1) : Effect.void)),
      Effect.map((reply) => reply.persisted),
      Effect.catchTag(["HoldNotFound", "InvalidRequest"], () => look(walletId))
    )

  return makeSweeper(bounds, {
    name: "hold expiry",
    outages,
    intervalMillis: bounds.holdSweepMillis,
    find: (limit) => whenSound(clock, (now) => persistence.dueHolds({ now, limit })),
    idOf: ({ holdId }) => holdId,
    handle: expire
  })
})

/**
 * Ends freezes whose time is over. From `until` on a freeze does not count, whatever this does; this makes it show.
 */
export const dueFreezes = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const persistence = yield* Persistence
  const calls = yield* WalletCalls
  const look = lookAgain(calls, persistence)
  const clock = yield* SoundClock
  const outages = yield* StoreOutages.current

  /** `false`: unfrozen or frozen anew meanwhile, not yet over by the wallet's own time, or not yet persisted. */
  const expire = ({ until, walletId }: DueFreeze): Effect.Effect<boolean, CommandError> =>
    askOf(calls, { _tag: "ExpireFreeze", walletId, until }, `e:thaw:${until}`).pipe(
      Effect.map((reply) => reply.persisted),
      Effect.catchTag("InvalidRequest", () => look(walletId))
    )

  return makeSweeper(bounds, {
    name: "end of freezes",
    outages,
    intervalMillis: bounds.holdSweepMillis,
    find: (limit) => whenSound(clock, (now) => persistence.dueFreezes({ now, limit })),
    idOf: ({ until, walletId }) => `${walletId} ${until}`,
    handle: expire
  })
})

/** Runs all on this node. */
export const layer = (bounds: ActorBounds) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      yield* Effect.forkScoped((yield* transfersInFlight(bounds)).run)
      yield* Effect.forkScoped((yield* dueHolds(bounds)).run)
      yield* Effect.forkScoped((yield* dueFreezes(bounds)).run)
    })
  )
