/**
 * Goes over the whole log, page by page: while one page is written, the next one is folded and the
 * one after it read. One read and one write are under way at a time, so that a running service
 * keeps its stores.
 *
 * After each page a checkpoint is left in Persistence: below it everything is persisted. A rebuild
 * that was cut off goes on there; so does the reconciler of a service that starts first.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { RecordedEvent } from "../../domain/Event.ts"
import { fold } from "../../domain/Evolve.ts"
import type { Wallet } from "../../domain/Wallet.ts"
import {
  commitOf,
  type RebuildCommit,
  type RebuildStores,
  stateAt,
  patiently,
  type RebuildCounts,
  type WriteError,
  ReplayDiverged
} from "./RebuildStores.ts"
import { triesAtATime, writeCommits, type WriteOptions } from "./RebuildWriter.ts"
import { catchUpWallet, rebuildWallets } from "./WalletRebuild.ts"
import type { PositionedEvent } from "../../stores/EventStore.ts"
import { type EventUnreadable, type ReadError, StoreDefect } from "../../stores/StoreError.ts"

/** States that are not in memory are loaded so many at a time. */
const concurrentLoads = 16

/** A page's events by wallet, each in order; wallets in the order of first sight. */
export const eventsByWallet = (page: ReadonlyArray<PositionedEvent>): Map<string, Array<RecordedEvent>> => {
  const streams = new Map<string, Array<RecordedEvent>>()
  for (const { recorded } of page) {
    const events = streams.get(recorded.walletId)
    if (events === undefined) streams.set(recorded.walletId, [recorded])
    else events.push(recorded)
  }
  return streams
}

export class WalletStates {
  /** In the order of their last use. */
  private readonly states = new Map<string, Wallet>()
  private readonly bound: number

  /** `bound`: wallets, about 1 kB each. */
  constructor(bound: number) {
    this.bound = bound
  }

  get size(): number {
    return this.states.size
  }

  private take(walletId: string): Wallet | undefined {
    const state = this.states.get(walletId)
    if (state !== undefined) this.states.delete(walletId)
    return state
  }

  keep(state: Wallet): void {
    this.states.delete(state.id)
    this.states.set(state.id, state)
    if (this.states.size <= this.bound) return
    for (const oldest of this.states.keys()) {
      this.states.delete(oldest)
      return
    }
  }

  /** The wallets' commits, in the same order. What a state has been taken past already is left out. */
  commits(
    stores: RebuildStores,
    streams: ReadonlyMap<string, ReadonlyArray<RecordedEvent>>
  ): Effect.Effect<ReadonlyArray<RebuildCommit>, ReadError | EventUnreadable> {
    return Effect.suspend(() => {
      const befores = new Map<string, Wallet>()
      const missing: Array<RecordedEvent> = []
      for (const [walletId, [first]] of streams) {
        const state = this.take(walletId)
        if (state !== undefined && state.version >= first!.version - 1) befores.set(walletId, state)
        else if (first!.version > 0) missing.push(first!)
      }
      const load = ({ version, walletId }: RecordedEvent) =>
        Effect.map(stateAt(stores, walletId, version - 1), (state) => {
          if (state !== undefined) befores.set(walletId, state)
        })
      const fill =
        missing.length === 0
          ? Effect.void
          : Effect.forEach(missing, load, { concurrency: concurrentLoads, discard: true })
      return Effect.flatMap(fill, () => this.foldAll(streams, befores))
    })
  }

  private foldAll(
    streams: ReadonlyMap<string, ReadonlyArray<RecordedEvent>>,
    befores: ReadonlyMap<string, Wallet>
  ): Effect.Effect<ReadonlyArray<RebuildCommit>, StoreDefect> {
    const commits: Array<RebuildCommit> = []
    for (const [walletId, stream] of streams) {
      const before = befores.get(walletId)
      const next = (before?.version ?? -1) + 1
      const events = stream[0]!.version === next ? stream : stream.filter(({ version }) => version >= next)
      if (events.length === 0) {
        this.keep(before!)
        continue
      }
      const gap = events.find(({ version }, index) => version !== next + index)
      if (gap !== undefined) {
        const reason = `event ${gap.version} of wallet ${walletId} does not follow the one before it`
        return Effect.fail(new StoreDefect({ store: "log", reason }))
      }
      const state = fold(before, events)!
      this.keep(state)
      commits.push(commitOf(before, state, events))
    }
    return Effect.succeed(commits)
  }
}

/** The checkpoint of a catch-up that is under way: below it everything is persisted. */
export const catchUpOwner = "replay"

/** The checkpoint of a rebuilding: every wallet created below it has got new rows. */
export const rebuildOwner = "replay-rebuild"

/** Wallets whose rows are replaced in one transaction: few, for their owners wait meanwhile. */
const walletsPerRebuild = 16

export interface LogWalk {
  readonly stores: RebuildStores
  readonly counts: RebuildCounts
  /** Begin behind this position. */
  readonly from: bigint
  /** The head of the log at the start: what comes later is the service's own. */
  readonly head: bigint
  readonly pageEvents: number
  readonly walletsInMemory: number
  /** Whether to ask first which wallets are behind: where most of them are not. */
  readonly asksFirst: boolean
  /** Owner of the checkpoint that is left; `undefined`: none. */
  readonly checkpoint: string | undefined
  readonly onPage: (position: bigint) => Effect.Effect<void>
}

