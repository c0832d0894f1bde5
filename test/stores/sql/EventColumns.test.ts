import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { transactionOf } from "../../../src/domain/EventKinds.ts"
import type { WalletEvent } from "../../../src/domain/Event.ts"
import { eventTypes } from "../../../src/domain/EventCodec.ts"
import { columnsOf, eventOfColumns, type EventColumnsRow } from "../../../src/stores/sql/EventColumns.ts"
import { goldenEvents } from "../../domain/GoldenEvents.ts"

const rowOf = (event: WalletEvent): EventColumnsRow => {
  const { amount, counterparty, data, effectiveAt, holdId, metadata, reference, refundOf, transferId } =
    columnsOf(event)
  return {
    type: event._tag,
    currency: "EUR",
    amount: amount === null ? null : String(amount),
    balance_after: String(event.balanceAfter),
    held_after: String(event.heldAfter),
    reference,
    metadata: Object.keys(metadata).length === 0 ? null : metadata,
    hold_id: holdId,
    transfer_id: transferId,
    counterparty,
    effective_at: effectiveAt === null ? null : new Date(effectiveAt),
    refund_of: refundOf,
    data
  }
}

const recordedOf = (event: WalletEvent) => ({
  id: "id",
  walletId: "wallet-1",
  version: 4,
  time: 1,
  event,
  metadata: {
    commandId: "id",
    key: "c:1" as const,
    fingerprint: "f",
    correlationId: null,
    causationId: null,
    actor: null,
    epoch: 1
  }
})

describe("an event's columns", () => {
  it("are tried with every type of event", () => {
    const tried = new Set(Object.values(goldenEvents).map((event) => event._tag))
    assert.deepStrictEqual([...tried].sort(), [...eventTypes].sort())
  })

  for (const [name, event] of Object.entries(goldenEvents)) {
    it(`say all of ${name}`, () => {
      assert.deepStrictEqual(eventOfColumns(rowOf(event)), Result.succeed(event))
    })

    it(`have the amount, the hold and the transfer of the transaction that ${name} makes, if it makes one`, () => {
      const transaction = transactionOf(recordedOf(event), { currency: "EUR" })
      const { amount, holdId, metadata, reference, transferId } = columnsOf(event)
      assert.strictEqual(amount, transaction?.amount ?? null)
      if (transaction === undefined) return
      assert.deepStrictEqual(
        { holdId, metadata, reference, transferId },
        {
          holdId: transaction.holdId,
          metadata: transaction.metadata,
          reference: transaction.reference,
          transferId: transaction.transferId
        }
      )
    })
  }

  it("repeat nothing in the data of the events that nearly all are", () => {
    for (const name of ["WalletCredited", "WalletDebited", "TransferSent", "TransferReceived"]) {
      assert.isNull(columnsOf(goldenEvents[name]!).data)
    }
    assert.strictEqual(columnsOf(goldenEvents["TransferSettled"]!).data, '{"amount":"7"}')
  })

  it("name what cannot be read", () => {
    const row = rowOf(goldenEvents["HoldPlaced"]!)
    for (const [change, complaint] of [
      [{ type: "WalletRobbed" }, "WalletRobbed: unknown type of event"],
      [{ data: "{" }, "data: not an object"],
      [{ data: '{"amount":"1"}' }, "expiresAt: missing"],
      [{ hold_id: null }, "holdId: unreadable"],
      [{ balance_after: "1.5" }, "balanceAfter: unreadable"],
      [{ data: '{"amount":"1","expiresAt":null,"more":1}' }, "more: unknown"]
    ] as const) {
      assert.deepStrictEqual(eventOfColumns({ ...row, ...change }), Result.fail(complaint))
    }
  })
})
