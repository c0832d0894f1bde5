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
import * as Schedule from "effect/Schedule"
import type { ActorBounds } from "../actors/ActorBounds.ts"
import * as EngineMetrics from "../actors/EngineMetrics.ts"
import { NodeIdentity } from "../actors/NodeIdentity.ts"
import { WalletRegistry } from "../actors/WalletRegistry.ts"
import { WritePipeline } from "../actors/WritePipeline.ts"
import type { PositionedEvent } from "../stores/EventStore.ts"
import { EventStore } from "../stores/EventStore.ts"
import { Persistence } from "../stores/Persistence.ts"
import type { ReadError } from "../stores/StoreError.ts"
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
    /** Has everything written that these owners have committed; then their marks are removed. */
    readonly recover: (isAlive: (owner: string) => boolean) => Effect.Effect<void, ReadError>
    readonly load: () => ReconcilerLoad
  }
>()("effect-wallet/engine/Reconciler") {
  static readonly layer = (bounds: ActorBounds) => Layer.effect(Reconciler, make(bounds))
}

const make = Effect.fnUntraced(function* (bounds: ActorBounds) {
  const log = yield* EventStore
  const persistence = yield* Persistence
  const pipeline = yield* WritePipeline
  const registry = yield* WalletRegistry
  const { owner } = yield* NodeIdentity
  const clock = yield* Clock.Clock
  let recovering: bigint | undefined
  let position = 0n

  /** The last version of each wallet in the page. */
  const headsOf = (page: ReadonlyArray<PositionedEvent>, before: number): Map<string, number> => {
    const heads = new Map<string, number>()
    for (const { recorded } of page) if (recorded.time < before) heads.set(recorded.walletId, recorded.version)
    return heads
  }

  const bringUp = Effect.fnUntraced(function* (heads: ReadonlyMap<string, number>) {
    const persisted = yield* persistence.persistedVersions(Array.from(heads.keys()))
    const behind = Array.from(heads).filter(([walletId, version]) => (persisted.get(walletId)?.version ?? -1) < version)
    return yield* Effect.forEach(behind, ([walletId]) => pipeline.catchUp(walletId), { concurrency: concurrentWallets })
  })

  /** An event that cannot be read stops only its own wallet: its page is passed wallet by wallet by the slow look's next round. */
  const readPage = (after: bigint) =>
    log
      .readAll({ after, limit: pageEvents })
      .pipe(
        Effect.catchTag("EventUnreadable", (error) =>
          Effect.andThen(
            Effect.logError(`the reconciler cannot go beyond position ${after}: ${error.message}`),
            Effect.succeed<ReadonlyArray<PositionedEvent>>([])
          )
        )
      )

  const recover = Effect.fnUntraced(function* (isAlive: (owner: string) => boolean) {
    const marks = yield* persistence.marks
    const dead = marks.filter((mark) => mark.owner !== owner && !isAlive(mark.owner))
    const { position: head } = yield* log.head
    // Nobody has left a mark: this Persistence is new, or was erased.
    let from = marks.every((mark) => mark.owner === owner) ? 0n : head
    for (const mark of dead) if (mark.position < from) from = mark.position
    if (from >= head) return
    // Cut off, the next one goes on from here.
    yield* persistence.setMark(recoveryOwner, from)
    const { found, stopped } = yield* lookThrough(from, head)
    yield* Effect.forEach(dead, (mark) => persistence.setMark(mark.owner, undefined), { discard: true })
    if (stopped === 0) yield* persistence.setMark(recoveryOwner, undefined)
    if (found > 0) {
      yield* Effect.logInfo(`${found} wallets were behind the log; ${found - stopped} of them are up to it now`)
    }
  })

  const lookThrough = Effect.fnUntraced(function* (from: bigint, head: bigint) {
    let after = from
    let found = 0
    let stopped = 0
    while (after < head) {
      recovering = after
      const page: ReadonlyArray<PositionedEvent> = yield* readPage(after)
      if (page.length === 0) break
      const behind = yield* bringUp(headsOf(page, Number.POSITIVE_INFINITY))
      found += behind.length
      stopped += behind.filter((written) => !written).length
      after = page[page.length - 1]!.position
      if (stopped === 0) yield* persistence.setMark(recoveryOwner, after)
    }
    recovering = undefined
    return { found, stopped }
  })

  /** One page of the slow look; answers its time in ms. */
  const lookOn = Effect.gen(function* () {
    const startedAt = clock.currentTimeMillisUnsafe()
    const page = yield* readPage(position)
    const heads = headsOf(page, startedAt - settledMillis)
    if (heads.size > 0) {
      const found = yield* bringUp(heads)
      if (found.length > 0) yield* Effect.logWarning(`${found.length} wallets were behind the log that no mark told of`)
    }
    position = page.length < pageEvents ? 0n : page[page.length - 1]!.position
    yield* Metric.update(EngineMetrics.reconcilerPosition, Number(position))
    return clock.currentTimeMillisUnsafe() - startedAt
  }).pipe(Effect.catch((error) => Effect.as(Effect.logWarning(`the reconciler waits: ${error.message}`), restMillis)))

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
        recover(() => false).pipe(
          Effect.tapError((error) => Effect.logWarning(`the reconciler waits: ${error.message}`)),
          Effect.retry(retryPause)
        ),
        Effect.forever(Effect.flatMap(lookOn, (millis) => Effect.sleep(Math.max(restMillis, millis * restFactor))))
      )
    )
    yield* Effect.forkScoped(refusals.run)
  }

  return Reconciler.of({ recover, load: () => ({ recovering, position }) })
})
