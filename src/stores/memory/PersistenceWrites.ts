/** The writing half of the transactional view in memory: the gapless guard, refusals, checkpoints, rebuilds. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Commit } from "../../domain/Commit.ts"
import type {
  KeySegment,
  Checkpoint,
  PersistedVersion,
  Persistence,
  PersistOutcome,
  Refusal,
  Withdrawn
} from "../Persistence.ts"
import { OperationRefused, type ReadError, StoreDefect, StoreUnavailable } from "../StoreError.ts"
import { copyOf } from "./Copies.ts"
import type { MemoryState } from "./MemoryDatabase.ts"
import {
  applyCommit,
  applyRefusal,
  eraseAll,
  eraseWallet,
  persistedVersion,
  type PositionOf,
  positionsOf,
  shadowOf,
  takeWallet
} from "./Rows.ts"

const written: PersistOutcome = { _tag: "Written" }
const writtenBefore: PersistOutcome = { _tag: "Written", before: true }

/** Rows that are being rebuilt, seen by the effect that rebuilds them alone. */
interface Rebuild {
  readonly of: MemoryState
  readonly shadow: MemoryState
  /** Per wallet and version, from before. */
  readonly positions: ReadonlyMap<string, ReadonlyMap<number, bigint>>
}

const CurrentRebuild = Context.Reference<Rebuild | undefined>("effect-wallet/stores/MemoryPersistenceWrites/Rebuild", {
  defaultValue: () => undefined
})

/** The rebuild of `state` that the effect belongs to. */
const rebuildOf = (state: MemoryState): Effect.Effect<Rebuild | undefined> =>
  Effect.map(CurrentRebuild, (rebuild) => (rebuild?.of === state ? rebuild : undefined))

/** `state`, or its shadow within a rebuild. */
export const visible = (state: MemoryState): Effect.Effect<MemoryState> =>
  Effect.map(rebuildOf(state), (rebuild) => rebuild?.shadow ?? state)

/** What is there already, or the part of the commit that is not. */
const missing = (state: MemoryState, commit: Commit): PersistOutcome | Commit => {
  const persisted = persistedVersion(state, commit.walletId)
  if (persisted < commit.expectedVersion) return { _tag: "Gap", persistedVersion: persisted }
  const ids = state.persisted.get(commit.walletId) ?? []
  if (commit.events.some(({ id, version }) => version <= persisted && ids[version] !== id)) {
    return { _tag: "Diverged", persistedVersion: persisted }
  }
  const events = commit.events.filter(({ version }) => version > persisted)
  return events.length === 0 ? writtenBefore : { ...commit, expectedVersion: persisted, events }
}

/** Of the log, where it is the same database; else those from before a rebuild, and then new ones. */
const positionsFor = (state: MemoryState, walletId: string, rebuild: Rebuild | undefined): PositionOf => {
  if (!state.separate) {
    const positions = new Map<number, bigint>()
    for (const { position, recorded } of state.log) {
      if (recorded.walletId === walletId) positions.set(recorded.version, position)
    }
    return (version) => positions.get(version)!
  }
  const kept = rebuild?.positions.get(walletId)
  const counting = rebuild?.of ?? state
  return (version) => kept?.get(version) ?? (counting.persistedPosition += 1n)
}

/** Where the log is the same database, only its own events can be written. */
const unlogged = (state: MemoryState, commit: Commit): StoreDefect | undefined => {
  if (state.separate) return undefined
  const stream = state.streams.get(commit.walletId) ?? []
  const unknown = commit.events.find(({ id, version }) => stream[version]?.id !== id)
  return unknown === undefined
    ? undefined
    : new StoreDefect({
        store: "persistence",
        reason: `the log has no event ${unknown.id} at version ${unknown.version} of wallet ${commit.walletId}`
      })
}

