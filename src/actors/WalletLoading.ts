/**
 * Reads a wallet's latest state from the log into its actor and, where Persistence is a
 * store of its own, what of it Persistence has not accepted yet.
 */
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import type { Wallet } from "../domain/Wallet.ts"
import type { Persistence, Refusal } from "../stores/Persistence.ts"
import type { ReadError } from "../stores/StoreError.ts"
import { StoreDefect, StoreUnavailable } from "../stores/StoreError.ts"
import type { CommandError } from "./EngineError.ts"
import { persisted, tooFarBehind, UnpersistedEvents } from "./PersistenceProgress.ts"
import { type ActorContext, type OpenTransfer, snapshot, type WalletActor } from "./WalletActor.ts"

/** Loads of one activation: more than two mean that Persistence has what the log does not have. */
const loadTries = 3

/** Refusals per read: a wallet has hardly ever more than one open. */
const pageRefusals = 100

/** Loads the latest state from the log. */
export const load = function* (actor: WalletActor, context: ActorContext): Effect.fn.Return<void, CommandError> {
  actor.loaded = false
  for (let tries = 0; tries < loadTries; tries++) {
    actor.keys?.release()
    const loaded = yield* context.unloaded.watch(actor.walletId, context.loading(context.history.load(actor.walletId)))
    actor.wallet = loaded.wallet
    actor.facts = loaded.facts
    actor.spent = loaded.spent
    actor.keys = loaded.keys
    actor.profileVersion = loaded.profileVersion
    actor.snapshotVersion = loaded.snapshotVersion
    // A later version may have come to Persistence after this was read from the log.
    if (!context.pipeline.separate || (yield* loadUnpersisted(actor, context))) {
      actor.loaded = true
      // So that it was once.
      if (loaded.refolded) snapshot(actor, context)
      context.resized(actor)
      const open = actor.wallet === undefined ? [] : sentForGood(actor.wallet, actor.unpersisted)
      if (open.length > 0) context.transfersFound(actor.walletId, open)
      return
    }
  }
  return yield* aheadOfLog(actor.walletId, actor.wallet?.version)
}

/** Whether the log has more of the wallet. To load without need could cost a state that is good. */
export const isBehind = function* (actor: WalletActor, context: ActorContext): Effect.fn.Return<boolean, CommandError> {
  const after = actor.wallet?.version ?? -1
  let found = false
  yield* context.history.scan(actor.walletId, { after, upTo: after + 1 }, () => {
    found = true
  })
  return found
}

/**
 * Finds what Persistence has not accepted of the state that was loaded, and what it has
 * refused that is not yet reversed. `false`: Persistence knows a later version than the
 * state that was loaded.
 */
const loadUnpersisted = function* (actor: WalletActor, context: ActorContext): Effect.fn.Return<boolean, CommandError> {
  const { persistence, pipeline } = context
  const { wallet, walletId } = actor
  actor.unpersisted = undefined
  actor.persistedVersion = -1
  actor.refusedMeanwhile = undefined
  if (wallet === undefined) return true
  const found = yield* persistence.persistedVersions([walletId])
  // In this order: a refusal that comes after these reads is of a later version, or it is told of.
  const open = yield* openRefusals(persistence, walletId)
  // It may have been told of a later one meanwhile.
  const persistedVersion = Math.max(found.get(walletId)?.version ?? -1, actor.persistedVersion)
  const { version } = wallet
  if (persistedVersion > version) return false
  if (persistedVersion < version) pipeline.startCatchUp(walletId)
  if (version - persistedVersion > context.bounds.persistBehindEvents) {
    return yield* tooFarBehind(walletId, version - persistedVersion)
  }
  const unpersisted = new UnpersistedEvents()
  const reversed = new Set<number>()
  // What it was told of as refused while it read counts, too: that version is decided, and not by a yes.
  const refusals = [...open.keys(), ...(actor.refusedMeanwhile ?? [])]
  const after = Math.min(persistedVersion, ...refusals.map((refused) => refused - 1))
  if (after < version) {
    yield* context.history.scan(walletId, { after, upTo: version }, (recorded) => {
      unpersisted.addKnown(recorded)
      if (open.has(recorded.version)) unpersisted.refuse(recorded.version)
      if (recorded.event._tag === "OperationReversed") reversed.add(recorded.event.reversedVersion)
    })
  }
  for (const refused of actor.refusedMeanwhile ?? []) unpersisted.refuse(refused)
  actor.refusedMeanwhile = undefined
  for (const refused of reversed) unpersisted.reverse(refused)
  actor.unpersisted = unpersisted
  yield* tellRefused(actor, persistence)
  persisted(actor, persistedVersion)
  for (const [refused, reason] of open) if (!reversed.has(refused)) pipeline.compensate(walletId, refused, reason)
  return true
}

/** The wallet's refusals that have not been reversed, as far as Persistence knows: the reasons, by version. */
const openRefusals = Effect.fnUntraced(function* (
  persistence: Persistence["Service"],
  walletId: string
): Effect.fn.Return<ReadonlyMap<number, string>, ReadError> {
  const open = new Map<number, string>()
  let after = { walletId, version: -1 }
  while (true) {
    const page: ReadonlyArray<Refusal> = yield* persistence.openRefusals({ after, limit: pageRefusals })
    for (const refusal of page) {
      if (refusal.walletId !== walletId) return open
      open.set(refusal.version, refusal.reason)
    }
    if (page.length < pageRefusals) return open
    after = { walletId, version: page[page.length - 1]!.version }
  }
})

/** Who waits for a command that Persistence has refused: that it has decided must not be told as a yes. */
const tellRefused = function* (
  { pending, walletId }: WalletActor,
  persistence: Persistence["Service"]
): Effect.fn.Return<void, CommandError> {
  if (pending === undefined) return
  for (const { reason, reversedVersion, version } of yield* persistence.refusals(walletId)) {
    pending.refuse(version)
    if (reversedVersion !== null) pending.reversed(version, walletId, reason)
  }
}

const none: ReadonlyArray<never> = []

/** Transfers that this wallet has to bring to their end, but for those whose sending may still be undone. */
const sentForGood = (
  { prepared, transfers }: Wallet,
  unpersisted: UnpersistedEvents | undefined
): ReadonlyArray<OpenTransfer> => {
  if (HashMap.isEmpty(transfers) && HashMap.isEmpty(prepared)) return none
  const begun = Array.from(HashMap.values(prepared)).filter((legs) => legs.begun !== null)
  const open = [...HashMap.values(transfers), ...begun]
  return open.filter(({ id }) => unpersisted?.provisional.hasSent(id) !== true)
}

export const contended = (actor: WalletActor) =>
  new StoreUnavailable({
    store: "log",
    reason: `another writer keeps changing wallet ${actor.walletId}`,
    retryAfter: 1_000
  })

/** To go on would give the missing versions to other events. */
const aheadOfLog = (walletId: string, version: number | undefined) =>
  new StoreDefect({
    store: "persistence",
    reason: `PostgreSQL has events of wallet ${walletId} after version ${version ?? -1}, which the log does not have`
  })
