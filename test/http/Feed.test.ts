import { assert, it, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Net from "node:net"
import { openFeeds } from "../../src/actors/EngineMetrics.ts"
import { defaultBounds } from "../../src/actors/ActorBounds.ts"
import { heartbeatMillis } from "../../src/http/handlers/FeedHandlers.ts"
import { WalletClient } from "../../src/http/WalletClient.ts"
import * as Problem from "../../src/http/api/Problem.ts"
import * as Server from "./TestServer.ts"

const { TestServer } = Server

interface FeedEvent {
  readonly id: bigint
  readonly event: string
  // A test says by what it reads which document it expects.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly data: any
}

/** The events in a text of the feed; comments may stand between them. */
const eventsOf = (text: string): ReadonlyArray<FeedEvent> =>
  text
    .replace(/^:\n/gm, "")
    .split("\n\n")
    .flatMap((block) => {
      const match = /^id: (\d+)\nevent: (\w+)\ndata: (.*)$/.exec(block)
      return match === null ? [] : [{ id: BigInt(match[1]!), event: match[2]!, data: JSON.parse(match[3]!) }]
    })

const request = (path: string, secret: string, headers: ReadonlyArray<string> = []) =>
  [`GET ${path} HTTP/1.1`, "host: x", `authorization: Bearer ${secret}`, ...headers, "", ""].join("\r\n")

/** Chunks put together: what is between the chunk sizes. */
const bodyOf = (raw: string): string => raw.slice(raw.indexOf("\r\n\r\n") + 4).replace(/(?:^|\r\n)[0-9a-f]+\r\n/g, "")

/** A comment as a chunk of its own: one line, and no empty one behind it. */
const comment = "\r\n2\r\n:\n\r\n"

/** Reads the feed until so many events have come, or the server ends it. */
const read = Effect.fnUntraced(function* (path: string, count: number, headers: ReadonlyArray<string> = []) {
  const { raw, secrets } = yield* TestServer
  const received = yield* raw(request(path, secrets.read, headers), new RegExp(`(?:id: [^]*?\\n\\n[^]*?){${count}}`))
  return { head: received.slice(0, received.indexOf("\r\n\r\n")), events: eventsOf(bodyOf(received)) }
})

/** Follows the feed until the server ends it, from its first comment on; tells how many there were. */
const follow = Effect.fnUntraced(function* (port: number, secret: string) {
  const begun = yield* Deferred.make<void>()
  let comments = 0
  const until = /\r\n0\r\n\r\n$/
  const watched = Object.assign(new RegExp(until), {
    test: (received: string) => {
      comments = received.split(comment).length - 1
      if (comments > 0) Deferred.doneUnsafe(begun, Effect.void)
      return until.test(received)
    }
  })
  const fiber = yield* Effect.forkChild(Server.sendRaw(port)(request("/v1/feed", secret), watched))
  yield* Deferred.await(begun)
  return { end: Fiber.join(fiber), comments: () => comments }
})

/** What so many requests at once are answered at first; none of them ends before all are answered. */
const together = (port: number, text: string, count: number) =>
  Effect.callback<ReadonlyArray<string>>((resume) => {
    const replies: Array<string> = []
    const sockets = Array.from({ length: count }, () => {
      const socket = Net.connect({ port, host: "127.0.0.1" }, () => socket.write(text))
      return socket.once("data", (chunk: Buffer) => {
        replies.push(chunk.toString("latin1"))
        if (replies.length < count) return
        sockets.forEach((one) => one.destroy())
        resume(Effect.succeed(replies))
      })
    })
  })

/** A client that is gone is noticed when it is written to. */
const allGone = Effect.repeat(Metric.value(openFeeds), {
  schedule: Schedule.spaced(20),
  until: ({ value }) => value === 0
})

const client = Layer.unwrap(
  Effect.map(TestServer, ({ secrets, url }) =>
    WalletClient.layer({ baseUrl: url, apiKey: Redacted.make(secrets.read) })
  )
).pipe(Layer.provide(FetchHttpClient.layer), Layer.provideMerge(Server.layer()))

layer(client, { excludeTestServices: true })("the feed", (it) => {
  it.effect("shows all events from the first, then live, each with its place", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const id = yield* wallet({ metadata: { note: "line\nbreak" } })
      yield* call("POST", `/v1/wallets/${id}/credit`, { key: "1", body: { amount: "5", reference: "r" } })
      const reading = yield* Effect.forkChild(read("/v1/feed", 3), { startImmediately: true })
      yield* call("POST", `/v1/wallets/${id}/debit`, { key: "2", body: { amount: "2" } })
      const { events, head } = yield* Fiber.join(reading)
      assert.match(head, /^HTTP\/1\.1 200 /)
      assert.match(head, /content-type: text\/event-stream/i)
      assert.match(head, /cache-control: no-cache/i)
      assert.deepStrictEqual(
        events.slice(0, 3).map(({ data, event }) => [event, data.type, data.walletId, data.version]),
        [
          ["WalletCreated", "WalletCreated", id, 0],
          ["WalletCredited", "WalletCredited", id, 1],
          ["WalletDebited", "WalletDebited", id, 2]
        ]
      )
      assert.strictEqual(events[0]?.data.data.metadata.note, "line\nbreak")
      const { json } = yield* call("GET", `/v1/wallets/${id}/events`)
      assert.deepStrictEqual(
        events.slice(0, 3).map(({ data: { walletId: _, ...event } }) => event),
        json.data
      )
      const positions = events.map(({ id: position }) => position)
      assert.deepStrictEqual(
        positions,
        [...positions].sort((a, b) => (a < b ? -1 : 1))
      )
    })
  )

  it.effect("goes on after a position, and after Last-Event-ID rather", () =>
    Effect.gen(function* () {
      const { wallet } = yield* TestServer
      for (let n = 0; n < 4; n++) yield* wallet()
      const { events } = yield* read("/v1/feed?after=0", 4)
      const [first, second, third, fourth] = events.map(({ id }) => id)
      assert.strictEqual((yield* read(`/v1/feed?after=${first}`, 1)).events[0]?.id, second)
      const resumed = yield* read("/v1/feed?after=0", 1, [`last-event-id: ${third}`])
      assert.strictEqual(resumed.events[0]?.id, fourth)
    })
  )

  it.effect("shows only events of the wallets and of the types that it is asked for", () =>
    Effect.gen(function* () {
      const { call, wallet } = yield* TestServer
      const ids: Array<string> = []
      for (let n = 0; n < 3; n++) ids.push(yield* wallet())
      const [a, b, c] = ids
      for (const id of ids) {
        yield* call("POST", `/v1/wallets/${id}/credit`, { key: "1", body: { amount: "5" } })
        yield* call("POST", `/v1/wallets/${id}/debit`, { key: "2", body: { amount: "2" } })
      }
      const shown = Effect.fnUntraced(function* (query: string, count: number) {
        const reading = yield* Effect.forkChild(read(`/v1/feed?${query}`, count), { startImmediately: true })
        const { events } = yield* Fiber.join(reading)
        return events.slice(0, count).map(({ data, event }) => `${ids.indexOf(data.walletId)} ${event.slice(6)}`)
      })
      assert.deepStrictEqual(yield* shown(`walletId=${b}`, 3), ["1 Created", "1 Credited", "1 Debited"])
      assert.deepStrictEqual(yield* shown(`walletId=${a}&walletId=${c}&type=WalletDebited`, 2), [
        "0 Debited",
        "2 Debited"
      ])
      const several = yield* shown(`walletId=${b}&type=WalletCreated&type=WalletDebited`, 2)
      assert.deepStrictEqual(several, ["1 Created", "1 Debited"])
      // Live, too, and past what it does not show.
      const live = yield* Effect.forkChild(read(`/v1/feed?walletId=${c}&type=WalletFrozen`, 1), {
        startImmediately: true
      })
      yield* call("POST", `/v1/wallets/${a}/freeze`, { key: "3" })
      yield* call("POST", `/v1/wallets/${c}/freeze`, { key: "3" })
      assert.strictEqual((yield* Fiber.join(live)).events[0]?.data.walletId, c)
    })
  )

  it.effect("keeps a quiet connection with comments", () =>
    Effect.gen(function* () {
      const { raw, secrets, wallet } = yield* TestServer
      yield* wallet()
      const { client: _, head } = yield* headOf
      const received = yield* raw(request(`/v1/feed?after=${head}`, secrets.read), /(?:\n:\n[^]*){2}/)
      // An empty line would be an empty event to some clients.
      assert.strictEqual(received.slice(received.indexOf("\r\n\r\n") + 2), `${comment}${comment.slice(2)}`)
    })
  )

  it.effect("refuses a position that the log has not reached", () =>
    Effect.gen(function* () {
      const { call } = yield* TestServer
      const beyond = yield* call("GET", "/v1/feed?after=1000000")
      assert.deepStrictEqual([beyond.status, beyond.json.code], [410, "PositionGone"])
      const last = yield* call("GET", "/v1/feed", { headers: { "last-event-id": "1000000" } })
      assert.strictEqual(last.status, 410)
      const head = yield* call("HEAD", "/v1/feed")
      assert.deepStrictEqual([head.status, head.text], [200, ""])
      const malformed = yield* call("GET", "/v1/feed", { headers: { "last-event-id": "x" } })
      assert.deepStrictEqual([malformed.status, malformed.json.code], [400, "InvalidRequest"])
    })
  )

  it.effect("is let in like every other call, and ends when its key is revoked", () =>
    Effect.gen(function* () {
      const { call, port, secrets } = yield* TestServer
      assert.strictEqual((yield* call("GET", "/v1/feed", { secret: null })).status, 401)
      assert.strictEqual((yield* call("GET", "/v1/feed", { secret: secrets.write })).status, 403)
      const made = yield* call("POST", "/v1/keys", { body: { name: "follower", scopes: ["wallets:read"] } })
      const reading = yield* follow(port, made.json.secret)
      assert.strictEqual((yield* call("DELETE", `/v1/keys/${made.json.id}`)).status, 204)
      const before = reading.comments()
      assert.match(yield* reading.end, /\r\n0\r\n\r\n$/)
      // Told in heartbeats: a busy machine has its own seconds. One may have been on its way.
      const further = reading.comments() - before
      assert.isBelow((further + 1) * heartbeatMillis, 5_000)
    })
  )

  it.effect("is served to so many at once and no more, whatever becomes of their connections", () =>
    Effect.gen(function* () {
      const { call, port, secrets } = yield* TestServer
      // A reply to HEAD has no body, and leaves nothing open.
      for (let n = 0; n < 10; n++) yield* call("HEAD", "/v1/feed")
      const { client: _, head } = yield* headOf
      const follow = request(`/v1/feed?after=${head}`, secrets.read)
      yield* allGone
      const replies = yield* together(port, follow, defaultBounds.feeds + 50)
      const refused = replies.filter((reply) => reply.startsWith("HTTP/1.1 429 "))
      assert.lengthOf(refused, 50)
      for (const reply of refused) assert.match(reply, /retry-after: 5/i)
      // All of them have gone: there is room again.
      yield* allGone
      const [again] = yield* together(port, follow, 1)
      assert.include(again, "text/event-stream")
    })
  )

  it.effect("comes to the typed client as a stream of decoded events", () =>
    Effect.gen(function* () {
      const { wallet } = yield* TestServer
      const { feed } = yield* WalletClient
      const { head } = yield* headOf
      const id = yield* wallet()
      const events = yield* feed.follow({ query: { after: head }, headers: {} })
      const [created] = yield* Stream.runCollect(Stream.take(events, 1))
      assert.strictEqual(created?.id, head + 1n)
      assert.deepInclude(created?.data, { walletId: id, version: 0, type: "WalletCreated" })
      assert.isNumber(created?.data.time)
      const beyond = yield* Effect.flip(feed.follow({ query: { after: 10n ** 9n }, headers: {} }))
      assert.instanceOf(beyond, Problem.PositionGone)
    })
  )
})

/** The position of the last event. */
const headOf = Effect.gen(function* () {
  const { call } = yield* TestServer
  const beyond = yield* call("GET", "/v1/feed?after=1000000000")
  return { client: call, head: BigInt(/head of the log, (\d+)/.exec(beyond.json.detail)?.[1] ?? "0") }
})

it.live("a stop of the server ends a feed at once", () =>
  Effect.gen(function* () {
    // A feed that did not end by itself would hold the stop up for longer than a test may take.
    const shutdownTimeout = 600_000
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(Server.layer({ shutdownTimeout }), scope)
    const { port, secrets } = Context.get(context, TestServer)
    const following = yield* Effect.forEach([1, 2, 3], () => follow(port, secrets.read))
    yield* Scope.close(scope, Exit.void)
    for (const { end } of following) assert.match(yield* end, /\r\n0\r\n\r\n$/)
  })
)
