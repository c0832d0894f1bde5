/** Wallets' lives in a log in memory, with a search index that follows it turn by turn, as a test tells it. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { replay } from "../../src/engine/rebuild/Rebuild.ts"
import { documentsOf } from "../../src/search/Documents.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import type { MemoryState } from "../../src/stores/memory/MemoryDatabase.ts"
import * as MemorySearchIndex from "../../src/stores/memory/MemorySearchIndex.ts"
import { Persistence } from "../../src/stores/Persistence.ts"
import type { ReadModel } from "../../src/stores/ReadModel.ts"
import { type IndexSet, SearchIndex } from "../../src/stores/SearchIndex.ts"
import * as Faulty from "./FaultySearchIndex.ts"
import { create, credit, filled, type LogBook, newState, send, storesOver } from "./LogLife.ts"

export interface World {
  readonly state: MemoryState
  readonly search: MemorySearchIndex.MemorySearchState
  readonly faulty: Faulty.FaultySearchIndex
  readonly logId: string
  readonly book: LogBook
  /** One turn of whoever follows the log, into the set that is searched. */
  readonly follow: Effect.Effect<void>
}

type Services = EventStore | Persistence | ReadModel

/** Everything that the log has behind the set's checkpoint. */
const followInto = (set: IndexSet, from?: bigint) =>
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const after = from ?? (yield* set.checkpoint)
    const page = yield* log.readAll({ after, limit: 10_000 })
    const { documents } = yield* documentsOf({ log, persistence }, page)
    yield* set.write(documents)
    const last = page.at(-1)
    if (last !== undefined) yield* set.saveCheckpoint(last.position)
  })

/** A log with two wallets of every kind of row and some more, followed by an index. */
export const world = <A, E>(
  run: (world: World) => Effect.Effect<A, E, Services | SearchIndex>,
  options: { readonly separate?: boolean; readonly wallets?: number } = {}
) =>
  Effect.gen(function* () {
    const state = yield* newState({ separate: options.separate ?? false })
    const search = MemorySearchIndex.makeState()
    const faulty = Faulty.make(MemorySearchIndex.make(search))
    return yield* Effect.gen(function* () {
      const book = yield* filled
      for (let n = 0; n < (options.wallets ?? 0); n++) {
        yield* book.perform(create(`w${n}`))
        yield* book.perform(credit(`w${n}`, 10n))
      }
      yield* book.perform(send("a", "b-1", "t1", 3n))
      if (options.separate === true) yield* replay()
      const { logId } = yield* (yield* EventStore).head
      yield* faulty.store.open(logId)
      const context = yield* Effect.context<Services>()
      const follow = Effect.orDie(Effect.provideContext(followInto(faulty.store.current), context))
      yield* follow
      yield* faulty.store.current.refresh
      return yield* run({ state, search, faulty, logId, book, follow })
    }).pipe(Effect.provide(Layer.merge(storesOver(state), Layer.succeed(SearchIndex, faulty.store))))
  })

export const idsIn = (set: MemorySearchIndex.MemoryIndexSet | undefined): ReadonlySet<string> =>
  new Set(
    Object.entries(set?.visible ?? {}).flatMap(([kind, documents]) =>
      [...documents.keys()].map((id) => `${kind} ${id}`)
    )
  )
