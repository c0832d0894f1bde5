/** Transfers of several legs: the rules of their steps, at the home and at every other wallet. */
import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import {
  closed,
  currencyMismatch,
  type DecideContext,
  type Decision,
  findPrepared,
  frozen,
  invalid,
  invalidEffectiveAt,
  invalidId,
  invalidMovement,
  malformedEffectiveAt,
  overBalanceLimit,
  tooLarge
} from "./Decision.ts"
import {
  type ApplyLegs,
  type AskedLeg,
  type BeginLegs,
  type BegunLeg,
  type Course,
  courseOf,
  legChange,
  type LegParty,
  legsChange,
  maxLegs,
  minLegs,
  type OwnLeg,
  ownLegs,
  type PreparedLegs,
  type PrepareLegs,
  type RefuseLegs,
  type ReleaseLegs,
  type SettleLegs
} from "./Legs.ts"
import { exceededRefund } from "./RefundRules.ts"
import { maxTextLength, type Metadata, toText } from "./Limits.ts"
import {
  CurrencyMismatch,
  InsufficientFunds,
  type InvalidRequest,
  LimitExceeded,
  type Rejection,
  SameWallet,
  TransferNotFound,
  WalletClosed,
  WalletFrozen,
  WalletNotFound
} from "./Rejection.ts"
import { available, type Wallet } from "./Wallet.ts"
import { keyLimitBytes, maxLegsBytes, preparedBytes } from "./WalletSize.ts"

// --- The whole transfer ------------------------------------------------------

interface AskedLegs {
  readonly legs: ReadonlyArray<AskedLeg>
  readonly reference: string | null
  readonly metadata: Metadata
  readonly refundOf: string | null
}

const ofLeg = (leg: number, rejection: InvalidRequest | undefined): InvalidRequest | undefined =>
  rejection === undefined ? undefined : invalid(`legs.${leg}.${rejection.detail}`)

/** Takes any values, as `CommandForm` does. */
export const invalidLegs = (asked: AskedLegs): InvalidRequest | undefined => {
  const { legs } = asked
  if (!Array.isArray(legs) || legs.length < minLegs || legs.length > maxLegs) {
    return invalid(`legs: not ${minLegs} to ${maxLegs} of them`)
  }
  for (const [index, leg] of legs.entries()) {
    const wrong = invalidId("from", leg.from) ?? invalidId("to", leg.to) ?? invalidMovement(leg)
    if (wrong !== undefined) return ofLeg(index, wrong)
  }
  const wrong = invalidMovement({ ...asked, amount: 1n })
  if (wrong !== undefined) return wrong
  // The limit of a key is none of the caller's.
  return preparedBytes({ legs: [], begun: begunOf(asked, () => "EUR") }) - keyLimitBytes > maxLegsBytes
    ? invalid(`legs: with references and metadata more than ${maxLegsBytes} bytes`)
    : undefined
}

const begunOf = ({ legs, metadata, reference, refundOf }: AskedLegs, currencyOf: (walletId: string) => string) => ({
  legs: legs.map(({ amount, from, metadata: ofLeg, reference: text, refund, to }): BegunLeg => ({
    from,
    to,
    amount,
    currency: currencyOf(from),
    reference: text,
    metadata: ofLeg,
    refund: refund === null ? null : { of: refund.of, leg: refund.leg }
  })),
  reference,
  metadata,
  refundOf
})

type PartyOf = (walletId: string) => LegParty

/** What the wallets are, the home itself among them. A wallet that nobody has asked about is taken for missing. */
const partiesOf = (wallet: Wallet, { parties }: BeginLegs): PartyOf => {
  const known = new Map(parties.map((party) => [party.walletId, party]))
  const { currency, freeze, id: walletId, status } = wallet
  known.set(walletId, { walletId, currency, status, freeze, available: available(wallet) })
  return (id) => known.get(id) ?? { walletId: id, currency: "", status: "missing", freeze: null, available: 0n }
}

/** The first leg of which `judge` says something. */
const firstOf = (
  legs: ReadonlyArray<AskedLeg>,
  judge: (leg: AskedLeg, number: number) => Rejection | undefined
): Rejection | undefined => {
  for (const [index, leg] of legs.entries()) {
    const rejection = judge(leg, index)
    if (rejection !== undefined) return rejection
  }
  return undefined
}

const missingOrClosed = ({ status, walletId }: LegParty, leg: number): Rejection | undefined => {
  if (status === "missing") return new WalletNotFound({ walletId, leg })
  return status === "closed" ? new WalletClosed({ walletId, leg }) : undefined
}

const mixed = (source: LegParty, destination: LegParty, leg: number): Rejection | undefined =>
  source.currency === destination.currency
    ? undefined
    : new CurrencyMismatch({
        walletId: source.walletId,
        expected: source.currency,
        actual: destination.currency,
        leg
      })

