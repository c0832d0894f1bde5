/**
 * Reads wallets from the log: the latest state for an activation, past states for
 * `at=` and `atVersion=`, and the effect of a command that took place before.
 *
 * A read starts from the nearest snapshot, so its cost does not grow with history.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type { RecordedEvent } from "../domain/Event.ts"
import { evolve } from "../domain/Evolve.ts"
import { changesProfile } from "../domain/Profile.ts"
import { foldSpent, type KeySpent, nothingSpent } from "../domain/KeyLimit.ts"
import type { WalletFacts } from "../domain/PolicySet.ts"
import type { Wallet } from "../domain/Wallet.ts"
import type { Snapshot, SnapshotBound } from "../stores/EventStore.ts"
import { EventStore } from "../stores/EventStore.ts"
import type { EventUnreadable, ReadError } from "../stores/StoreError.ts"
import type { ActorBounds } from "./ActorBounds.ts"
import { KeyFilterBudget } from "./KeyFilter.ts"
import { KeyWindow } from "./KeyWindow.ts"
import { decodeSnapshot } from "./Snapshots.ts"
import { FactsHistory } from "./FactsHistory.ts"
import { WalletPolicies } from "./WalletPolicies.ts"

type HistoryError = ReadError | EventUnreadable

export interface LoadedWallet {
  readonly wallet: Wallet | undefined
  readonly keys: KeyWindow
  /** Version of the last event that changed status, overdraft limit or metadata. */
  readonly profileVersion: number
  /** Version of the snapshot it started from; `-1`: none. */
  readonly snapshotVersion: number
}

export interface ActivatedWallet extends LoadedWallet {
  /** What policies know; `undefined`: there are none. */
  readonly facts: WalletFacts | undefined
  /** What keys with a limit of the day have spent; `undefined`: the snapshot does not say. */
  readonly spent: KeySpent | undefined
  /** Some of it was folded from events that the snapshot stands for. */
  readonly refolded: boolean
}

/** What a snapshot says beside the state. */
interface Kept {
  readonly keptFacts: unknown
  readonly spent: KeySpent | undefined
}

/** Events per read of a stream. */
const pageEvents = 500

/** Versions that are so near are read in one run: reading what is between costs less than another question. */
const nearVersions = 32

