/**
 * Compares a wallet's transactions, keys, holds, transfers and refusals with the rows
 * that its fold expects. Transactions and keys never change once written; a hold or
 * transfer that an event after the version compared has touched is left out.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { RecordedEvent } from "../../domain/Event.ts"
import { holdChanges, transactionOf, transactionsOf, transferChanges } from "../../domain/EventKinds.ts"
import type { Transaction } from "../../domain/Wallet.ts"
import type { Refusal } from "../../stores/Persistence.ts"
import { justBefore } from "../../stores/WalletRows.ts"
import type { ReadError } from "../../stores/StoreError.ts"
import { findReversal } from "../../pipeline/Reversals.ts"
import { type ExpectedRows, foldVersion } from "./Fold.ts"
import { compareRecords, type Difference } from "./Report.ts"
import { inRows, type MetRefusal, pageSize, type VerifyError, type Walk } from "./Walk.ts"

/** Closed rows kept for one comparison by scan, about 30 MB; beyond it they are looked up one by one. */
const closedBound = 100_000

/** Rows too many of one wallet that are named. */
const namedUnknown = 500

/** Merges by version: rows missing, rows too many, rows with other content. */
export const compareTransactions = Effect.fnUntraced(function* (
  walk: Walk,
  after: number,
  events: ReadonlyArray<RecordedEvent>
): Effect.fn.Return<void, ReadError> {
  const { fold, refusals, stores } = walk
  const last = after + events.length
  const rows = yield* stores.persistence.scanTransactions(fold.walletId, {
    after,
    limit: events.reduce((sum, { event }) => sum + (event._tag === "LegsApplied" ? event.legs.length : 1), 0)
  })
  const found = new Map<number, Array<Transaction>>()
  for (const row of rows) {
    if (row.version > last) continue
    const ofEvent = found.get(row.version)
    if (ofEvent === undefined) found.set(row.version, [row])
    else ofEvent.push(row)
  }
  for (const recorded of events) {
    const there = found.get(recorded.version) ?? noTransactions
    const hasRows = fold.wallet !== undefined && !fold.creationRefused && !refusals.has(recorded.version)
    const expected = hasRows ? transactionsOf(recorded, fold.wallet!) : noTransactions
    const what = `transaction of event ${recorded.version}`
    for (const row of there.slice(expected.length)) {
      walk.differences.push(inRows(walk, what, { expected: "nothing", found: `a ${row.type} of ${row.amount}` }))
    }
    for (const [index, transaction] of expected.entries()) {
      walk.counts.transactions += 1
      walk.newestTransaction = transaction
      const sides = compareRecords(transaction, there[index])
      if (sides !== undefined) walk.differences.push(inRows(walk, what, sides))
    }
  }
})

const noTransactions: ReadonlyArray<Transaction> = []

/** Whether some of them make transactions whose rows are apart from theirs. */
export const haveLegs = (events: ReadonlyArray<RecordedEvent>): boolean =>
  events.some(({ event }) => event._tag === "LegsApplied")

/** Where an event is its transaction's row, too, there is nothing to compare. */
export const countTransactions = (walk: Walk, events: ReadonlyArray<RecordedEvent>): void => {
  for (const recorded of events) {
    const transaction = walk.fold.wallet && transactionOf(recorded, walk.fold.wallet)
    if (transaction === undefined) continue
    walk.counts.transactions += 1
    walk.newestTransaction = transaction
  }
}

/** `events` in order; a command's key is on record with its last version, also a refused one's. */
export const compareKeys = Effect.fnUntraced(function* (
  walk: Walk,
  events: ReadonlyArray<RecordedEvent>
): Effect.fn.Return<void, ReadError> {
  const expected = new Map(events.map((recorded) => [recorded.metadata.key as string, recorded]))
  if (expected.size === 0) return
  const asked = [{ walletId: walk.fold.walletId, keys: [...expected.keys()] }]
  const [lookup] = yield* walk.stores.persistence.findKeys(asked)
  const found = new Map(lookup!.seen.map((one) => [one.key, one]))
  for (const [key, { metadata, version }] of expected) {
    const row = found.get(key)
    walk.counts.keys += 1
    const sides = compareRecords({ key, fingerprint: metadata.fingerprint, version }, row)
    if (sides !== undefined) walk.differences.push(inRows(walk, `key of event ${version}`, sides))
  }
})

