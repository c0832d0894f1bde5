/** Somebody else who writes to a wallet under the claim that stands, past every node: rare, and a node has to bear it. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { RecordedEvent } from "../../domain/Event.ts"
import { fold } from "../../domain/Evolve.ts"
import { noMetadata } from "../../domain/Limits.ts"
import { partitionOf } from "../../domain/Partition.ts"
import type { Trial } from "./Trial.ts"
import { partitions } from "./FaultPlan.ts"
import { foreigner } from "./InvariantMonitor.ts"

/** Keys of foreign writers begin with this. */
export const foreignKey = "c:foreign-"

/** What they credit, minor units. */
export const foreignAmount = 1n

/** What somebody with a bad clock dates an event ahead by, ms. */
const datedAhead = [20_000, 3_600_000, 90_000_000]

const isDatedAhead = ({ plan, random }: Trial): boolean => plan.clockStepMillis !== undefined && random.chance(0.3)

/** Whether Persistence has not taken the wallet's creation: nobody may build on that. */
const mayBeUndone = ({ state }: Trial, walletId: string): boolean =>
  (state.persisted.get(walletId)?.length ?? 0) === 0 ||
  (state.refusals.get(walletId) ?? []).some(({ version }) => version === 0)

/** Credits the wallet if it is there, open and not frozen for credits; answers whether it has. */
export const writeForeign = (trial: Trial, walletId: string): boolean => {
  const { history, log, random, state, monitor, world } = trial
  const before = fold(undefined, state.streams.get(walletId) ?? [])
  if (before === undefined || before.status === "closed" || mayBeUndone(trial, walletId)) return false
  if (before.freeze !== null && before.freeze.direction !== "debits") return false
  const partition = partitionOf(walletId, partitions)
  const epoch = state.claims.get(partition) ?? 0
  const id = `00000000-0000-7${random.idTail()}`
  const recorded: RecordedEvent = {
    id,
    walletId,
    version: before.version + 1,
    time: before.updatedAt + (isDatedAhead(trial) ? random.pick(datedAhead) : 0),
    event: {
      _tag: "WalletCredited",
      amount: foreignAmount,
      reference: null,
      metadata: noMetadata,
      effectiveAt: null,
      balanceAfter: before.balance + foreignAmount,
      heldAfter: before.held
    },
    metadata: {
      commandId: id,
      key: `${foreignKey}${trial.foreign++}` as `c:${string}`,
      fingerprint: "foreign",
      correlationId: null,
      causationId: null,
      actor: foreigner,
      epoch
    }
  }
  const commit = {
    walletId,
    partition,
    epoch,
    expectedVersion: before.version,
    events: [recorded],
    wallet: fold(before, [recorded])!
  }
  // Rows that are damaged or behind do not let it write: then there is no conflict.
  const exit = Effect.runSyncExit(log.append([commit]))
  monitor.appended(world.now)
  history.note(world.elapsed, foreigner, `credits ${walletId}@${recorded.version}: ${exit._tag}`)
  return Exit.isSuccess(exit) && exit.value[0]?._tag === "Appended"
}