type Page = ReadonlyArray<PositionedEvent>

/** The page that is read meanwhile: what comes after the one at hand. */
type Ahead = NonNullable<WriteOptions["ahead"]>

const none: Ahead = Effect.succeed([])

/** What a page comes to: made while the page before it is written, then carried out. */
type Prepare<E> = (page: Page, position: bigint, ahead: Ahead) => Effect.Effect<Effect.Effect<void, E>, E>

/** Goes over the pages up to the head, three at a time: one is written, one prepared, one read. */
const eachPage = Effect.fnUntraced(function* <E>(
  { counts, from, head, onPage, pageEvents, stores }: LogWalk,
  prepare: Prepare<E>
) {
  const readFrom = (after: bigint) => patiently(stores.log.readAll({ after, limit: pageEvents }))
  let next = from < head ? yield* Effect.forkChild(readFrom(from)) : undefined
  let writing: Fiber.Fiber<void, E> = yield* Effect.forkChild(Effect.void)
  while (next !== undefined) {
    const page: Page = yield* Fiber.join(next)
    const last = page[page.length - 1]
    if (last === undefined) break
    const { position } = last
    next = position < head ? yield* Effect.forkChild(readFrom(position)) : undefined
    const ahead =
      next === undefined ? none : Effect.map(Fiber.join(next), (events: Page) => events.map(({ recorded }) => recorded))
    const write = yield* prepare(page, position, ahead)
    yield* Fiber.join(writing)
    counts.events += page.length
    writing = yield* Effect.forkChild(Effect.andThen(write, onPage(position)))
  }
  yield* Fiber.join(writing)
})

/** The wallets of the page that Persistence does not have up to the page's end. */
const behind = Effect.fnUntraced(function* (
  { stores }: LogWalk,
  streams: ReturnType<typeof eventsByWallet>
): Effect.fn.Return<ReturnType<typeof eventsByWallet>, WriteError> {
  const persisted = yield* patiently(stores.persistence.persistedVersions([...streams.keys()]))
  const lagging: typeof streams = new Map()
  for (const [walletId, events] of streams) {
    const found = persisted.get(walletId)
    const there = found === undefined ? undefined : events[found.version - events[0]!.version]
    if (there !== undefined && there.id !== found!.eventId) {
      return yield* new ReplayDiverged({ walletId, persistedVersion: found!.version })
    }
    if ((found?.version ?? -1) < events[events.length - 1]!.version) lagging.set(walletId, events)
  }
  return lagging
})

/** Writes what continues the rows; a wallet whose rows end earlier is brought up by its stream. */
const writePage = Effect.fnUntraced(function* (
  walk: LogWalk,
  states: WalletStates,
  commits: ReadonlyArray<RebuildCommit>,
  position: bigint,
  ahead: Ahead
): Effect.fn.Return<void, WriteError> {
  const { counts, stores } = walk
  const checkpoint = walk.checkpoint === undefined ? undefined : { owner: walk.checkpoint, position }
  // Of the last try: those before it are done again.
  let refused = 0
  const once = Effect.suspend(() => {
    const own: RebuildCounts = { events: 0, written: 0, refused: counts.refused }
    return Effect.tap(writeCommits(stores, own, commits, { checkpoint, triesAtATime, ahead }), () =>
      Effect.sync(() => void (refused = own.refused - counts.refused))
    )
  })
  const { marked, outcomes } = yield* patiently(once)
  counts.refused += refused
  counts.written += commits.reduce((sum, commit) => sum + commit.events.length, 0)
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome._tag !== "Gap") continue
    const state = yield* patiently(catchUpWallet(stores, counts, commits[index]!.walletId))
    if (state !== undefined) states.keep(state)
  }
  if (checkpoint !== undefined && !marked)
    yield* patiently(stores.persistence.setCheckpoint(checkpoint.owner, checkpoint.position))
})

/** Brings Persistence up to the head. */
export const catchUpLog = (walk: LogWalk): Effect.Effect<void, WriteError> => {
  const states = new WalletStates(walk.walletsInMemory)
  return eachPage<WriteError>(walk, (page, position, ahead) =>
    Effect.gen(function* () {
      const all = eventsByWallet(page)
      const streams = walk.asksFirst ? yield* behind(walk, all) : all
      const commits = yield* patiently(states.commits(walk.stores, streams))
      return writePage(walk, states, commits, position, ahead)
    })
  )
}

/** Replaces the rows of every wallet that the log has, some at a time, each as it is at that moment. */
export const rebuildLog = (walk: LogWalk): Effect.Effect<void, WriteError> =>
  eachPage<WriteError>(walk, (page, position) =>
    Effect.succeed(
      Effect.gen(function* () {
        const { checkpoint, stores } = walk
        const created = page.flatMap(({ recorded }) => (recorded.version === 0 ? [recorded.walletId] : []))
        // Their events are counted as they are rewritten.
        walk.counts.events -= page.length
        for (let from = 0; from < created.length; from += walletsPerRebuild) {
          const walletIds = created.slice(from, from + walletsPerRebuild).sort()
          yield* patiently(rebuildWallets(stores, walk.counts, walletIds))
        }
        if (checkpoint !== undefined) yield* patiently(stores.persistence.setCheckpoint(checkpoint, position))
      })
    )
  )
