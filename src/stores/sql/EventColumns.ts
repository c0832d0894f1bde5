/**
 * An event as the columns of its row, and back. What no column says is in `data`, as
 * JSON: the fields of the event's wire shape (`EventCodec.ts`) that are not named here.
 *
 * The columns are the wire's values: an amount's digits, a reference's text. So the
 * codec reads a row as it reads every other log, and is as strict.
 */
import * as Result from "effect/Result"
import type { WalletEvent, WalletEventType } from "../../domain/Event.ts"
import { decodeEventData, eventData } from "../../domain/EventCodec.ts"
import type { Metadata } from "../../domain/Limits.ts"
import { noMetadata } from "../../domain/Limits.ts"
import { isJsonObject, type JsonObject, jsonOf } from "../../domain/Codec.ts"

/** Columns of an event's row that not every event has. */
export interface EventColumns {
  /** Of the balance that moves; `null`: none does. */
  readonly amount: bigint | null
  readonly reference: string | null
  readonly metadata: Metadata
  readonly holdId: string | null
  readonly transferId: string | null
  readonly counterparty: string | null
  readonly refundOf: string | null
  /** Milliseconds; `null`: the event's own time. */
  readonly effectiveAt: number | null
  /** JSON; `null`: the columns say it all. */
  readonly data: string | null
}

/** The fields of the wire shapes that have a column, and the column. */
const columnsOfFields = {
  amount: "amount",
  reference: "reference",
  metadata: "metadata",
  holdId: "hold_id",
  transferId: "transfer_id",
  to: "counterparty",
  from: "counterparty",
  currency: "currency",
  effectiveAt: "effective_at",
  refundOf: "refund_of"
} as const

type ColumnField = keyof typeof columnsOfFields

const movement = ["amount", "reference", "metadata", "effectiveAt"] as const

/**
 * What of each event its columns say, beside `balanceAfter` and `heldAfter`. An amount
 * that moves no balance is not among them. By wire type: a shape that is no longer
 * written keeps its line.
 */
const fieldsInColumns: Readonly<Record<WalletEventType, ReadonlyArray<ColumnField>>> = {
  WalletCreated: ["currency", "metadata"],
  WalletCredited: movement,
  WalletDebited: movement,
  HoldPlaced: ["holdId", "reference", "metadata"],
  HoldCaptured: ["amount", "holdId", "effectiveAt"],
  HoldCapturedTo: ["amount", "holdId", "transferId", "to", "currency", "effectiveAt"],
  HoldChanged: ["holdId"],
  HoldReleased: ["holdId"],
  HoldExpired: ["holdId"],
  TransferSent: ["transferId", "to", "currency", ...movement],
  TransferReceived: ["transferId", "from", ...movement],
  TransferRefused: ["transferId", "from"],
  TransferSettled: ["transferId", "to", "holdId"],
  TransferReversed: ["amount", "transferId", "to", "effectiveAt", "holdId"],
  LegsBegun: ["transferId", "reference", "metadata"],
  LegsPrepared: ["transferId"],
  LegsRefused: ["transferId"],
  LegsApplied: ["transferId"],
  LegsReleased: ["transferId"],
  LegsSettled: ["transferId"],
  RefundReceived: ["refundOf", ...movement],
  RefundPaid: ["refundOf", ...movement],
  WalletFrozen: [],
  WalletUnfrozen: [],
  FreezeExpired: [],
  WalletClosed: [],
  OverdraftLimitChanged: [],
  MetadataChanged: ["metadata"],
  NothingChanged: [],
  OperationReversed: []
}

const isKnownType = (type: string): type is WalletEventType => Object.hasOwn(fieldsInColumns, type)

const after: ReadonlySet<string> = new Set(["balanceAfter", "heldAfter"])

/** For each type the names of the fields that `data` leaves out. */
const leftOut: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries(fieldsInColumns).map(([type, fields]) => [type, new Set([...fields, ...after])])
)

