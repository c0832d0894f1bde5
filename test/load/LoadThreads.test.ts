/** What threads that send a load together share: the sequence, by turns, and what each has counted. */
import { assert, describe, it } from "vitest"
import * as fc from "fast-check"
import { CommandLedger } from "../../src/load/CommandLedger.ts"
import { accepted, notAccepted } from "../../src/load/LoadTarget.ts"
import { judgeFailure } from "../../src/load/Outcome.ts"
import { reportOf } from "../../src/load/LoadReport.ts"
import { Tally } from "../../src/load/Tally.ts"
import { everyTurn, partOf, turnsOf } from "../../src/load/Turns.ts"
import { phase } from "./LoadOptionsOf.ts"

const counting = () => {
  let next = 0
  return () => next++
}

const take = (next: () => number, count: number) => Array.from({ length: count }, next)

describe("threads", () => {
  it("take the blocks of one sequence by turns, each once and in order", () => {
    assert.deepStrictEqual(take(turnsOf(counting(), everyTurn, 3), 7), [0, 1, 2, 3, 4, 5, 6])
    assert.deepStrictEqual(take(turnsOf(counting(), { index: 1, of: 3 }, 2), 6), [2, 3, 8, 9, 14, 15])
    const sizes = fc.integer({ min: 1, max: 9 })
    fc.assert(
      fc.property(sizes, sizes, fc.integer({ min: 1, max: 20 }), (of, block, rounds) => {
        const all = Array.from({ length: of }, (_, index) =>
          take(turnsOf(counting(), { index, of }, block), block * rounds)
        )
        assert.deepStrictEqual(
          all.flat().toSorted((a, b) => a - b),
          take(counting(), of * block * rounds)
        )
      })
    )
  })

  it("have the callers between them", () => {
    const parts = fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 64, max: 10_000 }), (of, whole) => {
      const given = Array.from({ length: of }, (_, index) => partOf(whole, { index, of }))
      assert.strictEqual(
        given.reduce((sum, part) => sum + part, 0),
        whole
      )
      assert.isAtMost(Math.max(...given) - Math.min(...given), 1)
    })
    fc.assert(parts)
  })
})

const replies = [
  accepted("persisted", "id"),
  accepted("committed", "id"),
  notAccepted("InsufficientFunds", judgeFailure("InsufficientFunds")),
  notAccepted("MailboxFull", judgeFailure("MailboxFull")),
  notAccepted("NoAnswer", judgeFailure("NoAnswer"))
]

const sending = fc.record({
  due: fc.integer({ min: 0, max: 1_200_000 }),
  late: fc.integer({ min: 0, max: 50 }),
  took: fc.integer({ min: 0, max: 20_000 }),
  reply: fc.constantFrom(...replies),
  wallet: fc.integer({ min: 0, max: 4 })
})

const phases = [phase("warm-up", 100_000, 5, false), phase("load", 900_000, 5)]

describe("what threads have counted", () => {
  it("is the same put together as if one had counted all, however it goes from one to the other", () => {
    const threads = fc.array(fc.array(sending, { maxLength: 30 }), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(threads, (given) => {
        const draw = () => 0.5
        const one = { tally: new Tally(phases), ledger: new CommandLedger(5, draw) }
        const together = { tally: new Tally(phases), ledger: new CommandLedger(5, draw) }
        let number = 0
        for (const sent of given) {
          const own = { tally: new Tally(phases), ledger: new CommandLedger(5, draw) }
          for (const { due, late, reply, took, wallet } of sent) {
            const command = { _tag: "Credit", walletId: String(wallet), amount: 1n } as const
            const keyed = { command, key: String(number) }
            for (const { ledger, tally } of [one, own]) {
              tally.sent(due, due + late)
              const operation = { kind: "credit", wallet, second: wallet, third: wallet, command: number } as const
              tally.completed(operation, { due, sentAt: due + late, now: due + late + took }, reply)
              ledger.sent(number, 1)
              ledger.answered(number, keyed, reply, [[wallet, 1]])
            }
            number++
          }
          together.tally.addPacked(structuredClone(own.tally.pack()))
          together.ledger.addPacked(structuredClone(own.ledger.pack()))
        }
        const shown = ({ ledger, tally }: typeof one) => ({
          report: reportOf({ loop: "open", run: "r", seed: "s", tally, hottest: [], check: { ok: null } }),
          states: Array.from({ length: number }, (_, command) => [ledger.state(command), ledger.wantedSides(command)]),
          moved: Array.from({ length: 5 }, (_, wallet) => [ledger.movedBy(wallet), ledger.acceptedBy[wallet]]),
          commands: ledger.commands,
          open: ledger.open,
          sample: ledger.sample.map(({ key }) => key).toSorted()
        })
        assert.deepStrictEqual(shown(together), shown(one))
      }),
      { numRuns: 20 }
    )
  })

  it("is drawn from evenly where there is more than a sample of it", () => {
    const ledgerOf = (commands: number, first: number) => {
      const ledger = new CommandLedger(1, Math.random)
      for (let number = first; number < first + commands; number++) {
        ledger.sent(number, 1)
        const command = { _tag: "Credit", walletId: "0", amount: 1n } as const
        ledger.answered(number, { command, key: String(number) }, accepted("persisted", "id"), [[0, 1]])
      }
      return ledger
    }
    const together = ledgerOf(3_000, 0)
    together.addPacked(structuredClone(ledgerOf(1_000, 3_000).pack()))
    assert.strictEqual(together.sample.length, 256)
    assert.strictEqual(new Set(together.sample.map(({ key }) => key)).size, 256)
    const others = together.sample.filter(({ key }) => Number(key) >= 3_000).length
    // A quarter of 256; ten standard deviations either way.
    assert.isAbove(others, 0)
    assert.isBelow(others, 134)
  })
})
