/**
 * What `verify` compares of the stores as wholes: whose log's events Persistence has,
 * checkpoints that no node can have left, what should have ended by itself, and rules of
 * the user's that will stand in the engine's way.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { LogHead } from "../../stores/EventStore.ts"
import type { Checkpoint, Persistence, RuleFault, RuleTrial } from "../../stores/Persistence.ts"
import type { ReadError } from "../../stores/StoreError.ts"
import { type Difference, dueBound } from "./Report.ts"
import type { VerifyStores } from "./Walk.ts"

/** `checkpoints`: read before the head was, so that none of them can have passed it. */
export const compareStores = Effect.fnUntraced(function* (
  { log, persistence }: VerifyStores,
  head: LogHead,
  checkpoints: ReadonlyArray<Checkpoint>
): Effect.fn.Return<ReadonlyArray<Difference>, ReadError> {
  const inPersistence = (what: string, expected: string, found: string): Difference => ({
    walletId: null,
    store: "persistence",
    what,
    expected,
    found
  })
  const differences: Array<Difference> = []
  const logId = yield* persistence.logId
  if (logId !== undefined && logId !== head.logId) differences.push(inPersistence("id of the log", head.logId, logId))
  if (log.writesPersistence) return differences
  for (const { owner, position } of checkpoints) {
    if (position <= head.position) continue
    differences.push(
      inPersistence(`checkpoint of ${owner}`, `at most ${head.position}, the head of the log`, `${position}`)
    )
  }
  return differences
})

/** Holds and transfers that a running service would have ended; without one they wait for its start. */
export const countOverdue = Effect.fnUntraced(function* (
  { persistence }: VerifyStores,
  lagMillis: number
): Effect.fn.Return<{ readonly overdueHolds: number; readonly overdueTransfers: number }, ReadError> {
  const before = (yield* Clock.currentTimeMillis) - lagMillis
  const holds = yield* persistence.dueHolds({ now: before, limit: dueBound })
  const transfers = yield* persistence.openTransfers({ before, limit: dueBound })
  return { overdueHolds: holds.length, overdueTransfers: transfers.length }
})

const faultWarning = ({ reason, rule, table, tried }: RuleFault): string =>
  `the ${rule} on ${table} refuses ${tried}: ${reason}. A rule has to let the engine's own facts pass ` +
  `(docs/OPERATIONS.md, "Rules of your own")`

const untriedWarning = (reason: string): string => `rules of your own on the tables were not tried: ${reason}`

const warningsOf = ({ faults, untried }: RuleTrial): ReadonlyArray<string> => [
  ...faults.map(faultWarning),
  ...(untried === undefined ? [] : [untriedWarning(untried)])
]

/**
 * Rules of the user's that do not let the engine's own facts pass: no difference yet, but
 * one to come. Never fails: a trial that cannot be made is a warning, too.
 */
export const ruleWarnings = ({ tryRules }: Persistence["Service"]): Effect.Effect<ReadonlyArray<string>> =>
  tryRules === undefined
    ? Effect.succeed([])
    : Effect.match(tryRules, { onSuccess: warningsOf, onFailure: ({ message }) => [untriedWarning(message)] })
