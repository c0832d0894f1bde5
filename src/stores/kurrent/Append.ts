/**
 * What an append to KurrentDB comes to. One call carries all commits, all or
 * nothing, with a check of every stream that it writes and of every claim that it
 * relies on. A refusal names the checks that do not hold: their commits are settled,
 * the others go again without them, at once.
 *
 * The server recognises an append that it has already (the same ids at the same
 * revisions) before it looks at the checks, so a repeated append is answered as the
 * first one was. It would not recognise an append without its checks; there is none.
 */
import * as Effect from "effect/Effect"
import type { Commit } from "../../domain/Commit.ts"
import { encodeEvent } from "../../domain/EventCodec.ts"
import type { AppendError, AppendOutcome } from "../EventStore.ts"
import type { KurrentConnection } from "./Connection.ts"
import { logDefect } from "./Failure.ts"
import type { KurrentNames } from "./Names.ts"
import { positionAt } from "./Position.ts"
import type { KurrentReads } from "./Reads.ts"
import { recordsOf, stateAfter } from "./Records.ts"
import { check, isDeleted, send, type Sent } from "./Send.ts"
import type { StreamState, WireCheck } from "./Wire.ts"
import { AppendUnknown, type ReadError, type StoreDefect } from "../StoreError.ts"

const conflict: AppendOutcome = { _tag: "Conflict" }

/** Streams read back at a time after a refusal. */
const settlementReads = 16

type Append = (commits: ReadonlyArray<Commit>) => Effect.Effect<ReadonlyArray<AppendOutcome>, AppendError>

/** Each stream at the revision that its commit expects, each claim at the epoch that its commits know. */
const checksOf = (names: KurrentNames, commits: ReadonlyArray<Commit>): ReadonlyArray<WireCheck> => {
  const epochs = new Map(commits.map(({ epoch, partition }) => [partition, epoch]))
  return [
    ...commits.map(({ expectedVersion, walletId }) => check(names.wallet(walletId), stateAfter(expectedVersion))),
    ...Array.from(epochs, ([partition, epoch]) => check(names.claims(partition), stateAfter(epoch - 1)))
  ]
}

/** Commits that can travel together. */
interface Group {
  readonly commits: Array<Commit>
  readonly streams: Set<string>
  readonly epochs: Map<number, number>
}

/**
 * Nearly always one group. The server compares the names of one call without regard
 * to case, though `Anna` and `anna` are two streams to it; and there is one check per
 * claim, so commits that know different epochs of a partition go apart, too.
 */
const groupsOf = (commits: ReadonlyArray<Commit>): Array<ReadonlyArray<Commit>> => {
  const groups: Array<Group> = []
  for (const commit of commits) {
    const stream = commit.walletId.toLowerCase()
    const takes = ({ epochs, streams }: Group) =>
      !streams.has(stream) && (epochs.get(commit.partition) ?? commit.epoch) === commit.epoch
    let group = groups.find(takes)
    if (group === undefined) {
      group = { commits: [], streams: new Set(), epochs: new Map() }
      groups.push(group)
    }
    group.commits.push(commit)
    group.streams.add(stream)
    group.epochs.set(commit.partition, commit.epoch)
  }
  return groups.map((group) => group.commits)
}

const bytesOf = (commit: Commit): number =>
  commit.events.reduce((bytes, { event }) => bytes + encodeEvent(event).length, 0)

/**
 * Two halves, the largest commits first: one that is too large even alone is then
 * found before anything has been written.
 */
const halvesOf = (commits: ReadonlyArray<Commit>): [ReadonlyArray<Commit>, ReadonlyArray<Commit>] => {
  const sized = commits.map((commit) => ({ commit, bytes: bytesOf(commit) })).sort((a, b) => b.bytes - a.bytes)
  const sorted = sized.map(({ commit }) => commit)
  const middle = commits.length >> 1
  return [sorted.slice(0, middle), sorted.slice(middle)]
}

/** The transaction's position for all of it: the places of the events inside are not told. */
const writtenOutcome = (
  names: KurrentNames,
  commits: ReadonlyArray<Commit>,
  { result }: Sent & { readonly _tag: "Written" }
): Effect.Effect<AppendOutcome, StoreDefect> => {
  const revisions = new Map(result.responses.map(({ revision, streamName }) => [streamName, revision]))
  const astray = commits.find(
    ({ events, expectedVersion, walletId }) =>
      revisions.get(names.wallet(walletId)) !== BigInt(expectedVersion + events.length)
  )
  return astray === undefined
    ? Effect.succeed({ _tag: "Appended", position: positionAt(result.position) })
    : Effect.fail(
        logDefect(
          `an append to wallet ${astray.walletId} after version ${astray.expectedVersion} has ended at revision ` +
            `${revisions.get(names.wallet(astray.walletId))}: its stream was deleted or truncated`
        )
      )
}

