/** What clients ask for: every command, on few wallets, so that they meet; some of it refused by rules, some nonsense. */
import type { SeededRandom } from "./SeededRandom.ts"
import type { Operation } from "./History.ts"
import { unluckyAmount, unluckyArrival, unluckyRelease, unluckyText } from "./UserRule.ts"

/** What clients know of the installation: what they were told. */
export interface Knowledge {
  readonly wallets: ReadonlyArray<string>
  /** Holds that somebody was told of, per wallet. */
  readonly holds: Map<string, Array<string>>
  /** The last version that somebody was told, per wallet. */
  readonly versions: Map<string, number>
  readonly refusalRate: number
  /** By the clients' own clock, ms. */
  readonly now: () => number
}

const special: ReadonlySet<bigint> = new Set([unluckyAmount, unluckyArrival, unluckyRelease])

/** Small, so that funds run out; lucky unless it shall not be. */
const amountOf = (random: SeededRandom, most: number): bigint => {
  const amount = BigInt(random.between(1, most))
  return special.has(amount) ? amount + 1n : amount
}

const referenceOf = (random: SeededRandom): string | null => (random.chance(0.3) ? `r${random.below(1_000)}` : null)

const knownHold = (random: SeededRandom, { holds }: Knowledge, walletId: string): string => {
  const known = holds.get(walletId) ?? []
  if (known.length === 0 || random.chance(0.03)) return "no-such-hold"
  // The newest are the ones that are open.
  return random.chance(0.7) ? known[known.length - 1 - random.below(Math.min(3, known.length))]! : random.pick(known)
}

const reasonOf = (random: SeededRandom, unlucky: boolean): string | null =>
  unlucky ? unluckyText : random.chance(0.5) ? "because" : null

/** For the books: long before any clock of a node, however wrong it is. */
const effectiveAtOf = (random: SeededRandom): number | null => (random.chance(0.2) ? random.below(1_000_000) : null)

type Draw = (random: SeededRandom, walletId: string, unlucky: boolean, known: Knowledge) => Operation

const movement =
  (kind: "credit" | "debit", most: number): Draw =>
  (random, walletId, unlucky) => ({
    kind,
    walletId,
    amount: unlucky ? unluckyAmount : amountOf(random, most),
    reference: referenceOf(random),
    metadata: random.chance(0.2) ? { tag: `t${random.below(10)}` } : {},
    effectiveAt: effectiveAtOf(random),
    force: kind === "debit" && random.chance(0.08)
  })

/** Of a hold, ms: it is over before it begins, or while somebody captures it, or a clock has to be wrong. */
const lifetimeOf = (random: SeededRandom): number =>
  random.chance(0.8) ? random.between(-20, 6_000) : random.between(15_000, 10_000_000)

const hold: Draw = (random, walletId, unlucky, { now }) => ({
  kind: "hold",
  walletId,
  amount: unlucky
    ? random.chance(0.5)
      ? unluckyAmount
      : unluckyRelease
    : amountOf(random, random.chance(0.3) ? 45 : 20),
  expiresAt: random.chance(0.6) ? now() + lifetimeOf(random) : null,
  reference: referenceOf(random)
})

const capture: Draw = (random, walletId, unlucky, known) => {
  const to = random.chance(0.5) ? null : random.chance(0.03) ? "no-such-wallet" : random.pick(known.wallets)
  const bad = to !== null && random.chance(0.7) ? unluckyArrival : unluckyAmount
  return {
    kind: "capture",
    walletId,
    holdId: knownHold(random, known, walletId),
    amount: unlucky ? bad : random.chance(0.3) ? null : amountOf(random, 10),
    final: random.chance(0.4),
    effectiveAt: effectiveAtOf(random),
    to
  }
}

const change: Draw = (random, walletId, unlucky, known) => {
  const what = random.below(3)
  return {
    kind: "change",
    walletId,
    holdId: knownHold(random, known, walletId),
    // Some of it less than is captured by now.
    amount: what === 0 ? null : unlucky ? unluckyAmount : amountOf(random, random.chance(0.4) ? 4 : 25),
    expiresAt: what === 1 ? undefined : random.chance(0.2) ? null : known.now() + lifetimeOf(random)
  }
}

