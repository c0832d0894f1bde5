/**
 * Finds what was committed and never written to a Persistence of its own, and has it
 * written: the log is the outbox.
 *
 * Every node leaves a mark: all its appends below that position are persisted. When the
 * node is gone, the log is looked through from there once, up to where it stood when the
 * node's claims were taken; nothing of that node can come later. Beside that a slow look
 * goes over the whole log again and again, for what no mark tells of, and refusals whose
 * reversal a crash has cut off are finished.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import * as EngineMetrics from "../actors/EngineMetrics.ts"
import { NodeIdentity } from "../actors/NodeIdentity.ts"
import { WalletRegistry } from "../actors/WalletRegistry.ts"
import { WritePipeline } from "../actors/WritePipeline.ts"
import { EventStore } from "../stores/EventStore.ts"
import { Persistence } from "../stores/Persistence.ts"
import type { EventUnreadable, ReadError } from "../stores/StoreError.ts"
import { makeSweeper } from "./Sweeper.ts"

/** Events per read of the log. */
const pageEvents = 1_000

/** Wallets brought up to the log at one time. */
const concurrentWallets = 8

/** The slow look rests so many times as long as it worked: it takes some 2 % of the node. */
const restFactor = 50

/** … and at least so long, ms. */
const restMillis = 1_000

/** Events younger than this are on their way anyway, ms. */
const settledMillis = 30_000

/** Between two looks for refusals that wait for their reversal, ms. */
const refusalsMillis = 2_000

/** The mark of a recovery that is under way. */
const recoveryOwner = "recovery"

/** An outage is asked again after so long. */
const retryPause = Schedule.spaced("1 second")

export interface ReconcilerLoad {
  /** Where the look after dead owners is; `undefined`: there is none under way. */
  readonly recovering: bigint | undefined
  /** Where the slow look over the whole log is. */
  readonly position: bigint
}

export class Reconciler extends Context.Service<
  Reconciler,
  {
    /**
     * Has everything written that dead owners have committed; then their marks are removed.
     * To be called when their claims have been taken: nothing of theirs can come later. Not
     * to be run on two nodes, or twice, at one time.
     */
    readonly recover: (isAlive: (owner: string) => boolean) => Effect.Effect<void, ReadError | EventUnreadable>
    readonly load: () => ReconcilerLoad
  }
>()("effect-wallet/engine/Reconciler") {
  /** `alone`: no other node lives beside this one, so it recovers after all others as it starts. */
  static readonly layer = (bounds: ActorBounds, options: { readonly alone: boolean } = { alone: true }) =>
    Layer.effect(Reconciler, make(bounds, options.alone))
}

/** A page of the log, with where to go on. */
interface Page {
  /** The last version of each wallet in it, and the time of that event. */
  readonly heads: ReadonlyMap<string, { readonly version: number; readonly time: number }>
  readonly next: bigint
  /** There was no more when it was read. */
  readonly isLast: boolean
}

/**
 * Reads around events that cannot be read: such an event stops its own wallet only. It is
 * the head of its wallet in a page of its own, so that the wallet is found to be behind.
 */
const readPage = Effect.fnUntraced(function* (
  log: EventStore["Service"],
  after: bigint
): Effect.fn.Return<Page, ReadError | EventUnreadable> {
  for (let limit = pageEvents; ; limit >>= 1) {
    const page = yield* Effect.result(log.readAll({ after, limit }))
    if (Result.isSuccess(page)) {
      const heads = new Map<string, { readonly version: number; readonly time: number }>()
      for (const { recorded } of page.success) heads.set(recorded.walletId, recorded)
      return { heads, next: page.success.at(-1)?.position ?? after, isLast: page.success.length < limit }
    }
    const error = page.failure
    if (error._tag !== "EventUnreadable" || (limit === 1 && error.position === undefined)) return yield* error
    if (limit > 1) continue
    const { position, version, walletId } = error
    return { heads: new Map([[walletId, { version, time: 0 }]]), next: position!, isLast: false }
  }
})

