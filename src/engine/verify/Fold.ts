/**
 * Folds one wallet's stream event by event, with the rows that it must have left, and
 * judges the stream itself: versions without gaps, balances that add up, holds that
 * were placed before they close. Pure; a finding is a value, never an exception.
 *
 * An event that a user's rule has refused moves the state and leaves no rows: the
 * wallet's row stays as it was, but for its version. A wallet whose creation was
 * refused has none at all.
 */
import * as HashMap from "effect/HashMap"
import type { RecordedEvent } from "../../domain/Event.ts"
import { evolve } from "../../domain/Evolve.ts"
import { holdOf, holdProgressed } from "../../domain/Hold.ts"
import { holdChanges, transferChanges } from "../../domain/EventKinds.ts"
import { transferChanged } from "../../domain/Transfer.ts"
import { type Hold, type Transfer, viewOf, type Wallet } from "../../domain/Wallet.ts"
import { walletBytes } from "../../domain/WalletSize.ts"
import { maxSnapshotBytes } from "../../stores/EventStore.ts"
import type { WalletView } from "../../stores/Persistence.ts"
import { arithmeticDoubts, reversalDoubt } from "./Arithmetic.ts"
import { defaultVerifyBounds, recentEvents } from "./Options.ts"
import { type Difference, logDifference } from "./Report.ts"

/** Values of one wallet, so that one that comes again is noticed; up to a bound. */
class Seen {
  readonly #bound: number
  readonly #inOrder: Array<string> = []
  #all: Set<string> | undefined
  #last = ""

  constructor(bound: number) {
    this.#bound = bound
  }

