/** What the cases of the engine's contract have in common: wallets of their own, and failures with all their fields. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { type CommandAnswer, type CreateWalletInput, WalletEngine } from "../../engine/WalletEngine.ts"
import { uniqueId } from "./SampleWallet.ts"

/** A key that no command has. */
export const key = (): string => uniqueId("key")

/** A new wallet, with money if it is said how much. */
export const openWallet = Effect.fnUntraced(function* (
  balance = 0n,
  fields: Partial<Pick<CreateWalletInput, "currency" | "metadata" | "overdraftLimit" | "ownerId">> = {}
) {
  const engine = yield* WalletEngine
  const id = uniqueId("wallet")
  yield* engine.createWallet({ id, ownerId: id, currency: "EUR", ...fields, await: "indexed", idempotencyKey: key() })
  if (balance > 0n) yield* engine.credit({ walletId: id, amount: balance, await: "indexed", idempotencyKey: key() })
  return id
})

/** Fails with exactly that error: its class, and each of its fields. */
export const failsWith = <A, E extends Error, R>(
  effect: Effect.Effect<A, E, R>,
  expected: Error
): Effect.Effect<void, A, R> =>
  Effect.map(Effect.flip(effect), (failure) => {
    assert.equal(failure.constructor, expected.constructor, `${failure.name}: ${failure.message}`)
    assert.deepEqual({ ...failure }, { ...expected })
  })

/** The fields of the failure, for those that name what a case cannot know. */
export const failureOf = <A, E extends Error & { readonly _tag: string }, R, const Tag extends E["_tag"]>(
  effect: Effect.Effect<A, E, R>,
  tag: Tag
): Effect.Effect<Extract<E, { readonly _tag: Tag }>, A, R> =>
  Effect.map(Effect.flip(effect), (failure) => {
    assert.equal(failure._tag, tag, failure.message)
    return failure as Extract<E, { readonly _tag: Tag }>
  })

/** The same answer again, but that it is one: what is durable is told as it is now. */
export const assertReplayed = <Answer extends Pick<CommandAnswer, "durability" | "replayed">>(
  first: Answer,
  second: Answer
): void => {
  const { durability: _, replayed: isFirst, ...told } = first
  const { durability: __, replayed: isSecond, ...again } = second
  assert.deepEqual(again, told)
  assert.deepEqual([isFirst, isSecond], [false, true])
}

/** Milliseconds, by this process's clock; the service's may differ by seconds. */
export const fromNow = (millis: number): Effect.Effect<number> =>
  Effect.map(Clock.currentTimeMillis, (now) => now + millis)

export const hour = 3_600_000
