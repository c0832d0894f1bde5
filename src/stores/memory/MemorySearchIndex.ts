/**
 * The search index in memory: the reference for what the other adapters must do. As in the
 * real one, what is written is found after a refresh only, and its checkpoint at once.
 *
 * Nothing is bounded, and all is gone with the process. For tests and trials, not for service.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import {
  type DocumentKind,
  documentId,
  documentWallet,
  type IndexSet,
  type IndexState,
  type LogMark,
  type SearchDocument,
  SearchIndex,
  type VersionRange,
  type WriteOptions
} from "../SearchIndex.ts"
import { type ReadError, StoreDefect, StoreUnavailable } from "../StoreError.ts"
import { copyOf } from "./Copies.ts"

type Documents = Map<string, SearchDocument>

/** One set of indexes. Documents by kind and id. */
export interface MemoryIndexSet {
  readonly logId: string
  readonly mapping: string
  readonly documents: Readonly<Record<DocumentKind, Documents>>
  /** Those that searches find. */
  readonly visible: Readonly<Record<DocumentKind, Documents>>
  /** Written since the last refresh. */
  unseen: Array<SearchDocument>
  checkpoint: bigint
  mark: LogMark | undefined
}

/** What several services over it share, as several processes share a server. */
export interface MemorySearchState {
  current: MemoryIndexSet | undefined
  next: MemoryIndexSet | undefined
  /** Somebody has the next set. */
  isBuilding: boolean
  /** The set that takes no writes. */
  held: MemoryIndexSet | undefined
  readonly old: Array<MemoryIndexSet>
  refreshes: number
}

export interface MemorySearchOptions {
  /** Stands for the mapping of this release: a set that was made with another is outdated. */
  readonly mapping?: string | undefined
}

export const makeState = (): MemorySearchState => ({
  current: undefined,
  next: undefined,
  isBuilding: false,
  held: undefined,
  old: [],
  refreshes: 0
})

const byKind = (): Record<DocumentKind, Documents> => ({
  wallet: new Map(),
  transaction: new Map(),
  transfer: new Map(),
  hold: new Map()
})

const emptySet = (logId: string, mapping: string): MemoryIndexSet => ({
  logId,
  mapping,
  documents: byKind(),
  visible: byKind(),
  unseen: [],
  checkpoint: 0n,
  mark: undefined
})

const write = (set: MemoryIndexSet, documents: ReadonlyArray<SearchDocument>, options: WriteOptions): void => {
  for (const document of documents) {
    const ofKind = set.documents[document.kind]
    const id = documentId(document)
    const before = ofKind.get(id)
    const oldest = options.replace === true ? document.version : document.version - 1
    if (before !== undefined && before.version > oldest) continue
    const own = copyOf(document)
    ofKind.set(id, own)
    set.unseen.push(own)
  }
}

const refresh = (set: MemoryIndexSet): void => {
  for (const document of set.unseen) {
    const id = documentId(document)
    const newest = set.documents[document.kind].get(id)
    if (newest !== undefined) set.visible[document.kind].set(id, newest)
  }
  set.unseen = []
}

const visibleDocuments = (set: MemoryIndexSet): ReadonlyArray<SearchDocument> =>
  Object.values(set.visible).flatMap((ofKind) => [...ofKind.values()])

const walletIds = (
  set: MemoryIndexSet,
  { after, limit }: { readonly after: string; readonly limit: number }
): ReadonlyArray<string> =>
  [...new Set(visibleDocuments(set).map(documentWallet))]
    .filter((id) => id > after)
    .sort()
    .slice(0, limit)

const allVersions: VersionRange = { from: 0, to: Number.MAX_SAFE_INTEGER }

const held = new StoreUnavailable({ store: "readModel", reason: "writes are held for a swap", retryAfter: 100 })

const anothers = new StoreDefect({ store: "readModel", reason: "the search index is another log's by now" })

