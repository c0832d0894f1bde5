import * as HashMap from "effect/HashMap"
import { assert, describe, it } from "vitest"
import type { Restored, WalletEvent } from "../../src/domain/Event.ts"
import { evolve, fold } from "../../src/domain/Evolve.ts"
import { plainFreeze } from "../../src/domain/Wallet.ts"
import { holdBytes, preparedBytes, transferBytes } from "../../src/domain/WalletSize.ts"
import { created, event, funded, holding, record, sending, walletId, walletOf } from "./Examples.ts"

/** The state after `stream` at time 0 and `next` at time 7. */
const after = (stream: ReadonlyArray<WalletEvent>, next: WalletEvent): object => {
  const wallet = evolve(walletOf(stream), record(stream.length, next, 7))
  const { openBytes, ...state } = wallet
  const holds = HashMap.toValues(wallet.holds)
  const transfers = HashMap.toValues(wallet.transfers)
  const prepared = HashMap.toValues(wallet.prepared)
  const bytes = [...holds.map(holdBytes), ...transfers.map(transferBytes), ...prepared.map(preparedBytes)]
  assert.strictEqual(
    openBytes,
    bytes.reduce((sum, one) => sum + one, 0)
  )
  return { ...state, holds, transfers, prepared }
}

const on = { balanceAfter: 70n, heldAfter: 3n }
const note = { reference: "r", metadata: { a: "1" } }
const whole = { inFlight: null, ended: null }
const base = (version: number): object => ({
  id: walletId,
  ownerId: "owner-1",
  currency: "EUR",
  balance: 70n,
  held: 3n,
  overdraftLimit: 0n,
  status: "active",
  freeze: null,
  version,
  metadata: {},
  createdAt: 0,
  updatedAt: 7,
  holds: [],
  transfers: [],
  prepared: []
})
const hold = {
  id: "hold-1",
  amount: 10n,
  captured: 0n,
  remaining: 10n,
  expiresAt: 50,
  reference: null,
  metadata: {},
  createdAt: 0,
  ...whole
}
const transfer = {
  id: "transfer-1",
  to: "wallet-2",
  amount: 10n,
  reference: null,
  metadata: {},
  effectiveAt: null,
  createdAt: 0,
  capture: null
}

