/** What a command leaves to full collections, which stop the node for a tenth of a second: next to nothing. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

/** So much that no full collection comes in between. */
const heap = ["--initial-old-space-size=2000", "--max-old-space-size=4000"]

const leftByCredit = (wallets: number): number => {
  const path = fileURLToPath(new URL("oldGarbage.ts", import.meta.url))
  const ended = spawnSync(process.execPath, ["--expose-gc", ...heap, path, String(wallets)], {
    encoding: "utf8",
    timeout: 500_000
  })
  assert.deepStrictEqual([ended.status, ended.signal], [0, null], ended.stderr.slice(-2_000))
  return Number(ended.stdout)
}

describe("a credit leaves to full collections what its wallet no longer keeps, and not the command, its plan or its caller", () => {
  for (const wallets of [1, 1_000]) {
    it(`to one of ${wallets} wallets`, () => {
      const bytes = leftByCredit(wallets)
      assert.isAtLeast(bytes, 0)
      assert.isBelow(bytes, 700)
    }, 600_000)
  }
})
