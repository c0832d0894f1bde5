import * as FastCheck from "fast-check"
import * as HashMap from "effect/HashMap"
import { assert, describe, it } from "vitest"
import { isText, maxTextLength, type Metadata } from "../../src/domain/Limits.ts"
import type { OpenHold, TransferInFlight, Wallet } from "../../src/domain/Wallet.ts"
import { encodeWallet } from "../../src/domain/WalletCodec.ts"
import {
  growth,
  hasRoom,
  holdBytes,
  maxFreezeBytes,
  maxMetadataBytes,
  maxOpenBytes,
  metadataBytes,
  textBytes,
  transferBytes,
  walletBytes
} from "../../src/domain/WalletSize.ts"
import { walletOf } from "./Examples.ts"
import { created } from "./Examples.ts"

const jsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))

const texts = (maxLength: number) =>
  FastCheck.string({ unit: "binary", maxLength }).filter((text) => isText(text, maxLength))

const metadatas: FastCheck.Arbitrary<Metadata> = FastCheck.dictionary(texts(64), texts(512), {
  maxKeys: 20,
  noNullPrototype: true
})

const largest = 10n ** 30n - 1n
const id = "w".repeat(64)
const time = 253_402_300_799_999

const hold = (n: number, reference: string | null, metadata: Metadata): OpenHold => ({
  id: `${n}`.padEnd(64, "h"),
  amount: largest,
  captured: 10n ** 29n,
  remaining: largest - 10n ** 29n,
  expiresAt: time,
  reference,
  metadata,
  createdAt: time,
  inFlight: 10n ** 29n,
  ended: true
})

const transfer = (n: number, reference: string | null, metadata: Metadata): TransferInFlight => ({
  id: `${n}`.padEnd(64, "t"),
  to: id,
  amount: largest,
  reference,
  metadata,
  effectiveAt: time,
  createdAt: time,
  capture: { holdId: id, rest: largest }
})

/** With the longest of everything that has a length of its own. */
const wallet = (
  metadata: Metadata,
  holds: ReadonlyArray<OpenHold>,
  transfers: ReadonlyArray<TransferInFlight>
): Wallet => ({
  ...walletOf([created]),
  id,
  ownerId: id,
  currency: "C".repeat(16),
  balance: 1n - 10n ** 36n,
  held: 10n ** 36n - 1n,
  overdraftLimit: largest,
  status: "frozen",
  freeze: { direction: "credits", reason: "\u0001".repeat(maxTextLength), until: time },
  version: Number.MAX_SAFE_INTEGER,
  metadata,
  createdAt: time,
  updatedAt: time,
  holds: HashMap.fromIterable(holds.map((one): [string, OpenHold] => [one.id, one])),
  transfers: HashMap.fromIterable(transfers.map((one): [string, TransferInFlight] => [one.id, one])),
  openBytes: [...holds.map(holdBytes), ...transfers.map(transferBytes)].reduce((sum, one) => sum + one, 0)
})

describe("the size of a wallet", () => {
  it("counts a text as JSON writes it", () => {
    FastCheck.assert(
      FastCheck.property(texts(300), (text) => assert.strictEqual(textBytes(text), jsonBytes(text))),
      {
        examples: [['\u0000\b\f\n\r\t"\\\u007f\u0080\u07ff\u0800\u2028\ufeff\uffff🐎']]
      }
    )
  })

  it("counts metadata as JSON writes it", () => {
    FastCheck.assert(
      FastCheck.property(metadatas, (given) => assert.strictEqual(metadataBytes(given), jsonBytes(given)))
    )
  })

  it("is never below what a snapshot takes", () => {
    const notes = FastCheck.array(FastCheck.tuple(FastCheck.option(texts(255)), metadatas), { maxLength: 6 })
    FastCheck.assert(
      FastCheck.property(metadatas, notes, (metadata, given) => {
        const holds = given.map(([reference, one], n) => hold(n, reference, one))
        const transfers = given.map(([reference, one], n) => transfer(n, reference, one))
        const state = wallet(metadata, holds, transfers)
        assert.isAtLeast(walletBytes(state) + maxFreezeBytes, jsonBytes(encodeWallet(state)))
      })
    )
  })

  it("knows the largest hold", () => {
    const text = "\u0001"
    const metadata = Object.fromEntries(
      Array.from({ length: 20 }, (_, n) => [String.fromCharCode(n + 1).repeat(64), text.repeat(512)])
    )
    // Eight of the first twenty controls have a short form.
    assert.isAtMost(maxMetadataBytes - metadataBytes(metadata), 5 * 64 * 4)
    const size = holdBytes(hold(0, text.repeat(255), metadata))
    assert.isTrue(
      size <= maxOpenBytes &&
        size >=
          jsonBytes({ ...encodeWallet(wallet({}, [hold(0, text.repeat(255), metadata)], [])) }) - 1_000 - maxFreezeBytes
    )
  })

  it("has room exactly up to the bound, with whatever metadata", () => {
    for (const metadata of [{}, { a: "字".repeat(512) }]) {
      const state = wallet(metadata, [hold(0, null, {})], [])
      const size = walletBytes(state)
      assert.isTrue(hasRoom(state, 10, size + 10))
      assert.isFalse(hasRoom(state, 11, size + 10))
      assert.isTrue(hasRoom(state, 10, size + 10 + maxMetadataBytes))
    }
  })

  it("grows and shrinks by what comes and goes", () => {
    const one = wallet({}, [hold(0, null, {})], [])
    const two = wallet({ a: "b" }, [hold(0, null, {}), hold(1, "r", {})], [])
    assert.strictEqual(growth(one, two), walletBytes(two) - walletBytes(one))
    assert.strictEqual(growth(two, one), walletBytes(one) - walletBytes(two))
    assert.strictEqual(growth(undefined, one), walletBytes(one))
  })
})
