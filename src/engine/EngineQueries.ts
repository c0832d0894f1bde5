/** The engine's queries: current state from the owner, the past from the log, lists from Persistence, search from the read model. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import { TransactionNotFound, VersionNotReached } from "../actors/EngineError.ts"
import { Ownership } from "../actors/Ownership.ts"
import { SoundClock } from "../actors/SoundClock.ts"
import { UnloadedWallets } from "../actors/UnloadedWallets.ts"
import { WalletHistory } from "../actors/WalletHistory.ts"
import { WritePipeline } from "../actors/WritePipeline.ts"
import { maxTime } from "../domain/Limits.ts"
import { HoldNotFound, InvalidRequest, WalletNotFound } from "../domain/Rejection.ts"
import { SearchProgress } from "../search/SearchProgress.ts"
import { EventStore, type PositionedEvent } from "../stores/EventStore.ts"
import { Persistence } from "../stores/Persistence.ts"
import type { ReadModel } from "../stores/ReadModel.ts"
import { StoreOutages } from "../stores/StoreOutages.ts"
import { detailsOf, makeRefundedReads } from "./Answers.ts"
import type { EngineQueries as Queries, EventsQuery, WalletDetails, WalletMoment } from "./EngineApi.ts"
import { ClusterStatus } from "./ClusterStatus.ts"
import { health } from "./Health.ts"
import { LogFeed } from "./LogFeed.ts"
import {
  wrongFeed,
  asked,
  ownQuery,
  unreadable,
  wrongEvents,
  wrongHolds,
  wrongId,
  wrongMoment,
  wrongPosition,
  wrongRead,
  wrongTransactions
} from "./QueryForm.ts"
import { ReadShare } from "./ReadShare.ts"
import * as SearchQueries from "./SearchQueries.ts"
import * as Statements from "./Statements.ts"
import { WalletCalls } from "./WalletCalls.ts"

/** A list that waits for Persistence looks again after this, doubling, … */
const firstLook = "20 millis"

/** … and at most so long, ms: rows that are on their way come sooner. */
const persistedWaitMillis = 2_000

/** Milliseconds after which a caller may ask for the version again. */
const versionRetryMillis = 1_000

/** Where the answers are. */
interface QueryContext {
  readonly bounds: ActorBounds
  readonly clock: SoundClock["Service"]
  readonly calls: WalletCalls["Service"]
  readonly history: WalletHistory["Service"]
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly pipeline: WritePipeline["Service"]
  readonly share: ReadShare["Service"]
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
  | ReadShare
  | LogFeed
  | SearchProgress
> {
  const cluster = yield* ClusterStatus
  const context: QueryContext = {
    bounds,
    clock: yield* SoundClock,
    calls: yield* WalletCalls,
    history: yield* WalletHistory,
    log: yield* EventStore,
    persistence: yield* Persistence,
    pipeline: yield* WritePipeline,
    share: yield* ReadShare
  }
  const { log, pipeline } = context
  return {
    getWallet: getWallet(context),
    walletAt: walletAt(context),
    events: events(context),
    ...listQueries(context),
    ...Statements.make({ ...context, persisted: persistedOf(context) }),
    ...(yield* SearchQueries.make()),
    ...followed(yield* LogFeed),
    feedHead: Effect.map(log.head, ({ position }) => position),
    cluster: cluster.view,
    health: health({
      outages: yield* StoreOutages.current,
      log,
      ownership: yield* Ownership,
      pipeline,
      search: yield* SearchProgress,
      unloaded: yield* UnloadedWallets,
      clock: context.clock
    })
  }
})

const checkId = (walletId: string): Effect.Effect<void, InvalidRequest> => {
  const detail = wrongId(walletId)
  return detail === undefined ? Effect.void : Effect.fail(new InvalidRequest({ detail }))
}

