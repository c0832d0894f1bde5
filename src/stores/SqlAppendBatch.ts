/**
 * Commits turned into rows, the parameters of an append or a write (see
 * `SqlAppendStatement.ts`, `SqlWriteStatement.ts`).
 */
import type { Commit } from "../domain/Commit.ts"
import type { EventMetadata, RecordedEvent, WalletEvent } from "../domain/Event.ts"
import { encodeEvent, wireType } from "../domain/EventCodec.ts"
import { type Metadata, noMetadata } from "../domain/Form.ts"
import { holdChanges, transactionOf, transferChanges } from "../domain/Projection.ts"
import type { Transaction } from "../domain/Wallet.ts"
import { transactionWords, walletWords } from "./SearchWords.ts"
import { SqlCompositeArray } from "./SqlCompositeArray.ts"
import type { ViewParts } from "./SqlViewParts.ts"

/** Fields of the types `appended_commit` and `appended_event`. */
const commitFields = 10
const eventFields = 14

/** Usual bytes of a row; more is not an error. */
const commitBytes = 256
const eventBytes = 512

/** `undefined`: left out of the JSON, SQL's null. */
const metadataOf = (metadata: Metadata): Metadata | undefined =>
  metadata === noMetadata || Object.keys(metadata).length === 0 ? undefined : metadata

const isoTime = (millis: number): string => new Date(millis).toISOString()

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

/** What most transactions do not have, as JSON. */
const rareOf = (transaction: Transaction): string | null => {
  const { holdId, metadata, reference, transferId } = transaction
  if (reference === null && holdId === null && transferId === null && metadata === noMetadata) return null
  // One half of a plain transfer: an id needs no escapes.
  if (reference === null && holdId === null && metadata === noMetadata) return `{"transferId":"${transferId}"}`
  const words = transactionWords(transaction)
  return JSON.stringify({
    reference: reference ?? undefined,
    metadata: metadataOf(metadata),
    holdId: holdId ?? undefined,
    transferId: transferId ?? undefined,
    words: words.length === 0 ? undefined : words
  })
}

const changesDetails = (event: WalletEvent): boolean =>
  event._tag === "MetadataChanged" || (event._tag === "OperationReversed" && event.restored._tag === "Metadata")

/** What of a wallet's row does not change with its money, as JSON; `null` when it has not changed. */
const detailsOf = ({ events, expectedVersion, wallet }: Commit): string | null => {
  if (expectedVersion !== -1 && !events.some(({ event }) => changesDetails(event))) return null
  return JSON.stringify({
    ownerId: wallet.ownerId,
    currency: wallet.currency,
    createdAt: isoTime(wallet.createdAt),
    metadata: metadataOf(wallet.metadata),
    words: walletWords(wallet)
  })
}

const addCommit = (rows: SqlCompositeArray, commit: Commit): void => {
  const { epoch, events, expectedVersion, wallet, walletId } = commit
  rows
    .begin()
    .text(walletId)
    .int8(expectedVersion)
    .int4(events.length)
    .int8(epoch)
    .text(wallet.status)
    .numeric(wallet.balance)
    .numeric(wallet.held)
    .numeric(wallet.overdraftLimit)
    .time(wallet.updatedAt)
    .text(detailsOf(commit))
    .end()
}

/** Answers whether the event makes a transaction. `log`: with what the log alone keeps. */
const addEvent = (
  rows: SqlCompositeArray,
  number: number,
  recorded: RecordedEvent,
  commit: Commit,
  log: boolean
): boolean => {
  const { event, id, metadata, time, walletId } = recorded
  const transaction = transactionOf(recorded, commit.wallet)
  rows
    .begin()
    .int4(number)
    .text(walletId)
    .uuid(id)
    .time(time)
    .text(log ? wireType(event) : null)
    .text(log ? encodeEvent(event) : null)
    .text(metadata.key)
    .text(metadata.fingerprint)
    .text(log ? originOf(id, metadata) : null)
  if (transaction === undefined) rows.text(null).numeric(null).numeric(null).text(null).text(null)
  else {
    rows
      .text(transaction.type)
      .numeric(transaction.amount)
      .numeric(transaction.balanceAfter)
      .text(transaction.currency)
      .text(rareOf(transaction))
  }
  rows.end()
  return transaction !== undefined
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
    rows.placed.push({
      ...where,
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
    rows.sent.push({
      ...where,
      ord: before + version - commit.expectedVersion,
      version,
      id: transfer.id,
      to_wallet_id: transfer.to,
      amount: String(transfer.amount),
      currency: transfer.currency,
      status: transfer.status,
      reason: transfer.reason ?? undefined,
      reference: transfer.reference ?? undefined,
      metadata: metadataOf(transfer.metadata),
      created_at: isoTime(transfer.createdAt),
      updated_at: isoTime(transfer.updatedAt)
    })
  }
}

const addReversals = (rows: Array<unknown>, number: number, { events, walletId }: Commit): void => {
  for (const { event, version } of events) {
    if (event._tag !== "OperationReversed") continue
    rows.push({ commit: number, wallet_id: walletId, version, reversed: event.reversedVersion })
  }
}

const jsonOf = (rows: ReadonlyArray<unknown>): string | null => (rows.length === 0 ? null : JSON.stringify(rows))

export interface AppendBatch {
  readonly commits: SqlCompositeArray
  readonly events: SqlCompositeArray
  readonly holdsPlaced: string | null
  readonly holdsChanged: string | null
  readonly transfersSent: string | null
  readonly transfersChanged: string | null
  /** Of refused events. */
  readonly reversals: string | null
  /** What there are rows for. */
  readonly parts: ViewParts
}

/**
 * The rows of these commits, numbered from 1 in their order. `log`: with what the
 * log alone keeps of an event.
 */
export const appendBatch = (commits: ReadonlyArray<Commit>, log: boolean): AppendBatch => {
  const size = commits.reduce((events, commit) => events + commit.events.length, 0)
  const commitRows = new SqlCompositeArray(commitFields, commits.length * commitBytes)
  const eventRows = new SqlCompositeArray(eventFields, size * eventBytes)
  const holds: HoldRows = { placed: [], changed: [] }
  const transfers: TransferRows = { sent: [], changed: [] }
  const reversals: Array<unknown> = []
  let creates = false
  let others = false
  let before = 0
  for (const [index, commit] of commits.entries()) {
    const number = index + 1
    addCommit(commitRows, commit)
    if (commit.expectedVersion === -1) creates = true
    for (const recorded of commit.events) {
      if (!addEvent(eventRows, number, recorded, commit, log)) others = true
    }
    addHolds(holds, number, commit)
    addTransfers(transfers, number, commit, before)
    addReversals(reversals, number, commit)
    before += commit.events.length
  }
  return {
    commits: commitRows,
    events: eventRows,
    holdsPlaced: jsonOf(holds.placed),
    holdsChanged: jsonOf(holds.changed),
    transfersSent: jsonOf(transfers.sent),
    transfersChanged: jsonOf(transfers.changed),
    reversals: jsonOf(reversals),
    parts: {
      creates,
      others: others || holds.changed.length > 0,
      transfers: transfers.sent.length + transfers.changed.length > 0,
      reversals: reversals.length > 0
    }
  }
}
