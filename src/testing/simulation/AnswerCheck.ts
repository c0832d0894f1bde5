/** Every answer that was given is true: it says what the model says, at the version it names, and what is durable is so. */
import type { Transfer } from "../../domain/Wallet.ts"
import { type Answered, isAnswered, oldestVersion, toldVersion } from "./Answered.ts"
import type { Attempt, Operation, Told } from "./History.ts"
import { describeOperation, describeOutcome } from "./History.ts"
import type { Ledger } from "./Ledger.ts"
import { holdViewOf, type LedgerState, viewOf } from "./LedgerState.ts"
import { type Account, type LoggedCommand, nameOf } from "./LogCheck.ts"
import { checkDryRun } from "./DryRunCheck.ts"
import { checkRejection, destinationOf } from "./RejectionCheck.ts"
import { difference, isSame } from "./PlainData.ts"
import { rowOfLegs } from "./StoreCheck.ts"
import type { Trial } from "./Trial.ts"

type Wrong = (law: string) => void

const checkView = (
  ledger: Ledger | undefined,
  told: NonNullable<Told["wallet"]>,
  wrong: Wrong
): LedgerState | undefined => {
  const state = ledger?.at(told.version)
  if (state === undefined) {
    wrong(`there is no version ${told.version}`)
    return undefined
  }
  const {
    available: _available,
    holds: _holds,
    openBytes: _openBytes,
    prepared: _prepared,
    refunds: _refunds,
    transfers: _transfers,
    ...view
  } = told as NonNullable<Told["wallet"]> & Record<string, unknown>
  if (!isSame(view, viewOf(state))) wrong(`the wallet at version ${told.version}: ${difference(view, viewOf(state))}`)
  return state
}

const commandAt = (account: Account, attempt: Attempt, version: number): LoggedCommand | undefined =>
  account.commands
    .get(nameOf(attempt.operation.walletId, `c:${attempt.key}`))
    ?.find((command) => command.version === version)

const holdOf = (operation: Operation, told: Told): string | undefined =>
  "holdId" in operation ? operation.holdId : told.hold?.id

/** Of a command: it has events of its own, whatever it did. */
const checkEffect = (trial: Trial, account: Account, attempt: Answered, told: Told, wrong: Wrong): void => {
  const { operation } = attempt
  const ledger = account.ledgers.get(operation.walletId)!
  const state = checkView(ledger, told.wallet!, wrong)
  if (state === undefined) return
  const command = commandAt(account, attempt, state.version)
  if (command === undefined) return wrong(`version ${state.version} is not of its key`)
  checkReplay(trial, attempt, command, told, wrong)
  checkCondition(attempt, command, told, wrong)
  if (told.transaction !== undefined) {
    const made = ledger.transactions.get(state.version)?.[0]
    // As it was at first.
    const transaction = made && { ...made, refunded: 0n }
    if (!isSame(told.transaction, transaction)) wrong(`its transaction: ${difference(told.transaction, transaction)}`)
  }
  if (told.transaction !== undefined && "effectiveAt" in operation) {
    const { createdAt, effectiveAt } = told.transaction
    if (effectiveAt !== (operation.effectiveAt ?? createdAt)) wrong(`it counts at ${effectiveAt}, not when it was to`)
  }
  if (told.hold !== undefined) {
    const hold = holdViewOf(state.holds.get(holdOf(operation, told)!))
    if (!isSame(told.hold, hold)) wrong(`its hold: ${difference(told.hold, hold)}`)
  }
  const reversal = ledger.reversals.get(state.version)
  if (reversal !== undefined) {
    if (told.durability?.persisted === true) wrong(`it was persisted, and version ${reversal} reverses it`)
    // A node that was replaced and does not know it answers a retry from memory, as it does a read.
    if (reversal <= oldestVersion(trial, attempt, ledger)) {
      wrong(`it had been reversed by version ${reversal} when it was asked for`)
    }
  }
}