const getWallet = (context: QueryContext): Queries["getWallet"] => {
  const { calls, share } = context
  const current = (walletId: string, minVersion: number) =>
    Effect.flatMap(calls.current(walletId, minVersion), (wallet) =>
      wallet === undefined ? Effect.fail(new WalletNotFound({ walletId })) : Effect.succeed(detailsOf(wallet))
    )
  /** Its owner may have to look into the log, and perhaps in vain. */
  const atLeast = (walletId: string, minVersion: number) =>
    Effect.catchTag(current(walletId, minVersion), "StoreUnavailable", (failure) =>
      Effect.flatMap(current(walletId, -1), ({ version }) =>
        Effect.fail(version < minVersion ? versionNotReached(walletId, minVersion) : failure)
      )
    )
  const now = (walletId: string, minVersion: number | undefined) => {
    if (minVersion === undefined) return current(walletId, -1)
    const known = calls.knownVersion(walletId)
    return known !== undefined && known >= minVersion
      ? current(walletId, minVersion)
      : share.query(atLeast(walletId, minVersion))
  }
  return asked(wrongRead, ({ effectiveAt, minVersion, walletId }) => {
    const wallet = now(walletId, minVersion)
    return effectiveAt === undefined ? wallet : Effect.flatMap(wallet, (found) => atBooks(context, found, effectiveAt))
  })
}

/** The wallet with its balance by the books, which Persistence has to have come as far for. */
const atBooks = Effect.fnUntraced(function* (context: QueryContext, wallet: WalletDetails, until: number) {
  const { id: walletId, version } = wallet
  const { persistence, share } = context
  yield* untilPersisted(context, walletId, version)
  const balance = yield* share.query(persistence.booksBalance({ walletId, version, until }))
  return { ...wallet, balance }
})

/** For statements: the version that Persistence has. */
const persistedOf = (context: QueryContext) =>
  Effect.fnUntraced(function* (walletId: string, minVersion: number | undefined) {
    yield* untilPersisted(context, walletId, minVersion)
    const wallet = yield* context.share.query(context.persistence.wallet(walletId))
    if (wallet === undefined && !(yield* context.share.query(exists(context, walletId)))) {
      return yield* new WalletNotFound({ walletId })
    }
    return wallet?.version ?? -1
  })

const versionNotReached = (walletId: string, minVersion: number) =>
  new VersionNotReached({ walletId, minVersion, retryAfter: versionRetryMillis })

