/** Captures to wallets, changes of holds, forced debits and freezes: what the rules refuse first, and what waits. */
import { describe, it, assert } from "vitest"
import { Provisional } from "../../src/domain/Provisional.ts"
import {
  CurrencyMismatch,
  HoldAmountExceeded,
  HoldClosed,
  HoldNotFound,
  InsufficientFunds,
  InvalidRequest,
  LimitExceeded,
  SameWallet,
  WalletClosed,
  WalletFrozen,
  WalletNotFound
} from "../../src/domain/Rejection.ts"
import { given } from "../../src/testing/Specification.ts"
import { command, event, funded, holding, walletId, walletOf } from "./Examples.ts"

const limit = 10n ** 36n
const frozenBy = (fields: Partial<Parameters<typeof event<"WalletFrozen">>[1]>) => [
  ...holding,
  event("WalletFrozen", { balanceAfter: 100n, heldAfter: 10n, ...fields })
]

describe("a capture to a wallet", () => {
  it("is refused in the order of a transfer, then in that of a capture", () => {
    const asked = { holdId: "hold-2", to: walletId, destination: "missing", currency: "USD", amount: 0n } as const
    const cases = [
      [frozenBy({}), asked, new WalletFrozen({ walletId, direction: "debits", until: null })],
      [holding, asked, new SameWallet({ walletId })],
      [holding, { ...asked, to: "wallet-2" }, new WalletNotFound({ walletId: "wallet-2" })],
      [holding, { ...asked, to: "wallet-2", destination: "closed" }, new WalletClosed({ walletId: "wallet-2" })],
      [
        holding,
        { ...asked, to: "wallet-2", destination: null },
        new CurrencyMismatch({ walletId, expected: "EUR", actual: "USD" })
      ],
      [holding, { holdId: "hold-2", amount: 0n }, new HoldNotFound({ walletId, holdId: "hold-2" })],
      [holding, { amount: 0n }, new InvalidRequest({ detail: "amount: not a positive amount of at most 30 digits" })],
      [holding, { amount: 11n }, new HoldAmountExceeded({ walletId, holdId: "hold-1", remaining: 10n, amount: 11n })]
    ] as const
    for (const [stream, fields, rejection] of cases) {
      given(stream).when(command("CaptureHoldTo", fields)).thenRejected(rejection)
    }
    given(holding)
      .when(command("CaptureHoldTo"), { time: 50 })
      .thenRejected(new HoldClosed({ walletId, holdId: "hold-1" }))
  })

  it("holds what a final one is to release, and leaves the hold closed until it comes back", () => {
    const sent = event("HoldCapturedTo", {
      amount: 4n,
      rest: 6n,
      capturedAfter: 4n,
      remainingAfter: 0n,
      expiresAt: 50,
      balanceAfter: 96n,
      heldAfter: 6n
    })
    given(holding)
      .when(command("CaptureHoldTo", { amount: 4n, final: true }))
      .then([sent])
    for (const next of [command("CaptureHold"), command("ReleaseHold"), command("ChangeHold", { amount: 20n })]) {
      given([...holding, sent])
        .when(next)
        .thenRejected(new HoldClosed({ walletId, holdId: "hold-1" }))
    }
    given([...holding, sent])
      .when(command("ExpireHold"), { time: 60 })
      .thenRejected(new InvalidRequest({ detail: "of hold hold-1 something is in flight" }))
    const settled = event("TransferSettled", { amount: 4n, holdId: "hold-1", balanceAfter: 96n, heldAfter: 0n })
    const after = given([...holding, sent])
      .when(command("SettleTransfer"))
      .then([settled])
    assert.strictEqual(after?.openBytes, 0)
    given([...holding, sent])
      .when(command("ReverseTransfer"))
      .then([
        event("TransferReversed", {
          amount: 4n,
          holdId: "hold-1",
          capturedAfter: 0n,
          remainingAfter: 10n,
          balanceAfter: 100n,
          heldAfter: 10n
        })
      ])
  })
})