  /** Whether it comes for the first time. Values that go up are new without a look: ids begin with their time. */
  isNew(value: string): boolean {
    if (this.#all === undefined) {
      if (value > this.#last) {
        this.#last = value
        if (this.#inOrder.length < this.#bound) this.#inOrder.push(value)
        return true
      }
      this.#all = new Set(this.#inOrder)
    }
    const before = this.#all.size
    if (before >= this.#bound) return !this.#all.has(value)
    return this.#all.add(value).size > before
  }
}

/**
 * The commands of one wallet as its events tell them, in order: the events of one have one
 * key, no other has the same, and no id is there twice.
 */
class CommandTrail {
  readonly #ids: Seen
  readonly #keys: Seen
  #key: string | undefined
  #commandId: string | undefined
  /** How many commands. */
  commands = 0

  /** `bound`: of ids and of keys remembered. */
  constructor(bound: number) {
    this.#ids = new Seen(bound)
    this.#keys = new Seen(bound)
  }

  /** The next event. `undefined`: nothing is wrong. */
  follow({ id, metadata, version, walletId }: RecordedEvent): Difference | undefined {
    const { commandId, key } = metadata
    const goesOn = commandId === this.#commandId
    const expectedKey = this.#key
    const isNewId = this.#ids.isNew(id)
    const isNewKey = goesOn || this.#keys.isNew(key)
    this.#key = key
    this.#commandId = commandId
    if (!goesOn) this.commands += 1
    if (goesOn && key !== expectedKey) return logDifference(walletId, `key of event ${version}`, expectedKey!, key)
    if (!isNewKey) return logDifference(walletId, `key of event ${version}`, "a key of its own", `again ${key}`)
    return isNewId ? undefined : logDifference(walletId, `id of event ${version}`, "an id of its own", `again ${id}`)
  }
}

/** Rows of one kind as they must be, by id. */
export interface ExpectedRows<Row> {
  /** Those that may still change; their number has a bound by the rules. */
  readonly open: Map<string, Row>
  /** The others; taken out once compared. */
  readonly closed: Map<string, Row>
}

const noRows = <Row>(): ExpectedRows<Row> => ({ open: new Map(), closed: new Map() })

export interface WalletFold {
  readonly walletId: string
  wallet: Wallet | undefined
  /** Id of the last event. */
  eventId: string
  /** The state that the wallet's row shows, but for the version: after the last event that left rows. */
  shown: Wallet | undefined
  creationRefused: boolean
  readonly holds: ExpectedRows<Hold>
  /** Of which this wallet is the source. */
  readonly transfers: ExpectedRows<Transfer>
  readonly commands: CommandTrail
  /** The last events, each at its version modulo their number. */
  readonly recent: Array<RecordedEvent>
  /** Reversals of events before those; taken out once they are looked up. */
  readonly farReversals: Array<RecordedEvent>
}

/** `idsRemembered`: ids and keys, so that one that comes again is noticed. */
export const startFold = (walletId: string, idsRemembered = defaultVerifyBounds.idsPerWallet): WalletFold => ({
  walletId,
  wallet: undefined,
  eventId: "",
  shown: undefined,
  creationRefused: false,
  holds: noRows(),
  transfers: noRows(),
  commands: new CommandTrail(idsRemembered),
  recent: [],
  farReversals: []
})

export const foldVersion = (fold: WalletFold): number => fold.wallet?.version ?? -1

/** Why `recorded` cannot follow; then the stream cannot be folded any further. */
const broken = (fold: WalletFold, recorded: RecordedEvent): Difference | undefined => {
  const next = foldVersion(fold) + 1
  if (recorded.version !== next) {
    return logDifference(fold.walletId, "version", String(next), String(recorded.version))
  }
  const isCreation = recorded.event._tag === "WalletCreated"
  if (isCreation === (next === 0)) return undefined
  const expected = next === 0 ? "WalletCreated" : "an event after WalletCreated"
  return logDifference(fold.walletId, `type of event ${next}`, expected, recorded.event._tag)
}

/** What is wrong with an event that can be folded all the same. */
const doubts = (fold: WalletFold, recorded: RecordedEvent): ReadonlyArray<Difference> => {
  const found = arithmeticDoubts(fold.walletId, fold.wallet, recorded)
  const command = fold.commands.follow(recorded)
  const reversal = recorded.event._tag === "OperationReversed" ? judgeReversal(fold, recorded) : undefined
  return command === undefined && reversal === undefined
    ? found
    : [...found, ...[command, reversal].filter((one) => one !== undefined)]
}

/** By the event that it reverses, where that is among the last ones. */
const judgeReversal = (fold: WalletFold, recorded: RecordedEvent): Difference | undefined => {
  const { event } = recorded
  if (event._tag !== "OperationReversed") return undefined
  const reversed = fold.recent[event.reversedVersion % recentEvents]
  if (reversed?.version === event.reversedVersion) return reversalDoubt(recorded, event, reversed)
  fold.farReversals.push(recorded)
  return undefined
}

const put = <Row>(rows: ExpectedRows<Row>, id: string, row: Row, isOpen: boolean): void => {
  rows.open.delete(id)
  rows.closed.delete(id)
  ;(isOpen ? rows.open : rows.closed).set(id, row)
}

/** A closed hold that was compared and let go is known again from the event that restores it. */
const restored = ({ event, walletId }: RecordedEvent): Hold | undefined =>
  event._tag === "OperationReversed" && (event.restored._tag === "Hold" || event.restored._tag === "NoCapture")
    ? holdOf(walletId, event.restored.hold)
    : undefined

/** Open is also a closed one that may be open again: something of it is in flight. */
const trackHolds = ({ holds }: WalletFold, recorded: RecordedEvent, wallet: Wallet): void => {
  for (const change of holdChanges({ events: [recorded] })) {
    if (change._tag === "Placed") {
      put(holds, change.hold.id, change.hold, true)
      continue
    }
    const { holdId, status } = change
    const before = holds.open.get(holdId) ?? holds.closed.get(holdId) ?? restored(recorded)
    // Without one its placing was refused: then there is no row to change.
    if (before !== undefined)
      put(holds, holdId, holdProgressed(before, change), status === "active" || HashMap.has(wallet.holds, holdId))
  }
}

const trackTransfers = ({ transfers }: WalletFold, recorded: RecordedEvent): void => {
  for (const change of transferChanges({ events: [recorded] })) {
    if (change._tag === "Sent") {
      put(transfers, change.transfer.id, change.transfer, true)
      continue
    }
    const { status, transferId } = change
    const before = transfers.open.get(transferId) ?? transfers.closed.get(transferId)
    if (before === undefined) continue
    put(transfers, transferId, transferChanged(before, change), status === "pending")
  }
}

/** As the wallet's row must be; `undefined`: there must be none. */
export const expectedRow = (fold: WalletFold): WalletView | undefined => {
  if (fold.shown === undefined) return undefined
  return { ...viewOf(fold.shown), version: foldVersion(fold) }
}

/** What the event does to the rows. */
const trackRows = (fold: WalletFold, recorded: RecordedEvent, wallet: Wallet, refused: boolean): void => {
  if (refused && recorded.version === 0) fold.creationRefused = true
  if (fold.creationRefused) return
  if (refused) return
  fold.shown = wallet
  trackHolds(fold, recorded, wallet)
  trackTransfers(fold, recorded)
}

/**
 * Takes the next event into the fold; `refused`: by a user's rule. `goesOn: false`: the
 * stream is broken here and the fold stays before this event.
 */
export const foldEvent = (
  fold: WalletFold,
  recorded: RecordedEvent,
  refused: boolean
): { readonly goesOn: boolean; readonly differences: ReadonlyArray<Difference> } => {
  const stop = broken(fold, recorded)
  if (stop !== undefined) return { goesOn: false, differences: [stop] }
  const differences = doubts(fold, recorded)
  const wallet = evolve(fold.wallet, recorded)
  trackRows(fold, recorded, wallet, refused)
  fold.wallet = wallet
  fold.eventId = recorded.id
  fold.recent[recorded.version % recentEvents] = recorded
  return { goesOn: true, differences }
}

/** A state that no bound allows, and of which no snapshot is kept: such a wallet is loaded from all its events. */
export const sizeDifference = ({ wallet, walletId }: WalletFold): Difference | undefined => {
  const size = wallet === undefined ? 0 : walletBytes(wallet)
  return size <= maxSnapshotBytes
    ? undefined
    : logDifference(walletId, "bytes of the state", `at most ${maxSnapshotBytes}`, String(size))
}

/** Whether `held` is the sum of the open holds and of what is held in transit. */
export const heldDifference = ({ wallet, walletId }: WalletFold): Difference | undefined => {
  if (wallet === undefined) return undefined
  let sum = 0n
  for (const hold of HashMap.values(wallet.holds)) sum += hold.remaining
  for (const { held } of HashMap.values(wallet.prepared)) sum += held
  for (const { capture } of HashMap.values(wallet.transfers)) sum += capture?.rest ?? 0n
  return sum === wallet.held
    ? undefined
    : logDifference(walletId, `held after event ${wallet.version}`, String(sum), String(wallet.held))
}