const recordCheckpoint = (state: MemoryState, checkpoint: Checkpoint | undefined): void => {
  if (checkpoint === undefined) return
  const before = state.checkpoints.get(checkpoint.owner)
  if (before === undefined || before < checkpoint.position) state.checkpoints.set(checkpoint.owner, checkpoint.position)
}

const write = (
  state: MemoryState,
  rebuild: Rebuild | undefined,
  commits: ReadonlyArray<Commit>,
  checkpoint: Checkpoint | undefined
): Effect.Effect<ReadonlyArray<PersistOutcome>, OperationRefused | StoreDefect> => {
  const plans = commits.map((commit) => missing(state, commit))
  for (const plan of plans) {
    if ("_tag" in plan) continue
    const defect = unlogged(state, plan)
    if (defect !== undefined) return Effect.fail(defect)
    const reason = state.rule?.(plan)
    if (reason !== undefined) return Effect.fail(new OperationRefused({ reason }))
  }
  const outcomes = plans.map((plan, index): PersistOutcome => {
    if ("_tag" in plan) return plan
    applyCommit(state, plan, positionsFor(state, plan.walletId, rebuild))
    return plan.events.length === commits[index]!.events.length ? written : writtenBefore
  })
  if (outcomes.every(({ _tag }) => _tag === "Written")) recordCheckpoint(state, checkpoint)
  return Effect.succeed(outcomes)
}

/** What stands in the way of the refusal; `undefined`: nothing. */
const refusalOutcome = (state: MemoryState, commit: Commit): PersistOutcome | undefined => {
  const plan = missing(state, commit)
  if (plan === writtenBefore) {
    const refusals = state.refusals.get(commit.walletId) ?? []
    const refused = commit.events.every(({ id }) => refusals.some(({ eventId }) => eventId === id))
    return refused ? written : { _tag: "Gap", persistedVersion: persistedVersion(state, commit.walletId) }
  }
  if ("_tag" in plan) return plan
  if (plan.expectedVersion !== commit.expectedVersion) return { _tag: "Gap", persistedVersion: plan.expectedVersion }
  return undefined
}

/** Within the writing permit. */
const refuse = <E>(
  state: MemoryState,
  commit: Commit,
  reason: string,
  stillMay: Effect.Effect<boolean, E>
): Effect.Effect<PersistOutcome | Withdrawn, E> =>
  Effect.suspend(() => {
    const known = refusalOutcome(state, commit)
    if (known !== undefined) return Effect.succeed(known)
    return Effect.map(stillMay, (may): PersistOutcome | Withdrawn => {
      if (!may) return { _tag: "Withdrawn" }
      applyRefusal(state, commit, reason)
      return written
    })
  })

const openRefusals = (
  state: MemoryState,
  { after, limit }: { readonly after: { readonly walletId: string; readonly version: number }; readonly limit: number }
): ReadonlyArray<Refusal> =>
  [...state.refusals.values()]
    .flat()
    .filter(
      ({ reversedVersion, version, walletId }) =>
        reversedVersion === null &&
        (walletId > after.walletId || (walletId === after.walletId && version > after.version))
    )
    .sort((a, b) => (a.walletId < b.walletId ? -1 : a.walletId > b.walletId ? 1 : a.version - b.version))
    .slice(0, limit)

const persistedVersions = (
  state: MemoryState,
  walletIds: ReadonlyArray<string>
): ReadonlyMap<string, PersistedVersion> =>
  new Map(
    walletIds.flatMap((walletId): ReadonlyArray<readonly [string, PersistedVersion]> => {
      const ids = state.persisted.get(walletId)
      return ids === undefined ? [] : [[walletId, { version: ids.length - 1, eventId: ids[ids.length - 1]! }]]
    })
  )

