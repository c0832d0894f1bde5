/** What wallets take of the heap: whether the estimate is right, and whether the budget keeps a small heap alive. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"

/** Runs a module of this folder to its end; the lines that it has printed. */
const run = (file: string, nodeOptions: ReadonlyArray<string>, ...args: ReadonlyArray<string>) => {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const ended = spawnSync(process.execPath, [...nodeOptions, path, ...args], { encoding: "utf8" })
  assert.deepStrictEqual([ended.status, ended.signal], [0, null], ended.stderr.slice(-2_000))
  return ended.stdout
    .trim()
    .split("\n")
    .map((line): unknown => JSON.parse(line))
}

describe("the memory of resident wallets", () => {
  it("is what the estimate says, within 30 percent, of wallets of every kind", () => {
    const kinds = run("residentMemory.ts", ["--expose-gc"]) as ReadonlyArray<{
      readonly name: string
      readonly real: number
      readonly estimate: number
    }>
    assert.strictEqual(kinds.length, 6)
    for (const { estimate, name, real } of kinds) {
      assert.isTrue(
        estimate >= 0.7 * real && estimate <= 1.3 * real,
        `${name}: ${Math.round(estimate)} of ${Math.round(real)} bytes`
      )
    }
  }, 600_000)

  it("stays within its budget, however many keys they remember", () => {
    const wallets = 100
    const [told] = run("smallHeap.ts", [], "keys", String(wallets)) as ReadonlyArray<{
      readonly most: number
      readonly residentBytes: number
      readonly residentWallets: number
      readonly budget: number
    }>
    const { budget, most, residentBytes, residentWallets } = told!
    assert.isAtMost(residentBytes, budget)
    assert.isAtMost(most, budget + 512 * 1024)
    assert.isBelow(residentWallets, wallets / 2)
    assert.isAbove(residentWallets, 10)
  }, 600_000)

  it("leaves a heap of 512 MB alive with two wallets of ten thousand holds each", () => {
    const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "small-heap-"))
    try {
      const [told] = run("smallHeap.ts", ["--max-old-space-size=512"], "holds", Path.join(folder, "data"))
      assert.deepStrictEqual(told, { held: [10_000, 10_000] })
    } finally {
      Fs.rmSync(folder, { recursive: true, force: true })
    }
  }, 600_000)
})
