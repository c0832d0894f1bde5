/** Random lives of one wallet: steps for fast-check to choose and to shrink, and what becomes of them. */
import * as Result from "effect/Result"
import * as FastCheck from "fast-check"
import type { Command } from "../../src/domain/Command.ts"
import { decide } from "../../src/domain/Decide.ts"
import type { RecordedEvent } from "../../src/domain/Event.ts"
import { evolve } from "../../src/domain/Evolve.ts"
import type { Wallet } from "../../src/domain/Wallet.ts"
import { noMetadata } from "../../src/domain/Limits.ts"
import { command, record, walletId } from "./Examples.ts"

/** A transfer of several legs and two holds, or some ten holds and transfers, so that it is reached. */
export const limits = { stateBytes: 4_500 }

/** A command, or one that depends on the wallet: its last event is reversed, its whole balance is debited. */
type Asked = Command | "ReverseLast" | "DebitAll" | "EndFreeze"

/** One step of a life: time passes, then a command comes. */
export interface Step {
  readonly pause: number
  readonly command: Asked
}

const amount = FastCheck.bigInt({ min: 1n, max: 40n })
const income = FastCheck.bigInt({ min: 1n, max: 90n })
const part = FastCheck.option(FastCheck.bigInt({ min: 1n, max: 12n }), { freq: 3 })
/** The first is named most: later steps shall meet what earlier ones have opened. */
const idOf = (kind: string): FastCheck.Arbitrary<string> =>
  FastCheck.oneof(
    { weight: 4, arbitrary: FastCheck.constant(`${kind}-1`) },
    { weight: 2, arbitrary: FastCheck.constant(`${kind}-2`) },
    { weight: 1, arbitrary: FastCheck.constantFrom(`${kind}-3`, `${kind}-4`) }
  )
const holdId = idOf("hold")
const transferId = idOf("transfer")
const legsId = idOf("legs")
const metadata = FastCheck.dictionary(FastCheck.string({ maxLength: 3 }), FastCheck.string({ maxLength: 3 }), {
  maxKeys: 2,
  noNullPrototype: true
})
const reference = FastCheck.option(FastCheck.string({ maxLength: 4 }))
/** From the step's own time on; {@link live} adds that. */
const expiresAt = FastCheck.option(FastCheck.integer({ min: 0, max: 30 }))
/** Most say nothing of it; some of these are still to come. */
const effectiveAt = FastCheck.option(FastCheck.integer({ min: 0, max: 60 }), { freq: 1 })
const limit = FastCheck.bigInt({ min: 0n, max: 80n })

const side = FastCheck.constantFrom("sent" as const, "received" as const)
const madeTransactions = [
  { sent: "s0", received: "r0" },
  { sent: "s1", received: "r1" }
]

/** Sends, and has half of it back in its second leg. */
const beginning = (given: { readonly amount: bigint; readonly legsId: string; readonly reference: string | null }) => {
  const note = { reference: given.reference, metadata: noMetadata }
  return command("BeginLegs", {
    transferId: given.legsId,
    legs: [
      { from: walletId, to: "wallet-2", amount: given.amount, ...note, refund: null },
      { from: "wallet-2", to: walletId, amount: given.amount / 2n + 1n, ...note, refund: null }
    ],
    parties: [{ walletId: "wallet-2", currency: "EUR", status: "active", freeze: null, available: 1_000n }]
  })
}

/** Of every original that a life refunds: rows that know of no refund yet. */
export const refundBound = { amount: 60n, refunded: 0n, version: -1 }

const originalId = idOf("original")

