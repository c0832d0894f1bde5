/**
 * Has every endpoint that is enabled delivered to, on one node of the installation: looks again and
 * again which there are, and tells each deliverer when its endpoint is not what it was.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import { elapsedMillis } from "../actors/Deadlines.ts"
import { Singletons } from "../engine/ClusterStatus.ts"
import { Reader } from "../engine/WalletEngine.ts"
import { patiently } from "../stores/EventStore.ts"
import { StoreOutages } from "../stores/StoreOutages.ts"
import type { StoredWebhook } from "../stores/WebhookStore.ts"
import { type Backoff, makeBackoff } from "./Backoff.ts"
import { deliver, type Deliverer, type DelivererContext } from "./Deliverer.ts"
import * as WebhookMetrics from "./WebhookMetrics.ts"

export interface Supervisor {
  /** An endpoint was made or changed here: does not wait for the next look. */
  readonly hurry: Effect.Effect<void>
  /** Endpoints that were given up, as of the last look. */
  readonly disabled: () => ReadonlyArray<StoredWebhook>
}

/** Between a failure that nobody expects and the next try, ms. */
const failureMillis = 5_000

/** A claim that is over sooner, ms, was most likely taken by another node: one change after the other is rare. */
const shortClaimMillis = 10_000

/** Longest pause of a node that an endpoint was taken from, ms. */
const retreatMillis = 30_000

type Context = Omit<DelivererContext, "epochOf">

/**
 * How long a node waits before it takes an endpoint again: not at all, but where claims end one soon after the other. Two
 * nodes that take it from each other for a moment would else come to save nothing.
 */
const makeRetreat = ({ bounds, clock }: DelivererContext) => {
  const longer = makeBackoff({ ...bounds, retryMillis: bounds.lookMillis, retryMaxMillis: retreatMillis }, 0)
  let short = 0
  let backoff: Backoff | undefined
  return (claimedAt: number) =>
    Effect.gen(function* () {
      const isShort = elapsedMillis(clock) - claimedAt < shortClaimMillis
      short = isShort ? short + 1 : 0
      if (!isShort) backoff = undefined
      if (short < 2) return
      backoff ??= yield* longer
      yield* Effect.sleep(yield* backoff)
    })
}

/** Claims an endpoint and delivers to it, for ever. */
const delivering = (context: DelivererContext, id: string, running: Map<string, Deliverer>): Effect.Effect<void> => {
  const { bounds, clock, store } = context
  const once = Effect.fnUntraced(function* (retreat: ReturnType<typeof makeRetreat>) {
    const claimed = yield* patiently(store.claim(id))
    if (claimed === undefined) return yield* Effect.sleep(bounds.lookMillis)
    const claimedAt = elapsedMillis(clock)
    yield* deliver(context, claimed, (deliverer) => running.set(id, deliverer))
    running.delete(id)
    yield* retreat(claimedAt)
  })
  const again = (cause: Cause.Cause<unknown>): Effect.Effect<void> =>
    Cause.hasInterruptsOnly(cause)
      ? Effect.interrupt
      : Effect.andThen(
          Effect.logWarning(`webhook ${id} cannot be delivered to; tried again`, cause),
          Effect.sleep(failureMillis)
        )
  return Effect.suspend(() => {
    const retreat = makeRetreat(context)
    return Effect.forever(Effect.catchCause(once(retreat), again))
  }).pipe(Effect.ensuring(Effect.sync(() => running.delete(id))), Effect.provideService(Reader, `webhook ${id}`))
}

const isGivenUp = ({ lastError, status }: StoredWebhook): boolean => status === "disabled" && lastError !== null

const publish = (webhooks: ReadonlyArray<StoredWebhook>, running: ReadonlyMap<string, Deliverer>) =>
  Effect.suspend(() => {
    const deliverers = [...running.values()]
    const lagMillis = deliverers.reduce((most, one) => Math.max(most, one.lagMillis), 0)
    const behind = deliverers.reduce((total, one) => total + one.walletsBehind, 0)
    return Effect.all(
      [
        Metric.update(WebhookMetrics.lag, lagMillis / 1_000),
        Metric.update(WebhookMetrics.walletsBehind, behind),
        Metric.update(WebhookMetrics.endpoints, webhooks.filter(({ status }) => status === "enabled").length),
        Metric.update(WebhookMetrics.disabledEndpoints, webhooks.filter(isGivenUp).length)
      ],
      { discard: true }
    )
  })

/** Works until the scope closes. */
export const makeSupervisor = Effect.fnUntraced(function* (
  given: Context
): Effect.fn.Return<Supervisor, never, Scope.Scope> {
  yield* WebhookMetrics.begun
  const singletons = yield* Singletons
  const scope = yield* Effect.scope
  const outage = (yield* StoreOutages.current).of("persistence")
  const wanted = Latch.makeUnsafe(false)
  const running = new Map<string, Deliverer>()
  const registered = new Map<string, Scope.Closeable>()
  let seen: ReadonlyMap<string, StoredWebhook> = new Map()
  const context: DelivererContext = { ...given, epochOf: (id) => seen.get(id)?.epoch }

  const register = Effect.fnUntraced(function* (id: string) {
    const own = yield* Scope.fork(scope)
    registered.set(id, own)
    yield* Scope.provide(singletons.register(`wallet/webhook/${id}`, delivering(context, id, running)), own)
  })

  const look = Effect.gen(function* () {
    const webhooks = yield* given.store.all
    seen = new Map(webhooks.map((webhook) => [webhook.id, webhook]))
    for (const [id, own] of registered) {
      if (seen.get(id)?.status === "enabled") continue
      registered.delete(id)
      yield* Scope.close(own, Exit.void)
    }
    for (const { id, status } of webhooks) if (status === "enabled" && !registered.has(id)) yield* register(id)
    yield* publish(webhooks, running)
  })

  const asker = "webhooks"
  yield* Effect.sync(() => wanted.closeUnsafe()).pipe(
    Effect.andThen(look),
    Effect.andThen(outage.answered(asker)),
    Effect.catch((error) => outage.failed(asker, error.message, "webhooks are delivered as they were meanwhile")),
    Effect.andThen(Effect.raceFirst(Effect.sleep(given.bounds.lookMillis), wanted.await)),
    Effect.forever,
    Effect.forkScoped
  )

  return {
    hurry: Effect.asVoid(wanted.open),
    disabled: () => [...seen.values()].filter(isGivenUp)
  }
})
