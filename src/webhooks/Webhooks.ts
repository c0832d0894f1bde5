/**
 * Webhooks: whoever wants to be told of what happens to wallets names a URL, and is sent the events
 * of the log there, at least once, in order per wallet ([WEBHOOKS.md](../../docs/WEBHOOKS.md)).
 *
 * Stands above the engine, of which it is a reader like any other: no command waits for it.
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { randomUUID } from "node:crypto"
import type { AccessDenied, RateLimited } from "../actors/EngineError.ts"
import { isId, isText, isWebhookUrl, maxTextLength, maxWebhookUrlLength } from "../domain/Limits.ts"
import { InvalidRequest } from "../domain/Rejection.ts"
import { wrongFeed } from "../engine/QueryForm.ts"
import { WalletEngine } from "../engine/WalletEngine.ts"
import type { Page, PageRequest } from "../stores/Page.ts"
import { PositionGone, type ReadError } from "../stores/StoreError.ts"
import {
  type Delivery,
  type StoredWebhook,
  type Webhook,
  type WebhookChange,
  type WebhookSettings,
  type WebhookStatus,
  WebhookStore
} from "../stores/WebhookStore.ts"
import type { WebhookRefused } from "./Addresses.ts"
import { makePace } from "./Pace.ts"
import { newSecret, signedHeaders } from "./Signature.ts"
import { makeSupervisor } from "./Supervisor.ts"
import { verify } from "./Verification.ts"
import { WalletOwners } from "./WantedEvents.ts"
import { defaultWebhookBounds, type WebhookBounds } from "./WebhookBounds.ts"
import { testBodyOf } from "./WebhookMessage.ts"
import { type SendOutcome, WebhookSender } from "./WebhookSender.ts"

export interface WebhooksOptions {
  /** `WALLET_WEBHOOK_ALLOW_PRIVATE`, default `false`: also to addresses of this machine and its networks. */
  readonly allowPrivate?: boolean
  readonly bounds?: WebhookBounds
}

/** What is left out, or `null`: of any. */
export interface NewWebhook {
  /** `http:` or `https:`, at most 2,048 characters, without credentials and fragment. */
  readonly url: string
  readonly types?: WebhookSettings["types"]
  readonly walletIds?: WebhookSettings["walletIds"]
  readonly ownerId?: string | null
  readonly description?: string | null
  /** A position of the log: events behind it are delivered; default: those from now on. */
  readonly from?: bigint
}

/** What is left out stays. */
export interface ChangedWebhook extends Partial<WebhookSettings> {
  /** `enabled`: a disabled one goes on from where it was. */
  readonly status?: WebhookStatus
}

/** With the secret that receivers verify with, which nothing else shows. */
export interface WebhookWithSecret {
  readonly webhook: Webhook
  readonly secret: Redacted.Redacted
}

export interface WebhookTest extends SendOutcome {
  /** `webhook-id` of what was sent. */
  readonly messageId: string
  readonly durationMillis: number
}

export class WebhookNotFound extends Schema.TaggedError<WebhookNotFound>()("NotFound", { id: Schema.String }) {
  override get message(): string {
    return `there is no webhook ${this.id}`
  }
}

export class TooManyWebhooks extends Schema.TaggedError<TooManyWebhooks>()("LimitExceeded", {
  limit: Schema.Literal("webhooks"),
  current: Schema.BigInt,
  bound: Schema.BigInt
}) {
  override get message(): string {
    return `an installation has at most ${this.bound} webhooks`
  }
}

/** A replaced secret signs beside the new one for so long, ms, and at most so long. */
export const defaultOverlapMillis = 24 * 60 * 60 * 1000
export const maxOverlapMillis = 7 * defaultOverlapMillis

interface WebhooksService {
  /** The answer alone shows the secret. */
  readonly create: (
    given: NewWebhook
  ) => Effect.Effect<
    WebhookWithSecret,
    InvalidRequest | WebhookRefused | TooManyWebhooks | PositionGone | ReadError | RateLimited | AccessDenied
  >
  readonly get: (id: string) => Effect.Effect<Webhook, WebhookNotFound | ReadError>
  /** Newest first. */
  readonly list: (page: PageRequest) => Effect.Effect<Page<Webhook>, ReadError | InvalidRequest>
  readonly update: (
    id: string,
    change: ChangedWebhook
  ) => Effect.Effect<Webhook, InvalidRequest | WebhookRefused | WebhookNotFound | ReadError>
  readonly remove: (id: string) => Effect.Effect<void, WebhookNotFound | ReadError>
  /** A new secret; the one before signs, too, for `overlapMillis`, at most `maxOverlapMillis`. One older than that no more. */
  readonly rollSecret: (
    id: string,
    options?: { readonly overlapMillis?: number }
  ) => Effect.Effect<WebhookWithSecret, InvalidRequest | WebhookNotFound | ReadError>
  /** Sends one request of the type `WebhookTest`, once, and tells what came of it; also of a disabled one. */
  readonly test: (id: string) => Effect.Effect<WebhookTest, WebhookNotFound | ReadError>
  /** Delivers what is behind this position again, and then goes on; never skips anything. */
  readonly replay: (
    id: string,
    from: bigint
  ) => Effect.Effect<Webhook, InvalidRequest | PositionGone | WebhookNotFound | ReadError | RateLimited | AccessDenied>
  /** The newest attempts, newest first; of an endpoint with many not every success. */
  readonly deliveries: (
    id: string,
    page: PageRequest
  ) => Effect.Effect<Page<Delivery>, WebhookNotFound | ReadError | InvalidRequest>
  /** What an operator has to look at; `undefined`: nothing. */
  readonly trouble: () => string | undefined
}

