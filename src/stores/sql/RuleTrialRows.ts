/**
 * What the user's rules are tried with: facts that the engine must be able to write, as
 * they may come, over a week. And the statements that write them.
 */
import type { WalletEvent } from "../../domain/Event.ts"
import { noMetadata } from "../../domain/Limits.ts"
import { columnsOf } from "./EventColumns.ts"

/** The wallet that the rows are of. */
export interface TrialWallet {
  readonly id: string
  /** The other one of its transfers. */
  readonly counterparty: string
  readonly currency: string
  readonly version: bigint
  readonly balance: bigint
  readonly held: bigint
}

export interface TrialEvent {
  /** For whoever reads the warning. */
  readonly what: string
  /** Columns of `events`, but for the id and the position. */
  readonly row: Readonly<Record<string, unknown>>
}

/**
 * Above whatever a rule may mean by a cap, and small enough for a rule that counts in
 * `bigint`: that one has nothing to be blamed for.
 */
export const largeAmount = 10n ** 15n
const amounts = [1n, largeAmount] as const

/** No column holds more. */
const largestBalance = 10n ** 36n - 1n

/** Above every version that a wallet has, and still an `integer`. No append can wait for such a row. */
const versionsAhead = 1_000_000_000n

const dayMillis = 86_400_000
const hourMillis = 3_600_000
const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"] as const
/** Within no office's hours, and within most. */
const hours = [3, 15] as const

const factsOf = (wallet: TrialWallet): ReadonlyArray<WalletEvent> => {
  const after = { balanceAfter: wallet.balance, heldAfter: wallet.held }
  const reason = "a trial by verify"
  const moved = amounts.flatMap((amount): ReadonlyArray<WalletEvent> => {
    const balanceAfter = wallet.balance + amount > largestBalance ? wallet.balance : wallet.balance + amount
    const back = { ...after, balanceAfter }
    const reversal = { _tag: "OperationReversed", reversedVersion: 1, reason, restored: { _tag: "Nothing" } } as const
    return [
      {
        _tag: "TransferReversed",
        transferId: "trial",
        to: wallet.counterparty,
        amount,
        reason,
        effectiveAt: null,
        holdId: null,
        capturedAfter: null,
        remainingAfter: null,
        ...back
      },
      { ...reversal, reversedType: "WalletDebited", balanceChange: amount, ...back },
      // The money that goes was there before: what is left is what the wallet has.
      { ...reversal, reversedType: "WalletCredited", balanceChange: -amount, ...after }
    ]
  })
  return [
    ...moved,
    ...legFacts(wallet),
    { _tag: "HoldExpired", holdId: "trial", amount: 1n, capturedAfter: 0n, expiresAt: 0, ...after },
    { _tag: "FreezeExpired", until: 0, ...after },
    { _tag: "TransferRefused", transferId: "trial", from: wallet.counterparty, amount: 1n, reason, ...after },
    { _tag: "TransferSettled", transferId: "trial", to: wallet.counterparty, amount: 1n, holdId: null, ...after }
  ]
}

/** Of a transfer of several legs what is decided, refused or over. */
const legFacts = ({ balance, counterparty, held }: TrialWallet): ReadonlyArray<WalletEvent> => {
  const of = { transferId: "trial", home: counterparty, balanceAfter: balance, heldAfter: held }
  const leg = { leg: 0, side: "received", counterparty, amount: 1n, reference: null, metadata: noMetadata } as const
  const reversed = { reason: "a trial by verify", leg: 0 }
  return [
    { _tag: "LegsRefused", ...of, ...reversed },
    { _tag: "LegsApplied", ...of, legs: [leg], effectiveAt: null, released: 0n },
    { _tag: "LegsReleased", ...of, ...reversed, released: 0n },
    { _tag: "LegsSettled", transferId: "trial", ...reversed, transactions: [], balanceAfter: balance, heldAfter: held }
  ]
}

const whatOf = (event: WalletEvent, time: number): string => {
  const { amount } = columnsOf(event)
  const at = new Date(time)
  const hour = String(at.getUTCHours()).padStart(2, "0")
  const when = `on a ${weekdays[at.getUTCDay()]} at ${hour}:00 UTC`
  return `${event._tag}${amount === null ? "" : ` of ${amount}`} ${when}`
}

const rowOf = (wallet: TrialWallet, event: WalletEvent, time: number, version: bigint) => {
  const columns = columnsOf(event)
  return {
    version: String(version),
    time: new Date(time).toISOString(),
    epoch: 0,
    wallet_id: wallet.id,
    type: event._tag,
    key: "e:trial",
    fingerprint: "trial",
    currency: wallet.currency,
    amount: columns.amount === null ? null : String(columns.amount),
    balance_after: String(event.balanceAfter),
    held_after: String(event.heldAfter),
    hold_id: columns.holdId,
    transfer_id: columns.transferId,
    counterparty: columns.counterparty,
    data: columns.data
  }
}

/**
 * In their order in time: a rule may look at the rows before. Over the last seven whole
 * days, as nothing has a time in the future.
 */
