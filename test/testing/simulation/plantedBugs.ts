/**
 * Bugs as they are really made, each a change of some text of the engine: the simulation has
 * to find every one of them, or it proves nothing; unit tests those that it cannot meet.
 */
import { plantedAhead } from "./plantedAhead.ts"
import { plantedHolds } from "./plantedHolds.ts"
import { plantedJoint } from "./plantedJoint.ts"
import { plantedLegs } from "./plantedLegs.ts"
import { plantedPolicies } from "./plantedPolicies.ts"
import { plantedRefunds } from "./plantedRefunds.ts"
import { answers } from "./answerBugs.ts"
import { bug, change, foundBy, type PlantedBug, type Replacement } from "./plantedBug.ts"

const transfers: ReadonlyArray<PlantedBug> = [
  bug(
    "a transfer is settled before it is received",
    change(
      "engine/TransferRun.ts",
      "  return Effect.flatMap(attempt(steps.arrive(transfer, wanted)), (arrival) => {\n",
      "  const first = inFlight ? attempt(steps.settle(transfer)) : Effect.void\n  return Effect.flatMap(Effect.andThen(first, attempt(steps.arrive(transfer, wanted))), (arrival) => {\n"
    )
  ),
  bug(
    "an outcome that is not known is taken for a refusal: a late receipt after the money went back",
    change(
      "engine/TransferSteps.ts",
      `    case "OperationRefused":\n`,
      `    case "OperationRefused":\n    case "OutcomeUnknown":\n`
    ),
    change(
      "engine/TransferSteps.ts",
      "reason }, arriveKey(transfer), engineOrigin)",
      "reason }, `${arriveKey(transfer)}:no`, engineOrigin)"
    )
  ),
  bug(
    "a refusal of the destination is not put on record there",
    change(
      "engine/TransferSteps.ts",
      `? refuse(wallets, transfer, reversalReason(error)).pipe(\n              Effect.flatMap((reply) => arrivalOf(wallets, transfer, reply)),\n              Effect.catchTag("OperationReversed", refusedFor)\n            )`,
      `? Effect.succeed<Arrival>({ _tag: "Refused", reason: error.message })`
    )
  )
]

const keys: ReadonlyArray<PlantedBug> = [
  bug(
    "a snapshot drops keys and says that it has them all",
    change("actors/KeyWindow.ts", "        skip--\n        coversFrom = version + 1\n", "        skip--\n")
  ),
  bug(
    `the Bloom filter says "never seen" of a key that it has`,
    change(
      "actors/KeyFilter.ts",
      "for (let i = 0, at = hash1, step = hash2; i < probes;",
      "for (let i = 1, at = hash1, step = hash2; i < probes;"
    )
  ),
  bug(
    "the same key twice in one batch has two effects",
    change("actors/BatchPlan.ts", "      accepted.set(envelope.key, verdicts.length - 1)\n", "")
  ),
  bug(
    "a replay answers with the balance of now",
    change("engine/PastCommands.ts", "  balance: recorded.event.balanceAfter,\n  held: recorded.event.heldAfter,\n", "")
  ),
  bug(
    "a retry of what was reversed is told that it is done",
    change("engine/PastCommands.ts", "if (reversed !== undefined) return", "if (reversed === walletId) return")
  )
]

/** Of commands that find all as they want it. */
const unchanged: ReadonlyArray<PlantedBug> = [
  bug(
    "a freeze of a frozen wallet leaves nothing in the log",
    change(
      "domain/LifecycleRules.ts",
      `return nothingChanged(wallet, "Freeze", reason)`,
      "return Result.succeed([] as never)"
    )
  ),
  bug(
    "the key of a command that changed nothing is not remembered",
    change(
      "actors/CommittedBatch.ts",
      "    keys.add(recorded)\n",
      `    if (recorded.event._tag !== "NothingChanged") keys.add(recorded)\n`
    )
  ),
  foundBy(
    "test/domain/Provisional.test.ts",
    "what changed nothing rests on what may still be undone",
    change(
      "domain/LifecycleRules.ts",
      `command === "UpdateWallet" ? traces.has("limit") || traces.has("metadata") : buildsOnStatus(traces)`,
      `command === "UpdateWallet" && traces.has("no such")`
    )
  )
]

const seenFirst = (condition: string): Replacement =>
  change(
    "stores/memory/MemoryEventStore.ts",
    "  const stream = state.streams.get(commit.walletId) ?? []\n  if (holds(stream, commit)) {\n",
    `  const stream = state.streams.get(commit.walletId) ?? []\n  if (${condition}isKeySeen(state, commit)) return keySeen\n  if (holds(stream, commit)) {\n`
  )

