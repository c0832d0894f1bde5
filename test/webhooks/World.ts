/**
 * Webhooks in virtual time, over stores in memory: a receiver that is a function, and a process that can die between
 * any two steps. Who is dead does nothing more: no call of its is answered, its last words included.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { WalletEngine } from "../../src/engine/WalletEngine.ts"
import * as MemoryStores from "../../src/stores/memory/MemoryStores.ts"
import { WebhookStore } from "../../src/stores/WebhookStore.ts"
import { defaultWebhookBounds, type WebhookBounds } from "../../src/webhooks/WebhookBounds.ts"
import { Webhooks } from "../../src/webhooks/Webhooks.ts"
import { type SendOutcome, WebhookSender } from "../../src/webhooks/WebhookSender.ts"

export interface Sent {
  readonly id: string
  readonly walletId: string
  readonly version: number
  readonly url: string
  readonly isAcknowledged: boolean
}

export interface World {
  readonly engine: WalletEngine["Service"]
  readonly store: WebhookStore["Service"]
  readonly sent: Array<Sent>
  /** What a receiver answers; `undefined`: never. */
  answer: (walletId: string, version: number, url: string) => number | undefined
  /** How long an answer takes. */
  answerMillis: number
  /** Positions that were saved, per endpoint. */
  readonly positions: Map<string, Array<bigint>>
}

/** A process. It dies when it has taken so many steps. */
export class Life {
  steps = 0
  readonly died = Deferred.makeUnsafe<void>()
  readonly dieAt: number
  isDead = false

  constructor(dieAt: number) {
    this.dieAt = dieAt
  }

  readonly step: Effect.Effect<void> = Effect.suspend(() => {
    if (!this.isDead && ++this.steps >= this.dieAt) {
      this.isDead = true
      Deferred.doneUnsafe(this.died, Exit.void)
    }
    return this.isDead ? Effect.never : Effect.void
  })
}

const outcomeOf = (status: number): SendOutcome => ({
  status,
  error: status < 300 ? null : `HTTP ${status}`,
  retryAfterMillis: 0
})

const senderOf = (world: World, life: Life): WebhookSender["Service"] => ({
  check: () => Effect.void,
  costMillis: () => 0,
  send: Effect.fnUntraced(function* ({ body, headers, url }) {
    yield* life.step
    if (world.answerMillis > 0) yield* Effect.sleep(world.answerMillis)
    const { data } = JSON.parse(body) as { readonly data: { readonly walletId: string; readonly version: number } }
    const status = world.answer(data.walletId, data.version, url)
    if (status === undefined) return yield* Effect.never
    world.sent.push({ ...data, id: headers["webhook-id"]!, url, isAcknowledged: status < 300 })
    yield* life.step
    return outcomeOf(status)
  })
})

const storeOf = ({ positions, store }: World, life: Life): WebhookStore["Service"] => {
  const around = <A, E>(call: Effect.Effect<A, E>) => Effect.tap(Effect.andThen(life.step, call), () => life.step)
  return {
    ...store,
    claim: (id) => around(store.claim(id)),
    save: (progress) =>
      around(
        Effect.tap(store.save(progress), (isSaved) =>
          Effect.sync(() => {
            if (isSaved) positions.set(progress.id, [...(positions.get(progress.id) ?? []), progress.position])
          })
        )
      ),
    all: Effect.suspend(() => (life.isDead ? Effect.never : store.all))
  }
}

/** Until the scope closes. Time is moved by `whileTime`. */
export const makeWorld = Effect.gen(function* () {
  const context = yield* Layer.build(
    WalletEngine.layer({ bounds: defaultBounds, partitions: 4 }).pipe(Layer.provideMerge(MemoryStores.layer()))
  )
  const world: World = {
    engine: Context.get(context, WalletEngine),
    store: Context.get(context, WebhookStore),
    sent: [],
    answer: () => 204,
    answerMillis: 0,
    positions: new Map()
  }
  return world
})

/** Begins to deliver; answers the service, and how it ends. */
export const live = Effect.fnUntraced(function* (
  world: World,
  life: Life = new Life(Infinity),
  bounds: WebhookBounds = defaultWebhookBounds
) {
  const scope = yield* Scope.make()
  const services = Layer.mergeAll(
    Layer.succeed(WalletEngine, world.engine),
    Layer.succeed(WebhookStore, storeOf(world, life)),
    Layer.succeed(WebhookSender, senderOf(world, life))
  )
  const context = yield* Layer.buildWithScope(Layer.provide(Webhooks.layerOver(bounds), services), scope)
  return { webhooks: Context.get(context, Webhooks), end: Scope.close(scope, Exit.void) }
})

/** Time goes on, `millis` at a step, until the effect is done. */
export const whileTime = <A, E, R>(effect: Effect.Effect<A, E, R>, millis = 50): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(millis)
    return yield* Fiber.join(fiber)
  })

/** Looks again and again, as time goes on, until it is so. */
export const until = <E>(isSo: (() => boolean) | Effect.Effect<boolean, E>, millis = 50): Effect.Effect<void, E> =>
  Effect.gen(function* () {
    while (!(typeof isSo === "function" ? isSo() : yield* isSo)) yield* TestClock.adjust(millis)
  })

/** Per wallet, what was acknowledged, in the order in which it came first. */
export const acknowledgedOf = (sent: ReadonlyArray<Sent>): Record<string, ReadonlyArray<number>> => {
  const versions: Record<string, Array<number>> = {}
  for (const { isAcknowledged, version, walletId } of sent) {
    const known = (versions[walletId] ??= [])
    if (isAcknowledged && !known.includes(version)) known.push(version)
  }
  return versions
}
