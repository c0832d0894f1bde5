/**
 * Events as rows of the statement that writes them (`CommitStatement.ts`): elements of an array of composite values. They
 * may be encoded before their append is made, while the one before it is in flight.
 */
import type { Commit } from "../../domain/Commit.ts"
import type { EventMetadata, RecordedEvent, WalletEvent } from "../../domain/Event.ts"
import { wireType } from "../../domain/EventCodec.ts"
import { type Metadata, noMetadata } from "../../domain/Limits.ts"
import type { Wallet } from "../../domain/Wallet.ts"
import { transactionWords } from "../SearchWords.ts"
import { CompositeArray } from "./CompositeArray.ts"
import { columnsOf, type EventColumns } from "./EventColumns.ts"

/** Fields of the type `given_event`. */
const eventFields = 23

/** Usual bytes of a row; more is not an error. */
const eventBytes = 512

export const eventRowsFor = (events: number): CompositeArray => new CompositeArray(eventFields, events * eventBytes)

export interface EventRowOptions {
  /** The events are the log: with what is kept nowhere else. */
  readonly log: boolean
  /** Search is in this database. */
  readonly words: boolean
}

/** `undefined`: left out of the JSON, SQL's null. */
export const metadataOf = (metadata: Metadata): Metadata | undefined =>
  metadata === noMetadata || Object.keys(metadata).length === 0 ? undefined : metadata

const metadataJson = (metadata: Metadata): string | null =>
  metadataOf(metadata) === undefined ? null : JSON.stringify(metadata)

/** What else is known of the command, as JSON; `null` when there is nothing else. */
const originOf = (id: string, metadata: EventMetadata): string | null => {
  const { actor, causationId, commandId, correlationId, keyLimit } = metadata
  const isPlain = actor === null && causationId === null && correlationId === null && keyLimit === undefined
  if (isPlain && commandId === id) return null
  return JSON.stringify({
    commandId: commandId === id ? undefined : commandId,
    correlationId: correlationId ?? undefined,
    causationId: causationId ?? undefined,
    actor: actor ?? undefined,
    keyId: keyLimit?.keyId,
    keyPerDay: keyLimit?.perDay.toString()
  })
}

interface Texts {
  readonly reference: string | null
  readonly metadata: Metadata
}

/** `null`: there are none. Texts without a word have an empty list: `null` beside texts is not written yet. */
export const wordsOfTexts = ({ metadata, reference }: Texts): ReadonlyArray<string> | null =>
  reference === null && metadata === noMetadata ? null : transactionWords({ reference, metadata })

/** Of a transfer of several legs: its own and those of its legs. */
export const transferWords = (texts: ReadonlyArray<Texts>): ReadonlyArray<string> | null => {
  const words = new Set(texts.flatMap((one) => wordsOfTexts(one) ?? []))
  return words.size === 0 ? null : [...words]
}

/** What an event's row is found by: a transaction by its own texts, a transfer of several legs by all of them. */
export const wordsOf = (event: WalletEvent, columns: EventColumns): ReadonlyArray<string> | null => {
  if (event._tag === "LegsBegun") return transferWords([event, ...event.legs])
  return columns.amount === null ? null : wordsOfTexts(columns)
}

export const addEvent = (
  rows: CompositeArray,
  number: number,
  recorded: RecordedEvent,
  currency: string,
  options: EventRowOptions
): void => {
  const { event, id, metadata, time, version, walletId } = recorded
  const columns = columnsOf(event, options.log)
  rows
    .begin()
    .int4(number)
    .int8(version)
    .time(time)
    .int8(metadata.epoch)
    .uuid(id)
    .text(walletId)
    .text(wireType(event))
    .text(metadata.key)
    .text(metadata.fingerprint)
    .text(currency)
    .numeric(columns.amount)
    .numeric(event.balanceAfter)
    .numeric(event.heldAfter)
    .text(columns.reference)
    .json(metadataJson(columns.metadata))
    .text(columns.holdId)
    .text(columns.transferId)
    .text(columns.counterparty)
    .text(columns.data)
    .text(options.log ? originOf(id, metadata) : null)
    .texts(options.words ? wordsOf(event, columns) : null)
    .timeOrNull(columns.effectiveAt)
    .text(columns.refundOf)
    .end()
}

/** Rows of events that are encoded before their append is made. */
export class PreparedEvents {
  private readonly rows = new WeakMap<ReadonlyArray<RecordedEvent>, PreparedRows>()
  private readonly options: EventRowOptions

  constructor(options: EventRowOptions) {
    this.options = options
  }

  /** Encodes what has come to the array since. */
  prepare(events: ReadonlyArray<RecordedEvent>, { currency }: Wallet): void {
    const known = this.rows.get(events)
    const rows = known?.rows ?? eventRowsFor(events.length)
    for (let at = known?.count ?? 0; at < events.length; at++) addEvent(rows, 0, events[at]!, currency, this.options)
    if (known === undefined) this.rows.set(events, { rows, count: events.length })
    else known.count = events.length
  }

  /** Those of the first so many events. */
  of(events: ReadonlyArray<RecordedEvent>): PreparedRows | undefined {
    return this.rows.get(events)
  }
}

interface PreparedRows {
  readonly rows: CompositeArray
  count: number
}

/** All of a commit, those that are prepared by copying them. */
export const addEvents = (
  rows: CompositeArray,
  number: number,
  { events, wallet }: Commit,
  options: EventRowOptions,
  prepared: PreparedEvents | undefined
): void => {
  const ready = prepared?.of(events)
  if (ready !== undefined) rows.addAll(ready.rows, number)
  for (let at = ready?.count ?? 0; at < events.length; at++) {
    addEvent(rows, number, events[at]!, wallet.currency, options)
  }
}
