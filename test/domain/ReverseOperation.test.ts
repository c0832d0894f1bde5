import { plainFreeze } from "../../src/domain/Wallet.ts"
import * as HashMap from "effect/HashMap"
import { assert, describe, it } from "vitest"
import type { OperationReversed, WalletEvent } from "../../src/domain/Event.ts"
import { balanceLimit } from "../../src/domain/Limits.ts"
import { InsufficientFunds, InvalidRequest, LimitExceeded } from "../../src/domain/Rejection.ts"
import { given, type When } from "../../src/testing/Specification.ts"
import { command, created, event, frozen, funded, holding, record, sending, walletId, walletOf } from "./Examples.ts"

/** Reverses `undone`, which follows `before`, when `later` have happened too. */
const reverse = (
  before: ReadonlyArray<WalletEvent>,
  undone: WalletEvent,
  later: ReadonlyArray<WalletEvent> = []
): When =>
  given([...before, undone, ...later]).when(
    command("ReverseOperation", {
      operation: record(before.length, undone),
      before: before.length === 0 ? undefined : walletOf(before),
      reason: "no such order"
    })
  )

const reversed = (
  fields: Pick<OperationReversed, "reversedVersion" | "reversedType" | "restored" | "balanceAfter" | "heldAfter"> &
    Partial<OperationReversed>
): OperationReversed => ({
  _tag: "OperationReversed",
  reason: "no such order",
  balanceChange: 0n,
  ...fields
})

const cannot = (version: number, type: string): InvalidRequest =>
  new InvalidRequest({ detail: `event ${version} (${type}) cannot be reversed any more` })

const part = event("HoldCaptured", {
  amount: 4n,
  capturedAfter: 4n,
  remainingAfter: 6n,
  balanceAfter: 96n,
  heldAfter: 6n
})
const hold = {
  id: "hold-1",
  amount: 10n,
  expiresAt: 50,
  reference: null,
  metadata: {},
  createdAt: 0,
  inFlight: null,
  ended: null
}
const open = { ...hold, captured: 0n, remaining: 10n }

