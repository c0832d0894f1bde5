import { assert, describe, it } from "vitest"
import type { Command } from "../../src/domain/Command.ts"
import { fingerprintOf } from "../../src/domain/Fingerprint.ts"
import { noMetadata } from "../../src/domain/Limits.ts"
import { command, event, record } from "./Examples.ts"

const long = "x".repeat(60)

/** Frozen: keys in the log are compared with these for ever. */
const golden: ReadonlyArray<readonly [Command, string]> = [
  [command("CreateWallet"), '1:create|"owner-1"|"EUR"|0|'],
  [command("CreateWallet", { overdraftLimit: 7n, metadata: { a: "1" } }), '1:create|"owner-1"|"EUR"|7|[["a","1"]]'],
  [command("Credit"), "1:credit|10||"],
  [command("Credit", { reference: 'a"b' }), '1:credit|10|"a\\"b"|'],
  [command("Credit", { reference: "" }), '1:credit|10|""|'],
  [command("Credit", { reference: "x".repeat(51) }), `1:credit|10|"${"x".repeat(51)}"|`],
  [command("Credit", { reference: long }), "1:sha256:_Yr15xy778svz5VAV3VvbZhotEkzJsfrNalEbeVnaYU"],
  [
    command("Credit", { reference: `ä${long}`, metadata: { b: "2", a: "1" } }),
    "1:sha256:NS3k1wAAsbuZIirsWVTeQWMyzPvD9XqqFPpPrLn0KUM"
  ],
  [command("Debit"), "1:debit|10||"],
  [command("Debit", { metadata: { b: "2", a: "1" } }), '1:debit|10||[["a","1"],["b","2"]]'],
  [command("PlaceHold"), "1:hold|10|||"],
  [command("PlaceHold", { expiresAt: 50, reference: "r", metadata: { a: "1" } }), '1:hold|10|50|"r"|[["a","1"]]'],
  [command("CaptureHold"), '1:capture|"hold-1"||'],
  [command("CaptureHold", { amount: 4n, final: true }), '1:capture|"hold-1"|4|final'],
  [command("ReleaseHold"), '1:release|"hold-1"'],
  [command("ExpireHold"), '1:expire|"hold-1"'],
  [command("SendTransfer"), '1:send|"wallet-2"|10||'],
  [command("SendTransfer", { reference: "r", metadata: { a: "1" } }), '1:send|"wallet-2"|10|"r"|[["a","1"]]'],
  [command("ReceiveTransfer"), '1:arrive|"transfer-9"|"wallet-9"|10'],
  [command("RefuseTransfer"), '1:arrive|"transfer-9"|"wallet-9"|10'],
  [command("SettleTransfer"), '1:settle|"transfer-1"'],
  [command("ReverseTransfer"), '1:reverse|"transfer-1"'],
  [command("Freeze"), "1:freeze|"],
  [command("Freeze", { reason: "audit" }), '1:freeze|"audit"'],
  [command("Unfreeze", { reason: "audit" }), '1:unfreeze|"audit"'],
  [command("Close", { reason: "" }), '1:close|""'],
  [command("UpdateWallet", { overdraftLimit: null, metadata: { a: "1" } }), '1:update||[["a","1"]]'],
  [command("UpdateWallet", { overdraftLimit: 5n, metadata: null }), "1:update|5|"],
  [command("UpdateWallet", { overdraftLimit: null, metadata: {} }), "1:update||[]"],
  [command("UpdateWallet", { overdraftLimit: 0n, metadata: { b: "2", a: "1" } }), '1:update|0|[["a","1"],["b","2"]]'],
  [command("ReverseOperation", { operation: record(1, event("WalletCredited")) }), '1:compensate|"wallet-1-1"']
]

describe("the fingerprint of a command", () => {
  it("is what it has always been", () => {
    for (const [given, fingerprint] of golden) assert.strictEqual(fingerprintOf(given), fingerprint)
  })

  it("is at most 66 characters, and hashed only when it would be longer", () => {
    const plain = command("Credit", { reference: "x".repeat(51) })
    assert.strictEqual(fingerprintOf(plain).length, 66)
    assert.match(fingerprintOf(command("Credit", { reference: "x".repeat(52) })), /^1:sha256:[\w-]{43}$/)
  })

  it("does not depend on what the engine adds, nor on the wallet", () => {
    const same: ReadonlyArray<readonly [Command, Command]> = [
      [command("PlaceHold"), command("PlaceHold", { holdId: "hold-2", walletId: "wallet-2" })],
      [
        command("SendTransfer"),
        command("SendTransfer", { transferId: "transfer-2", currency: "USD", destination: "closed" })
      ],
      [command("CreateWallet"), command("CreateWallet", { walletId: "wallet-2" })],
      [command("ReverseTransfer"), command("ReverseTransfer", { reason: "other" })]
    ]
    for (const [one, other] of same) assert.strictEqual(fingerprintOf(one), fingerprintOf(other))
  })

  it("is the same for a default and for nothing said", () => {
    assert.strictEqual(
      fingerprintOf(command("Credit", { metadata: {} })),
      fingerprintOf(command("Credit", { metadata: noMetadata }))
    )
    assert.strictEqual(fingerprintOf(command("CreateWallet", { metadata: {} })), fingerprintOf(command("CreateWallet")))
  })

  it("differs whenever the caller said something else", () => {
    const different: ReadonlyArray<Command> = [
      command("Credit"),
      command("Debit"),
      command("Credit", { amount: 1n }),
      command("Credit", { reference: "" }),
      command("Credit", { reference: "|" }),
      command("Credit", { reference: '"|"' }),
      command("Credit", { metadata: { a: "b" } }),
      command("Credit", { metadata: { a: "", b: "" } }),
      command("Credit", { metadata: { 'a","b': "" } }),
      command("Credit", { reference: '[["a","b"]]' }),
      command("Credit", { reference: `${long}1` }),
      command("Credit", { reference: `${long}2` }),
      command("PlaceHold", { expiresAt: 1 }),
      command("PlaceHold", { expiresAt: null }),
      command("CaptureHold", { final: true }),
      command("CaptureHold", { final: false }),
      command("CaptureHold", { amount: 10n }),
      command("CaptureHold", { holdId: "hold-2" }),
      command("UpdateWallet", { overdraftLimit: null, metadata: {} }),
      command("UpdateWallet", { overdraftLimit: 0n, metadata: null }),
      command("UpdateWallet", { overdraftLimit: 0n, metadata: {} })
    ]
    assert.strictEqual(new Set(different.map(fingerprintOf)).size, different.length)
  })
})
