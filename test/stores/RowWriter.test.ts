import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "fast-check"
import { bisect, eventsByCommand, mergeCommits } from "../../src/stores/RowWriter.ts"
import { credit, SampleWallet } from "../../src/testing/contract/SampleWallet.ts"

/** Attempts of parts of these numbers; negative ones are refused, and with them the whole part. */
const trial = () => {
  const parts: Array<ReadonlyArray<number>> = []
  const attempt = (part: ReadonlyArray<number>): Effect.Effect<ReadonlyArray<string>, "refused" | "away"> => {
    parts.push(part)
    if (part.includes(0)) return Effect.fail("away")
    return part.some((one) => one < 0) ? Effect.fail("refused") : Effect.succeed(part.map((one) => `wrote ${one}`))
  }
  const options = {
    attempt,
    divides: (failure: "refused" | "away"): failure is "refused" => failure === "refused",
    alone: (one: number, failure: "refused") => Effect.succeed(`${failure} ${one}`)
  }
  return { parts, options }
}

describe("bisect", () => {
  it.effect("does all at once where nothing fails", () =>
    Effect.gen(function* () {
      const { options, parts } = trial()
      assert.deepStrictEqual(yield* bisect<number, string, "refused", "away">([1, 2, 3], options), [
        "wrote 1",
        "wrote 2",
        "wrote 3"
      ])
      assert.lengthOf(parts, 1)
    })
  )

  it.effect("does nothing with nothing", () =>
    Effect.gen(function* () {
      const { options, parts } = trial()
      assert.deepStrictEqual(yield* bisect<number, string, "refused", "away">([], options), [])
      assert.lengthOf(parts, 0)
    })
  )

  it.effect("finds one of many in about 2 log2 attempts, and does the others in their order", () =>
    Effect.gen(function* () {
      const { options, parts } = trial()
      const items = Array.from({ length: 256 }, (_, index) => (index === 77 ? -77 : index + 1))
      const answers = yield* bisect<number, string, "refused", "away">(items, options)
      assert.deepStrictEqual(
        answers,
        items.map((one) => (one < 0 ? "refused -77" : `wrote ${one}`))
      )
      assert.isAtMost(parts.length, 1 + 2 * 8)
    })
  )

  it.effect("ends with a failure that is not one item's", () =>
    Effect.gen(function* () {
      const { options, parts } = trial()
      assert.strictEqual(yield* Effect.flip(bisect<number, string, "refused", "away">([-1, 2, 0, 4], options)), "away")
      assert.lengthOf(parts, 1)
    })
  )

  it.effect("begins with the halves where the whole has failed before", () =>
    Effect.gen(function* () {
      const { options, parts } = trial()
      const answers = yield* bisect<number, string, "refused", "away">([-1, 2], { ...options, failed: "refused" })
      assert.deepStrictEqual(answers, ["refused -1", "wrote 2"])
      assert.deepStrictEqual(parts, [[-1], [2]])
    })
  )

  it.effect("tells each half what the whole has failed of", () =>
    Effect.gen(function* () {
      const { options } = trial()
      const wholes: Array<string | undefined> = []
      const attempt = (part: ReadonlyArray<number>, whole: "refused" | undefined) => {
        wholes.push(whole)
        return options.attempt(part)
      }
      yield* bisect<number, string, "refused", "away">([1, -2], { ...options, attempt })
      assert.deepStrictEqual(wholes, [undefined, "refused", "refused"])
    })
  )

  it("answers for every item, in order, whichever fail", () => {
    const items = FastCheck.array(
      FastCheck.integer({ min: -3, max: 9 }).filter((one) => one !== 0),
      { maxLength: 40 }
    )
    FastCheck.assert(
      FastCheck.property(items, (given) => {
        const answers = Effect.runSync(bisect<number, string, "refused", "away">(given, trial().options))
        assert.deepStrictEqual(
          answers,
          given.map((one) => (one < 0 ? `refused ${one}` : `wrote ${one}`))
        )
      })
    )
  })
})

describe("commits", () => {
  it("of one wallet are one and fall apart into their commands again", () => {
    const sample = new SampleWallet()
    const commits = [sample.commit(sample.creation(), credit(1n)), sample.commit(credit(2n))]
    const merged = mergeCommits(commits)
    assert.strictEqual(merged.expectedVersion, -1)
    assert.deepStrictEqual(merged.wallet, commits[1]!.wallet)
    assert.deepStrictEqual(eventsByCommand(merged.events).flat(), merged.events)
    for (const events of eventsByCommand(merged.events)) {
      assert.lengthOf(new Set(events.map(({ metadata }) => metadata.commandId)), 1)
    }
  })
})
