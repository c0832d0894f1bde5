/**
 * Readers beside credits: how many credits the service takes a second while feeds catch up from
 * the first event and others list and look into the past, against none of them; and what
 * followers cost that have nothing to read.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import { type Place, thisCheckout } from "../against/Checkout.ts"
import { createWallets, creditTo, load, loadAnyhow, type Service, startService } from "../HttpService.ts"
import { runModule } from "../NodeProcess.ts"
import { type FeedLoad, FeedLoadReport } from "./FeedLoad.ts"
import { atLeast, atMost, type OverloadContext, type OverloadFigure, type OverloadRow, told } from "./OverloadRow.ts"

const connections = 64
const walletCount = 100
const listingConnections = 256
const feedCounts = [1, 5, 20, 100] as const
const idleFollowers = 60

/** Readers begin so long before the credits that count, and end so long after them. */
const aroundMillis = 1_000

const follow = ({ apiKey, url }: Service, options: Pick<FeedLoad, "after" | "feeds" | "millis">) =>
  runModule("bench/overload/FeedWorker", [
    JSON.stringify({ ...options, apiKey, host: url.hostname, port: Number(url.port) } satisfies FeedLoad)
  ]).pipe(
    Effect.flatMap((output) => Schema.decodeEffect(Schema.fromJsonString(FeedLoadReport))(output.trim())),
    Effect.orDie
  )

/** Closed loop: every connection asks again when it is answered, whatever it was. */
const list = (service: Service, wallets: ReadonlyArray<string>, path: string, millis: number) =>
  loadAnyhow({ rampMillis: 0, millis }, service, {
    method: "GET",
    path,
    headers: { authorization: `Bearer ${service.apiKey}` },
    body: "",
    wallets,
    status: "200",
    connections: listingConnections / 2
  })

const credits = (service: Service, wallets: ReadonlyArray<string>, millis: number) =>
  Effect.map(
    load({ rampMillis: aroundMillis, millis }, service, { ...creditTo(wallets, service), connections }),
    ({ perSecond }) => perSecond
  )

interface Readers {
  readonly feeds: number
  readonly listing: boolean
}

/** Credits per second beside readers, and what the readers had. */
const beside = Effect.fnUntraced(function* (
  { millis, progress }: OverloadContext,
  service: Service,
  wallets: ReadonlyArray<string>,
  { feeds, listing }: Readers
) {
  const whole = millis + 3 * aroundMillis
  const feeding = yield* Effect.forkChild(
    feeds === 0 ? Effect.undefined : follow(service, { feeds, after: "0", millis: whole })
  )
  const paths = listing ? ["/v1/wallets/{w}/transactions", "/v1/wallets/{w}?atVersion=1"] : []
  const listingNow = yield* Effect.forEach(paths, (path) => Effect.forkChild(list(service, wallets, path, whole)))
  yield* Effect.sleep(aroundMillis)
  const perSecond = yield* credits(service, wallets, millis)
  const feed = yield* Fiber.join(feeding)
  const lists = yield* Effect.forEach(listingNow, (fiber) => Fiber.join(fiber))
  yield* progress(
    JSON.stringify({ feeds, listing, perSecond, feed, lists: lists.map(({ p99, statuses }) => ({ statuses, p99 })) })
  )
  return perSecond
})

const transactionsOf = (place: Place): Effect.Effect<number> =>
  place._tag === "Folder"
    ? Effect.succeed(Number.NaN)
    : Effect.flatMap(
        SqlClient,
        (sql) => sql<{ readonly count: number }>`
          select xact_commit::float8 as count from pg_stat_database where datname = current_database()`
      ).pipe(
        Effect.map(([row]) => row?.count ?? Number.NaN),
        Effect.provide(PgClient.layer({ url: place.url, maxConnections: 1 })),
        Effect.orDie
      )

/** Position of the last event. */
const headOf = Effect.fnUntraced(
  function* ({ apiKey, url }: Service) {
    const client = yield* HttpClient.HttpClient
    const request = HttpClientRequest.get(new URL("/v1/feed?after=999999999999", url))
    const response = yield* client.execute(HttpClientRequest.bearerToken(request, apiKey))
    return /head of the log, (\d+)/.exec(yield* response.text)?.[1] ?? "0"
  },
  Effect.provide(FetchHttpClient.layer),
  Effect.orDie
)

/** Transactions of the database per second beside so many followers that have nothing to read. */
const idle = Effect.fnUntraced(function* ({ place }: OverloadContext, service: Service, feeds: number) {
  const millis = 5_000
  const after = yield* headOf(service)
  const following = yield* Effect.forkChild(follow(service, { feeds, after, millis: millis + 4 * aroundMillis }))
  // The server tells of a session's transactions a second later.
  yield* Effect.sleep(2 * aroundMillis)
  const before = yield* transactionsOf(place)
  yield* Effect.sleep(millis)
  const count = (yield* transactionsOf(place)) - before
  yield* Fiber.join(following)
  return (count * 1_000) / millis
})

const run = Effect.fnUntraced(function* (context: OverloadContext) {
  const { millis, place, progress } = context
  const service = yield* startService(thisCheckout, place)
  const wallets = yield* createWallets(service, walletCount)
  yield* progress("a log to read")
  yield* credits(service, wallets, Math.max(millis, 5_000))
  const figures: Array<OverloadFigure> = []
  const bar = place._tag === "Folder" ? 0.5 : 0.7
  for (const feeds of feedCounts) {
    const without = yield* beside(context, service, wallets, { feeds: 0, listing: false })
    const rate = yield* beside(context, service, wallets, { feeds, listing: false })
    figures.push(told(`credits without readers`, "/s", without), told(`credits, ${feeds} feeds`, "/s", rate))
    figures.push(told(`${feeds} feeds: of none`, "×", rate / without))
  }
  const without = yield* beside(context, service, wallets, { feeds: 0, listing: false })
  const both = yield* beside(context, service, wallets, { feeds: 100, listing: true })
  const again = yield* beside(context, service, wallets, { feeds: 0, listing: false })
  const name = `100 feeds and ${listingConnections} listing connections: of none`
  figures.push(
    told("credits without readers", "/s", (without + again) / 2),
    told("credits, 100 feeds, listing", "/s", both)
  )
  figures.push(atLeast(name, "×", (2 * both) / (without + again), bar))
  if (place._tag === "Server") {
    const none = yield* idle(context, service, 0)
    const one = yield* idle(context, service, 1)
    const many = yield* idle(context, service, idleFollowers)
    figures.push(told("transactions, no follower", "/s", none), told("transactions, one idle follower", "/s", one))
    figures.push(atMost(`transactions, ${idleFollowers} idle followers`, "/s", many, none + 1.5 * (one - none)))
  }
  return figures
})

export const readers: OverloadRow = {
  name: "readers",
  title: "credits beside feeds from the first event, lists and looks into the past",
  run
}
