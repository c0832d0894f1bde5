/** Ids made of keys are frozen: a retry by a later release must mean the same wallet and the same transfer. */
import { assert, describe, it } from "@effect/vitest"
import { isId } from "../../src/domain/Limits.ts"
import { derivedWalletId } from "../../src/engine/EngineCommands.ts"
import { derivedTransferId } from "../../src/engine/TransferCommands.ts"

describe("an id made of a key", () => {
  it("is what it has always been", () => {
    assert.strictEqual(derivedWalletId("open-1"), "w_HhvphXmasaNTa_AWzHvbhc")
    assert.strictEqual(derivedTransferId("alice", "rent-5"), "t_yA8tEA3Lzz5UJGtcM9cdWq")
  })

  it("is an id, whatever the key", () => {
    assert.isTrue(isId(derivedWalletId("~!/:".repeat(60))))
    assert.isTrue(isId(derivedTransferId("a".repeat(64), "~!/:".repeat(60))))
  })

  it("of a transfer tells sources and keys apart", () => {
    assert.notStrictEqual(derivedTransferId("a", "k"), derivedTransferId("b", "k"))
    assert.notStrictEqual(derivedTransferId("a", "k"), derivedTransferId("a", "l"))
  })
})