describe("evolve", () => {
  it("begins with the wallet's creation", () => {
    const fields = { ownerId: "owner-7", currency: "CZK", overdraftLimit: 5n, metadata: { a: "1" } }
    const { holds, openBytes, prepared, transfers, ...wallet } = evolve(
      undefined,
      record(0, event("WalletCreated", fields), 7)
    )
    assert.deepStrictEqual(wallet, {
      id: walletId,
      ...fields,
      balance: 0n,
      held: 0n,
      status: "active",
      freeze: null,
      version: 0,
      createdAt: 7,
      updatedAt: 7
    })
    assert.isTrue(HashMap.isEmpty(holds) && HashMap.isEmpty(transfers) && HashMap.isEmpty(prepared) && openBytes === 0)
  })

  it("takes balance and held from the event", () => {
    for (const tag of ["WalletCredited", "WalletDebited", "TransferReceived", "TransferRefused"] as const) {
      assert.deepStrictEqual(after(funded, event(tag, on)), base(2))
    }
  })

  it("opens, narrows and closes holds", () => {
    assert.deepStrictEqual(after(funded, event("HoldPlaced", { amount: 3n, expiresAt: 9, ...note, ...on })), {
      ...base(2),
      holds: [{ id: "hold-1", amount: 3n, captured: 0n, remaining: 3n, expiresAt: 9, ...note, createdAt: 7, ...whole }]
    })
    assert.deepStrictEqual(
      after(holding, event("HoldCaptured", { amount: 7n, capturedAfter: 7n, remainingAfter: 3n, ...on })),
      { ...base(3), holds: [{ ...hold, captured: 7n, remaining: 3n }] }
    )
    for (const tag of ["HoldCaptured", "HoldReleased", "HoldExpired"] as const) {
      assert.deepStrictEqual(after(holding, event(tag, on)), base(3))
      assert.deepStrictEqual(after(holding, event(tag, { holdId: "hold-2", ...on })), { ...base(3), holds: [hold] })
    }
  })

  it("puts transfers in flight and takes them off", () => {
    assert.deepStrictEqual(after(funded, event("TransferSent", { amount: 3n, ...note, ...on })), {
      ...base(2),
      transfers: [
        { id: "transfer-1", to: "wallet-2", amount: 3n, ...note, effectiveAt: null, createdAt: 7, capture: null }
      ]
    })
    for (const tag of ["TransferSettled", "TransferReversed"] as const) {
      assert.deepStrictEqual(after(sending, event(tag, on)), base(3))
      const other = event(tag, { transferId: "transfer-2", ...on })
      assert.deepStrictEqual(after(sending, other), { ...base(3), transfers: [transfer] })
    }
  })

  it("follows status, limit and metadata", () => {
    assert.deepStrictEqual(after(funded, event("WalletFrozen", on)), {
      ...base(2),
      status: "frozen",
      freeze: plainFreeze
    })
    assert.deepStrictEqual(after([...funded, event("WalletFrozen")], event("WalletUnfrozen", on)), base(3))
    assert.deepStrictEqual(after(funded, event("WalletClosed", on)), { ...base(2), status: "closed" })
    assert.deepStrictEqual(after(funded, event("OverdraftLimitChanged", { overdraftLimit: 9n, ...on })), {
      ...base(2),
      overdraftLimit: 9n
    })
    assert.deepStrictEqual(after(funded, event("MetadataChanged", { metadata: { a: "1" }, ...on })), {
      ...base(2),
      metadata: { a: "1" }
    })
  })

  it("restores what a reversal names, and nothing else", () => {
    const cases: ReadonlyArray<readonly [given: ReadonlyArray<WalletEvent>, restored: Restored, changes: object]> = [
      [holding, { _tag: "Nothing" }, { holds: [hold] }],
      [funded, { _tag: "Hold", hold }, { holds: [hold] }],
      [holding, { _tag: "NoHold", holdId: "hold-1" }, {}],
      [funded, { _tag: "Transfer", transfer }, { transfers: [transfer] }],
      [sending, { _tag: "NoTransfer", transferId: "transfer-1" }, {}],
      [funded, { _tag: "Status", status: "frozen", freeze: null }, { status: "frozen", freeze: plainFreeze }],
      [funded, { _tag: "OverdraftLimit", overdraftLimit: 9n }, { overdraftLimit: 9n }],
      [funded, { _tag: "Metadata", metadata: { a: "1" } }, { metadata: { a: "1" } }]
    ]
    for (const [given, restored, changes] of cases) {
      const reversed = event("OperationReversed", { restored, ...on })
      assert.deepStrictEqual(after(given, reversed), { ...base(given.length), ...changes })
    }
  })

  it("makes every state with the same keys in the same order", () => {
    const keys = Object.keys(walletOf([created]))
    for (const next of [
      event("WalletCredited"),
      event("WalletFrozen"),
      event("HoldPlaced"),
      event("MetadataChanged")
    ]) {
      assert.deepStrictEqual(Object.keys(walletOf([created, next])), keys)
    }
  })

  it("takes no stream that is not one of ours", () => {
    assert.throws(
      () => evolve(undefined, record(0, event("WalletCredited"))),
      "the stream of wallet wallet-1 begins with WalletCredited"
    )
    assert.throws(() => evolve(walletOf([created]), record(1, created)), "wallet wallet-1 is created twice")
    assert.throws(() => evolve(undefined, record(1, created)), "event 1 of wallet wallet-1 does not continue its state")
    for (const version of [0, 2]) {
      assert.throws(
        () => evolve(walletOf([created]), record(version, event("WalletCredited"))),
        `event ${version} of wallet wallet-1 does not continue its state`
      )
    }
  })
})

describe("fold", () => {
  it("leaves the state as it is when there is no event", () => {
    assert.isUndefined(fold(undefined, []))
    const wallet = walletOf(funded)
    assert.strictEqual(fold(wallet, []), wallet)
  })
})
