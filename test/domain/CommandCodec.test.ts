import { readdirSync, readFileSync } from "node:fs"
import * as Result from "effect/Result"
import { assert, describe, it } from "vitest"
import { type Command, commandCases, type RemoteCommand } from "../../src/domain/Command.ts"
import { decodeCommand, encodeCommand } from "../../src/domain/CommandCodec.ts"
import { fingerprintOf } from "../../src/domain/Fingerprint.ts"
import { noMetadata } from "../../src/domain/Limits.ts"
import { command } from "./Examples.ts"

const folder = new URL("commands/golden/", import.meta.url)
const metadata = { order: "17", ключ: "значение" }
const note = { reference: 'line "1"\n', metadata }

/** One for every shape that travels; its text is in `commands/golden/<name>.json`. */
const golden: { readonly [name: string]: RemoteCommand } = {
  CreateWallet: command("CreateWallet", { overdraftLimit: 500n, metadata }),
  Credit: command("Credit", { amount: 10n ** 30n - 1n, ...note }),
  "Credit.plain": command("Credit"),
  Debit: command("Debit", note),
  PlaceHold: command("PlaceHold", { expiresAt: 1_767_225_600_000, ...note }),
  "PlaceHold.plain": command("PlaceHold"),
  CaptureHold: command("CaptureHold", { amount: 4n, final: true }),
  "CaptureHold.plain": command("CaptureHold"),
  CaptureHoldTo: command("CaptureHoldTo"),
  "CaptureHoldTo.final": command("CaptureHoldTo", { amount: 4n, final: true, effectiveAt: 1_767_225_600_000 }),
  ChangeHold: command("ChangeHold", { amount: 40n }),
  "ChangeHold.expiry": command("ChangeHold", { amount: null, expiry: { at: 1_767_225_600_000 } }),
  "ChangeHold.forever": command("ChangeHold", { expiry: { at: null } }),
  "Debit.forced": command("Debit", { force: true }),
  ReleaseHold: command("ReleaseHold"),
  ExpireHold: command("ExpireHold"),
  SendTransfer: command("SendTransfer", note),
  "SendTransfer.missing": command("SendTransfer", { currency: "", destination: "missing" }),
  "SendTransfer.closed": command("SendTransfer", { destination: "closed" }),
  ReceiveTransfer: command("ReceiveTransfer", note),
  RefuseTransfer: command("RefuseTransfer"),
  SettleTransfer: command("SettleTransfer"),
  ReverseTransfer: command("ReverseTransfer"),
  "SendTransfer.dated": command("SendTransfer", { effectiveAt: 1_767_225_600_000 }),
  BeginLegs: command("BeginLegs"),
  PrepareLegs: command("PrepareLegs"),
  RefuseLegs: command("RefuseLegs"),
  ApplyLegs: command("ApplyLegs"),
  ReleaseLegs: command("ReleaseLegs"),
  SettleLegs: command("SettleLegs", { transactions: [{ sent: "1", received: "2" }] }),
  Freeze: command("Freeze", { reason: "r" }),
  "Freeze.directed": command("Freeze", { direction: "credits", until: 1_767_225_600_000 }),
  ExpireFreeze: command("ExpireFreeze"),
  Unfreeze: command("Unfreeze"),
  Close: command("Close"),
  UpdateWallet: command("UpdateWallet", { overdraftLimit: 7n, metadata: null }),
  "UpdateWallet.metadata": command("UpdateWallet", { metadata })
}

const textOf = (given: RemoteCommand) => JSON.stringify(encodeCommand(given))
const travelled = (given: RemoteCommand): Command => Result.getOrThrow(decodeCommand(JSON.parse(textOf(given))))

describe("commands on their way between nodes", () => {
  it("have a golden text each, and no text is without its command", () => {
    assert.deepStrictEqual(
      readdirSync(folder).sort(),
      Object.keys(golden)
        .map((name) => `${name}.json`)
        .sort()
    )
    assert.deepStrictEqual(
      [...new Set(Object.values(golden).map(({ _tag }) => _tag))].sort(),
      Object.keys(commandCases).sort()
    )
    for (const [name, given] of Object.entries(golden)) {
      assert.strictEqual(`${textOf(given)}\n`, readFileSync(new URL(`${name}.json`, folder), "utf8"), name)
    }
  })

  it("are read back as they were, with the same fingerprint", () => {
    for (const [name, given] of Object.entries(golden)) {
      const read = travelled(given)
      assert.deepStrictEqual(read, given, name)
      assert.strictEqual(fingerprintOf(read), fingerprintOf(given), name)
    }
  })

  it("share the one empty metadata", () => {
    const read = travelled(command("Credit", { metadata: {} }))
    assert.isTrue(read._tag === "Credit" && read.metadata === noMetadata)
  })

  it("keep values that the rules will refuse", () => {
    const wrong = [
      command("Credit", { amount: -5n, walletId: "no such id!", reference: "\u0000\ud800" }),
      command("Credit", { metadata: { "": "x".repeat(10_000) } }),
      command("PlaceHold", { expiresAt: Number.NaN }),
      command("PlaceHold", { expiresAt: Number.NEGATIVE_INFINITY }),
      command("PlaceHold", { expiresAt: 1.5 })
    ]
    for (const given of wrong) assert.deepStrictEqual(travelled(given), given)
  })

  it("write an amount without measure as one that every rule refuses", () => {
    for (const sign of [1n, -1n]) {
      const read = travelled(command("Credit", { amount: sign * 10n ** 5_000n }))
      assert.isTrue(read._tag === "Credit" && read.amount === sign * (10n ** 360n - 1n))
    }
  })

  const refusals: ReadonlyArray<readonly [name: string, value: unknown, why: string]> = [
    ["no object", [], "command: not an object"],
    ["no type", { walletId: "a" }, "command: unknown type"],
    ["a type of the language", { type: "toString" }, "command: unknown type"],
    ["the owner's own reversal", { type: "ReverseOperation", walletId: "a" }, "command: unknown type"],
    ["a field too few", { type: "ReleaseHold", walletId: "a" }, "ReleaseHold: holdId: missing"],
    [
      "a field too many",
      { type: "SettleTransfer", walletId: "a", transferId: "t", x: 1 },
      "SettleTransfer: x: unknown"
    ],
    ["a number for an amount", { ...encodeCommand(command("Credit")), amount: 10 }, "Credit: amount: unreadable"],
    [
      "an amount of a million digits",
      { ...encodeCommand(command("Credit")), amount: "9".repeat(1_000_000) },
      "Credit: amount: unreadable"
    ],
    [
      "text for a time",
      { ...encodeCommand(command("PlaceHold")), expiresAt: "soon" },
      "PlaceHold: expiresAt: unreadable"
    ],
    [
      "an unknown state of the destination",
      { ...encodeCommand(command("SendTransfer")), destination: "open" },
      "SendTransfer: destination: unreadable"
    ]
  ]
  it.each(refusals)("are refused: %s", (_name, value, why) => {
    assert.deepStrictEqual(decodeCommand(value), Result.fail(why))
  })
})
