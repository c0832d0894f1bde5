/**
 * The log in memory: the reference for what the other adapters must do. An append
 * is one synchronous step, so it never has an unknown outcome.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { type Commit, membersOf } from "../../domain/Commit.ts"
import type { RecordedEvent } from "../../domain/Event.ts"
import {
  type AppendOutcome,
  type Claim,
  EventStore,
  followByPages,
  jointOutcome,
  type MemberOutcome,
  type Snapshot,
  type SnapshotBound
} from "../EventStore.ts"
import { OperationRefused, StoreDefect } from "../StoreError.ts"
import { copyOf } from "./Copies.ts"
import { MemoryDatabase, type MemoryState } from "./MemoryDatabase.ts"
import { applyCommit, pastCommand, persistedVersion, scan } from "./Rows.ts"

const conflict: MemberOutcome = { _tag: "Conflict" }
const keySeen: MemberOutcome = { _tag: "KeySeen" }

/** Whether every event of the commit is in its stream, at its version, under its id. */
const holds = (stream: ReadonlyArray<RecordedEvent>, commit: Commit): boolean =>
  commit.events.every((recorded) => stream[recorded.version]?.id === recorded.id)

/** Of an event that is in the log. */
const positionOf = (state: MemoryState, id: string): bigint =>
  state.log.findLast(({ recorded }) => recorded.id === id)?.position ?? 0n

/** Whether an earlier command of the wallet had one of the keys that its owner is not sure of. */
const isKeySeen = (state: MemoryState, { expectedVersion, unsureKeys, walletId }: Commit): boolean => {
  if (state.separate || unsureKeys === undefined || unsureKeys.length === 0) return false
  const keys = state.keys.get(walletId)
  return keys !== undefined && unsureKeys.some((key) => (keys.get(key)?.version ?? Infinity) <= expectedVersion)
}

/** `undefined`: nothing speaks against writing the commit. The order is the port's. */
const refusal = (state: MemoryState, commit: Commit): MemberOutcome => {
  const stream = state.streams.get(commit.walletId) ?? []
  if (holds(stream, commit)) {
    return { _tag: "Appended", position: positionOf(state, commit.events[commit.events.length - 1]!.id) }
  }
  const epoch = state.claims.get(commit.partition) ?? 0
  if (epoch !== commit.epoch) return { _tag: "Fenced", epoch }
  if (stream.length - 1 !== commit.expectedVersion) return conflict
  return isKeySeen(state, commit) ? keySeen : undefined
}

const write = (state: MemoryState, commit: Commit): AppendOutcome => {
  const positions = new Map<RecordedEvent, bigint>()
  for (const recorded of commit.joint?.order ?? commit.events) {
    const { walletId } = recorded
    const stream = state.streams.get(walletId) ?? []
    if (stream.length === 0) state.streams.set(walletId, stream)
    stream.push(recorded)
    const position = BigInt(state.log.length + 1)
    state.log.push({ position, recorded })
    positions.set(recorded, position)
  }
  if (!state.separate) {
    for (const member of membersOf(commit)) {
      applyCommit(state, member, (version) => positions.get(member.events[version - member.expectedVersion - 1]!)!)
    }
  }
  return { _tag: "Appended", position: BigInt(state.log.length) }
}

/** What stands against the rows that an append writes with its events. */
const unwritable = (state: MemoryState, commit: Commit): OperationRefused | StoreDefect | undefined => {
  if (state.separate) return undefined
  if (persistedVersion(state, commit.walletId) !== commit.expectedVersion) {
    const reason = `the rows of wallet ${commit.walletId} are not as the log has them: they have to be rebuilt`
    return new StoreDefect({ store: "log", reason })
  }
  const reason = state.rule?.(commit)
  return reason === undefined ? undefined : new OperationRefused({ reason })
}

