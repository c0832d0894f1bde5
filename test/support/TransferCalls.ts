/** Transfers, short enough that a test reads as what happens, and what must be true of them at every moment. */
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as TestClock from "effect/testing/TestClock"
import { assert } from "vitest"
import { addMovement, emptyTotals, inTransit, isConserved } from "../../src/engine/verify/Conservation.ts"
import type { Installation, Node } from "./Installation.ts"
import { create, credit } from "./EngineCalls.ts"
import { quiet, until } from "./Installation.ts"

export const send = (node: Node, from: string, to: string, amount: bigint, idempotencyKey: string) =>
  node.engine.transfer({ from, to, amount, idempotencyKey })

/** Wallets with a first credit each. */
export const fund = (node: Node, ids: ReadonlyArray<string>, amount: bigint) =>
  Effect.forEach(ids, (id) => Effect.andThen(create(node, id), credit(node, id, amount, `fund-${id}`)), {
    concurrency: "unbounded",
    discard: true
  })

/** Law 6 after every single event of the log. Answers what is in transit at its end. */
export const assertConserved = (installation: Installation): bigint => {
  const totals = emptyTotals("EUR")
  const balances = new Map<string, bigint>()
  for (const { recorded } of installation.state.log) {
    addMovement(totals, recorded.event)
    totals.balances += recorded.event.balanceAfter - (balances.get(recorded.walletId) ?? 0n)
    balances.set(recorded.walletId, recorded.event.balanceAfter)
    assert.isTrue(isConserved(totals), `after ${recorded.event._tag} of ${recorded.walletId}`)
  }
  return inTransit(totals)
}

/** Transfers in flight at the wallet, as the log has them. */
export const inFlight = (installation: Installation, walletId: string): number => {
  const sent = installation.types(walletId).filter((type) => type === "TransferSent").length
  const ended = installation.types(walletId).filter((type) => type === "TransferSettled" || type === "TransferReversed")
  return sent - ended.length
}

/** Until the source has been told how all its transfers went, without any time passing. */
export const settled = (installation: Installation, node: Node, walletIds: ReadonlyArray<string>) =>
  Effect.andThen(
    until(() => walletIds.every((id) => inFlight(installation, id) === 0), "every transfer has ended"),
    quiet(node)
  )

/** Lets so many seconds pass, a sweep at a time. */
export const pass = (seconds: number) =>
  Effect.forEach(
    Array.from({ length: seconds * 2 }),
    () =>
      Effect.andThen(
        TestClock.adjust("500 millis"),
        Effect.forEach(Array.from({ length: 50 }), () => Effect.yieldNow)
      ),
    { discard: true }
  )

/** Ids of the transfers that the wallet knows to be in flight. */
export const flying = (node: Node, walletId: string) =>
  Effect.map(node.registry.current(walletId, -1), (wallet) =>
    wallet === undefined ? [] : Array.from(HashMap.keys(wallet.transfers))
  )

/** How often each event of transfers is in a wallet's stream, as `type × count`. */
export const transferEvents = (installation: Installation, walletId: string): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const type of installation.types(walletId)) {
    if (type.startsWith("Transfer")) counts[type] = (counts[type] ?? 0) + 1
  }
  return counts
}
