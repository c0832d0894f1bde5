/**
 * Delivers to one endpoint: follows the log from where the endpoint is, sends what it wants, wallet
 * by wallet in order, and saves how far it has come. It begins with a claim in the store and ends
 * when somebody else has one, or the endpoint is changed, disabled or removed; whoever comes next
 * begins at what was saved.
 *
 * What is saved is what was acknowledged before: a crash between the two sends some of it again, and loses nothing.
 */
import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { elapsedMillis } from "../actors/Deadlines.ts"
import type { ToldEvent } from "../engine/EngineApi.ts"
import type { FeedPage, WalletEngine } from "../engine/WalletEngine.ts"
import { patiently } from "../stores/EventStore.ts"
import type { ClaimedWebhook, Delivery, StoredWebhook, WebhookStore } from "../stores/WebhookStore.ts"
import { makeBackoff } from "./Backoff.ts"
import { type Lane, Lanes } from "./Lanes.ts"
import type { Pace } from "./Pace.ts"
import { signedHeaders } from "./Signature.ts"
import { type WalletOwners, type WantedEvents, wantedEvents } from "./WantedEvents.ts"
import type { WebhookBounds } from "./WebhookBounds.ts"
import { bodyOf, messageIdOf } from "./WebhookMessage.ts"
import * as WebhookMetrics from "./WebhookMetrics.ts"
import { lineOf, type SendOutcome, type WebhookSender } from "./WebhookSender.ts"

export interface DelivererContext {
  readonly engine: Pick<WalletEngine["Service"], "events" | "openOwnFeed">
  readonly store: WebhookStore["Service"]
  readonly sender: WebhookSender["Service"]
  readonly owners: WalletOwners
  readonly bounds: WebhookBounds
  readonly clock: Clock.Clock
  readonly pace: Pace
  /** As the store was last seen to have it, or earlier; `undefined`: it was not seen. */
  readonly epochOf: (id: string) => number | undefined
}

/** Why nothing more is delivered under this claim. */
type End = "moved" | { readonly disabled: string }

/** Events of a wallet's own stream that are read at a time: kept while they are sent. */
const chunkEvents = 16

/** A wallet whose stream cannot be read now is tried again after this, ms. */
const unreadableMillis = 500

/** How long the last checkpoint may take at a stop, ms: what it would save is sent again. */
const lastSaveMillis = 2_000

export class Deliverer {
  readonly #context: DelivererContext
  readonly #webhook: StoredWebhook
  readonly #wanted: WantedEvents
  readonly #lanes: Lanes
  readonly #ready: Queue.Queue<Lane>
  readonly #retries: Queue.Queue<Lane>
  readonly #fork: (effect: Effect.Effect<void>) => unknown
  readonly #ended = Deferred.makeUnsafe<End>()
  /** Open: there is room for another event, perhaps. */
  readonly #room = Latch.makeUnsafe(true)
  /** Open: not too much is acknowledged and unsaved. */
  readonly #saved = Latch.makeUnsafe(true)
  #unsaved = 0
  #isTouched = false
  #savedAt: number
  #savedPosition: bigint
  #attempts: number
  #recorded: Array<Delivery> = []
  /** Wallets that have failed since the receiver last took anything. */
  readonly #failing = new Set<string>()

  constructor(
    context: DelivererContext,
    { behind, webhook }: ClaimedWebhook,
    parts: {
      readonly ready: Queue.Queue<Lane>
      readonly retries: Queue.Queue<Lane>
      readonly fork: (effect: Effect.Effect<void>) => unknown
    }
  ) {
    this.#context = context
    this.#webhook = webhook
    this.#ready = parts.ready
    this.#retries = parts.retries
    this.#fork = parts.fork
    this.#wanted = wantedEvents(webhook, context.owners)
    this.#lanes = new Lanes(context.bounds, webhook.position, behind, this.#now())
    this.#attempts = webhook.attempts
    this.#savedAt = this.#elapsed()
    this.#savedPosition = webhook.position
  }

