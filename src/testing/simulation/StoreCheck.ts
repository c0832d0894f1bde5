/** All stores tell the same as the model: rows, keys, refusals and snapshots. */
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import { KeyFilter, KeyFilterBudget } from "../../actors/KeyFilter.ts"
import { restored } from "../../actors/KeySegments.ts"
import { decodeSnapshot } from "../../actors/Snapshots.ts"
import type { RecordedEvent } from "../../domain/Event.ts"
import type { Transfer } from "../../domain/Wallet.ts"
import type { Ledger } from "./Ledger.ts"
import { holdViewOf, isOpenHold, isUnderWay, viewOf } from "./LedgerState.ts"
import type { LoggedLegs } from "./LegsCheck.ts"
import type { Account, LoggedTransfer } from "./LogCheck.ts"
import { difference, isSame } from "./PlainData.ts"
import type { Trial } from "./Trial.ts"

type Violated = (law: string) => void

const last = <A>(items: ReadonlyArray<A>): A => items[items.length - 1]!

/** A wallet whose creation was refused has no rows but refusals and keys. */
const isRefusedWallet = (ledger: Ledger): boolean => ledger.reversals.has(0)

const checkRows = (trial: Trial, ledger: Ledger, violated: Violated): void => {
  const { state } = trial
  const { walletId } = ledger
  const final = last(ledger.states)
  const row = state.wallets.get(walletId)?.wallet
  if (isRefusedWallet(ledger)) {
    if (row !== undefined) violated(`${walletId} was refused and has a row`)
    return
  }
  if (!isSame(row, viewOf(final))) violated(`the row of ${walletId}: ${difference(row, viewOf(final))}`)
  // The rows of a refused event are not there; those of its reversal are.
  const wanted = Array.from(ledger.transactions.values())
    .flat()
    .filter(({ version }) => !ledger.reversals.has(version))
  const found = state.transactionsByWallet.get(walletId) ?? []
  if (found.length !== wanted.length) violated(`${walletId} has ${found.length} transactions, not ${wanted.length}`)
  for (const [index, transaction] of wanted.entries()) {
    if (isSame(found[index], transaction)) continue
    violated(`a transaction of ${walletId} at version ${transaction.version}: ${difference(found[index], transaction)}`)
    break
  }
  const uncounted = new Set((state.refusals.get(walletId) ?? []).map(({ reversedVersion }) => reversedVersion))
  let booked = 0n
  for (const { change, transaction } of state.transactions) {
    if (transaction.walletId === walletId && !uncounted.has(transaction.version)) booked += change
  }
  if (booked !== final.balance) violated(`the books of ${walletId} end with ${booked}, its balance is ${final.balance}`)
  const holds = new Map(Array.from(state.holds.get(walletId) ?? [], ([id, { hold }]) => [id, hold]))
  for (const hold of final.holds.values()) {
    const stored = holds.get(hold.id)
    holds.delete(hold.id)
    const shown = holdViewOf(hold)
    if (!isSame(stored, shown)) violated(`hold ${hold.id} of ${walletId}: ${difference(stored, shown)}`)
  }
  for (const id of holds.keys()) violated(`hold ${id} of ${walletId} has a row and never was`)
}

const checkKeys = (trial: Trial, ledger: Ledger, violated: Violated): void => {
  const { state } = trial
  const { walletId } = ledger
  const ids = state.persisted.get(walletId) ?? []
  if (
    !isSame(
      ids,
      ledger.events.map(({ id }) => id)
    )
  )
    violated(`Persistence has other events of ${walletId} than the log`)
  const wanted = new Map(ledger.events.map(({ metadata, version }) => [metadata.key as string, version]))
  const keys = state.keys.get(walletId)
  for (const [key, version] of wanted) {
    if (keys?.get(key)?.version !== version)
      violated(`key ${key} of ${walletId} is at version ${version}, its row says ${keys?.get(key)?.version}`)
  }
  const refusals = state.refusals.get(walletId) ?? []
  for (const { reversedVersion, version } of refusals) {
    if (ledger.reversals.get(version) !== reversedVersion) {
      violated(
        `event ${version} of ${walletId} is refused, its row says reversed by ${reversedVersion}, the log ${ledger.reversals.get(version)}`
      )
    }
  }
  if (refusals.length !== ledger.reversals.size) {
    violated(`${walletId} has ${refusals.length} refusals and ${ledger.reversals.size} reversals`)
  }
}

