/**
 * Rebuilds where the events are the log: they stay where they are, and only what is derived of them
 * is written, once per wallet, after its last event. The events are read in the order of wallets,
 * so no state is loaded, kept or written twice.
 *
 * Slices of wallets are taken several at a time: while one waits for the database another is
 * folded. It leaves no checkpoint: cut off, `catchUp` finds the wallets that are not done.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Semaphore from "effect/Semaphore"
import type { RecordedEvent } from "../../domain/Event.ts"
import { fold } from "../../domain/Evolve.ts"
import type { HoldChange } from "../../domain/Hold.ts"
import type { LegsChange } from "../../domain/Legs.ts"
import { holdChanges, legsChanges, transferChanges } from "../../domain/EventKinds.ts"
import { type TransferChange, transferChanged } from "../../domain/Transfer.ts"
import type { Hold, Transfer, Wallet } from "../../domain/Wallet.ts"
import { ReplayDiverged, patiently, type RebuildCounts, type RebuildStores, type WriteError } from "./RebuildStores.ts"
import { rebuildWallets } from "./WalletRebuild.ts"
import type { ScannedEvent, EventStore, ScannedEvents } from "../../stores/EventStore.ts"
import { type EventUnreadable, type ReadError, StoreDefect } from "../../stores/StoreError.ts"
import {
  type DerivedLegs,
  type DerivedWallet,
  type RowReplacement,
  type WalletHead,
  justBefore,
  type WalletRange
} from "../../stores/WalletRows.ts"

interface Placed {
  readonly version: number
  readonly hold: Hold
}

interface Sent {
  readonly version: number
  readonly position: bigint
  readonly transfer: Transfer
}

/** Whether an event touches no more than the wallet's row: nearly all do. */
const isPlain = ({ event: { _tag } }: RecordedEvent): boolean =>
  _tag === "WalletCredited" || _tag === "WalletDebited" || _tag === "TransferReceived" || _tag === "WalletCreated"

export class WalletFold {
  readonly walletId: string
  readonly #holds = new Map<string, Placed>()
  readonly #transfers = new Map<string, Sent>()
  readonly #legs = new Map<string, DerivedLegs>()
  #legRows = 0
  #wallet: Wallet | undefined
  #position = 0n

  constructor(walletId: string) {
    this.walletId = walletId
  }

  /** Of the last event taken; `-1`: none. */
  get version(): number {
    return this.#wallet?.version ?? -1
  }

  /** How many rows it makes. */
  get rows(): number {
    return 1 + this.#holds.size + this.#transfers.size + this.#legRows
  }

  /** The next events, in order. `false`: they do not follow. */
  take(events: ReadonlyArray<ScannedEvent>): boolean {
    const first = this.version + 1
    if (events.some(({ recorded }, index) => recorded.version !== first + index)) return false
    if (first === 0) this.#position = events[0]!.position
    const recorded = events.map((one) => one.recorded)
    this.#wallet = fold(this.#wallet, recorded)
    if (recorded.every(isPlain)) return true
    for (const change of holdChanges({ events: recorded })) this.#changeHold(change)
    for (const change of transferChanges({ events: recorded })) {
      const position = change._tag === "Sent" ? events[change.version - first]!.position : 0n
      this.#changeTransfer(change, position)
    }
    for (const change of legsChanges({ events: recorded })) {
      this.#changeLegs(change, change._tag === "Applied" ? events[change.version - first] : undefined)
    }
    return true
  }

