/** What programs append that write to a log without any engine: wallets that are created and credited. */
import * as Effect from "effect/Effect"
import type { Commit } from "../src/domain/Commit.ts"
import type { EventMetadata, WalletEvent } from "../src/domain/Event.ts"
import { noMetadata } from "../src/domain/Limits.ts"
import type { EventStore } from "../src/stores/EventStore.ts"

export const created: WalletEvent = {
  _tag: "WalletCreated",
  ownerId: "bench",
  currency: "EUR",
  overdraftLimit: 0n,
  metadata: noMetadata,
  balanceAfter: 0n,
  heldAfter: 0n
}

export const creditOf1 = (balanceAfter: bigint, reference: string | null = null): WalletEvent => ({
  _tag: "WalletCredited",
  amount: 1n,
  reference,
  metadata: noMetadata,
  effectiveAt: null,
  balanceAfter,
  heldAfter: 0n
})

const fingerprint = "1:credit|1||"

export const metadataOf = (commandId: string, key: `c:${string}`, epoch: number): EventMetadata => ({
  commandId,
  key,
  fingerprint,
  correlationId: null,
  causationId: null,
  actor: null,
  epoch
})

/** Every commit must land. */
export const append = Effect.fnUntraced(function* (log: EventStore["Service"], commits: ReadonlyArray<Commit>) {
  const outcomes = yield* Effect.orDie(log.append(commits))
  const other = outcomes.find((outcome) => outcome._tag !== "Appended")
  if (other !== undefined) return yield* Effect.die(new Error(`the log answered ${other._tag}`))
})
