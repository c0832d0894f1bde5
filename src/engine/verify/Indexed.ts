/**
 * Compares a search index of its own with the log and the rows: whose log's it is, how far it has come, every
 * document of every wallet, and wallets that it should not know; and, where that is asked for, mends it.
 *
 * Several batches of wallets are compared at a time. Those of which something differs are compared again once the index
 * has come to where the log is by then: only what differs then, in the same way twice, is a difference. A lag
 * is waited for as long as the index comes on; one that stands still is one difference of its own.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { letterKey, lettersUpTo } from "../../search/Letters.ts"
import { placeOf } from "../../search/LogHistory.ts"
import type { DeadLetter } from "../../stores/Persistence.ts"
import { documentWallet, type IndexSet, type IndexState, type SearchIndex } from "../../stores/SearchIndex.ts"
import type { ReadError } from "../../stores/StoreError.ts"
import { mendDocuments, mendFromLog } from "../rebuild/DeadLetters.ts"
import {
  compareDocuments,
  compareSettled,
  type DocumentFindings,
  type DocumentFlaw,
  type DocumentStores,
  type SizedWallet,
  windowEvents
} from "./Documents.ts"
import type { Difference } from "./Report.ts"
import { report, type Verification } from "./Verification.ts"
import type { VerifyError } from "./Walk.ts"

const pollMillis = 50

/** Until all events up to the position are in the set; `false`: it has stood still for `patienceMillis`. */
export const catchUp = Effect.fnUntraced(function* (
  set: IndexSet,
  position: bigint,
  patienceMillis: number
): Effect.fn.Return<boolean, ReadError> {
  let at = yield* set.checkpoint
  let deadline = (yield* Clock.currentTimeMillis) + patienceMillis
  while (at < position) {
    if ((yield* Clock.currentTimeMillis) >= deadline) return false
    yield* Effect.sleep(pollMillis)
    const now = yield* set.checkpoint
    if (now > at) deadline = (yield* Clock.currentTimeMillis) + patienceMillis
    at = now
  }
  return true
})

/** Batches compared at a time, about 10 MB each. */
const batchesAtATime = 3

/** Wallets or ids per read. */
const pageWallets = 1_000

/** Dead letters that are told apart from what is merely missing. */
const lettersKnown = 10_000

const rebuildHint = "wallet replay --target readModel"

/** Wallets that wait for the walk over the log that mends their transactions; those beyond are told to be rebuilt. */
const deferredBound = 10_000

/** A run over the index. */
interface IndexRun {
  readonly run: Verification
  /** This wallet alone. */
  readonly walletId: string | undefined
  readonly stores: DocumentStores
  /** Until the index has what the log has now. */
  readonly settle: Effect.Effect<void, VerifyError>
  /** By kind and id. */
  readonly letters: Map<string, DeadLetter>
  /** Documents that are still wrong, by kind and id. */
  readonly wrong: Set<string>
  /** To be mended in one walk over the log. */
  readonly deferred: Array<{ readonly wallet: SizedWallet; readonly flaws: ReadonlyArray<DocumentFlaw> }>
}

const ofIndex = (what: string, expected: string, found: string): Difference => ({
  walletId: null,
  store: "readModel",
  what,
  expected,
  found
})

/** What can be said of a flaw, and done about it. */
const differenceOf = ({ letters, run }: IndexRun, flaw: DocumentFlaw): Difference => {
  const letter = letters.get(letterKey(flaw))
  const hints = [
    ...(letter === undefined ? [] : [`refused by the index: ${letter.reason}`]),
    ...(flaw.isAhead ? [`what is right counts as older and is refused; the way out: ${rebuildHint}`] : []),
    ...(run.repair && flaw.right !== undefined && !flaw.isAhead && letter === undefined
      ? [`it stays so after a repair; the way out: ${rebuildHint}`]
      : []),
    ...(run.repair && flaw.right === undefined && !flaw.isAhead ? [`only a rebuild removes it: ${rebuildHint}`] : [])
  ]
  return {
    walletId: flaw.walletId,
    store: "readModel",
    what: flaw.kind === "wallet" ? "wallet document" : `document of ${flaw.kind} ${flaw.id}`,
    expected: flaw.expected,
    found: [flaw.found, ...hints].join("; ")
  }
}

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, one) => total + one, 0)

/** What is still wrong. */
const tell = (index: IndexRun, { documents, flaws }: DocumentFindings): void => {
  index.run.counts.documents += sum(documents.values())
  for (const flaw of flaws) index.wrong.add(letterKey(flaw))
  report(
    index.run,
    flaws.map((flaw) => differenceOf(index, flaw))
  )
}

