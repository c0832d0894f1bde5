/**
 * Looks through the log once, from the checkpoints of dead owners up to where it stands, and
 * has everything written that they have left behind.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { WritePipeline } from "../actors/WritePipeline.ts"
import type { EventStore } from "../stores/EventStore.ts"
import type { Persistence } from "../stores/Persistence.ts"
import type { EventUnreadable, ReadError } from "../stores/StoreError.ts"
import { offeredByOthers } from "./HighWatermark.ts"

/** Events per read of the log. */
const pageEvents = 1_000

/** Wallets brought up to the log at one time. */
const concurrentWallets = 8

/** The checkpoint of a recovery that is under way. */
const recoveryOwner = "recovery"

export interface RecoveryContext {
  readonly log: EventStore["Service"]
  readonly persistence: Persistence["Service"]
  readonly pipeline: WritePipeline["Service"]
  /** This node's own checkpoint is not looked at. */
  readonly owner: string
}

/** Of a wallet in a page: its last version, the time of that event, and the first version above a position. */
interface PageHead {
  readonly version: number
  readonly time: number
  readonly firstAbove: number | undefined
}

/** A page of the log, with where to go on. */
export interface Page {
  readonly heads: ReadonlyMap<string, PageHead>
  readonly next: bigint
  /** There was no more when it was read. */
  readonly isLast: boolean
}

/**
 * Reads around events that cannot be read: such an event stops its own wallet only. It is
 * the head of its wallet in a page of its own, so that the wallet is found to be behind.
 */
export const readPage = Effect.fnUntraced(function* (
  log: EventStore["Service"],
  after: bigint,
  above?: bigint
): Effect.fn.Return<Page, ReadError | EventUnreadable> {
  for (let limit = pageEvents; ; limit >>= 1) {
    const page = yield* Effect.result(log.readAll({ after, limit }))
    if (Result.isSuccess(page)) {
      const heads = new Map<string, PageHead>()
      for (const { position, recorded } of page.success) {
        const { time, version, walletId } = recorded
        const isAbove = above !== undefined && position > above
        heads.set(walletId, {
          version,
          time,
          firstAbove: heads.get(walletId)?.firstAbove ?? (isAbove ? version : undefined)
        })
      }
      return { heads, next: page.success.at(-1)?.position ?? after, isLast: page.success.length < limit }
    }
    const error = page.failure
    if (error._tag !== "EventUnreadable" || (limit === 1 && error.position === undefined)) return yield* error
    if (limit > 1) continue
    const { position, version, walletId } = error
    return { heads: new Map([[walletId, { version, time: 0, firstAbove: undefined }]]), next: position!, isLast: false }
  }
})

/** Brings those of the wallets that are below these versions up to the log; returns of each whether it is. */
export const bringUp = Effect.fnUntraced(function* (
  { persistence, pipeline }: RecoveryContext,
  heads: Page["heads"],
  above?: bigint
) {
  if (heads.size === 0) return []
  const persisted = yield* persistence.persistedVersions(Array.from(heads.keys()))
  const behind = Array.from(heads).filter(
    ([walletId, { version }]) => (persisted.get(walletId)?.version ?? -1) < version
  )
  const catchUp = ([walletId, { firstAbove, version }]: (typeof behind)[number]) =>
    firstAbove === undefined || above === undefined
      ? pipeline.catchUp(walletId)
      : pipeline.catchUp(walletId, { from: firstAbove, to: version, above })
  return yield* Effect.forEach(behind, catchUp, { concurrency: concurrentWallets })
})

/** `at`: told where it is, and with `undefined` that it is through. */
export const makeRecovery = (context: RecoveryContext, at: (position: bigint | undefined) => void) => {
  const { log, owner, persistence } = context

  const recover = Effect.fnUntraced(function* (isAlive: (owner: string) => boolean) {
    const checkpoints = yield* persistence.checkpoints
    const dead = checkpoints.filter((checkpoint) => checkpoint.owner !== owner && !isAlive(checkpoint.owner))
    const { position: head } = yield* log.head
    // Nobody has left a checkpoint: this Persistence is new, or was erased.
    let from = checkpoints.every((checkpoint) => checkpoint.owner === owner) ? 0n : head
    for (const checkpoint of dead) if (checkpoint.position < from) from = checkpoint.position
    const stopped = from < head ? yield* lookThrough(from, head) : 0
    for (const checkpoint of dead) {
      // What has stopped is looked for again after the next start.
      if (checkpoint.owner !== recoveryOwner || stopped === 0)
        yield* persistence.setCheckpoint(checkpoint.owner, undefined)
    }
  })

  /** Returns how many wallets are still behind: for them the checkpoint of the recovery stays. */
  const lookThrough = Effect.fnUntraced(
    function* (from: bigint, head: bigint) {
      let found = 0
      let stopped = 0
      // Cut off, the next one goes on from here.
      yield* persistence.setCheckpoint(recoveryOwner, from)
      const above = yield* offeredByOthers(log, owner)
      for (let after = from; after < head;) {
        at(after)
        const page = yield* readPage(log, after, above)
        const behind = yield* bringUp(context, page.heads, above)
        found += behind.length
        stopped += behind.filter((written) => !written).length
        if (page.isLast) break
        after = page.next
        if (stopped === 0) yield* persistence.setCheckpoint(recoveryOwner, after)
      }
      if (stopped === 0) yield* persistence.setCheckpoint(recoveryOwner, undefined)
      if (found > 0) {
        yield* Effect.logInfo(`${found} wallets were behind the log; ${found - stopped} of them are up to it now`)
      }
      return stopped
    },
    Effect.ensuring(
      Effect.sync(() => {
        at(undefined)
      })
    )
  )

  return recover
}
