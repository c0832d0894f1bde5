/** The exact events and the exact details of rejections; when each comes is in `Decide.test.ts`. */
import { assert, describe, it } from "vitest"
import { amountLimit, balanceLimit } from "../../src/domain/Limits.ts"
import { InsufficientFunds, InvalidRequest, LimitExceeded, WalletFrozen } from "../../src/domain/Rejection.ts"
import { given } from "../../src/testing/Specification.ts"
import { available } from "../../src/domain/Wallet.ts"
import { command, created, event, frozen, funded, holding, walletId } from "./Examples.ts"

const note = { reference: "invoice 7", metadata: { order: "7" } }

describe("a movement", () => {
  it("adds a credit to the balance", () => {
    const after = given(holding)
      .when(command("Credit", { amount: 5n, ...note }))
      .then([{ _tag: "WalletCredited", amount: 5n, ...note, effectiveAt: null, balanceAfter: 105n, heldAfter: 10n }])
    assert.strictEqual(after?.balance, 105n)
  })

  it("takes a debit from the balance, down to the overdraft limit", () => {
    const after = given([
      ...holding,
      event("OverdraftLimitChanged", {
        overdraftLimit: 50n,
        balanceAfter: 100n,
        heldAfter: 10n
      })
    ])
      .when(command("Debit", { amount: 140n, ...note }))
      .then([
        {
          _tag: "WalletDebited",
          amount: 140n,
          ...note,
          effectiveAt: null,
          forced: null,
          balanceAfter: -40n,
          heldAfter: 10n
        }
      ])
    assert.strictEqual(after === undefined ? undefined : available(after), 0n)
  })

  it("refuses a debit above the available balance", () => {
    given(holding)
      .when(command("Debit", { amount: 91n }))
      .thenRejected(new InsufficientFunds({ walletId, currency: "EUR", available: 90n, required: 91n }))
  })

  it("refuses a debit from a frozen wallet", () => {
    given(frozen(funded))
      .when(command("Debit"))
      .thenRejected(new WalletFrozen({ walletId, direction: "debits", until: null }))
  })

  it("says which field is malformed", () => {
    const cases = [
      [{ amount: 0n }, "amount: not a positive amount of at most 30 digits"],
      [{ reference: "\ud800" }, "reference: not a text of at most 255 characters"],
      [{ metadata: { ["k".repeat(65)]: "" } }, "metadata: too many pairs, or one too long or not text"]
    ] as const
    for (const [fields, detail] of cases) {
      given(funded).when(command("Credit", fields)).thenRejected(new InvalidRequest({ detail }))
    }
  })

  it("keeps the balance below 10^36", () => {
    const full = [created, event("WalletCredited", { balanceAfter: balanceLimit - 10n })]
    given(full)
      .when(command("Credit", { amount: 9n }))
      .then([event("WalletCredited", { amount: 9n, balanceAfter: balanceLimit - 1n })])
    given(full)
      .when(command("Credit", { amount: 10n }))
      .thenRejected(
        new LimitExceeded({
          walletId,
          limit: "balance",
          current: balanceLimit - 10n,
          size: balanceLimit,
          bound: balanceLimit - 1n
        })
      )
    given(full)
      .when(command("ReceiveTransfer", { amount: 10n }))
      .thenRejected(
        new LimitExceeded({
          walletId,
          limit: "balance",
          current: balanceLimit - 10n,
          size: balanceLimit,
          bound: balanceLimit - 1n
        })
      )
  })

  it("keeps room for the money in flight to come back", () => {
    const stream = [
      created,
      event("WalletCredited", { balanceAfter: balanceLimit - 1n }),
      event("TransferSent", { amount: 5n, balanceAfter: balanceLimit - 6n }),
      event("TransferSent", { transferId: "transfer-2", amount: 4n, balanceAfter: balanceLimit - 10n })
    ]
    given(stream)
      .when(command("Credit", { amount: 1n }))
      .thenRejected(
        new LimitExceeded({
          walletId,
          limit: "balance",
          current: balanceLimit - 1n,
          size: balanceLimit,
          bound: balanceLimit - 1n
        })
      )
    given(stream)
      .when(command("ReverseTransfer"))
      .then([event("TransferReversed", { amount: 5n, balanceAfter: balanceLimit - 5n })])
    const roomy = [...stream, event("TransferSettled", { amount: 5n, balanceAfter: balanceLimit - 10n })]
    given(roomy)
      .when(command("Credit", { amount: 5n }))
      .then([event("WalletCredited", { amount: 5n, balanceAfter: balanceLimit - 5n })])
    given(roomy)
      .when(command("Credit", { amount: 6n }))
      .thenRejected(
        new LimitExceeded({
          walletId,
          limit: "balance",
          current: balanceLimit - 6n,
          size: balanceLimit,
          bound: balanceLimit - 1n
        })
      )
  })

  it("takes the largest amount, 10^30 − 1", () => {
    given([created])
      .when(command("Credit", { amount: amountLimit - 1n }))
      .then([event("WalletCredited", { amount: amountLimit - 1n, balanceAfter: amountLimit - 1n })])
  })
})