/** One leg this way and one the other. */
const preparing = (given: {
  readonly amount: bigint
  readonly other: bigint
  readonly legsId: string
  readonly first: "sent" | "received"
  readonly of: string | null
}) => {
  const refund = given.of === null ? null : { of: given.of, leg: 1, bound: refundBound }
  const of = { counterparty: "wallet-9", reference: null, metadata: noMetadata }
  const second = given.first === "sent" ? "received" : "sent"
  return command("PrepareLegs", {
    transferId: given.legsId,
    legs: [
      { leg: 1, side: given.first, amount: given.amount, ...of, refund: given.first === "sent" ? refund : null },
      { leg: 3, side: second, amount: given.other, ...of, refund: second === "sent" ? refund : null }
    ]
  })
}

const commands: FastCheck.Arbitrary<Asked> = FastCheck.oneof(
  {
    weight: 6,
    arbitrary: FastCheck.record({ amount: income, reference, metadata, effectiveAt }).map((given) =>
      command("Credit", given)
    )
  },
  {
    weight: 4,
    arbitrary: FastCheck.record({ amount, reference, effectiveAt }).map((given) => command("Debit", given))
  },
  {
    weight: 6,
    arbitrary: FastCheck.record({ amount, holdId, expiresAt, metadata }).map((given) => command("PlaceHold", given))
  },
  {
    weight: 6,
    arbitrary: FastCheck.record({ amount: part, holdId, final: FastCheck.boolean(), effectiveAt }).map((given) =>
      command("CaptureHold", given)
    )
  },
  { weight: 2, arbitrary: amount.map((given) => command("Debit", { amount: given, force: true })) },
  {
    weight: 10,
    arbitrary: FastCheck.record({ amount: part, holdId, transferId, final: FastCheck.boolean() }).map((given) =>
      command("CaptureHoldTo", given)
    )
  },
  {
    weight: 5,
    arbitrary: FastCheck.record({
      holdId,
      amount: FastCheck.option(FastCheck.bigInt({ min: 1n, max: 60n })),
      expiry: FastCheck.option(FastCheck.record({ at: expiresAt }))
    }).map((given) => command("ChangeHold", given))
  },
  { weight: 2, arbitrary: holdId.map((id) => command("ReleaseHold", { holdId: id })) },
  { weight: 4, arbitrary: holdId.map((id) => command("ExpireHold", { holdId: id })) },
  {
    weight: 6,
    arbitrary: FastCheck.record({ amount, transferId, reference }).map((given) => command("SendTransfer", given))
  },
  {
    weight: 3,
    arbitrary: FastCheck.record({ amount, transferId, of: originalId, all: FastCheck.boolean() }).map(
      ({ all, of, ...given }) =>
        command("SendTransfer", { ...given, refund: { of, leg: 1, asked: null, all, bound: refundBound } })
    )
  },
  {
    weight: 5,
    arbitrary: FastCheck.record({
      amount: part,
      transactionId: originalId,
      direction: FastCheck.constantFrom("in" as const, "out" as const),
      effectiveAt
    }).map((given) => command("RefundTransaction", { ...given, bound: refundBound }))
  },
  { weight: 2, arbitrary: income.map((given) => command("ReceiveTransfer", { amount: given })) },
  { weight: 1, arbitrary: FastCheck.constant(command("RefuseTransfer")) },
  { weight: 3, arbitrary: transferId.map((id) => command("SettleTransfer", { transferId: id })) },
  { weight: 3, arbitrary: transferId.map((id) => command("ReverseTransfer", { transferId: id })) },
  { weight: 6, arbitrary: FastCheck.record({ amount, legsId, reference }).map(beginning) },
  {
    weight: 6,
    arbitrary: FastCheck.record({
      amount,
      other: amount,
      legsId,
      first: side,
      of: FastCheck.option(originalId, { freq: 2 })
    }).map(preparing)
  },
  { weight: 1, arbitrary: FastCheck.constant(command("RefuseLegs")) },
  { weight: 6, arbitrary: legsId.map((transferId) => command("ApplyLegs", { transferId })) },
  { weight: 4, arbitrary: legsId.map((transferId) => command("ReleaseLegs", { transferId })) },
  {
    weight: 14,
    arbitrary: FastCheck.record({ legsId, completed: FastCheck.boolean() }).map(({ completed, legsId: transferId }) =>
      command("SettleLegs", { transferId, transactions: completed ? madeTransactions : [] })
    )
  },
  { weight: 1, arbitrary: FastCheck.constant(command("Freeze")) },
  {
    weight: 2,
    arbitrary: FastCheck.record({
      direction: FastCheck.constantFrom(null, "debits", "credits", "all"),
      until: FastCheck.option(FastCheck.integer({ min: 0, max: 20 }), { freq: 4 })
    }).map((given) => command("Freeze", given))
  },
  { weight: 1, arbitrary: FastCheck.integer({ min: 0, max: 20 }).map((until) => command("ExpireFreeze", { until })) },
  { weight: 3, arbitrary: FastCheck.constant("EndFreeze" as const) },
  { weight: 4, arbitrary: FastCheck.constant(command("Unfreeze")) },
  { weight: 2, arbitrary: FastCheck.constant("DebitAll" as const) },
  { weight: 2, arbitrary: FastCheck.constant(command("Close")) },
  { weight: 2, arbitrary: limit.map((overdraftLimit) => command("UpdateWallet", { overdraftLimit, metadata: null })) },
  { weight: 1, arbitrary: metadata.map((given) => command("UpdateWallet", { metadata: given })) },
  {
    weight: 1,
    arbitrary: FastCheck.record({ overdraftLimit: FastCheck.option(limit), metadata: FastCheck.option(metadata) }).map(
      (given) => command("UpdateWallet", given)
    )
  },
  { weight: 3, arbitrary: FastCheck.constant("ReverseLast" as const) }
)