/** Keeps the last event back: only the next one tells whether its command has ended. */
export const compareKeysOfPage = (walk: Walk, events: ReadonlyArray<RecordedEvent>): Effect.Effect<void, ReadError> => {
  const last = events.at(-1)
  const all = walk.lastKeyed === undefined ? events : [walk.lastKeyed, ...events]
  walk.lastKeyed = last
  return compareKeys(
    walk,
    all.filter((recorded) => recorded.metadata.key !== last?.metadata.key)
  )
}

interface Kind<Row> {
  readonly name: "hold" | "transfer"
  readonly count: "holds" | "transfers"
  readonly rows: ExpectedRows<Row>
  /** Rows with id > `after`, by id. */
  readonly scan: (after: string, limit: number) => Effect.Effect<ReadonlyArray<Row>, ReadError>
}

const holdsOf = ({ fold, stores }: Walk) =>
  ({
    name: "hold",
    count: "holds",
    rows: fold.holds,
    scan: (after, limit) => stores.persistence.scanHolds(fold.walletId, { after, limit })
  }) satisfies Kind<typeof fold.holds.open extends Map<string, infer Row> ? Row : never>

const transfersOf = ({ fold, stores }: Walk) =>
  ({
    name: "transfer",
    count: "transfers",
    rows: fold.transfers,
    scan: (after, limit) => stores.persistence.scanTransfers(fold.walletId, { after, limit })
  }) satisfies Kind<typeof fold.transfers.open extends Map<string, infer Row> ? Row : never>

const suspect = (
  walk: Walk,
  { name }: { readonly name: string },
  id: string,
  sides: { readonly expected: string; readonly found: string } | undefined
): void => {
  if (sides !== undefined) walk.suspects.set(`${name} ${id}`, inRows(walk, `${name} ${id}`, sides))
}

const lookUp = Effect.fnUntraced(function* <Row extends { readonly id: string }>(
  walk: Walk,
  kind: Kind<Row>
): Effect.fn.Return<void, ReadError> {
  const { closed } = kind.rows
  if (closed.size < closedBound) return
  yield* Effect.forEach(
    closed.values(),
    (expected) =>
      Effect.map(kind.scan(justBefore(expected.id), 1), ([row]) =>
        suspect(walk, kind, expected.id, compareRecords(expected, row?.id === expected.id ? row : undefined))
      ),
    { concurrency: 8, discard: true }
  )
  walk.lookedUp[kind.count] += closed.size
  closed.clear()
})

/** Keeps the number of closed rows in memory at its bound. */
export const lookUpClosedRows = (walk: Walk): Effect.Effect<void, ReadError> =>
  Effect.andThen(lookUp(walk, holdsOf(walk)), lookUp(walk, transfersOf(walk)))

const compareRows = Effect.fnUntraced(function* <Row extends { readonly id: string }>(
  walk: Walk,
  kind: Kind<Row>
): Effect.fn.Return<void, ReadError> {
  const expected = new Map([...kind.rows.open, ...kind.rows.closed])
  const unknown: Array<string> = []
  let unknownCount = 0
  let after = ""
  while (true) {
    const rows = yield* kind.scan(after, pageSize)
    for (const row of rows) {
      const known = expected.get(row.id)
      expected.delete(row.id)
      if (known !== undefined) suspect(walk, kind, row.id, compareRecords(known, row))
      else if (++unknownCount <= walk.lookedUp[kind.count] + namedUnknown) unknown.push(row.id)
    }
    walk.counts[kind.count] += rows.length
    const last = rows.at(-1)
    if (last === undefined || rows.length < pageSize) break
    after = last.id
  }
  for (const id of expected.keys()) suspect(walk, kind, id, { expected: "a row", found: "nothing" })
  // Those looked up before are among the unknown ones by now.
  if (unknownCount <= walk.lookedUp[kind.count]) return
  for (const id of unknown.slice(0, namedUnknown)) suspect(walk, kind, id, { expected: "nothing", found: "a row" })
})