const checkSnapshots = (trial: Trial, ledger: Ledger, violated: Violated): void => {
  for (const snapshot of trial.state.snapshots.get(ledger.walletId) ?? []) {
    const place = `the snapshot of ${ledger.walletId} at version ${snapshot.version}`
    const decoded = decodeSnapshot(snapshot)
    const state = ledger.at(snapshot.version)
    if (Result.isFailure(decoded) || state === undefined) {
      violated(`${place} cannot be read, or there is no such version`)
      continue
    }
    const { keys, wallet } = decoded.success
    const { holds, openBytes: _openBytes, prepared, refunds: _refunds, transfers, ...view } = wallet
    if (!isSame(view, viewOf(state))) violated(`${place}: ${difference(view, viewOf(state))}`)
    const open = Array.from(state.holds.values()).filter((hold) => isUnderWay(state, hold.id) || isOpenHold(hold))
    if (HashMap.size(holds) !== open.length || !open.every(({ id }) => HashMap.has(holds, id)))
      violated(`${place} has other open holds`)
    if (!isSame(Array.from(HashMap.keys(transfers)).sort(), Array.from(state.inFlight.keys()).sort())) {
      violated(`${place} has other transfers in flight`)
    }
    if (!isSame(Array.from(HashMap.keys(prepared)).sort(), Array.from(state.prepared.keys()).sort())) {
      violated(`${place} has other legs prepared`)
    }
    const known = new Map(keys.keys.map(([key, , version]) => [key, version]))
    for (const { metadata, version } of ledger.events.slice(keys.coversFrom, snapshot.version + 1)) {
      if ((known.get(metadata.key) ?? -1) < version)
        violated(`${place} says that it has all keys from ${keys.coversFrom} on, and lacks ${metadata.key}`)
    }
  }
}

/** Each has the keys that it claims to have; that they hang together is for those who read them to see. */
const checkSegments = (trial: Trial, { events, walletId }: Ledger, violated: Violated): void => {
  for (const segment of trial.state.keySegments.get(walletId) ?? []) {
    const { eventId, fromVersion, previousEventId, toVersion } = segment
    const place = `the segment of keys ${fromVersion} to ${toVersion} of ${walletId}`
    if (events[toVersion]?.id !== eventId || (events[fromVersion - 1]?.id ?? "") !== previousEventId)
      violated(`${place} names other events than the log has there`)
    const filter = new KeyFilter(new KeyFilterBudget(Infinity))
    filter.adopt(restored(segment))
    for (const { metadata, version } of events.slice(fromVersion, toVersion + 1)) {
      if (!filter.has(metadata.key)) violated(`${place} lacks ${metadata.key} of version ${version}`)
    }
  }
}

const checkTransferRow = (trial: Trial, account: Account, transfer: LoggedTransfer, violated: Violated): void => {
  const row = trial.state.transfers.get(transfer.from)?.get(transfer.id)?.transfer
  if (account.ledgers.get(transfer.from)!.reversals.has(transfer.sent.version)) {
    if (row !== undefined) violated(`transfer ${transfer.id} was refused and has a row`)
    return
  }
  const status = transfer.ended?.event._tag === "TransferReversed" ? "reversed" : "completed"
  if (row?.status !== status) violated(`transfer ${transfer.id} is ${status}, its row says ${row?.status}`)
}

const checkLegsRow = (trial: Trial, account: Account, transfer: LoggedLegs, violated: Violated): void => {
  const row = trial.state.transfers.get(transfer.home)?.get(transfer.id)?.transfer
  if (account.ledgers.get(transfer.home)!.reversals.has(transfer.begun.version)) {
    if (row !== undefined) violated(`transfer ${transfer.id} was refused and has a row`)
    return
  }
  const wanted = rowOfLegs(transfer, transfer.settled)
  if (!isSame(row, wanted)) violated(`transfer ${transfer.id}: ${difference(row, wanted)}`)
}

/** `settled`: as far as it had come. */
export const rowOfLegs = ({ begun, event, id }: LoggedLegs, settled: RecordedEvent | undefined): Transfer => {
  const end = settled?.event._tag === "LegsSettled" ? settled.event : undefined
  return {
    id,
    from: null,
    to: null,
    amount: null,
    currency: null,
    legs: event.legs.map((leg, index) => ({
      ...leg,
      sentTransactionId: end?.transactions[index]?.sent ?? null,
      receivedTransactionId: end?.transactions[index]?.received ?? null
    })),
    status: end === undefined ? "pending" : end.reason === null ? "completed" : "reversed",
    reason: end?.reason ?? null,
    leg: end?.leg ?? null,
    reference: event.reference,
    metadata: event.metadata,
    refundOf: event.refundOf,
    createdAt: begun.time,
    effectiveAt: event.effectiveAt ?? begun.time,
    updatedAt: settled?.time ?? begun.time
  }
}

export const checkStores = (trial: Trial, account: Account): void => {
  const violated: Violated = (law) => trial.history.violated(law)
  for (const ledger of account.ledgers.values()) {
    checkRows(trial, ledger, violated)
    checkKeys(trial, ledger, violated)
    checkSnapshots(trial, ledger, violated)
    checkSegments(trial, ledger, violated)
  }
  for (const transfer of account.transfers.values()) checkTransferRow(trial, account, transfer, violated)
  for (const transfer of account.several.values()) checkLegsRow(trial, account, transfer, violated)
  for (const walletId of trial.state.wallets.keys()) {
    if (!account.ledgers.has(walletId)) violated(`${walletId} has a row and no log`)
  }
}
