/** What waits between the log and Persistence. */
import { assert, describe, it } from "vitest"
import { PersistQueue } from "../../src/pipeline/PersistQueue.ts"
import { mergeCommits } from "../../src/stores/RowWriter.ts"
import type { Commit } from "../../src/domain/Commit.ts"
import { fold } from "../../src/domain/Evolve.ts"
import { event, record } from "../domain/Examples.ts"

/** Of so many events from that version on. */
const commitOf = (walletId: string, first: number, events: number): Commit => {
  const recorded = Array.from({ length: events }, (_, n) => ({
    ...record(first + n, first + n === 0 ? event("WalletCreated") : event("WalletCredited")),
    walletId
  }))
  const before = first === 0 ? undefined : fold(undefined, [record(0, event("WalletCreated"))])
  const wallet = { ...(before ?? fold(undefined, recorded.slice(0, 1))!), version: first + events - 1 }
  return { walletId, partition: 0, epoch: 1, expectedVersion: first - 1, events: recorded, wallet }
}

const taken = (queue: PersistQueue, wallets: number, events: number) =>
  queue
    .take(wallets, events)
    .map((queued) => [queued.walletId, mergeCommits(queued.commits).events.map((e) => e.version)])

describe("the queue", () => {
  it("gives the wallets in the order of their coming, each with all that waits, within both bounds", () => {
    const queue = new PersistQueue(0n)
    const lowWatermark = queue.appending()
    for (const id of ["a", "b", "c", "d"]) queue.add(commitOf(id, 0, 2), 1n, lowWatermark, 0)
    queue.add(commitOf("a", 2, 1), 2n, lowWatermark, 0)
    assert.deepStrictEqual(taken(queue, 2, 100), [
      ["a", [0, 1, 2]],
      ["b", [0, 1]]
    ])
    assert.deepStrictEqual(taken(queue, 100, 3), [["c", [0, 1]]])
    assert.deepStrictEqual([queue.events, queue.wallets], [9, 1])
  })

  it("gives a part of what does not fit; the rest stays at its place, in order", () => {
    const queue = new PersistQueue(0n)
    const lowWatermark = queue.appending()
    for (let n = 0; n < 5; n++) queue.add(commitOf("a", n * 2, 2), 1n, lowWatermark, 0)
    queue.add(commitOf("b", 0, 1), 1n, lowWatermark, 0)
    assert.deepStrictEqual(taken(queue, 100, 5), [["a", [0, 1, 2, 3]]])
    assert.deepStrictEqual(taken(queue, 100, 1), [["a", [4, 5]]], "at least one commit")
    assert.deepStrictEqual(taken(queue, 100, 5), [
      ["a", [6, 7, 8, 9]],
      ["b", [0]]
    ])
    assert.strictEqual(queue.wallets, 0)
  })

  it("counts what was taken until it is settled", () => {
    const queue = new PersistQueue(0n)
    const lowWatermark = queue.appending()
    queue.add(commitOf("a", 0, 3), 1n, lowWatermark, 7)
    assert.strictEqual(queue.oldest, 7)
    const batch = queue.take(1, 2)
    assert.deepStrictEqual([queue.events, queue.oldest], [3, undefined])
    queue.resolve(batch)
    assert.strictEqual(queue.events, 0)
  })
})

describe("the checkpoint", () => {
  it("is the last known position once everything is written", () => {
    const queue = new PersistQueue(10n)
    const lowWatermark = queue.appending()
    queue.add(commitOf("a", 0, 1), 12n, lowWatermark, 0)
    queue.landed(lowWatermark)
    assert.strictEqual(queue.checkpoint([]), 10n, "a is still to be written")
    queue.take(1, 10)
    assert.strictEqual(queue.checkpoint([]), 12n)
  })

  it("stays below an append that is on its way, and below what is written elsewhere", () => {
    const queue = new PersistQueue(10n)
    const early = queue.appending()
    const late = queue.appending()
    queue.add(commitOf("b", 0, 1), 20n, late, 0)
    queue.landed(late)
    queue.take(1, 10)
    assert.strictEqual(queue.checkpoint([]), 10n, "the early one may land anywhere above 10")
    queue.landed(early)
    assert.strictEqual(queue.checkpoint([]), 20n)
    assert.strictEqual(queue.checkpoint([15n, 17n]), 15n)
  })

  it("stays below the rest of a wallet of which a part was taken", () => {
    const queue = new PersistQueue(10n)
    const lowWatermark = queue.appending()
    queue.add(commitOf("a", 0, 2), 12n, lowWatermark, 0)
    queue.add(commitOf("a", 2, 2), 14n, lowWatermark, 0)
    queue.landed(lowWatermark)
    queue.take(1, 2)
    assert.strictEqual(queue.checkpoint([]), 10n)
    queue.take(1, 2)
    assert.strictEqual(queue.checkpoint([]), 14n)
  })
})