/** The port's side of a set; `find` fails where there is none. `logId`: whose it has to be, `undefined`: anybody's. */
const indexSet = (
  state: MemorySearchState,
  find: Effect.Effect<MemoryIndexSet, StoreDefect>,
  logId: () => string | undefined = () => undefined
): IndexSet => {
  const using = <A>(f: (set: MemoryIndexSet) => A): Effect.Effect<A, StoreDefect> => Effect.map(find, f)
  const writing = <A>(f: (set: MemoryIndexSet) => A): Effect.Effect<A, ReadError> =>
    Effect.flatMap(find, (set): Effect.Effect<A, ReadError> => {
      if (set.logId !== (logId() ?? set.logId)) return Effect.fail(anothers)
      return set === state.held ? Effect.fail(held) : Effect.sync(() => f(set))
    })
  return {
    write: (documents, options = {}) =>
      writing((set) => {
        write(set, documents, options)
        return []
      }),
    searchable: using(() => undefined),
    refresh: using((set) => {
      state.refreshes++
      refresh(set)
    }),
    checkpoint: using(({ checkpoint }) => checkpoint),
    mark: using(({ mark }) => mark),
    saveCheckpoint: (position, mark) =>
      writing((set) => {
        if (position < set.checkpoint) return
        set.checkpoint = position
        set.mark = mark
      }),
    count: (kind) => using(({ visible }) => visible[kind].size),
    documentsOf: (ids, { from, to } = allVersions) =>
      using((set) => {
        const asked = new Set(ids)
        const found = visibleDocuments(set).filter(
          (document) => asked.has(documentWallet(document)) && document.version >= from && document.version <= to
        )
        return copyOf(found)
      }),
    walletIds: (options) => using((set) => walletIds(set, options))
  }
}

const absent = new StoreDefect({ store: "readModel", reason: "there is no search index" })

const currentSet = (state: MemorySearchState): Effect.Effect<MemoryIndexSet, StoreDefect> =>
  Effect.suspend(() => (state.current === undefined ? Effect.fail(absent) : Effect.succeed(state.current)))

const stateOf = ({ logId, mapping }: MemoryIndexSet, asked: string, ours: string): IndexState => {
  if (logId !== asked)
    return { _tag: "Foreign", reason: `the search index is that of the log ${logId}, not of ${asked}` }
  return mapping === ours
    ? { _tag: "Ready" }
    : { _tag: "Outdated", reason: `the search index has the mapping ${mapping}, this release has ${ours}` }
}

/** The next set, which is given back with the scope. */
const takeNext = (
  state: MemorySearchState,
  logId: string,
  mapping: string
): Effect.Effect<IndexSet | undefined, never, Scope.Scope> =>
  Effect.suspend(() => {
    if (state.isBuilding) return Effect.undefined
    // One that was begun for another log or mapping is of no use.
    if (state.next !== undefined && (state.next.logId !== logId || state.next.mapping !== mapping)) {
      state.old.push(state.next)
      state.next = undefined
    }
    const set = (state.next ??= emptySet(logId, mapping))
    const take = Effect.sync(() => {
      state.isBuilding = true
      return indexSet(state, Effect.succeed(set))
    })
    const giveBack = () =>
      Effect.sync(() => {
        state.isBuilding = false
      })
    return Effect.acquireRelease(take, giveBack)
  })

export const make = (state: MemorySearchState, options: MemorySearchOptions = {}): SearchIndex["Service"] => {
  const mapping = options.mapping ?? "1"
  let openedFor: string | undefined
  return SearchIndex.of({
    open: (logId) =>
      Effect.sync(() => {
        openedFor = logId
        return stateOf((state.current ??= emptySet(logId, mapping)), logId, mapping)
      }),
    current: indexSet(state, currentSet(state), () => openedFor),
    next: (logId) => takeNext(state, logId, mapping),
    holdWrites: Effect.asVoid(
      Effect.acquireRelease(
        Effect.sync(() => {
          state.held = state.current
        }),
        () =>
          Effect.sync(() => {
            state.held = undefined
          })
      )
    ),
    swap: Effect.suspend(() => {
      if (state.next === undefined) {
        return Effect.fail(new StoreDefect({ store: "readModel", reason: "no search index is being filled" }))
      }
      if (state.current !== undefined) state.old.push(state.current)
      state.current = state.next
      state.next = undefined
      return Effect.void
    }),
    dropOld: (logId) =>
      Effect.sync(() => {
        if (state.next !== undefined && !state.isBuilding) {
          state.old.push(state.next)
          state.next = undefined
        }
        const others = state.old.filter((set) => set.logId !== logId)
        return state.old.splice(0, state.old.length, ...others).length - others.length
      })
  })
}

/** Over a state of its own, or one that it shares. */
export const layer = (
  options: MemorySearchOptions & { readonly state?: MemorySearchState | undefined } = {}
): Layer.Layer<SearchIndex> => Layer.sync(SearchIndex, () => make(options.state ?? makeState(), options))