/** Compares what was mended again. */
const tellMended = Effect.fnUntraced(function* (
  index: IndexRun,
  wallets: ReadonlyArray<SizedWallet>,
  refused: ReadonlyArray<DeadLetter>
): Effect.fn.Return<void, VerifyError> {
  for (const letter of refused) index.letters.set(letterKey(letter), letter)
  const after = yield* compareSettled(index.stores, wallets, index.settle)
  const wrong = new Set(after.flaws.map(({ walletId }) => walletId))
  index.run.repaired += wallets.filter(({ id }) => !wrong.has(id)).length
  tell(index, after)
})

const mend = Effect.fnUntraced(function* (
  index: IndexRun,
  wallets: ReadonlyArray<SizedWallet>,
  flaws: ReadonlyArray<DocumentFlaw>
): Effect.fn.Return<void, VerifyError> {
  const refused = yield* mendDocuments(index.stores, flaws)
  const unplaced = new Set(flaws.flatMap((flaw) => (flaw.unplaced ? [flaw.walletId] : [])))
  const later = wallets.filter(({ id }) => unplaced.has(id) && index.deferred.length < deferredBound)
  for (const wallet of later) {
    index.deferred.push({ wallet, flaws: flaws.filter((flaw) => flaw.unplaced && flaw.walletId === wallet.id) })
  }
  const now = wallets.filter((wallet) => !later.includes(wallet))
  if (now.length > 0) yield* tellMended(index, now, refused)
})

const mendDeferred = Effect.fnUntraced(function* (index: IndexRun): Effect.fn.Return<void, VerifyError> {
  if (index.deferred.length === 0) return
  const wanted = index.deferred.flatMap(({ flaws }) =>
    flaws.flatMap(({ right }) =>
      right === undefined ? [] : [{ walletId: documentWallet(right), version: right.version }]
    )
  )
  const refused = yield* mendFromLog(index.stores, wanted)
  const wallets = index.deferred.map(({ wallet }) => wallet).sort((a, b) => (a.id < b.id ? -1 : 1))
  for (const batch of batchesOf(wallets)) yield* tellMended(index, batch, refused)
})

const compareBatch = Effect.fnUntraced(function* (
  index: IndexRun,
  wallets: ReadonlyArray<SizedWallet>
): Effect.fn.Return<void, VerifyError> {
  const quick = yield* compareDocuments(index.stores, wallets, Effect.void)
  const suspects = new Set(quick.flaws.map(({ walletId }) => walletId))
  index.run.counts.documents += sum([...quick.documents].map(([id, count]) => (suspects.has(id) ? 0 : count)))
  if (suspects.size === 0) return
  const again = wallets.filter(({ id }) => suspects.has(id))
  const found = yield* compareSettled(index.stores, again, index.settle)
  const wrong = new Set(found.flaws.map(({ walletId }) => walletId))
  if (!index.run.repair || wrong.size === 0) return tell(index, found)
  tell(index, { flaws: [], documents: new Map([...found.documents].filter(([id]) => !wrong.has(id))) })
  yield* mend(
    index,
    again.filter(({ id }) => wrong.has(id)),
    found.flaws
  )
})

/** Ids of wallets that the index has, behind `after` up to `to`. */
const idsInIndex = Effect.fnUntraced(function* (set: IndexSet, after: string, to: string | undefined) {
  const ids: Array<string> = []
  let from = after
  while (true) {
    const page = yield* set.walletIds({ after: from, limit: pageWallets })
    ids.push(...page.filter((id) => to === undefined || id <= to))
    const last = page.at(-1)
    if (last === undefined || page.length < pageWallets || (to !== undefined && last > to)) return ids
    from = last
  }
})

/** Small wallets together, up to a window's events; large ones alone. Each batch in the order of ids. */
const batchesOf = (wallets: ReadonlyArray<SizedWallet>): ReadonlyArray<ReadonlyArray<SizedWallet>> => {
  const batches: Array<Array<SizedWallet>> = []
  let size = 0
  for (const wallet of wallets) {
    if (batches.length === 0 || size + wallet.events > windowEvents) {
      batches.push([])
      size = 0
    }
    batches[batches.length - 1]!.push(wallet)
    size += wallet.events
  }
  return batches
}