describe("a reversal", () => {
  it("closes a wallet whose creation it undoes", () => {
    const after = reverse([], created).then([
      reversed({
        reversedVersion: 0,
        reversedType: "WalletCreated",
        restored: { _tag: "Status", status: "closed", freeze: null },
        balanceAfter: 0n,
        heldAfter: 0n
      })
    ])
    assert.strictEqual(after?.status, "closed")
  })

  it("takes a credit back", () => {
    const credited = event("WalletCredited", { balanceAfter: 110n, heldAfter: 10n })
    const after = reverse(holding, credited).then([
      reversed({
        reversedVersion: 3,
        reversedType: "WalletCredited",
        restored: { _tag: "Nothing" },
        balanceChange: -10n,
        balanceAfter: 100n,
        heldAfter: 10n
      })
    ])
    assert.strictEqual(after?.balance, 100n)
  })

  it("gives a debit back", () => {
    reverse(funded, event("WalletDebited", { balanceAfter: 90n })).then([
      reversed({
        reversedVersion: 2,
        reversedType: "WalletDebited",
        restored: { _tag: "Nothing" },
        balanceChange: 10n,
        balanceAfter: 100n,
        heldAfter: 0n
      })
    ])
  })

  it("removes a hold", () => {
    const after = reverse(funded, event("HoldPlaced", { balanceAfter: 100n, heldAfter: 10n })).then([
      reversed({
        reversedVersion: 2,
        reversedType: "HoldPlaced",
        restored: { _tag: "NoHold", holdId: "hold-1" },
        balanceAfter: 100n,
        heldAfter: 0n
      })
    ])
    assert.isTrue(after !== undefined && HashMap.isEmpty(after.holds))
  })

  it("opens a captured hold again, as it was", () => {
    const after = reverse(
      [...holding, part],
      event("HoldCaptured", {
        amount: 2n,
        released: 4n,
        capturedAfter: 6n,
        remainingAfter: 0n,
        balanceAfter: 94n,
        heldAfter: 0n
      })
    ).then([
      reversed({
        reversedVersion: 4,
        reversedType: "HoldCaptured",
        restored: { _tag: "Hold", hold: { ...hold, captured: 4n, remaining: 6n } },
        balanceChange: 2n,
        balanceAfter: 96n,
        heldAfter: 6n
      })
    ])
    assert.deepStrictEqual(after === undefined ? [] : HashMap.toValues(after.holds), [
      { ...hold, captured: 4n, remaining: 6n }
    ])
    reverse(holding, part).then([
      reversed({
        reversedVersion: 3,
        reversedType: "HoldCaptured",
        restored: { _tag: "Hold", hold: open },
        balanceChange: 4n,
        balanceAfter: 100n,
        heldAfter: 10n
      })
    ])
  })

  it("opens a released hold again", () => {
    reverse(holding, event("HoldReleased", { balanceAfter: 100n })).then([
      reversed({
        reversedVersion: 3,
        reversedType: "HoldReleased",
        restored: { _tag: "Hold", hold: open },
        balanceAfter: 100n,
        heldAfter: 10n
      })
    ])
  })

  it("takes a transfer off its way, or back from where it came", () => {
    const after = reverse(funded, event("TransferSent", { balanceAfter: 90n })).then([
      reversed({
        reversedVersion: 2,
        reversedType: "TransferSent",
        restored: { _tag: "NoTransfer", transferId: "transfer-1" },
        balanceChange: 10n,
        balanceAfter: 100n,
        heldAfter: 0n
      })
    ])
    assert.isTrue(after !== undefined && HashMap.isEmpty(after.transfers))
    reverse([created], event("TransferReceived", { balanceAfter: 10n })).then([
      reversed({
        reversedVersion: 1,
        reversedType: "TransferReceived",
        restored: { _tag: "NoTransfer", transferId: "transfer-9" },
        balanceChange: -10n,
        balanceAfter: 0n,
        heldAfter: 0n
      })
    ])
  })

  it("puts the status back", () => {
    const cases = [
      [[created], event("WalletFrozen"), "active"],
      [frozen([created]), event("WalletUnfrozen"), "frozen"],
      [[created], event("WalletClosed"), "active"],
      [frozen([created]), event("WalletClosed"), "frozen"]
    ] as const
    for (const [before, undone, status] of cases) {
      const after = reverse(before, undone).then([
        reversed({
          reversedVersion: before.length,
          reversedType: undone._tag,
          restored: { _tag: "Status", status, freeze: status === "frozen" ? plainFreeze : null },
          balanceAfter: 0n,
          heldAfter: 0n
        })
      ])
      assert.strictEqual(after?.status, status)
    }
  })

  it("puts limit and metadata back", () => {
    const limit = reverse(
      funded,
      event("OverdraftLimitChanged", {
        overdraftLimit: 9n,
        previousLimit: 3n,
        balanceAfter: 100n
      })
    ).then([
      reversed({
        reversedVersion: 2,
        reversedType: "OverdraftLimitChanged",
        restored: { _tag: "OverdraftLimit", overdraftLimit: 3n },
        balanceAfter: 100n,
        heldAfter: 0n
      })
    ])
    assert.strictEqual(limit?.overdraftLimit, 3n)
    const changed = event("MetadataChanged", {
      metadata: { a: "2", b: "1" },
      previousMetadata: { c: "3" },
      balanceAfter: 100n
    })
    const metadata = reverse(funded, changed).then([
      reversed({
        reversedVersion: 2,
        reversedType: "MetadataChanged",
        restored: { _tag: "Metadata", metadata: { c: "3" } },
        balanceAfter: 100n,
        heldAfter: 0n
      })
    ])
    assert.deepStrictEqual(metadata?.metadata, { c: "3" })
  })

  it("knows unchanged metadata by their pairs, in any order", () => {
    const changed = event("MetadataChanged", { metadata: { a: "1", b: "2" }, balanceAfter: 100n })
    const same = event("MetadataChanged", { metadata: { b: "2", a: "1" }, balanceAfter: 100n })
    assert.deepStrictEqual(
      reverse(funded, changed, [same]).then([
        reversed({
          reversedVersion: 2,
          reversedType: "MetadataChanged",
          restored: { _tag: "Metadata", metadata: {} },
          balanceAfter: 100n,
          heldAfter: 0n
        })
      ])?.metadata,
      {}
    )
    for (const metadata of [{ a: "1" }, { a: "1", b: "3" }, { a: "1", c: "2" }, { a: "1", b: "2", c: "3" }]) {
      const other = event("MetadataChanged", { metadata: metadata as Record<string, string>, balanceAfter: 100n })
      reverse(funded, changed, [other]).thenRejected(cannot(2, "MetadataChanged"))
    }
  })

  it("works on a frozen wallet", () => {
    const credited = event("WalletCredited", { balanceAfter: 110n })
    const later = event("WalletFrozen", { balanceAfter: 110n })
    assert.strictEqual(
      reverse(funded, credited, [later]).then([
        reversed({
          reversedVersion: 2,
          reversedType: "WalletCredited",
          restored: { _tag: "Nothing" },
          balanceChange: -10n,
          balanceAfter: 100n,
          heldAfter: 0n
        })
      ])?.status,
      "frozen"
    )
  })

  it("cuts and mends a store's reason", () => {
    given(funded)
      .when(
        command("ReverseOperation", {
          operation: record(1, event("WalletCredited", { amount: 100n })),
          before: walletOf([created]),
          reason: `\u0000${"x".repeat(300)}`
        })
      )
      .then([
        reversed({
          reversedVersion: 1,
          reversedType: "WalletCredited",
          reason: "x".repeat(255),
          restored: { _tag: "Nothing" },
          balanceChange: -100n,
          balanceAfter: 0n,
          heldAfter: 0n
        })
      ])
  })
})