const anyVersion = change(
  "stores/memory/MemoryEventStore.ts",
  "(keys.get(key)?.version ?? Infinity) <= expectedVersion",
  "(keys.get(key)?.version ?? Infinity) < expectedVersion + Infinity"
)

const unsure: ReadonlyArray<PlantedBug> = [
  bug(
    "a rejection is told before its key was checked",
    change(
      "actors/CommandBatch.ts",
      "  actor.submitted = true\n",
      `  actor.submitted = true
    plan.verdicts.forEach((verdict, index) => {
      if (verdict._tag === "Rejected") answer(batch[index]!, Effect.fail(verdict.error))
    })\n`
    )
  ),
  bug(
    "the append does not look for the keys of rejected commands",
    change(
      "actors/CommandBatch.ts",
      "commitOf(actor, done, epoch, unsure, join?.joint)",
      "commitOf(actor, done, epoch, unsure.filter((key) => plan.events.some(({ metadata }) => metadata.key === key)), join?.joint)"
    )
  ),
  bug(
    "a batch without events is not looked up",
    change(
      "actors/CommandBatch.ts",
      "if (plan.events.length === 0 && decided.unsure.length > 0) return",
      "if (plan.events.length < 0) return"
    )
  ),
  foundBy(
    "test/engine/UnsureKeys.test.ts",
    "calls that are sent again are left to the append",
    change("actors/KeyLookup.ts", "!lookFirst && !batch.some(isResent)", "!lookFirst")
  ),
  foundBy(
    "test/stores/memory/MemoryStores.test.ts",
    "the append counts keys at versions above the expected one",
    seenFirst("!holds(stream, commit) && "),
    anyVersion
  ),
  bug(
    "the append takes a commit's own keys, there since an earlier try, for those of an earlier command",
    seenFirst(""),
    anyVersion
  ),
  bug(
    "a segment claims to cover a version that it does not",
    change(
      "actors/KeySegments.ts",
      "  const { bits, count, fromVersion, toVersion } = segment\n",
      "  const { bits, count, fromVersion } = segment\n  const toVersion = segment.toVersion + 1\n"
    )
  ),
  bug(
    "a filter is believed to reach to the window that does not",
    change("actors/KeySegments.ts", `if (after >= upTo) return "Filled"`, `if (after >= upTo - 1) return "Filled"`)
  ),
  bug(
    "segments are believed across a gap",
    change("actors/KeySegments.ts", "  segment.fromVersion === from &&\n", ""),
    change("actors/KeySegments.ts", "  segment.previousEventId === previousEventId &&\n", "")
  ),
  foundBy(
    "test/actors/KeySegments.test.ts",
    "a stale segment, of another history, is believed",
    change("actors/KeySegments.ts", "  yield* dropForeign(stores, walletId, filter)\n", "")
  ),
  bug(
    "of a query for many wallets each is given the answer of the first",
    change("actors/KeyQueries.ts", "Effect.succeed(exit.value[index]!)", "Effect.succeed(exit.value[0]!)")
  )
]

const unknownOutcomes = `import { StoreUnavailable } from "../stores/StoreError.ts"\nimport type { StoreDefect } from "../stores/StoreError.ts"\n`

