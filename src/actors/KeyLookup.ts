/**
 * What a wallet's memory alone cannot tell of a command's keys, and who tells it: whether its idempotency
 * key is new, and what the caller's API key has taken today.
 *
 * Where an append writes the rows, it looks for idempotency keys itself: the batch is decided as
 * if they were new, and what was rejected in it is told only when that was so. A batch
 * without events has no append and asks by a look-up, as does one of which the append
 * said that a key is there. Calls that were sent again are looked up first: what of them
 * was done decides what becomes of the others.
 *
 * Behind a log of its own Persistence is asked before a command is decided, whenever
 * neither memory nor the stored filter can say.
 *
 * What keys with a limit of the day have taken the snapshot may not say: one of an earlier release, or none
 * that says it yet. Then it is folded from the events of the day, once, for the first command that asks;
 * wallets that only other keys use never pay for it.
 */
import * as Effect from "effect/Effect"
import type { CommandKey } from "../domain/Event.ts"
import { dayOf, dayStart, foldSpent, type KeySpent, nothingSpent } from "../domain/KeyLimit.ts"
import type { KeyLookup, SeenKey } from "../stores/Persistence.ts"
import { type EventUnreadable, type ReadError, StoreDefect } from "../stores/StoreError.ts"
import type { CommandError } from "./EngineError.ts"
import { lastBefore } from "./FactsHistory.ts"
import type { KeyWindow } from "./KeyWindow.ts"
import { type Envelope, noKey, type Resend } from "./Mailbox.ts"
import type { ActorContext, WalletActor } from "./WalletActor.ts"
import { contended, load } from "./WalletLoading.ts"

const nothing: ReadonlyArray<never> = []

/** What is known of the keys of a batch beyond the wallet's memory. */
export interface KeyAnswers {
  /** Found by a look-up; `undefined`: there was none. */
  readonly seen: ReadonlyMap<string, SeenKey> | undefined
  /** Of these nobody has told yet; the append will. */
  readonly unsure: ReadonlyArray<CommandKey>
}

/** Memory knows all of them. */
export const memoryIsSure: KeyAnswers = { seen: undefined, unsure: nothing }

/** Loads of one look-up: more mean that another writer keeps ahead. */
const loadTries = 3

/** Whether memory alone cannot tell the key to be new. */
export const isInDoubt = (keys: KeyWindow, key: CommandKey): boolean =>
  keys.coversFrom > 0 && keys.get(key) === undefined && keys.mayHaveForgotten(key) && key !== noKey

/** The keys of a batch that memory alone cannot tell to be new. A key may be named twice. */
export const keysInDoubt = (actor: WalletActor, batch: ReadonlyArray<Envelope>): ReadonlyArray<CommandKey> => {
  const keys = actor.keys!
  if (keys.coversFrom <= 0) return nothing
  let doubts: Array<CommandKey> | undefined
  let resends: Set<Resend> | undefined
  for (const { key, resend } of batch) {
    if (resend !== undefined) (resends ??= new Set()).add(resend)
    if (isInDoubt(keys, key)) (doubts ??= []).push(key)
  }
  if (resends === undefined) return doubts ?? nothing
  // Those that came after one may be in no batch any more, or in a later one.
  const all = new Set(doubts)
  for (const resend of resends) {
    for (const key of resend.keys) if (keys.get(key) === undefined && keys.mayHaveForgotten(key)) all.add(key)
  }
  return [...all]
}

const isResent = ({ resend }: Envelope): boolean => resend !== undefined

/**
 * Of a batch with such keys: leaves them to the append, or has them looked up. `lookFirst`:
 * the append cannot tell, or has told that one of them is there.
 */
export const lookUpKeys = function* (
  actor: WalletActor,
  batch: ReadonlyArray<Envelope>,
  doubts: ReadonlyArray<CommandKey>,
  context: ActorContext,
  lookFirst: boolean
): Effect.fn.Return<KeyAnswers, CommandError> {
  const appendTells = !context.pipeline.separate
  if (appendTells && !lookFirst && !batch.some(isResent)) return { seen: undefined, unsure: doubts }
  const seen = yield* lookUp(actor, batch, context)
  return seen === undefined ? memoryIsSure : { seen, unsure: nothing }
}

/** One query for the whole batch; `undefined`: memory knows all of its keys after all. */
const lookUp = function* (
  actor: WalletActor,
  batch: ReadonlyArray<Envelope>,
  context: ActorContext
): Effect.fn.Return<ReadonlyMap<string, SeenKey> | undefined, CommandError> {
  for (let tries = 0; tries < loadTries; tries++) {
    let doubts = keysInDoubt(actor, batch)
    if (doubts.length > 0 && context.pipeline.separate && actor.keys!.mayFindFilter) {
      yield* context.loading(context.segments.cover(actor.walletId, actor.keys!))
      doubts = keysInDoubt(actor, batch)
    }
    if (doubts.length === 0) return undefined
    const found = yield* context.keyQueries.find(actor.walletId, doubts)
    if (found.persistedVersion <= (actor.wallet?.version ?? -1)) return yield* seenIn(actor, found, context)
    // Another node has replaced this one: a command that it has done cannot be told from a state before it.
    yield* load(actor, context)
  }
  return yield* contended(actor)
}

/**
 * Events that neither memory nor Persistence covers are read from the log, so that a
 * Persistence that is behind cannot hide a key.
 */
const seenIn = function* (
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

/** To go on would be to go in a circle. */
export const seenWithoutAsking = (actor: WalletActor) =>
  new StoreDefect({ store: "log", reason: `it found keys of wallet ${actor.walletId} that it was not asked for` })

/** Whether a command of the batch cannot be judged without it. */
export const asksSpent = (batch: ReadonlyArray<Envelope>): boolean => {
  for (const { limit } of batch) if (limit !== undefined && limit.perDay !== null) return true
  return false
}

/** On the day of `now`, ms, by the events that the actor's state stands for. */
export const loadSpent = Effect.fnUntraced(function* (
  { wallet, walletId }: WalletActor,
  { history }: ActorContext,
  now: number
): Effect.fn.Return<KeySpent, ReadError | EventUnreadable> {
  if (wallet === undefined || dayOf(now) > dayOf(wallet.updatedAt)) return nothingSpent
  const { updatedAt, version } = wallet
  const after = yield* lastBefore(dayStart(dayOf(updatedAt)), version, (range, use) =>
    history.scan(walletId, range, use)
  )
  let spent = nothingSpent
  yield* history.scan(walletId, { after, upTo: version }, (recorded) => {
    spent = foldSpent(spent, recorded)
  })
  return spent
})
