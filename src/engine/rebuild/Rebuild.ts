/**
 * `replay`: rebuilds Persistence from the log, on whatever stores are configured.
 *
 * - `catchUp`: writes what is behind and changes nothing else.
 * - `rebuild`: replaces the rows of every wallet, some at a time, each in one
 *   transaction: readers never see them missing.
 * - `erase`: removes all rows first, then writes them as fast as they go; also the way
 *   from another log's rows to this one's. Readers see them come back one by one, and
 *   where the log is the same database a wallet takes no commands until its rows are
 *   there again.
 *
 * It never appends. Beside a running service it is safe: both write under the same
 * guard, and whoever comes second finds it done.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { defaultBounds } from "../../actors/ActorBounds.ts"
import { WalletHistory } from "../../actors/WalletHistory.ts"
import { type LogWalk, rebuildLog, rebuildOwner, catchUpLog, catchUpOwner } from "./LogRebuild.ts"
import { announce, type ReplayError, patiently, type RebuildCounts, type RebuildStores } from "./RebuildStores.ts"
import { type RebuildScans, scansOf, rebuildSlices, type SliceWalk } from "./SliceRebuild.ts"
import { rebuildWallets } from "./WalletRebuild.ts"
import { LogMismatch, layer as storeIdentity, unfilledOwner } from "../../pipeline/StoreIdentity.ts"
import { EventStore, type LogHead } from "../../stores/EventStore.ts"
import { Persistence } from "../../stores/Persistence.ts"
import type { ReadModel } from "../../stores/ReadModel.ts"
import { StoreDefect } from "../../stores/StoreError.ts"

export type ReplayMode = "catchUp" | "rebuild" | "erase"

export interface ReplayProgress {
  /** How far the log is replayed, and where it began, of `head`; by slices of wallets as many events. */
  readonly position: bigint
  readonly from: bigint
  readonly head: bigint
  readonly events: number
  readonly written: number
}

export interface ReplayOptions {
  /** Default `catchUp`. */
  readonly mode?: ReplayMode | undefined
  /** Begin behind this position. Leaves no checkpoint: a cut-off run is begun again where it was. */
  readonly from?: bigint | undefined
  /** Begin at the start of the log, whatever an earlier replay has left. */
  readonly restart?: boolean | undefined
  /** Events per page. Default 5,000: the fixed cost of a write no longer shows. */
  readonly pageEvents?: number | undefined
  /** States kept in memory. Default 100,000 wallets, about 100 MB. */
  readonly walletsInMemory?: number | undefined
  /** Called after each page of the log. */
  readonly onProgress?: ((progress: ReplayProgress) => Effect.Effect<void>) | undefined
}

export interface ReplayReport extends RebuildCounts {
  readonly mode: ReplayMode
  /** `null`: all. */
  readonly walletId: string | null
  readonly logId: string
  readonly from: bigint
  /** The head of the log at the start. */
  readonly position: bigint
  /** It went on where an earlier one was cut off. */
  readonly resumed: boolean
  readonly durationMillis: number
}

type Stores = EventStore | Persistence | ReadModel

/** What a rebuild works on: the ports, and wallets' states from the log. */
export const rebuildStores = Effect.gen(function* (): Effect.fn.Return<RebuildStores, never, EventStore | Persistence> {
  const log = yield* EventStore
  const persistence = yield* Persistence
  const history = yield* Effect.provide(WalletHistory, WalletHistory.layer(defaultBounds))
  return { log, persistence, history }
})

const zeroCounts = (): RebuildCounts => ({ events: 0, written: 0, refused: 0 })

/** Whose log's rows are there; adopts it where nobody's are. */
const checkLog = Effect.fnUntraced(function* (
  { log, persistence }: RebuildStores,
  { logId }: LogHead
): Effect.fn.Return<void, ReplayError> {
  if (log.writesPersistence) return
  const known = yield* persistence.logId
  if (known === undefined) yield* persistence.adoptLog(logId)
  else if (known !== logId) return yield* new LogMismatch({ log: logId, persistence: known })
})

/** As at a start of the service: the same log, and Persistence not ahead of it. */
const checkStores: Effect.Effect<void, ReplayError, Stores> = Effect.asVoid(
  Effect.scoped(Layer.build(storeIdentity))
).pipe(
  Effect.catchTag("InvalidRequest", ({ detail }) =>
    Effect.fail(new StoreDefect({ store: "readModel", reason: detail }))
  )
)

/** Everything goes but API keys and the installation; a run that is cut off here begins again at the start of the log. */
const eraseAll = Effect.fnUntraced(function* ({ log, persistence }: RebuildStores, { logId }: LogHead) {
  yield* persistence.erase("all")
  if (!log.writesPersistence) yield* persistence.adoptLog(logId)
  yield* persistence.setCheckpoint(catchUpOwner, 0n)
})