/** Every wallet that has rows or documents, by id, in batches. */
const allBatches = ({ persistence, set }: DocumentStores): Stream.Stream<ReadonlyArray<SizedWallet>, VerifyError> => {
  const next = Effect.fnUntraced(function* (after: string | undefined) {
    if (after === undefined) return undefined
    const rows = yield* persistence.scanWallets({ after, limit: pageWallets })
    const to = rows.length < pageWallets ? undefined : rows[rows.length - 1]!.id
    const sizes = new Map((yield* idsInIndex(set, after, to)).map((id) => [id, 1]))
    for (const { id, version } of rows) sizes.set(id, version + 1)
    const wallets = [...sizes].map(([id, events]) => ({ id, events })).sort((a, b) => (a.id < b.id ? -1 : 1))
    return [batchesOf(wallets), to] as const
  })
  return Stream.unfold<string | undefined, ReadonlyArray<ReadonlyArray<SizedWallet>>, VerifyError, never>(
    "",
    next
  ).pipe(Stream.flatMap((batches) => Stream.fromIterable(batches)))
}

/** Takes away what is on record and right by now. */
const dropLetters = Effect.fnUntraced(function* ({ letters, run, stores, walletId, wrong }: IndexRun) {
  const arrived = [...letters.values()].filter(
    (letter) => !wrong.has(letterKey(letter)) && (walletId === undefined || letter.walletId === walletId)
  )
  if (run.repair && arrived.length > 0) yield* stores.persistence.removeDeadLetters(arrived)
  run.deadLetters = yield* stores.persistence.countDeadLetters
})

/** Whether the index can be compared at all. */
const judgeState = (run: Verification, state: IndexState): boolean => {
  if (state._tag === "Ready") return true
  if (state._tag === "Outdated") {
    run.warnings.push(`${state.reason}: ${rebuildHint}`)
    return true
  }
  report(run, [ofIndex("the index", `an index of log ${run.logId}`, state.reason)])
  return false
}

/** Whether it has come to the head, or will. */
const judgePlace = Effect.fnUntraced(function* (
  run: Verification,
  set: IndexSet
): Effect.fn.Return<boolean, VerifyError> {
  const { checkpoint, flaw } = yield* placeOf(run.stores.log, set)
  if (flaw !== undefined) {
    const found = `${checkpoint}; ${flaw}; the way out: ${rebuildHint}`
    report(run, [ofIndex("checkpoint", "a place in the log as it is", found)])
    return true
  }
  if (yield* catchUp(set, run.head, run.walletOptions.lagMillis)) return true
  const found = `${yield* set.checkpoint}, and it does not come on; a running service does it`
  report(run, [ofIndex("checkpoint", `${run.head}, the head of the log`, found)])
  return false
})

/** `comesOn`: otherwise it has been told of, and nothing is waited for. */
const settleOf = (run: Verification, set: IndexSet, comesOn: boolean): Effect.Effect<void, VerifyError> =>
  Effect.gen(function* () {
    const { position } = yield* run.stores.log.head
    yield* catchUp(set, position, comesOn ? run.walletOptions.lagMillis : 0)
    yield* set.refresh
  })

const compareAll = Effect.fnUntraced(function* (
  run: Verification,
  index: SearchIndex["Service"],
  walletId: string | undefined
): Effect.fn.Return<void, VerifyError> {
  if (!judgeState(run, yield* index.open(run.logId))) return
  const set = index.current
  const { log, persistence } = run.stores
  const comesOn = yield* judgePlace(run, set)
  const letters = yield* lettersUpTo(persistence, lettersKnown)
  const indexRun: IndexRun = {
    run,
    walletId,
    stores: { log, persistence, set },
    settle: settleOf(run, set, comesOn),
    letters: new Map(letters.map((letter) => [letterKey(letter), letter])),
    wrong: new Set(),
    deferred: []
  }
  yield* set.refresh
  if (walletId === undefined) {
    yield* Stream.runForEach(
      Stream.mapEffect(allBatches(indexRun.stores), (batch) => compareBatch(indexRun, batch), {
        concurrency: batchesAtATime,
        unordered: true
      }),
      () => Effect.void
    )
  } else {
    const version = (yield* persistence.persistedVersions([walletId])).get(walletId)?.version ?? 0
    yield* compareBatch(indexRun, [{ id: walletId, events: version + 1 }])
  }
  yield* mendDeferred(indexRun)
  yield* dropLetters(indexRun)
})

/** `walletId`: this wallet alone. An index that does not answer is a difference: money was compared all the same. */
export const compareIndex = (
  run: Verification,
  index: SearchIndex["Service"],
  walletId: string | undefined
): Effect.Effect<void, VerifyError> =>
  Effect.catchIf(
    compareAll(run, index, walletId),
    (error) => error._tag !== "EventUnreadable" && error.store === "readModel",
    (error) => Effect.sync(() => report(run, [ofIndex("the index", "an answer", error.message)]))
  )