/** `null` when the columns say it all. */
const restOf = (event: WalletEvent): string | null => {
  const columns = leftOut.get(event._tag)!
  const rest = Object.entries(eventData(event)).filter(([name]) => !columns.has(name))
  return rest.length === 0 ? null : JSON.stringify(Object.fromEntries(rest))
}

/** By hand: there is nothing else to say of most settled transfers. */
const amountOnly = (amount: bigint): string => `{"amount":"${amount}"}`

const columns = (
  amount: bigint | null,
  reference: string | null,
  metadata: Metadata,
  holdId: string | null,
  transferId: string | null,
  counterparty: string | null,
  data: string | null,
  effectiveAt: number | null = null,
  refundOf: string | null = null
): EventColumns => ({ amount, reference, metadata, holdId, transferId, counterparty, refundOf, effectiveAt, data })

/**
 * The columns of an event. Those of an OperationReversed repeat what readers of transactions
 * look for. `withData`: also what no column says; a copy does without.
 */
export const columnsOf = (event: WalletEvent, withData = true): EventColumns => {
  const rest = () => (withData ? restOf(event) : null)
  switch (event._tag) {
    case "WalletCredited":
    case "WalletDebited": {
      const forced = event._tag === "WalletDebited" && event.forced !== null
      const data = forced ? rest() : null
      return columns(event.amount, event.reference, event.metadata, null, null, null, data, event.effectiveAt)
    }
    case "TransferSent":
    case "TransferReceived": {
      const { amount, effectiveAt, metadata, reference, transferId } = event
      const counterparty = event._tag === "TransferSent" ? event.to : event.from
      const data = event._tag === "TransferSent" && event.refund !== null ? rest() : null
      return columns(amount, reference, metadata, null, transferId, counterparty, data, effectiveAt)
    }
    case "RefundReceived":
    case "RefundPaid": {
      const { amount, effectiveAt, metadata, reference, refundOf } = event
      return columns(amount, reference, metadata, null, null, null, null, effectiveAt, refundOf)
    }
    case "TransferSettled": {
      const data = withData ? amountOnly(event.amount) : null
      return columns(null, null, noMetadata, event.holdId, event.transferId, event.to, data)
    }
    case "TransferRefused":
      return columns(null, null, noMetadata, null, event.transferId, event.from, rest())
    case "TransferReversed":
    case "HoldCapturedTo": {
      const { amount, effectiveAt, holdId, to, transferId } = event
      return columns(amount, null, noMetadata, holdId, transferId, to, rest(), effectiveAt)
    }
    case "HoldPlaced":
      return columns(null, event.reference, event.metadata, event.holdId, null, null, rest())
    case "HoldCaptured":
      return columns(event.amount, null, noMetadata, event.holdId, null, null, rest(), event.effectiveAt)
    case "HoldChanged":
    case "HoldReleased":
    case "HoldExpired":
      return columns(null, null, noMetadata, event.holdId, null, null, rest())
    case "WalletCreated":
    case "MetadataChanged":
      return columns(null, null, event.metadata, null, null, null, rest())
    case "LegsBegun":
      return columns(null, event.reference, event.metadata, null, event.transferId, null, rest())
    case "LegsPrepared":
    case "LegsRefused":
    case "LegsApplied":
    case "LegsReleased":
    case "LegsSettled":
      return columns(null, null, noMetadata, null, event.transferId, null, rest())
    case "WalletFrozen":
    case "WalletUnfrozen":
    case "FreezeExpired":
    case "WalletClosed":
    case "OverdraftLimitChanged":
    case "NothingChanged":
      return columns(null, null, noMetadata, null, null, null, rest())
    case "OperationReversed": {
      const { balanceChange, restored } = event
      const amount = balanceChange === 0n ? null : balanceChange < 0n ? -balanceChange : balanceChange
      const holdId = restored._tag === "Hold" || restored._tag === "NoCapture" ? restored.hold.id : null
      const transferId = restored._tag === "NoTransfer" || restored._tag === "NoCapture" ? restored.transferId : null
      // Also in a copy: nothing else says in which direction its amount goes.
      return columns(amount, null, noMetadata, holdId, transferId, null, restOf(event))
    }
  }
}