/** The version that the wallet had to be at was the one before the command's events, unless it took place before. */
const checkCondition = ({ ifVersion }: Attempt, command: LoggedCommand, told: Told, wrong: Wrong): void => {
  const before = command.events[0]!.version - 1
  if (ifVersion !== undefined && told.replayed !== true && before !== ifVersion)
    wrong(`it was for version ${ifVersion}, and the wallet was at ${before}`)
}

const checkReplay = (trial: Trial, attempt: Answered, command: LoggedCommand, told: Told, wrong: Wrong): void => {
  const before = attempt.versionsBefore.get(attempt.operation.walletId) ?? -1
  if (told.replayed !== true && command.version <= before)
    wrong(`it was there before it was asked for, and the answer is not marked as replayed`)
  const isOther = ({ key, number, operation }: Attempt) =>
    number !== attempt.number && key === attempt.key && operation.walletId === attempt.operation.walletId
  if (told.replayed === true && !trial.history.attempts.some(isOther))
    wrong("it was asked for once, and is marked as replayed")
}

const checkDurability = (attempt: Answered, told: Told, version: number, walletId: string, wrong: Wrong): void => {
  const { truth } = attempt
  if ((truth.versions.get(walletId) ?? -1) < version)
    wrong(`version ${version} of ${walletId} was not in the log when it was answered`)
  if (told.durability?.committed === false) wrong("it is done and not committed")
  if (told.durability?.persisted === true && (truth.persisted.get(walletId) ?? -1) < version) {
    wrong(`version ${version} of ${walletId} was not persisted when it was answered`)
  }
}

const asked = (operation: Operation): number | null => ("effectiveAt" in operation ? operation.effectiveAt : null)

/** Of a capture to another wallet, what its source did; once it has arrived also what the capture releases. */
const checkCapture = (account: Account, attempt: Answered, told: Told, wrong: Wrong): void => {
  const { hold, transaction, transfer, wallet } = told
  const logged = account.transfers.get(transfer!.id)
  if (logged === undefined) return wrong(`the log has no transfer ${transfer!.id}`)
  const { ended, sent } = logged
  const ledger = account.ledgers.get(sent.walletId)!
  const command = commandAt(account, attempt, sent.version)
  if (command === undefined) return wrong(`version ${sent.version} is not of its key`)
  checkCondition(attempt, command, told, wrong)
  const releases = sent.event._tag === "HoldCapturedTo" && sent.event.rest > 0n
  const shown = releases && transfer!.status === "completed" ? ended : sent
  if (wallet!.version !== shown?.version) wrong(`its wallet is not at version ${shown?.version}`)
  checkView(ledger, wallet!, wrong)
  const made = ledger.transactions.get(sent.version)?.map((one) => ({ ...one, refunded: 0n }))[0]
  if (!isSame(transaction, made)) wrong(`its transaction: ${difference(transaction, made)}`)
  const held = holdViewOf(ledger.at(sent.version)!.holds.get(hold!.id))
  if (!isSame(hold, held)) wrong(`its hold: ${difference(hold, held)}`)
}

const checkTransfer = (account: Account, attempt: Answered, told: Told, transfer: Transfer, wrong: Wrong): void => {
  const logged = account.transfers.get(transfer.id)
  const { operation } = attempt
  const to = destinationOf(operation)
  if (logged === undefined || to === undefined) return wrong(`the log has no transfer ${transfer.id}`)
  const { sent } = logged
  // Of a capture the rules say how much it is, which the log was held against.
  const { amount, effectiveAt, reference } =
    operation.kind === "transfer"
      ? operation
      : { amount: logged.amount, reference: null, effectiveAt: asked(operation) }
  const wanted = {
    id: transfer.id,
    from: operation.walletId,
    to,
    amount,
    currency: account.ledgers.get(operation.walletId)!.at(0)!.currency,
    legs: [
      {
        from: operation.walletId,
        to,
        amount,
        currency: account.ledgers.get(operation.walletId)!.at(0)!.currency,
        reference,
        metadata: {},
        refund: null,
        refunded: 0n,
        sentTransactionId: transfer.status === "completed" ? sent.id : null,
        receivedTransactionId: transfer.status === "completed" ? (logged.arrived?.id ?? null) : null
      }
    ],
    status: transfer.status,
    reason: null,
    leg: null,
    reference,
    metadata: {},
    refundOf: null,
    refunded: 0n,
    createdAt: sent.time,
    effectiveAt: effectiveAt ?? sent.time,
    updatedAt: transfer.status === "completed" ? logged.arrived?.time : sent.time
  }
  if (!isSame(transfer, wanted)) wrong(`its transfer: ${difference(transfer, wanted)}`)
  if (sent.metadata.key !== `c:${attempt.key}`) wrong("the transfer is of another key")
  checkDurability(
    attempt,
    { ...told, durability: { committed: true, persisted: false, indexed: false } },
    sent.version,
    sent.walletId,
    wrong
  )
  if (transfer.status === "reversed") wrong("a reversal is told as an error")
  if (transfer.status !== "completed") {
    if (told.durability?.persisted === true) checkDurability(attempt, told, sent.version, sent.walletId, wrong)
    return
  }
  const { arrived } = logged
  if (arrived?.event._tag !== "TransferReceived") return wrong("the destination has not received it")
  if (account.ledgers.get(logged.to)!.reversals.has(arrived.version)) wrong("the destination's receipt was reversed")
  checkDurability(attempt, told, arrived.version, logged.to, wrong)
}

