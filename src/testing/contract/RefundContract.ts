/**
 * Refunds, as rows and searches tell them. The cases append to the log and read the rows at once (see
 * `writtenThrough` for other adapters); `settled`: waits until the read model has what was appended.
 */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import type { RecordedEvent } from "../../domain/Event.ts"
import { fold } from "../../domain/Evolve.ts"
import type { AskedLeg } from "../../domain/Legs.ts"
import { noMetadata } from "../../domain/Limits.ts"
import { transactionsOf } from "../../domain/EventKinds.ts"
import type { RefundBound } from "../../domain/Refund.ts"
import type { Wallet } from "../../domain/Wallet.ts"
import { EventStore } from "../../stores/EventStore.ts"
import { Persistence } from "../../stores/Persistence.ts"
import { ReadModel } from "../../stores/ReadModel.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { apply, begin, everything, legOf, prepare, release, three } from "./LegsContract.ts"
import { capture, credit, debit, placeHold, type SampleCommand, type SampleWallet } from "./SampleWallet.ts"
import { send, settle, uniqueId } from "./SampleWallet.ts"

type Stores = EventStore | Persistence

/** Of the state alone: no row was looked at. */
const bound = (amount: bigint): RefundBound => ({ amount, refunded: 0n, version: -1 })

const refund = (
  transactionId: string,
  direction: "in" | "out",
  amount: bigint,
  original: bigint,
  reference: string | null = null
): SampleCommand => ({
  _tag: "RefundTransaction",
  transactionId,
  direction,
  amount,
  bound: bound(original),
  reference,
  metadata: noMetadata,
  effectiveAt: null
})

/** A transfer the other way. */
const refundTransfer = (
  transferId: string,
  to: string,
  amount: bigint,
  of: string,
  leg: number,
  original: bigint
): SampleCommand => ({
  ...(send(transferId, to, amount) as Extract<SampleCommand, { readonly _tag: "SendTransfer" }>),
  refund: { of, leg, asked: leg, all: false, bound: bound(original) }
})

const refundedOf = Effect.fnUntraced(function* (wallet: SampleWallet, of: string, leg = 0) {
  const [found] = yield* (yield* Persistence).refunded([{ walletId: wallet.id, of, leg }])
  return found!
})

const ofTransactions = contractCase(
  "adds up what is refunded of a transaction, as of the version of its wallet, and shows each refund",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const [a, b] = yield* three()
    const hold = uniqueId("hold")
    const made = a.commit(credit(50n), debit(30n), placeHold(hold, 40n), capture(hold, 20n))
    yield* log.append([made])
    const [credited, debited, , captured] = made.events.map(({ id }) => id)
    assert.deepEqual(yield* refundedOf(a, debited!), { refunded: 0n, version: a.version })
    const refunds = a.commit(
      refund(debited!, "in", 10n, 30n, "one"),
      refund(debited!, "in", 5n, 30n),
      refund(captured!, "in", 20n, 20n),
      refund(credited!, "out", 1n, 50n)
    )
    yield* log.append([refunds])
    assert.deepEqual(
      yield* persistence.refunded([
        { walletId: a.id, of: debited!, leg: 0 },
        { walletId: b.id, of: debited!, leg: 0 },
        { walletId: a.id, of: credited!, leg: 0 },
        { walletId: a.id, of: captured!, leg: 0 },
        { walletId: a.id, of: debited!, leg: 0 },
        { walletId: uniqueId("nobody"), of: debited!, leg: 0 }
      ]),
      [
        { refunded: 15n, version: a.version },
        { refunded: 0n, version: b.version },
        { refunded: 1n, version: a.version },
        { refunded: 20n, version: a.version },
        { refunded: 15n, version: a.version },
        { refunded: 0n, version: -1 }
      ]
    )
    const shown = refunds.events.flatMap((recorded) => transactionsOf(recorded, { currency: "EUR" }))
    assert.deepEqual(
      shown.map(({ amount, refundOf, type }) => [type, amount, refundOf]),
      [
        ["refund_in", 10n, debited],
        ["refund_in", 5n, debited],
        ["refund_in", 20n, captured],
        ["refund_out", 1n, credited]
      ]
    )
    for (const one of shown) assert.deepEqual(yield* persistence.transaction(one.id), one)
    const listed = yield* persistence.transactions({ walletId: a.id, type: "refund_in", limit: 5 })
    assert.deepEqual(listed.data, shown.slice(0, 3).toReversed())
    const totals = yield* persistence.booksTotals({ walletId: a.id, version: a.version })
    assert.deepEqual([totals.get("refund_in"), totals.get("refund_out")], [35n, 1n])
    const balance = yield* persistence.booksBalance({ walletId: a.id, version: a.version, until: a.time })
    assert.equal(balance, a.wallet!.balance)
    assert.deepEqual(yield* persistence.refunded([]), [])
  })
)