const walletAt = ({ bounds, calls, clock, history, share }: QueryContext): Queries["walletAt"] => {
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
    const wallet = yield* share.query(
      "at" in moment ? atTime(walletId, moment.at, now) : history.atVersion(walletId, moment.atVersion)
    )
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

const events = ({ log, share }: QueryContext): Queries["events"] => {
  const page = Effect.fnUntraced(function* ({ after, limit, walletId }: EventsQuery) {
    const page = yield* log.read(walletId, { after, limit })
    if (page.length > 0) return page
    const first = yield* log.read(walletId, { after: -1, limit: 1 })
    return first.length > 0 ? page : yield* new WalletNotFound({ walletId })
  })
  return asked(wrongEvents, (query) => share.query(page(query)))
}

const followed = ({ open, openOwn }: LogFeed["Service"]): Pick<Queries, "feed" | "openFeed" | "openOwnFeed"> => {
  const openFeed: Queries["openFeed"] = (after, filter = {}) => {
    const detail = wrongPosition(after) ?? wrongFeed(filter)
    if (detail !== undefined) return Effect.fail(new InvalidRequest({ detail }))
    const { types, walletIds } = filter
    if (types === undefined && walletIds === undefined) return open(after)
    const wanted = { types: types && new Set<string>(types), walletIds: walletIds && new Set(walletIds) }
    const isWanted = ({ recorded: { event, walletId } }: PositionedEvent): boolean =>
      wanted.types?.has(event._tag) !== false && wanted.walletIds?.has(walletId) !== false
    return Effect.map(open(after), (pages) =>
      Stream.map(pages, (page) => ({ ...page, events: page.events.filter(isWanted) }))
    )
  }
  return {
    openFeed,
    openOwnFeed: (after) => {
      const detail = wrongPosition(after)
      return detail === undefined ? openOwn(after) : Effect.fail(new InvalidRequest({ detail }))
    },
    feed: (after, filter) =>
      Stream.unwrap(
        Effect.map(openFeed(after, filter), (pages) =>
          Stream.flattenIterable(Stream.map(pages, ({ events }) => events))
        )
      )
  }
}

/** What Persistence has: lists of one wallet, and single rows. */
const listQueries = (context: QueryContext): Pick<Queries, "transactions" | "transaction" | "holds" | "hold"> => {
  const { persistence, share } = context
  const refunded = makeRefundedReads(persistence)
  const hold = Effect.fnUntraced(function* (walletId: string, holdId: string) {
    const hold = yield* persistence.hold(walletId, holdId)
    if (hold !== undefined) return hold
    if (!(yield* exists(context, walletId))) return yield* new WalletNotFound({ walletId })
    return yield* new HoldNotFound({ walletId, holdId })
  })
  const transaction = Effect.fnUntraced(function* (transactionId: string) {
    const found = yield* persistence.transaction(transactionId)
    if (found === undefined) return yield* new TransactionNotFound({ transactionId })
    return (yield* refunded.ofTransactions([found]))[0]!
  })
  return {
    transaction: (transactionId) => Effect.andThen(checkId(transactionId), share.query(transaction(transactionId))),
    transactions: asked(wrongTransactions, (query) =>
      Effect.andThen(
        untilPersisted(context, query.walletId, query.minVersion),
        share.query(
          Effect.flatMap(ofExisting(context, query.walletId, persistence.transactions(query)), ({ data, next }) =>
            Effect.map(refunded.ofTransactions(data), (shown) => ({ data: shown, next }))
          )
        )
      )
    ),
    holds: asked(wrongHolds, (query) =>
      Effect.andThen(
        untilPersisted(context, query.walletId, query.minVersion),
        share.query(ofExisting(context, query.walletId, persistence.holds(query)))
      )
    ),
    hold: Effect.fnUntraced(function* (walletId, holdId) {
      yield* checkId(walletId)
      yield* checkId(holdId)
      return yield* share.query(hold(walletId, holdId))
    })
  }
}

/**
 * Until Persistence has the wallet at `minVersion`. Only what the log has is waited for: it is on
 * its way, and each look has a turn of its own. A wallet that is in neither is told at once, and
 * so is a version that nobody has made.
 */
const untilPersisted = (context: QueryContext, walletId: string, minVersion: number | undefined) => {
  if (minVersion === undefined) return Effect.void
  const { log, persistence, pipeline, share } = context
  const notReached = versionNotReached(walletId, minVersion)
  const persistedVersion = share.query(Effect.map(persistence.wallet(walletId), (wallet) => wallet?.version))
  const inLog = (after: number) =>
    Effect.map(share.query(log.read(walletId, { after, limit: 1 })), (found) => found.length > 0)
  const look = Effect.flatMap(persistedVersion, (version) =>
    version !== undefined && version >= minVersion ? Effect.void : Effect.fail(notReached)
  )
  const wait = Effect.retry(look, {
    schedule: Schedule.exponential(firstLook),
    while: (error) => error === notReached
  }).pipe(
    Effect.timeoutOrElse({
      duration: Math.min(persistedWaitMillis, context.bounds.callerWaitMillis),
      orElse: () => Effect.fail(notReached)
    })
  )
  return Effect.gen(function* () {
    const version = yield* persistedVersion
    if (version !== undefined && version >= minVersion) return
    if (pipeline.separate && (yield* inLog(minVersion - 1))) return yield* wait
    const isThere = version !== undefined || (pipeline.separate && (yield* inLog(-1)))
    return yield* isThere ? notReached : new WalletNotFound({ walletId })
  })
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
