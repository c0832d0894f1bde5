/** Stores in memory with an index beside them that the tests can fail, and nodes that write it. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import { Ownership } from "../../src/actors/Ownership.ts"
import type { Commit } from "../../src/domain/Commit.ts"
import { SearchProgress } from "../../src/search/SearchProgress.ts"
import * as SearchWriter from "../../src/search/SearchWriter.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import {
  MemoryDatabase,
  type MemoryOptions,
  makeState,
  type MemoryState
} from "../../src/stores/memory/MemoryDatabase.ts"
import * as MemoryEventStore from "../../src/stores/memory/MemoryEventStore.ts"
import * as MemoryPersistence from "../../src/stores/memory/MemoryPersistence.ts"
import * as MemoryReadModel from "../../src/stores/memory/MemoryReadModel.ts"
import * as MemorySearchIndex from "../../src/stores/memory/MemorySearchIndex.ts"
import * as MemorySearchReadModel from "../../src/stores/memory/MemorySearchReadModel.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import type { ReadModel } from "../../src/stores/ReadModel.ts"
import { type DocumentKind, SearchIndex } from "../../src/stores/SearchIndex.ts"
import { StoreOutages } from "../../src/stores/StoreOutages.ts"
import type { SearchBounds } from "../../src/search/SearchBounds.ts"
import {
  capture,
  credit,
  placeHold,
  receive,
  SampleWallet,
  send,
  settle
} from "../../src/testing/contract/SampleWallet.ts"
import * as Faults from "../support/FaultySearchIndex.ts"

export const indexPlace = "Elasticsearch at 127.0.0.1:9200"

/** A process that could write the index. */
export interface SearchNode {
  readonly index: Faults.FaultySearchIndex
  readonly progress: NonNullable<SearchProgress["Service"]["index"]>
  /** As a crash does: nothing of it goes on. */
  readonly kill: Effect.Effect<void>
}

export interface SearchSetup {
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly database: MemoryState
  readonly state: MemorySearchIndex.MemorySearchState
  /** Search in the index. */
  readonly search: ReadModel["Service"]
  /** Search in the rows: what the index has to come to. */
  readonly rows: ReadModel["Service"]
  readonly append: (...commits: ReadonlyArray<Commit>) => Effect.Effect<void>
  readonly node: (options?: {
    readonly owns?: (() => boolean) | undefined
    readonly bounds?: Partial<SearchBounds> | undefined
    readonly persistence?: Persistence["Service"] | undefined
    readonly log?: EventStore["Service"] | undefined
  }) => Effect.Effect<SearchNode, never, Scope.Scope>
}

/** Fast, so that tests do not wait. */
const quick: Partial<SearchBounds> = {
  pageEvents: 7,
  bulkDocuments: 5,
  pollMillis: 2,
  idleMillis: 5,
  checkpointMillis: 2,
  refreshMillis: 2,
  ownerMillis: 5,
  reopenMillis: 5,
  reopenAtMostMillis: 20
}

const ownership = (owns: () => boolean): Ownership["Service"] => ({
  partitions: 1,
  epochOf: (partition) => (partition === 0 && owns() ? 1 : undefined),
  fenced: () => undefined,
  lost: Effect.never
})

export const setup = Effect.fnUntraced(function* (options: MemoryOptions = {}): Effect.fn.Return<SearchSetup> {
  const database = makeState(options, () => 1_700_000_000_000)
  const over = <A>(layer: Layer.Layer<A, never, MemoryDatabase>): Layer.Layer<A> =>
    Layer.provide(layer, Layer.succeed(MemoryDatabase, database))
  const log = yield* Effect.provide(EventStore, over(MemoryEventStore.layer))
  const persistence = yield* Effect.provide(Persistence, over(MemoryPersistence.layer))
  const state = MemorySearchIndex.makeState()

  const node: SearchSetup["node"] = Effect.fnUntraced(function* (given = {}) {
    const index = Faults.make(MemorySearchIndex.make(state))
    const stores = Layer.mergeAll(
      Layer.succeed(EventStore, given.log ?? log),
      Layer.succeed(Persistence, given.persistence ?? persistence),
      Layer.succeed(SearchIndex, index.store),
      Layer.succeed(Ownership, ownership(given.owns ?? (() => true))),
      StoreOutages.layer({ readModel: indexPlace })
    )
    const life = yield* Scope.make()
    yield* Effect.addFinalizer(() => Scope.close(life, Exit.void))
    const layer = SearchWriter.layer({ bounds: { ...quick, ...given.bounds } }).pipe(Layer.provide(stores))
    const services = yield* Layer.buildWithScope(layer, life)
    const { index: progress } = yield* Effect.provide(SearchProgress, services)
    return { index, progress: progress!, kill: Scope.close(life, Exit.void) }
  })

  return {
    log,
    persistence,
    database,
    state,
    search: MemorySearchReadModel.make(state),
    rows: MemoryReadModel.make(database),
    append: (...commits) => Effect.asVoid(Effect.orDie(log.append(commits))),
    node
  }
})

