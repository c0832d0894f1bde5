/** Transfers between two wallets, in several legs, and the other way. */
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { IdempotencyKeyReused } from "../../actors/EngineError.ts"
import {
  CurrencyMismatch,
  InsufficientFunds,
  InvalidRequest,
  NotRefundable,
  RefundExceeded,
  SameWallet,
  TransferNotFound,
  WalletClosed,
  WalletNotFound
} from "../../domain/Rejection.ts"
import { WalletEngine } from "../../engine/WalletEngine.ts"
import { type ContractCase, contractCase } from "./ContractCase.ts"
import { failsWith, key, openWallet } from "./EngineCalls.ts"
import { uniqueId } from "./SampleWallet.ts"

/** A transfer may be answered before its source has heard of its end, which it shows from then on. */
const settled = (transferId: string) =>
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    return yield* Effect.repeat(engine.getTransfer(transferId), { until: ({ status }) => status !== "pending" })
  })

const sent = contractCase(
  "moves money from one wallet to another, once per key",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const [from, to] = [yield* openWallet(100n), yield* openWallet()]
    const input = { from, to, amount: 30n, reference: "rent", metadata: { m: "1" }, idempotencyKey: key() }
    const first = yield* engine.transfer(input)
    const { transfer } = first
    assert.deepEqual(
      [transfer.from, transfer.to, transfer.amount, transfer.currency, transfer.status, transfer.refunded],
      [from, to, 30n, "EUR", "completed", 0n]
    )
    assert.deepEqual([transfer.reference, { ...transfer.metadata }, transfer.refundOf], ["rent", { m: "1" }, null])
    assert.deepEqual(
      transfer.legs.map((leg) => [leg.from, leg.to, leg.amount, leg.refund]),
      [[from, to, 30n, null]]
    )
    const second = yield* engine.transfer(input)
    assert.deepEqual([second.replayed, second.transfer.id, second.transfer.legs], [true, transfer.id, transfer.legs])
    const read = yield* settled(transfer.id)
    assert.deepEqual(read.legs, transfer.legs)
    const [own] = (yield* engine.transactions({ walletId: from, limit: 1 })).data
    assert.deepEqual(
      [own?.type, own?.transferId, own?.id],
      ["transfer_out", transfer.id, read.legs[0]?.sentTransactionId]
    )
    yield* failsWith(
      engine.transfer({ ...input, amount: 31n }),
      new IdempotencyKeyReused({ walletId: from, key: input.idempotencyKey })
    )
    const [listed] = (yield* engine.transfers({ walletId: to, limit: 1 })).data
    assert.equal(listed?.id, transfer.id)
  })
)

const refused = contractCase(
  "refuses what cannot be moved, with nothing moved",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const [from, to] = [yield* openWallet(100n), yield* openWallet()]
    const foreign = yield* openWallet(0n, { currency: "USD" })
    const closed = yield* openWallet()
    yield* engine.close({ walletId: closed, idempotencyKey: key() })
    const nobody = uniqueId("wallet")
    const send = (fields: { readonly from?: string; readonly to?: string; readonly amount?: bigint }) =>
      engine.transfer({ from, to, amount: 1n, ...fields, idempotencyKey: key() })
    yield* failsWith(send({ to: from }), new SameWallet({ walletId: from }))
    yield* failsWith(send({ to: nobody }), new WalletNotFound({ walletId: nobody }))
    yield* failsWith(send({ from: nobody }), new WalletNotFound({ walletId: nobody }))
    yield* failsWith(send({ to: closed }), new WalletClosed({ walletId: closed }))
    yield* failsWith(send({ to: foreign }), new CurrencyMismatch({ walletId: from, expected: "EUR", actual: "USD" }))
    yield* failsWith(
      send({ amount: 101n }),
      new InsufficientFunds({ walletId: from, currency: "EUR", available: 100n, required: 101n })
    )
    const missing = uniqueId("transfer")
    yield* failsWith(engine.getTransfer(missing), new TransferNotFound({ transferId: missing }))
    const tried = yield* engine.transfer({ from, to, amount: 10n, dryRun: true })
    assert.deepEqual([tried.dryRun, tried.transfer.amount, tried.transfer.status], [true, 10n, "completed"])
    assert.equal((yield* engine.getWallet({ walletId: from })).balance, 100n)
  })
)

