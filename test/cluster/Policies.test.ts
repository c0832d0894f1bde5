/** Policies on several nodes: a wallet's owner judges, whoever asks, and the next one knows what the last one did. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Policies from "../../src/domain/Policies.ts"
import type { Policy } from "../../src/domain/Policy.ts"
import { within } from "../support/Separate.ts"
import { type LinkedNode, linkNodes } from "./LinkedNodes.ts"

const touchy: Policy = {
  name: "touchy",
  version: "1",
  judge: (_wallet, command) => {
    if ("amount" in command && command.amount === 13n) throw new Error("thirteen")
    return undefined
  }
}

const debit = ({ engine }: LinkedNode, amount: bigint, idempotencyKey: string) =>
  engine.debit({ walletId: "a", amount, idempotencyKey })

for (const separate of [false, true]) {
  describe(`policies on two nodes (${separate ? "two stores" : "one database"})`, () => {
    it.effect("say the same wherever they are asked, and go on after a hand-over", () =>
      Effect.gen(function* () {
        const policy = [Policies.velocity({ amount: 100n, per: "1 hour" }), touchy]
        const network = yield* linkNodes({ separate, policy })
        const [there, here] = [network.nodes[0]!, network.nodes[1]!]
        const run = Effect.gen(function* () {
          yield* there.engine.createWallet({ id: "a", ownerId: "o", currency: "EUR", idempotencyKey: "a" })
          yield* here.engine.credit({ walletId: "a", amount: 1_000n, idempotencyKey: "1" })
          yield* debit(here, 60n, "2")
          const far = yield* Effect.flip(debit(here, 41n, "3"))
          const near = yield* Effect.flip(debit(there, 41n, "3"))
          assert.deepInclude<object>(far, { _tag: "PolicyRejected", policy: "velocity", walletId: "a" })
          assert.deepStrictEqual({ ...far }, { ...near })
          const defect = yield* Effect.flip(debit(here, 13n, "4"))
          assert.deepInclude<object>(defect, { _tag: "PolicyDefect", policy: "touchy", walletId: "a" })
          yield* debit(here, 30n, "5")
          yield* network.handOver("a", 1)
          assert.strictEqual((yield* Effect.flip(debit(there, 11n, "6")))._tag, "PolicyRejected")
          yield* debit(there, 10n, "6")
          assert.isTrue((yield* debit(here, 60n, "2")).replayed)
        })
        yield* within(60, run)
      })
    )
  })
}