const appends: ReadonlyArray<PlantedBug> = [
  bug(
    "callers are answered before the append",
    change("actors/CommittedBatch.ts", "const replyToBatch = (", "export const replyToBatch = ("),
    change("actors/CommandBatch.ts", "import { committed } from", "import { committed, replyToBatch } from"),
    change(
      "actors/CommandBatch.ts",
      "  actor.submitted = true\n",
      "  actor.submitted = true\n    replyToBatch(actor, batch, plan, context)\n"
    )
  ),
  bug(
    "an unknown outcome of an append is taken for a failure",
    change(
      "actors/AppendDecision.ts",
      `import type { StoreDefect, StoreUnavailable } from "../stores/StoreError.ts"\n`,
      unknownOutcomes
    ),
    change(
      "actors/AppendDecision.ts",
      `      case "AppendUnknown":\n        return true\n`,
      `      case "AppendUnknown":\n        return false\n`
    ),
    change(
      "actors/AppendDecision.ts",
      "Effect.die(error))\n  )\n})",
      `Effect.fail(new StoreUnavailable({ store: "log", reason: error.message, retryAfter: 100 })))\n  )\n})`
    )
  ),
  bug(
    "what a read does not find is taken for never appended",
    change(
      "actors/LogWriter.ts",
      "    append,\n    bounds,\n",
      `    append: (commits) =>
        Effect.catchTag(append(commits), "AppendUnknown", (error) =>
          Effect.flatMap(read(commits[0]!.walletId, { after: commits[0]!.expectedVersion, limit: 1 }), (found) =>
            Effect.fail(found.length > 0 ? error : new StoreUnavailable({ store: "log", reason: "it is not there", retryAfter: 100 })))),\n    bounds,\n`
    ),
    change(
      "actors/LogWriter.ts",
      "const { append, head, prepare } = yield* EventStore",
      "const { append, head, prepare, read } = yield* EventStore"
    ),
    change(
      "actors/LogWriter.ts",
      `import { EventStore } from "../stores/EventStore.ts"\n`,
      `import { EventStore } from "../stores/EventStore.ts"\nimport { StoreUnavailable } from "../stores/StoreError.ts"\n`
    )
  ),
  bug(
    "the expected version is not checked exactly",
    change(
      "stores/memory/MemoryEventStore.ts",
      "stream.length - 1 !== commit.expectedVersion",
      "stream.length - 1 < commit.expectedVersion"
    )
  ),
  bug(
    "the log lets an owner write that was replaced",
    change("stores/memory/MemoryEventStore.ts", `  if (epoch !== commit.epoch) return { _tag: "Fenced", epoch }\n`, "")
  ),
  bug(
    "after a conflict the state is not read again",
    change("actors/CommandBatch.ts", `    case "Conflict": {\n      actor.loaded = false\n`, `    case "Conflict": {\n`)
  ),
  bug(
    "a command's time is the node's, also before the wallet's last event",
    change("actors/DecideAhead.ts", "time: Math.max(now, wallet?.updatedAt ?? 0),", "time: now,")
  )
]

const pipeline: ReadonlyArray<PlantedBug> = [
  bug(
    "Persistence's guard is off by one",
    change(
      "stores/memory/PersistenceWrites.ts",
      "if (persisted < commit.expectedVersion)",
      "if (persisted < commit.expectedVersion - 1)"
    )
  ),
  bug(
    "the recovery after a dead owner leaves the last event",
    change(
      "pipeline/Recovery.ts",
      "(persisted.get(walletId)?.version ?? -1) < version\n",
      "(persisted.get(walletId)?.version ?? -1) < version - 1\n"
    )
  ),
  bug(
    "the checkpoint runs past an append in flight",
    change("pipeline/PersistQueue.ts", "    this.lowWatermarks.add(lowWatermark)\n", "")
  ),
  bug(
    "one event too much counts as persisted",
    change(
      "actors/CommittedBatch.ts",
      "const persisted = wallet.version <= actor.persistedVersion\n",
      "const persisted = wallet.version <= actor.persistedVersion + 1\n"
    )
  ),
  bug(
    "a reversed event stays provisional",
    change(
      "actors/PersistenceProgress.ts",
      "    this.refused.delete(version)\n    this.provisional.remove(operation.event)\n",
      "    this.refused.delete(version)\n"
    )
  ),
  bug(
    "commands build on holds that may still be undone",
    change(
      "domain/Provisional.ts",
      "    if (key !== undefined) this.#countTrace(key, sign)\n",
      '    if (key !== undefined && !key.startsWith("hold ")) this.#countTrace(key, sign)\n'
    )
  )
]

const losses: ReadonlyArray<PlantedBug> = [
  bug(
    "what may have been persisted is reversed",
    change(
      "pipeline/PersistenceWriter.ts",
      "  if (!mayReverse.success) return yield* refuseReversed(context, commit, reason)\n",
      ""
    )
  ),
  bug(
    "the high watermark trails what was given to Persistence",
    change("pipeline/BatchWriter.ts", "    yield* covered(batch)\n", ""),
    change(
      "pipeline/BatchWriter.ts",
      "    queue.resolve(taken)\n",
      "    yield* covered(batch)\n    queue.resolve(taken)\n"
    )
  ),
  foundBy(
    "test/pipeline/HighWatermark.test.ts",
    "what is caught up is given to Persistence without the high watermark",
    change("pipeline/PersistenceWriter.ts", "    yield* context.highWatermark.cover(head.success.position)\n", "")
  ),
  foundBy(
    "test/pipeline/ReplacedOwner.test.ts",
    "what a process has appended is its own to reverse under a later claim, too",
    change("pipeline/ReversibleEvents.ts", "(epoch) => epoch === own.epoch", "(epoch) => epoch >= own.epoch")
  ),
  foundBy(
    "test/pipeline/ReplacedOwner.test.ts",
    "a refusal is written without asking again whether it still may",
    change(
      "pipeline/PersistenceWriter.ts",
      "yield* writeRefusal(context, commit, reason, stillMay)",
      "yield* writeRefusal(context, commit, reason)"
    )
  ),
  foundBy(
    "test/pipeline/OwnShare.test.ts",
    "events of another's claim are brought up while it stands",
    change(
      "pipeline/PersistenceWriter.ts",
      "context.ownShare(walletId, page.success)",
      "Effect.succeed(page.success.length)"
    )
  ),
  bug(
    "rows that were lost do not come back where the log has reversed one of them",
    change(
      "pipeline/PersistenceWriter.ts",
      "  if (known === undefined) {\n",
      "  if (known === undefined || events.length > 0) {\n"
    )
  ),
  bug(
    "(real) a defect of the log ends the raising of the high watermark, and all writing",
    change(
      "pipeline/HighWatermark.ts",
      '        Effect.catchDefect((defect) => Effect.fail(new StoreDefect({ store: "log", reason: String(defect) }))),\n',
      ""
    )
  )
]

