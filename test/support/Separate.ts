/** A log with a Persistence of its own behind it: calls and conditions of its tests. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import type { Commit } from "../../src/domain/Commit.ts"
import { assertConsistent, assertVerified, type Installation, type Node, until } from "./Installation.ts"

/** In the log is enough. */
export const creditCommitted = (node: Node, walletId: string, amount: bigint, idempotencyKey: string) =>
  node.engine.credit({ walletId, amount, idempotencyKey, await: "committed" })

/** Runs `effect` while time passes, 100 ms at a time. */
export const within = <A, E>(seconds: number, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.gen(function* () {
    const running = yield* Effect.forkChild(effect)
    for (let turn = 0; turn < seconds * 10 && running.pollUnsafe() === undefined; turn++) {
      yield* TestClock.adjust(100)
    }
    return yield* Fiber.join(running)
  })

/** Lets time pass, 100 ms at a time. */
export const pass = (seconds: number) => within(seconds, Effect.delay(Effect.void, seconds * 1_000))

/** Until nothing is on its way to Persistence, without any time passing. */
export const flushed = (node: Node) =>
  until(() => node.pipeline.load().queuedEvents === 0, "everything is written to Persistence")

/** Everything that is in the log is in Persistence, once, and in memory; nothing is left open. */
export const assertEqual = Effect.fnUntraced(function* (
  installation: Installation,
  node: Node,
  walletIds: ReadonlyArray<string>
) {
  for (const walletId of walletIds) yield* assertConsistent(installation, node, walletId)
  yield* assertVerified(installation)
})

/** Versions of a wallet's events per write, from the `from`th on. */
export const versionsWritten = (node: Node, walletId: string, from = 0): ReadonlyArray<ReadonlyArray<number>> =>
  node.persistence.writes
    .slice(from)
    .flatMap((commits) => commits.filter((commit) => commit.walletId === walletId))
    .map(({ events }) => events.map(({ version }) => version))

/** A rule of the user's that refuses events with such an amount. */
export const refusing =
  (type: string, refused: (amount: bigint) => boolean) =>
  ({ events }: Commit): string | undefined =>
    events.some(({ event }) => event._tag === type && "amount" in event && refused(event.amount))
      ? `no ${type} like this`
      : undefined
