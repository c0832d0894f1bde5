/**
 * The service over HTTP: credits, beside an endpoint of the same server that does
 * nothing. The server is a process of its own, so is the client with its bare
 * keep-alive sockets: each has a core.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import { randomBytes } from "node:crypto"
import { type HttpLoadOptions, HttpLoadReport } from "../HttpLoad.ts"
import { temporaryFolder } from "../servers/ServerProcess.ts"
import type { BenchSettings } from "./BenchSettings.ts"
import { alternate, type Row, rowOf } from "./Figure.ts"
import { runModule, startModule } from "./NodeProcess.ts"

const connections = 256

/** More would not fit the client's command line. */
const maxWallets = 1_000

interface Service {
  readonly url: URL
  readonly apiKey: string
}

const Listening = Schema.fromJsonString(Schema.Struct({ url: Schema.URLFromString }))

/** The whole service, on the embedded database or in a schema of a server, until the scope closes. */
const startService = Effect.fnUntraced(function* (databaseUrl: Option.Option<Redacted.Redacted>) {
  const apiKey = randomBytes(24).toString("base64url")
  const line = yield* startModule("bin/wallet", ["serve", "--port", "0", "--json"], {
    DATABASE_URL: Option.getOrUndefined(Option.map(databaseUrl, Redacted.value)),
    WALLET_SQL_SCHEMA: `http_${randomBytes(4).toString("hex")}`,
    WALLET_DATA_DIR: yield* temporaryFolder(),
    WALLET_API_KEY: apiKey,
    WALLET_LOG_LEVEL: "Warn"
  })
  const { url } = yield* Effect.orDie(Schema.decodeEffect(Listening)(line))
  return { url, apiKey } satisfies Service
})

/** Empty wallets, their ids. */
const createWallets = Effect.fnUntraced(
  function* ({ apiKey, url }: Service, count: number) {
    const client = HttpClient.filterStatusOk(yield* HttpClient.HttpClient)
    const ids = Array.from({ length: count }, (_, index) => `w${index}`)
    const create = (id: string) =>
      HttpClientRequest.post(new URL("/v1/wallets", url)).pipe(
        HttpClientRequest.bearerToken(apiKey),
        HttpClientRequest.setHeader("idempotency-key", `create-${id}`),
        HttpClientRequest.bodyJsonUnsafe({ id, ownerId: "bench", currency: "EUR" }),
        client.execute,
        Effect.flatMap((response) => response.text)
      )
    yield* Effect.forEach(ids, create, { concurrency: 32, discard: true })
    return ids
  },
  Effect.provide(FetchHttpClient.layer),
  Effect.orDie
)

type Target = Pick<HttpLoadOptions, "method" | "path" | "headers" | "body" | "wallets"> & { readonly status: string }

/** A run's own part of every key: no round replays the one before. */
const creditTo = (wallets: ReadonlyArray<string>, { apiKey }: Service): Target => ({
  method: "POST",
  path: "/v1/wallets/{w}/credit",
  headers: {
    authorization: `Bearer ${apiKey}`,
    "content-type": "application/json",
    "idempotency-key": `${randomBytes(6).toString("hex")}-{n}`
  },
  body: `{"amount":"1"}`,
  wallets,
  status: "201"
})

const emptyEndpoint: Target = {
  method: "GET",
  path: "/health/live",
  headers: {},
  body: "",
  wallets: [],
  status: "200"
}

/** Requests per second. Dies when one was answered by anything but the target's status. */
const round = Effect.fnUntraced(function* (settings: BenchSettings, { url }: Service, { status, ...target }: Target) {
  const options: HttpLoadOptions = {
    ...target,
    host: url.hostname,
    port: Number(url.port),
    connections,
    warmup: settings.rampMillis,
    duration: settings.millis
  }
  const output = yield* runModule("load/HttpLoadWorker", [JSON.stringify(options)])
  const report = yield* Effect.orDie(Schema.decodeEffect(Schema.fromJsonString(HttpLoadReport))(output.trim()))
  if (report.socketErrors > 0 || (report.statuses[status] ?? 0) !== report.requests) {
    return yield* Effect.die(new Error(`the load on ${target.path} had other answers than ${status}: ${output}`))
  }
  return report.perSecond
})

export const httpBench = Effect.fn("HttpBench.run")(function* (
  settings: BenchSettings,
  on: string,
  databaseUrl: Option.Option<Redacted.Redacted>
) {
  const service = yield* startService(databaseUrl)
  const many = yield* createWallets(service, Math.min(maxWallets, settings.wallets))
  const rows: Array<Row> = []
  for (const wallets of [many.slice(0, 1), many]) {
    const { beside, engine } = yield* alternate({
      unit: "/s",
      rounds: settings.rounds,
      engine: Effect.suspend(() => round(settings, service, creditTo(wallets, service))),
      beside: round(settings, service, emptyEndpoint)
    })
    const which = wallets.length === 1 ? "one wallet" : `${wallets.length.toLocaleString("en")} wallets`
    rows.push(
      rowOf({
        name: `HTTP credit, ${which}, ${connections} connections`,
        on,
        engine,
        beside: { name: "GET /health/live", figure: beside },
        ratioBar: 0.4
      })
    )
  }
  return rows
}, Effect.scoped)
