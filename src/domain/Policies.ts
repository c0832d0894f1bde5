/** Policies ready for use. Each takes a `name`: two of one kind in an engine need different ones. */
import * as Duration from "effect/Duration"
import * as HashMap from "effect/HashMap"
import type { TransactionType } from "./Movement.ts"
import {
  heldBy,
  type Policy,
  type PolicyCommand,
  type PolicyRejection,
  promisedBy,
  spentBy,
  spentIn
} from "./Policy.ts"
import * as RollingSum from "./RollingSum.ts"
import type { Wallet } from "./Wallet.ts"

/** Buckets of a window where their size is not given. */
const usualBuckets = 24

const reject = (reason: string): PolicyRejection => ({ reason })

/**
 * At most `amount`, minor units, leaves a wallet in any window of `per`: debits, captures and what is sent, at
 * the times of their events. What came back later (a transfer that was refused, an operation that was
 * reversed) has been spent in its window; what is promised to legs counts until they are decided. Judged
 * in buckets of `bucket` (default: 24 in a window, 600 at most), on the strict side: what was spent counts for up
 * to one bucket longer.
 */
export const velocity = ({
  amount,
  bucket,
  name = "velocity",
  per
}: {
  readonly amount: bigint
  readonly per: Duration.Input
  readonly bucket?: Duration.Input | undefined
  readonly name?: string | undefined
}): Policy<RollingSum.RollingSum> => {
  const perMillis = Math.ceil(Duration.toMillis(per))
  const bucketMillis = Math.ceil(bucket === undefined ? perMillis / usualBuckets : Duration.toMillis(bucket))
  const size = { perMillis, bucketMillis }
  if (
    !(
      perMillis > 0 &&
      bucketMillis > 0 &&
      bucketMillis <= perMillis &&
      perMillis / bucketMillis <= RollingSum.maxBuckets
    )
  )
    throw new Error(`policy ${name}: per and bucket make no window of 1 to ${RollingSum.maxBuckets} buckets`)
  const window = Duration.format(Duration.millis(perMillis))
  return {
    name,
    version: `1:${perMillis}:${bucketMillis}`,
    facts: {
      initial: RollingSum.empty,
      fold: (sums, recorded) => {
        const spent = spentIn(recorded)
        return spent === 0n ? sums : RollingSum.add(sums, size, recorded.time, spent)
      },
      maxBytes: RollingSum.maxBytesOf(size),
      reachMillis: RollingSum.reachOf(size)
    },
    judge: (wallet, command, now, sums) => {
      const spends = spentBy(wallet, command)
      if (spends === 0n || wallet === undefined) return undefined
      const spent = RollingSum.sumAt(sums, size, now) + promisedBy(wallet)
      return spent + spends <= amount
        ? undefined
        : reject(`${spent} of ${amount} within ${window} are spent, ${spends} asked`)
    }
  }
}

export interface BalanceBound {
  /** Minor units. */
  readonly amount: bigint
  readonly name?: string | undefined
}

/**
 * What is left of the balance beside all that is held stays at `amount` or above, minor units; may be negative. It stops
 * debits, holds that are placed or raised, and what is sent. Captures and releases leave it as it is. A wallet that is below
 * it already may receive.
 */
export const minBalance = ({ amount, name = "minBalance" }: BalanceBound): Policy => ({
  name,
  version: "1",
  judge: (wallet, command) => {
    const isCapture = command._tag === "CaptureHold" || command._tag === "CaptureHoldTo"
    const takes = heldBy(wallet, command) + (isCapture ? 0n : spentBy(wallet, command))
    if (takes === 0n || wallet === undefined) return undefined
    const left = wallet.balance - wallet.held - takes
    return left >= amount ? undefined : reject(`${left} would be left, at least ${amount} has to be`)
  }
})

/**
 * The balance, with all that is in flight come back and all that is promised arrived, stays at `amount` or below, minor
 * units. It stops credits, refunds of debits and what is received: a transfer of one leg is then reversed, one of several
 * legs does not happen.
 */
export const maxBalance = ({ amount, name = "maxBalance" }: BalanceBound): Policy => ({
  name,
  version: "1",
  judge: (wallet, command) => {
    const gains = broughtBy(command)
    if (wallet === undefined || gains === 0n) return undefined
    const balance = atMost(wallet) + gains
    return balance <= amount ? undefined : reject(`the balance would be up to ${balance}, at most ${amount} may it be`)
  }
})

/** What a command brings when it is done. */
const broughtBy = (command: PolicyCommand): bigint => {
  switch (command._tag) {
    case "Credit":
    case "ReceiveTransfer":
      return command.amount
    case "RefundTransaction":
      return command.direction === "in" ? (command.amount ?? 0n) : 0n
    default:
      return 0n
  }
}

/** The balance when all that the engine may still bring to it without asking is there. */
const atMost = ({ balance, prepared, transfers }: Wallet): bigint => {
  let sum = balance
  for (const { amount } of HashMap.values(transfers)) sum += amount
  for (const { room } of HashMap.values(prepared)) sum += room
  return sum
}

/** Transactions that somebody asks for. */
export type AskedTransactionType = Exclude<TransactionType, "reversal">

/** Only transactions of these types are made. A hold is for a `capture`. All that makes no transaction is allowed. */
export const allowedTypes = ({
  name = "allowedTypes",
  types
}: {
  readonly types: ReadonlyArray<AskedTransactionType>
  readonly name?: string | undefined
}): Policy => {
  const allowed = new Set(types)
  return {
    name,
    version: "1",
    judge: (_wallet, command) => {
      const type = typeOf(command)
      return type === undefined || allowed.has(type) ? undefined : reject(`no ${type} is allowed`)
    }
  }
}

const typeOf = (command: PolicyCommand): AskedTransactionType | undefined => {
  switch (command._tag) {
    case "Credit":
      return "credit"
    case "Debit":
      return "debit"
    case "PlaceHold":
    case "CaptureHold":
    case "CaptureHoldTo":
      return "capture"
    case "RefundTransaction":
      return command.direction === "in" ? "refund_in" : "refund_out"
    case "SendTransfer":
      return "transfer_out"
    case "ReceiveTransfer":
      return "transfer_in"
    case "CreateWallet":
    case "UpdateWallet":
    case "Freeze":
    case "Unfreeze":
    case "Close":
    case "ChangeHold":
    case "ReleaseHold":
      return undefined
  }
}
