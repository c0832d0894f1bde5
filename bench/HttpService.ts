/** The service of a checkout as a process, its wallets, and loads on it by bare sockets in another process. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { type HttpLoadOptions, HttpLoadReport } from "./HttpLoad.ts"
import { cpuMicrosOf } from "./servers/ServerProcess.ts"
import { type Checkout, environmentOf, type Place } from "./against/Checkout.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import { CostProbe } from "./CostProbe.ts"
import type { Sample } from "./Figure.ts"
import { runModule, startNode } from "./NodeProcess.ts"

/** Ids `w0` to `w9999` fit the client's command line, more do not. */
export const maxWallets = 10_000

/** What of the service a load needs. */
export interface Service {
  readonly url: URL
  readonly apiKey: string
  readonly pid: number
}

const Listening = Schema.fromJsonString(Schema.Struct({ url: Schema.URLFromString }))

/** The whole service of a checkout over a place of its own, until the scope closes. `settings`: more of its environment. */
export const startService = Effect.fnUntraced(function* (
  { folder }: Checkout,
  place: Place,
  settings: Readonly<Record<string, string>> = {}
) {
  const apiKey = randomBytes(24).toString("base64url")
  const more = { WALLET_API_KEY: apiKey, WALLET_LOG_LEVEL: "Warn", ...settings }
  const executable = join(folder, "src/bin/wallet.ts")
  const { line, pid } = yield* startNode(executable, ["serve", "--port", "0", "--json"], environmentOf(place, more))
  const { url } = yield* Effect.orDie(Schema.decodeEffect(Listening)(line))
  return { url, apiKey, pid } satisfies Service
})

/** More than a load of this bench can take from a wallet. */
const overdraftLimit = "1000000000000"

/** Empty wallets that may be taken from all the same, their ids. */
export const createWallets = Effect.fnUntraced(
  function* ({ apiKey, url }: Service, count: number) {
    const client = HttpClient.filterStatusOk(yield* HttpClient.HttpClient)
    const ids = Array.from({ length: count }, (_, index) => `w${index}`)
    const create = (id: string) =>
      HttpClientRequest.post(new URL("/v1/wallets", url)).pipe(
        HttpClientRequest.bearerToken(apiKey),
        HttpClientRequest.setHeader("idempotency-key", `create-${id}`),
        HttpClientRequest.bodyJsonUnsafe({ id, ownerId: "bench", currency: "EUR", overdraftLimit }),
        client.execute,
        Effect.flatMap((response) => response.text)
      )
    yield* Effect.forEach(ids, create, { concurrency: 32, discard: true })
    return ids
  },
  Effect.provide(FetchHttpClient.layer),
  Effect.orDie
)

export type Target = Pick<HttpLoadOptions, "method" | "path" | "headers" | "body" | "items" | "wallets" | "answers"> & {
  readonly status: string
}

/** A run's own part of every key: no round replays the one before. */
const ownKey = () => `${randomBytes(6).toString("hex")}-{n}`

const post = (path: string, body: string, wallets: ReadonlyArray<string>, { apiKey }: Service): Target => ({
  method: "POST",
  path,
  headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
  body,
  wallets,
  status: "201"
})

const withKey = (target: Target): Target => ({
  ...target,
  headers: { ...target.headers, "idempotency-key": ownKey() }
})

/** The wallets in turn. */
export const creditTo = (wallets: ReadonlyArray<string>, service: Service): Target =>
  withKey(post("/v1/wallets/{w}/credit", `{"amount":"1"}`, wallets, service))

/** Each wallet in turn to another by chance. */
export const transferAmong = (wallets: ReadonlyArray<string>, service: Service): Target =>
  withKey(post("/v1/transfers", `{"from":"{w}","to":"{r}","amount":"1"}`, wallets, service))

export const batchCommands = 1_000

/** Batches of {@link batchCommands}: all to one wallet, each to another by chance, transfers of one wallet by chance to another. */
export const batchOf = (
  kind: "credits to one" | "credits to many" | "transfers",
  wallets: ReadonlyArray<string>,
  service: Service
): Target => {
  const forms = {
    "credits to one": `"type":"credit","walletId":"{w}"`,
    "credits to many": `"type":"credit","walletId":"{r}"`,
    transfers: `"type":"transfer","walletId":"{r}","to":"{w}"`
  }
  return {
    ...post("/v1/batch", `{"commands":[{items}]}`, wallets, service),
    items: { text: `{${forms[kind]},"amount":"1","idempotencyKey":"${ownKey()}-{i}"}`, count: batchCommands },
    answers: { text: `"status":201`, count: batchCommands },
    status: "200"
  }
}

export const emptyEndpoint: Target = {
  method: "GET",
  path: "/health/live",
  headers: {},
  body: "",
  wallets: [],
  status: "200"
}

/** A load in a process of its own, whatever it is answered. */
export const loadAnyhow = Effect.fnUntraced(function* (
  settings: Pick<BenchSettings, "millis" | "rampMillis">,
  { url }: Service,
  { connections, status: _, ...target }: Target & { readonly connections: number }
) {
  const options: HttpLoadOptions = {
    ...target,
    host: url.hostname,
    port: Number(url.port),
    connections,
    warmup: settings.rampMillis,
    duration: settings.millis
  }
  const output = yield* runModule("bench/HttpLoadWorker", [JSON.stringify(options)])
  return yield* Effect.orDie(Schema.decodeEffect(Schema.fromJsonString(HttpLoadReport))(output.trim()))
})

/** The same; dies when a request was answered by anything but the target's status. */
export const load = Effect.fnUntraced(function* (
  settings: Pick<BenchSettings, "millis" | "rampMillis">,
  service: Service,
  target: Target & { readonly connections: number }
) {
  const report = yield* loadAnyhow(settings, service, target)
  if (report.socketErrors > 0 || (report.statuses[target.status] ?? 0) !== report.requests) {
    const answers = JSON.stringify(report)
    return yield* Effect.die(
      new Error(`the load on ${target.path} had other answers than ${target.status}: ${answers}`)
    )
  }
  return report
})

export interface LoadRound {
  readonly target: Target
  readonly connections: number
  /** How many of what is counted a request has. */
  readonly each: number
}

/**
 * What is counted per second, and what one costs the database and the service. Those of the
 * warm-up are taken to have been as many a second as the counted ones.
 */
export const loadRound = Effect.fnUntraced(function* (
  settings: BenchSettings,
  service: Service,
  { connections, each, target }: LoadRound
) {
  const probe = yield* CostProbe
  let cpu: number | null = null
  const { cost, value } = yield* probe.measure(
    Effect.gen(function* () {
      const before = cpuMicrosOf(service.pid)
      const { duration, requests } = yield* load(settings, service, { ...target, connections })
      const perSecond = (requests * each * 1_000) / duration
      const after = cpuMicrosOf(service.pid)
      const events = (perSecond * (settings.rampMillis + settings.millis)) / 1_000
      if (before !== undefined && after !== undefined) cpu = (after - before) / events
      return { perSecond, events }
    })
  )
  return { value, cost: { ...cost, engineCpuMicros: cpu } } satisfies Sample
})

export const creditRound = (
  settings: BenchSettings,
  service: Service,
  wallets: ReadonlyArray<string>,
  connections: number
) => loadRound(settings, service, { target: creditTo(wallets, service), connections, each: 1 })