/** Told is what its home has on record: as it was begun, or as it is settled. */
const checkLegs = (account: Account, attempt: Answered, told: Told, transfer: Transfer, wrong: Wrong): void => {
  const logged = account.several.get(transfer.id)
  if (logged === undefined) return wrong(`the log has no transfer ${transfer.id}`)
  const { begun, home, settled } = logged
  if (home !== attempt.operation.walletId || begun.metadata.key !== `c:${attempt.key}`) {
    wrong("the transfer is of another key")
  }
  if (transfer.status === "reversed") wrong("a reversal is told as an error")
  const isDone = transfer.status === "completed"
  if (isDone && settled === undefined) return wrong("it is not settled")
  const wanted = unrefunded(rowOfLegs(logged, isDone ? settled : undefined))
  if (!isSame(transfer, wanted)) wrong(`its transfer: ${difference(transfer, wanted)}`)
  if (!isDone) {
    const durability = { committed: true, persisted: told.durability?.persisted === true, indexed: false }
    return checkDurability(attempt, { ...told, durability }, begun.version, home, wrong)
  }
  checkDurability(attempt, told, settled!.version, home, wrong)
  for (const [walletId, { version }] of logged.ends) checkDurability(attempt, told, version, walletId, wrong)
}

/** Of a transfer that is new. */
const unrefunded = (transfer: Transfer) => ({
  ...transfer,
  refunded: transfer.to === null ? null : 0n,
  legs: transfer.legs.map((leg) => ({ ...leg, refunded: 0n }))
})

/** The other way, of what was asked for, and under its key. */
const checkTransferRefund = (
  account: Account,
  attempt: Answered,
  told: Told,
  transfer: Transfer,
  wrong: Wrong
): void => {
  const { operation } = attempt
  if (operation.kind !== "refundTransfer") return
  if (transfer.refundOf !== operation.transferId) wrong(`it refunds ${transfer.refundOf}`)
  if (account.several.has(transfer.id)) {
    if (operation.leg !== null || operation.amount !== null) wrong("one leg was asked for")
    return checkLegs(account, attempt, told, transfer, wrong)
  }
  const logged = account.transfers.get(transfer.id)
  const { sent } = logged ?? {}
  if (sent?.event._tag !== "TransferSent") return wrong(`the log has no transfer ${transfer.id}`)
  const { amount, effectiveAt, refund, to } = sent.event
  const [leg] = transfer.legs
  if (!isSame([transfer.from, transfer.to, transfer.amount], [sent.walletId, to, amount]))
    wrong("the log has it otherwise")
  if (!isSame(leg?.refund, refund) || (operation.leg !== null && refund?.leg !== operation.leg))
    wrong("it is of another leg")
  if (operation.amount !== null && amount !== operation.amount) wrong(`${amount} is refunded`)
  if (sent.walletId !== operation.walletId) wrong(`it is from ${sent.walletId}`)
  if (transfer.effectiveAt !== (effectiveAt ?? sent.time)) wrong(`it counts at ${transfer.effectiveAt}`)
  if (sent.metadata.key !== `c:${attempt.key}`) wrong("the transfer is of another key")
  const completed = transfer.status === "completed"
  const durability = { committed: true, persisted: told.durability?.persisted === true, indexed: false }
  checkDurability(attempt, completed ? told : { ...told, durability }, sent.version, sent.walletId, wrong)
  const { arrived } = logged!
  if (!completed) return
  if (arrived?.event._tag !== "TransferReceived") return wrong("it has not arrived")
  checkDurability(attempt, told, arrived.version, arrived.walletId, wrong)
}

