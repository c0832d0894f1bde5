import * as HashMap from "effect/HashMap"
import * as Result from "effect/Result"
import { assert, describe, it } from "vitest"
import { plainFreeze, type Wallet } from "../../src/domain/Wallet.ts"
import { decodeWallet, encodeWallet } from "../../src/domain/WalletCodec.ts"
import { holdBytes, transferBytes } from "../../src/domain/WalletSize.ts"
import { created, walletOf } from "./Examples.ts"

const hold = {
  id: "hold-1",
  amount: 10n,
  captured: 4n,
  remaining: 6n,
  expiresAt: 50,
  reference: "r",
  metadata: { a: "1" },
  createdAt: 7
}
const openHold = { ...hold, inFlight: null, ended: null }
const encodedTransfer = { id: "transfer-1", to: "wallet-2", amount: "9", reference: null, metadata: {}, createdAt: 8 }
const transfer = { ...encodedTransfer, amount: 9n, effectiveAt: null, capture: null }

const wallet: Wallet = {
  ...walletOf([created]),
  balance: -5n,
  held: 6n,
  overdraftLimit: 20n,
  status: "frozen",
  freeze: plainFreeze,
  version: 9,
  metadata: { b: "2" },
  updatedAt: 9,
  holds: HashMap.make(["hold-1", openHold]),
  transfers: HashMap.make(["transfer-1", transfer]),
  openBytes: holdBytes(openHold) + transferBytes(transfer)
}

const encodedHold = { ...hold, amount: "10", captured: "4", remaining: "6" }
const encoded = {
  format: 1,
  id: "wallet-1",
  ownerId: "owner-1",
  currency: "EUR",
  balance: "-5",
  held: "6",
  overdraftLimit: "20",
  status: "frozen",
  freeze: { direction: "debits", reason: null, until: null },
  version: 9,
  metadata: { b: "2" },
  createdAt: 0,
  updatedAt: 9,
  holds: [encodedHold],
  transfers: [encodedTransfer]
}

const failureOf = (value: unknown): string => {
  const decoded = decodeWallet(value)
  return Result.isFailure(decoded) ? decoded.failure : "read"
}

describe("a wallet's state as JSON", () => {
  it("is format 1, what it has always been", () => {
    assert.deepStrictEqual<unknown>(encodeWallet(wallet), encoded)
    assert.deepStrictEqual(Object.keys(encodeWallet(wallet)), Object.keys(encoded))
  })

  it("is read back whole, with its keys in the order of a folded state", () => {
    const read = Result.getOrThrow(decodeWallet(JSON.parse(JSON.stringify(encoded))))
    assert.deepStrictEqual(
      { ...read, holds: HashMap.toEntries(read.holds), transfers: HashMap.toEntries(read.transfers) },
      { ...wallet, holds: [["hold-1", openHold]], transfers: [["transfer-1", transfer]] }
    )
    assert.deepStrictEqual(Object.keys(read), Object.keys(wallet))
  })

  it("is refused when another release wrote it", () => {
    for (const format of [0, 2, "1", null, undefined]) {
      assert.strictEqual(failureOf({ ...encoded, format }), `wallet format ${format}`)
    }
  })

  it("is refused when any of it is damaged", () => {
    const cases: ReadonlyArray<readonly [string, ReadonlyArray<unknown>]> = [
      ["id", ["", 1]],
      ["ownerId", [null]],
      ["currency", ["eur"]],
      ["balance", [-5, "x"]],
      ["held", ["-6"]],
      ["overdraftLimit", ["-1"]],
      ["status", ["open", null]],
      ["version", [-1, "9"]],
      ["metadata", [null, { a: 1 }]],
      ["createdAt", [-1, "0"]],
      ["updatedAt", [0.5]],
      [
        "holds",
        [null, {}, [null], [{ ...encodedHold, captured: "5" }], [{ ...encodedHold, more: 1 }], Array(1_000_001)]
      ],
      ["transfers", [null, [{}], [{ ...encodedTransfer, amount: "0" }], [{ ...encodedTransfer, to: "" }]]]
    ]
    for (const [name, values] of cases) {
      for (const value of values) assert.strictEqual(failureOf({ ...encoded, [name]: value }), `${name}: unreadable`)
    }
    assert.strictEqual(failureOf({ ...encoded, more: 1 }), "more: unknown")
    const { status: _, ...without } = encoded
    assert.strictEqual(failureOf(without), "status: missing")
    for (const value of [null, undefined, 1, "{}", []]) assert.strictEqual(failureOf(value), "not an object")
  })

  it("is refused when it contradicts itself", () => {
    assert.strictEqual(
      failureOf({ ...encoded, held: "7" }),
      "held: not the sum of the holds and of what is held in transit"
    )
    assert.strictEqual(failureOf({ ...encoded, held: "12", holds: [encodedHold, encodedHold] }), "holds: one twice")
    assert.strictEqual(failureOf({ ...encoded, transfers: [encodedTransfer, encodedTransfer] }), "transfers: one twice")
    assert.strictEqual(failureOf({ ...encoded, createdAt: 10 }), "updatedAt: before createdAt")
    assert.strictEqual(failureOf({ ...encoded, createdAt: 9 }), "read")
  })
})