  /** `undefined`: there were no events. */
  get derived(): DerivedWallet | undefined {
    if (this.#wallet === undefined) return undefined
    return {
      wallet: this.#wallet,
      position: this.#position,
      holds: Array.from(this.#holds.values()),
      transfers: Array.from(this.#transfers.values()),
      legs: Array.from(this.#legs.values())
    }
  }

  #changeHold(change: HoldChange): void {
    if (change._tag === "Placed") {
      this.#holds.set(change.hold.id, { version: change.version, hold: change.hold })
      return
    }
    const before = this.#holds.get(change.holdId)
    if (before === undefined) return
    const { captured, remaining, status } = change
    this.#holds.set(change.holdId, { ...before, hold: { ...before.hold, captured, remaining, status } })
  }

  #changeLegs(change: LegsChange, applied: ScannedEvent | undefined): void {
    const { transferId } = change
    this.#legRows -= this.#legs.get(transferId)?.change.legs.length ?? 0
    this.#legs.delete(transferId)
    if (change._tag === "Released") return
    this.#legRows += change.legs.length
    this.#legs.set(transferId, { change, applied })
  }

  #changeTransfer(change: TransferChange, position: bigint): void {
    if (change._tag === "Sent") {
      this.#transfers.set(change.transfer.id, { version: change.version, position, transfer: change.transfer })
      return
    }
    const before = this.#transfers.get(change.transferId)
    if (before === undefined) return
    this.#transfers.set(change.transferId, { ...before, transfer: transferChanged(before.transfer, change) })
  }
}

/** Slices under way at a time. */
const slices = 2
/** Wallets of a slice. */
const walletsPerSlice = 500
/** Rows that are replaced in one transaction: wallets' owners wait for so many, some 50 ms. */
const replacedRows = 2_000
/** Rows of one wallet kept in memory, about 1 kB each. One with more is replaced by its stream. */
const walletRows = 50_000

export interface RebuildScans {
  readonly events: NonNullable<EventStore["Service"]["scan"]>
  readonly rows: RowReplacement
}

/** `undefined`: these stores are rebuilt in the order of the log. */
export const scansOf = ({ log, persistence }: RebuildStores): RebuildScans | undefined =>
  log.scan === undefined || persistence.rowReplacement === undefined
    ? undefined
    : { events: log.scan, rows: persistence.rowReplacement }

export interface SliceWalk {
  readonly stores: RebuildStores
  readonly scans: RebuildScans
  readonly counts: RebuildCounts
  /** Wallets whose rows are there are left alone. */
  readonly onlyBehind: boolean
  /** Events per read. */
  readonly pageEvents: number
  /** Called after each step, with the number of events that are done. */
  readonly onDone: (events: number) => Effect.Effect<void>
}

/** What one slice has gathered to be written. */
class Gathered {
  readonly wallets: Array<DerivedWallet> = []
  /** To be replaced by their streams. */
  readonly apart: Array<string> = []
  rows = 0

