/**
 * Searchers beside credits: how many credits the service takes a second while very many ask its search at once, in closed
 * loops and whatever they are answered, against none of them.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { thisCheckout } from "../against/Checkout.ts"
import { createWallets, creditTo, load, loadAnyhow, type Service, startService } from "../HttpService.ts"
import { cpuMicrosOf } from "../servers/ServerProcess.ts"
import { atLeast, type OverloadContext, type OverloadFigure, type OverloadRow, told } from "./OverloadRow.ts"

const connections = 64
const walletCount = 100
const searchingConnections = 256

/** Searchers begin so long before the credits that count, and end so long after them. */
const aroundMillis = 1_000

/** Of each kind as many connections: what is found at once, and what the index may have to work at. */
const paths = ["/v1/transactions?walletId={w}&limit=20", "/v1/transactions?q=b*&limit=20"]

const credits = (service: Service, wallets: ReadonlyArray<string>, millis: number) =>
  load({ rampMillis: aroundMillis, millis }, service, { ...creditTo(wallets, service), connections })

const search = (service: Service, wallets: ReadonlyArray<string>, path: string, millis: number) =>
  loadAnyhow({ rampMillis: 0, millis }, service, {
    method: "GET",
    path,
    headers: { authorization: `Bearer ${service.apiKey}` },
    body: "",
    wallets,
    status: "200",
    connections: searchingConnections / paths.length
  })

/** Credits a second beside searchers or without, and what the service's processor had to do for one request. */
const beside = Effect.fnUntraced(function* (
  { millis, progress }: OverloadContext,
  service: Service,
  wallets: ReadonlyArray<string>,
  isSearching: boolean
) {
  const whole = millis + 3 * aroundMillis
  const searching = yield* Effect.forEach(isSearching ? paths : [], (path) =>
    Effect.forkChild(search(service, wallets, path, whole))
  )
  yield* Effect.sleep(aroundMillis)
  const before = cpuMicrosOf(service.pid) ?? Number.NaN
  const { perSecond, requests } = yield* credits(service, wallets, millis)
  const cpu = (cpuMicrosOf(service.pid) ?? Number.NaN) - before
  const searches = yield* Effect.forEach(searching, (fiber) => Fiber.join(fiber))
  const answers = searches.map(({ p99, perSecond, statuses }) => ({ statuses, perSecond, p99 }))
  yield* progress(JSON.stringify({ isSearching, perSecond, cpuMicrosPerCredit: cpu / requests, answers }))
  return { perSecond, searches: searches.reduce((sum, { perSecond }) => sum + perSecond, 0) }
})

const run = Effect.fnUntraced(function* (context: OverloadContext) {
  const { elasticsearch, millis, place, progress } = context
  const server = yield* elasticsearch
  if (server === undefined) {
    yield* progress("Elasticsearch is not on this machine: search is PostgreSQL's")
  }
  const settings = server === undefined ? {} : { ELASTICSEARCH_URL: server.url, WALLET_SEARCH_PREFIX: "overload" }
  const service = yield* startService(thisCheckout, place, settings)
  const wallets = yield* createWallets(service, walletCount)
  yield* progress("something to find")
  yield* credits(service, wallets, Math.max(millis, 5_000))
  const without = yield* beside(context, service, wallets, false)
  const crowded = yield* beside(context, service, wallets, true)
  const again = yield* beside(context, service, wallets, false)
  const alone = (without.perSecond + again.perSecond) / 2
  const figures: ReadonlyArray<OverloadFigure> = [
    told("credits without searchers", "/s", alone),
    told(`credits, ${searchingConnections} searchers`, "/s", crowded.perSecond),
    told("searches answered, refused ones too", "/s", crowded.searches),
    atLeast(`${searchingConnections} searchers: of none`, "×", crowded.perSecond / alone, 0.7)
  ]
  return figures
})

export const searchers: OverloadRow = {
  name: "searchers",
  title: "credits beside very many who search, with Elasticsearch where it is",
  run
}
