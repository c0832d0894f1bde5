import * as Result from "effect/Result"
import { assert, describe, it } from "vitest"
import { decodeMetadata, encodeMetadata } from "../../src/domain/EventCodec.ts"
import { InsufficientFunds } from "../../src/domain/Rejection.ts"
import { given, recordedAt } from "../../src/testing/Specification.ts"
import { command, created, event, funded, walletId } from "../domain/Examples.ts"

const debited = event("WalletDebited", { balanceAfter: 90n })
const debit = given(funded).when(command("Debit"))
const overdraw = given(funded).when(command("Debit", { amount: 101n }))
const insufficient = (required: bigint): InsufficientFunds =>
  new InsufficientFunds({ walletId, currency: "EUR", available: 100n, required })

describe("the specification", () => {
  it("agrees where the rules do what it says, and answers the wallet", () => {
    assert.strictEqual(debit.then([debited])?.balance, 90n)
    assert.strictEqual(overdraw.thenRejected(insufficient(101n))?.balance, 100n)
    assert.isUndefined(given([]).wallet)
  })

  it("objects to other events, more of them or fewer", () => {
    assert.throws(() => debit.then([event("WalletDebited", { balanceAfter: 91n })]), /deep/i)
    assert.throws(() => debit.then([]), /deep/i)
    assert.throws(() => debit.then([debited, debited]), /deep/i)
  })

  it("objects to a rejection where events were expected, and says which", () => {
    assert.throws(() => overdraw.then([debited]), "rejected: InsufficientFunds: wallet wallet-1 has 100 available")
  })

  it("objects to events where a rejection was expected, and to another rejection", () => {
    assert.throws(() => debit.thenRejected(insufficient(101n)), "not rejected, but: WalletDebited")
    assert.throws(
      () => given(funded).when(command("Unfreeze")).thenRejected(insufficient(1n)),
      "not rejected, but: NothingChanged"
    )
    const update = given(funded).when(command("UpdateWallet", { overdraftLimit: 1n, metadata: { a: "1" } }))
    assert.throws(
      () => update.thenRejected(insufficient(1n)),
      "not rejected, but: OverdraftLimitChanged, MetadataChanged"
    )
    assert.throws(() => overdraw.thenRejected(insufficient(102n)), /deep/i)
  })

  it("takes the wallet's id, the time and the limits that a test names", () => {
    const wallet = given([created], { walletId: "wallet-7", time: 5 })
      .when(command("Credit", { walletId: "wallet-7" }), { time: 9 })
      .then([event("WalletCredited", { balanceAfter: 10n })])
    assert.strictEqual(wallet?.id, "wallet-7")
    assert.strictEqual(wallet?.createdAt, 5)
    assert.strictEqual(wallet?.updatedAt, 9)
    const still = given([created], { time: 5 })
      .when(command("Credit"))
      .then([event("WalletCredited", { balanceAfter: 10n })])
    assert.strictEqual(still?.updatedAt, 5)
    assert.throws(
      () =>
        given(funded)
          .when(command("PlaceHold"), { limits: { stateBytes: 0 } })
          .then([]),
      "rejected: LimitExceeded"
    )
  })

  it("gives events the metadata that every log takes", () => {
    for (const { metadata } of given(funded).recorded) {
      assert.deepStrictEqual(decodeMetadata(encodeMetadata(metadata)), Result.succeed(metadata))
    }
  })

  it("records events at their places", () => {
    assert.deepStrictEqual(
      recordedAt("w", 3, 5, [created, created]).map(({ id, walletId, version, time }) => [id, walletId, version, time]),
      [
        ["w-3", "w", 3, 5],
        ["w-4", "w", 4, 5]
      ]
    )
    assert.deepStrictEqual(
      given(funded).recorded.map(({ event }) => event),
      funded
    )
  })
})
