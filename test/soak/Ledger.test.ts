import { assert, describe, it } from "vitest"
import { differenceOf, Ledger, newAccount, type SoakCommand } from "./Ledger.ts"
import { rewritesAll, soakFaults } from "./SoakFaults.ts"
import { drawFaults } from "./SoakRun.ts"
import { judgeMemory } from "./SoakWatch.ts"

const [a, b] = [newAccount("a", "o"), newAccount("b", "o")]
const ledger = new Ledger([a, b])

const tell = (command: Omit<SoakCommand, "item">, holdId?: string): void =>
  ledger.acknowledged({ ...command, item: "" }, holdId)

describe("the ledger of a soak", () => {
  it("has of each wallet what was told done", () => {
    tell({ kind: "credit", account: a, amount: 100n })
    tell({ kind: "debit", account: a, amount: 10n })
    tell({ kind: "hold", account: a, amount: 30n }, "h1")
    tell({ kind: "hold", account: a, amount: 5n }, "h2")
    tell({ kind: "capture", account: a, amount: 20n, hold: a.holds.shift() })
    tell({ kind: "release", account: a, amount: 5n, hold: a.holds.shift() })
    tell({ kind: "hold", account: a, amount: 7n }, "h3")
    tell({ kind: "transfer", account: a, amount: 40n, to: b })
    assert.isUndefined(differenceOf(a, { id: "a", balance: "30", held: "7", version: 9 }))
    assert.isUndefined(differenceOf(b, { id: "b", balance: "40", held: "0", version: 1 }))
    assert.deepStrictEqual([ledger.commands, ledger.events], [8, 12])
    assert.deepStrictEqual(ledger.transactions, {
      credit: { count: 1, sum: 100n },
      debit: { count: 1, sum: 10n },
      capture: { count: 1, sum: 20n },
      transfer_out: { count: 1, sum: 40n },
      transfer_in: { count: 1, sum: 40n }
    })
  })

  it("tells what is lost, what was done twice and a wallet that is gone", () => {
    assert.include(differenceOf(b, { id: "b", balance: "0", held: "0", version: 0 }), "balance 40")
    assert.include(differenceOf(b, { id: "b", balance: "80", held: "0", version: 2 }), "balance 80")
    // Undone by another: the balance is right, and the version is not.
    assert.include(differenceOf(b, { id: "b", balance: "40", held: "0", version: 3 }), "version 3")
    assert.include(differenceOf(b, undefined), "not there")
  })
})

describe("the memory of a soak", () => {
  const of = (resident: (share: number) => number) =>
    judgeMemory(Array.from({ length: 1_000 }, (_, place) => ({ resident: resident(place / 1_000) })))

  it("is flat when it stays where it came to at the start", () => {
    assert.isTrue(of((share) => Math.min(400, 100 + 6_000 * share)).isFlat)
    assert.isTrue(of((share) => 400 + 200 * Math.sin(100 * share)).isFlat)
  })

  it("is not when it grows all the time", () => {
    assert.isFalse(of((share) => 200 + 200 * share).isFlat)
  })
})

describe("the faults of a soak", () => {
  it("are each drawn once before any comes again, in an order of the seed's", () => {
    const once = drawFaults(1, soakFaults, soakFaults.length)
    assert.sameMembers([...once], [...soakFaults])
    assert.deepStrictEqual(once, drawFaults(1, soakFaults, soakFaults.length))
    assert.notDeepEqual(once, drawFaults(2, soakFaults, soakFaults.length))
    assert.lengthOf(drawFaults(1, soakFaults, 23), 23)
  })

  it("begin with those that write all of the log again", () => {
    const first = drawFaults(3, soakFaults, soakFaults.length).slice(0, rewritesAll.length)
    assert.sameMembers(first, [...rewritesAll])
  })
})