/** Each leg on what those before it leave. */
const shortage = (legs: ReadonlyArray<AskedLeg>, partyOf: PartyOf): Rejection | undefined => {
  const left = new Map<string, bigint>()
  const of = (walletId: string): bigint => left.get(walletId) ?? partyOf(walletId).available
  return firstOf(legs, ({ amount, from, to }, leg) => {
    const funds = of(from)
    if (funds < amount) {
      const { currency } = partyOf(from)
      return new InsufficientFunds({ walletId: from, currency, available: funds, required: amount, leg })
    }
    left.set(from, funds - amount)
    left.set(to, of(to) + amount)
    return undefined
  })
}

const frozenLeg = (
  { freeze, walletId: id }: Pick<LegParty, "freeze" | "walletId">,
  way: "debits" | "credits",
  time: number,
  leg: number
): WalletFrozen | undefined => {
  const rejection = frozen({ freeze, id }, way, time)
  return rejection && new WalletFrozen({ ...rejection, leg })
}

/** In the precedence of one leg; of several that are refused for the same, the first. */
const ruledOut = (legs: ReadonlyArray<AskedLeg>, partyOf: PartyOf, time: number): Rejection | undefined =>
  firstOf(legs, ({ from }, leg) => missingOrClosed(partyOf(from), leg)) ??
  firstOf(legs, ({ from }, leg) => frozenLeg(partyOf(from), "debits", time, leg)) ??
  firstOf(legs, ({ from, to }, leg) => (from === to ? new SameWallet({ walletId: from, leg }) : undefined)) ??
  firstOf(legs, ({ to }, leg) => missingOrClosed(partyOf(to), leg)) ??
  firstOf(legs, ({ to }, leg) => frozenLeg(partyOf(to), "credits", time, leg)) ??
  firstOf(legs, ({ from, to }, leg) => mixed(partyOf(from), partyOf(to), leg))

/** Of the legs that refund others: the wallet that sends them keeps what bounds them. */
const overRefunded = (
  wallet: Wallet,
  legs: ReadonlyArray<{ readonly leg: number; readonly amount: bigint; readonly refund: AskedLeg["refund"] }>
): Rejection | undefined => {
  for (const { amount, leg, refund } of legs) {
    const exceeded = refund === null ? undefined : exceededRefund(wallet, refund, amount, leg)
    if (exceeded !== undefined) return exceeded
  }
  return undefined
}

export const beginLegs = (wallet: Wallet, command: BeginLegs, context: DecideContext): Decision => {
  const partyOf = partiesOf(wallet, command)
  const rejection =
    ruledOut(command.legs, partyOf, context.time) ??
    invalidLegs(command) ??
    invalidEffectiveAt(command.effectiveAt, context.time) ??
    invalidId("transferId", command.transferId) ??
    (command.legs[0]!.from === wallet.id ? undefined : invalid("legs: the first is another wallet's")) ??
    (HashMap.has(wallet.prepared, command.transferId) ? invalid("transferId: in use") : undefined) ??
    overRefunded(
      wallet,
      command.legs.flatMap((one, leg) => (one.from === wallet.id ? [{ ...one, leg }] : []))
    ) ??
    shortage(command.legs, partyOf)
  if (rejection !== undefined) return Result.fail(rejection)
  const begun = begunOf(command, (walletId) => partyOf(walletId).currency)
  const own = ownLegs(wallet.id, command.legs)
  const course = courseOf(own)
  const unfit = overRoom(wallet, own, course) ?? tooLarge(wallet, preparedBytes({ legs: own, begun }), context.limits)
  if (unfit !== undefined) return Result.fail(unfit)
  return Result.succeed([
    {
      _tag: "LegsBegun",
      transferId: command.transferId,
      ...begun,
      effectiveAt: command.effectiveAt,
      held: course.deepest,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held + course.deepest
    }
  ])
}

// --- One wallet's legs -------------------------------------------------------

const overRoom = (wallet: Wallet, legs: ReadonlyArray<OwnLeg>, { highest }: Course): Rejection | undefined => {
  const rejection = highest === 0n ? undefined : overBalanceLimit(wallet, wallet.balance + highest)
  return rejection && new LimitExceeded({ ...rejection, leg: legs.find(({ side }) => side === "received")!.leg })
}

const invalidOwnLegs = ({ legs, transferId }: PrepareLegs): InvalidRequest | undefined => {
  if (legs.length === 0) return invalid("legs: none")
  for (const leg of legs) {
    const wrong = invalidId("counterparty", leg.counterparty) ?? invalidMovement(leg)
    if (wrong !== undefined) return ofLeg(leg.leg, wrong)
  }
  return invalidId("transferId", transferId)
}

const ownFrozen = (
  { freeze, id: walletId }: Wallet,
  legs: ReadonlyArray<OwnLeg>,
  { time }: DecideContext
): Rejection | undefined => {
  const first = (of: OwnLeg["side"]) => legs.find(({ side }) => side === of)?.leg
  const [sent, received] = [first("sent"), first("received")]
  const party = { freeze, walletId }
  return (
    (sent === undefined ? undefined : frozenLeg(party, "debits", time, sent)) ??
    (received === undefined ? undefined : frozenLeg(party, "credits", time, received))
  )
}