describe("a reversal is refused", () => {
  it("when the money of the operation is used", () => {
    reverse([created], event("WalletCredited", { balanceAfter: 10n }), [
      event("WalletDebited", { amount: 1n, balanceAfter: 9n })
    ]).thenRejected(new InsufficientFunds({ walletId, currency: "EUR", available: 9n, required: 10n }))
    reverse([created], event("TransferReceived", { balanceAfter: 10n }), [
      event("HoldPlaced", { amount: 1n, balanceAfter: 10n, heldAfter: 1n })
    ]).thenRejected(new InsufficientFunds({ walletId, currency: "EUR", available: 9n, required: 10n }))
  })

  it("when the money that was released is used", () => {
    reverse(holding, event("HoldReleased", { balanceAfter: 100n }), [
      event("WalletDebited", { amount: 91n, balanceAfter: 9n })
    ]).thenRejected(new InsufficientFunds({ walletId, currency: "EUR", available: 9n, required: 10n }))
    reverse(holding, event("HoldCaptured", { amount: 4n, released: 6n, balanceAfter: 96n }), [
      event("WalletDebited", { amount: 91n, balanceAfter: 5n })
    ]).thenRejected(new InsufficientFunds({ walletId, currency: "EUR", available: 5n, required: 6n }))
  })

  it("when the raised limit is used", () => {
    reverse([created], event("OverdraftLimitChanged", { overdraftLimit: 9n, previousLimit: 2n }), [
      event("WalletDebited", { amount: 3n, balanceAfter: -3n })
    ]).thenRejected(new InsufficientFunds({ walletId, currency: "EUR", available: 6n, required: 7n }))
  })

  it("when the money to come back has no room", () => {
    const debited = event("WalletDebited", { balanceAfter: 90n })
    reverse(funded, debited, [event("WalletCredited", { balanceAfter: balanceLimit - 10n })]).thenRejected(
      new LimitExceeded({
        walletId,
        limit: "balance",
        current: balanceLimit - 10n,
        size: balanceLimit,
        bound: balanceLimit - 1n
      })
    )
    const placed = event("HoldPlaced", { balanceAfter: 100n, heldAfter: 10n })
    reverse(funded, placed, [event("WalletCredited", { balanceAfter: balanceLimit, heldAfter: 10n })]).then([
      reversed({
        reversedVersion: 2,
        reversedType: "HoldPlaced",
        restored: { _tag: "NoHold", holdId: "hold-1" },
        balanceAfter: balanceLimit,
        heldAfter: 0n
      })
    ])
  })

  it("when a later event builds on the operation", () => {
    const placed = event("HoldPlaced", { balanceAfter: 100n, heldAfter: 10n })
    const sent = event("TransferSent", { balanceAfter: 90n })
    const cases: ReadonlyArray<readonly [before: ReadonlyArray<WalletEvent>, undone: WalletEvent, later: WalletEvent]> =
      [
        [[], created, event("WalletCredited", { balanceAfter: 10n })],
        [[], created, event("HoldPlaced", { balanceAfter: 0n, heldAfter: 10n })],
        [[], created, event("TransferSent", { balanceAfter: 0n })],
        [[], created, event("WalletClosed")],
        [[created], event("WalletCredited", { balanceAfter: 10n }), event("WalletClosed", { balanceAfter: 10n })],
        [funded, placed, part],
        [funded, placed, event("HoldReleased", { balanceAfter: 100n })],
        [holding, part, event("HoldReleased", { amount: 6n, balanceAfter: 96n })],
        [holding, part, { ...part, amount: 1n, capturedAfter: 5n, remainingAfter: 5n }],
        [holding, event("HoldCaptured", { balanceAfter: 90n }), { ...placed, balanceAfter: 90n }],
        [holding, event("HoldReleased", { balanceAfter: 100n }), placed],
        [funded, sent, event("TransferSettled", { balanceAfter: 90n })],
        [funded, sent, event("TransferReversed", { balanceAfter: 100n })],
        [[created], event("WalletFrozen"), event("WalletUnfrozen")],
        [frozen([created]), event("WalletUnfrozen"), event("WalletFrozen")],
        [[created], event("OverdraftLimitChanged", { overdraftLimit: 1n }), event("OverdraftLimitChanged")]
      ]
    for (const [before, undone, later] of cases) {
      reverse(before, undone, [later]).thenRejected(cannot(before.length, undone._tag))
    }
  })

  it("when the closing it would undo is undone already", () => {
    const undoing = reversed({
      reversedVersion: 1,
      reversedType: "WalletClosed",
      restored: { _tag: "Status", status: "active", freeze: null },
      balanceAfter: 0n,
      heldAfter: 0n
    })
    reverse([created], event("WalletClosed"), [undoing]).thenRejected(cannot(1, "WalletClosed"))
  })

  it("for the engine's own events", () => {
    const cases: ReadonlyArray<readonly [before: ReadonlyArray<WalletEvent>, undone: WalletEvent]> = [
      [holding, event("HoldExpired", { balanceAfter: 100n })],
      [funded, event("TransferRefused", { balanceAfter: 100n })],
      [sending, event("TransferSettled", { balanceAfter: 90n })],
      [sending, event("TransferReversed", { balanceAfter: 100n })],
      [funded, event("OperationReversed", { balanceAfter: 90n })]
    ]
    for (const [before, undone] of cases) reverse(before, undone).thenRejected(cannot(before.length, undone._tag))
  })

  it("for what is no operation of this wallet", () => {
    const credited = event("WalletCredited", { amount: 100n, balanceAfter: 100n })
    const none = (version: number): InvalidRequest =>
      new InvalidRequest({ detail: `event ${version} is no operation of this wallet` })
    const before = walletOf([created])
    const elsewhere = { ...record(1, credited), walletId: "wallet-2" }
    given(funded)
      .when(command("ReverseOperation", { operation: elsewhere, before }))
      .thenRejected(none(1))
    given(funded)
      .when(command("ReverseOperation", { operation: record(2, credited), before: walletOf(funded) }))
      .thenRejected(none(2))
    given([...funded, credited])
      .when(command("ReverseOperation", { operation: record(2, credited), before }))
      .thenRejected(none(2))
    given(funded)
      .when(command("ReverseOperation", { operation: record(1, credited), before: undefined }))
      .thenRejected(none(1))
  })

  it("when the state before it does not have what it closed", () => {
    given([...holding, event("HoldReleased", { balanceAfter: 100n })])
      .when(
        command("ReverseOperation", {
          operation: record(2, event("HoldReleased")),
          before: walletOf(funded)
        })
      )
      .thenRejected(cannot(2, "HoldReleased"))
    given([...holding, event("HoldCaptured", { balanceAfter: 90n })])
      .when(
        command("ReverseOperation", {
          operation: record(2, event("HoldCaptured")),
          before: walletOf(funded)
        })
      )
      .thenRejected(cannot(2, "HoldCaptured"))
    for (const undone of [event("WalletFrozen"), event("HoldReleased")]) {
      given(frozen([created]))
        .when(command("ReverseOperation", { operation: record(0, undone), before: undefined }))
        .thenRejected(cannot(0, undone._tag))
    }
  })
})