/** Whether the log has exactly this commit; answers with the leader's word. */
const readBack = (names: KurrentNames, reads: KurrentReads, commit: Commit) =>
  Effect.map(
    reads.stream(names.wallet(commit.walletId), {
      from: BigInt(commit.expectedVersion + 1),
      maxCount: commit.events.length
    }),
    (records = []): AppendOutcome | undefined => {
      const ours = commit.events.every(
        ({ id, version }, index) => records[index]?.id === id && records[index]?.revision === BigInt(version)
      )
      const position = records.at(-1)?.position
      return ours && position !== undefined ? { _tag: "Appended", position: positionAt(position.commit) } : undefined
    }
  )

/** The epoch of a claim stream in this state. */
const epochOf = (state: StreamState): number => (state === "no_stream" ? 0 : Number(state) + 1)

/** The outcomes of the commits that a refusal concerns. */
const settle = Effect.fnUntraced(function* (
  names: KurrentNames,
  reads: KurrentReads,
  commits: ReadonlyArray<Commit>,
  actual: ReadonlyMap<string, StreamState>
): Effect.fn.Return<ReadonlyMap<Commit, AppendOutcome>, ReadError> {
  const outcomes = new Map<Commit, AppendOutcome>()
  const stale: Array<Commit> = []
  for (const commit of commits) {
    const stream = names.wallet(commit.walletId)
    const claims = names.claims(commit.partition)
    const deleted = [stream, claims].find((name) => isDeleted(actual.get(name)))
    if (deleted !== undefined) return yield* logDefect(`the stream ${deleted} was deleted`)
    const claim = actual.get(claims)
    // Its own check holds: it is not in the log, and only the claim speaks against it.
    if (!actual.has(stream)) {
      if (claim !== undefined) outcomes.set(commit, { _tag: "Fenced", epoch: epochOf(claim) })
      continue
    }
    outcomes.set(commit, claim === undefined ? conflict : { _tag: "Fenced", epoch: epochOf(claim) })
    stale.push(commit)
  }
  if (outcomes.size === 0) return yield* logDefect(`an append was refused for ${[...actual.keys()].join(", ")}`)
  const found = yield* Effect.forEach(stale, (commit) => readBack(names, reads, commit), {
    concurrency: settlementReads
  })
  found.forEach((outcome, index) => outcome && outcomes.set(stale[index]!, outcome))
  return outcomes
})

/** Without a time limit. */
export const make = (connection: KurrentConnection, names: KurrentNames, reads: KurrentReads): Append =>
  Effect.fnUntraced(function* (commits: ReadonlyArray<Commit>) {
    const outcomes = new Map<Commit, AppendOutcome>()
    /** Whether some of it is in the log, or may be. */
    let written = false
    // Asked again, what was just written answers that it is there.
    const afterAll = (error: AppendError): AppendError =>
      written && error._tag === "StoreUnavailable" ? new AppendUnknown({ reason: error.message }) : error
    const waiting = groupsOf(commits)
    // Each turn settles a commit or makes two groups of one, so there are at most two turns per commit.
    for (let group = waiting.shift(); group !== undefined; group = waiting.shift()) {
      const sending = send(connection, recordsOf(names, group), checksOf(names, group))
      const sent = yield* Effect.mapError(sending, afterAll)
      switch (sent._tag) {
        case "Written": {
          const outcome = yield* writtenOutcome(names, group, sent)
          for (const commit of group) outcomes.set(commit, outcome)
          written = true
          break
        }
        case "Violated": {
          const settled = yield* Effect.mapError(settle(names, reads, group, sent.actual), afterAll)
          for (const [commit, outcome] of settled) outcomes.set(commit, outcome)
          const rest = group.filter((commit) => !settled.has(commit))
          if (rest.length > 0) waiting.unshift(rest)
          break
        }
        case "TooLarge":
          if (group.length === 1) return yield* logDefect(`wallet ${group[0]!.walletId}: ${sent.reason}`)
          waiting.unshift(...halvesOf(group))
          break
        case "AnswerTooLarge":
          if (group.length === 1) return yield* new AppendUnknown({ reason: sent.reason })
          written = true
          waiting.unshift(...halvesOf(group))
          break
      }
    }
    return commits.map((commit) => outcomes.get(commit)!)
  })