/** Each leg on what the wallet's legs before it leave. */
const ownShortage = (wallet: Wallet, legs: ReadonlyArray<OwnLeg>): Rejection | undefined => {
  let funds = available(wallet)
  for (const one of legs) {
    const { amount, leg, side } = one
    if (side === "sent" && funds < amount) {
      const { currency, id: walletId } = wallet
      return new InsufficientFunds({ walletId, currency, available: funds, required: amount, leg })
    }
    funds += legChange(one)
  }
  return undefined
}

/** What is kept of a leg, without what it was judged by. */
const keptLeg = (one: PrepareLegs["legs"][number]): OwnLeg => ({
  leg: one.leg,
  side: one.side,
  counterparty: one.counterparty,
  amount: one.amount,
  reference: one.reference,
  metadata: one.metadata,
  refund: one.refund === null ? null : { of: one.refund.of, leg: one.refund.leg }
})

export const prepareLegs = (wallet: Wallet, command: PrepareLegs, context: DecideContext): Decision => {
  const { home, transferId } = command
  const legs = command.legs.map(keptLeg)
  const course = courseOf(legs)
  const rejection =
    closed(wallet) ??
    ownFrozen(wallet, legs, context) ??
    currencyMismatch(wallet, command.currency) ??
    invalidOwnLegs(command) ??
    malformedEffectiveAt(command.effectiveAt) ??
    (HashMap.has(wallet.prepared, transferId) ? invalid("transferId: in use") : undefined) ??
    overRefunded(wallet, command.legs) ??
    ownShortage(wallet, legs) ??
    overRoom(wallet, legs, course) ??
    tooLarge(wallet, preparedBytes({ legs, begun: null }), context.limits)
  if (rejection !== undefined) return Result.fail(rejection)
  return Result.succeed([
    {
      _tag: "LegsPrepared",
      transferId,
      home,
      legs,
      effectiveAt: command.effectiveAt,
      held: course.deepest,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held + course.deepest
    }
  ])
}

/** In any status: a refusal has to be on record, or it might be prepared after the home has decided. */
export const refuseLegs = (wallet: Wallet, command: RefuseLegs): Decision =>
  Result.succeed([
    {
      _tag: "LegsRefused",
      transferId: command.transferId,
      home: command.home,
      leg: command.leg,
      reason: toText(command.reason, maxTextLength),
      balanceAfter: wallet.balance,
      heldAfter: wallet.held
    }
  ])

/** Prepared, and nothing decided yet. */
const findUndecided = (wallet: Wallet, transferId: string): PreparedLegs | TransferNotFound => {
  const prepared = findPrepared(wallet, transferId)
  return prepared instanceof TransferNotFound || prepared.decision === null
    ? prepared
    : new TransferNotFound({ transferId })
}

/** In any status. What is held in transit and the room above keep every rule out of its way. */
export const applyLegs = (wallet: Wallet, command: ApplyLegs): Decision => {
  const prepared = findUndecided(wallet, command.transferId)
  if (prepared instanceof TransferNotFound) return Result.fail(prepared)
  const { effectiveAt, held, home, id: transferId, legs } = prepared
  return Result.succeed([
    {
      _tag: "LegsApplied",
      transferId,
      home,
      legs,
      effectiveAt,
      released: held,
      balanceAfter: wallet.balance + legsChange(legs),
      heldAfter: wallet.held - held
    }
  ])
}

/** In any status. */
export const releaseLegs = (wallet: Wallet, command: ReleaseLegs): Decision => {
  const prepared = findUndecided(wallet, command.transferId)
  if (prepared instanceof TransferNotFound) return Result.fail(prepared)
  const { held, home, id: transferId } = prepared
  return Result.succeed([
    {
      _tag: "LegsReleased",
      transferId,
      home,
      released: held,
      reason: toText(command.reason, maxTextLength),
      leg: command.leg,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held - held
    }
  ])
}

/** In any status; only what is decided can be settled. */
export const settleLegs = (wallet: Wallet, command: SettleLegs): Decision => {
  const prepared = findPrepared(wallet, command.transferId)
  if (prepared instanceof TransferNotFound) return Result.fail(prepared)
  const { begun, decision, id: transferId } = prepared
  const { transactions } = command
  if (decision === null || begun === null) return Result.fail(invalid(`transfer ${transferId} is not decided`))
  if (transactions.length !== (decision.reason === null ? begun.legs.length : 0)) {
    return Result.fail(invalid(`transfer ${transferId} has other transactions`))
  }
  return Result.succeed([
    {
      _tag: "LegsSettled",
      transferId,
      ...decision,
      transactions,
      balanceAfter: wallet.balance,
      heldAfter: wallet.held
    }
  ])
}
