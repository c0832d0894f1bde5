/** Refunds, short enough that a test reads as what happens. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { WalletEventType } from "../../src/domain/Event.ts"
import type { Installation, Node } from "./Installation.ts"
import { pass } from "./TransferCalls.ts"

/** Runs `effect` while time passes. */
export const within = <A, E>(seconds: number, effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const running = yield* Effect.forkChild(effect)
    yield* pass(seconds)
    return yield* Fiber.join(running)
  })

export const refund = (node: Node, transactionId: string, idempotencyKey: string, amount?: bigint) =>
  node.engine.refundTransaction({ transactionId, idempotencyKey, amount })

export const refundTransfer = (node: Node, transferId: string, idempotencyKey: string, amount?: bigint, leg?: number) =>
  node.engine.refundTransfer({ transferId, idempotencyKey, amount, leg })

export const refundedOf = (node: Node, id: string) =>
  Effect.map(node.engine.transaction(id), ({ refunded }) => refunded)

export const balances = (node: Node, ...ids: ReadonlyArray<string>) =>
  Effect.forEach(ids, (walletId) => Effect.map(node.engine.getWallet({ walletId }), ({ balance }) => balance))

export const count = (installation: Installation, walletId: string, type: WalletEventType): number =>
  installation.types(walletId).filter((one) => one === type).length

export const modes = [
  ["in one store", false],
  ["over two stores", true]
] as const