const checkRead = (trial: Trial, account: Account, attempt: Answered, told: Told, wrong: Wrong): void => {
  const { operation, truth } = attempt
  const ledger = account.ledgers.get(operation.walletId)
  const state = checkView(ledger, told.wallet!, wrong)
  if (state === undefined) return
  if (state.version > (truth.versions.get(operation.walletId) ?? -1))
    wrong(`version ${state.version} was not in the log`)
  if (operation.kind === "past") {
    if (state.version !== operation.atVersion) wrong(`version ${operation.atVersion} was asked for`)
  } else if (operation.kind === "read") {
    if (state.version < operation.minVersion) wrong(`at least version ${operation.minVersion} was asked for`)
    const told = toldVersion(attempt)
    if (state.version < told) wrong(`somebody had been told of version ${told} before it was asked for`)
  }
}

const checkDone = (trial: Trial, account: Account, attempt: Answered, told: Told, wrong: Wrong): void => {
  const { operation } = attempt
  if (operation.kind === "read" || operation.kind === "past") return checkRead(trial, account, attempt, told, wrong)
  if (told.dryRun === true) return checkDryRun(trial, account, attempt, told, wrong)
  if (attempt.dryRun && told.replayed !== true) wrong("it was a dry run, and is told as done")
  if (operation.kind === "transfer") return checkTransfer(account, attempt, told, told.transfer!, wrong)
  if (operation.kind === "capture" && operation.to !== null) {
    checkCapture(account, attempt, told, wrong)
    return checkTransfer(account, attempt, told, told.transfer!, wrong)
  }
  if (operation.kind === "refundTransfer") return checkTransferRefund(account, attempt, told, told.transfer!, wrong)
  if (operation.kind === "legs") return checkLegs(account, attempt, told, told.transfer!, wrong)
  checkEffect(trial, account, attempt, told, wrong)
  checkDurability(attempt, told, told.wallet!.version, operation.walletId, wrong)
}

/** A command is new to one caller only. */
const checkNewOnce = (trial: Trial, answered: ReadonlyArray<Answered>): void => {
  const firsts = new Map<string, Attempt>()
  for (const attempt of answered) {
    const { operation, outcome } = attempt
    if (outcome._tag !== "Done" || outcome.told.replayed !== false || outcome.told.dryRun === true) continue
    const { transfer, wallet } = outcome.told
    const name = `${operation.walletId} ${attempt.key} ${transfer === undefined ? wallet?.version : transfer.id}`
    const first = firsts.get(name)
    if (first !== undefined) {
      trial.history.violated(
        `attempts ${first.number} and ${attempt.number} [${attempt.key}] were both told to be the first`
      )
    }
    firsts.set(name, attempt)
  }
}

export const checkAnswers = (trial: Trial, account: Account): void => {
  const answered = trial.history.attempts.filter(isAnswered)
  for (const attempt of answered) {
    const wrong: Wrong = (law) =>
      trial.history.violated(
        `attempt ${attempt.number} [${attempt.key}] ${describeOperation(attempt.operation)}, answered ` +
          `${describeOutcome(attempt.outcome)} by ${attempt.node}: ${law}`
      )
    if (attempt.outcome._tag === "Done") checkDone(trial, account, attempt, attempt.outcome.told, wrong)
    else if (attempt.outcome._tag === "Failed") checkRejection(trial, account, attempt, attempt.outcome.error, wrong)
  }
  checkNewOnce(trial, answered)
}