const ofTransfers = contractCase(
  "counts a transfer that refunds another from its sending on, unless it comes back",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const [a, b] = yield* three()
    const [of, one, other] = [uniqueId("t"), uniqueId("t"), uniqueId("t")]
    yield* log.append([
      a.commit(refundTransfer(one, b.id, 30n, of, 0, 100n), refundTransfer(other, b.id, 5n, of, 2, 100n))
    ])
    assert.deepEqual((yield* refundedOf(a, of)).refunded, 30n)
    assert.deepEqual((yield* refundedOf(a, of, 2)).refunded, 5n)
    assert.deepEqual((yield* refundedOf(b, of)).refunded, 0n)
    yield* log.append([
      a.commit(settle(one), { _tag: "ReverseTransfer", transferId: other, reason: "WalletClosed: b" })
    ])
    assert.deepEqual(yield* refundedOf(a, of), { refunded: 30n, version: a.version })
    assert.deepEqual(yield* refundedOf(a, of, 2), { refunded: 0n, version: a.version })
    const transfer = yield* persistence.transfer(one)
    assert.deepEqual([transfer?.refundOf, transfer?.legs[0]?.refund], [of, { of, leg: 0 }])
    assert.deepEqual((yield* persistence.transfer(other))?.legs[0]?.refund, { of, leg: 2 })
    const [scanned] = yield* persistence.scanTransfers(a.id, { after: "", limit: 9 })
    assert.equal(scanned?.refundOf, of)
  })
)

/** Legs 0 and 1 of a transfer, the other way. */
const backwards = (of: string, a: SampleWallet, b: SampleWallet, c: SampleWallet): ReadonlyArray<AskedLeg> => [
  { ...legOf(a, c, 60n), refund: { of, leg: 0, bound: bound(100n) } },
  { ...legOf(b, c, 7n), refund: { of, leg: 1, bound: bound(100n) } }
]

