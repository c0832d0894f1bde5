/**
 * Commits turned into rows: the parameters of the statement that writes them (`CommitStatement.ts`).
 * Events and wallets as arrays of composite values; rows of holds and transfers as JSON, for
 * there are few of them in a batch.
 */
import type { Commit } from "../../domain/Commit.ts"
import type { EventMetadata, RecordedEvent, WalletEvent } from "../../domain/Event.ts"
import { wireType } from "../../domain/EventCodec.ts"
import { walletTag } from "../../domain/EventId.ts"
import { type Metadata, noMetadata } from "../../domain/Limits.ts"
import { holdChanges, transferChanges } from "../../domain/Projection.ts"
import type { Hold, Transfer } from "../../domain/Wallet.ts"
import { transactionWords, walletWords } from "../SearchWords.ts"
import type { CommitParts } from "./CommitStatement.ts"
import { CompositeArray } from "./CompositeArray.ts"
import { columnsOf, type EventColumns } from "./EventColumns.ts"

/** `undefined`: left out of the JSON, SQL's null. */
export const metadataOf = (metadata: Metadata): Metadata | undefined =>
  metadata === noMetadata || Object.keys(metadata).length === 0 ? undefined : metadata

export const isoTime = (millis: number): string => new Date(millis).toISOString()

/** `version`: of the event that placed it. */
export const holdJson = (hold: Hold, version: number): object => ({
  wallet_id: hold.walletId,
  id: hold.id,
  version,
  amount: String(hold.amount),
  captured: String(hold.captured),
  remaining: String(hold.remaining),
  status: hold.status,
  expires_at: hold.expiresAt === null ? undefined : isoTime(hold.expiresAt),
  reference: hold.reference ?? undefined,
  metadata: metadataOf(hold.metadata),
  created_at: isoTime(hold.createdAt)
})

/** But for the position. `version`: of the event that sent it. */
export const transferJson = (transfer: Transfer, version: number): object => ({
  wallet_id: transfer.from,
  id: transfer.id,
  to_wallet_id: transfer.to,
  version,
  amount: String(transfer.amount),
  currency: transfer.currency,
  status: transfer.status,
  reason: transfer.reason ?? undefined,
  reference: transfer.reference ?? undefined,
  metadata: metadataOf(transfer.metadata),
  created_at: isoTime(transfer.createdAt),
  effective_at: transfer.effectiveAt === transfer.createdAt ? undefined : isoTime(transfer.effectiveAt),
  updated_at: isoTime(transfer.updatedAt)
})

/** Fields of the types `given_commit` and `given_event`. */
const commitFields = 11
const eventFields = 22

/** Usual bytes of a row; more is not an error. */
const commitBytes = 256
const eventBytes = 512

export interface CommitBatchOptions {
  /** The events are the log: with what is kept nowhere else. */
  readonly log: boolean
  /** Search is in this database. */
  readonly words: boolean
}

const metadataJson = (metadata: Metadata): string | null =>
  metadataOf(metadata) === undefined ? null : JSON.stringify(metadata)

/** What else is known of the command, as JSON; `null` when there is nothing else. */
const originOf = (id: string, metadata: EventMetadata): string | null => {
  const { actor, causationId, commandId, correlationId } = metadata
  if (actor === null && causationId === null && correlationId === null && commandId === id) return null
  return JSON.stringify({
    commandId: commandId === id ? undefined : commandId,
    correlationId: correlationId ?? undefined,
    causationId: causationId ?? undefined,
    actor: actor ?? undefined
  })
}

/** Of a transaction's own texts; `null`: it has none. Texts without a word have an empty list: `null` beside texts is not written yet. */
const wordsOf = ({ amount, metadata, reference }: EventColumns): ReadonlyArray<string> | null =>
  amount === null || (reference === null && metadata === noMetadata) ? null : transactionWords({ reference, metadata })

const changesDetails = (event: WalletEvent): boolean =>
  event._tag === "MetadataChanged" || (event._tag === "OperationReversed" && event.restored._tag === "Metadata")

const hasDetails = ({ events, expectedVersion }: Commit): boolean =>
  expectedVersion === -1 || events.some(({ event }) => changesDetails(event))

/** What of a wallet's row does not change with its money, as JSON. */
const detailsOf = ({ wallet, walletId }: Commit, words: boolean): string =>
  JSON.stringify({
    ownerId: wallet.ownerId,
    currency: wallet.currency,
    createdAt: isoTime(wallet.createdAt),
    tag: walletTag(walletId),
    metadata: metadataOf(wallet.metadata),
    words: words ? walletWords(wallet) : undefined
  })

const unsureOf = ({ unsureKeys }: Commit): ReadonlyArray<string> | null =>
  unsureKeys === undefined || unsureKeys.length === 0 ? null : unsureKeys

