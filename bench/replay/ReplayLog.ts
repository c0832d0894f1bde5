/** Logs to be replayed: wallets that are created and credited, in some of them with credits that were reversed. */
import * as Effect from "effect/Effect"
import { EventIds } from "../../src/actors/EventIds.ts"
import type { Commit } from "../../src/domain/Commit.ts"
import type { RecordedEvent, WalletEvent } from "../../src/domain/Event.ts"
import { walletTag } from "../../src/domain/WalletTag.ts"
import { evolve } from "../../src/domain/Evolve.ts"
import type { Wallet } from "../../src/domain/Wallet.ts"
import { EventStore } from "../../src/stores/EventStore.ts"
import { append, created, creditOf1, metadataOf } from "../LogCommits.ts"

/** Of each wallet: a creation, then credits. */
const eventsPerWallet = 24

/** Appended together, so that the wallets' events lie as they do in a busy log. */
const walletsPerAppend = 500

/** One event in so many was refused by a rule, and the one behind it reverses it. */
const refusedEvery = 12

/** The reference of a credit that a rule refuses. */
export const refusedReference = "refused"

const reversalOf = (reversedVersion: number, balance: bigint): WalletEvent => ({
  _tag: "OperationReversed",
  reversedVersion,
  reversedType: "WalletCredited",
  reason: "refused",
  balanceChange: -1n,
  restored: { _tag: "Nothing" },
  balanceAfter: balance - 1n,
  heldAfter: 0n
})

const eventAt = (version: number, wallet: Wallet | undefined, refuses: boolean): WalletEvent => {
  if (wallet === undefined) return created
  const place = version % refusedEvery
  if (refuses && place === refusedEvery - 1) return reversalOf(version - 1, wallet.balance)
  return creditOf1(wallet.balance + 1n, refuses && place === refusedEvery - 2 ? refusedReference : null)
}

/** The next events of a wallet as a commit. */
export const commitOf = (
  walletId: string,
  before: Wallet | undefined,
  { epoch, nextId, refuses, size }: { size: number; epoch: number; refuses: boolean; nextId: (time: number) => string }
): Commit => {
  const expectedVersion = before?.version ?? -1
  const events: Array<RecordedEvent> = []
  let wallet = before
  for (let version = expectedVersion + 1; version <= expectedVersion + size; version++) {
    const time = 1_000 + version
    const id = nextId(time)
    const event = eventAt(version, wallet, refuses)
    const metadata = metadataOf(id, `c:${id}`, epoch)
    const recorded: RecordedEvent = { id, walletId, version, time, event, metadata }
    events.push(recorded)
    wallet = evolve(wallet, recorded)
  }
  return { walletId, partition: 0, epoch, expectedVersion, events, wallet: wallet! }
}

/** Fills a log, in turns of two events a wallet; answers how many. `refuses`: with credits that were refused and reversed. */
export const fillLog = Effect.fnUntraced(function* (
  wallets: number,
  refuses = false
): Effect.fn.Return<number, never, EventStore> {
  const log = yield* EventStore
  const ids = yield* Effect.provide(EventIds, EventIds.layer)
  const [claim] = yield* Effect.orDie(log.claim({ partitions: [0], owner: "bench", time: 0 }))
  const states = new Map<string, Wallet>()
  for (let turn = 0; turn < eventsPerWallet; turn += 2) {
    for (let from = 0; from < wallets; from += walletsPerAppend) {
      const size = Math.min(walletsPerAppend, wallets - from)
      const commits = Array.from({ length: size }, (_, n) => {
        const walletId = `replayed-${from + n}`
        const tag = walletTag(walletId)
        const nextId = (time: number) => ids.nextOfWallet(time, tag)
        return commitOf(walletId, states.get(walletId), { size: 2, epoch: claim!.epoch, refuses, nextId })
      })
      yield* append(log, commits)
      for (const { wallet } of commits) states.set(wallet.id, wallet)
    }
  }
  return wallets * eventsPerWallet
})
