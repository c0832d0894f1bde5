/**
 * What a soak runs on: PostgreSQL with fsync, Elasticsearch, the real service between them as a process, and before
 * Elasticsearch a proxy that can be told to misbehave. Tools go past the proxy, as an operator's do.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { randomBytes } from "node:crypto"
import {
  type ElasticsearchServer,
  type ElasticsearchServerOptions,
  startElasticsearch
} from "../../bench/servers/ElasticsearchServer.ts"
import { startPostgres } from "../../bench/servers/PostgresServer.ts"
import { type Environment, type Finished, runWallet, type Service, startService } from "../cli/WalletProcess.ts"
import { type HttpProxy, startHttpProxy } from "../support/httpProxy.ts"

/** Of the service's indexes. */
export const indexPrefix = "soak"

export interface SoakRig {
  readonly elasticsearch: ElasticsearchServer
  readonly proxy: HttpProxy
  readonly service: Service
  readonly apiKey: string
  /** Past the proxy. */
  readonly direct: Environment
  /** When the tool that is at work began, `performance.now()`; `undefined`: none is. */
  toolSince: number | undefined
}

export const startSoakRig = Effect.fnUntraced(function* (options: ElasticsearchServerOptions) {
  const [postgres, elasticsearch] = yield* Effect.all([startPostgres({ fsync: true }), startElasticsearch(options)], {
    concurrency: 2
  })
  const proxy = yield* startHttpProxy(elasticsearch.url)
  const apiKey = randomBytes(24).toString("base64url")
  const direct: Environment = {
    DATABASE_URL: Redacted.value(postgres.url),
    ELASTICSEARCH_URL: elasticsearch.url,
    WALLET_SEARCH_PREFIX: indexPrefix,
    WALLET_API_KEY: apiKey,
    WALLET_LOG_LEVEL: "Warn"
  }
  const service = yield* startService({ ...direct, ELASTICSEARCH_URL: proxy.url })
  const rig: SoakRig = { elasticsearch, proxy, service, apiKey, direct, toolSince: undefined }
  return rig
})

export interface Answer {
  readonly status: number
  /** Parsed where it is JSON, else text. */
  readonly body: unknown
  readonly millis: number
}

/** Longer than the service takes for anything, ms. */
const patienceMillis = 30_000

/** One request of an operator's or a user's. Status `0`: no answer. */
export const ask = (rig: SoakRig, path: string, post?: { readonly key: string; readonly body: unknown }) =>
  Effect.suspend(() => {
    const startedAt = performance.now()
    const headers = { authorization: `Bearer ${rig.apiKey}`, "content-type": "application/json" }
    return Effect.tryPromise(async (signal) => {
      const response = await fetch(rig.service.url + path, {
        signal,
        ...(post === undefined
          ? { headers }
          : {
              method: "POST",
              headers: { ...headers, "idempotency-key": post.key },
              body: JSON.stringify(post.body)
            })
      })
      const text = await response.text()
      const isJson = response.headers.get("content-type")?.includes("json") === true
      return { status: response.status, body: isJson ? (JSON.parse(text) as unknown) : text }
    }).pipe(
      Effect.timeout(patienceMillis),
      Effect.orElseSucceed(() => ({ status: 0, body: "" as unknown })),
      Effect.map((answer): Answer => ({ ...answer, millis: performance.now() - startedAt }))
    )
  })

export interface Readiness {
  /** `""`: no answer. */
  readonly status: string
  /** What is said of search. */
  readonly search: string
}

export const readiness = (rig: SoakRig): Effect.Effect<Readiness> =>
  Effect.map(ask(rig, "/health/ready"), ({ body }) => {
    if (typeof body !== "object") return { status: "", search: "" }
    const { checks, status } = body as {
      readonly status: string
      readonly checks: ReadonlyArray<{ readonly name: string; readonly detail: string | null }>
    }
    return { status, search: checks.find(({ name }) => name === "readModel")?.detail ?? "" }
  })

/** Of the service's metrics; `NaN`: it says none. */
export const gauge = (metrics: string, name: string): number =>
  Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, "m").exec(metrics)?.[1])

/** `undefined`: it was still at it when the time was up. */
export const tool = (
  rig: SoakRig,
  args: ReadonlyArray<string>,
  limitMillis: number
): Effect.Effect<Finished | undefined> =>
  Effect.suspend(() => {
    rig.toolSince = performance.now()
    return Effect.timeoutOption(runWallet(args, rig.direct), limitMillis)
  }).pipe(
    Effect.map((finished) => (finished._tag === "Some" ? finished.value : undefined)),
    Effect.ensuring(
      Effect.sync(() => {
        rig.toolSince = undefined
      })
    )
  )

/** Runs a tool that has to end well; answers what is wrong. */
export const toolProblems = (rig: SoakRig, args: ReadonlyArray<string>, limitMillis: number) =>
  Effect.map(tool(rig, args, limitMillis), (finished): ReadonlyArray<string> => {
    const name = `wallet ${args.join(" ")}`
    if (finished === undefined) return [`${name} was not done after ${Math.round(limitMillis / 1_000)} s`]
    const { code, stderr, stdout } = finished
    return code === 0 ? [] : [`${name} ended with ${code}: ${`${stdout}${stderr}`.trim().slice(-500)}`]
  })