const append = (
  state: MemoryState,
  commits: ReadonlyArray<Commit>
): Effect.Effect<ReadonlyArray<AppendOutcome>, OperationRefused | StoreDefect> =>
  Effect.suspend(() => {
    const refusals: Array<AppendOutcome | undefined> = []
    for (const commit of commits) {
      const members = membersOf(commit)
      const refused = jointOutcome(
        members,
        members.map((member) => refusal(state, member))
      )
      if (Result.isFailure(refused)) return Effect.fail(new StoreDefect({ store: "log", reason: refused.failure }))
      refusals.push(refused.success)
      if (refused.success !== undefined) continue
      for (const member of members) {
        const error = unwritable(state, member)
        if (error !== undefined) return Effect.fail(error)
      }
    }
    return Effect.succeed(commits.map((commit, index) => refusals[index] ?? write(state, commit)))
  })

const saveSnapshot = (state: MemoryState, snapshot: Snapshot): void => {
  const others = (state.snapshots.get(snapshot.walletId) ?? []).filter((one) => one.version !== snapshot.version)
  state.snapshots.set(
    snapshot.walletId,
    [...others, snapshot].sort((a, b) => a.version - b.version)
  )
}

const loadSnapshot = (state: MemoryState, walletId: string, bound: SnapshotBound): Snapshot | undefined =>
  state.snapshots
    .get(walletId)
    ?.findLast(
      (snapshot) =>
        (bound.version === undefined || snapshot.version <= bound.version) &&
        (bound.time === undefined || snapshot.time <= bound.time)
    )

const claim = (state: MemoryState, partitions: ReadonlyArray<number>): ReadonlyArray<Claim> => {
  for (const partition of new Set(partitions)) {
    state.claims.set(partition, (state.claims.get(partition) ?? 0) + 1)
  }
  return partitions.map((partition) => ({ partition, epoch: state.claims.get(partition) ?? 0 }))
}

const raiseHighWatermark = (
  { highWatermarks }: MemoryState,
  { owner, position }: Parameters<EventStore["Service"]["raiseHighWatermark"]>[0]
): bigint | undefined => {
  if (position !== undefined && position > (highWatermarks.get(owner) ?? -1n)) highWatermarks.set(owner, position)
  let others: bigint | undefined
  for (const [name, raised] of highWatermarks) {
    if (name !== owner && (others === undefined || raised > others)) others = raised
  }
  return others
}

export const make = (state: MemoryState): EventStore["Service"] => {
  const reads: Pick<EventStore["Service"], "head" | "readAll"> = {
    readAll: ({ after, limit }) => Effect.sync(() => copyOf(state.log.slice(Number(after), Number(after) + limit))),
    head: Effect.sync(() => ({ logId: state.logId, position: BigInt(state.log.length) }))
  }
  return {
    ...reads,
    writesPersistence: !state.separate,
    append: (commits) => append(state, commits),
    read: (walletId, { after, limit }) =>
      Effect.sync(() => copyOf((state.streams.get(walletId) ?? []).slice(after + 1, after + 1 + limit))),
    ...(state.separate
      ? {}
      : {
          scan: scan(state),
          pastCommands: (asked) =>
            Effect.sync(() => asked.map((command) => Result.succeed(copyOf(pastCommand(state, command)))))
        }),
    follow: followByPages(reads),
    saveSnapshot: (snapshot) => Effect.sync(() => saveSnapshot(state, copyOf(snapshot))),
    loadSnapshot: (walletId, bound = {}) => Effect.sync(() => copyOf(loadSnapshot(state, walletId, bound))),
    claim: ({ partitions }) => Effect.sync(() => claim(state, partitions)),
    epochOf: (partition) => Effect.sync(() => state.claims.get(partition) ?? 0),
    raiseHighWatermark: (request) => Effect.sync(() => raiseHighWatermark(state, request))
  }
}

export const layer: Layer.Layer<EventStore, never, MemoryDatabase> = Layer.effect(
  EventStore,
  Effect.map(MemoryDatabase, make)
)