const ofLegs = contractCase(
  "counts a leg that refunds another from when its wallet has promised it, unless it is released; also after a rebuild",
  Effect.gen(function* () {
    const log = yield* EventStore
    const persistence = yield* Persistence
    const [a, b, c] = yield* three()
    const [of, kept, gone] = [uniqueId("t"), uniqueId("t"), uniqueId("t")]
    const legs = backwards(of, a, b, c)
    const asking = (id: string): SampleCommand => ({ ...(begin(id, legs, [b, c]) as object), refundOf: of }) as never
    const promising = (id: string, at: SampleWallet): SampleCommand => {
      const command = prepare(id, legs, a, at) as Extract<SampleCommand, { readonly _tag: "PrepareLegs" }>
      return { ...command, legs: command.legs.map((leg) => ({ ...leg, refund: legs[leg.leg]!.refund })) }
    }
    const counted = Effect.forEach(
      [
        [a, 0],
        [b, 1],
        [a, 1],
        [c, 0]
      ] as const,
      ([wallet, leg]) => Effect.map(refundedOf(wallet, of, leg), ({ refunded }) => refunded)
    )
    yield* log.append([a.commit(asking(kept))])
    assert.deepEqual(yield* counted, [60n, 0n, 0n, 0n])
    yield* log.append([b.commit(promising(kept, b)), c.commit(prepare(kept, legs, a, c))])
    assert.deepEqual(yield* counted, [60n, 7n, 0n, 0n])
    yield* log.append([a, b, c].map((wallet) => wallet.commit(apply(kept))))
    yield* log.append([b.commit(promising(gone, b))])
    assert.deepEqual(yield* counted, [60n, 14n, 0n, 0n])
    yield* log.append([b.commit(release(gone))])
    assert.deepEqual(yield* counted, [60n, 7n, 0n, 0n])
    const transfer = yield* persistence.transfer(kept)
    assert.deepEqual(
      [transfer?.refundOf, transfer?.legs.map(({ refund }) => refund)],
      [
        of,
        [
          { of, leg: 0 },
          { of, leg: 1 }
        ]
      ]
    )
    const before = yield* everything([b, c], [kept])
    yield* persistence.rebuild([b.id], rewriting(b))
    assert.deepEqual(yield* everything([b, c], [kept]), before)
    assert.deepEqual(yield* counted, [60n, 7n, 0n, 0n])
  })
)

const rewriting = Effect.fnUntraced(function* ({ id, partition }: SampleWallet) {
  const log = yield* EventStore
  const persistence = yield* Persistence
  let wallet: Wallet | undefined
  for (;;) {
    const expectedVersion = wallet?.version ?? -1
    const events: ReadonlyArray<RecordedEvent> = yield* log.read(id, { after: expectedVersion, limit: 2 })
    if (events.length === 0) return
    wallet = fold(wallet, events)!
    yield* persistence.write([{ walletId: id, partition, epoch: 0, expectedVersion, events, wallet }])
  }
})

export const refundContract: ReadonlyArray<ContractCase<Stores>> = [ofTransactions, ofTransfers, ofLegs]

export const refundSearchContract = (
  settled: Effect.Effect<void>
): ReadonlyArray<ContractCase<EventStore | ReadModel>> => [
  contractCase(
    "finds refunds by what they are of",
    Effect.gen(function* () {
      const log = yield* EventStore
      const model = yield* ReadModel
      const [a, b] = yield* three()
      const made = a.commit(debit(30n), debit(10n))
      yield* log.append([made])
      const [one, other] = made.events.map(({ id }) => id)
      const [of, transfer] = [uniqueId("t"), uniqueId("t")]
      const refunds = a.commit(
        refund(one!, "in", 10n, 30n),
        refund(one!, "in", 5n, 30n),
        refund(other!, "in", 3n, 10n),
        refundTransfer(transfer, b.id, 4n, of, 0, 9n)
      )
      yield* log.append([refunds])
      yield* settled
      const found = yield* model.searchTransactions({ refundOf: one!, limit: 9 })
      assert.deepEqual(
        found.data,
        refunds.events
          .slice(0, 2)
          .flatMap((recorded) => transactionsOf(recorded, { currency: "EUR" }))
          .toReversed()
      )
      const ofWallet = yield* model.searchTransactions({
        walletId: a.id,
        refundOf: other!,
        type: "refund_in",
        limit: 9
      })
      assert.deepEqual(
        ofWallet.data.map(({ amount }) => amount),
        [3n]
      )
      const nothing = yield* model.searchTransactions({ refundOf: one!, type: "refund_out", limit: 9 })
      assert.deepEqual(nothing.data, [])
      const transfers = yield* model.searchTransfers({ refundOf: of, limit: 9 })
      assert.deepEqual(
        transfers.data.map(({ id, refundOf }) => [id, refundOf]),
        [[transfer, of]]
      )
      assert.deepEqual((yield* model.searchTransfers({ refundOf: transfer, limit: 9 })).data, [])
    })
  )
]
