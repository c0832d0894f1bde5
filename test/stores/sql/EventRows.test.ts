/** Rows that are encoded before their append is made are those that the append would encode. */
import { assert, describe, it } from "vitest"
import type { Commit } from "../../../src/domain/Commit.ts"
import { commitBatch } from "../../../src/stores/sql/CommitBatch.ts"
import { PreparedEvents } from "../../../src/stores/sql/EventRows.ts"
import { credit, debit, SampleWallet } from "../../../src/testing/contract/SampleWallet.ts"

const options = { log: true, words: true }

/** Of so many events, with texts of every length and script. */
const commitOf = (events: number): Commit => {
  const sample = new SampleWallet()
  sample.commit(sample.creation())
  return sample.commit(
    ...Array.from({ length: events }, (_, number) => {
      const moved = number % 2 === 0 ? credit(10n ** BigInt(number % 30)) : debit(1n)
      return {
        ...moved,
        reference: number % 3 === 0 ? "né 𝄞 ".repeat(1 + (number % 20)) + "." : null,
        metadata: { n: String(number) }
      }
    })
  )
}

const bytes = (commits: ReadonlyArray<Commit>, prepared?: PreparedEvents) => {
  const batch = commitBatch(commits, options, prepared)
  return { commits: [...batch.commits.finish(7)], events: [...batch.events.finish(8)], parts: batch.parts }
}

describe("events that were prepared", () => {
  it("are the same rows, wherever in an append they stand", () => {
    const commits = [commitOf(3), commitOf(40), commitOf(1), commitOf(300)]
    const prepared = new PreparedEvents(options)
    for (const { events, wallet } of [commits[1]!, commits[3]!]) prepared.prepare(events, wallet)
    assert.deepStrictEqual(bytes(commits, prepared), bytes(commits))
    // Sent again, alone or in another order.
    assert.deepStrictEqual(bytes([commits[3]!], prepared), bytes([commits[3]!]))
    assert.deepStrictEqual(bytes(commits.toReversed(), prepared), bytes(commits.toReversed()))
  })

  it("may have grown between, and after", () => {
    const commit = commitOf(50)
    const growing = commit.events.slice(0, 2)
    const prepared = new PreparedEvents(options)
    for (const at of [2, 3, 20, 20, 45]) {
      growing.push(...commit.events.slice(growing.length, at))
      prepared.prepare(growing, commit.wallet)
    }
    growing.push(...commit.events.slice(growing.length))
    assert.deepStrictEqual(bytes([{ ...commit, events: growing }], prepared), bytes([commit]))
  })

  it("are those of the very array: of an equal one nothing is known", () => {
    const commit = commitOf(5)
    const prepared = new PreparedEvents(options)
    prepared.prepare(commit.events, commit.wallet)
    assert.isDefined(prepared.of(commit.events))
    assert.isUndefined(prepared.of([...commit.events]))
  })
})
