/**
 * The stores as a node reaches them: every call takes time and may go wrong, and what was
 * sent lands whether or not the node lives to hear of it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Commit } from "../../domain/Commit.ts"
import type { RecordedEvent } from "../../domain/Event.ts"
import { EventStore, type AppendError, type AppendOutcome } from "../../stores/EventStore.ts"
import { Persistence, type PersistOutcome, type Withdrawn } from "../../stores/Persistence.ts"
import { AppendUnknown, type ReadError, type StoreDefect, type StoreUnavailable } from "../../stores/StoreError.ts"
import type { Step } from "./Faults.ts"
import { away, type Caller, type GatedCall, Passage } from "./GatedCall.ts"
import { drawFault, type RareCounts, type Trial } from "./Trial.ts"

export const gatedStores = (trial: Trial, caller: Caller) => {
  const gate = <A, E>(call: GatedCall<A, E>): Effect.Effect<A, E | StoreUnavailable | StoreDefect> =>
    Effect.callback((resume) => {
      if (caller.life.alive)
        new Passage(trial, caller, call, resume).go(drawFault(trial, caller.life, call.step, call.store))
    })
  const reading = <A, E>(step: Step, store: "log" | "persistence", what: string, effect: Effect.Effect<A, E>) =>
    gate<A, E | StoreUnavailable>({ step, store, what: () => what, effect, lost: away(store) })
  return {
    log: gatedLog(trial, gate, reading),
    persistence: gatedPersistence(trial, gate, reading)
  }
}

/** Within a transaction of Persistence, which keeps all others waiting: what is asked there has its answer in the same moment. */
const WithinTransaction = Context.Reference("effect-wallet/testing/simulation/WithinTransaction", {
  defaultValue: () => false
})

const unlessWithin = <A, E, E2>(within: Effect.Effect<A, E>, gated: Effect.Effect<A, E2>): Effect.Effect<A, E | E2> =>
  Effect.flatMap(WithinTransaction, (isWithin): Effect.Effect<A, E | E2> => (isWithin ? within : gated))

type Gate = <A, E>(call: GatedCall<A, E>) => Effect.Effect<A, E | StoreUnavailable | StoreDefect>
type Reading = <A, E>(
  step: Step,
  store: "log" | "persistence",
  what: string,
  effect: Effect.Effect<A, E>
) => Effect.Effect<A, E | StoreUnavailable | StoreDefect>

const describeCommits = (commits: ReadonlyArray<Commit>): string =>
  commits
    .map(
      ({ epoch, events, expectedVersion, joint, unsureKeys, walletId }): string =>
        `${walletId}@${expectedVersion}+${events.map(({ event, metadata }) => `${event._tag}(${metadata.key})`).join("+")}` +
        ` #${epoch}` +
        (unsureKeys === undefined || unsureKeys.length === 0 ? "" : ` unsure of ${unsureKeys.join(" ")}`) +
        (joint === undefined ? "" : ` together with (${describeCommits(joint.commits)})`)
    )
    .join(", ")

/** Counts what a node decides ahead: it is told by what it has prepared for the log. */
class AheadCount {
  private readonly prepared = new WeakSet<ReadonlyArray<RecordedEvent>>()
  private readonly rare: RareCounts

  constructor({ rare }: Trial) {
    this.rare = rare
  }

  readonly prepare = (events: ReadonlyArray<RecordedEvent>): void => {
    if (this.prepared.has(events)) return
    this.prepared.add(events)
    this.rare.ahead++
    this.rare.dropped++
  }

  /** Tries again included, but for the first. */
  sent(commits: ReadonlyArray<Commit>): void {
    for (const { events } of commits) if (this.prepared.delete(events)) this.rare.dropped--
  }
}

const gatedLog = (trial: Trial, gate: Gate, reading: Reading): EventStore["Service"] => {
  const inner = trial.log
  const ahead = new AheadCount(trial)
  return EventStore.of({
    writesPersistence: inner.writesPersistence,
    prepare: ahead.prepare,
    append: (commits) => {
      ahead.sent(commits)
      return gate<Effect.Success<ReturnType<typeof inner.append>>, AppendError>({
        step: "append",
        store: "log",
        what: () => describeCommits(commits),
        effect: inner.append(commits),
        lost: new AppendUnknown({ reason: "the answer was lost" }),
        commits,
        done: (exit) => {
          countRefused(trial, "append", exit)
          countRare(trial, commits, exit)
        }
      })
    },
    read: (walletId, options) =>
      reading("read", "log", `${walletId} after ${options.after}`, inner.read(walletId, options)),
    ...(inner.pastCommands === undefined ? {} : { pastCommands: gatedPast(inner.pastCommands, reading) }),
    readAll: (options) => reading("readAll", "log", `after ${options.after}`, inner.readAll(options)),
    follow: inner.follow,
    head: unlessWithin(inner.head, reading("head", "log", "", inner.head)),
    saveSnapshot: (snapshot) =>
      gate({
        step: "saveSnapshot",
        store: "log",
        what: () => `${snapshot.walletId}@${snapshot.version}`,
        effect: inner.saveSnapshot(snapshot),
        lost: away("log")
      }),
    loadSnapshot: (walletId, bound) => reading("loadSnapshot", "log", walletId, inner.loadSnapshot(walletId, bound)),
    claim: (request) =>
      gate({
        step: "claim",
        store: "log",
        what: () => `by ${request.owner.slice(-6)}`,
        effect: inner.claim(request),
        lost: away("log"),
        done: (exit) => {
          if (Exit.isSuccess(exit)) trial.monitor.claimed(request.owner, exit.value)
        }
      }),
    epochOf: (partition) =>
      unlessWithin(
        inner.epochOf(partition),
        reading("epochOf", "log", `partition ${partition}`, inner.epochOf(partition))
      ),
    raiseHighWatermark: (request) =>
      unlessWithin(
        inner.raiseHighWatermark(request),
        gate({
          step: "raiseHighWatermark",
          store: "log",
          what: () => `${request.owner.slice(-6)} ${request.position}`,
          effect: inner.raiseHighWatermark(request),
          lost: away("log")
        })
      )
  })
}