const legs = contractCase(
  "moves several legs, all or none, and says which one cannot be moved",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const [a, b, c] = [yield* openWallet(100n), yield* openWallet(), yield* openWallet()]
    const nobody = uniqueId("wallet")
    const move = (third: { readonly from: string; readonly to: string; readonly amount: bigint }) => ({
      legs: [
        { from: a, to: b, amount: 60n, reference: "fee" },
        { from: b, to: c, amount: 50n, metadata: { n: "2" } },
        third
      ],
      reference: "split"
    })
    const input = { ...move({ from: a, to: c, amount: 5n }), idempotencyKey: key() }
    yield* failsWith(
      engine.transfer({ ...move({ from: a, to: c, amount: 41n }), idempotencyKey: key() }),
      new InsufficientFunds({ walletId: a, currency: "EUR", available: 40n, required: 41n, leg: 2 })
    )
    yield* failsWith(
      engine.transfer({ ...move({ from: c, to: nobody, amount: 1n }), idempotencyKey: key() }),
      new WalletNotFound({ walletId: nobody, leg: 2 })
    )
    yield* failsWith(
      engine.transfer({ ...move({ from: c, to: c, amount: 1n }), idempotencyKey: key() }),
      new SameWallet({ walletId: c, leg: 2 })
    )
    const first = yield* engine.transfer(input)
    const { transfer } = first
    assert.deepEqual(
      [transfer.status, transfer.from, transfer.amount, transfer.refunded],
      ["completed", null, null, null]
    )
    assert.deepEqual(
      transfer.legs.map((leg) => [leg.from, leg.to, leg.amount, leg.reference, leg.refunded]),
      [
        [a, b, 60n, "fee", 0n],
        [b, c, 50n, null, 0n],
        [a, c, 5n, null, 0n]
      ]
    )
    const second = yield* engine.transfer(input)
    assert.deepEqual([second.replayed, second.transfer.id], [true, transfer.id])
    const balances = yield* Effect.forEach([a, b, c], (walletId) => engine.getWallet({ walletId }))
    assert.deepEqual(
      balances.map(({ balance }) => balance),
      [35n, 10n, 55n]
    )
    yield* failsWith(
      engine.transfer({ legs: [], idempotencyKey: key() }),
      new InvalidRequest({ detail: "legs: not 2 to 100 of them" })
    )
  })
)

const refunds = contractCase(
  "gives a transfer back in parts, of several legs by the leg, and no more than there was",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const [a, b, c] = [yield* openWallet(100n), yield* openWallet(), yield* openWallet()]
    const { transfer } = yield* engine.transfer({ from: a, to: b, amount: 40n, idempotencyKey: key() })
    yield* settled(transfer.id)
    const part = { transferId: transfer.id, amount: 15n, idempotencyKey: key() }
    const first = yield* engine.refundTransfer(part)
    assert.deepEqual(
      [first.transfer.from, first.transfer.to, first.transfer.amount, first.transfer.refundOf],
      [b, a, 15n, transfer.id]
    )
    assert.deepEqual(first.transfer.legs[0]?.refund, { of: transfer.id, leg: 0 })
    const again = yield* engine.refundTransfer(part)
    assert.deepEqual([again.replayed, again.transfer.id], [true, first.transfer.id])
    assert.equal((yield* engine.getTransfer(transfer.id)).refunded, 15n)
    yield* failsWith(
      engine.refundTransfer({ transferId: transfer.id, amount: 26n, idempotencyKey: key() }),
      new RefundExceeded({ walletId: b, refundable: 25n })
    )
    yield* failsWith(
      engine.refundTransfer({ transferId: transfer.id, walletId: a, idempotencyKey: key() }),
      new TransferNotFound({ transferId: transfer.id })
    )
    yield* settled(first.transfer.id)
    yield* failsWith(
      engine.refundTransfer({ transferId: first.transfer.id, idempotencyKey: key() }),
      new NotRefundable({ id: first.transfer.id })
    )
    const several = yield* engine.transfer({
      legs: [
        { from: a, to: b, amount: 10n },
        { from: a, to: c, amount: 20n }
      ],
      idempotencyKey: key()
    })
    yield* settled(several.transfer.id)
    const refund = { transferId: several.transfer.id, leg: 1, amount: 8n }
    const one = yield* engine.refundTransfer({ ...refund, walletId: c, idempotencyKey: key() })
    assert.deepEqual(one.transfer.legs[0]?.refund, { of: several.transfer.id, leg: 1 })
    const tried = yield* engine.refundTransfer({ transferId: several.transfer.id, dryRun: true })
    assert.deepEqual(
      tried.transfer.legs.map(({ amount }) => amount),
      [10n, 12n]
    )
    assert.equal((yield* engine.getWallet({ walletId: c })).balance, 12n)
  })
)

const order = contractCase(
  "has a transfer in line before what is sent to its source from then on",
  Effect.gen(function* () {
    const engine = yield* WalletEngine
    const [from, to] = [yield* openWallet(10n), yield* openWallet()]
    const input = { from, to, amount: 10n, idempotencyKey: key() }
    const ending = yield* engine.beginTransfer(input)
    yield* failsWith(
      engine.debit({ walletId: from, amount: 1n, idempotencyKey: key() }),
      new InsufficientFunds({ walletId: from, currency: "EUR", available: 0n, required: 1n })
    )
    const first = yield* ending
    assert.equal(first.transfer.status, "completed")
    const again = yield* Effect.flatten(engine.beginTransfer(input))
    assert.deepEqual([again.replayed, again.transfer.id], [true, first.transfer.id])
    const poor = yield* engine.beginTransfer({ ...input, idempotencyKey: key() })
    yield* failsWith(poor, new InsufficientFunds({ walletId: from, currency: "EUR", available: 0n, required: 10n }))
  })
)

export const engineTransfersContract: ReadonlyArray<ContractCase<WalletEngine>> = [sent, refused, legs, refunds, order]
