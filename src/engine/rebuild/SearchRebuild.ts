/**
 * Rebuilds the search index: another set is filled from the log while the current one serves, some wallets of it are
 * compared with the log and the rows, in full, and then it takes its place at once for all readers. Whoever follows the
 * log goes on meanwhile and needs not be told.
 *
 * So that nothing that was found is missing after the swap, writes to the current set are held for its moment: what had
 * been written to it before is in the log, and written to the new set first; what comes later goes to the new one.
 * Commands never wait for any of it.
 *
 * A run that is cut off leaves its set, with its own checkpoint: the next one goes on there.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { letterKey, lettersUpTo } from "../../search/Letters.ts"
import { placeOf } from "../../search/LogHistory.ts"
import { EventStore, type LogHead } from "../../stores/EventStore.ts"
import { Persistence } from "../../stores/Persistence.ts"
import type { IndexSet, IndexState, SearchIndex } from "../../stores/SearchIndex.ts"
import type { EventUnreadable, ReadError } from "../../stores/StoreError.ts"
import {
  compareDocuments,
  compareSettled,
  type DocumentFindings,
  type DocumentFlaw,
  type DocumentStores,
  type SizedWallet
} from "../verify/Documents.ts"
import { replayDeadLetters } from "./DeadLetters.ts"
import { patiently, type SearchNotSeparate, separateIndex } from "./RebuildStores.ts"
import { type FillError, fillToHead, type SearchFill, startFill } from "./SearchFill.ts"

/** Places in the order of ids where wallets are taken, and how many from each. */
const places = 16
const walletsAtPlace = 16

/** A wallet with more events is left to `verify`. */
const maxEvents = 20_000

/** Characters of ids, in their order. */
const idCharacters = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"

const randomPlace = Effect.map(Random.nextIntBetween(0, idCharacters.length), (at) => idCharacters.charAt(at))

const sampled = Effect.fnUntraced(function* ({
  persistence
}: DocumentStores): Effect.fn.Return<ReadonlyArray<SizedWallet>, ReadError> {
  const wallets = new Map<string, SizedWallet>()
  for (let place = 0; place < places; place++) {
    const after = place === 0 ? "" : `${yield* randomPlace}${yield* randomPlace}`
    for (const { id, version } of yield* persistence.scanWallets({ after, limit: walletsAtPlace })) {
      if (version < maxEvents) wallets.set(id, { id, events: version + 1 })
    }
  }
  return [...wallets.values()]
})

/** Of documents, those that the index has refused left out. */
const flawsIn = (
  findings: Effect.Effect<DocumentFindings, ReadError | EventUnreadable>,
  refused: ReadonlySet<string>
) =>
  findings.pipe(
    Effect.map(({ flaws }) => flaws.filter((flaw) => !refused.has(letterKey(flaw)))),
    // A wallet with an event that cannot be read shows nothing of what is behind it: it is not compared.
    Effect.catchTag("EventUnreadable", () => Effect.succeed<ReadonlyArray<DocumentFlaw>>([]))
  )

/** What is wrong, in words; `undefined`: nothing. `settle`: brings the index up to the log. */
export const compareSample = Effect.fnUntraced(function* (
  stores: DocumentStores,
  settle: Effect.Effect<void, ReadError | EventUnreadable>
): Effect.fn.Return<string | undefined, ReadError | EventUnreadable> {
  const refused = new Set((yield* lettersUpTo(stores.persistence, 10_000)).map(letterKey))
  for (const wallet of yield* sampled(stores)) {
    // Most need no second look.
    if ((yield* flawsIn(compareDocuments(stores, [wallet], Effect.void), refused)).length === 0) continue
    const [flaw] = yield* flawsIn(compareSettled(stores, [wallet], settle), refused)
    if (flaw === undefined) continue
    return `${flaw.kind} ${flaw.id} of wallet ${flaw.walletId}: expected ${flaw.expected}; found ${flaw.found}`
  }
  return undefined
})

