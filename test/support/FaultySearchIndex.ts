/** A search index that is away, slow or choosy as it is told, and records what it is given. */
import * as Effect from "effect/Effect"
import type { DeadLetter } from "../../src/stores/Persistence.ts"
import {
  documentId,
  documentWallet,
  type IndexSet,
  type SearchDocument,
  type SearchIndex,
  type WriteOptions
} from "../../src/stores/SearchIndex.ts"
import { StoreDefect, StoreUnavailable } from "../../src/stores/StoreError.ts"

/** What becomes of one call; `call` is the real one. */
export type Fault = <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StoreUnavailable | StoreDefect, R>

export const unavailable = new StoreUnavailable({ store: "readModel", reason: "scripted", retryAfter: 1_000 })

/** Fails before anything is written. */
export const away: Fault = () => Effect.fail(unavailable)

/** Done; the answer is lost. */
export const answerLost: Fault = (call) => Effect.andThen(call, Effect.fail(unavailable))

export const defective: Fault = () => Effect.fail(new StoreDefect({ store: "readModel", reason: "scripted" }))

export interface FaultySearchIndex {
  readonly store: SearchIndex["Service"]
  /** Of every call, as long as it is set. */
  every: Fault | undefined
  /** Of the next writes, in order. */
  readonly writeFaults: Array<Fault>
  /** Of the next savings of a checkpoint, in order. */
  readonly checkpointFaults: Array<Fault>
  /** Why it refuses a document for good; `undefined`: it does not. */
  refuses: ((document: SearchDocument) => string | undefined) | undefined
  /** All that was asked to be written, tries again included. */
  readonly writes: Array<ReadonlyArray<SearchDocument>>
}

const letterOf = (document: SearchDocument, reason: string): DeadLetter => ({
  kind: document.kind,
  id: documentId(document),
  walletId: documentWallet(document),
  version: document.version,
  reason,
  time: 0
})

export const make = (inner: SearchIndex["Service"]): FaultySearchIndex => {
  const under = <A, E, R>(call: Effect.Effect<A, E, R>, script: Array<Fault> = []) =>
    Effect.suspend((): Effect.Effect<A, E | StoreUnavailable | StoreDefect, R> => {
      const fault = faulty.every ?? script.shift()
      return fault === undefined ? call : fault(call)
    })

  /** Writes what it does not refuse. */
  const choosy = (set: IndexSet, documents: ReadonlyArray<SearchDocument>, options?: WriteOptions) => {
    const letters: Array<DeadLetter> = []
    const taken = documents.filter((document) => {
      const reason = faulty.refuses?.(document)
      if (reason !== undefined) letters.push(letterOf(document, reason))
      return reason === undefined
    })
    return Effect.map(set.write(taken, options), (refused) => [...letters, ...refused])
  }

  const faultySet = (set: IndexSet): IndexSet => ({
    write: (documents, options) =>
      Effect.suspend(() => {
        faulty.writes.push(documents)
        return under(choosy(set, documents, options), faulty.writeFaults)
      }),
    searchable: under(set.searchable),
    refresh: under(set.refresh),
    checkpoint: under(set.checkpoint),
    mark: under(set.mark),
    saveCheckpoint: (position, mark) => under(set.saveCheckpoint(position, mark), faulty.checkpointFaults),
    count: (kind) => under(set.count(kind)),
    documentsOf: (walletIds, versions) => under(set.documentsOf(walletIds, versions)),
    walletIds: (options) => under(set.walletIds(options))
  })

  const faulty: FaultySearchIndex = {
    every: undefined,
    writeFaults: [],
    checkpointFaults: [],
    refuses: undefined,
    writes: [],
    store: {
      open: (logId) => under(inner.open(logId)),
      current: faultySet(inner.current),
      next: (logId) => under(Effect.map(inner.next(logId), (set) => set && faultySet(set))),
      ...(inner.holdWrites === undefined ? {} : { holdWrites: under(inner.holdWrites) }),
      swap: under(inner.swap),
      dropOld: (logId) => under(inner.dropOld(logId))
    }
  }
  return faulty
}
