/** Transfers of several legs as a whole: their form, and what of their wallets rules them out. */
import { invalid, invalidId, invalidMovement } from "./Decision.ts"
import { type AskedLeg, type BeginLegs, type BegunLeg, type LegParty, maxLegs, minLegs } from "./Legs.ts"
import type { Metadata } from "./Limits.ts"
import {
  CurrencyMismatch,
  InsufficientFunds,
  type InvalidRequest,
  type Rejection,
  SameWallet,
  WalletClosed,
  WalletFrozen,
  WalletNotFound
} from "./Rejection.ts"
import { available, type Wallet } from "./Wallet.ts"
import { maxLegsBytes, preparedBytes } from "./WalletSize.ts"

interface AskedLegs {
  readonly legs: ReadonlyArray<AskedLeg>
  readonly reference: string | null
  readonly metadata: Metadata
}

/** The leg's number before what is wrong with it. */
export const ofLeg = (leg: number, rejection: InvalidRequest | undefined): InvalidRequest | undefined =>
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
  return preparedBytes({ legs: [], begun: begunOf(asked, () => "EUR") }) > maxLegsBytes
    ? invalid(`legs: with references and metadata more than ${maxLegsBytes} bytes`)
    : undefined
}

export const begunOf = ({ legs, metadata, reference }: AskedLegs, currencyOf: (walletId: string) => string) => ({
  legs: legs.map(({ amount, from, metadata: ofLeg, reference: text, to }): BegunLeg => ({
    from,
    to,
    amount,
    currency: currencyOf(from),
    reference: text,
    metadata: ofLeg
  })),
  reference,
  metadata
})

type PartyOf = (walletId: string) => LegParty

/** What the wallets are, the home itself among them. A wallet that nobody has asked about is taken for missing. */
export const partiesOf = (wallet: Wallet, { parties }: BeginLegs): PartyOf => {
  const known = new Map(parties.map((party) => [party.walletId, party]))
  const { currency, id: walletId, status } = wallet
  known.set(walletId, { walletId, currency, status, available: available(wallet) })
  return (id) => known.get(id) ?? { walletId: id, currency: "", status: "missing", available: 0n }
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
        currency: source.currency,
        given: destination.currency,
        leg
      })

/** Each leg on what those before it leave. */
export const shortage = (legs: ReadonlyArray<AskedLeg>, partyOf: PartyOf): Rejection | undefined => {
  const left = new Map<string, bigint>()
  const of = (walletId: string): bigint => left.get(walletId) ?? partyOf(walletId).available
  return firstOf(legs, ({ amount, from, to }, leg) => {
    const funds = of(from)
    if (funds < amount) return new InsufficientFunds({ walletId: from, available: funds, required: amount, leg })
    left.set(from, funds - amount)
    left.set(to, of(to) + amount)
    return undefined
  })
}

/** In the precedence of one leg; of several that are refused for the same, the first. */
export const ruledOut = (legs: ReadonlyArray<AskedLeg>, partyOf: PartyOf): Rejection | undefined =>
  firstOf(legs, ({ from }, leg) => missingOrClosed(partyOf(from), leg)) ??
  firstOf(legs, ({ from }, leg) =>
    partyOf(from).status === "frozen" ? new WalletFrozen({ walletId: from, leg }) : undefined
  ) ??
  firstOf(legs, ({ from, to }, leg) => (from === to ? new SameWallet({ walletId: from, leg }) : undefined)) ??
  firstOf(legs, ({ to }, leg) => missingOrClosed(partyOf(to), leg)) ??
  firstOf(legs, ({ from, to }, leg) => mixed(partyOf(from), partyOf(to), leg))
