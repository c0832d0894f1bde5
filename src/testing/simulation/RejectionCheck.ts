/** A rejection is true if the wallet was at some moment of the call as the rejection says. */
import type { WalletLimits } from "../../domain/Decide.ts"
import { type Answered, oldestVersion, toldVersion } from "./Answered.ts"
import type { Operation } from "./History.ts"
import type { Ledger } from "./Ledger.ts"
import {
  askedBytes,
  availableOf,
  isFrozen,
  isOpenHold,
  legsBytes,
  legsOf,
  type LedgerState,
  metadataBytes,
  neededFor,
  openHoldsOf,
  refundBytes,
  stateBytes
} from "./LedgerState.ts"
import { type Account, type LoggedCommand, nameOf } from "./LogCheck.ts"
import { isRefund, justifiesRefund, type Original, originalOf, refundTags } from "./RefundCheck.ts"
import { wasAgainst } from "./PolicyCheck.ts"
import type { Trial } from "./Trial.ts"
import { soundMillis } from "./FaultPlan.ts"
import { unluckyAmount, unluckyArrival, unluckyText } from "./UserRule.ts"

/** Nothing has happened, and nothing was judged: always possible. */
const passing: ReadonlySet<string> = new Set([
  "StoreUnavailable",
  "StoreDefect",
  "MailboxFull",
  "OutcomeUnknown",
  // Of reads.
  "RateLimited",
  "VersionNotReached"
])

interface Moment {
  readonly state: LedgerState | undefined
  /** Of a transfer's destination, at any time of the call. */
  readonly destinations: ReadonlyArray<LedgerState | undefined>
  /** The latest that the node's time was at the answer, ms. */
  readonly time: number
  /** The earliest that it was at the call, ms. */
  readonly since: number
  readonly limits: WalletLimits
  /** Of a refund: what it is of, if the log has that. */
  readonly original: Original | undefined
  /** Of all wallets of several legs but the home, each at any time of the call. */
  readonly others: ReadonlyMap<string, ReadonlyArray<LedgerState | undefined>>
}

const needed = (operation: Operation, state: LedgerState): bigint | undefined => {
  switch (operation.kind) {
    case "debit":
      return operation.force ? undefined : operation.amount
    case "hold":
    case "transfer":
      return operation.amount
    case "change": {
      const raised = (operation.amount ?? 0n) - (state.holds.get(operation.holdId)?.amount ?? 0n)
      return raised > 0n ? raised : undefined
    }
    case "update": {
      const lowered = operation.overdraftLimit === null ? 0n : state.overdraftLimit - operation.overdraftLimit
      return lowered > 0n ? lowered : undefined
    }
    default:
      return undefined
  }
}

/** Of those that the workload draws. */
const longestReference = "r999"

/** What the state would have more, bytes. */
const added = (operation: Operation, state: LedgerState): number => {
  switch (operation.kind) {
    case "hold":
    case "transfer":
      return askedBytes(operation.reference)
    case "capture":
      return operation.to === null ? -Infinity : askedBytes(null) + 216
    case "refundTransfer":
      return askedBytes(operation.reference) + refundBytes
    case "legs":
      return legsBytes
    case "update":
      return operation.metadata === null ? -Infinity : metadataBytes(operation.metadata) - metadataBytes(state.metadata)
    default:
      return -Infinity
  }
}

/** Of several legs: whether one of its wallets, as it was, says so. */
const justifiesLegs = (
  tag: string,
  { legs }: Extract<Operation, { readonly kind: "legs" }>,
  { others, since, state }: Moment
): boolean => {
  const statesOf = (walletId: string): ReadonlyArray<LedgerState | undefined> =>
    others.get(walletId) ?? (state === undefined ? [] : [state])
  const wallets = [...new Set(legs.flatMap(({ from, to }) => [from, to]))]
  const any = (walletId: string, is: (one: LedgerState | undefined) => boolean) => statesOf(walletId).some(is)
  switch (tag) {
    case "WalletNotFound":
      return state === undefined || wallets.some((id) => any(id, (one) => one === undefined))
    case "WalletClosed":
      return wallets.some((id) => any(id, isClosed))
    case "WalletFrozen":
      return legs.some(
        ({ from, to }) =>
          any(from, (one) => one !== undefined && isFrozen(one, "debits", since)) ||
          any(to, (one) => one !== undefined && isFrozen(one, "credits", since))
      )
    case "SameWallet":
      return legs.some(({ from, to }) => from === to)
    case "CurrencyMismatch":
      return legs.some(({ from, to }) => {
        const [one, other] = [from, to].map((id) => statesOf(id).find((each) => each !== undefined)?.currency)
        return one !== other
      })
    case "InsufficientFunds":
      return wallets.some((id) => {
        const needed = neededFor(legsOf(id, legs))
        return any(id, (one) => one !== undefined && availableOf(one) < needed)
      })
    default:
      return false
  }
}

