/** The exact events and the exact details of rejections; when each comes is in `Decide.test.ts`. */
import { assert, describe, it } from "vitest"
import {
  InsufficientFunds,
  InvalidRequest,
  WalletAlreadyExists,
  WalletClosed,
  WalletNotEmpty,
  WalletNotFound
} from "../../src/domain/Rejection.ts"
import { given } from "../../src/testing/Specification.ts"
import { available } from "../../src/domain/Wallet.ts"
import { closed, command, created, event, frozen, funded, holding, walletId } from "./Examples.ts"

describe("a wallet", () => {
  it("is created with what was asked, and nothing on it", () => {
    const fields = { ownerId: "owner-7", currency: "CZK", overdraftLimit: 500n, metadata: { a: "1" } }
    const after = given([])
      .when(command("CreateWallet", fields))
      .then([{ _tag: "WalletCreated", ...fields, balanceAfter: 0n, heldAfter: 0n }])
    assert.strictEqual(after?.status, "active")
    assert.strictEqual(after === undefined ? undefined : available(after), 500n)
  })

  it("says why it cannot be created", () => {
    given([created]).when(command("CreateWallet")).thenRejected(new WalletAlreadyExists({ walletId }))
    const cases = [
      [{ walletId: "" }, "id: not an id"],
      [{ ownerId: "ä" }, "ownerId: not an id"],
      [{ currency: "E" }, "currency: not a currency code"],
      [{ overdraftLimit: -1n }, "overdraftLimit: not an amount of at most 30 digits"],
      [{ metadata: { a: "\u0000" } }, "metadata: too many pairs, or one too long or not text"]
    ] as const
    for (const [fields, detail] of cases) {
      given([]).when(command("CreateWallet", fields)).thenRejected(new InvalidRequest({ detail }))
    }
  })

  it("is frozen and unfrozen once, with the reason", () => {
    const after = given(holding)
      .when(command("Freeze", { reason: "audit" }))
      .then([
        {
          _tag: "WalletFrozen",
          reason: "audit",
          direction: null,
          until: null,
          replaced: null,
          balanceAfter: 100n,
          heldAfter: 10n
        }
      ])
    assert.strictEqual(after?.status, "frozen")
    given(frozen(holding))
      .when(command("Freeze"))
      .then([{ _tag: "NothingChanged", command: "Freeze", reason: null, balanceAfter: 100n, heldAfter: 10n }])
    const thawed = given(frozen(holding))
      .when(command("Unfreeze", { reason: "done" }))
      .then([{ _tag: "WalletUnfrozen", reason: "done", direction: null, balanceAfter: 100n, heldAfter: 10n }])
    assert.strictEqual(thawed?.status, "active")
    given(holding)
      .when(command("Unfreeze"))
      .then([{ _tag: "NothingChanged", command: "Unfreeze", reason: null, balanceAfter: 100n, heldAfter: 10n }])
    given(holding)
      .when(command("Unfreeze", { reason: "x".repeat(256) }))
      .thenRejected(new InvalidRequest({ detail: "reason: not a text of at most 255 characters" }))
  })

  it("is closed when nothing is on it, and says what is on it when not", () => {
    const after = given([created])
      .when(command("Close", { reason: "moved" }))
      .then([{ _tag: "WalletClosed", reason: "moved", balanceAfter: 0n, heldAfter: 0n }])
    assert.strictEqual(after?.status, "closed")
    given([...holding, event("TransferSent", { balanceAfter: 90n, heldAfter: 10n })])
      .when(command("Close"))
      .thenRejected(new WalletNotEmpty({ walletId, balance: 90n, openHolds: 1, transfersInFlight: 1 }))
    given(closed).when(command("Close")).thenRejected(new WalletClosed({ walletId }))
  })

  it("changes limit and metadata with one command, keeping what they were", () => {
    const stream = [event("WalletCreated", { overdraftLimit: 3n, metadata: { a: "1" } })]
    const after = given(stream)
      .when(command("UpdateWallet", { overdraftLimit: 7n, metadata: { b: "2" } }))
      .then([
        { _tag: "OverdraftLimitChanged", overdraftLimit: 7n, previousLimit: 3n, balanceAfter: 0n, heldAfter: 0n },
        { _tag: "MetadataChanged", metadata: { b: "2" }, previousMetadata: { a: "1" }, balanceAfter: 0n, heldAfter: 0n }
      ])
    assert.strictEqual(after?.overdraftLimit, 7n)
    assert.deepStrictEqual(after?.metadata, { b: "2" })
    assert.strictEqual(after?.version, 2)
    given(holding)
      .when(command("UpdateWallet", { overdraftLimit: 7n, metadata: null }))
      .then([
        { _tag: "OverdraftLimitChanged", overdraftLimit: 7n, previousLimit: 0n, balanceAfter: 100n, heldAfter: 10n }
      ])
    given(holding)
      .when(command("UpdateWallet", { metadata: { b: "2" } }))
      .then([
        { _tag: "MetadataChanged", metadata: { b: "2" }, previousMetadata: {}, balanceAfter: 100n, heldAfter: 10n }
      ])
  })

  it("says so where limit and metadata are as they shall be, in whatever order the pairs come", () => {
    const stream = [event("WalletCreated", { overdraftLimit: 3n, metadata: { a: "1", b: "2" } })]
    const same = { metadata: { b: "2", a: "1" }, overdraftLimit: 3n }
    const unchanged = event("NothingChanged", { command: "UpdateWallet" })
    for (const fields of [same, { ...same, metadata: null }, { ...same, overdraftLimit: null }]) {
      const after = given(stream).when(command("UpdateWallet", fields)).then([unchanged])
      assert.deepStrictEqual([after?.version, after?.overdraftLimit, after?.metadata], [1, 3n, { a: "1", b: "2" }])
    }
    given(stream)
      .when(command("UpdateWallet", { ...same, overdraftLimit: 4n }))
      .then([
        event("OverdraftLimitChanged", { overdraftLimit: 4n, previousLimit: 3n }),
        event("MetadataChanged", { metadata: same.metadata, previousMetadata: { a: "1", b: "2" } })
      ])
  })

  it("refuses an overdraft limit that would make available negative", () => {
    given([event("WalletCreated", { overdraftLimit: 10n }), event("WalletDebited", { balanceAfter: -6n })])
      .when(command("UpdateWallet", { overdraftLimit: 5n, metadata: null }))
      .thenRejected(new InsufficientFunds({ walletId, currency: "EUR", available: 4n, required: 5n }))
  })

  it("refuses an update that changes nothing", () => {
    given(funded)
      .when(command("UpdateWallet", { overdraftLimit: null, metadata: null }))
      .thenRejected(new InvalidRequest({ detail: "nothing to change" }))
  })

  it("that does not exist is not found, whatever is asked", () => {
    given([]).when(command("Credit")).thenRejected(new WalletNotFound({ walletId }))
  })
})
