/**
 * The feed over server-sent events. Where a connection ends, or nothing comes over it, not even the comments of the
 * service, the next one goes on behind the last event that has come; between two events of the same log nothing is lost.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { EngineQueries, FeedEvent, FeedFailure, FeedFilter, FeedPage } from "../engine/EngineApi.ts"
import { wrongFeed, wrongPosition } from "../engine/QueryForm.ts"
import { readPublicData } from "../domain/PublicEvent.ts"
import { InvalidRequest } from "../domain/Rejection.ts"
import { FeedEvent as EventOnWire } from "../http/api/Schemas.ts"
import { EventUnreadable, StoreDefect, StoreUnavailable } from "../stores/StoreError.ts"
import { given } from "./RemoteCommand.ts"
import { lookFailures } from "./RemoteQueries.ts"
import { type RemoteService, whole } from "./RemoteService.ts"

/** The service sends something every two seconds: a connection that is silent so long is gone. */
const silence = "10 seconds"

/** Milliseconds. */
const retryAfter = 1_000

const feedFailures = [...lookFailures, "InvalidRequest", "PositionGone"] as const

/** A connection has ended: the next one goes on. */
interface Ended {
  readonly _tag: "Ended"
}
const ended: Ended = { _tag: "Ended" }

const readWire = Schema.decodeUnknownEffect(EventOnWire)

const garbled = new StoreDefect({ store: "service", reason: "an event of the feed that cannot be read" })

const eventOf = (event: Sse.Event): Effect.Effect<FeedEvent, StoreDefect | EventUnreadable> =>
  Effect.flatMap(
    Effect.mapError(readWire({ id: event.id, event: event.event, data: event.data }), () => garbled),
    ({ data: { data, time, type, version, walletId }, id: position }) => {
      const told = readPublicData(type, data)
      return Result.isSuccess(told)
        ? Effect.succeed({ position, recorded: { walletId, version, time, event: told.success } })
        : Effect.fail(new EventUnreadable({ walletId, version, type, reason: told.failure, position }))
    }
  )

/** Where a feed is: behind the last event that was handed on. */
interface Place {
  after: bigint
}

/** Milliseconds that a connection stands before that alone counts: one that only ever ends is given up. */
const standing = 1_000

/** What comes over one connection, until it ends; also that it stands is told, by a page without events. */
const pagesOf = (
  response: HttpClientResponse.HttpClientResponse,
  place: Place
): Stream.Stream<FeedPage, FeedFailure | Ended> =>
  Stream.unwrap(
    Effect.map(Clock.currentTimeMillis, (opened) => {
      const decoder = new TextDecoder()
      let parsed: Array<Sse.Event> = []
      const parser = Sse.makeParser((event) => {
        if (event._tag === "Event") parsed.push(event)
      })
      return response.stream.pipe(
        Stream.mapError(() => ended),
        Stream.timeoutOrElse({ duration: silence, orElse: () => Stream.fail(ended) }),
        Stream.mapEffect(
          Effect.fnUntraced(function* (chunk: Uint8Array): Effect.fn.Return<FeedPage, FeedFailure> {
            if (parser.feed(decoder.decode(chunk, { stream: true })) !== undefined) return yield* garbled
            const events = parsed
            parsed = []
            const { after } = place
            const told = (yield* Effect.forEach(events, eventOf)).filter(({ position }) => position > after)
            place.after = told.at(-1)?.position ?? after
            return { after, last: place.after, events: told }
          })
        ),
        Stream.filterEffect(({ events }) =>
          Effect.map(Clock.currentTimeMillis, (now) => events.length > 0 || now - opened >= standing)
        )
      )
    })
  )

/** Opens a connection, which lasts as long as the scope. */
const connect = (
  service: RemoteService,
  place: Place,
  { types, walletIds }: FeedFilter
): Effect.Effect<HttpClientResponse.HttpClientResponse, FeedFailure, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (stream) =>
    Effect.suspend(() => {
      const after = place.after
      const query = { after, ...given({ walletId: walletIds, type: types }) }
      return service.ask({
        asked: { walletId: "", position: after },
        isCommand: false,
        failures: feedFailures,
        send: service.client.feed.follow({ headers: {}, query, ...whole }),
        read: (_, response) =>
          response.headers["content-type"]?.startsWith("text/event-stream") === true
            ? Effect.succeed(response)
            : Effect.fail("another type of content"),
        stream
      })
    })
  )

const away = (): StoreUnavailable =>
  new StoreUnavailable({ store: "service", reason: "the feed of the service ends again and again", retryAfter })

const openFeed =
  (service: RemoteService): EngineQueries["openFeed"] =>
  (after, filter = {}) => {
    const detail = wrongPosition(after) ?? wrongFeed(filter)
    if (detail !== undefined) return Effect.fail(new InvalidRequest({ detail }))
    const own: FeedFilter = {
      walletIds: filter.walletIds && [...filter.walletIds],
      types: filter.types && [...filter.types]
    }
    const place: Place = { after }
    return Effect.map(connect(service, place, own), (first) => {
      let opened: HttpClientResponse.HttpClientResponse | undefined = first
      const connection = Effect.suspend(() => {
        const response = opened
        opened = undefined
        return response === undefined ? connect(service, place, own) : Effect.succeed(response)
      })
      return Stream.unwrap(Effect.map(connection, (response) => pagesOf(response, place))).pipe(
        Stream.concat(Stream.fail(ended)),
        // What has come over a connection begins the waits anew.
        Stream.retry(
          Schedule.while(service.settings.retry, ({ input }) =>
            Effect.succeed((input as FeedFailure | Ended) === ended)
          )
        ),
        Stream.mapError((failure) => (failure._tag === "Ended" ? away() : failure))
      )
    })
  }

export const makeFeed = (service: RemoteService): Pick<EngineQueries, "feed" | "openFeed" | "openOwnFeed"> => {
  const open = openFeed(service)
  return {
    openFeed: open,
    // To the service it is one of those that are served.
    openOwnFeed: (after) => open(after),
    feed: (after, filter) =>
      Stream.unwrap(
        Effect.map(open(after, filter), (pages) => Stream.flattenIterable(Stream.map(pages, ({ events }) => events)))
      )
  }
}
