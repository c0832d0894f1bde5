/** A key's limit of the day on two nodes: whoever is asked, and whoever owns the wallet, it is never passed. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { decodeBatch, encodeBatch } from "../../src/cluster/CallCodec.ts"
import { noMetadata } from "../../src/domain/Limits.ts"
import type { WalletCall } from "../../src/engine/WalletCalls.ts"
import { within } from "../support/Separate.ts"
import { answerLost, type LinkedNode, linkNodes, messageLost } from "./LinkedNodes.ts"

const limit = { keyId: "key-1", perOperation: null, perDay: 100n }

const debit = ({ engine }: LinkedNode, amount: bigint, idempotencyKey: string) =>
  engine.debit({ walletId: "a", amount, idempotencyKey, limit })

for (const separate of [false, true]) {
  describe(`the limit of a key on two nodes (${separate ? "two stores" : "one database"})`, () => {
    it.effect("holds for 64 spenders at once, by one unit, through a hand-over", () =>
      Effect.gen(function* () {
        const network = yield* linkNodes({ separate })
        const [there, here] = [network.nodes[0]!, network.nodes[1]!]
        const run = Effect.gen(function* () {
          yield* there.engine.createWallet({ id: "a", ownerId: "o", currency: "EUR", idempotencyKey: "a" })
          yield* here.engine.credit({ walletId: "a", amount: 10_000n, idempotencyKey: "1" })
          network.faults.push(answerLost, messageLost)
          const spend = (spender: number) =>
            Effect.forEach(Array.from({ length: 4 }), (_, turn) =>
              Effect.result(debit(spender % 2 === 0 ? there : here, BigInt(1 + (spender % 3)), `${spender}-${turn}`))
            )
          const spending = Effect.forEach(
            Array.from({ length: 64 }, (_, spender) => spender),
            spend,
            {
              concurrency: "unbounded"
            }
          )
          const [results] = yield* Effect.all([spending, network.handOver("a", 1)], { concurrency: "unbounded" })
          const spent = network.installation
            .events("a")
            .reduce((sum, { event }) => (event._tag === "WalletDebited" ? sum + event.amount : sum), 0n)
          const told = results
            .flat()
            .reduce((sum, result) => (Result.isSuccess(result) ? sum + result.success.transaction.amount : sum), 0n)
          assert.strictEqual(told, spent)
          assert.isAtMost(Number(spent), 100)
          // All of the rest can be spent, and not one unit more.
          const rest = 100n - spent
          for (const node of [there, here]) {
            const over = yield* Effect.flip(debit(node, rest + 1n, "over"))
            assert.deepInclude<object>(over, { _tag: "KeyLimitExceeded", limit: "perDay", remaining: rest })
          }
          if (rest > 0n) yield* debit(here, rest, "rest")
          yield* network.handOver("a", 0)
          assert.deepInclude<object>(yield* Effect.flip(debit(here, 1n, "over")), { remaining: 0n })
        })
        yield* within(60, run)
      })
    )

    it.effect("binds the wallets of both in one transfer of several legs", () =>
      Effect.gen(function* () {
        const network = yield* linkNodes({ separate })
        const [there, here] = [network.nodes[0]!, network.nodes[1]!]
        const run = Effect.gen(function* () {
          for (const id of ["a", "b", "c"]) {
            yield* there.engine.createWallet({ id, ownerId: "o", currency: "EUR", idempotencyKey: id })
            yield* there.engine.credit({ walletId: id, amount: 1_000n, idempotencyKey: `fund-${id}` })
          }
          yield* network.handOver("b", 1)
          const send = (amount: bigint, idempotencyKey: string) =>
            here.engine.transfer({
              legs: [
                { from: "a", to: "c", amount: 1n },
                { from: "b", to: "c", amount }
              ],
              idempotencyKey,
              limit
            })
          yield* send(60n, "1")
          assert.deepInclude<object>(yield* Effect.flip(send(41n, "2")), { _tag: "TransferReversed", leg: 1 })
          yield* send(40n, "3")
          assert.isTrue((yield* send(40n, "3")).replayed)
        })
        yield* within(60, run)
      })
    )
  })
}

describe("a call under the limits of a key", () => {
  const call = (given: WalletCall["limit"]): WalletCall => ({
    command: {
      _tag: "Debit",
      walletId: "a",
      amount: 1n,
      reference: null,
      metadata: noMetadata,
      effectiveAt: null,
      force: null
    },
    key: "c:k",
    actor: "shop",
    correlationId: null,
    limit: given,
    await: "persisted",
    ifVersion: null,
    dryRun: false,
    bytes: 300
  })
  const batch = (given: WalletCall["limit"]) =>
    encodeBatch([{ walletId: "a", after: null, calls: [{ call: call(given), waitedMillis: 0, again: false }] }])

  it("is carried to the owner whole", () => {
    for (const given of [limit, { keyId: "k_-9", perOperation: 10n ** 29n, perDay: null }]) {
      const [wallet] = Result.getOrThrow(decodeBatch(batch(given)))
      assert.deepStrictEqual(wallet?.calls[0]?.call.limit, given)
    }
    assert.notInclude(batch(undefined), "limit")
  })

  it("is in a form that the release before refuses, for it would pass over the limits; others are not", () => {
    assert.match(batch(limit), /^\{"form":2,/)
    assert.match(batch(undefined), /^\{"form":1,/)
  })

  it("is refused when its limits are damaged", () => {
    for (const wrong of ['"perDay":"0"', '"perDay":"-1"', '"perDay":"x"', '"perDay":100', '"keyIdd":1']) {
      assert.isTrue(Result.isFailure(decodeBatch(batch(limit).replace('"perDay":"100"', wrong))), wrong)
    }
  })
})