const addCommit = (
  rows: CompositeArray,
  commit: Commit,
  first: number,
  details: string | null,
  unsure: ReadonlyArray<string> | null
): void => {
  const { events, expectedVersion, wallet, walletId } = commit
  rows
    .begin()
    .text(walletId)
    .int8(expectedVersion)
    .int4(events.length)
    .int4(first)
    .text(wallet.status)
    .numeric(wallet.balance)
    .numeric(wallet.held)
    .numeric(wallet.overdraftLimit)
    .time(wallet.updatedAt)
    .text(details)
    .texts(unsure)
    .end()
}

const addEvent = (
  rows: CompositeArray,
  number: number,
  recorded: RecordedEvent,
  currency: string,
  options: CommitBatchOptions
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
    .texts(options.words ? wordsOf(columns) : null)
    .timeOrNull(columns.effectiveAt)
    .end()
}

/** Rows of holds, as JSON; there are few of them. */
interface HoldRows {
  readonly placed: Array<unknown>
  readonly changed: Array<unknown>
}

const addHolds = (rows: HoldRows, number: number, commit: Commit): void => {
  for (const change of holdChanges(commit)) {
    const where = { commit: number, wallet_id: commit.walletId }
    if (change._tag === "Changed") {
      const { captured, holdId, remaining, status } = change
      const amounts = { captured: String(captured), remaining: String(remaining) }
      rows.changed.push({ ...where, id: holdId, ...amounts, status })
      continue
    }
    const { hold, version } = change
    rows.placed.push({ ...where, ...holdJson(hold, version) })
  }
}

/** Rows of transfers, as JSON. */
interface TransferRows {
  readonly sent: Array<unknown>
  readonly changed: Array<unknown>
}

/** `before`: how many events of the batch come before the commit's first. */
const addTransfers = (rows: TransferRows, number: number, commit: Commit, before: number): void => {
  for (const change of transferChanges(commit)) {
    const where = { commit: number, wallet_id: commit.walletId }
    if (change._tag === "Changed") {
      const { reason, status, transferId, updatedAt } = change
      rows.changed.push({
        ...where,
        id: transferId,
        status,
        reason: reason ?? undefined,
        updated_at: updatedAt === null ? undefined : isoTime(updatedAt)
      })
      continue
    }
    const { transfer, version } = change
    const ord = before + version - commit.expectedVersion
    rows.sent.push({ ...where, ord, ...transferJson(transfer, version) })
  }
}

const addReversals = (rows: Array<unknown>, number: number, { events, walletId }: Commit): void => {
  for (const { event, version } of events) {
    if (event._tag !== "OperationReversed") continue
    rows.push({ commit: number, wallet_id: walletId, version, reversed: event.reversedVersion })
  }
}

const jsonOf = (rows: ReadonlyArray<unknown>): string | null => (rows.length === 0 ? null : JSON.stringify(rows))

export interface CommitBatch {
  readonly commits: CompositeArray
  readonly events: CompositeArray
  /** How many events. */
  readonly size: number
  readonly holdsPlaced: string | null
  readonly holdsChanged: string | null
  readonly transfersSent: string | null
  readonly transfersChanged: string | null
  /** Of refused events. */
  readonly reversals: string | null
  /** What there are rows for. */
  readonly parts: CommitParts
}

/** The rows of these commits, numbered from 1 in their order. */
export const commitBatch = (commits: ReadonlyArray<Commit>, options: CommitBatchOptions): CommitBatch => {
  const size = commits.reduce((events, commit) => events + commit.events.length, 0)
  const commitRows = new CompositeArray(commitFields, commits.length * commitBytes)
  const eventRows = new CompositeArray(eventFields, size * eventBytes)
  const holds: HoldRows = { placed: [], changed: [] }
  const transfers: TransferRows = { sent: [], changed: [] }
  const reversals: Array<unknown> = []
  let creates = false
  let details = false
  let isUnsure = false
  let before = 0
  for (const [index, commit] of commits.entries()) {
    const number = index + 1
    const isDetailed = hasDetails(commit)
    const unsure = options.log ? unsureOf(commit) : null
    addCommit(commitRows, commit, before, isDetailed ? detailsOf(commit, options.words) : null, unsure)
    if (unsure !== null) isUnsure = true
    if (commit.expectedVersion === -1) creates = true
    else if (isDetailed) details = true
    const { currency } = commit.wallet
    for (const recorded of commit.events) addEvent(eventRows, number, recorded, currency, options)
    addHolds(holds, number, commit)
    addTransfers(transfers, number, commit, before)
    addReversals(reversals, number, commit)
    before += commit.events.length
  }
  return {
    commits: commitRows,
    events: eventRows,
    size,
    holdsPlaced: jsonOf(holds.placed),
    holdsChanged: jsonOf(holds.changed),
    transfersSent: jsonOf(transfers.sent),
    transfersChanged: jsonOf(transfers.changed),
    reversals: jsonOf(reversals),
    parts: {
      creates,
      details,
      holds: holds.placed.length + holds.changed.length > 0,
      transfers: transfers.sent.length + transfers.changed.length > 0,
      reversals: reversals.length > 0,
      unsure: isUnsure
    }
  }
}
