/** Many transfers at once: to and fro, in rings and chains, into one wallet and out of one. All end, and no money is lost. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Node } from "../support/Installation.ts"
import { installNode } from "../support/Installation.ts"
import { assertConserved, fund, send, settled, transferEvents } from "../support/TransferCalls.ts"

interface Order {
  readonly from: string
  readonly to: string
  readonly amount: bigint
}

const sendAll = (node: Node, orders: ReadonlyArray<Order>) =>
  Effect.forEach(orders, ({ amount, from, to }, index) => Effect.exit(send(node, from, to, amount, `order-${index}`)), {
    concurrency: "unbounded"
  })

const times = <A>(count: number, make: (index: number) => A): Array<A> =>
  Array.from({ length: count }, (_, i) => make(i))

const name = (index: number) => `w${index}`

const balances = (node: Node, ids: ReadonlyArray<string>) =>
  Effect.forEach(ids, (walletId) => Effect.map(node.engine.getWallet({ walletId }), ({ balance }) => balance))

/** All orders succeed, all transfers end, and the money is where it should be. */
const runs = Effect.fnUntraced(function* (ids: ReadonlyArray<string>, funds: bigint, orders: ReadonlyArray<Order>) {
  const { installation, node } = yield* installNode()
  yield* fund(node, ids, funds)
  const exits = yield* sendAll(node, orders)
  assert.strictEqual(exits.filter(Exit.isSuccess).length, orders.length)
  yield* settled(installation, node, ids)
  assert.strictEqual(assertConserved(installation), 0n)
  const expected = new Map(ids.map((id) => [id, funds]))
  for (const { amount, from, to } of orders) {
    expected.set(from, expected.get(from)! - amount)
    expected.set(to, expected.get(to)! + amount)
  }
  assert.deepStrictEqual(yield* balances(node, ids), [...expected.values()])
  return { installation, node }
})

describe("transfers at once", () => {
  it.effect("from a to b and from b to a", () =>
    runs(
      ["a", "b"],
      1_000n,
      times(200, (i) => (i % 2 === 0 ? { from: "a", to: "b", amount: 3n } : { from: "b", to: "a", amount: 5n }))
    )
  )

  it.effect("around a ring, many times", () =>
    runs(
      times(7, name),
      1_000n,
      times(210, (i) => ({ from: name(i % 7), to: name((i + 1) % 7), amount: BigInt(1 + (i % 5)) }))
    )
  )

  it.effect("between all pairs", () =>
    runs(
      times(8, name),
      1_000n,
      times(8, (i) => times(8, (j) => ({ from: name(i), to: name(j), amount: BigInt(i + j) })))
        .flat()
        .filter(({ from, to }) => from !== to)
    )
  )

  it.effect("from a thousand wallets into one", () =>
    Effect.gen(function* () {
      const sources = times(1_000, name)
      const { installation } = yield* runs(
        [...sources, "hub"],
        10n,
        sources.map((from) => ({ from, to: "hub", amount: 10n }))
      )
      assert.deepStrictEqual(transferEvents(installation, "hub"), { TransferReceived: 1_000 })
    })
  )

  it.effect("from one wallet to a thousand", () =>
    Effect.gen(function* () {
      const destinations = times(1_000, name)
      const { installation } = yield* runs(
        ["hub", ...destinations],
        10_000n,
        destinations.map((to) => ({ from: "hub", to, amount: 10n }))
      )
      assert.deepStrictEqual(transferEvents(installation, "hub"), { TransferSent: 1_000, TransferSettled: 1_000 })
    })
  )

  it.effect("of more money than there is: exactly what there is arrives", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      yield* fund(node, ["a", "b", "c"], 100n)
      const exits = yield* sendAll(
        node,
        times(60, (i) => ({ from: "a", to: i % 2 === 0 ? "b" : "c", amount: 3n }))
      )
      assert.strictEqual(exits.filter(Exit.isSuccess).length, 33)
      yield* settled(installation, node, ["a"])
      assert.strictEqual(assertConserved(installation), 0n)
      assert.strictEqual((yield* balances(node, ["a"]))[0], 1n)
    })
  )

  it.effect("along a chain, each as soon as the one before has arrived", () =>
    Effect.gen(function* () {
      const { installation, node } = yield* installNode()
      const ids = times(20, name)
      yield* fund(node, ids, 1n)
      for (let i = 0; i < 19; i++) {
        const { transfer } = yield* send(node, name(i), name(i + 1), BigInt(i + 1), "pass-on")
        assert.strictEqual(transfer.status, "completed")
      }
      assert.deepStrictEqual((yield* balances(node, ids)).at(-1), 20n)
      yield* settled(installation, node, ids)
      assert.strictEqual(assertConserved(installation), 0n)
    })
  )
})