/** Of one leg, also that of a capture. */
export const destinationOf = (operation: Operation): string | undefined =>
  operation.kind === "transfer" || operation.kind === "capture" ? (operation.to ?? undefined) : undefined

const isClosed = (state: LedgerState | undefined) => state?.status === "closed"

/** Whether the wallet, as it was, says so. */
const justifies = (tag: string, operation: Operation, moment: Moment): boolean => {
  const { destinations, limits, since, state, time } = moment
  if (operation.kind === "legs" && tag !== "LimitExceeded") return justifiesLegs(tag, operation, moment)
  if (isRefund(operation) && refundTags.has(tag)) return justifiesRefund(tag, operation, moment)
  // Several wallets may say so, each of its own leg.
  if (moment.original?.isWhole === true) return true
  switch (tag) {
    case "WalletNotFound":
      return (
        state === undefined ||
        destinations.includes(undefined) ||
        (operation.kind === "past" && operation.atVersion > state.version)
      )
    case "WalletAlreadyExists":
      return state !== undefined
    case "WalletClosed":
      return isClosed(state) || destinations.some(isClosed)
    case "SameWallet":
      return destinationOf(operation) === operation.walletId
  }
  if (state === undefined) return false
  const hold = "holdId" in operation ? state.holds.get(operation.holdId) : undefined
  switch (tag) {
    case "WalletFrozen":
      return operation.kind === "credit" || (operation.kind === "refund" && moment.original?.isTakenBack === false)
        ? isFrozen(state, "credits", since)
        : isFrozen(state, "debits", since) &&
            (["debit", "hold", "capture", "change", "transfer"].includes(operation.kind) ||
              moment.original?.isTakenBack === true)
    case "WalletNotEmpty":
      return (
        operation.kind === "close" &&
        (state.balance !== 0n || openHoldsOf(state) > 0 || state.inFlight.size + state.prepared.size > 0)
      )
    case "CurrencyMismatch":
      return destinations.some((other) => other !== undefined && other.currency !== state.currency)
    case "HoldNotFound":
      return "holdId" in operation && !isOpenHold(hold)
    case "HoldClosed":
      return hold !== undefined && (!isOpenHold(hold) || (hold.expiresAt !== null && hold.expiresAt <= time))
    case "HoldAmountExceeded":
      if (operation.kind === "change") {
        return isOpenHold(hold) && operation.amount !== null && operation.amount < hold.captured
      }
      return (
        operation.kind === "capture" &&
        isOpenHold(hold) &&
        operation.amount !== null &&
        operation.amount > hold.remaining
      )
    case "InsufficientFunds": {
      const amount = needed(operation, state)
      return amount !== undefined && availableOf(state) < amount
    }
    case "LimitExceeded":
      return stateBytes(state, longestReference) + added(operation, state) > limits.stateBytes
    case "InvalidRequest":
      if (operation.kind === "freeze") return operation.until !== null && operation.until <= time
      return (
        (operation.kind === "hold" || operation.kind === "change") &&
        typeof operation.expiresAt === "number" &&
        operation.expiresAt <= time
      )
    default:
      return false
  }
}

const couldBeRefused = (operation: Operation): boolean => {
  switch (operation.kind) {
    case "create":
      return operation.ownerId === unluckyText
    case "credit":
    case "debit":
    case "hold":
      return operation.amount === unluckyAmount
    case "transfer":
      return operation.amount === unluckyAmount || operation.amount === unluckyArrival
    case "legs":
      return operation.legs.some(({ amount }) => amount === unluckyAmount || amount === unluckyArrival)
    case "capture":
    case "change":
    case "refund":
    case "refundTransfer":
      return operation.amount === unluckyAmount || operation.amount === null
    case "release":
      return true
    case "freeze":
    case "unfreeze":
    case "close":
      return operation.reason === unluckyText
    case "update":
      return operation.overdraftLimit === unluckyAmount || operation.metadata?.["mood"] === unluckyText
    default:
      return false
  }
}

