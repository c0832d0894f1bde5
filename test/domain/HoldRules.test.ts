/** The exact events and the exact details of rejections; when each comes is in `Decide.test.ts`. */
import * as HashMap from "effect/HashMap"
import { assert, describe, it } from "vitest"
import {
  HoldAmountExceeded,
  HoldClosed,
  HoldNotFound,
  InsufficientFunds,
  InvalidRequest,
  LimitExceeded
} from "../../src/domain/Rejection.ts"
import { given } from "../../src/testing/Specification.ts"
import { available } from "../../src/domain/Wallet.ts"
import { command, event, holding, walletId } from "./Examples.ts"

const note = { reference: "invoice 7", metadata: { order: "7" } }

describe("a hold", () => {
  it("holds its amount and leaves the balance", () => {
    const after = given(holding, { time: 7 })
      .when(command("PlaceHold", { holdId: "hold-2", amount: 20n, expiresAt: 90, ...note }))
      .then([
        {
          _tag: "HoldPlaced",
          holdId: "hold-2",
          amount: 20n,
          expiresAt: 90,
          ...note,
          balanceAfter: 100n,
          heldAfter: 30n
        }
      ])
    assert.strictEqual(after?.held, 30n)
    assert.deepStrictEqual(
      after === undefined ? undefined : HashMap.get(after.holds, "hold-2"),
      HashMap.get(
        HashMap.make([
          "hold-2",
          {
            id: "hold-2",
            amount: 20n,
            captured: 0n,
            remaining: 20n,
            expiresAt: 90,
            ...note,
            createdAt: 7,
            inFlight: null,
            ended: null
          }
        ]),
        "hold-2"
      )
    )
  })

  it("says why it cannot be placed", () => {
    const cases = [
      [{ amount: 0n }, "amount: not a positive amount of at most 30 digits"],
      [{ holdId: "" }, "holdId: not an id"],
      [{ holdId: "hold-2", expiresAt: 40 }, "expiresAt: not a time to come"],
      [{}, "holdId: in use"]
    ] as const
    for (const [fields, detail] of cases) {
      given(holding).when(command("PlaceHold", fields), { time: 40 }).thenRejected(new InvalidRequest({ detail }))
    }
    given(holding)
      .when(command("PlaceHold", { holdId: "hold-2" }), { limits: { stateBytes: 1_245 } })
      .thenRejected(new LimitExceeded({ walletId, limit: "stateBytes", current: 924n, size: 1_246n, bound: 1_245n }))
    given(holding)
      .when(command("PlaceHold", { holdId: "hold-2", amount: 91n }))
      .thenRejected(new InsufficientFunds({ walletId, currency: "EUR", available: 90n, required: 91n }))
  })

  it("is captured whole when no amount is named", () => {
    const after = given(holding)
      .when(command("CaptureHold"))
      .then([
        {
          _tag: "HoldCaptured",
          holdId: "hold-1",
          amount: 10n,
          released: 0n,
          capturedAfter: 10n,
          remainingAfter: 0n,
          effectiveAt: null,
          expiresAt: 50,
          balanceAfter: 90n,
          heldAfter: 0n
        }
      ])
    assert.isTrue(after !== undefined && HashMap.isEmpty(after.holds))
  })

  it("is captured in parts until nothing remains", () => {
    const first = event("HoldCaptured", {
      amount: 4n,
      capturedAfter: 4n,
      remainingAfter: 6n,
      expiresAt: 50,
      balanceAfter: 96n,
      heldAfter: 6n
    })
    given(holding)
      .when(command("CaptureHold", { amount: 4n }))
      .then([first])
    given([...holding, first])
      .when(command("CaptureHold", { amount: 6n }))
      .then([
        event("HoldCaptured", {
          amount: 6n,
          capturedAfter: 10n,
          remainingAfter: 0n,
          expiresAt: 50,
          balanceAfter: 90n,
          heldAfter: 0n
        })
      ])
    given([...holding, first])
      .when(command("CaptureHold", { amount: 7n }))
      .thenRejected(new HoldAmountExceeded({ walletId, holdId: "hold-1", remaining: 6n, amount: 7n }))
  })

  it("releases the rest at a final partial capture", () => {
    const after = given(holding)
      .when(command("CaptureHold", { amount: 4n, final: true }))
      .then([
        event("HoldCaptured", {
          amount: 4n,
          released: 6n,
          capturedAfter: 4n,
          remainingAfter: 0n,
          expiresAt: 50,
          balanceAfter: 96n,
          heldAfter: 0n
        })
      ])
    assert.strictEqual(after === undefined ? undefined : available(after), 96n)
  })

  it("is captured by an overdrawn wallet: the money was held", () => {
    given([event("WalletCreated", { overdraftLimit: 10n }), event("HoldPlaced", { balanceAfter: 0n, heldAfter: 10n })])
      .when(command("CaptureHold"))
      .then([event("HoldCaptured", { balanceAfter: -10n, heldAfter: 0n })])
  })

  it("cannot be captured from expiresAt on, whether it is written or not", () => {
    given(holding)
      .when(command("CaptureHold"), { time: 50 })
      .thenRejected(new HoldClosed({ walletId, holdId: "hold-1" }))
    given(holding)
      .when(command("CaptureHold", { holdId: "hold-2" }))
      .thenRejected(new HoldNotFound({ walletId, holdId: "hold-2" }))
    given(holding)
      .when(command("CaptureHold", { amount: 0n }))
      .thenRejected(new InvalidRequest({ detail: "amount: not a positive amount of at most 30 digits" }))
  })

  it("gives back what remains when released or expired", () => {
    const part = event("HoldCaptured", {
      amount: 4n,
      capturedAfter: 4n,
      remainingAfter: 6n,
      balanceAfter: 96n,
      heldAfter: 6n
    })
    const given10 = given([...holding, part])
    given10.when(command("ReleaseHold")).then([
      {
        _tag: "HoldReleased",
        holdId: "hold-1",
        amount: 6n,
        capturedAfter: 4n,
        expiresAt: 50,
        balanceAfter: 96n,
        heldAfter: 0n
      }
    ])
    given10.when(command("ExpireHold"), { time: 50 }).then([
      {
        _tag: "HoldExpired",
        holdId: "hold-1",
        amount: 6n,
        capturedAfter: 4n,
        expiresAt: 50,
        balanceAfter: 96n,
        heldAfter: 0n
      }
    ])
    given10
      .when(command("ExpireHold"), { time: 49 })
      .thenRejected(new InvalidRequest({ detail: "hold hold-1 has not expired yet" }))
    given10
      .when(command("ReleaseHold", { holdId: "hold-2" }))
      .thenRejected(new HoldNotFound({ walletId, holdId: "hold-2" }))
  })
})
