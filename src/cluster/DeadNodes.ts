/**
 * Has everything written that dead nodes have committed and not written. Runs on one node
 * at a time; two would only do the same twice.
 *
 * A node is dead when its lease has run out, or its process has been replaced at its
 * address. Nothing of it can come later from the moment that all partitions are claimed by
 * the living: so each of them is asked first.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { PersistenceError } from "effect/cluster/ClusterError"
import { Ownership } from "../actors/Ownership.ts"
import { WritePipeline } from "../actors/WritePipeline.ts"
import { Reconciler } from "../pipeline/Reconciler.ts"
import { Persistence } from "../stores/Persistence.ts"
import { LeaseStatus } from "./redis/LeaseStatus.ts"
import { OwnerClient } from "./OwnerClient.ts"

/** Between two checks of who lives, and of a partition that nobody has claimed yet. */
const checkInterval = "1 second"

/**
 * Checks in a row in which a node has to be missing: one whose registration is gone makes
 * it anew with the next refresh of its lease.
 */
const checksUntilDead = 3

/** Partitions asked at one time. */
const concurrentAsks = 64

export const make = Effect.gen(function* () {
  const leases = yield* LeaseStatus
  const owners = yield* OwnerClient
  const reconciler = yield* Reconciler
  const persistence = yield* Persistence
  const pipeline = yield* WritePipeline
  const { partitions } = yield* Ownership
  /** How often in a row an owner of a checkpoint was missing. */
  const missing = new Map<string, number>()

  const alive = Effect.map(leases.members, (members) => new Set(members.map(({ incarnation }) => incarnation)))

  const allClaimed = Effect.forEach(
    Array.from({ length: partitions }, (_, partition) => partition),
    (partition) =>
      owners.owned(partition).pipe(
        Effect.catch(() => Effect.succeed(null)),
        Effect.repeat({ until: (epoch) => epoch !== null, schedule: Schedule.spaced(checkInterval) })
      ),
    { concurrency: concurrentAsks, discard: true }
  )

  /** The owners of checkpoints that are surely dead. */
  const dead = Effect.gen(function* () {
    const checkpoints = yield* persistence.checkpoints
    const living: ReadonlySet<string> = yield* alive
    const found = new Set<string>()
    for (const owner of missing.keys()) if (living.has(owner)) missing.delete(owner)
    for (const { owner } of checkpoints) {
      if (living.has(owner)) continue
      const checks = (missing.get(owner) ?? 0) + 1
      missing.set(owner, checks)
      if (checks >= checksUntilDead) found.add(owner)
    }
    return found
  })

  const check = Effect.gen(function* () {
    const found = yield* dead
    if (found.size === 0) return
    yield* allClaimed
    yield* reconciler.recover((owner) => !found.has(owner))
    for (const owner of found) missing.delete(owner)
  })

  /** For ever; never fails. Where an append writes Persistence itself there is nothing to do. */
  const run: Effect.Effect<void> = pipeline.separate
    ? check.pipe(
        Effect.catch((error: { readonly message: string } | PersistenceError) =>
          Effect.logDebug(`dead nodes cannot be looked for: ${error.message}`)
        ),
        Effect.repeat(Schedule.spaced(checkInterval)),
        Effect.asVoid
      )
    : Effect.void
  return { run }
})
