import { assert, describe, it } from "vitest"
import { defaultPartitions, partitionOf } from "../../src/domain/Partition.ts"

describe("the partition of a wallet", () => {
  it("is its id's FNV-1a hash, the same in every release", () => {
    const golden: ReadonlyArray<readonly [walletId: string, of1024: number, of300: number]> = [
      ["", 453, 61],
      ["a", 300, 220],
      ["foobar", 360, 220],
      ["wallet-1", 902, 286],
      ["x".repeat(64), 709, 77]
    ]
    for (const [walletId, of1024, of300] of golden) {
      assert.strictEqual(partitionOf(walletId, defaultPartitions), of1024)
      assert.strictEqual(partitionOf(walletId, 300), of300)
    }
    assert.strictEqual(defaultPartitions, 1024)
    assert.strictEqual(partitionOf("foobar", 2 ** 32), 0xbf9cf968)
  })

  it("spreads wallets evenly", () => {
    const counts = new Map<number, number>()
    for (let index = 0; index < 64_000; index++) {
      const partition = partitionOf(`wallet-${index}`, 64)
      counts.set(partition, (counts.get(partition) ?? 0) + 1)
    }
    assert.strictEqual(counts.size, 64)
    assert.isBelow(Math.max(...counts.values()), 1_300)
  })
})
