/** The engine's queries: current state from the owner, the past from the log, lists from Persistence, search from the read model. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import { Ownership } from "../actors/Ownership.ts"
import { SoundClock } from "../actors/SoundClock.ts"
import { UnloadedWallets } from "../actors/UnloadedWallets.ts"
import { WalletHistory } from "../actors/WalletHistory.ts"
import { WritePipeline } from "../actors/WritePipeline.ts"
import { maxTime } from "../domain/Limits.ts"
import { HoldNotFound, InvalidRequest, WalletNotFound } from "../domain/Rejection.ts"
import { EventStore } from "../stores/EventStore.ts"
import { Persistence } from "../stores/Persistence.ts"
import { ReadModel } from "../stores/ReadModel.ts"
import { PositionGone, StoreUnavailable } from "../stores/StoreError.ts"
import { StoreOutages } from "../stores/StoreOutages.ts"
import { detailsOf } from "./Answers.ts"
import type { EngineQueries as Queries, WalletMoment } from "./EngineApi.ts"
import { ClusterStatus } from "./ClusterStatus.ts"
import { health } from "./Health.ts"
import {
  asked,
  ownQuery,
  unreadable,
  wrongEvents,
  wrongHolds,
  wrongId,
  wrongMoment,
  wrongPosition,
  wrongRead,
  wrongTransactions,
  wrongTransactionSearch,
  wrongWalletSearch
} from "./QueryForm.ts"
import { WalletCalls } from "./WalletCalls.ts"

/** How often a list that waits for Persistence looks again. */
const persistedPoll = "20 millis"

/** Where the answers are. */
interface QueryContext {
  readonly bounds: ActorBounds
  readonly clock: SoundClock["Service"]
  readonly calls: WalletCalls["Service"]
  readonly history: WalletHistory["Service"]
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly pipeline: WritePipeline["Service"]
}

export const make = Effect.fnUntraced(function* (
  bounds: ActorBounds
): Effect.fn.Return<
  Queries,
  never,
  | WalletCalls
  | WalletHistory
  | UnloadedWallets
  | Persistence
  | ReadModel
  | EventStore
  | Ownership
  | WritePipeline
  | ClusterStatus
  | SoundClock
> {
  const readModel = yield* ReadModel
  const cluster = yield* ClusterStatus
  const context: QueryContext = {
    bounds,
    clock: yield* SoundClock,
    calls: yield* WalletCalls,
    history: yield* WalletHistory,
    log: yield* EventStore,
    persistence: yield* Persistence,
    pipeline: yield* WritePipeline
  }
  const { log, pipeline } = context
  return {
    getWallet: getWallet(context),
    walletAt: walletAt(context),
    events: events(context),
    ...listQueries(context),
    searchWallets: asked(wrongWalletSearch, (query) =>
      Effect.map(readModel.searchWallets(query), ({ data, next }) => ({ data: data.map(detailsOf), next }))
    ),
    searchTransactions: asked(wrongTransactionSearch, readModel.searchTransactions),
    feed: feed(context),
    feedHead: Effect.map(log.head, ({ position }) => position),
    cluster: cluster.view,
    health: health({
      outages: yield* StoreOutages.current,
      log,
      ownership: yield* Ownership,
      pipeline,
      unloaded: yield* UnloadedWallets,
      clock: context.clock
    })
  }
})

const checkId = (walletId: string): Effect.Effect<void, InvalidRequest> => {
  const detail = wrongId(walletId)
  return detail === undefined ? Effect.void : Effect.fail(new InvalidRequest({ detail }))
}

const getWallet = ({ calls }: QueryContext): Queries["getWallet"] =>
  asked(wrongRead, ({ minVersion, walletId }) =>
    Effect.flatMap(calls.current(walletId, minVersion ?? -1), (wallet) =>
      wallet === undefined ? Effect.fail(new WalletNotFound({ walletId })) : Effect.succeed(detailsOf(wallet))
    )
  )