const make = Effect.fnUntraced(function* (bounds: ActorBounds, alone: boolean) {
  const log = yield* EventStore
  const persistence = yield* Persistence
  const pipeline = yield* WritePipeline
  const registry = yield* WalletRegistry
  const { owner } = yield* NodeIdentity
  const clock = yield* Clock.Clock
  let recovering: bigint | undefined
  let position = 0n
  let isWaiting = false

  const bringUp = Effect.fnUntraced(function* (versions: ReadonlyMap<string, number>) {
    if (versions.size === 0) return []
    const persisted = yield* persistence.persistedVersions(Array.from(versions.keys()))
    const behind = Array.from(versions).filter(
      ([walletId, version]) => (persisted.get(walletId)?.version ?? -1) < version
    )
    return yield* Effect.forEach(behind, ([walletId]) => pipeline.catchUp(walletId), { concurrency: concurrentWallets })
  })

  const recover = Effect.fnUntraced(function* (isAlive: (owner: string) => boolean) {
    const marks = yield* persistence.marks
    const dead = marks.filter((mark) => mark.owner !== owner && !isAlive(mark.owner))
    const { position: head } = yield* log.head
    // Nobody has left a mark: this Persistence is new, or was erased.
    let from = marks.every((mark) => mark.owner === owner) ? 0n : head
    for (const mark of dead) if (mark.position < from) from = mark.position
    const stopped = from < head ? yield* lookThrough(from, head) : 0
    for (const mark of dead) {
      // What has stopped is looked for again after the next start.
      if (mark.owner !== recoveryOwner || stopped === 0) yield* persistence.setMark(mark.owner, undefined)
    }
  })

  /** Answers how many wallets are still behind: for them the mark of the recovery stays. */
  const lookThrough = Effect.fnUntraced(
    function* (from: bigint, head: bigint) {
      let found = 0
      let stopped = 0
      // Cut off, the next one goes on from here.
      yield* persistence.setMark(recoveryOwner, from)
      for (let after = from; after < head;) {
        recovering = after
        const page = yield* readPage(log, after)
        const behind = yield* bringUp(new Map(Array.from(page.heads, ([walletId, { version }]) => [walletId, version])))
        found += behind.length
        stopped += behind.filter((written) => !written).length
        if (page.isLast) break
        after = page.next
        if (stopped === 0) yield* persistence.setMark(recoveryOwner, after)
      }
      if (stopped === 0) yield* persistence.setMark(recoveryOwner, undefined)
      if (found > 0) {
        yield* Effect.logInfo(`${found} wallets were behind the log; ${found - stopped} of them are up to it now`)
      }
      return stopped
    },
    Effect.ensuring(
      Effect.sync(() => {
        recovering = undefined
      })
    )
  )

  /** Those that nobody has in work. */
  const forgotten = ({ heads }: Page, before: number): ReadonlyMap<string, number> => {
    const versions = new Map<string, number>()
    for (const [walletId, { time, version }] of heads) {
      if (time < before && !pipeline.isAside(walletId)) versions.set(walletId, version)
    }
    return versions
  }

  /** One page of the slow look; answers its time in ms. */
  const lookOn = Effect.gen(function* () {
    const startedAt = clock.currentTimeMillisUnsafe()
    const page = yield* readPage(log, position)
    const found = yield* bringUp(forgotten(page, startedAt - settledMillis))
    if (found.length > 0) yield* Effect.logWarning(`${found.length} wallets were behind the log that no mark told of`)
    position = page.isLast ? 0n : page.next
    isWaiting = false
    yield* Metric.update(EngineMetrics.reconcilerPosition, Number(position))
    return clock.currentTimeMillisUnsafe() - startedAt
  }).pipe(Effect.catch((error) => Effect.as(reportWaiting(error), restMillis)))

  /** An outage is told of once. */
  const reportWaiting = (error: ReadError | EventUnreadable) =>
    Effect.suspend(() => {
      if (isWaiting) return Effect.void
      isWaiting = true
      return Effect.logWarning(`the reconciler waits: ${error.message}`)
    })

  const refusals = makeSweeper<
    { readonly walletId: string; readonly version: number; readonly reason: string },
    ReadError
  >(bounds, {
    name: "reversals of refused operations",
    intervalMillis: refusalsMillis,
    find: (limit) => persistence.openRefusals({ after: { walletId: "", version: -1 }, limit }),
    idOf: ({ version, walletId }) => `${walletId} ${version}`,
    handle: ({ reason, version, walletId }) =>
      Effect.sync(() => {
        registry.compensate(walletId, version, reason)
        return false
      })
  })

  if (pipeline.separate) {
    yield* Effect.forkScoped(
      Effect.andThen(
        alone ? recover(() => false).pipe(Effect.tapError(reportWaiting), Effect.retry(retryPause)) : Effect.void,
        Effect.forever(Effect.flatMap(lookOn, (millis) => Effect.sleep(Math.max(restMillis, millis * restFactor))))
      )
    )
    yield* Effect.forkScoped(refusals.run)
  }

  return Reconciler.of({ recover, load: () => ({ recovering, position }) })
})