  add(derived: DerivedWallet, rows: number): void {
    this.wallets.push(derived)
    this.rows += rows
  }
}

const flush = Effect.fnUntraced(function* (
  { counts, scans, stores }: SliceWalk,
  gathered: Gathered
): Effect.fn.Return<void, WriteError> {
  const wallets = gathered.wallets.splice(0)
  gathered.rows = 0
  const moved = yield* patiently(scans.rows.replace(wallets))
  for (const { wallet } of wallets) {
    if (moved.has(wallet.id)) gathered.apart.push(wallet.id)
    else counts.written += wallet.version + 1
  }
  for (const walletId of gathered.apart.splice(0)) {
    const own: RebuildCounts = { events: 0, written: 0, refused: 0 }
    yield* patiently(rebuildWallets(stores, own, [walletId]))
    counts.written += own.written
  }
})

/** The page's events by wallet, as they follow one another. */
const runsOf = (page: ReadonlyArray<ScannedEvent>): ReadonlyArray<ReadonlyArray<ScannedEvent>> => {
  const runs: Array<ReadonlyArray<ScannedEvent>> = []
  let from = 0
  for (let at = 1; at <= page.length; at++) {
    if (at < page.length && page[at]!.recorded.walletId === page[from]!.recorded.walletId) continue
    runs.push(page.slice(from, at))
    from = at
  }
  return runs
}

const broken = (walletId: string, version: number): StoreDefect =>
  new StoreDefect({ store: "log", reason: `the events of wallet ${walletId} have a gap behind version ${version}` })

/** Replaces the rows of all wallets of the range. */
const replaceRange = Effect.fnUntraced(function* (
  walk: SliceWalk,
  { after, to }: WalletRange
): Effect.fn.Return<void, WriteError> {
  const { counts, onDone, pageEvents, scans } = walk
  const gathered = new Gathered()
  const read = (walletId: string, version: number) =>
    patiently(scans.events({ after: { walletId, version }, to, limit: pageEvents }))
  let current: WalletFold | undefined
  let givenUp: string | undefined
  const end = (): void => {
    const derived = current?.derived
    if (derived !== undefined) gathered.add(derived, current!.rows)
    current = undefined
  }
  const ahead = (walletId: string, version: number) =>
    Effect.forkChild(read(walletId, version), { startImmediately: true })
  let next: Fiber.Fiber<ScannedEvents, ReadError | EventUnreadable> | undefined = yield* ahead(
    after,
    Number.MAX_SAFE_INTEGER
  )
  while (next !== undefined) {
    const { events }: ScannedEvents = yield* Fiber.join(next)
    const last: RecordedEvent | undefined = events.at(-1)?.recorded
    const isLast: boolean = last === undefined || events.length < pageEvents
    next = last === undefined || isLast ? undefined : yield* ahead(last.walletId, last.version)
    for (const run of runsOf(events)) {
      const { walletId } = run[0]!.recorded
      if (current?.walletId !== walletId) {
        end()
        if (gathered.rows >= replacedRows) yield* flush(walk, gathered)
        if (givenUp === walletId) continue
        current = new WalletFold(walletId)
      }
      if (!current.take(run)) return yield* broken(walletId, current.version)
      if (current.rows > walletRows) {
        gathered.apart.push(walletId)
        givenUp = walletId
        current = undefined
      }
    }
    counts.events += events.length
    if (isLast) end()
    if (isLast) yield* flush(walk, gathered)
    yield* onDone(events.length)
  }
})

/** Wallets side by side that have to be replaced, as ranges; the others are counted. */
const rangesOf = Effect.fnUntraced(function* (
  { counts, onDone, onlyBehind }: SliceWalk,
  heads: ReadonlyArray<WalletHead>
): Effect.fn.Return<ReadonlyArray<WalletRange>, ReplayDiverged> {
  const ranges: Array<{ readonly after: string; to: string }> = []
  let done = 0
  let isOpen = false
  for (const { last, persisted, walletId } of heads) {
    if (onlyBehind && persisted > last) return yield* new ReplayDiverged({ walletId, persistedVersion: persisted })
    if (onlyBehind && persisted === last) {
      done += last + 1
      isOpen = false
    } else if (isOpen) ranges.at(-1)!.to = walletId
    else {
      ranges.push({ after: justBefore(walletId), to: walletId })
      isOpen = true
    }
  }
  counts.events += done
  yield* onDone(done)
  return ranges
})

/** Replaces the rows of all wallets that the log has, or of those that are behind. */
export const rebuildSlices = (walk: SliceWalk): Effect.Effect<void, WriteError> => {
  const oneAtATime = Semaphore.makeUnsafe(1)
  let after: string | undefined = ""
  const next: Effect.Effect<ReadonlyArray<WalletHead>, ReadError> = Effect.suspend(() => {
    if (after === undefined) return Effect.succeed([])
    return Effect.map(patiently(walk.scans.rows.heads(after, walletsPerSlice)), (heads) => {
      after = heads.length < walletsPerSlice ? undefined : heads.at(-1)!.walletId
      return heads
    })
  })
  const worker = Effect.gen(function* () {
    while (true) {
      const heads = yield* oneAtATime.withPermits(1)(next)
      if (heads.length === 0) return
      for (const range of yield* rangesOf(walk, heads)) yield* replaceRange(walk, range)
    }
  })
  const workers = Array.from({ length: slices }, () => worker)
  return Effect.all(workers, { concurrency: "unbounded", discard: true })
}
