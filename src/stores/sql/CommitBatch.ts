/**
 * Commits turned into rows: the parameters of the statement that writes them (`CommitStatement.ts`).
 * Events and wallets as arrays of composite values; rows of holds and transfers as JSON, for
 * there are few of them in a batch.
 */
import type { Commit } from "../../domain/Commit.ts"
import type { RecordedEvent, WalletEvent } from "../../domain/Event.ts"
import { effectiveAtOf } from "../../domain/EventKind.ts"
import { transactionIdOf } from "../../domain/EventId.ts"
import { walletTag } from "../../domain/WalletTag.ts"
import type { HoldTerms } from "../../domain/Hold.ts"
import {
  legChange,
  legsChange,
  type LegsChange,
  type LegTransactions,
  type OwnLeg,
  walletsOf
} from "../../domain/Legs.ts"
import { holdChanges, legsChanges, transferChanges } from "../../domain/EventKinds.ts"
import { sourceOf } from "../../domain/Transfer.ts"
import type { Hold, Transfer, Wallet } from "../../domain/Wallet.ts"
import { walletWords } from "../SearchWords.ts"
import type { CommitParts } from "./CommitStatement.ts"
import { CompositeArray } from "./CompositeArray.ts"
import {
  addEvent,
  addEvents,
  eventRowsFor,
  type EventRowOptions,
  metadataOf,
  type PreparedEvents,
  wordsOfTexts
} from "./EventRows.ts"
import { jointPlaces, type Place, placeOf } from "./JointPlaces.ts"

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

/** What only a transfer of several legs has. */
const severalJson = ({ leg, legs }: Transfer): object => ({
  legs: legs.map(({ amount, currency, from, metadata, reference, refund, to }) => ({
    from,
    to,
    amount: String(amount),
    currency,
    reference: reference ?? undefined,
    metadata: metadataOf(metadata),
    refund: refund ?? undefined
  })),
  leg: leg ?? undefined,
  leg_transactions: legTransactionsJson(
    legs.flatMap(({ receivedTransactionId: received, sentTransactionId: sent }) =>
      sent === null || received === null ? [] : [{ sent, received }]
    )
  )
})

const legTransactionsJson = (transactions: ReadonlyArray<LegTransactions> | undefined) =>
  transactions === undefined || transactions.length === 0 ? undefined : transactions

/** The wallets that a transfer of several legs is a row of besides its source's. */
export const transferWalletsJson = (transfer: Transfer, version: number): ReadonlyArray<object> =>
  transfer.to !== null
    ? []
    : walletsOf(transfer.legs)
        .slice(1)
        .map((walletId) => ({
          version,
          source_id: sourceOf(transfer),
          transfer_id: transfer.id,
          wallet_id: walletId,
          status: transfer.status
        }))

/** But for the position. `version`: of the event that sent it. */
export const transferJson = (transfer: Transfer, version: number): object => ({
  wallet_id: sourceOf(transfer),
  id: transfer.id,
  to_wallet_id: transfer.to ?? undefined,
  version,
  amount: transfer.amount === null ? undefined : String(transfer.amount),
  currency: transfer.currency ?? undefined,
  ...(transfer.to === null ? severalJson(transfer) : {}),
  status: transfer.status,
  reason: transfer.reason ?? undefined,
  reference: transfer.reference ?? undefined,
  metadata: metadataOf(transfer.metadata),
  created_at: isoTime(transfer.createdAt),
  effective_at: transfer.effectiveAt === transfer.createdAt ? undefined : isoTime(transfer.effectiveAt),
  updated_at: isoTime(transfer.updatedAt),
  refund_of: transfer.refundOf ?? undefined,
  refund_leg: transfer.to === null ? undefined : transfer.legs[0]!.refund?.leg
})

/** Fields of the type `given_commit`. */
const commitFields = 11

/** Usual bytes of a row; more is not an error. */
const commitBytes = 256

const changesDetails = (event: WalletEvent): boolean => {
  switch (event._tag) {
    case "MetadataChanged":
    case "WalletFrozen":
    case "WalletUnfrozen":
    case "FreezeExpired":
    case "WalletClosed":
      return true
    case "OperationReversed":
      return event.restored._tag === "Metadata" || event.restored._tag === "Status"
    default:
      return false
  }
}

const hasDetails = ({ events, expectedVersion }: Commit): boolean =>
  expectedVersion === -1 || events.some(({ event }) => changesDetails(event))