const release: Draw = (random, walletId, _, known) => ({
  kind: "release",
  walletId,
  holdId: knownHold(random, known, walletId)
})

/** Some end while somebody waits for it. */
const freeze: Draw = (random, walletId, unlucky, { now }) => ({
  kind: "freeze",
  walletId,
  reason: reasonOf(random, unlucky),
  direction: random.pick(["debits", "debits", "credits", "all"] as const),
  until: random.chance(0.5) ? now() + random.between(-20, 4_000) : null
})

const status =
  (kind: "unfreeze" | "close"): Draw =>
  (random, walletId, unlucky) => ({ kind, walletId, reason: reasonOf(random, unlucky) })

const update: Draw = (random, walletId, unlucky) => {
  const what = random.below(3)
  return {
    kind: "update",
    walletId,
    overdraftLimit: what === 0 ? null : unlucky ? unluckyAmount : amountOf(random, 40) - 1n,
    metadata: what === 1 ? null : unlucky ? { mood: unluckyText } : { mood: `m${random.below(5)}` }
  }
}

const transfer: Draw = (random, walletId, unlucky, { wallets }) => ({
  kind: "transfer",
  walletId,
  to: random.chance(0.03) ? "no-such-wallet" : random.pick(wallets),
  amount: unlucky ? (random.chance(0.5) ? unluckyAmount : unluckyArrival) : amountOf(random, 15),
  reference: referenceOf(random),
  effectiveAt: effectiveAtOf(random)
})

/** Among few wallets, so that one receives and passes on, and others cross it. */
const legs: Draw = (random, walletId, unlucky, { wallets }) => {
  const party = (): string => (random.chance(0.01) ? "no-such-wallet" : random.pick(wallets))
  const other = (from: string): string => {
    for (;;) {
      const to = party()
      if (to !== from || random.chance(0.02)) return to
    }
  }
  const count = random.between(2, 5)
  const unluckyLeg = unlucky ? random.below(count) : -1
  return {
    kind: "legs",
    walletId,
    legs: Array.from({ length: count }, (_, index) => {
      const from = index === 0 ? walletId : party()
      const bad = random.chance(0.5) ? unluckyAmount : unluckyArrival
      return {
        from,
        to: other(from),
        amount: index === unluckyLeg ? bad : amountOf(random, 12),
        reference: referenceOf(random)
      }
    }),
    reference: referenceOf(random)
  }
}

const create: Draw = (random, walletId, unlucky) => ({
  kind: "create",
  walletId,
  ownerId: unlucky ? unluckyText : `owner${random.below(3)}`,
  currency: random.chance(0.9) ? "EUR" : "CZK",
  overdraftLimit: random.chance(0.4) ? BigInt(random.below(30)) : 0n,
  metadata: {}
})

const read: Draw = (random, walletId, _, { versions }) => ({
  kind: "read",
  walletId,
  minVersion: random.chance(0.5) ? (versions.get(walletId) ?? -1) : -1
})

const past: Draw = (random, walletId, _, { versions }) => ({
  kind: "past",
  walletId,
  atVersion: random.below((versions.get(walletId) ?? 0) + 2)
})

const draws: ReadonlyArray<readonly [Draw, number]> = [
  [movement("credit", 50), 22],
  [movement("debit", 25), 14],
  [hold, 14],
  [capture, 14],
  [change, 12],
  [release, 6],
  [transfer, 22],
  [legs, 14],
  [freeze, 4],
  [status("unfreeze"), 5],
  [status("close"), 2],
  [update, 4],
  [create, 2],
  [read, 4],
  [past, 2]
]

export const drawOperation = (random: SeededRandom, known: Knowledge): Operation => {
  const walletId = random.pick(known.wallets)
  if (!known.versions.has(walletId) && random.chance(0.6)) {
    return create(random, walletId, random.chance(known.refusalRate), known)
  }
  const draw = random.weighted(draws)
  return draw(random, walletId, random.chance(known.refusalRate), known)
}