const gatedPast =
  (
    pastCommands: NonNullable<EventStore["Service"]["pastCommands"]>,
    reading: Reading
  ): NonNullable<EventStore["Service"]["pastCommands"]> =>
  (asked) => {
    const what = asked.map(({ version, walletId }) => `${walletId}@${version}`).join(" ")
    return reading("read", "log", what, pastCommands(asked))
  }

const countRare = (
  { rare }: Trial,
  commits: ReadonlyArray<Commit>,
  exit: Exit.Exit<ReadonlyArray<AppendOutcome>, unknown>
): void => {
  if (Exit.isFailure(exit)) return
  for (const [index, { joint, unsureKeys = [] }] of commits.entries()) {
    const { _tag } = exit.value[index]!
    if (unsureKeys.length > 0) rare.unsure++
    if (_tag === "KeySeen") rare.seen++
    if (_tag === "Appended" && joint !== undefined) rare.joint++
    if (_tag === "Withheld") rare.withheld++
  }
}

const countRefused = (trial: Trial, step: Step, exit: Exit.Exit<unknown, unknown>): void => {
  if (Exit.isSuccess(exit)) return
  const refused = exit.cause.reasons.some(
    (reason) => reason._tag === "Fail" && (reason.error as { readonly _tag?: string })._tag === "OperationRefused"
  )
  if (refused) trial.table.count("refused", step)
}

type Refused = Parameters<Persistence["Service"]["refuse"]>[1]

const gatedPersistence = (trial: Trial, gate: Gate, reading: Reading): Persistence["Service"] => {
  const inner = trial.persistence
  const lost = away("persistence")
  const checkpointsMoved = () => trial.monitor.checkpointsMoved()
  return Persistence.of({
    ...inner,
    write: (commits, checkpoint) =>
      gate({
        step: "write",
        store: "persistence",
        what: () => `${describeCommits(commits)} checkpoint ${checkpoint?.position}`,
        effect: inner.write(commits, checkpoint),
        lost,
        done: (exit) => {
          countRefused(trial, "write", exit)
          trial.monitor.persisted()
          checkpointsMoved()
        }
      }),
    refuse: <E>(commit: Commit, refusal: Refused, stillMay?: Effect.Effect<boolean, E>) =>
      gate<PersistOutcome | Withdrawn, ReadError | E>({
        step: "refuse",
        store: "persistence",
        what: () => describeCommits([commit]),
        effect: inner.refuse(commit, refusal, stillMay && Effect.provideService(stillMay, WithinTransaction, true)),
        lost
      }),
    openRefusals: (options) => reading("openRefusals", "persistence", "", inner.openRefusals(options)),
    refusals: (walletId) => reading("refusals", "persistence", walletId, inner.refusals(walletId)),
    persistedVersions: (walletIds) =>
      reading("persistedVersions", "persistence", walletIds.join(" "), inner.persistedVersions(walletIds)),
    checkpoints: reading("checkpoints", "persistence", "", inner.checkpoints),
    setCheckpoint: (owner, position) =>
      gate({
        step: "setCheckpoint",
        store: "persistence",
        what: () => `${owner.slice(-6)} ${position}`,
        effect: inner.setCheckpoint(owner, position),
        lost,
        done: checkpointsMoved
      }),
    logId: reading("logId", "persistence", "", inner.logId),
    adoptLog: (logId) =>
      gate({ step: "adoptLog", store: "persistence", what: () => logId, effect: inner.adoptLog(logId), lost }),
    findKeys: (asked) => {
      if (asked.length > 1) trial.rare.gathered++
      const what = asked.map(({ keys, walletId }) => `${walletId} ${keys.join(" ")}`).join(", ")
      return reading("findKeys", "persistence", what, inner.findKeys(asked))
    },
    saveKeySegment: (segment) =>
      gate({
        step: "saveKeySegment",
        store: "persistence",
        what: () => `${segment.walletId}@${segment.fromVersion}..${segment.toVersion}`,
        effect: inner.saveKeySegment(segment),
        lost
      }),
    keySegments: (walletId, options) =>
      reading("keySegments", "persistence", `${walletId} from ${options.from}`, inner.keySegments(walletId, options)),
    hold: (walletId, holdId) => reading("hold", "persistence", `${walletId} ${holdId}`, inner.hold(walletId, holdId)),
    openTransfers: (options) => reading("openTransfers", "persistence", "", inner.openTransfers(options)),
    dueFreezes: (options) => reading("dueFreezes", "persistence", "", inner.dueFreezes(options)),
    dueHolds: (options) => reading("dueHolds", "persistence", "", inner.dueHolds(options)),
    now: reading("now", "persistence", "", inner.now)
  })
}