export const statesBetween = (
  ledger: Ledger | undefined,
  from: number,
  to: number
): ReadonlyArray<LedgerState | undefined> => {
  const states: Array<LedgerState | undefined> = from < 0 ? [undefined] : []
  for (let version = Math.max(0, from); version <= to; version++) states.push(ledger?.at(version))
  return states
}

/** Commands of the attempt's key that were there before it was made. */
const doneBefore = (account: Account, attempt: Answered): ReadonlyArray<LoggedCommand> => {
  const before = attempt.versionsBefore.get(attempt.operation.walletId) ?? -1
  return (account.commands.get(nameOf(attempt.operation.walletId, `c:${attempt.key}`)) ?? []).filter(
    ({ version }) => version <= before
  )
}

/** Of several legs: the wallets but the home, each at any time of the call. */
const othersOf = (account: Account, attempt: Answered): Moment["others"] => {
  const { operation, truth } = attempt
  const others = new Map<string, ReadonlyArray<LedgerState | undefined>>()
  for (const id of operation.kind === "legs" ? operation.legs.flatMap(({ from, to }) => [from, to]) : []) {
    if (id === operation.walletId) continue
    others.set(id, statesBetween(account.ledgers.get(id), toldVersion(attempt, id), truth.versions.get(id) ?? -1))
  }
  return others
}

/** To whom a refund of that leg would go. */
const sourceOf = ({ several, transfers }: Account, id: string, leg: number): string | undefined =>
  transfers.get(id)?.from ?? several.get(id)?.event.legs[leg]?.from

/** Of one leg, also that of a capture or a refund. */
const targetOf = (account: Account, operation: Operation): string | undefined =>
  operation.kind === "refundTransfer"
    ? sourceOf(account, operation.transferId, operation.leg ?? 0)
    : destinationOf(operation)

const checkRules = (
  trial: Trial,
  account: Account,
  attempt: Answered,
  tag: string,
  wrong: (law: string) => void
): void => {
  const { operation, truth } = attempt
  const { walletId } = operation
  const ledger = account.ledgers.get(walletId)
  const newest = truth.versions.get(walletId) ?? -1
  const states = statesBetween(ledger, oldestVersion(trial, attempt, ledger), newest)
  const original = originalOf(account, attempt)
  const to = targetOf(account, operation)
  const destination = to === undefined ? undefined : account.ledgers.get(to)
  const destinations =
    to === undefined ? [] : statesBetween(destination, toldVersion(attempt, to), truth.versions.get(to) ?? -1)
  const { limits } = trial.plan.bounds
  const others = othersOf(account, attempt)
  const holds = states.some((state) => {
    const [since, time] = [attempt.calledAt - soundMillis, truth.time + soundMillis]
    return justifies(tag, operation, { state, destinations, others, original, since, time, limits })
  })
  if (!holds) wrong("the wallet was not like that at any time of the call")
  if (operation.kind === "read" || operation.kind === "past") return
  // Which wallet's the key is shows from the original only.
  if (isRefund(operation) && ["TransactionNotFound", "TransferNotFound", "NotRefundable"].includes(tag)) return
  // Of several legs with nothing left none of their wallets sends anything.
  if (original !== undefined && (original.isWhole || original.walletId !== walletId)) return
  checkUnused(account, attempt, wrong)
}

/** A key that was used is told before everything else. */
const checkUnused = (account: Account, attempt: Answered, wrong: (law: string) => void): void => {
  if (attempt.stale !== undefined) return
  const [done] = doneBefore(account, attempt)
  if (done !== undefined) wrong(`its key had taken place at version ${done.version} before it was asked for`)
}

const checkKeyReused = (account: Account, attempt: Answered, wrong: (law: string) => void): void => {
  const { key, operation, truth } = attempt
  const commands = account.commands.get(nameOf(operation.walletId, `c:${key}`)) ?? []
  const used = commands.some(({ version }) => version <= (truth.versions.get(operation.walletId) ?? -1))
  if (!used) wrong("the key had not been used")
}

const checkReversed = (account: Account, attempt: Answered, wrong: (law: string) => void): void => {
  const { key, operation, truth } = attempt
  const ledger = account.ledgers.get(operation.walletId)
  const commands = account.commands.get(nameOf(operation.walletId, `c:${key}`)) ?? []
  const reversed = commands.some(({ events }) =>
    events.some(({ version }) => {
      const reversal = ledger?.reversals.get(version)
      return reversal !== undefined && reversal <= (truth.versions.get(operation.walletId) ?? -1)
    })
  )
  if (!reversed) wrong("it had not been reversed")
}

