/**
 * Refusals of one wallet: each stands in the place of an event of the log, which an
 * OperationReversed has undone. One that still waits for it is a difference only when
 * it has waited too long.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { RecordedEvent } from "../../domain/Event.ts"
import type { Refusal } from "../../stores/Persistence.ts"
import { findReversal } from "../rebuild/RebuildStores.ts"
import { foldVersion } from "./Fold.ts"
import type { Difference } from "./VerifyReport.ts"
import { inRows, type MetRefusal, type VerifyError, type Walk } from "./Walk.ts"

const inRefusal = (walk: Walk, version: number, what: string, expected: string, found: string): Difference =>
  inRows(walk, `${what} of event ${version}`, { expected, found })

/** The fold has passed this event. */
export const meetRefusals = (walk: Walk, { event, id, time, version }: RecordedEvent): void => {
  const refusal = walk.refusals.get(version)
  if (refusal !== undefined) {
    walk.met.set(version, { time, reversedVersion: undefined })
    if (refusal.eventId !== id) walk.differences.push(inRefusal(walk, version, "refusal", id, refusal.eventId))
  }
  const met = event._tag === "OperationReversed" ? walk.met.get(event.reversedVersion) : undefined
  if (met !== undefined) met.reversedVersion = version
}

const compareOpen = Effect.fnUntraced(function* (
  walk: Walk,
  { version, walletId }: Refusal,
  met: MetRefusal
): Effect.fn.Return<void, VerifyError> {
  if ((yield* findReversal(walk.stores.log, walletId, version)) !== undefined) return
  const age = Math.max(0, (yield* Clock.currentTimeMillis) - met.time)
  if (age < walk.options.lagMillis) walk.counts.openRefusals += 1
  else walk.differences.push(inRefusal(walk, version, "reversal", "an OperationReversed in the log", "none"))
})

/** After the fold: the refusals that it has passed, as they were last told. */
export const compareRefusals = Effect.fnUntraced(function* (walk: Walk): Effect.fn.Return<void, VerifyError> {
  for (const refusal of walk.refusals.values()) {
    const met = walk.met.get(refusal.version)
    if (met === undefined) continue
    walk.counts.refusals += 1
    const expected = met.reversedVersion
    const found = refusal.reversedVersion
    if (expected === undefined && found === null) {
      yield* compareOpen(walk, refusal, met)
      continue
    }
    // One that was persisted after the version compared is as good.
    if (expected === found || (expected === undefined && found! > foldVersion(walk.fold))) continue
    const sides = [
      expected === undefined ? "none" : `version ${expected}`,
      found === null ? "none" : `version ${found}`
    ]
    walk.differences.push(inRefusal(walk, refusal.version, "reversal", sides[0]!, sides[1]!))
  }
})