/** Asks again until it holds; the test's own time limit is for what hangs. */
export const eventually = (what: string, holds: () => boolean | Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const now = holds()
    return typeof now === "boolean" ? Effect.succeed(now) : now
  }).pipe(
    Effect.flatMap((now) => (now ? Effect.void : Effect.fail(what))),
    Effect.retry(Schedule.spaced("2 millis")),
    Effect.asVoid,
    Effect.orDie
  )

/** For what hangs. */
const limit = 120_000

export const live = <A, E>(name: string, run: () => Effect.Effect<A, E, never>) => it.live(name, () => run(), limit)

export const everything = { limit: 200 } as const

/** What every search finds, in the index and in the rows. */
export const answers = Effect.fnUntraced(function* ({ rows, search }: SearchSetup) {
  const ask = (of: SearchSetup["search"]) =>
    Effect.all([
      of.searchWallets(everything),
      of.searchTransactions(everything),
      of.searchTransfers(everything),
      of.searchHolds(everything)
    ])
  return { index: yield* Effect.orDie(ask(search)), rows: yield* Effect.orDie(ask(rows)) }
})

/** The index finds what the rows have, no less and no more. */
export const assertFollowed = Effect.fnUntraced(function* (stores: SearchSetup) {
  yield* eventually("the checkpoint is at the log's head", () => stores.state.current?.checkpoint === head(stores))
  const { index, rows } = yield* Effect.andThen(refreshed(stores), answers(stores))
  assert.deepStrictEqual(index, rows)
})

export const head = ({ database }: SearchSetup): bigint => database.log.at(-1)?.position ?? 0n

export const refreshed = ({ state }: SearchSetup) =>
  Effect.sync(() => {
    const set = state.current!
    for (const kind of ["wallet", "transaction", "transfer", "hold"] as ReadonlyArray<DocumentKind>) {
      for (const [id, document] of set.documents[kind]) set.visible[kind].set(id, document)
    }
  })

/** A wallet, a hold, a transfer to another wallet; each in commits of its own. */
export const movements = Effect.fnUntraced(function* (stores: SearchSetup, count = 3) {
  const [from, to] = [new SampleWallet(), new SampleWallet()]
  yield* stores.append(from.commit(from.creation(), credit(1_000n)), to.create())
  for (let n = 0; n < count; n++) {
    yield* stores.append(from.commit(credit(10n, `order ${n}`, { n: String(n) }), placeHold(`hold-${n}`, 5n)))
    yield* stores.append(from.commit(send(`t-${from.id}-${n}`, to.id, 7n)))
    yield* stores.append(to.commit(receive(`t-${from.id}-${n}`, from.id, 7n)))
    yield* stores.append(from.commit(settle(`t-${from.id}-${n}`), capture(`hold-${n}`)))
  }
  return { from, to }
})

/** With the lines that are logged. */
export const watched = <A, E, R>(use: (lines: Array<string>) => Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
  return Effect.provide(use(lines), Layer.mergeAll(Logger.layer([logger])))
}

/** An empty index of that log. */
export const opened = Effect.fnUntraced(function* (logId: string) {
  const stores = yield* setup({ logId })
  yield* Effect.scoped(
    Effect.gen(function* () {
      const node = yield* stores.node()
      yield* eventually("it is open", () => node.progress.load().isWriter)
    })
  )
  return stores.state.current!
})
