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
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { WalletApi } from "../api/Api.ts"
import { formatTime } from "../api/SchemaValues.ts"
import { ApiKeys } from "../ApiKeys.ts"
import { bearerOf } from "../Authentication.ts"
import { failureReply, internalError, problemReply, toResponse } from "../HttpReply.ts"
import { publicData, publicType } from "../../domain/PublicEvent.ts"
import { type FeedEvent, WalletEngine } from "../../engine/WalletEngine.ts"
import { PositionGone } from "../../stores/StoreError.ts"

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

/** Feeds of one node at a time: each reads the log for itself. */
const maxFeeds = 200

/**
 * Milliseconds between two comments, and between two looks whether the key still stands: with the
 * reading of the keys, a revocation ends a feed well within five seconds.
 */
export const heartbeatMillis = 2_000

const comment = new TextEncoder().encode(":\n\n")

const headers = Headers.fromInput({
  "cache-control": "no-cache, no-transform",
  // For nginx, which would hold small chunks back.
  "x-accel-buffering": "no"
})

const eventText = ({ position, recorded }: FeedEvent): string => {
  const type = publicType(recorded.event)
  const data = {
    walletId: recorded.walletId,
    version: recorded.version,
    type,
    time: formatTime(recorded.time),
    data: publicData(recorded.event)
  }
  return `id: ${position}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`
}

const tooMany = toResponse(problemReply("RateLimited", `this node serves ${maxFeeds} feeds already`, 5_000))

export const feedHandlers = HttpApiBuilder.group(
  WalletApi,
  "feed",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* WalletEngine
    const keys = yield* ApiKeys
    const stopping = yield* Stopping
    let open = 0
    const counted = Effect.acquireRelease(
      Effect.sync(() => void open++),
      () => Effect.sync(() => void open--)
    )

    /** Comments for as long as the key stands. */
    const heartbeats = (secret: string) =>
      Stream.tick(heartbeatMillis).pipe(
        Stream.takeWhileEffect(() =>
          Effect.match(keys.authenticate(secret), { onFailure: () => false, onSuccess: (key) => key !== undefined })
        ),
        Stream.map(() => comment)
      )

    const events = (after: bigint) =>
      engine.feed(after).pipe(
        Stream.mapArray((page) => [new TextEncoder().encode(page.map(eventText).join(""))] as const),
        // The client sees the end and connects again from where it was.
        Stream.catchCause((cause) => Stream.fromEffectDrain(Effect.logError("a feed has ended", cause)))
      )

    const feed = (after: bigint, secret: string) =>
      Stream.unwrap(
        Effect.as(counted, Stream.merge(events(after), heartbeats(secret), { haltStrategy: "either" }))
      ).pipe(Stream.interruptWhen(Deferred.await(stopping.begun)))

    return handlers.handleRaw("follow", ({ headers: given, query, request }) => {
      const after = given["last-event-id"] ?? query.after ?? 0n
      if (open >= maxFeeds) return Effect.succeed(tooMany)
      const secret = Redacted.make(bearerOf(request.headers["authorization"]))
      return Effect.match(engine.feedHead, {
        onFailure: (error) => toResponse(failureReply(error) ?? internalError),
        onSuccess: (head) =>
          after > head
            ? toResponse(problemReply("PositionGone", new PositionGone({ position: after, head }).message))
            : HttpServerResponse.stream(feed(after, Redacted.value(secret)), {
                contentType: "text/event-stream",
                headers
              })
      })
    })
  })
)
