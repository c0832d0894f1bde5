/** What a dry run was told: what the command would have come to, from some state of its wallet during the call. */
import { type Answered, oldestVersion } from "./Answered.ts"
import type { Operation, Told } from "./History.ts"
import type { LedgerState } from "./LedgerState.ts"
import type { Account } from "./LogCheck.ts"
import { statesBetween } from "./RejectionCheck.ts"
import type { Trial } from "./Trial.ts"

/** What the balance changes by; `undefined`: by what a hold has left. */
const changeOf = (operation: Operation): bigint | undefined => {
  switch (operation.kind) {
    case "credit":
      return operation.amount
    case "debit":
      return -operation.amount
    case "capture":
      return operation.amount === null ? undefined : -operation.amount
    default:
      return 0n
  }
}

const follows = (
  operation: Operation,
  state: LedgerState | undefined,
  wallet: NonNullable<Told["wallet"]>
): boolean => {
  if (operation.kind === "create") return state === undefined && wallet.version === 0
  if (state === undefined || wallet.version <= state.version || wallet.version > state.version + 2) return false
  const moved = wallet.balance - state.balance
  if (operation.kind === "refund") {
    return operation.amount === null ? moved !== 0n : moved === operation.amount || -moved === operation.amount
  }
  const change = changeOf(operation) ?? -(("holdId" in operation && state.holds.get(operation.holdId)?.remaining) || 0n)
  return wallet.balance === state.balance + change
}

const isUnmade = (thing: { readonly id: string | null } | undefined): boolean =>
  thing === undefined || thing.id === null

export const checkDryRun = (
  trial: Trial,
  account: Account,
  attempt: Answered,
  told: Told,
  wrong: (law: string) => void
): void => {
  const { dryRun, ifVersion, operation, truth } = attempt
  const { durability, hold, replayed, transaction, transfer, wallet } = told
  if (!dryRun) wrong("it was not asked as a dry run")
  if (replayed === true) wrong("a replay is not told as a dry run")
  if (durability?.committed !== false || durability.persisted || durability.indexed) wrong("something of it is durable")
  if (!isUnmade(transaction) || !isUnmade(transfer)) wrong("it has an id that is not there")
  if (operation.kind === "hold" && !isUnmade(hold)) wrong("its hold has an id that is not there")
  if (wallet === undefined) return
  const { walletId } = operation
  const ledger = account.ledgers.get(walletId)
  const states = statesBetween(ledger, oldestVersion(trial, attempt, ledger), truth.versions.get(walletId) ?? -1)
  const before = states.filter((state) => follows(operation, state, wallet))
  if (before.length === 0) wrong("the wallet was at no time of the call such that this would follow")
  else if (ifVersion !== undefined && !before.some((state) => state?.version === ifVersion))
    wrong(`it was for version ${ifVersion}`)
}