/** Somebody else fills the next set. */
export class RebuildUnderway extends Schema.TaggedError<RebuildUnderway>()("RebuildUnderway", {}) {
  override get message(): string {
    return "another rebuild of the search index is under way: two never fill one at a time"
  }
}

/** The set that an earlier run has left has events that the log has not. */
export class RebuildAhead extends Schema.TaggedError<RebuildAhead>()("RebuildAhead", { reason: Schema.String }) {
  override get message(): string {
    return (
      `what a rebuild that was cut off has left is of no use: ${this.reason}; ` +
      "begin anew by: wallet replay --target readModel --restart"
    )
  }
}

/** The index that is searched is another log's, whose owner may be alive. */
export class RebuildForeign extends Schema.TaggedError<RebuildForeign>()("RebuildForeign", { reason: Schema.String }) {
  override get message(): string {
    return `nothing was rebuilt: ${this.reason}`
  }
}

/** The new set is not what the log and the rows say. It was not taken. */
export class RebuildWrong extends Schema.TaggedError<RebuildWrong>()("RebuildWrong", { reason: Schema.String }) {
  override get message(): string {
    return (
      `the new search index is not as it should be, and was not taken: ${this.reason}; compare PostgreSQL with the ` +
      "log by wallet verify, then begin anew by: wallet replay --target readModel --restart"
    )
  }
}

export type SearchRebuildError =
  | FillError
  | SearchNotSeparate
  | RebuildUnderway
  | RebuildAhead
  | RebuildForeign
  | RebuildWrong

export interface SearchProgress {
  readonly position: bigint
  /** Where this run began. */
  readonly from: bigint
  readonly head: bigint
  readonly events: number
  readonly documents: number
}

export interface SearchRebuildOptions {
  /** Throw away what an earlier run has left, and begin at the start of the log. */
  readonly restart?: boolean | undefined
  /** Take the names of the indexes over where they are another log's. Its owner finds nothing any more. */
  readonly takeOver?: boolean | undefined
  /** Events per page. Default 2,000. */
  readonly pageEvents?: number | undefined
  readonly onProgress?: ((progress: SearchProgress) => Effect.Effect<void>) | undefined
}

export interface SearchRebuildReport {
  readonly logId: string
  readonly from: bigint
  /** Up to here the new set had everything when it was taken. */
  readonly position: bigint
  /** It went on where an earlier run was cut off. */
  readonly resumed: boolean
  readonly events: number
  readonly documents: number
  /** Documents that the index has refused, on record as dead letters. */
  readonly deadLetters: number
  /** Events whose rows have not come yet: the service follows them. */
  readonly waiting: number
  /** Events that cannot be read, the first of them. */
  readonly unreadable: ReadonlyArray<string>
  /** Sets of earlier rebuilds that were removed. */
  readonly dropped: number
  readonly durationMillis: number
}

type Stores = EventStore | Persistence

interface Run {
  readonly index: SearchIndex["Service"]
  readonly state: IndexState
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly head: LogHead
}

const onPage =
  ({ log }: Run, from: bigint, onProgress: SearchRebuildOptions["onProgress"] = () => Effect.void) =>
  ({ counts, position }: SearchFill) =>
    Effect.flatMap(Effect.option(log.head), (head) =>
      onProgress({
        position,
        from,
        head: Option.match(head, { onNone: () => position, onSome: (found) => found.position }),
        events: counts.events,
        documents: counts.documents
      })
    )

/** The number of documents of the kinds of which each event makes its own. */
const compareCounts = Effect.fnUntraced(function* ({
  aside,
  counts,
  left,
  set,
  unreadable
}: SearchFill): Effect.fn.Return<void, FillError | RebuildWrong> {
  // What was not written as it is in the log tells nothing.
  if (counts.refused + aside.length + left.events + unreadable.length > 0) return
  for (const [kind, expected] of [
    ["wallet", counts.wallets],
    ["transaction", counts.transactions]
  ] as const) {
    const found = yield* patiently(set.count(kind))
    if (found !== expected) {
      return yield* new RebuildWrong({ reason: `it has ${found} documents of ${kind}s, and was given ${expected}` })
    }
  }
})