const holds: ReadonlyArray<PlantedBug> = [
  bug(
    "a hold expires before its time",
    change("domain/HoldRules.ts", "context.time < hold.expiresAt)", "context.time < hold.expiresAt - 500)"),
    change(
      "engine/Sweepers.ts",
      "persistence.dueHolds({ now, limit })",
      "persistence.dueHolds({ now: now + 500, limit })"
    )
  ),
  bug(
    "a hold is captured after its time",
    change("domain/HoldRules.ts", "time >= expiresAt", "time >= expiresAt + 400")
  )
]

const sizes: ReadonlyArray<PlantedBug> = [
  bug(
    "a transfer is sent though the state has no room for it",
    change(
      "domain/TransferRules.ts",
      "    tooLarge(wallet, transferBytes(command), context.limits)\n",
      "    undefined\n"
    )
  ),
  foundBy(
    "test/pipeline/RoomForReversals.test.ts",
    "a hold is placed in the room of one whose release may still be undone",
    change("domain/Provisional.ts", "return size + this.#freed > bound", "return size > bound")
  )
]

const clocks: ReadonlyArray<PlantedBug> = [
  bug(
    "the wall clock is believed whatever it says",
    change(
      "actors/SoundClock.ts",
      "if (Math.max(Math.abs(step), Math.abs(this.ahead + step)) > this.toleranceMillis) {",
      "if (Math.abs(step) < 0) {"
    ),
    change("actors/SoundClock.ts", "if (Math.abs(ahead) <= this.toleranceMillis) {", "if (Math.abs(ahead) >= 0) {")
  ),
  bug(
    "a step of the clock is noticed by the comparison with the store's alone",
    change(
      "actors/SoundClock.ts",
      "if (Math.max(Math.abs(step), Math.abs(this.ahead + step)) > this.toleranceMillis) {",
      "if (Math.abs(step) < 0) {"
    )
  ),
  bug(
    "a clock beside the store's is taken, as that of a machine that has slept",
    change("actors/SoundClock.ts", "if (Math.abs(ahead) <= this.toleranceMillis) {", "if (Math.abs(ahead) >= 0) {")
  ),
  bug(
    "a clock that was in doubt once is in doubt for ever",
    change(
      "actors/SoundClock.ts",
      "      this.doubt = undefined\n",
      "      if (!this.hasBeenSound) this.doubt = undefined\n"
    )
  ),
  bug(
    "what expires is judged by the wallet's last event",
    change("actors/BatchPlan.ts", "{ time: context.now, limits", "{ time: context.time, limits")
  )
]

/** The simulation found these in the engine; planted again, they have to be found again. */
const real: ReadonlyArray<PlantedBug> = [
  bug(
    "(real) reversals that wait at a replaced owner are tried for ever",
    change("actors/Supervision.ts", "  actor.takeUrgent()\n  // Whatever", "  // Whatever")
  ),
  bug(
    "(real) a replaced owner tells a successor's open hold as closed",
    change("engine/EngineCommands.ts", `hold.status === "active"`, "false")
  ),
  bug(
    "(real) a replaced owner tells a successor's effect with its own old state",
    change("actors/KeyLookup.ts", "if (found.persistedVersion <= (actor.wallet?.version ?? -1)) return", "return")
  ),
  bug(
    "(real) a refused command is told as persisted after the wallet was read again",
    change("actors/WalletLoading.ts", "  yield* tellRefused(actor, persistence)\n", "")
  )
]

export const plantedBugs: ReadonlyArray<PlantedBug> = [
  ...transfers,
  ...plantedJoint,
  ...plantedAhead,
  ...plantedLegs,
  ...plantedPolicies,
  ...plantedHolds,
  ...plantedRefunds,
  ...keys,
  ...unchanged,
  ...unsure,
  ...appends,
  ...pipeline,
  ...losses,
  ...holds,
  ...sizes,
  ...clocks,
  ...answers,
  ...real
]