/** The columns as the driver reads them: `numeric` as its digits, `json` parsed. */
export interface EventColumnsRow {
  readonly type: string
  readonly currency: string
  readonly amount: string | null
  readonly balance_after: string
  readonly held_after: string
  readonly reference: string | null
  readonly metadata: Metadata | null
  readonly hold_id: string | null
  readonly transfer_id: string | null
  readonly counterparty: string | null
  readonly effective_at: Date | null
  readonly refund_of: string | null
  readonly data: string | null
}

/** Written out for the two that nearly all events are: no object of fields, no loop. */
const movementOf = (row: EventColumnsRow): JsonObject => ({
  amount: row.amount,
  reference: row.reference,
  metadata: row.metadata ?? noMetadata,
  balanceAfter: row.balance_after,
  heldAfter: row.held_after
})

/** Ends of transfers; most are of no hold. */
const mayBeOfHold: ReadonlySet<string> = new Set<WalletEventType>(["TransferSettled", "TransferReversed"])

/** The failure says what cannot be read. */
export const eventOfColumns = (row: EventColumnsRow): Result.Result<WalletEvent, string> => {
  const { type } = row
  if (!isKnownType(type)) return decodeEventData(type, undefined)
  if ((type === "WalletCredited" || type === "WalletDebited") && row.data === null && row.effective_at === null) {
    return decodeEventData(type, movementOf(row))
  }
  const rest = row.data === null ? {} : jsonOf(row.data)
  if (!isJsonObject(rest)) return Result.fail("data: not an object")
  const data: Record<string, unknown> = { ...rest }
  for (const field of fieldsInColumns[type]) {
    const value = row[columnsOfFields[field]]
    if (field === "effectiveAt") {
      if (row.effective_at !== null) data[field] = row.effective_at.getTime()
    } else if (field !== "holdId" || value !== null || !mayBeOfHold.has(type)) {
      data[field] = field === "metadata" ? (value ?? noMetadata) : value
    }
  }
  data.balanceAfter = row.balance_after
  data.heldAfter = row.held_after
  return decodeEventData(type, data)
}

const columnNames = [
  "amount",
  "reference",
  "metadata",
  "hold_id",
  "transfer_id",
  "counterparty",
  "effective_at",
  "refund_of"
] as const

/** For each type the columns that have to be empty: no event says what would stand there. */
const emptyColumns: ReadonlyMap<string, ReadonlyArray<(typeof columnNames)[number]>> = new Map(
  Object.entries(fieldsInColumns).map(([type, fields]) => {
    const used = new Set<string>(fields.map((field) => columnsOfFields[field]))
    return [type, type === "OperationReversed" ? [] : columnNames.filter((name) => !used.has(name))]
  })
)

export interface WrongColumn {
  readonly name: string
  readonly expected: string
  readonly found: string
}

/** Of the columns of an OperationReversed that repeat its data. */
const wrongCopy = (row: EventColumnsRow, event: WalletEvent): WrongColumn | undefined => {
  const { amount, holdId, transferId } = columnsOf(event, false)
  const expected = { amount: amount === null ? null : String(amount), hold_id: holdId, transfer_id: transferId }
  for (const name of ["amount", "hold_id", "transfer_id"] as const) {
    if (row[name] !== expected[name]) return { name, expected: String(expected[name]), found: String(row[name]) }
  }
  return undefined
}

/**
 * A column of the event's row that readers of transactions look at, and that the event
 * itself was not read from: it has to repeat the event, or to be empty.
 */
export const wrongColumn = (row: EventColumnsRow, event: WalletEvent): WrongColumn | undefined => {
  for (const name of emptyColumns.get(event._tag)!) {
    if (row[name] !== null) return { name, expected: "nothing", found: JSON.stringify(row[name]) }
  }
  return event._tag === "OperationReversed" ? wrongCopy(row, event) : undefined
}
