/**
 * What a snapshot holds, a wallet's state at a version and its recent idempotency keys, and
 * the writer of snapshots, off the hot path: what does not fit is skipped. They are
 * versioned; one that cannot be read is ignored, for the log has it all.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Result from "effect/Result"
import { parseJson } from "../domain/Json.ts"
import { decodeSpent, encodeSpent, type KeySpent, maxSpentBytes } from "../domain/KeyLimit.ts"
import type { PolicySet, WalletFacts } from "../domain/PolicySet.ts"
import type { Wallet } from "../domain/Wallet.ts"
import { decodeWallet, encodeWallet } from "../domain/WalletCodec.ts"
import { walletBytes } from "../domain/WalletSize.ts"
import { EventStore, maxSnapshotBytes, type Snapshot } from "../stores/EventStore.ts"
import type { ActorBounds } from "./ActorBounds.ts"
import * as BackgroundWriter from "./BackgroundWriter.ts"
import * as EngineMetrics from "./EngineMetrics.ts"
import type { KeyWindowState } from "./KeyWindow.ts"
import { WalletPolicies } from "./WalletPolicies.ts"

export class Snapshots extends Context.Service<
  Snapshots,
  {
    /** `false`: the queue is full, try again at a later version. Synchronous. */
    readonly offer: (memory: WalletMemory) => boolean
    /** Waits until all that was offered is written, or skipped because the store refused it. */
    readonly flush: Effect.Effect<void>
  }
>()("effect-wallet/actors/Snapshots") {
  static readonly layer = (bounds: ActorBounds) => Layer.effect(Snapshots, make(bounds))
}

const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const log = yield* EventStore
  const policies = yield* WalletPolicies
  const factsBytes = policies?.maxBytes ?? 0
  const write = (memory: WalletMemory) =>
    Effect.suspend(() => log.saveSnapshot(encodeSnapshot(memory, policies))).pipe(
      Effect.andThen(Metric.update(EngineMetrics.snapshots, 1)),
      Effect.catchCause((cause) =>
        // Nothing is lost: the log has every event, the next activation reads a longer tail.
        Effect.logWarning(`the snapshot of wallet ${memory.wallet.id} was not written`, cause).pipe(
          Effect.annotateLogs({ walletId: memory.wallet.id })
        )
      )
    )
  const tooLarge = new Set<string>()
  const save = (memory: WalletMemory) => {
    const { id } = memory.wallet
    if (
      walletBytes(memory.wallet) + keysBytes(bounds.keysInSnapshot) + maxSpentBytes + factsBytes <=
      maxSnapshotBytes
    ) {
      tooLarge.delete(id)
      return write(memory)
    }
    // Each time would be once in a thousand events.
    if (tooLarge.has(id) || tooLarge.size >= maxNamed) return Effect.void
    tooLarge.add(id)
    return Effect.logWarning(
      `wallet ${id} is too large for a snapshot (${walletBytes(memory.wallet)} bytes): it is loaded from its events`
    ).pipe(Effect.annotateLogs({ walletId: id }))
  }
  return Snapshots.of(yield* BackgroundWriter.make(bounds.snapshotQueue, save))
})

/** Wallets too large for a snapshot that are named once; of more none is. */
const maxNamed = 1_000

/** Of a key with its fingerprint and version in a snapshot, at most, bytes: 257 characters, each perhaps escaped, and some 80. */
const keyBytes = 600

/** Of the keys of a snapshot, with all that is no state. */
export const keysBytes = (keys: number): number => 200 + keys * keyBytes

/** Raised with every change of shape; others are ignored. */
const format = 2

export interface WalletMemory {
  readonly wallet: Wallet
  /** Version of the last event that changed status, overdraft limit or metadata. */
  readonly profileVersion: number
  readonly keys: KeyWindowState
  /** What policies know; absent: there are none. */
  readonly facts?: WalletFacts | undefined
  /** What keys with a limit of the day have spent; absent: that is not known. */
  readonly spent?: KeySpent | undefined
}

/** `policies`: those whose facts these are. */
export const encodeSnapshot = (memory: WalletMemory, policies?: PolicySet): Snapshot => ({
  walletId: memory.wallet.id,
  version: memory.wallet.version,
  time: memory.wallet.updatedAt,
  data: JSON.stringify({
    format,
    wallet: encodeWallet(memory.wallet),
    profileVersion: memory.profileVersion,
    keys: memory.keys,
    facts: memory.facts && policies?.encode(memory.facts),
    spent: memory.spent && encodeSpent(memory.spent)
  })
})

/** `facts`: whatever is there of policies. */
export interface ReadSnapshot extends Omit<WalletMemory, "facts"> {
  readonly facts: unknown
}

/** The failure says why the snapshot is of no use. */
export const decodeSnapshot = (snapshot: Snapshot): Result.Result<ReadSnapshot, string> => {
  let data: unknown
  try {
    data = parseJson(snapshot.data)
  } catch (error) {
    return Result.fail(String(error))
  }
  if (typeof data !== "object" || data === null) return Result.fail("not an object")
  const { facts, format: given, keys, profileVersion, spent, wallet } = data as Readonly<Record<string, unknown>>
  if (given !== format) return Result.fail(`unknown format ${String(given)}`)
  if (!Number.isSafeInteger(profileVersion)) return Result.fail("damaged profile version")
  if (!isKeyWindowState(keys)) return Result.fail("damaged keys")
  const decoded = decodeWallet(wallet)
  if (Result.isFailure(decoded)) return Result.fail(decoded.failure)
  if (decoded.success.id !== snapshot.walletId || decoded.success.version !== snapshot.version) {
    return Result.fail("it belongs to another wallet or version")
  }
  return Result.succeed({
    wallet: decoded.success,
    profileVersion: Number(profileVersion),
    keys,
    facts,
    // Of an earlier release, or damaged: then it is folded from the log when it is asked for.
    spent: decodeSpent(spent)
  })
}

const isKeyWindowState = (keys: unknown): keys is KeyWindowState => {
  if (typeof keys !== "object" || keys === null) return false
  const state = keys as Partial<KeyWindowState>
  return (
    Number.isSafeInteger(state.coversFrom) &&
    Array.isArray(state.keys) &&
    state.keys.every(
      (key) =>
        Array.isArray(key) && typeof key[0] === "string" && typeof key[1] === "string" && Number.isSafeInteger(key[2])
    )
  )
}