/** The new set takes the place of the current one, and lacks nothing that is found in that. */
const exchange = Effect.fnUntraced(function* (
  { index, state }: Run,
  fill: SearchFill
): Effect.fn.Return<void, FillError> {
  const isOurs = state._tag === "Ready" || state._tag === "Outdated"
  const hold = isOurs ? (index.holdWrites ?? Effect.void) : Effect.void
  yield* Effect.scoped(
    Effect.gen(function* () {
      yield* patiently(hold)
      yield* fillToHead(fill)
      yield* patiently(fill.set.refresh)
      yield* index.swap
    })
  )
  // Where writes could not be held: what came meanwhile.
  const after: SearchFill = { ...fill, set: index.current }
  yield* fillToHead(after)
  yield* patiently(index.current.refresh)
  fill.position = after.position
  fill.mark = after.mark
  fill.aside = after.aside
})

const rebuildInto = Effect.fnUntraced(function* (
  run: Run,
  set: IndexSet,
  options: SearchRebuildOptions
): Effect.fn.Return<SearchRebuildReport, SearchRebuildError, Stores> {
  const started = yield* Clock.currentTimeMillis
  const { head, index, log, persistence } = run
  // Those of earlier rebuilds; the one that serves stays after this one.
  const dropped = yield* patiently(index.dropOld(head.logId))
  const { checkpoint: from, flaw, mark } = yield* patiently(placeOf(log, set))
  if (flaw !== undefined) return yield* new RebuildAhead({ reason: flaw })
  const fill = startFill({ log, persistence, set }, from, {
    mark,
    pageEvents: options.pageEvents ?? 2_000,
    onPage: onPage(run, from, options.onProgress)
  })
  // Each time less has come meanwhile, until it is a page or none.
  while ((yield* fillToHead(fill)) > fill.pageEvents) continue
  yield* patiently(set.refresh)
  if (from === 0n) yield* compareCounts(fill)
  const settle = Effect.andThen(fillToHead(fill), patiently(set.refresh))
  const wrong = yield* compareSample({ log, persistence, set }, settle)
  if (wrong !== undefined) return yield* new RebuildWrong({ reason: wrong })
  yield* exchange(run, fill)
  const { remaining } = yield* replayDeadLetters
  return {
    logId: head.logId,
    from,
    position: fill.position,
    resumed: from > 0n,
    events: fill.counts.events,
    documents: fill.counts.documents,
    deadLetters: remaining,
    waiting: fill.aside.length + fill.left.events,
    unreadable: fill.unreadable.map(({ message }) => message),
    dropped,
    durationMillis: (yield* Clock.currentTimeMillis) - started
  }
})

/**
 * Rebuilds the search index. What a failure or an interruption leaves is gone on with by the next call. Also the way from
 * a damaged index to a good one, and, by `takeOver`, from another log's.
 */
export const rebuildSearch = Effect.fn("SearchRebuild.rebuildSearch")(function* (
  options: SearchRebuildOptions = {}
): Effect.fn.Return<SearchRebuildReport, SearchRebuildError, Stores> {
  const index = yield* separateIndex
  const log = yield* EventStore
  const persistence = yield* Persistence
  const head = yield* patiently(log.head)
  const state = yield* patiently(index.open(head.logId))
  if (state._tag === "Foreign" && options.takeOver !== true) return yield* new RebuildForeign({ reason: state.reason })
  if (options.restart === true) yield* patiently(index.dropOld(head.logId))
  const run: Run = { index, state, log, persistence, head }
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const set = yield* patiently(index.next(head.logId))
      if (set === undefined) return yield* new RebuildUnderway()
      return yield* rebuildInto(run, set, options)
    })
  )
})

/**
 * Removes the sets that rebuilds have replaced, and what a rebuild that was cut off has left; answers their number. Until
 * then a replaced one stays as it was, until the next rebuild.
 */
export const dropOldSearch = Effect.gen(function* () {
  const index = yield* separateIndex
  const { logId } = yield* patiently((yield* EventStore).head)
  return yield* patiently(index.dropOld(logId))
})