export const lives: FastCheck.Arbitrary<ReadonlyArray<Step>> = FastCheck.array(
  FastCheck.record({ pause: FastCheck.nat(8), command: commands }),
  // The default size ends where lives become interesting.
  { minLength: 1, maxLength: 60, size: "medium" }
)

/** What became of a wallet. */
export interface Life {
  readonly log: ReadonlyArray<RecordedEvent>
  /** After each event of the log. */
  readonly states: ReadonlyArray<Wallet>
}

/** Lives the steps from a new wallet with an overdraft limit of 20; rejected commands leave no trace. */
export const live = (steps: ReadonlyArray<Step>): Life => {
  const log: Array<RecordedEvent> = []
  const states: Array<Wallet> = []
  const ask = (asked: Command, time: number): void => {
    const decision = decide(states.at(-1), asked, { time, limits })
    if (Result.isFailure(decision)) return
    for (const event of decision.success) {
      const recorded = record(log.length, event, time)
      states.push(evolve(states.at(-1), recorded))
      log.push(recorded)
    }
  }
  ask(command("CreateWallet", { overdraftLimit: 20n }), 0)
  let time = 0
  for (const step of steps) {
    time += step.pause
    ask(commandOf(step.command, { log, states }, time), time)
  }
  return { log, states }
}

const commandOf = (asked: Asked, life: Life, time: number): Command => {
  if (asked === "ReverseLast") return reversalOfLast(life)
  if (asked === "DebitAll") return command("Debit", { amount: life.states.at(-1)?.balance ?? 0n })
  if (asked === "EndFreeze") return command("ExpireFreeze", { until: life.states.at(-1)?.freeze?.until ?? time })
  switch (asked._tag) {
    case "PlaceHold":
      return asked.expiresAt === null ? asked : { ...asked, expiresAt: time + asked.expiresAt }
    case "ChangeHold": {
      const at = asked.expiry?.at ?? null
      return at === null ? asked : { ...asked, expiry: { at: time + at } }
    }
    case "Freeze":
      return asked.until === null ? asked : { ...asked, until: time + asked.until }
    default:
      return asked
  }
}

/** Undoes the last event of the log. */
export const reversalOfLast = ({ log, states }: Life): Command =>
  command("ReverseOperation", { operation: log.at(-1) as RecordedEvent, before: states.at(-2) })