/** `undefined`: left out of the JSON, SQL's null. */
export const freezeJson = ({ freeze }: Pick<Wallet, "freeze">) =>
  freeze === null
    ? {}
    : {
        freeze_direction: freeze.direction,
        freeze_reason: freeze.reason ?? undefined,
        freeze_until: freeze.until === null ? undefined : isoTime(freeze.until)
      }

/** What of a wallet's row does not change with its money, as JSON. */
const detailsOf = ({ wallet, walletId }: Commit, words: boolean): string =>
  JSON.stringify({
    ownerId: wallet.ownerId,
    currency: wallet.currency,
    createdAt: isoTime(wallet.createdAt),
    tag: walletTag(walletId),
    metadata: metadataOf(wallet.metadata),
    words: words ? walletWords(wallet) : undefined,
    ...freezeJson(wallet)
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

/** Rows of holds, as JSON; there are few of them. */
interface HoldRows {
  readonly placed: Array<unknown>
  readonly changed: Array<unknown>
}

/** `amount` says that there are new terms. */
const termsJson = ({ amount, expiresAt }: HoldTerms): object => ({
  amount: String(amount),
  expires_at: expiresAt === null ? undefined : isoTime(expiresAt)
})

const addHolds = (rows: HoldRows, number: number, commit: Commit): void => {
  for (const change of holdChanges(commit)) {
    const where = { commit: number, wallet_id: commit.walletId }
    if (change._tag === "Changed") {
      const { captured, holdId, remaining, status, terms } = change
      const amounts = { captured: String(captured), remaining: String(remaining) }
      rows.changed.push({ ...where, id: holdId, ...amounts, status, ...(terms === undefined ? {} : termsJson(terms)) })
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
  /** Of transfers of several legs. */
  readonly wallets: Array<unknown>
  several: boolean
}

/** Rows of legs, as JSON. */
interface LegRows {
  readonly prepared: Array<unknown>
  readonly applied: Array<unknown>
  readonly released: Array<unknown>
}

/** What of a leg is known when it is promised. */
const legJson = (transferId: string, currency: string, one: OwnLeg, words: boolean): object => ({
  transfer_id: transferId,
  leg: one.leg,
  type: one.side === "sent" ? "TransferSent" : "TransferReceived",
  currency,
  amount: String(one.amount),
  counterparty: one.counterparty,
  reference: one.reference ?? undefined,
  metadata: metadataOf(one.metadata),
  refund_of: one.refund?.of,
  refund_leg: one.refund?.leg,
  word_list: (words ? wordsOfTexts(one) : null) ?? undefined
})

/** The columns that make a leg a transaction, of each leg of one event. */
const appliedJson = (recorded: RecordedEvent, legs: ReadonlyArray<OwnLeg>) => {
  const { event, id, metadata, time, version } = recorded
  const effectiveAt = effectiveAtOf(recorded)
  let balance = event.balanceAfter - legsChange(legs)
  return legs.map((one, index) => {
    balance += legChange(one)
    return {
      version,
      time: isoTime(time),
      id: transactionIdOf(id, index),
      key: metadata.key,
      balance_after: String(balance),
      effective_at: isoTime(effectiveAt)
    }
  })
}

/** As JSON, of one wallet; `ord`: the place of an event of that version among those of the batch. */
export const legRowsJson = (
  { currency, walletId }: { readonly currency: string; readonly walletId: string },
  change: Exclude<LegsChange, { readonly _tag: "Released" }>,
  applied: RecordedEvent | undefined,
  words: boolean
): ReadonlyArray<object> => {
  const made = applied === undefined ? undefined : appliedJson(applied, change.legs)
  return change.legs.map((one, index) => ({
    wallet_id: walletId,
    ...legJson(change.transferId, currency, one, words),
    ...made?.[index]
  }))
}

const addLegs = (rows: LegRows, number: number, commit: Commit, place: Place, words: boolean): void => {
  const { events, expectedVersion, wallet, walletId } = commit
  for (const change of legsChanges(commit)) {
    if (change._tag === "Released") {
      rows.released.push({ commit: number, wallet_id: walletId, transfer_id: change.transferId })
      continue
    }
    const version = change._tag === "Applied" ? change.version : undefined
    const applied = version === undefined ? undefined : events[version - expectedVersion - 1]
    const ord = version === undefined ? undefined : placeOf(commit, place, version)
    const made = legRowsJson({ walletId, currency: wallet.currency }, change, applied, words)
    const into = change._tag === "Applied" && !change.prepared ? rows.applied : rows.prepared
    for (const row of made) into.push({ commit: number, ord, ...row })
  }
}

const addTransfers = (rows: TransferRows, number: number, commit: Commit, place: Place): void => {
  for (const change of transferChanges(commit)) {
    const where = { commit: number, wallet_id: commit.walletId }
    if (change._tag === "Changed") {
      const { reason, status, transferId, updatedAt } = change
      rows.changed.push({
        ...where,
        id: transferId,
        status,
        reason: reason ?? undefined,
        updated_at: updatedAt === null ? undefined : isoTime(updatedAt),
        leg: change.leg ?? undefined,
        leg_transactions: legTransactionsJson(change.transactions)
      })
      if (change.transactions !== undefined) rows.several = true
      continue
    }
    const { transfer, version } = change
    const ord = placeOf(commit, place, version)
    rows.sent.push({ ...where, ord, ...transferJson(transfer, version) })
    if (transfer.to !== null) continue
    rows.several = true
    for (const row of transferWalletsJson(transfer, version)) rows.wallets.push({ commit: number, ord, ...row })
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
  readonly legsPrepared: string | null
  readonly legsApplied: string | null
  readonly legsReleased: string | null
  readonly transferWallets: string | null
  /** By the numbers of the commits which of them belong together; `undefined`: none do. */
  readonly units: ReadonlyArray<number> | undefined
  /** Of refused events. */
  readonly reversals: string | null
  /** What there are rows for. */
  readonly parts: CommitParts
}

/** The rows of these commits, numbered from 1 in their order. `prepared`: with the same options. */
export const commitBatch = (
  commits: ReadonlyArray<Commit>,
  options: EventRowOptions,
  prepared?: PreparedEvents
): CommitBatch => {
  const size = commits.reduce((events, commit) => events + commit.events.length, 0)
  const commitRows = new CompositeArray(commitFields, commits.length * commitBytes)
  const eventRows = eventRowsFor(size)
  const holds: HoldRows = { placed: [], changed: [] }
  const transfers: TransferRows = { sent: [], changed: [], wallets: [], several: false }
  const legs: LegRows = { prepared: [], applied: [], released: [] }
  const reversals: Array<unknown> = []
  let creates = false
  let details = false
  let isUnsure = false
  const joint = jointPlaces(commits)
  let before = 0
  for (const [index, commit] of commits.entries()) {
    const number = index + 1
    const place: Place = { before, joint }
    const isDetailed = hasDetails(commit)
    const unsure = options.log ? unsureOf(commit) : null
    const first = joint === undefined ? before : placeOf(commit, place, commit.expectedVersion + 1) - 1
    addCommit(commitRows, commit, first, isDetailed ? detailsOf(commit, options.words) : null, unsure)
    if (unsure !== null) isUnsure = true
    if (commit.expectedVersion === -1) creates = true
    else if (isDetailed) details = true
    if (joint === undefined) addEvents(eventRows, number, commit, options, prepared)
    addHolds(holds, number, commit)
    addTransfers(transfers, number, commit, place)
    addLegs(legs, number, commit, place, options.words)
    addReversals(reversals, number, commit)
    before += commit.events.length
  }
  for (const recorded of joint?.order ?? []) {
    const number = joint!.numbers.get(recorded.walletId)!
    addEvent(eventRows, number, recorded, commits[number - 1]!.wallet.currency, options)
  }
  return {
    commits: commitRows,
    events: eventRows,
    size,
    holdsPlaced: jsonOf(holds.placed),
    holdsChanged: jsonOf(holds.changed),
    transfersSent: jsonOf(transfers.sent),
    transfersChanged: jsonOf(transfers.changed),
    legsPrepared: jsonOf(legs.prepared),
    legsApplied: jsonOf(legs.applied),
    legsReleased: jsonOf(legs.released),
    transferWallets: jsonOf(transfers.wallets),
    units: joint?.units,
    reversals: jsonOf(reversals),
    parts: {
      creates,
      details,
      holds: holds.placed.length + holds.changed.length > 0,
      transfers: transfers.sent.length + transfers.changed.length > 0,
      legs: transfers.several || legs.prepared.length + legs.applied.length + legs.released.length > 0,
      reversals: reversals.length > 0,
      unsure: isUnsure,
      joint: joint !== undefined
    }
  }
}