export const trialEvents = (wallet: TrialWallet, now: number): ReadonlyArray<TrialEvent> => {
  const today = now - (now % dayMillis)
  const times = [7, 6, 5, 4, 3, 2, 1].flatMap((days) =>
    hours.map((hour) => today - days * dayMillis + hour * hourMillis)
  )
  return times
    .flatMap((time) => factsOf(wallet).map((event) => ({ event, time })))
    .map(({ event, time }, index) => ({
      what: whatOf(event, time),
      row: rowOf(wallet, event, time, wallet.version + versionsAhead + BigInt(index))
    }))
}

/** `$1`: its id. */
export const openWallet = `
insert into wallets (id, owner_id, currency, balance, held, overdraft_limit, status, version, created_at, updated_at,
  position, tag, words)
values ($1, 'trial', 'EUR', 0, 0, 0, 'active', 0, now() - interval '30 days', now() - interval '30 days',
  -(random() * 1e15)::bigint, 'trial', '{}')`

/** `$1`: rows. Positions below all that there are, by chance: nobody takes the same, so nobody waits. */
export const insertEvents = `
with written as (
insert into events (position, id, version, time, epoch, wallet_id, type, key, fingerprint, currency, amount,
  balance_after, held_after, hold_id, transfer_id, counterparty, data)
select chance.place - r.version, gen_random_uuid(), r.version, r.time, r.epoch, r.wallet_id, r.type, r.key,
  r.fingerprint, r.currency, r.amount, r.balance_after, r.held_after, r.hold_id, r.transfer_id, r.counterparty, r.data
from (select -(random() * 1e15)::bigint as place) chance, json_populate_recordset(null::events, $1::json) r
order by r.version
returning 1
)
select case when count(*) < json_array_length($1::json)
  then refuse_suppressed_rows('events', json_array_length($1::json), count(*)) end
from written`

/** What an event changes beside its own row. `$1`: the wallet; `$2`: an id that nothing has; `$3`: an amount. */
export interface TrialChange {
  readonly table: "wallets" | "holds" | "transfers" | "legs"
  readonly what: string
  /** The row that is changed, where none can be counted upon. One that is refused has not been there. */
  readonly prepare?: string
  readonly change: string
}

const ofTrial = "where wallet_id = $1 and id = $2 and amount = $3::numeric"

const placeHold = `
insert into holds (wallet_id, id, version, amount, captured, remaining, status, created_at)
select $1, $2, version + ${versionsAhead}, $3::numeric, 0, $3::numeric, 'active', updated_at from wallets where id = $1`

const sendTransfer = `
insert into transfers (wallet_id, id, to_wallet_id, version, position, amount, currency, status, created_at, updated_at)
select $1, $2, coalesce((select id from wallets where id <> $1 order by position desc limit 1), $1 || ':trial'),
  version + ${versionsAhead}, -(random() * 1e15)::bigint, $3::numeric, currency, 'pending',
  updated_at, updated_at from wallets where id = $1`

const ofTrialLeg = "where wallet_id = $1 and transfer_id = $2 and amount = $3::numeric"

const promiseLeg = `
insert into legs (leg, wallet_id, transfer_id, type, currency, amount, counterparty)
select 0, $1, $2, 'TransferReceived', currency, $3::numeric,
  coalesce((select id from wallets where id <> $1 order by position desc limit 1), $1 || ':trial')
from wallets where id = $1`

export const trialChanges: ReadonlyArray<TrialChange> = [
  {
    table: "wallets",
    what: "a wallet whose version alone moves, as when an event is refused",
    change: "update wallets set version = version + 1 where id = $1 and $2 <> '' and $3::numeric > 0"
  },
  {
    table: "wallets",
    what: `a wallet that a reversal gives back ${largeAmount}`,
    change: "update wallets set version = version + 1, balance = balance + $3::numeric where id = $1 and $2 <> ''"
  },
  {
    table: "holds",
    what: "a hold that expires",
    prepare: placeHold,
    change: `update holds set remaining = 0, status = 'expired' ${ofTrial}`
  },
  {
    table: "holds",
    what: "a hold that a reversal restores",
    prepare: placeHold,
    change: `update holds set captured = 0, remaining = amount, status = 'active' ${ofTrial}`
  },
  {
    table: "transfers",
    what: "a transfer that is settled",
    prepare: sendTransfer,
    change: `update transfers set status = 'completed' ${ofTrial}`
  },
  {
    table: "transfers",
    what: "a transfer that is reversed",
    prepare: sendTransfer,
    change: `update transfers set status = 'reversed', reason = 'a trial by verify' ${ofTrial}`
  },
  {
    table: "legs",
    what: "a leg that is applied",
    prepare: promiseLeg,
    change: `update legs set version = 1e15::bigint, position = -(random() * 1e15)::bigint, time = now(),
  id = gen_random_uuid(), key = 'e:trial', balance_after = $3::numeric ${ofTrialLeg}`
  },
  {
    table: "legs",
    what: "a leg that is released",
    prepare: promiseLeg,
    change: `delete from legs ${ofTrialLeg}`
  }
]
