/**
 * Handler of `FeedApi`: the log as server-sent events, written by hand, a page of
 * events as one chunk. A client that reads slowly holds back its own reading of the
 * log and nothing else.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Headers from "effect/http/Headers"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { WalletApi } from "../api/Api.ts"
import { formatTime } from "../api/SchemaValues.ts"
import { CurrentKey } from "../api/Authorization.ts"
import { ApiKeys } from "../ApiKeys.ts"
import { bearerOf } from "../Authentication.ts"
import { isNarrow, type LookError, sees, wouldSee } from "../Visibility.ts"
import { failureReply, internalError, ofQuery, plainReply, respond, toResponse } from "../HttpReply.ts"
import type { WalletEventType } from "../../domain/Event.ts"
import type { ApiKey } from "../../stores/ApiKeyStore.ts"
import { publicEvent, publicType } from "../../domain/PublicEvent.ts"
import { type FeedEvent, type FeedPage, WalletEngine } from "../../engine/WalletEngine.ts"

/** Says when the server begins to stop: a feed would never end by itself. */
export class Stopping extends Context.Service<
  Stopping,
  {
    /** Done when no more requests are taken. */
    readonly begun: Deferred.Deferred<void>
  }
>()("effect-wallet/http/handlers/FeedHandlers/Stopping") {
  static readonly layer = Layer.sync(Stopping, () => ({ begun: Deferred.makeUnsafe<void>() }))
}

/**
 * Milliseconds between two comments, and between two looks whether the key still stands: with the
 * reading of the keys, a revocation ends a feed well within five seconds.
 */
export const heartbeatMillis = 2_000

const encoder = new TextEncoder()

/** A line that is no field, and no empty one: that would end an event, and some clients hand on even one without fields. */
const comment = encoder.encode(":\n")

const headers = Headers.fromInput({
  "cache-control": "no-cache, no-transform",
  // For nginx, which would hold small chunks back.
  "x-accel-buffering": "no"
})

const eventText = ({ position, recorded }: FeedEvent): string => {
  const data = JSON.stringify(publicEvent(recorded, formatTime))
  return `id: ${position}\nevent: ${publicType(recorded.event)}\ndata: ${data}\n\n`
}

/** The text of the pages that are shared: made once for all feeds, and kept as long as a page is. */
const makePageText = () => {
  const texts = new WeakMap<FeedPage, Uint8Array>()
  return (page: FeedPage): Uint8Array => {
    let text = texts.get(page)
    if (text === undefined) texts.set(page, (text = encoder.encode(page.events.map(eventText).join(""))))
    return text
  }
}

interface AskedFeed {
  readonly walletIds?: ReadonlyArray<string> | undefined
  readonly types?: ReadonlyArray<WalletEventType> | undefined
}

/** Only wallets that the key can see are read for it, where those are known; where none is left, all are, and none is shown. */
const narrowedFeed = ({ restriction }: ApiKey, filter: AskedFeed): AskedFeed => {
  const own = restriction?.walletIds
  if (own === undefined) return filter
  const both = filter.walletIds === undefined ? own : own.filter((id) => filter.walletIds!.includes(id))
  return both.length === 0 ? filter : { ...filter, walletIds: both }
}

/** Wallets of which a feed remembers whether its key sees them; then it begins anew. */
const rememberedWallets = 10_000

/** Pages with the events of wallets that the key sees. What cannot be known ends the feed: its client comes again. */
const seenPages = <E>(
  engine: WalletEngine["Service"],
  key: ApiKey,
  { walletIds }: AskedFeed,
  pages: Stream.Stream<FeedPage, E>
) => {
  const known = new Map<string, boolean>()
  const isSeen = ({ recorded: { event, walletId } }: FeedEvent): Effect.Effect<boolean, LookError> => {
    if (walletIds !== undefined && !walletIds.includes(walletId)) return Effect.succeed(false)
    const remembered = known.get(walletId)
    if (remembered !== undefined) return Effect.succeed(remembered)
    if (known.size >= rememberedWallets) known.clear()
    if (event._tag === "WalletCreated") {
      const seen = wouldSee(key, { ...event, id: walletId })
      known.set(walletId, seen)
      return Effect.succeed(seen)
    }
    // One that is not there may be made yet, by another owner.
    return Effect.tap(sees(engine, key, walletId), (seen) =>
      Effect.sync(() => void (seen && known.set(walletId, true)))
    )
  }
  return Stream.mapEffect(pages, (page) =>
    Effect.map(Effect.filter(page.events, isSeen), (events): FeedPage => ({ ...page, events }))
  )
}

export const feedHandlers = HttpApiBuilder.group(
  WalletApi,
  "feed",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* WalletEngine
    const keys = yield* ApiKeys
    const stopping = yield* Stopping
    const pageText = makePageText()

    /** Comments for as long as the key stands. */
    const heartbeats = (secret: string) =>
      Stream.tick(heartbeatMillis).pipe(
        Stream.takeWhileEffect(() =>
          Effect.match(keys.authenticate(secret), { onFailure: () => false, onSuccess: (key) => key !== undefined })
        ),
        Stream.map(() => comment)
      )

    const texts = <E>(pages: Stream.Stream<FeedPage, E>) =>
      pages.pipe(
        Stream.filter(({ events }) => events.length > 0),
        Stream.map(pageText),
        // The client sees the end and connects again from where it was.
        Stream.catchCause((cause) => Stream.fromEffectDrain(Effect.logError("a feed has ended", cause)))
      )

    const head = respond(Effect.map(engine.feedHead, (position) => plainReply(200, { position: position.toString() })))

    return handlers
      .handleRaw("head", () => head)
      .handleRaw("follow", ({ headers: given, query, request }) => {
        const secret = bearerOf(request.headers["authorization"])
        const filter = { walletIds: query.walletId, types: query.type }
        const after = given["last-event-id"] ?? query.after ?? 0n
        const open = Effect.flatMap(CurrentKey, (key) =>
          isNarrow(key)
            ? Effect.map(engine.openFeed(after, narrowedFeed(key, filter)), (pages) =>
                seenPages(engine, key, filter, pages)
              )
            : engine.openFeed(after, filter)
        )
        // Open as long as the request is being served, whatever becomes of its reply.
        return Effect.match(open, {
          onFailure: (error) => toResponse(failureReply(ofQuery(error)) ?? internalError),
          onSuccess: (pages) =>
            HttpServerResponse.stream(
              Stream.merge(texts<unknown>(pages), heartbeats(secret), { haltStrategy: "either" }).pipe(
                Stream.interruptWhen(Deferred.await(stopping.begun))
              ),
              { contentType: "text/event-stream", headers }
            )
        })
      })
  })
)
