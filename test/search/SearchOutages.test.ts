/** What is noticed of an index that is away, behind or refuses everything, and what is told of it. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { SampleWallet } from "../../src/testing/contract/SampleWallet.ts"
import * as Faults from "../support/FaultySearchIndex.ts"
import { assertFollowed, eventually, head, indexPlace, live, movements, setup, watched } from "./SearchSetup.ts"

describe("while nobody writes", () => {
  live("an index that is away or gone is noticed all the same, and told", () =>
    Effect.scoped(
      watched((lines) =>
        Effect.gen(function* () {
          const stores = yield* setup()
          const nodes = [yield* stores.node(), yield* stores.node({ owns: () => false })]
          yield* movements(stores)
          yield* assertFollowed(stores)
          for (const { index } of nodes) index.every = Faults.away
          for (const { progress } of nodes) {
            yield* eventually("it is known", () => progress.load().trouble === `${indexPlace}: scripted`)
          }
          assert.lengthOf(
            lines.filter((line) => line.startsWith(`Warn ${indexPlace}: scripted`)),
            2
          )
          for (const { index } of nodes) index.every = undefined
          for (const { progress } of nodes) {
            yield* eventually("it is over", () => progress.load().trouble === undefined)
          }
          yield* eventually(
            "it is told by both",
            () => lines.filter((line) => line.includes(`${indexPlace} is back`)).length === 2
          )
          assert.lengthOf(
            lines.filter((line) => line.includes("search has caught up with 0 events")),
            1
          )
        })
      )
    )
  )

  live("a search that has failed has it looked at at once", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        // No look comes of its own, however slow the machine is.
        const node = yield* stores.node({ bounds: { lookMillis: 3_600_000 } })
        yield* movements(stores)
        yield* assertFollowed(stores)
        yield* eventually("it was looked at", () => node.progress.refusal() === undefined)
        node.index.every = Faults.away
        yield* node.progress.suspect
        yield* eventually("it is known", () => node.progress.refusal() !== undefined)
      })
    )
  )
})

describe("an outage whose writer's role moves to another node", () => {
  live("is over for the first one, and told so", () =>
    Effect.scoped(
      watched((lines) =>
        Effect.gen(function* () {
          const stores = yield* setup()
          let owner = 1
          const node = yield* stores.node({ owns: () => owner === 1 })
          yield* movements(stores)
          yield* assertFollowed(stores)
          node.index.writeFaults.push(...Array.from({ length: 10_000 }, () => Faults.away))
          yield* movements(stores)
          yield* eventually("it is told", () => lines.some((line) => line.startsWith("Warn")))
          owner = 2
          const closing = `Info ${indexPlace}: it is for another node to write search now`
          yield* eventually("it is over", () => lines.includes(closing))
          assert.isUndefined(node.progress.load().trouble)
        })
      )
    )
  )
})

describe("how far behind search is", () => {
  live("is known on every node, by the checkpoint, also while nobody writes it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const first = yield* stores.node()
        yield* movements(stores)
        yield* assertFollowed(stores)
        yield* first.kill
        const other = yield* stores.node({ owns: () => false })
        yield* movements(stores)
        // The events are of a time long ago.
        yield* eventually("it is known", () => other.progress.load().lagMillis > 1_000_000)
        const broken = yield* stores.node()
        broken.index.writeFaults.push(...Array.from({ length: 10_000 }, () => Faults.defective))
        yield* eventually("it is known", () => broken.progress.load().lagMillis > 1_000_000)
      })
    )
  )
})

describe("an index that refuses whatever it is given", () => {
  live("is away, and makes no dead letters but the first ones", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const node = yield* stores.node({ bounds: { refusedWallets: 5 } })
        node.index.refuses = ({ kind }) => (kind === "wallet" ? "mapping: [1:7] no 'w'" : undefined)
        const samples = Array.from({ length: 40 }, () => new SampleWallet())
        yield* stores.append(...samples.map((sample) => sample.create()))
        yield* eventually(
          "it is known",
          () => node.progress.load().trouble?.includes("refuses the documents of every wallet") === true
        )
        assert.isAtMost(yield* Effect.orDie(stores.persistence.countDeadLetters), 10)
        node.index.refuses = undefined
        yield* eventually("it goes on", () => stores.state.current?.checkpoint === head(stores))
        yield* eventually("it is over", () => node.progress.load().trouble === undefined)
      })
    )
  )

  live("of all but some documents has a bound of dead letters, and is away then", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stores = yield* setup()
        const node = yield* stores.node({ bounds: { deadLetters: 6, bulkDocuments: 2 } })
        const samples = Array.from({ length: 40 }, () => new SampleWallet())
        let n = 0
        node.index.refuses = ({ kind }) => (kind === "wallet" && n++ % 3 > 0 ? `odd ${n}` : undefined)
        for (const sample of samples) yield* stores.append(sample.create())
        yield* eventually("it is known", () => node.progress.load().trouble?.includes("more than 6 documents") === true)
        node.index.refuses = undefined
        yield* eventually("it goes on", () => stores.state.current?.checkpoint === head(stores))
      })
    )
  )
})