describe("a change of a hold", () => {
  it("is refused where there is not enough, or too much is captured", () => {
    given(holding)
      .when(command("ChangeHold", { amount: 101n }))
      .thenRejected(new InsufficientFunds({ walletId, currency: "EUR", available: 90n, required: 91n }))
    const part = event("HoldCaptured", {
      amount: 4n,
      capturedAfter: 4n,
      remainingAfter: 6n,
      expiresAt: 50,
      balanceAfter: 96n,
      heldAfter: 6n
    })
    given([...holding, part])
      .when(command("ChangeHold", { amount: 3n }))
      .thenRejected(new HoldAmountExceeded({ walletId, holdId: "hold-1", remaining: 6n, amount: 3n }))
    given(holding)
      .when(command("ChangeHold", { amount: null }))
      .thenRejected(new InvalidRequest({ detail: "nothing to change" }))
    given(holding)
      .when(command("ChangeHold", { expiry: { at: 40 } }), { time: 40 })
      .thenRejected(new InvalidRequest({ detail: "expiresAt: not a time to come" }))
  })

  it("of a frozen wallet may lower it, and not raise it", () => {
    given(frozenBy({}))
      .when(command("ChangeHold", { amount: 11n }))
      .thenRejected(new WalletFrozen({ walletId, direction: "debits", until: null }))
    const lowered = event("HoldChanged", {
      amount: 9n,
      remainingAfter: 9n,
      expiresAt: 50,
      previousExpiresAt: 50,
      balanceAfter: 100n,
      heldAfter: 9n
    })
    given(frozenBy({}))
      .when(command("ChangeHold", { amount: 9n }))
      .then([lowered])
  })
})

describe("a forced debit", () => {
  it("goes as far as a balance may", () => {
    const all = 10n ** 30n - 1n
    given(holding)
      .when(command("Debit", { amount: all, force: true }))
      .then([event("WalletDebited", { amount: all, forced: true, balanceAfter: 100n - all, heldAfter: 10n })])
    const low = [...funded, event("WalletDebited", { amount: all, forced: true, balanceAfter: 11n - limit })]
    const bound = 1n - limit
    given(low)
      .when(command("Debit", { amount: 11n, force: true }))
      .thenRejected(new LimitExceeded({ walletId, limit: "balance", current: 11n - limit, size: -limit, bound }))
    given(low)
      .when(command("Debit", { amount: 10n, force: true }))
      .then([event("WalletDebited", { forced: true, balanceAfter: bound })])
  })

  it("waits for what may take money back, and what came in below zero can be taken back", () => {
    const credited = event("WalletCredited", { balanceAfter: 110n })
    const provisional = new Provisional()
    provisional.add(credited)
    const debited = event("WalletDebited", { amount: 200n, forced: true, balanceAfter: -90n })
    assert.isTrue(provisional.carries([debited], walletOf([...funded, credited, debited])))
    provisional.remove(credited)
    assert.isFalse(provisional.carries([debited], walletOf([...funded, credited, debited])))
  })
})

describe("a freeze", () => {
  it("counts up to its end, and not from then on", () => {
    const stream = frozenBy({ direction: "credits", until: 30 })
    given(stream)
      .when(command("Credit"), { time: 29 })
      .thenRejected(new WalletFrozen({ walletId, direction: "credits", until: 30 }))
    given(stream)
      .when(command("Credit"), { time: 30 })
      .then([event("WalletCredited", { balanceAfter: 110n, heldAfter: 10n })])
    given(stream)
      .when(command("ExpireFreeze", { until: 30 }), { time: 29 })
      .thenRejected(new InvalidRequest({ detail: `wallet ${walletId} has no freeze that is over` }))
    given(stream)
      .when(command("ExpireFreeze", { until: 29 }), { time: 30 })
      .thenRejected(new InvalidRequest({ detail: `wallet ${walletId} has no freeze that is over` }))
    given(stream)
      .when(command("ExpireFreeze", { until: 30 }), { time: 30 })
      .then([event("FreezeExpired", { until: 30, balanceAfter: 100n, heldAfter: 10n })])
  })

  it("lets what needs it ended wait for its end, each in its direction", () => {
    const after = { balanceAfter: 100n, heldAfter: 10n }
    const debit = event("WalletDebited", { balanceAfter: 90n, heldAfter: 10n })
    const credit = event("WalletCredited", { balanceAfter: 110n, heldAfter: 10n })
    const cases = [
      [event("WalletUnfrozen", after), [true, false]],
      [event("WalletUnfrozen", { direction: "credits", ...after }), [false, true]],
      [event("WalletUnfrozen", { direction: "all", ...after }), [true, true]],
      [event("WalletFrozen", { replaced: "all", ...after }), [false, true]],
      [event("WalletFrozen", { direction: "credits", replaced: "debits", ...after }), [true, false]],
      [event("WalletFrozen", { direction: "all", replaced: "debits", ...after }), [false, false]]
    ] as const
    for (const [ended, waits] of cases) {
      const provisional = new Provisional()
      provisional.add(ended)
      const carries = [debit, credit].map((next) => provisional.carries([next], walletOf([...holding, next])))
      assert.deepStrictEqual(carries, [...waits])
      provisional.remove(ended)
      assert.isFalse(provisional.carries([debit], walletOf([...holding, debit])))
    }
  })
})