/** Versions, upwards, in runs of at most a page, each without a large gap. */
const runsOf = (versions: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<number>> => {
  const runs: Array<Array<number>> = []
  for (const version of versions) {
    const run = runs.at(-1)
    if (run !== undefined && version - run.at(-1)! <= nearVersions && version - run[0]! < pageEvents - 1)
      run.push(version)
    else runs.push([version])
  }
  return runs
}

/** Keys of a filter's largest segment where none is stored: 2 MB. */
const unstoredLargestKeys = 524_288

/** Reads are tried again three times within some 150 ms: a blip of the store is not worth an error. */
const readRetry = {
  schedule: Schedule.exponential("20 millis").pipe(Schedule.jittered),
  times: 3,
  while: (error: HistoryError) => error._tag === "StoreUnavailable"
}

/** The log has it all: no snapshot is worth a wallet. */
const ignored = (walletId: string, place: string, reason: string): Effect.Effect<undefined> =>
  Effect.logWarning(`the snapshot of wallet ${walletId}${place} is ignored: ${reason}`).pipe(
    Effect.annotateLogs({ walletId }),
    Effect.as(undefined)
  )

export class WalletHistory extends Context.Service<
  WalletHistory,
  {
    /** The latest state. */
    readonly load: (walletId: string) => Effect.Effect<ActivatedWallet, HistoryError>
    /** State after the event of that version; `undefined`: the stream does not reach it. */
    readonly atVersion: (walletId: string, version: number) => Effect.Effect<Wallet | undefined, HistoryError>
    /** State after the last event with time ≤ `time`; `undefined`: there is none. */
    readonly atTime: (walletId: string, time: number) => Effect.Effect<Wallet | undefined, HistoryError>
    /** States after the events of those versions, upwards, each once, by one fold; the stream may not reach the last. */
    readonly atVersions: (
      walletId: string,
      versions: ReadonlyArray<number>,
      use: (wallet: Wallet) => void
    ) => Effect.Effect<void, HistoryError>
    /**
     * The events of the commands whose last events are `versions`, upwards; those that the stream does not reach
     * are not in it. Read in runs: versions side by side cost one read.
     */
    readonly commandsAt: (
      walletId: string,
      versions: ReadonlyArray<number>
    ) => Effect.Effect<ReadonlyMap<number, ReadonlyArray<RecordedEvent>>, HistoryError>
    /** Folds events with version > `after` and ≤ `upTo` into `use`, page by page. */
    readonly scan: (
      walletId: string,
      options: { readonly after: number; readonly upTo: number },
      use: (recorded: RecordedEvent) => void
    ) => Effect.Effect<void, HistoryError>
  }
>()("effect-wallet/actors/WalletHistory") {
  static readonly layer = (bounds: ActorBounds) => Layer.effect(WalletHistory, make(bounds))
}

const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const log = yield* EventStore
  const policies = yield* WalletPolicies
  const budget = new KeyFilterBudget(bounds.keyFilterBytes, {
    segmentKeys: bounds.keySegmentKeys,
    largestKeys: log.writesPersistence ? unstoredLargestKeys : bounds.keySegmentLargestKeys,
    walletBytes: bounds.keyFilterWalletBytes
  })

  /** Calls `use` per event until it returns `false`, or after the version `upTo`, or where the stream ends. */
  const each = Effect.fnUntraced(function* (
    walletId: string,
    { after, upTo = Infinity }: { readonly after: number; readonly upTo?: number | undefined },
    use: (recorded: RecordedEvent) => boolean
  ): Effect.fn.Return<void, HistoryError> {
    let position = after
    while (position < upTo) {
      const limit = Math.min(pageEvents, upTo - position)
      const page = yield* Effect.retry(log.read(walletId, { after: position, limit }), readRetry)
      for (const recorded of page) if (!use(recorded)) return
      if (page.length < limit) return
      position = page[page.length - 1]!.version
    }
  })

  const start = Effect.fnUntraced(function* (
    walletId: string,
    bound?: SnapshotBound
  ): Effect.fn.Return<LoadedWallet & Kept, HistoryError> {
    const found: Effect.Effect<Snapshot | undefined, ReadError> = Effect.retry(
      log.loadSnapshot(walletId, bound),
      readRetry
    )
    const snapshot = yield* Effect.catchTag(found, "StoreDefect", ({ reason }) => ignored(walletId, "", reason))
    const none = {
      wallet: undefined,
      keys: new KeyWindow(bounds.keysInMemory, budget),
      profileVersion: -1,
      snapshotVersion: -1,
      keptFacts: undefined,
      spent: nothingSpent
    }
    if (snapshot === undefined) return none
    const memory = decodeSnapshot(snapshot)
    if (Result.isFailure(memory)) {
      yield* ignored(walletId, ` at version ${snapshot.version}`, memory.failure)
      return none
    }
    return {
      wallet: memory.success.wallet,
      profileVersion: memory.success.profileVersion,
      keys: new KeyWindow(bounds.keysInMemory, budget, memory.success.keys),
      snapshotVersion: snapshot.version,
      keptFacts: memory.success.facts,
      spent: memory.success.spent
    }
  })

  const load = Effect.fnUntraced(function* (walletId: string): Effect.fn.Return<ActivatedWallet, HistoryError> {
    const { keptFacts, keys, snapshotVersion, ...from } = yield* start(walletId)
    const known = policies && new FactsHistory(policies, policies.decode(keptFacts))
    const refolded = known !== undefined && known.isBehind(from.wallet)
    let { profileVersion, spent, wallet } = from
    const refold = refolded ? known.refold(from.wallet!, (range, use) => each(walletId, range, use)) : Effect.void
    const follow = each(walletId, { after: snapshotVersion }, (recorded) => {
      wallet = evolve(wallet, recorded)
      keys.add(recorded)
      known?.add(recorded)
      if (spent !== undefined) spent = foldSpent(spent, recorded)
      if (changesProfile(recorded.event)) profileVersion = recorded.version
      return true
    })
    yield* Effect.onError(Effect.andThen(refold, follow), () => Effect.sync(() => keys.release()))
    if (known !== undefined) yield* known.report(walletId)
    return { wallet, keys, profileVersion, snapshotVersion, facts: known?.facts, spent, refolded }
  })

  const stateUntil = Effect.fnUntraced(function* (
    walletId: string,
    bound: SnapshotBound,
    within: (recorded: RecordedEvent) => boolean
  ): Effect.fn.Return<Wallet | undefined, HistoryError> {
    const from = yield* start(walletId, bound)
    let wallet = from.wallet
    yield* each(walletId, { after: from.snapshotVersion, upTo: bound.version }, (recorded) => {
      if (!within(recorded)) return false
      wallet = evolve(wallet, recorded)
      return true
    })
    return wallet
  })

  const atVersion = (walletId: string, version: number) =>
    Effect.map(
      stateUntil(walletId, { version }, (recorded) => recorded.version <= version),
      (wallet) => (wallet?.version === version ? wallet : undefined)
    )

  const atVersions = Effect.fnUntraced(function* (
    walletId: string,
    versions: ReadonlyArray<number>,
    use: (wallet: Wallet) => void
  ): Effect.fn.Return<void, HistoryError> {
    let at = 0
    while (at < versions.length) {
      const first = at
      const from = yield* start(walletId, { version: versions[at]! })
      let wallet = from.wallet
      /** Whether to go on with the next event, and not with a snapshot that may be nearer to what is wanted. */
      const reached = (): boolean => {
        if (wallet?.version !== versions[at]) return true
        use(wallet!)
        at++
        return at < versions.length && versions[at]! - wallet!.version <= bounds.snapshotEvents
      }
      if (reached()) {
        yield* each(walletId, { after: from.snapshotVersion, upTo: versions[versions.length - 1] }, (recorded) => {
          wallet = evolve(wallet, recorded)
          return reached()
        })
      }
      if (at === first) return
    }
  })

  /** A command makes at most two events, and they stand side by side. */
  const commandsAt = Effect.fnUntraced(function* (
    walletId: string,
    versions: ReadonlyArray<number>
  ): Effect.fn.Return<ReadonlyMap<number, ReadonlyArray<RecordedEvent>>, HistoryError> {
    const commands = new Map<number, ReadonlyArray<RecordedEvent>>()
    for (const run of runsOf(versions)) {
      const after = Math.max(-1, run[0]! - 2)
      const read = log.read(walletId, { after, limit: run.at(-1)! - after })
      const events = yield* Effect.retry(read, readRetry)
      const byVersion = new Map(events.map((recorded) => [recorded.version, recorded]))
      for (const version of run) {
        const last = byVersion.get(version)
        if (last === undefined) continue
        const before = byVersion.get(version - 1)
        commands.set(version, before?.metadata.commandId === last.metadata.commandId ? [before, last] : [last])
      }
    }
    return commands
  })

  return WalletHistory.of({
    load,
    atVersion,
    atTime: (walletId, time) => stateUntil(walletId, { time }, (recorded) => recorded.time <= time),
    atVersions,
    commandsAt,
    scan: (walletId, options, use) =>
      each(walletId, options, (recorded) => {
        use(recorded)
        return true
      })
  })
})