const walletAt = ({ bounds, calls, clock, history }: QueryContext): Queries["walletAt"] => {
  const atTime = Effect.fnUntraced(function* (walletId: string, at: number, now: number) {
    // What a bad clock has dated ahead has happened: whoever asks for now is told of it.
    if (at >= now - bounds.clockSkewMillis) {
      const newest = yield* history.atTime(walletId, maxTime)
      if (newest !== undefined && (newest.updatedAt <= at || newest.updatedAt > now)) return newest
    }
    return yield* history.atTime(walletId, at)
  })
  const ask = Effect.fnUntraced(function* (moment: WalletMoment) {
    const { walletId } = moment
    const now = clock.now()
    const detail = wrongMoment(moment, now)
    if (detail !== undefined) return yield* new InvalidRequest({ detail })
    const wallet = yield* "at" in moment
      ? atTime(walletId, moment.at, now)
      : history.atVersion(walletId, moment.atVersion)
    if (wallet === undefined) return yield* new WalletNotFound({ walletId })
    // The log may have what its owner has not heard of yet: nobody is told of that before the owner is.
    const known = calls.knownVersion(walletId)
    if (known !== undefined && known < wallet.version) yield* calls.current(walletId, wallet.version)
    return detailsOf(wallet)
  })
  return (given) => {
    const moment = ownQuery(given)
    return moment === undefined ? Effect.fail(unreadable()) : ask(moment)
  }
}

const events = ({ log }: QueryContext): Queries["events"] =>
  asked(
    wrongEvents,
    Effect.fnUntraced(function* ({ after, limit, walletId }) {
      const page = yield* log.read(walletId, { after, limit })
      if (page.length > 0) return page
      const first = yield* log.read(walletId, { after: -1, limit: 1 })
      return first.length > 0 ? page : yield* new WalletNotFound({ walletId })
    })
  )

const feed =
  ({ log }: QueryContext): Queries["feed"] =>
  (after) =>
    Stream.unwrap(
      Effect.gen(function* () {
        const detail = wrongPosition(after)
        if (detail !== undefined) return yield* new InvalidRequest({ detail })
        const head = yield* log.head
        if (after > head.position) return yield* new PositionGone({ position: after, head: head.position })
        return Stream.flattenIterable(log.follow(after))
      })
    )

/** What Persistence lists of one wallet. */
const listQueries = (context: QueryContext): Pick<Queries, "transactions" | "holds" | "hold"> => {
  const { persistence } = context
  return {
    transactions: asked(wrongTransactions, (query) =>
      Effect.andThen(
        untilPersisted(context, query.walletId, query.minVersion),
        ofExisting(context, query.walletId, persistence.transactions(query))
      )
    ),
    holds: asked(wrongHolds, (query) =>
      Effect.andThen(
        untilPersisted(context, query.walletId, query.minVersion),
        ofExisting(context, query.walletId, persistence.holds(query))
      )
    ),
    hold: Effect.fnUntraced(function* (walletId, holdId) {
      yield* checkId(walletId)
      yield* checkId(holdId)
      const hold = yield* persistence.hold(walletId, holdId)
      if (hold !== undefined) return hold
      if (!(yield* exists(context, walletId))) return yield* new WalletNotFound({ walletId })
      return yield* new HoldNotFound({ walletId, holdId })
    })
  }
}

/** Until Persistence has the wallet at `minVersion`, within the caller's wait. */
const untilPersisted = ({ bounds, persistence }: QueryContext, walletId: string, minVersion: number | undefined) => {
  if (minVersion === undefined) return Effect.void
  const behind = new StoreUnavailable({
    store: "persistence",
    reason: `wallet ${walletId} is not yet persisted up to version ${minVersion}`,
    retryAfter: 1_000
  })
  const look = Effect.flatMap(persistence.wallet(walletId), (wallet) =>
    wallet !== undefined && wallet.version >= minVersion ? Effect.void : Effect.fail(behind)
  )
  return Effect.retry(look, { schedule: Schedule.spaced(persistedPoll), while: (error) => error === behind }).pipe(
    Effect.timeoutOrElse({ duration: bounds.callerWaitMillis, orElse: () => Effect.fail(behind) })
  )
}

/** Persistence may not have it yet; the log has. */
const exists = ({ log, persistence, pipeline }: QueryContext, walletId: string) =>
  Effect.flatMap(persistence.wallet(walletId), (wallet) =>
    wallet !== undefined || !pipeline.separate
      ? Effect.succeed(wallet !== undefined)
      : Effect.map(log.read(walletId, { after: -1, limit: 1 }), (found) => found.length > 0)
  )

/** An empty list of a wallet that does not exist is `WalletNotFound`. */
const ofExisting = <A extends { readonly data: ReadonlyArray<unknown> }, E, R>(
  context: QueryContext,
  walletId: string,
  page: Effect.Effect<A, E, R>
) =>
  Effect.flatMap(page, (list) =>
    list.data.length > 0
      ? Effect.succeed(list)
      : Effect.flatMap(exists(context, walletId), (found) =>
          found ? Effect.succeed(list) : Effect.fail(new WalletNotFound({ walletId }))
        )
  )