/** Where to begin, and under which checkpoint. */
const startOf = Effect.fnUntraced(function* (
  { persistence }: RebuildStores,
  mode: ReplayMode,
  { from, restart }: ReplayOptions
): Effect.fn.Return<
  { readonly from: bigint; readonly checkpoint: string | undefined; readonly resumed: boolean },
  ReplayError
> {
  if (from !== undefined) return { from, checkpoint: undefined, resumed: false }
  const checkpoint = mode === "rebuild" ? rebuildOwner : catchUpOwner
  if (restart === true) {
    yield* persistence.setCheckpoint(checkpoint, 0n)
    return { from: 0n, checkpoint, resumed: false }
  }
  const left = (yield* persistence.checkpoints).find(({ owner }) => owner === checkpoint)?.position ?? 0n
  return { from: left, checkpoint, resumed: left > 0n }
})

/** Told to the next start: up to there nobody has to look. */
const doneOwner = "replayed"

/**
 * The work is done, and its checkpoint goes. Where no node has left one either, a service
 * that starts would look through the whole log: another checkpoint tells it that it need not.
 */
const finish = Effect.fnUntraced(function* ({ log, persistence }: RebuildStores, checkpoint: string, head: bigint) {
  if (!log.writesPersistence) {
    yield* persistence.setCheckpoint(unfilledOwner, undefined)
    const others = (yield* persistence.checkpoints).filter(
      ({ owner }) => owner !== catchUpOwner && owner !== rebuildOwner
    )
    if (others.length === 0) yield* persistence.setCheckpoint(doneOwner, head)
  }
  yield* persistence.setCheckpoint(checkpoint, undefined)
})

/** A rebuild of all wallets. */
interface Run {
  readonly stores: RebuildStores
  readonly mode: ReplayMode
  readonly options: ReplayOptions
  readonly counts: RebuildCounts
  readonly from: bigint
  readonly head: bigint
  readonly checkpoint: string | undefined
  readonly onPage: (position: bigint) => Effect.Effect<void>
}

const inLogOrder = ({ counts, from, head, checkpoint, mode, onPage, options, stores }: Run) => {
  const walk: LogWalk = {
    stores,
    counts,
    from,
    head,
    pageEvents: options.pageEvents ?? 5_000,
    walletsInMemory: options.walletsInMemory ?? 100_000,
    asksFirst: mode !== "erase",
    checkpoint,
    onPage
  }
  return mode === "rebuild" ? rebuildLog(walk) : catchUpLog(walk)
}

const bySlices = ({ counts, head, mode, onPage, options, stores }: Run, scans: RebuildScans) => {
  let done = 0n
  const walk: SliceWalk = {
    stores,
    scans,
    counts,
    onlyBehind: mode === "catchUp",
    pageEvents: options.pageEvents ?? 5_000,
    onDone: (events) => {
      done += BigInt(events)
      return onPage(done < head ? done : head)
    }
  }
  return Effect.andThen(rebuildSlices(walk), onPage(head))
}

/** Replays the whole log, or from a position on. */
export const replay = Effect.fn("Replay.replay")(function* (
  options: ReplayOptions = {}
): Effect.fn.Return<ReplayReport, ReplayError, Stores> {
  const started = yield* Clock.currentTimeMillis
  const stores = yield* rebuildStores
  const head = yield* stores.log.head
  const mode = options.mode ?? "catchUp"
  if (mode !== "erase") yield* checkStores
  // Also where nothing has to be written: a log that was put back does not know what was written after its copy was made.
  yield* announce(stores)
  if (mode === "erase") yield* eraseAll(stores, head)
  const { from, checkpoint, resumed } = yield* startOf(stores, mode, options)
  const counts = zeroCounts()
  const onProgress = options.onProgress ?? (() => Effect.void)
  const onPage = (position: bigint) =>
    onProgress({ position, from, head: head.position, events: counts.events, written: counts.written })
  const run: Run = { stores, mode, options, counts, from, head: head.position, checkpoint, onPage }
  // From a position on means in the order of the log.
  const scans = options.from === undefined ? scansOf(stores) : undefined
  yield* scans === undefined ? inLogOrder(run) : bySlices(run, scans)
  if (checkpoint !== undefined) yield* finish(stores, checkpoint, head.position)
  const durationMillis = (yield* Clock.currentTimeMillis) - started
  return { mode, walletId: null, logId: head.logId, from, position: head.position, resumed, durationMillis, ...counts }
})

/**
 * Replaces the rows of one wallet by what the log has, in one transaction; where the
 * log has nothing of it, nothing of it is left.
 */
export const replayWallet = Effect.fn("Replay.replayWallet")(function* (
  walletId: string
): Effect.fn.Return<ReplayReport, ReplayError, Stores> {
  const started = yield* Clock.currentTimeMillis
  const stores = yield* rebuildStores
  const head = yield* stores.log.head
  yield* checkLog(stores, head)
  const counts = zeroCounts()
  yield* patiently(rebuildWallets(stores, counts, [walletId]))
  const durationMillis = (yield* Clock.currentTimeMillis) - started
  const place = { from: 0n, position: head.position, resumed: false }
  return { mode: "rebuild", walletId, logId: head.logId, ...place, durationMillis, ...counts }
})