  /** Milliseconds: the age of the oldest event that it has read and not delivered. */
  get lagMillis(): number {
    const { oldest } = this.#lanes
    return oldest === undefined ? 0 : Math.max(0, this.#now() - oldest)
  }

  get walletsBehind(): number {
    return this.#lanes.behind.length
  }

  /** Until this claim is over. */
  get run(): Effect.Effect<void, unknown> {
    const { attemptsAtOnce, retriesAtOnce } = this.#context.bounds
    const senders = Array.from({ length: attemptsAtOnce }, () => this.#sending)
    const retriers = Array.from({ length: retriesAtOnce }, () => this.#retrying)
    const all = Effect.all([this.#reading, this.#saving, this.#watching, ...senders, ...retriers], {
      concurrency: "unbounded",
      discard: true
    })
    return Effect.suspend(() => {
      for (const lane of this.#lanes.behind) this.#begin(lane)
      return Effect.raceFirst(Effect.andThen(all, Effect.never), Deferred.await(this.#ended)).pipe(
        Effect.flatMap((end) => (end === "moved" ? Effect.void : this.#disable(end.disabled))),
        Effect.ensuring(this.#lastSave)
      )
    })
  }

  readonly #now = () => Math.round(this.#context.clock.currentTimeMillisUnsafe())
  readonly #elapsed = () => elapsedMillis(this.#context.clock)

  #end(end: End): Effect.Effect<void> {
    return Effect.asVoid(Deferred.succeed(this.#ended, end))
  }

  // --- Reading ---------------------------------------------------------------

  readonly #reading = Effect.suspend(() => this.#context.engine.openOwnFeed(this.#webhook.position)).pipe(
    Effect.flatMap((pages) => Stream.runForEach(pages, (page) => this.#take(page))),
    Effect.scoped,
    Effect.catchTag("PositionGone", ({ head }) =>
      this.#end({
        disabled:
          `the log ends at ${head}, and this endpoint is at ${this.#webhook.position}: it was put back to an ` +
          "earlier copy, or is another one; replay from where the receiver is"
      })
    )
  )

  readonly #take = Effect.fnUntraced({ self: this }, function* (page: FeedPage) {
    let { after } = page
    for (const { position, recorded } of page.events) {
      if (this.#wanted.isWanted(recorded) ?? (yield* this.#wanted.lookUp(recorded))) {
        if (!this.#lanes.hasRoom) yield* this.#waitForRoom
        const lane = this.#lanes.add(recorded, after)
        this.#isTouched = true
        if (lane !== undefined) Queue.offerUnsafe(this.#ready, lane)
      }
      after = position
      this.#lanes.passed(position)
    }
    this.#lanes.passed(page.last)
  })

  readonly #waitForRoom: Effect.Effect<void> = Effect.suspend(() => {
    const { hangingMillis } = this.#context.bounds
    this.#lanes.setAside(this.#elapsed() - hangingMillis)
    if (this.#lanes.hasRoom) return Effect.void
    this.#room.closeUnsafe()
    return Effect.andThen(Effect.raceFirst(this.#room.await, Effect.sleep(hangingMillis)), this.#waitForRoom)
  })

  // --- Sending ---------------------------------------------------------------

  /** A lane has a turn of one event, so that they take turns. */
  readonly #sending = Effect.suspend(() =>
    Effect.flatMap(Queue.take(this.#ready), (lane) => {
      const [first] = lane.events
      if (lane.isBehind || first === undefined) return Effect.sync(() => this.#offer(lane))
      return Effect.flatMap(this.#attempt(lane, first.recorded), (isAcknowledged) =>
        Effect.sync(() => {
          if (isAcknowledged) this.#offer(lane)
        })
      )
    })
  ).pipe(Effect.forever)

  readonly #retrying = Effect.suspend(() =>
    Effect.flatMap(Queue.take(this.#retries), (lane) =>
      Effect.catch(this.#sendChunk(lane), (error) => this.#unreadable(lane, error))
    )
  ).pipe(Effect.forever)

  /** It has something to do yet, and nobody is at it. */
  #offer(lane: Lane): void {
    this.#room.openUnsafe()
    if (this.#lanes.has(lane)) Queue.offerUnsafe(lane.isBehind ? this.#retries : this.#ready, lane)
  }

  /** The next events of a wallet that is behind, from its own stream. */
  readonly #sendChunk = Effect.fnUntraced({ self: this }, function* (lane: Lane) {
    const { walletId } = lane
    let from = lane.delivered
    const events = yield* this.#context.engine.events({ walletId, after: from, limit: chunkEvents })
    if (events.length === 0) return this.#pause(lane, unreadableMillis)
    for (const recorded of events) {
      // It was put back meanwhile, or there is no more to do.
      if (lane.delivered !== from || !this.#lanes.has(lane) || recorded.version > lane.through) break
      if (!this.#wanted.isType(recorded)) this.#lanes.passedBy(lane, recorded.version, from)
      else if (!(yield* this.#attempt(lane, recorded))) return
      from = recorded.version
    }
    this.#offer(lane)
  })

  #unreadable(lane: Lane, error: { readonly _tag: string; readonly message: string }): Effect.Effect<void> {
    if (error._tag === "StoreUnavailable" || error._tag === "RateLimited") {
      return Effect.sync(() => this.#pause(lane, unreadableMillis))
    }
    return this.#failed(lane, { status: null, error: lineOf(error.message), retryAfterMillis: 0 })
  }

  /** `false`: it is tried again, and the lane comes back by itself. */
  readonly #attempt = Effect.fnUntraced({ self: this }, function* (lane: Lane, recorded: ToldEvent) {
    const { pace, sender } = this.#context
    const from = lane.delivered
    yield* this.#saved.await
    yield* pace.delivery
    const time = this.#now()
    const startedAt = (lane.takenAt = this.#elapsed())
    const [id, body] = [messageIdOf(recorded), bodyOf(recorded)]
    const headers = signedHeaders(this.#webhook, id, time, body)
    const outcome = yield* sender.send({ url: this.#webhook.url, headers, body })
    lane.takenAt = undefined
    yield* WebhookMetrics.attempted(outcome)
    this.#record(lane, recorded, outcome, time, this.#elapsed() - startedAt)
    if (outcome.error !== null) {
      yield* this.#failed(lane, outcome)
      return false
    }
    this.#lanes.acknowledged(lane, recorded.version, from)
    if (++this.#unsaved >= this.#context.bounds.unsavedEvents) this.#saved.closeUnsafe()
    this.#answered()
    return true
  })

  /** Failures are kept rather; of either kind the newest. */
  #record(lane: Lane, recorded: ToldEvent, { error, status }: SendOutcome, time: number, took: number): void {
    this.#isTouched = true
    this.#attempts++
    if (this.#recorded.length >= this.#context.bounds.recordedAttempts) {
      const least = this.#recorded.findIndex((known) => known.error === null)
      if (least === -1 && error === null) return
      this.#recorded.splice(Math.max(0, least), 1)
    }
    this.#recorded.push({
      number: this.#attempts,
      messageId: messageIdOf(recorded),
      walletId: lane.walletId,
      version: recorded.version,
      type: recorded.event._tag,
      attempt: lane.attempts + 1,
      time,
      durationMillis: Math.round(took),
      httpStatus: status,
      error
    })
  }

  /** A receiver that was away, and is back, is sent at once whatever waits. */
  #answered(): void {
    const wasAway = this.#failing.size >= this.#context.bounds.awayWallets
    this.#failing.clear()
    if (!wasAway) return
    for (const lane of this.#lanes.behind) if (lane.pause !== undefined) this.#resume(lane)
  }

  readonly #failed = Effect.fnUntraced({ self: this }, function* (lane: Lane, outcome: SendOutcome) {
    const { bounds } = this.#context
    lane.backoff ??= yield* makeBackoff(bounds, lane.attempts)
    const pause = Math.max(yield* lane.backoff, outcome.retryAfterMillis)
    const now = this.#now()
    this.#lanes.refused(lane, outcome.error ?? "", now, pause)
    this.#isTouched = true
    this.#failing.add(lane.walletId)
    this.#room.openUnsafe()
    if (lane.attempts >= bounds.giveUpAttempts && now - (lane.failedSince ?? now) >= bounds.giveUpMillis) {
      const disabled = `wallet ${lane.walletId}, behind version ${lane.delivered}: ${outcome.error}`
      return yield* this.#end({ disabled })
    }
    this.#pause(lane, pause)
  })

  // --- Pauses ----------------------------------------------------------------

  /** Where it was before: a pause is the rest of what it was then. */
  #begin(lane: Lane): void {
    if (this.#wanted.isOtherWallet(lane.walletId)) {
      this.#lanes.drop(lane)
      return
    }
    const rest = lane.nextAt === null ? 0 : lane.nextAt - this.#now()
    if (lane.attempts > 0) this.#failing.add(lane.walletId)
    this.#pause(lane, Math.min(Math.max(0, rest), this.#context.bounds.retryMaxMillis))
  }

  #pause(lane: Lane, millis: number): void {
    if (millis === 0) return this.#offer(lane)
    const pause = {}
    lane.pause = pause
    this.#fork(
      Effect.andThen(
        Effect.sleep(millis),
        Effect.sync(() => {
          if (lane.pause === pause) this.#resume(lane)
        })
      )
    )
  }

  #resume(lane: Lane): void {
    lane.pause = undefined
    this.#offer(lane)
  }

  // --- The checkpoint --------------------------------------------------------

  readonly #saving = Effect.suspend(() => {
    const { idleSaveMillis, saveMillis } = this.#context.bounds
    const isDue = (): boolean => {
      if (this.#isTouched) return true
      return this.#lanes.position !== this.#savedPosition && this.#elapsed() - this.#savedAt >= idleSaveMillis
    }
    return Effect.andThen(
      Effect.sleep(saveMillis),
      Effect.suspend(() => (isDue() ? Effect.andThen(this.#context.pace.checkpoint, this.#save()) : Effect.void))
    )
  }).pipe(Effect.forever)

  /** The lanes, the attempts and the position, as they are at this moment. */
  #save(disabled?: string) {
    return Effect.suspend(() => {
      const { store } = this.#context
      const snapshot = this.#lanes.snapshot()
      const deliveries = this.#recorded
      const acknowledged = this.#unsaved
      this.#recorded = []
      this.#isTouched = false
      const progress = {
        ...snapshot,
        id: this.#webhook.id,
        epoch: this.#webhook.epoch,
        lastError: disabled ?? snapshot.lastError,
        disabled: disabled !== undefined,
        time: this.#now(),
        deliveries,
        attempts: this.#attempts
      }
      const notSaved = Effect.sync(() => {
        this.#lanes.unsaved(snapshot)
        this.#recorded = [...deliveries, ...this.#recorded].slice(-this.#context.bounds.recordedAttempts)
        this.#isTouched = true
      })
      return patiently(store.save(progress)).pipe(
        Effect.onError(() => notSaved),
        Effect.flatMap((isMine) => (isMine ? this.#hasSaved(snapshot.position, acknowledged) : this.#end("moved")))
      )
    })
  }

  #hasSaved(position: bigint, acknowledged: number): Effect.Effect<void> {
    return Effect.sync(() => {
      this.#savedPosition = position
      this.#savedAt = this.#elapsed()
      this.#unsaved -= acknowledged
      this.#saved.openUnsafe()
    })
  }

  #disable(reason: string) {
    return Effect.andThen(Effect.logWarning(`webhook ${this.#webhook.id} is disabled: ${reason}`), this.#save(reason))
  }

  /** At a stop. What it cannot save is sent again. */
  readonly #lastSave = Effect.suspend(() =>
    this.#isTouched ? Effect.timeoutOption(Effect.interruptible(this.#save()), lastSaveMillis) : Effect.void
  ).pipe(Effect.ignoreCause)

  /** Somebody has changed the endpoint, or taken it. */
  readonly #watching = Effect.suspend(() => {
    const { bounds, epochOf } = this.#context
    const known = epochOf(this.#webhook.id)
    return known !== undefined && known > this.#webhook.epoch ? this.#end("moved") : Effect.sleep(bounds.lookMillis / 4)
  }).pipe(Effect.forever)
}

/** Delivers under a claim until it is over. `begun`: is told of it while it lasts. */
export const deliver = Effect.fnUntraced(function* (
  context: DelivererContext,
  claimed: ClaimedWebhook,
  begun: (deliverer: Deliverer) => void
) {
  const parts = {
    // Of each lane one entry at most: they are bounded as the lanes are.
    ready: yield* Queue.unbounded<Lane>(),
    retries: yield* Queue.unbounded<Lane>(),
    fork: yield* FiberSet.makeRuntime<never, void, never>()
  }
  const deliverer = new Deliverer(context, claimed, parts)
  begun(deliverer)
  yield* deliverer.run
}, Effect.scoped)