/** Nothing shows before the end. Wallets that have moved meanwhile would lose that: then nothing is done. */
const rebuild = <A, E, R>(
  state: MemoryState,
  walletIds: ReadonlyArray<string>,
  rewrite: Effect.Effect<A, E, R>
): Effect.Effect<A, E | ReadError, R> =>
  Effect.suspend(() => {
    const before = walletIds.map((walletId) => state.persisted.get(walletId)?.length)
    const shadow = shadowOf(state)
    const positions = new Map(walletIds.map((walletId) => [walletId, positionsOf(state, walletId)]))
    for (const walletId of walletIds) eraseWallet(shadow, walletId)
    return Effect.flatMap(Effect.provideService(rewrite, CurrentRebuild, { of: state, shadow, positions }), (result) =>
      state.writing.withPermits(1)(
        Effect.suspend((): Effect.Effect<A, ReadError> => {
          if (walletIds.some((walletId, index) => state.persisted.get(walletId)?.length !== before[index])) {
            const reason = "a wallet moved while it was rebuilt"
            return Effect.fail(new StoreUnavailable({ store: "persistence", reason, retryAfter: 0 }))
          }
          for (const walletId of walletIds) takeWallet(state, shadow, walletId)
          return Effect.succeed(result)
        })
      )
    )
  })

const adoptLog = (state: MemoryState, logId: string): Effect.Effect<void, StoreDefect> =>
  Effect.suspend(() => {
    const known = logIdOf(state)
    if (known !== undefined && known !== logId) {
      const reason = `the rows are those of the log ${known}, not of ${logId}`
      return Effect.fail(new StoreDefect({ store: "persistence", reason }))
    }
    state.persistedLog = logId
    return Effect.void
  })

const logIdOf = (state: MemoryState): string | undefined =>
  state.persistedLog ?? (!state.separate && state.log.length > 0 ? state.logId : undefined)

const saveKeySegment = (state: MemoryState, segment: KeySegment): void => {
  const before = state.keySegments.get(segment.walletId) ?? []
  const kept = before.filter(({ fromVersion }) => fromVersion < segment.fromVersion)
  state.keySegments.set(segment.walletId, [...kept, { ...segment, bits: segment.bits.slice() }])
}

type Writes = Pick<
  Persistence["Service"],
  | "write"
  | "refuse"
  | "openRefusals"
  | "refusals"
  | "persistedVersions"
  | "checkpoints"
  | "setCheckpoint"
  | "logId"
  | "adoptLog"
  | "saveKeySegment"
  | "erase"
  | "rebuild"
>

export const make = (state: MemoryState): Writes => {
  const read = <A>(f: (state: MemoryState) => A): Effect.Effect<A> => Effect.map(visible(state), f)
  // One at a time, as behind a lock of all rows: a refusal that asks something keeps the others waiting.
  const alone = state.writing.withPermits(1)
  return {
    write: (commits, checkpoint) =>
      alone(
        Effect.flatMap(rebuildOf(state), (current) => write(current?.shadow ?? state, current, commits, checkpoint))
      ),
    refuse: (commit, { reason }, stillMay) =>
      alone(Effect.flatMap(visible(state), (rows) => refuse(rows, commit, reason, stillMay ?? Effect.succeed(true)))),
    openRefusals: (options) => read((rows) => copyOf(openRefusals(rows, options))),
    refusals: (walletId) => read((rows) => copyOf(rows.refusals.get(walletId) ?? [])),
    persistedVersions: (walletIds) => read((rows) => persistedVersions(rows, walletIds)),
    checkpoints: Effect.sync(() => Array.from(state.checkpoints, ([owner, position]) => ({ owner, position }))),
    setCheckpoint: (owner, position) =>
      Effect.sync(() => {
        if (position === undefined) state.checkpoints.delete(owner)
        else state.checkpoints.set(owner, position)
      }),
    logId: Effect.sync(() => logIdOf(state)),
    adoptLog: (logId) => adoptLog(state, logId),
    saveKeySegment: (segment) => read((rows) => saveKeySegment(rows, segment)),
    erase: (walletId) => alone(read((rows) => (walletId === "all" ? eraseAll(rows) : eraseWallet(rows, walletId)))),
    rebuild: (walletIds, rewrite) => rebuild(state, walletIds, rewrite)
  }
}