const checkTransferReversed = (account: Account, attempt: Answered, wrong: (law: string) => void): void => {
  const { key, operation, truth } = attempt
  for (const { ended, sent } of account.transfers.values()) {
    if (sent.walletId !== operation.walletId || sent.metadata.key !== `c:${key}`) continue
    if (ended?.event._tag !== "TransferReversed") return wrong("it was not reversed")
    if (ended.version > (truth.versions.get(operation.walletId) ?? -1)) return wrong("it had not been reversed yet")
    return
  }
  for (const { begun, settled } of account.several.values()) {
    if (begun.walletId !== operation.walletId || begun.metadata.key !== `c:${key}`) continue
    if (settled?.event._tag !== "LegsSettled" || settled.event.reason === null) return wrong("it was not reversed")
    if (settled.version > (truth.versions.get(operation.walletId) ?? -1)) return wrong("it had not been reversed yet")
    return
  }
  wrong("it was never sent")
}

/**
 * Another wallet may have come to be against it after it was looked at, before it was asked: closed, frozen, short of
 * money; or a policy of that wallet is against it.
 */
const checkTriedReversal = (trial: Trial, account: Account, attempt: Answered, reason: string): boolean => {
  const { calledAt, operation, truth } = attempt
  const [since, time] = [calledAt - soundMillis, truth.time + soundMillis]
  if (operation.kind === "legs") {
    const { limits } = trial.plan.bounds
    const ledger = account.ledgers.get(operation.walletId)
    const newest = truth.versions.get(operation.walletId) ?? -1
    const state = statesBetween(ledger, newest, newest).at(-1)
    const others = othersOf(account, attempt)
    const moment = { state, destinations: [], others, original: undefined, since, time, limits }
    const tag = reason.slice(0, reason.indexOf(":"))
    return (
      operation.legs.some(({ from, to }) => [from, to].some((id) => wasAgainst(trial, account, attempt, id))) ||
      justifiesLegs(tag, operation, moment)
    )
  }
  const to = targetOf(account, operation)
  if (to === undefined) return false
  if (wasAgainst(trial, account, attempt, to)) return true
  return statesBetween(account.ledgers.get(to), toldVersion(attempt, to), truth.versions.get(to) ?? -1).some(
    (state) => isClosed(state) || (state !== undefined && isFrozen(state, "credits", since))
  )
}

/** The wallet was at the version that was told, at some moment of the call, and not at the one that was asked for. */
const checkMismatch = (
  trial: Trial,
  account: Account,
  attempt: Answered,
  version: number | undefined,
  wrong: (law: string) => void
): void => {
  const { ifVersion, operation, truth } = attempt
  const { walletId } = operation
  if (ifVersion === undefined || version === undefined || version === ifVersion) return wrong("it was for this version")
  const oldest = oldestVersion(trial, attempt, account.ledgers.get(walletId))
  if (version < oldest || version > (truth.versions.get(walletId) ?? -1)) wrong(`it was not at version ${version} then`)
  checkUnused(account, attempt, wrong)
}

/** Whether what the caller was told instead of an answer is true. */
export const checkRejection = (
  trial: Trial,
  account: Account,
  attempt: Answered,
  error: { readonly _tag: string; readonly version?: number; readonly policy?: string; readonly reason?: string },
  wrong: (law: string) => void
): void => {
  const tag = error._tag
  if (passing.has(tag)) return
  switch (tag) {
    case "VersionMismatch":
      return checkMismatch(trial, account, attempt, error.version, wrong)
    case "IdempotencyKeyReused":
      return checkKeyReused(account, attempt, wrong)
    case "OperationRefused":
      if (trial.plan.separate || !couldBeRefused(attempt.operation)) wrong("no rule refuses it")
      return
    case "OperationReversed":
      return checkReversed(account, attempt, wrong)
    case "TransferReversed":
      if (
        attempt.dryRun &&
        (attempt.operation.kind === "refundTransfer" || checkTriedReversal(trial, account, attempt, error.reason ?? ""))
      )
        return
      return checkTransferReversed(account, attempt, wrong)
    case "PolicyRejected":
      trial.asked.rejected++
      if (!wasAgainst(trial, account, attempt, attempt.operation.walletId, error.policy))
        wrong("the policy was not against it at any time of the call")
      return checkUnused(account, attempt, wrong)
    default:
      return checkRules(trial, account, attempt, tag, wrong)
  }
}
