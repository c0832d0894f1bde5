/** A wallet whose gifts a rule of the user's refuses, and what is left when all of that is decided. */
import * as Effect from "effect/Effect"
import type { CommandError } from "../../src/actors/EngineError.ts"
import type { UserRule } from "../../src/stores/memory/MemoryDatabase.ts"
import { create, credit } from "./EngineCalls.ts"
import type { Installation, Node } from "./Installation.ts"
import { installNode, until } from "./Installation.ts"
import { assertEqual, flushed } from "./Separate.ts"

/** No credit with this reference. */
export const noGifts: UserRule = ({ events }) =>
  events.some(({ event }) => event._tag === "WalletCredited" && event.reference === "gift") ? "no gifts" : undefined

export const gift = (node: Node, walletId: string, amount: bigint, idempotencyKey: string) =>
  node.engine.credit({ walletId, amount, idempotencyKey, reference: "gift" })

export const reasonOf = (error: CommandError) => (error._tag === "OperationReversed" ? error.reason : error._tag)

export const blockedOf = (node: Node): string => node.pipeline.load().blocked[0]?.reason ?? ""

export const funded = Effect.fnUntraced(function* (rule: UserRule, balance = 100n) {
  const { installation, node } = yield* installNode({ separate: true, rule, bounds: { highWatermarkStep: 0 } })
  yield* create(node, "a")
  yield* credit(node, "a", balance, "fund")
  return { installation, node }
})

/** Nothing is open, and all stores tell the same. */
export const assertSettled = Effect.fnUntraced(function* (
  installation: Installation,
  node: Node,
  walletIds: ReadonlyArray<string> = ["a"]
) {
  const refusals = () => [...installation.state.refusals.values()].flat()
  yield* until(
    () => refusals().every(({ reversedVersion }) => reversedVersion !== null),
    "every refusal is reversed, and the reversal persisted"
  )
  yield* flushed(node)
  yield* assertEqual(installation, node, walletIds)
})