const shownOf = ({ attempts: _a, epoch: _e, previous: _p, secret: _s, ...webhook }: StoredWebhook): Webhook => webhook

const urlForm = `url: an http or https URL of at most ${maxWebhookUrlLength} characters, without credentials and fragment`

const wrongSettings = ({ description, ownerId, types, url, walletIds }: Partial<WebhookSettings>): string | undefined =>
  (url === undefined || isWebhookUrl(url) ? undefined : urlForm) ??
  wrongFeed({ types: types ?? undefined, walletIds: walletIds ?? undefined }) ??
  (ownerId === undefined || ownerId === null || isId(ownerId) ? undefined : "ownerId: not an id") ??
  (description === undefined || description === null || isText(description, maxTextLength)
    ? undefined
    : `description: at most ${maxTextLength} characters`)

const checked = (settings: Partial<WebhookSettings>): Effect.Effect<void, InvalidRequest> => {
  const detail = wrongSettings(settings)
  return detail === undefined ? Effect.void : Effect.fail(new InvalidRequest({ detail }))
}

interface Parts {
  readonly engine: WalletEngine["Service"]
  readonly store: WebhookStore["Service"]
  readonly sender: WebhookSender["Service"]
  readonly bounds: WebhookBounds
  readonly hurry: Effect.Effect<void>
}

const ofExisting = <A, E>(id: string, effect: Effect.Effect<A | undefined, E>): Effect.Effect<A, E | WebhookNotFound> =>
  Effect.flatMap(effect, (found) =>
    found === undefined ? Effect.fail(new WebhookNotFound({ id })) : Effect.succeed(found)
  )

/** A place in the log that there is. */
const makePosition = ({ engine }: Parts) =>
  Effect.fnUntraced(function* (from: bigint | undefined) {
    const head = yield* engine.feedHead
    if (from === undefined) return head
    if (from < 0n) return yield* new InvalidRequest({ detail: "from: not a position, 0 or more" })
    return from <= head ? from : yield* new PositionGone({ position: from, head })
  })

const makeMaking = (parts: Parts, oneAtATime: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>) => {
  const { bounds, hurry, sender, store } = parts
  const position = makePosition(parts)

  const create = Effect.fnUntraced(function* (given: NewWebhook) {
    yield* checked(given)
    yield* sender.check(given.url)
    const from = yield* position(given.from)
    const { length } = yield* store.all
    if (length >= bounds.webhooks) {
      const [current, bound] = [BigInt(length), BigInt(bounds.webhooks)]
      return yield* new TooManyWebhooks({ limit: "webhooks", current, bound })
    }
    const time = yield* Clock.currentTimeMillis
    const secret = newSecret()
    const webhook: StoredWebhook = {
      id: randomUUID(),
      url: given.url,
      types: given.types ?? null,
      walletIds: given.walletIds ?? null,
      ownerId: given.ownerId ?? null,
      description: given.description ?? null,
      status: "enabled",
      lastError: null,
      secret,
      previous: null,
      position: from,
      walletsBehind: 0,
      epoch: 0,
      attempts: 0,
      createdAt: time,
      updatedAt: time
    }
    yield* store.insert(webhook)
    yield* hurry
    return { webhook: shownOf(webhook), secret: Redacted.make(secret) }
  })

  const rollSecret = Effect.fnUntraced(function* (id: string, overlapMillis: number) {
    if (!Number.isInteger(overlapMillis) || overlapMillis < 0 || overlapMillis > maxOverlapMillis) {
      return yield* new InvalidRequest({ detail: `overlapMillis: a whole number from 0 to ${maxOverlapMillis}` })
    }
    const { secret: replaced } = yield* ofExisting(id, store.get(id))
    const time = yield* Clock.currentTimeMillis
    const secret = newSecret()
    const previous = overlapMillis === 0 ? null : { secret: replaced, until: time + overlapMillis }
    const webhook = yield* ofExisting(id, store.change(id, { secrets: { secret, previous } }, time))
    yield* hurry
    return { webhook: shownOf(webhook), secret: Redacted.make(secret) }
  })

  return {
    create: (given: NewWebhook) => oneAtATime(create(given)),
    rollSecret: (id: string, options: { readonly overlapMillis?: number } = {}) =>
      oneAtATime(rollSecret(id, options.overlapMillis ?? defaultOverlapMillis))
  }
}