/** What later events have touched explains itself. */
const excuse = Effect.fnUntraced(function* (walk: Walk): Effect.fn.Return<void, VerifyError> {
  let after = foldVersion(walk.fold)
  while (walk.suspects.size > 0) {
    const events = yield* walk.stores.log.read(walk.fold.walletId, { after, limit: pageSize })
    for (const change of holdChanges({ events })) {
      walk.suspects.delete(`hold ${change._tag === "Placed" ? change.hold.id : change.holdId}`)
    }
    for (const change of transferChanges({ events })) {
      walk.suspects.delete(`transfer ${change._tag === "Sent" ? change.transfer.id : change.transferId}`)
    }
    const last = events.at(-1)
    if (last === undefined || events.length < pageSize) break
    after = last.version
  }
  walk.differences.push(...walk.suspects.values())
})

export const compareHoldsAndTransfers = Effect.fnUntraced(function* (walk: Walk): Effect.fn.Return<void, VerifyError> {
  yield* compareRows(walk, holdsOf(walk))
  yield* compareRows(walk, transfersOf(walk))
  yield* excuse(walk)
})

const inRefusal = (walk: Walk, version: number, what: string, expected: string, found: string): Difference =>
  inRows(walk, `${what} of event ${version}`, { expected, found })

/** The fold has passed this event. */
export const meetRefusals = (walk: Walk, { event, id, time, version }: RecordedEvent): void => {
  const refusal = walk.refusals.get(version)
  if (refusal !== undefined) {
    walk.met.set(version, { time, reversedVersion: undefined })
    if (refusal.eventId !== id) walk.differences.push(inRefusal(walk, version, "refusal", id, refusal.eventId))
  }
  const met = event._tag === "OperationReversed" ? walk.met.get(event.reversedVersion) : undefined
  if (met !== undefined) met.reversedVersion = version
}

const compareOpenRefusal = Effect.fnUntraced(function* (
  walk: Walk,
  { version, walletId }: Refusal,
  met: MetRefusal
): Effect.fn.Return<void, VerifyError> {
  if ((yield* findReversal(walk.stores.log, walletId, version)) !== undefined) return
  const age = Math.max(0, (yield* Clock.currentTimeMillis) - met.time)
  if (age < walk.options.lagMillis) walk.counts.openRefusals += 1
  else walk.differences.push(inRefusal(walk, version, "reversal", "an OperationReversed in the log", "none"))
})

/**
 * After the fold: the refusals that it has passed, as they were last told. Each stands in
 * the place of an event of the log, which an OperationReversed has undone. One that still
 * waits for it is a difference only when it has waited too long.
 */
export const compareRefusals = Effect.fnUntraced(function* (walk: Walk): Effect.fn.Return<void, VerifyError> {
  for (const refusal of walk.refusals.values()) {
    const met = walk.met.get(refusal.version)
    if (met === undefined) continue
    walk.counts.refusals += 1
    const expected = met.reversedVersion
    const found = refusal.reversedVersion
    if (expected === undefined && found === null) {
      yield* compareOpenRefusal(walk, refusal, met)
      continue
    }
    // One that was persisted after the version compared is as good.
    if (expected === found || (expected === undefined && found! > foldVersion(walk.fold))) continue
    const sides = [
      expected === undefined ? "none" : `version ${expected}`,
      found === null ? "none" : `version ${found}`
    ]
    walk.differences.push(inRefusal(walk, refusal.version, "reversal", sides[0]!, sides[1]!))
  }
})
