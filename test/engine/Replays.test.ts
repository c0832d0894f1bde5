/** Very many replays at once: each has its first answer, and together they cost a few questions. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { create } from "../support/EngineCalls.ts"
import { installNode, type Node } from "../support/Installation.ts"

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

const creditAll = (node: Node, walletIds: ReadonlyArray<string>, count: number) =>
  Effect.forEach(
    numbers(count),
    (n) =>
      node.engine.credit({
        walletId: walletIds[n % walletIds.length]!,
        amount: BigInt(n + 1),
        reference: `order ${n}`,
        idempotencyKey: `credit-${n}`
      }),
    { concurrency: "unbounded" }
  )

/** What of an answer a replay repeats. */
const told = <A extends { readonly replayed: boolean }>({ replayed: _, ...answer }: A) => answer

const metadataOf = (n: number) => ({ tier: `${n}` })

for (const [way, tellsPast] of [
  ["told by look-ups", true],
  ["read from the streams", false]
] as const) {
  describe(`replays, ${way}`, () => {
    it.effect("of a batch are a few questions, whatever came between", () =>
      Effect.gen(function* () {
        const { node } = yield* installNode({ tellsPast })
        yield* create(node, "a")
        const first = yield* creditAll(node, ["a"], 900)
        const changes = [
          node.engine.updateWallet({ walletId: "a", metadata: metadataOf(1), idempotencyKey: "patch" }),
          node.engine.updateWallet({ walletId: "a", overdraftLimit: 7n, idempotencyKey: "limit" }),
          node.engine.freeze({ walletId: "a", idempotencyKey: "freeze" })
        ]
        for (const change of [Effect.void, ...changes]) {
          yield* change
          const before = [node.log.reads.length, node.log.pastReads.length] as const
          const again = yield* creditAll(node, ["a"], 900)
          assert.isTrue(again.every(({ replayed }) => replayed))
          assert.deepStrictEqual(again.map(told), first.map(told))
          const reads = node.log.reads.length - before[0]
          const lookUps = node.log.pastReads.length - before[1]
          if (tellsPast) assert.deepStrictEqual([reads, lookUps <= 4], [0, true], `${lookUps} look-ups`)
          else assert.isBelow(reads, 20)
        }
      })
    )

    it.effect("of commands between changes of the wallet have each the one of their time", () =>
      Effect.gen(function* () {
        const { node } = yield* installNode({ tellsPast, bounds: { snapshotEvents: 10 } })
        yield* create(node, "a")
        const { engine } = node
        const act = (n: number) => {
          const options = { walletId: "a", idempotencyKey: `k${n}` }
          if (n % 7 === 3) return engine.updateWallet({ ...options, metadata: metadataOf(n) })
          if (n % 7 === 5)
            return engine.updateWallet({ ...options, overdraftLimit: BigInt(n), metadata: metadataOf(n) })
          if (n % 14 === 6) return engine.freeze(options)
          if (n % 14 === 13) return engine.unfreeze(options)
          return engine.credit({ ...options, amount: 1n })
        }
        const first: Array<{ readonly replayed: boolean; readonly wallet: object }> = []
        for (const n of numbers(120)) first.push(yield* act(n))
        const again = yield* Effect.forEach(numbers(120), act, { concurrency: "unbounded" })
        assert.isTrue(again.every(({ replayed }) => replayed))
        assert.deepStrictEqual(again.map(told), first.map(told))
      })
    )

    it.effect("of many wallets at once, some of them changed since, have their own answers", () =>
      Effect.gen(function* () {
        const { node } = yield* installNode({ tellsPast })
        const ids = numbers(40).map((n) => `w${n}`)
        for (const id of ids) yield* create(node, id)
        const first = yield* creditAll(node, ids, 400)
        for (const walletId of ids.slice(0, 20)) {
          yield* node.engine.updateWallet({ walletId, metadata: metadataOf(0), idempotencyKey: "patch" })
        }
        const again = yield* creditAll(node, ids, 400)
        assert.deepStrictEqual(again.map(told), first.map(told))
        if (tellsPast) assert.isAtMost(node.log.pastReads.length, 4)
      })
    )

    it.effect("of a capture and a release have the holds of then", () =>
      Effect.gen(function* () {
        const { node } = yield* installNode({ tellsPast })
        yield* create(node, "a")
        yield* node.engine.credit({ walletId: "a", amount: 10_000n, idempotencyKey: "fund" })
        const place = (n: number) =>
          node.engine.placeHold({ walletId: "a", amount: BigInt(n + 2), reference: `r${n}`, idempotencyKey: `h${n}` })
        const holds = yield* Effect.forEach(numbers(60), place, { concurrency: "unbounded" })
        const end = (n: number) => {
          const options = { walletId: "a", holdId: holds[n]!.hold.id, idempotencyKey: `end${n}` }
          return n % 2 === 0
            ? node.engine.releaseHold(options)
            : node.engine.captureHold({ ...options, amount: 1n, final: n % 3 === 0 })
        }
        const first = yield* Effect.forEach(numbers(60), end, { concurrency: "unbounded" })
        yield* node.engine.updateWallet({ walletId: "a", metadata: metadataOf(0), idempotencyKey: "patch" })
        const again = yield* Effect.forEach(numbers(60), end, { concurrency: "unbounded" })
        assert.isTrue(again.every(({ replayed }) => replayed))
        assert.deepStrictEqual(again.map(told), first.map(told))
      })
    )
  })
}