const makeChanging = (parts: Parts) => {
  const { hurry, sender, store } = parts
  const position = makePosition(parts)

  const change = Effect.fnUntraced(function* (id: string, given: WebhookChange) {
    const webhook = yield* ofExisting(id, store.change(id, given, yield* Clock.currentTimeMillis))
    yield* hurry
    return shownOf(webhook)
  })

  const update = Effect.fnUntraced(function* (id: string, given: ChangedWebhook) {
    if (Object.values(given).every((value) => value === undefined)) {
      return yield* new InvalidRequest({ detail: "nothing is to be changed" })
    }
    yield* checked(given)
    if (given.url !== undefined) yield* sender.check(given.url)
    return yield* change(id, given)
  })

  const replay = Effect.fnUntraced(function* (id: string, from: bigint) {
    const after = yield* position(from)
    const webhook = yield* ofExisting(id, store.get(id))
    if (after > webhook.position) {
      const detail = `from: the endpoint is at ${webhook.position}, and nothing is skipped`
      return yield* new InvalidRequest({ detail })
    }
    return yield* change(id, { position: after })
  })

  return { update, replay }
}

const makeTest = ({ sender, store }: Parts) =>
  Effect.fnUntraced(function* (id: string) {
    const webhook = yield* ofExisting(id, store.get(id))
    const messageId = `test_${randomUUID()}`
    const time = yield* Clock.currentTimeMillis
    const body = testBodyOf(id, time)
    const headers = signedHeaders(webhook, messageId, time, body)
    const outcome = yield* sender.send({ url: webhook.url, headers, body })
    return { ...outcome, messageId, durationMillis: (yield* Clock.currentTimeMillis) - time }
  })

const make = Effect.fnUntraced(function* (bounds: WebhookBounds) {
  const engine = yield* WalletEngine
  const store = yield* WebhookStore
  const sender = yield* WebhookSender
  const clock = yield* Clock.Clock
  const owners = new WalletOwners(engine, bounds)
  const pace = yield* makePace(bounds, sender.costMillis)
  const { disabled, hurry } = yield* makeSupervisor({ engine, store, sender, owners, bounds, clock, pace })
  const parts: Parts = { engine, store, sender, bounds, hurry }
  const oneAtATime = (yield* Semaphore.make(1)).withPermits(1)

  return Webhooks.of({
    ...makeMaking(parts, oneAtATime),
    ...makeChanging(parts),
    get: (id) => Effect.map(ofExisting(id, store.get(id)), shownOf),
    list: store.list,
    remove: (id) =>
      Effect.flatMap(store.remove(id), (removed) => (removed ? hurry : Effect.fail(new WebhookNotFound({ id })))),
    test: makeTest(parts),
    deliveries: (id, page) => Effect.andThen(ofExisting(id, store.get(id)), store.deliveries(id, page)),
    trouble: () => {
      const [first, ...others] = disabled()
      if (first === undefined) return undefined
      const more = others.length === 0 ? "" : `, and ${others.length} more`
      return `webhook ${first.id} is disabled (${first.lastError})${more}`
    }
  })
})

export class Webhooks extends Context.Service<Webhooks, WebhooksService>()("effect-wallet/webhooks/Webhooks") {
  /** The event of a request that a receiver got, if one of its secrets has signed it. */
  static readonly verify = verify

  /** Delivers, and takes new endpoints, for as long as the layer lives, over whatever sends. */
  static readonly layerOver = (bounds: WebhookBounds) => Layer.effect(Webhooks, make(bounds))

  /** Over HTTP. */
  static readonly layer = ({ allowPrivate = false, bounds = defaultWebhookBounds }: WebhooksOptions = {}) =>
    Webhooks.layerOver(bounds).pipe(Layer.provide(WebhookSender.layer({ allowPrivate, bounds })))
}

/** What the environment says of webhooks. */
export interface WebhooksConfig {
  /** `WALLET_WEBHOOK_ALLOW_PRIVATE`, default `false`. */
  readonly allowPrivate: boolean
}

export const webhooksConfig: Config.Config<WebhooksConfig> = Config.all({
  allowPrivate: Config.Boolean("WALLET_WEBHOOK_ALLOW_PRIVATE").pipe(Config.withDefault(false))
})
