/** Keys that a wallet's memory alone cannot tell to be new, and what the stores say of them. */
import type * as Effect from "effect/Effect"
import type { CommandKey } from "../domain/Event.ts"
import type { KeyLookup, SeenKey } from "../stores/Persistence.ts"
import type { CommandError } from "./EngineError.ts"
import type { Envelope, Resend } from "./Mailbox.ts"
import type { ActorContext, WalletActor } from "./WalletActor.ts"

const nothing: ReadonlyArray<never> = []

/** The keys of a batch that memory alone cannot tell to be new. */
export const doubtful = (
  actor: WalletActor,
  batch: ReadonlyArray<Envelope>,
  context: ActorContext,
  now: number
): ReadonlyArray<CommandKey> => {
  const keys = actor.keys!
  if (keys.coversFrom <= 0) return nothing
  const { keyRetentionMillis } = context.bounds
  let doubts: Array<CommandKey> | undefined
  let resends: Set<Resend> | undefined
  for (const { key, lookUpAlways, resend } of batch) {
    if (resend !== undefined) (resends ??= new Set()).add(resend)
    if (keys.get(key) !== undefined || !keys.mayHaveForgotten(key, now, keyRetentionMillis, lookUpAlways)) continue
    doubts ??= []
    doubts.push(key)
  }
  if (resends === undefined) return doubts ?? nothing
  // Those that came after one may be in no batch any more, or in a later one.
  const all = new Set(doubts)
  for (const resend of resends) {
    for (const key of resend.keys) {
      if (keys.get(key) === undefined && keys.mayHaveForgotten(key, now, keyRetentionMillis, false)) all.add(key)
    }
  }
  return [...all]
}

/**
 * Events that neither memory nor Persistence covers are read from the log, so that a
 * Persistence that is behind cannot hide a key.
 */
export const seenIn = function* (
  actor: WalletActor,
  found: KeyLookup,
  context: ActorContext
): Effect.fn.Return<ReadonlyMap<string, SeenKey>, CommandError> {
  const keys = actor.keys!
  const seen = new Map<string, SeenKey>()
  for (const key of found.seen) seen.set(key.key, key)
  if (found.persistedVersion < keys.coversFrom - 1) {
    yield* context.history.scan(
      actor.walletId,
      { after: found.persistedVersion, upTo: keys.coversFrom - 1 },
      (recorded) => {
        const { fingerprint, key } = recorded.metadata
        seen.set(key, { key, fingerprint, version: recorded.version })
      }
    )
  }
  return seen
}
